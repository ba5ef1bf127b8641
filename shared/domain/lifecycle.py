"""The state changes of a referral: accept, decline, expire, withdraw, win, lose (rules L).

Each function takes the record as read and returns the change to store, or raises a refusal. At most one of accept,
decline, withdraw and expire can be stored, because each requires the status New and the commit requires that the
record has not changed since it was read.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, append_entry, touched
from shared.domain.eligibility import may_be_eligible_once_won
from shared.domain.ids import OperationId, ReferralId, derived_operation
from shared.domain.messages import MailKind
from shared.domain.referral import Contact, InviteContext, InvitedParty, Referral, StatusReason
from shared.domain.refusals import NotAllowed, TerminalState
from shared.domain.sales_stage import has_every_stage, initial_stage
from shared.domain.timeline import Actor, EntryKind
from shared.domain.vocabulary import ABUSE, DEAL_CLOSED, MICROSOFT, ClosingReason, Substatus
from shared.domain.work import Notify, Task, TellEligible, UpdateParties, Withdraw

SYSTEM_ACTOR = Actor(organization_id=None)
"""The actor of changes that no person made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The fields of an acceptance (L2). None keeps the value of the invitation.

    `by` is the person who accepts, from the directory; None for an application.
    """

    name: str | None = None
    deal_value: Decimal | None = None
    currency: str | None = None
    closing_at: datetime | None = None
    notes: str | None = None
    external_reference_id: str | None = None
    campaign_id: str | None = None
    team: tuple[Contact, ...] = ()
    by: Contact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingStatement:
    """Why a referral is declined or lost (L3, L6)."""

    reason: ClosingReason
    notes: str | None = None


def accept(
    referral: Referral, acceptance: Acceptance, context: CommandContext, *, creator: Referral
) -> Change:
    """New becomes Active / Accepted (L1, L2). `creator` is the creator's referral as just read.

    Raises `TerminalState` if the referral or the deal is closed, `NotAllowed` if it has been answered. After the
    deadline, the change is the expiry, with a refusal (L4).
    """
    if is_overdue(referral, context.now):
        return _expire_late(referral, context)
    _require_new(referral, "accept")
    _require_open_deal(referral, creator)
    engages_microsoft = referral.organization_id == MICROSOFT and not referral.inquiry
    builder = ChangeBuilder.of(referral).then(
        EntryDraft(kind="accepted"),
        (*_inviter_tasks(referral, "accepted"), *((TellEligible(),) if engages_microsoft else ())),
        status="Active",
        substatus="Accepted",
        sales_stage=initial_stage(referral),
        accepted_at=context.now,
        **_accepted_fields(referral, acceptance),
    )
    return builder.build(context)


def decline(referral: Referral, statement: ClosingStatement, context: CommandContext) -> Change:
    """New becomes Closed / Declined (L1, L3), even if the deal is closed. Raises as `accept` does otherwise."""
    if is_overdue(referral, context.now):
        return _expire_late(referral, context)
    _require_new(referral, "decline")
    reason = StatusReason(code=statement.reason, notes=statement.notes)
    return _close(
        ChangeBuilder.of(referral), _closing_entry("declined", reason), context, "Declined", reason
    ).build(context)


def expire(referral: Referral, context: CommandContext) -> Change:
    """New becomes Closed / Expired after the deadline (L4). Call it only if `is_overdue`."""
    system_context = replace(context, actor=SYSTEM_ACTOR, key_hash=None)
    return _close(ChangeBuilder.of(referral), EntryDraft(kind="expired"), context, "Expired", None).build(
        system_context
    )


def withdraw(referral: Referral, context: CommandContext) -> Change:
    """New becomes Closed / Expired because the deal was closed (L8). Call it only for a New referral (L7)."""
    reason = StatusReason(code=DEAL_CLOSED)
    return _close(
        ChangeBuilder.of(referral), _closing_entry("withdrawn", reason), context, "Expired", reason
    ).build(context)


def win(builder: ChangeBuilder, notes: str | None, context: CommandContext) -> Change:
    """Active becomes Closed / Won (L6). `builder` has the other changes of the same request, usually none.

    Open invitations of partners are withdrawn; Microsoft can still answer (L8).
    Raises `TerminalState`, `NotAllowed`.
    """
    referral = builder.after
    if is_overdue(referral, context.now):
        return _expire_late(builder.before, context)
    _require_active(referral, "win")
    if not has_every_stage(referral):
        raise NotAllowed(
            "An assessment goes through all stages before it is won: set PresentToCustomer first."
        )
    entry = EntryDraft(kind="won", details={"notes": notes} if notes else {})
    builder = replace(builder, after=replace(referral, sales_stage="Won"))
    return _close(builder, entry, context, "Won", None).build(context)


def lose(builder: ChangeBuilder, statement: ClosingStatement, context: CommandContext) -> Change:
    """Active becomes Closed / Lost (L6). Withdraws all open invitations (L8). `builder` and errors as in `win`."""
    if is_overdue(builder.after, context.now):
        return _expire_late(builder.before, context)
    _require_active(builder.after, "lose")
    reason = StatusReason(code=statement.reason, notes=statement.notes)
    return _close(builder, _closing_entry("lost", reason), context, "Lost", reason).build(context)


def apply_party_change(referral: Referral, other: Referral, state: str, context: CommandContext) -> Change:
    """Record another party's change to `state` in this timeline (L7)."""
    party_context = replace(context, actor=Actor(organization_id=other.organization_id))
    entry = EntryDraft(
        kind="partyChanged",
        to_state=state,
        details={"organizationId": other.organization_id, "organizationName": other.organization_name},
    )
    moved = touched(with_party(referral, other), context.now)
    return append_entry(referral, party_context, entry, invited=moved.invited, updated_at=moved.updated_at)


