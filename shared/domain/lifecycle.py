"""The life of a referral: accept, decline, expire, withdraw, win, lose (rules L).

Each function takes the record as it was read and gives the step to store, or raises why not. Exactly one of
accept, decline, withdrawal and expiry can ever be stored, because each needs New and the commit needs the
record unchanged.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, append_entry
from shared.domain.ids import OperationId, ReferralId, derived_operation
from shared.domain.messages import MailKind
from shared.domain.referral import Contact, InvitedParty, Referral, StatusReason
from shared.domain.refusals import NotAllowed, TerminalState
from shared.domain.sales_stage import has_every_stage, initial_stage
from shared.domain.timeline import Actor, EntryKind
from shared.domain.vocabulary import ABUSE, DEAL_CLOSED, MICROSOFT, ClosingReason, Substatus
from shared.domain.work import Notify, Task, UpdateParties, Withdraw

SYSTEM_ACTOR = Actor(organization_id=None)
"""The actor of what no person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What an accepting company says (L2). None keeps what the invitation pre-filled."""

    name: str | None = None
    deal_value: Decimal | None = None
    currency: str | None = None
    closing_at: datetime | None = None
    notes: str | None = None
    external_reference_id: str | None = None
    campaign_id: str | None = None
    team: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingStatement:
    """Why a deal is declined or lost (L3, L6)."""

    reason: ClosingReason
    notes: str | None = None


def accept(
    referral: Referral, acceptance: Acceptance, context: CommandContext, *, creator: Referral
) -> Change:
    """New becomes Active / Accepted (L1, L2). `creator` is the creator's referral as just read.

    Raises `TerminalState` when the referral or the deal is closed, `NotAllowed` when it was answered. After the
    deadline the step is the expiry, with the refusal in it (L4).
    """
    if is_overdue(referral, context.now):
        return _expiry_instead(referral, context)
    _require_new(referral, "accept")
    _require_open_deal(referral, creator)
    accepted = ChangeBuilder.of(referral).then(
        EntryDraft(kind="accepted"),
        _news_for_inviter(referral, "accepted"),
        status="Active",
        substatus="Accepted",
        sales_stage=initial_stage(referral),
        accepted_at=context.now,
        **_accepted_fields(referral, acceptance),
    )
    return accepted.build(context)


def decline(referral: Referral, statement: ClosingStatement, context: CommandContext) -> Change:
    """New becomes Closed / Declined (L1, L3). Raises as `accept` does, the deal's own state apart."""
    if is_overdue(referral, context.now):
        return _expiry_instead(referral, context)
    _require_new(referral, "decline")
    reason = StatusReason(code=statement.reason, notes=statement.notes)
    return _closed(
        ChangeBuilder.of(referral), _closing_entry("declined", reason), context, "Declined", reason
    ).build(context)


def expire(referral: Referral, context: CommandContext) -> Change:
    """New becomes Closed / Expired once its time is over (L4). To be asked only when `is_overdue`."""
    by_the_clock = replace(context, actor=SYSTEM_ACTOR, key_hash=None)
    return _closed(ChangeBuilder.of(referral), EntryDraft(kind="expired"), context, "Expired", None).build(
        by_the_clock
    )


def withdraw(referral: Referral, context: CommandContext) -> Change:
    """A New invitation ends because its deal was closed (L8). To be asked only of a New referral (L7)."""
    reason = StatusReason(code=DEAL_CLOSED)
    return _closed(
        ChangeBuilder.of(referral), _closing_entry("withdrawn", reason), context, "Expired", reason
    ).build(context)


def win(step: ChangeBuilder, notes: str | None, context: CommandContext) -> Change:
    """Active becomes Closed / Won (L6). `step` is what the same request changes besides, usually nothing.

    Open invitations of partners are withdrawn; Microsoft's stays answerable (L8).
    """
    referral = step.after
    if is_overdue(referral, context.now):
        return _expiry_instead(step.before, context)
    _require_active(referral, "win")
    if not has_every_stage(referral):
        raise NotAllowed("An assessment is won after all its stages: mark PresentToCustomer first.")
    entry = EntryDraft(kind="won", details={"notes": notes} if notes else {})
    won = replace(step, after=replace(referral, sales_stage="Won"))
    return _closed(won, entry, context, "Won", None).build(context)


