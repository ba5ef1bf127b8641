"""Where the wire shows what the domain calls otherwise."""

WIRE_NAMES = {
    "accepted_at": "/acceptedDateTime",
    "campaign_id": "/campaignId",
    "closed_at": "/closedDateTime",
    "closing_at": "/details/closingDateTime",
    "currency": "/details/currency",
    "deal_value": "/details/dealValue",
    "external_reference_id": "/externalReferenceId",
    "name": "/name",
    "notes": "/details/notes",
    "sales_stage": "/salesStage",
    "solutions": "/details/requirements/solutions",
    "status": "/status",
    "status_reason": "/statusReason",
    "substatus": "/substatus",
    "team": "/team",
}
"""Where the wire shows the fields that a step of this service can change."""
