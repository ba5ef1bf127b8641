"""Events in the Event Grid event schema, as the real service publishes them of its mails.

Sources: "Azure Communication Services - Email events", "Endpoint validation with Event Grid event schema".
"""

import uuid
from datetime import datetime
from typing import Any

from localcloud.clocks import utc_text
from localcloud.mail.reports import Report
from localcloud.mail.store import StoredMessage

Event = dict[str, Any]

_TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/localcloud"
    "/providers/Microsoft.Communication/communicationServices/mail-sink"
)
# For webhooks that cannot answer with the code. It leads nowhere: here they must.
_VALIDATION_URL = "https://eventgrid.localhost/eventsubscriptions/mail-sink/validate?id="


def report_event(mail: StoredMessage, report: Report, now: datetime) -> Event:
    """Return the event that tells one delivery report of `mail`."""
    sender = mail.message.sender_address
    data = {
        "sender": sender,
        "recipient": report.recipient,
        "messageId": mail.operation_id,
        "status": report.status,
        "deliveryStatusDetails": {"statusMessage": report.detail},
        "deliveryAttemptTimeStamp": utc_text(now),
    }
    subject = f"sender/{sender}/message/{mail.operation_id}"
    return _event("Microsoft.Communication.EmailDeliveryReportReceived", subject, data, now)


def validation_event(code: str, now: datetime) -> Event:
    """Return the event that asks a webhook to answer with `code`."""
    data = {"validationCode": code, "validationUrl": _VALIDATION_URL + code}
    return _event("Microsoft.EventGrid.SubscriptionValidationEvent", "", data, now)


def _event(event_type: str, subject: str, data: dict[str, Any], now: datetime) -> Event:
    return {
        "id": str(uuid.uuid4()),
        "topic": _TOPIC,
        "subject": subject,
        "eventType": event_type,
        "eventTime": utc_text(now),
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": data,
    }