def with_party(deal: Referral, other: Referral) -> Referral:
    """The creator's deal with the state of one invited party's own referral."""
    invited = (
        update_invited_party(each, other) if each.party == other.key else each for each in deal.invited
    )
    return replace(deal, invited=tuple(invited))


def update_invited_party(invited: InvitedParty, other: Referral) -> InvitedParty:
    """The invited party with the state of its own referral."""
    reason = other.status_reason.code if other.status_reason else None
    return replace(invited, substatus=other.substatus, reason=reason)


def apply_deal_type(referral: Referral, creator: Referral, context: CommandContext) -> Change:
    """Copy the deal type from the creator's record to another party's (T1).

    The ETag changes, because clients read the type.
    """
    party_context = replace(context, actor=Actor(organization_id=creator.organization_id))
    entry = EntryDraft(kind="typeChanged", from_state=referral.deal_type, to_state=creator.deal_type)
    return ChangeBuilder.of(referral).then(entry, deal_type=creator.deal_type).build(party_context)


def record_failed_mail(
    referral: Referral,
    message: MailKind,
    address: str,
    why: str,
    context: CommandContext,
    *,
    detail: str | None = None,
) -> Change:
    """Record in the timeline that a mail did not arrive; nothing else depends on it (M6).

    `address` is the recipient's address, or a word such as `customer` if the reader may not see the address. `detail`
    is the answer of the receiving mail server.
    """
    details = {"message": message, "to": address, **({"detail": detail} if detail else {})}
    entry = EntryDraft(kind="mailFailed", reason=why, details=details)
    return append_entry(referral, replace(context, actor=SYSTEM_ACTOR), entry)


def record_never_notified(referral: Referral, expired: Referral, context: CommandContext) -> Change:
    """Record in the creator's timeline that no mail notified an organization of the referral that expired (M8).

    `expired` is that organization's referral. The entry does not show its people, or why they got no mail (V1).
    """
    organization = {"organizationId": expired.organization_id, "organizationName": expired.organization_name}
    return append_entry(
        referral, replace(context, actor=SYSTEM_ACTOR), EntryDraft(kind="neverNotified", details=organization)
    )


