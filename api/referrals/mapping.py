"""Build the response models of referrals from domain objects (docs/api.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.common.response_parts import (
    AddressView,
    FieldErrorView,
    ProfileIdView,
    team_view,
    warning_views,
)
from api.http.etags import etag_of
from api.http.wire_names import WIRE_NAMES, wire_names
from api.referrals.schemas import (
    ActorView,
    ConsentView,
    CustomerView,
    DetailsView,
    EntryView,
    InvitationView,
    InviteContextView,
    InviterView,
    LinksView,
    LinkView,
    ReferralView,
    RegisteredView,
    RequirementsView,
    SentInvitationView,
    SolutionView,
    WordView,
)
from shared.domain.actions import allowed_actions, editable_fields
from shared.domain.deal_registration import status_of
from shared.domain.deal_warnings import DealWarning, warnings_about
from shared.domain.eligibility import unregistered
from shared.domain.ids import RegistrationId
from shared.domain.lead import contact_alert
from shared.domain.permissions import Caller
from shared.domain.referral import (
    Consent,
    Customer,
    InviteContext,
    Referral,
    RegistrationSummary,
    Solution,
    StatusReason,
)
from shared.domain.registration import CLOSED, Registration
from shared.domain.timeline import Entry
from shared.domain.vocabulary import STAGE_PERCENTAGES

BASE = "/v1.0/engagements"
RECOMMENDED_RESPONSE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationContext:
    """What the view shows of a deal's registration: whether the deal is eligible, and the reader allowed to register.

    `found` are the registrations of which the deal shows errors or a reason; None if they were not read (G6).
    """

    eligible: bool = False
    allowed: bool = False
    found: Mapping[RegistrationId, Registration] | None = None

    def actions(self, deal: Referral) -> tuple[str, ...]:
        """`register`, if the reader can register a solution of the deal now."""
        return ("register",) if self.eligible and self.allowed and unregistered(deal) else ()


NO_REGISTRATION = RegistrationContext()


def referral_view(
    referral: Referral,
    now: datetime,
    *,
    favorite: bool = False,
    unread: int = 0,
    warnings: tuple[DealWarning, ...] = (),
    registration: RegistrationContext = NO_REGISTRATION,
    co_sell_ready: bool | None = None,
) -> ReferralView:
    """A referral for one reader. `warnings` are those about the request, besides those about the record.

    `unread` is the number of messages that the reader has not read, `co_sell_ready` that of `allowed_actions`.
    """
    stage, reason = referral.sales_stage, referral.status_reason
    return ReferralView.from_domain(
        referral,
        e_tag=etag_of(referral.version),
        created_date_time=referral.created_at,
        updated_date_time=referral.updated_at,
        accepted_date_time=referral.accepted_at,
        closed_date_time=referral.closed_at,
        expiration_date_time=referral.expires_at,
        status_reason=reason.code if reason else None,
        sales_stage_percentage=STAGE_PERCENTAGES[stage] if stage else None,
        registration_status=status_of(referral, eligible=registration.eligible),
        registrations=[_registration(each, registration.found) for each in referral.registrations],
        type=referral.sharing,
        customer_profile=_customer(referral.customer, hidden=referral.substatus in {"Declined", "Expired"}),
        consent=_consent(referral.consent),
        details=_details(referral),
        team=team_view(referral.team),
        invite_context=_invite_context(referral.invite_context),
        mpn_id=referral.location,
        seller_team=referral.routed.team if referral.routed else None,
        favorite=favorite,
        unread_messages=unread,
        contact_alert=contact_alert(referral, now),
        response_recommended_by=(
            referral.created_at + RECOMMENDED_RESPONSE if referral.status == "New" else None
        ),
        allowed_actions=[
            *allowed_actions(referral, now, co_sell_ready=co_sell_ready),
            *registration.actions(referral),
        ],
        editable_fields=sorted(WIRE_NAMES[name] for name in editable_fields(referral, now)),
        warnings=warning_views((*warnings_about(referral), *warnings)),
        links=_links(referral),
    )


def timeline_entry(entry: Entry, caller: Caller) -> EntryView:
    """An entry of the timeline; people and applications of other organizations are shown without their names.

    `details.actor` distinguishes an application from a person of the same name.
    """
    own = entry.actor.organization_id == caller.organization.id
    details: dict[str, Any] = dict(entry.details)
    if entry.kind == "edited":
        details["fields"] = list(wire_names(entry.changed))
    if own and entry.actor.is_application:
        details["actor"] = "application"
    return EntryView.from_domain(
        entry,
        date_time=entry.at,
        actor=ActorView(organization_id=entry.actor.organization_id, name=entry.actor.name if own else None),
        from_=entry.from_state,
        to=entry.to_state,
        details=details,
    )


def invitation_view(invitation: Referral, *, delivered: bool) -> InvitationView:
    """An invitation as its inviter sees it."""
    return InvitationView.from_domain(
        invitation,
        status=invitation.status if delivered else "Sending",
        substatus=invitation.substatus if delivered else None,
        expiration_date_time=invitation.expires_at,
    )


def sent_invitation_view(
    invitation: Referral, solutions: Iterable[Solution], sender: str | None
) -> SentInvitationView:
    """What the inviter sent. `solutions` have the kinds that they have for the inviter; `sender` is who sent it."""
    return SentInvitationView.from_domain(
        invitation.terms,
        closing_date_time=invitation.terms.closing_at,
        solutions=solution_views(solutions),
        notes=invitation.invite_context.notes,
        assistance_request_code=invitation.invite_context.help_code,
        invited_date_time=invitation.created_at,
        invited_by=sender,
        expiration_date_time=invitation.expires_at,
    )


def solution_views(solutions: Iterable[Solution]) -> list[SolutionView]:
    """The solutions of a deal."""
    return [SolutionView.from_domain(each, type=each.kind) for each in solutions]


def reason_text(reason: StatusReason | None) -> str | None:
    """A reason with its notes, for those who may read them (L3)."""
    if reason is None:
        return None
    return f"{reason.code}: {reason.notes}" if reason.notes else reason.code


def _registration(
    summary: RegistrationSummary, found: Mapping[RegistrationId, Registration] | None
) -> RegisteredView:
    own = found.get(summary.id) if found else None
    errors = [FieldErrorView.from_domain(each) for each in own.errors] if own else []
    return RegisteredView.from_domain(
        summary,
        closed=summary.status in CLOSED,
        errors=None if found is None else errors,
        reason=own.reason if own else None,
    )


def _customer(customer: Customer, *, hidden: bool) -> CustomerView:
    """The customer; after a decline or an expiry its contacts are hidden (N3)."""
    return CustomerView.from_domain(
        customer,
        address=AddressView.from_domain(customer.address),
        team=[] if hidden else team_view(customer.team),
        ids=[ProfileIdView.from_domain(each) for each in customer.ids],
    )


def _consent(consent: Consent) -> ConsentView:
    return ConsentView(
        consent_to_to_share_info_with_others=consent.share_contact,
        consent_to_contact=consent.contact,
        consent_to_share_referral_with_microsoft_sellers=consent.microsoft_may_view,
    )


def _details(referral: Referral) -> DetailsView:
    return DetailsView.from_domain(
        referral.terms,
        notes=referral.notes,
        closing_date_time=referral.terms.closing_at,
        requirements=RequirementsView(
            industries=_words(referral.industries),
            products=_words(referral.products),
            services=_words(referral.services),
            solutions=solution_views(referral.terms.solutions),
        ),
        customer_requested_contact=referral.customer_requested_contact,
    )


def _words(words: tuple[str, ...]) -> list[WordView]:
    return [WordView(id=word) for word in words]


def _invite_context(context: InviteContext) -> InviteContextView:
    inviter = None
    if context.invited_by:
        inviter = InviterView(
            organization_id=context.invited_by,
            organization_name=context.invited_by_name,
            team=team_view(context.team),
        )
    return InviteContextView(
        notes=context.notes, invited_by=inviter, assistance_request_code=context.help_code
    )


def _links(referral: Referral) -> LinksView:
    related = f"{BASE}/referrals?$filter=engagementId eq '{referral.engagement_id}'"
    return LinksView(
        related_referrals=LinkView(uri=related, method="GET"),
        self=LinkView(uri=f"{BASE}/referrals/{referral.id}", method="GET"),
    )
