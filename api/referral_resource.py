"""A referral, its timeline and its engagement as the wire shows them (docs/api.md)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from api.preconditions import etag_of
from shared.domain.lifecycle import life_cycle_actions
from shared.domain.permissions import Caller
from shared.domain.referral import Address, Contact, Customer, Referral, Solution, StatusReason
from shared.domain.timeline import Entry
from shared.domain.vocabulary import STAGE_PERCENTAGES

BASE = "/v1.0/engagements"
RECOMMENDED_RESPONSE = timedelta(hours=24)


def resource(
    referral: Referral, caller: Caller, now: datetime, warnings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The whole resource; every field is present, null or empty where it says nothing."""
    return {
        **_identity(referral),
        **_times(referral),
        **_state(referral),
        "target": [{"type": target.type, "id": target.id} for target in referral.target],
        "customerProfile": _customer(referral),
        "consent": {
            "consentToToShareInfoWithOthers": referral.consent.share_contact,
            "consentToContact": referral.consent.contact,
            "consentToShareReferralWithMicrosoftSellers": referral.consent.microsoft_may_view,
        },
        "details": _details(referral),
        "team": [contact(each) for each in referral.team],
        "inviteContext": _invite_context(referral),
        "location": referral.location,
        "mpnId": referral.location,
        "dealType": referral.deal_type,
        "favorite": False,
        "contactAlert": None,
        "responseRecommendedBy": _recommended_by(referral),
        "allowedActions": list(life_cycle_actions(referral, now)) if caller else [],
        "editableFields": [],
        "warnings": [f"notKept: {name}" for name in warnings],
    }


def timeline_entry(entry: Entry, caller: Caller) -> dict[str, Any]:
    """A line of the timeline; of another party's people only the organization is shown."""
    own = entry.actor.organization_id == caller.organization.id
    return {
        "sequence": entry.sequence,
        "dateTime": moment(entry.at),
        "actor": {
            "organizationId": entry.actor.organization_id,
            "name": entry.actor.name if own else None,
        },
        "kind": entry.kind,
        "from": entry.from_state,
        "to": entry.to_state,
        "reason": entry.reason,
        "details": dict(entry.details),
    }


def contact(person: Contact) -> dict[str, Any]:
    """A contact with its mail preference."""
    return {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "phoneNumber": person.phone_number,
        "email": person.email,
        "title": person.title,
        "contactPreference": {
            "locale": person.locale,
            "disableNotifications": person.disable_notifications,
        },
    }


def moment(at: datetime | None) -> str | None:
    """A time, UTC with Z."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def reason_text(reason: StatusReason | None) -> str | None:
    """Why a party closed its referral, in its own words, as its inviter sees it (L3)."""
    if reason is None:
        return None
    return f"{reason.code}: {reason.notes}" if reason.notes else reason.code


def _identity(referral: Referral) -> dict[str, Any]:
    return {
        "id": referral.id,
        "engagementId": referral.engagement_id,
        "organizationId": referral.organization_id,
        "organizationName": referral.organization_name,
        "name": referral.name,
        "externalReferenceId": referral.external_reference_id,
        "campaignId": referral.campaign_id,
        "eTag": etag_of(referral),
        "links": {
            "self": {"uri": f"{BASE}/referrals/{referral.id}", "method": "GET"},
            "relatedReferrals": {"uri": f"{BASE}/{referral.engagement_id}", "method": "GET"},
        },
    }


def _times(referral: Referral) -> dict[str, Any]:
    return {
        "createdDateTime": moment(referral.created_at),
        "updatedDateTime": moment(referral.updated_at),
        "acceptedDateTime": moment(referral.accepted_at),
        "closedDateTime": moment(referral.closed_at),
        "expirationDateTime": moment(referral.expires_at),
    }


def _state(referral: Referral) -> dict[str, Any]:
    stage = referral.sales_stage
    return {
        "status": referral.status,
        "substatus": referral.substatus,
        "statusReason": referral.status_reason.code if referral.status_reason else None,
        "salesStage": stage,
        "salesStagePercentage": STAGE_PERCENTAGES[stage] if stage else None,
        "registrationStatus": None,
        "registrations": [],
        "type": referral.sharing,
        "qualification": referral.qualification,
        "direction": referral.direction,
    }


def _customer(referral: Referral) -> dict[str, Any]:
    """The customer; after a decline or an expiry its contact persons are no longer shown (N3)."""
    customer: Customer = referral.customer
    hidden = referral.substatus in {"Declined", "Expired"}
    return {
        "name": customer.name,
        "address": _address(customer.address),
        "size": customer.size,
        "team": [] if hidden else [contact(each) for each in customer.team],
        "ids": [{"profileType": each.profile_type, "id": each.id} for each in customer.ids],
    }


def _address(address: Address) -> dict[str, Any]:
    return {
        "addressLine1": address.address_line1,
        "addressLine2": address.address_line2,
        "city": address.city,
        "state": address.state,
        "postalCode": address.postal_code,
        "country": address.country,
        "region": address.region,
    }


def _details(referral: Referral) -> dict[str, Any]:
    return {
        "notes": referral.notes,
        "dealValue": number(referral.terms.deal_value),
        "currency": referral.terms.currency,
        "closingDateTime": moment(referral.terms.closing_at),
        "requirements": {
            "industries": list(referral.industries),
            "products": list(referral.products),
            "services": list(referral.services),
            "solutions": [_solution(each) for each in referral.terms.solutions],
        },
        "customerRequestedContact": referral.customer_requested_contact,
    }


def _solution(solution: Solution) -> dict[str, Any]:
    return {"id": solution.id, "name": solution.name, "type": solution.kind}


def number(value: Decimal) -> int | float:
    """An amount as a JSON number. Up to 999,999,999,999.99 a double holds every cent."""
    return int(value) if value == value.to_integral_value() else float(value)


def _invite_context(referral: Referral) -> dict[str, Any]:
    context = referral.invite_context
    invited_by = None
    if context.invited_by:
        invited_by = {
            "organizationId": context.invited_by,
            "organizationName": context.invited_by_name,
            "team": [contact(each) for each in context.team],
        }
    return {"notes": context.notes, "invitedBy": invited_by, "assistanceRequestCode": context.help_code}


def _recommended_by(referral: Referral) -> str | None:
    return moment(referral.created_at + RECOMMENDED_RESPONSE) if referral.status == "New" else None
