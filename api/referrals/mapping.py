"""Records as the wire shows them (docs/api.md §2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.common.response_parts import ProfileIdView, address, amount, contact, field_errors
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
    SolutionView,
    TargetView,
    WordView,
)
from shared.domain.actions import allowed_actions, editable_fields
from shared.domain.deal_registration import status_of
from shared.domain.eligibility import unregistered, warnings
from shared.domain.ids import RegistrationId
from shared.domain.lead import contact_alert
from shared.domain.permissions import Caller
from shared.domain.referral import (
    Consent,
    InviteContext,
    Referral,
    RegistrationSummary,
    StatusReason,
)
from shared.domain.registration import CLOSED, FieldError
from shared.domain.timeline import Entry
from shared.domain.vocabulary import STAGE_PERCENTAGES

BASE = "/v1.0/engagements"
RECOMMENDED_RESPONSE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationContext:
    """What a reader is shown of a deal's registration: whether it is open to all, and whether to this reader (G2).

    `errors` are those of each registration, None where they were not read.
    """

    eligible: bool = False
    allowed: bool = False
    errors: Mapping[RegistrationId, tuple[FieldError, ...]] | None = None

    def actions(self, deal: Referral) -> tuple[str, ...]:
        """`register`, where this reader can register something now."""
        return ("register",) if self.eligible and self.allowed and unregistered(deal) else ()


NOT_REGISTERING = RegistrationContext()


def resource(
    referral: Referral,
    now: datetime,
    *,
    favorite: bool = False,
    unused: tuple[str, ...] = (),
    registration: RegistrationContext = NOT_REGISTERING,
) -> ReferralView:
    """The whole resource, for one reader. `unused` are documented fields that were sent and are not kept."""
    stage, reason = referral.sales_stage, referral.status_reason
    return ReferralView(
        id=referral.id,
        engagement_id=referral.engagement_id,
        organization_id=referral.organization_id,
        organization_name=referral.organization_name,
        name=referral.name,
        external_reference_id=referral.external_reference_id,
        campaign_id=referral.campaign_id,
        e_tag=etag_of(referral.version),
        created_date_time=referral.created_at,
        updated_date_time=referral.updated_at,
        accepted_date_time=referral.accepted_at,
        closed_date_time=referral.closed_at,
        expiration_date_time=referral.expires_at,
        status=referral.status,
        substatus=referral.substatus,
        status_reason=reason.code if reason else None,
        sales_stage=stage,
        sales_stage_percentage=STAGE_PERCENTAGES[stage] if stage else None,
        registration_status=status_of(referral, eligible=registration.eligible),
        registrations=[_registered(each, registration.errors) for each in referral.registrations],
        type=referral.sharing,
        qualification=referral.qualification,
        direction=referral.direction,
        target=[TargetView(type=target.type, id=target.id) for target in referral.target],
        customer_profile=_customer(referral),
        consent=_consent(referral.consent),
        details=_details(referral),
        team=[contact(each) for each in referral.team],
        invite_context=_invite_context(referral.invite_context),
        location=referral.location,
        mpn_id=referral.location,
        deal_type=referral.deal_type,
        seller_team=referral.routed.team if referral.routed else None,
        favorite=favorite,
        contact_alert=contact_alert(referral, now),
        response_recommended_by=_recommended_by(referral),
        allowed_actions=[*allowed_actions(referral, now), *registration.actions(referral)],
        editable_fields=sorted(WIRE_NAMES[name] for name in editable_fields(referral, now)),
        warnings=[*warnings(referral), *(f"notKept: {name}" for name in unused)],
        links=_links(referral),
    )


def timeline_entry(entry: Entry, caller: Caller) -> EntryView:
    """A line of the timeline; of another party's people only the organization is shown."""
    own = entry.actor.organization_id == caller.organization.id
    fields = {"fields": list(wire_names(entry.changed))} if entry.kind == "edited" else {}
    return EntryView(
        sequence=entry.sequence,
        date_time=entry.at,
        actor=ActorView(organization_id=entry.actor.organization_id, name=entry.actor.name if own else None),
        kind=entry.kind,
        from_=entry.from_state,
        to=entry.to_state,
        reason=entry.reason,
        details={**entry.details, **fields},
    )


def sent_invitation(invitation: Referral, *, arrived: bool) -> InvitationView:
    """An invitation as its inviter sees it."""
    return InvitationView(
        id=invitation.id,
        engagement_id=invitation.engagement_id,
        organization_id=invitation.organization_id,
        status=invitation.status if arrived else "Sending",
        substatus=invitation.substatus if arrived else None,
        expiration_date_time=invitation.expires_at,
    )


def reason_text(reason: StatusReason | None) -> str | None:
    """A reason with its words, for those who may read them (L3)."""
    if reason is None:
        return None
    return f"{reason.code}: {reason.notes}" if reason.notes else reason.code


def _registered(
    registered: RegistrationSummary, errors: Mapping[RegistrationId, tuple[FieldError, ...]] | None
) -> RegisteredView:
    own = None if errors is None else errors.get(registered.id, ())
    return RegisteredView(
        id=registered.id,
        kind=registered.kind,
        status=registered.status,
        closed=registered.status in CLOSED,
        errors=None if own is None else field_errors(own),
    )


def _customer(referral: Referral) -> CustomerView:
    """The customer; after a decline or an expiry its contact persons are no longer shown (N3)."""
    customer = referral.customer
    hidden = referral.substatus in {"Declined", "Expired"}
    return CustomerView(
        name=customer.name,
        address=address(customer.address),
        size=customer.size,
        team=[] if hidden else [contact(each) for each in customer.team],
        ids=[ProfileIdView(profile_type=each.profile_type, id=each.id) for each in customer.ids],
    )


def _consent(consent: Consent) -> ConsentView:
    return ConsentView(
        consent_to_to_share_info_with_others=consent.share_contact,
        consent_to_contact=consent.contact,
        consent_to_share_referral_with_microsoft_sellers=consent.microsoft_may_view,
    )


def _details(referral: Referral) -> DetailsView:
    terms = referral.terms
    return DetailsView(
        notes=referral.notes,
        deal_value=amount(terms.deal_value),
        currency=terms.currency,
        closing_date_time=terms.closing_at,
        requirements=RequirementsView(
            industries=_words(referral.industries),
            products=_words(referral.products),
            services=_words(referral.services),
            solutions=[SolutionView(id=each.id, name=each.name, type=each.kind) for each in terms.solutions],
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
            team=[contact(each) for each in context.team],
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


def _recommended_by(referral: Referral) -> datetime | None:
    return referral.created_at + RECOMMENDED_RESPONSE if referral.status == "New" else None
