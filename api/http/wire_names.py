"""Where the referral resource shows each domain field that can change, as a JSON Pointer.

A field that can change and is missing here fails every read of a referral that shows it as editable.
"""

from collections.abc import Iterable

WIRE_NAMES = {
    "accepted_at": "/acceptedDateTime",
    "campaign_id": "/campaignId",
    "closed_at": "/closedDateTime",
    "contacted_at": "/contactAlert",
    "consent.contact": "/consent/consentToContact",
    "consent.microsoft_may_view": "/consent/consentToShareReferralWithMicrosoftSellers",
    "consent.share_contact": "/consent/consentToToShareInfoWithOthers",
    "customer.team": "/customerProfile/team",
    "deal_type": "/dealType",
    "direction": "/direction",
    "external_reference_id": "/externalReferenceId",
    "invite_context.help_code": "/inviteContext/assistanceRequestCode",
    "invite_context.notes": "/inviteContext/notes",
    "invite_context.team": "/inviteContext/invitedBy",
    "name": "/name",
    "notes": "/details/notes",
    "registrations": "/registrations",
    "sales_stage": "/salesStage",
    "sharing": "/type",
    "status": "/status",
    "status_reason": "/statusReason",
    "substatus": "/substatus",
    "target": "/target",
    "team": "/team",
    "terms.closing_at": "/details/closingDateTime",
    "terms.currency": "/details/currency",
    "terms.deal_value": "/details/dealValue",
    "terms.solutions": "/details/requirements/solutions",
}


def wire_names(changed: Iterable[str]) -> tuple[str, ...]:
    """The JSON Pointers of changed domain fields, sorted."""
    return tuple(sorted({WIRE_NAMES[name] for name in changed}))