def never_notified_operation(expired: ReferralId) -> OperationId:
    """The operation id of `record_never_notified`, so that it is recorded once and can be found."""
    return derived_operation("neverNotified", expired)


def is_overdue(referral: Referral, now: datetime) -> bool:
    """Whether the deadline has passed and the expiry is not stored yet (L4)."""
    return referral.status == "New" and referral.expires_at is not None and now >= referral.expires_at


def withdraws_invitation(creator: Referral, invitee: str) -> bool:
    """Whether the creator's outcome withdraws an open invitation: Lost all, Won all but Microsoft's (L8)."""
    return creator.is_closed and not (invitee == MICROSOFT and creator.substatus == "Won")


def require_active(referral: Referral, verb: str, context: CommandContext) -> Change | None:
    """Raise `TerminalState` or `NotAllowed` unless the referral is Active; return its expiry if it is overdue (L4).

    `verb` completes "you cannot ... it" in the error message.
    """
    if is_overdue(referral, context.now):
        return _expire_late(referral, context)
    _require_active(referral, verb)
    return None


def require_open(referral: Referral, verb: str, context: CommandContext) -> Change | None:
    """As `require_active`, for a command that is possible before the answer as well."""
    if is_overdue(referral, context.now):
        return _expire_late(referral, context)
    if referral.is_closed:
        raise terminal_refusal(referral, verb)
    return None


def terminal_refusal(referral: Referral, verb: str) -> TerminalState:
    """The refusal of any command on a closed referral (L5)."""
    when = f" on {referral.closed_at:%Y-%m-%d at %H:%M} UTC" if referral.closed_at else ""
    message = f"This referral was closed as {referral.substatus}{when}. That is final: you cannot {verb} it."
    return TerminalState(message, reason=referral.status_reason.code if referral.status_reason else None)


def _require_new(referral: Referral, verb: str) -> None:
    if referral.is_closed:
        raise terminal_refusal(referral, verb)
    if referral.status != "New":
        message = f"This referral is {referral.state}: it has already been answered, so you cannot {verb} it."
        raise NotAllowed(message)


def _require_active(referral: Referral, verb: str) -> None:
    if referral.is_closed:
        raise terminal_refusal(referral, verb)
    if referral.status != "Active":
        message = f"This referral is {referral.state}: accept it first, then you can {verb} it."
        raise NotAllowed(message)


def _require_open_deal(referral: Referral, creator: Referral) -> None:
    if withdraws_invitation(creator, referral.organization_id):
        message = (
            f"{creator.organization_name} closed the deal as {creator.substatus}, so you cannot accept it."
        )
        raise TerminalState(message, reason=DEAL_CLOSED)


def _expire_late(referral: Referral, context: CommandContext) -> Change:
    expired = expire(referral, context)
    return replace(expired, refusal=terminal_refusal(expired.after, "change"))


def _accepted_fields(referral: Referral, acceptance: Acceptance) -> dict[str, Any]:
    terms = replace(
        referral.terms,
        deal_value=acceptance.deal_value or referral.terms.deal_value,
        currency=acceptance.currency or referral.terms.currency,
        closing_at=acceptance.closing_at or referral.terms.closing_at,
    )
    return {
        "terms": terms,
        "name": acceptance.name or referral.name,
        "notes": acceptance.notes or referral.notes,
        "external_reference_id": acceptance.external_reference_id or referral.external_reference_id,
        "campaign_id": acceptance.campaign_id or referral.campaign_id,
        "team": acceptance.team or referral.team or _first_member(referral, acceptance.by),
    }