def lose(step: ChangeBuilder, statement: ClosingStatement, context: CommandContext) -> Change:
    """Active becomes Closed / Lost (L6). Every open invitation is withdrawn (L8). `step` as in `win`."""
    if is_overdue(step.after, context.now):
        return _expiry_instead(step.before, context)
    _require_active(step.after, "lose")
    reason = StatusReason(code=statement.reason, notes=statement.notes)
    return _closed(step, _closing_entry("lost", reason), context, "Lost", reason).build(context)


def apply_party_change(referral: Referral, other: Referral, state: str, context: CommandContext) -> Change:
    """Another party's change to `state`, as this record's timeline tells it (L7)."""
    heard = replace(context, actor=Actor(organization_id=other.organization_id))
    entry = EntryDraft(
        kind="partyChanged",
        to_state=state,
        details={"organizationId": other.organization_id, "organizationName": other.organization_name},
    )
    invited = tuple(
        update_invited_party(each, other) if each.party == other.key else each for each in referral.invited
    )
    return append_entry(referral, heard, entry, invited=invited)


def update_invited_party(invited: InvitedParty, other: Referral) -> InvitedParty:
    """An invitation as its creator keeps it, once it has heard of the invitee's record."""
    reason = other.status_reason.code if other.status_reason else None
    return replace(invited, substatus=other.substatus, reason=reason)


def apply_deal_type(referral: Referral, creator: Referral, context: CommandContext) -> Change:
    """The deal's type as its creator's record has it now, repeated on another party's (T1).

    Its readers' ETags notice, since the type is part of what they read. Nobody else needs to know: no work opens.
    """
    heard = replace(context, actor=Actor(organization_id=creator.organization_id))
    entry = EntryDraft(kind="typeChanged", from_state=referral.deal_type, to_state=creator.deal_type)
    changed = ChangeBuilder.of(referral).then(entry, deal_type=creator.deal_type).build(heard)
    return replace(changed, work=None)


def record_failed_mail(
    referral: Referral,
    message: MailKind,
    address: str,
    why: str,
    context: CommandContext,
    *,
    detail: str | None = None,
) -> Change:
    """A mail that did not arrive is told in the timeline and stops nothing (M6).

    `address` says in a word whose it is where it is not told; `detail` is what the receiving server said.
    """
    to = {"to": address}
    said = {"detail": detail} if detail else {}
    entry = EntryDraft(kind="mailFailed", reason=why, details={"message": message, **to, **said})
    return append_entry(referral, replace(context, actor=SYSTEM_ACTOR), entry)


def record_never_notified(referral: Referral, expired: Referral, context: CommandContext) -> Change:
    """That no mail told an organization of what it then let expire, in the timeline that its expiry is told in (M8).

    `expired` is that organization's referral. Neither its people nor why they got no mail are told (V1).
    """
    whose = {"organizationId": expired.organization_id, "organizationName": expired.organization_name}
    return append_entry(
        referral, replace(context, actor=SYSTEM_ACTOR), EntryDraft(kind="neverNotified", details=whose)
    )


def never_notified_operation(expired: ReferralId) -> OperationId:
    """The operation id of `record_never_notified`, by which it is told once and found again."""
    return derived_operation("neverNotified", expired)


def is_overdue(referral: Referral, now: datetime) -> bool:
    """Whether a referral's time to answer is over and it has not been closed for it yet (L4)."""
    return referral.status == "New" and referral.expires_at is not None and now >= referral.expires_at


def withdraws_invitation(creator: Referral, invitee: str) -> bool:
    """Whether an open invitation ends with the creator's outcome: on Lost all, on Won not Microsoft's (L8)."""
    return creator.is_closed and not (invitee == MICROSOFT and creator.substatus == "Won")


