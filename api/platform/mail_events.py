"""Receive the mail service's delivery reports from Azure Event Grid: `POST /v1.0/mail-events` (M6).

Event Grid first validates the endpoint with a handshake, then delivers events in its own schema, at least once and in
any order. It has no token; it authenticates with the secret in the URL of its subscription.
"""

import hmac
from typing import Annotated, Any, Literal

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from api.http.json_body import UnreadableBody, load_json, refuse_lost_body, refuse_unfit_body
from api.http.operation import Schema, public_operation
from api.http.paging import Option
from api.http.request import PublicRequest
from api.http.response import Response
from shared import clock
from shared.disk import require_free_space
from shared.errors import Unauthenticated
from shared.storage.mail import DeliveryStatus
from shared.wiring import Service, wiring
from shared.workflow.mail_reports import DeliveryReport

MAX_EVENTS = 1000
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
REPORT = "Microsoft.Communication.EmailDeliveryReportReceived"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class ValidationEventData(_Part):
    validation_code: str


class DetailsOfDelivery(_Part):
    status_message: str | None = None


class DeliveryReportData(_Part):
    """The report about one recipient; `messageId` is the operation id of the send."""

    message_id: str
    recipient: str
    status: DeliveryStatus
    delivery_status_details: DetailsOfDelivery | None = None


class ValidationEvent(_Part):
    event_type: Literal["Microsoft.EventGrid.SubscriptionValidationEvent"]
    data: ValidationEventData


class DeliveryReportEvent(_Part):
    event_type: Literal["Microsoft.Communication.EmailDeliveryReportReceived"]
    data: DeliveryReportData


class OtherEvent(_Part):
    """An event of another type, which is accepted and ignored."""

    event_type: str


Event = ValidationEvent | DeliveryReportEvent | OtherEvent
_EVENTS: TypeAdapter[tuple[Event, ...]] = TypeAdapter(
    Annotated[tuple[Event, ...], Field(max_length=MAX_EVENTS)]
)


class EventsTaken(BaseModel):
    """The response to a handshake; the response to events is empty."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    validation_response: str = ""


EVENTS_SCHEMA: Schema = {
    "type": "array",
    "maxItems": MAX_EVENTS,
    "description": f"Events in the Event Grid schema: {VALIDATION} and {REPORT}; others are ignored.",
    "items": {
        "type": "object",
        "required": ["eventType", "data"],
        "properties": {"eventType": {"type": "string"}, "data": {"type": "object"}},
    },
}


@public_operation(
    "POST",
    "v1.0/mail-events",
    body=EVENTS_SCHEMA,
    query=(Option("key", {"type": "string"}, "The secret of the subscription.", required=True),),
    returns=EventsTaken,
    errors=(400, 401, 411, 413, 415, 503),
)
async def receive_mail_events(request: PublicRequest) -> Response:
    """Receive delivery reports of mails from Azure Event Grid, and its validation handshake."""
    return await receive(request.http, await wiring.service())


async def receive(http: func.HttpRequest, service: Service) -> Response:
    """Process all events of a request; after an error, Event Grid delivers them again.

    Raises `Unauthenticated`, `DiskFull`, `UnreadableBody`, `StoreUnavailable`, `Contended`.
    """
    _require_key(http.params.get("key", ""), service.settings.mail_events_key)
    require_free_space(service.settings.watched_disk)
    refuse_lost_body(http.headers, http.get_body())
    refuse_unfit_body(http.headers.get("Content-Type") or "", http.get_body(), ("application/json",))
    for event in _events(load_json(http.get_body())):
        if isinstance(event, ValidationEvent):
            return Response(body={"validationResponse": event.data.validation_code})
        if isinstance(event, DeliveryReportEvent):
            await service.reports.take(_report(event.data), clock.now())
    return Response(body={})


def _require_key(sent: str, expected: str | None) -> None:
    if not expected or not hmac.compare_digest(sent.encode(errors="surrogatepass"), expected.encode()):
        raise Unauthenticated("Send the secret of MAIL_EVENTS_KEY as the query option key.")


def _events(document: Any) -> tuple[Event, ...]:
    try:
        return _EVENTS.validate_python(document)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(step) for step in first["loc"][:2])
        message = f"Send an array of at most {MAX_EVENTS:,} events in the Event Grid schema (see {place})."
        raise UnreadableBody(400, message) from invalid


def _report(data: DeliveryReportData) -> DeliveryReport:
    details = data.delivery_status_details
    return DeliveryReport(
        operation_id=data.message_id,
        recipient=data.recipient,
        status=data.status,
        detail=details.status_message if details else None,
    )