def _first_member(referral: Referral, by: Contact | None) -> tuple[Contact, ...]:
    """Who accepts with an empty team is its first member (L2); an application is on no team (V7).

    A phone number that the directory does not have is that of the contact who was asked. If there is none either, it
    stays empty: an answer has a deadline, and the next change of the team asks for it.
    """
    if by is None:
        return ()
    if by.phone_number:
        return (by,)
    asked = (each for each in referral.asked or () if each.email.casefold() == by.email.casefold())
    return (replace(by, phone_number=next((each.phone_number for each in asked), "")),)


def _close(
    builder: ChangeBuilder,
    entry: EntryDraft,
    context: CommandContext,
    substatus: Substatus,
    reason: StatusReason | None,
) -> ChangeBuilder:
    return builder.then(
        entry,
        _closing_tasks(builder.after, substatus, reason, context.secret),
        invite_context=_context_after(builder.after, substatus),
        status="Closed",
        substatus=substatus,
        status_reason=reason,
        closed_at=context.now,
    )


def _context_after(referral: Referral, substatus: Substatus) -> InviteContext:
    """A party that declined, or whose invitation expired, does not keep the inviter's people (V1, N3)."""
    if substatus in {"Declined", "Expired"}:
        return replace(referral.invite_context, team=())
    return referral.invite_context


def _closing_entry(kind: EntryKind, reason: StatusReason) -> EntryDraft:
    return EntryDraft(kind=kind, reason=reason.code, details={"notes": reason.notes} if reason.notes else {})


def _closing_tasks(
    referral: Referral, substatus: Substatus, reason: StatusReason | None, secret: str
) -> tuple[Task, ...]:
    match substatus:
        case "Won":
            eligible = (TellEligible(),) if may_be_eligible_once_won(referral) else ()
            return (*_outcome_tasks(referral, "won"), *eligible)
        case "Lost":
            return _outcome_tasks(referral, "lost")
        case "Declined" if referral.inquiry and reason and reason.code == ABUSE:
            return ()  # a customer reported for abuse gets no mail (M7)
        case "Declined":
            return _inviter_tasks(referral, "declined", secret)
        case _ if reason and reason.code == DEAL_CLOSED:
            return (Notify(message="withdrawn", audience="invitee"),)
        case _:
            return _inviter_tasks(referral, "expired", secret)


def _inviter_tasks(referral: Referral, message: MailKind, secret: str = "") -> tuple[Task, ...]:
    if referral.inquiry:
        return _customer_tasks(message, secret if referral.inquiry.alternatives else None)
    return (
        UpdateParties(parties=(referral.creator,)),
        Notify(message=message, audience="inviter", party=referral.creator),
    )


def _customer_tasks(message: MailKind, secret: str | None) -> tuple[Task, ...]:
    """A mail suggests other partners to a customer whose request is declined or expires (R4, M2).

    With a secret it has a link to choose one of them (R8).
    """
    mails: dict[MailKind, MailKind] = {"declined": "customerDeclined", "expired": "customerExpired"}
    if message not in mails:
        return ()
    return (Notify(message=mails[message], audience="customer", choice=secret or None),)


def _outcome_tasks(referral: Referral, message: MailKind) -> tuple[Task, ...]:
    """Each party's outcome updates the creator (L7); the creator's updates all parties, also by mail (M4).

    Parties that have declined, or whose invitation has expired, are not notified.
    """
    if not referral.belongs_to_creator:
        return (UpdateParties(parties=(referral.creator,)),)
    affected = [i for i in referral.invited if i.substatus not in {"Declined", "Expired"}]
    parties = tuple(invitation.party for invitation in affected)
    withdrawn = tuple(
        i.party
        for i in affected
        if i.substatus == "Pending" and (message == "lost" or i.party.organization_id != MICROSOFT)
    )
    mails = tuple(Notify(message=message, audience="party", party=record) for record in parties)
    return (
        *((Withdraw(parties=withdrawn),) if withdrawn else ()),
        *((UpdateParties(parties=parties),) if parties else ()),
        *mails,
    )