def require_active(referral: Referral, verb: str, context: CommandContext) -> Change | None:
    """Refuse what only an Active referral allows; after its deadline, give the expiry that is due instead (L4).

    Raises `TerminalState` or `NotAllowed`.
    """
    if is_overdue(referral, context.now):
        return _expiry_instead(referral, context)
    _require_active(referral, verb)
    return None


def terminal_refusal(referral: Referral, verb: str) -> TerminalState:
    """Why nothing can be done to a closed referral any more (L5)."""
    when = f" on {referral.closed_at:%Y-%m-%d at %H:%M} UTC" if referral.closed_at else ""
    message = f"This referral was closed as {referral.substatus}{when}. It is final: you cannot {verb} it."
    return TerminalState(message, reason=referral.status_reason.code if referral.status_reason else None)


def _require_new(referral: Referral, verb: str) -> None:
    if referral.is_closed:
        raise terminal_refusal(referral, verb)
    if referral.status != "New":
        message = f"This referral is {referral.state}: it has been answered, so you cannot {verb} it."
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
            f"{creator.organization_name} closed the deal as {creator.substatus}; it takes no new party."
        )
        raise TerminalState(message, reason=DEAL_CLOSED)


def _expiry_instead(referral: Referral, context: CommandContext) -> Change:
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
        "team": acceptance.team or referral.team,
    }


def _closed(
    step: ChangeBuilder,
    entry: EntryDraft,
    context: CommandContext,
    substatus: Substatus,
    reason: StatusReason | None,
) -> ChangeBuilder:
    return step.then(
        entry,
        _news_of_end(step.after, substatus, reason),
        status="Closed",
        substatus=substatus,
        status_reason=reason,
        closed_at=context.now,
    )


def _closing_entry(kind: EntryKind, reason: StatusReason) -> EntryDraft:
    return EntryDraft(kind=kind, reason=reason.code, details={"notes": reason.notes} if reason.notes else {})


def _news_of_end(referral: Referral, substatus: Substatus, reason: StatusReason | None) -> tuple[Task, ...]:
    match substatus:
        case "Won" | "Lost":
            return _news_of_outcome(referral, "won" if substatus == "Won" else "lost")
        case "Declined" if referral.inquiry and reason and reason.code == ABUSE:
            return ()  # nobody writes to whom a company calls a swindler (M7)
        case "Declined":
            return _news_for_inviter(referral, "declined")
        case _ if reason and reason.code == DEAL_CLOSED:
            return (Notify(message="withdrawn", audience="invitee"),)
        case _:
            return _news_for_inviter(referral, "expired")


def _news_for_inviter(referral: Referral, message: MailKind) -> tuple[Task, ...]:
    if referral.inquiry:
        return _news_for_customer(message)
    return (
        UpdateParties(parties=(referral.creator,)),
        Notify(message=message, audience="inviter", party=referral.creator),
    )


def _news_for_customer(message: MailKind) -> tuple[Task, ...]:
    """Whose request is declined or left unanswered is told to choose a different partner (R4, M2)."""
    entry: dict[MailKind, MailKind] = {"declined": "customerDeclined", "expired": "customerExpired"}
    return (Notify(message=entry[message], audience="customer"),) if message in entry else ()


def _news_of_outcome(referral: Referral, message: MailKind) -> tuple[Task, ...]:
    """Each party reports its own outcome (L7); the creator's is news for everybody, by mail as well (M4).

    Whoever is known to have declined or to have let its time pass hears nothing more.
    """
    if not referral.belongs_to_creator:
        return (UpdateParties(parties=(referral.creator,)),)
    concerned = [i for i in referral.invited if i.substatus not in {"Declined", "Expired"}]
    parties = tuple(invitation.party for invitation in concerned)
    withdrawn = tuple(
        i.party
        for i in concerned
        if i.substatus == "Pending" and (message == "lost" or i.party.organization_id != MICROSOFT)
    )
    mails = tuple(Notify(message=message, audience="party", party=record) for record in parties)
    return (
        *((Withdraw(parties=withdrawn),) if withdrawn else ()),
        *((UpdateParties(parties=parties),) if parties else ()),
        *mails,
    )
