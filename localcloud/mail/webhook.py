"""Delivers events to an HTTP endpoint of the app, with the handshake and the requests of Event Grid.

Sources: "Azure Communication Services - Email events", "Endpoint validation with Event Grid event schema".
"""

import asyncio
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from localcloud.clocks import utc_text
from localcloud.mail.refusals import RefusedError
from localcloud.mail.store import Report, StoredMessage
from localcloud.private_files import read_or_create

Event = dict[str, Any]

_TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/localcloud"
    "/providers/Microsoft.Communication/communicationServices/mail-sink"
)
# Event Grid offers it to webhooks that cannot respond with the code. Here it leads nowhere: they must respond.
_VALIDATION_URL = "https://eventgrid.localhost/eventsubscriptions/mail-sink/validate?id="
# How long Event Grid waits for a response.
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_QUOTED = 200


def events_key(data: Path) -> str:
    """Return the secret of the webhook's address, 43 URL-safe characters; the first call creates it (mode 0600)."""
    return read_or_create(data / "mail" / "events-key", lambda: secrets.token_urlsafe(32).encode()).decode()


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes

    def __str__(self) -> str:
        """Return the status and the beginning of the body."""
        text = self.body.decode(errors="replace")
        if not text:
            return f"{self.status} and an empty body"
        return f"{self.status} “{text[:_QUOTED]}{'…' if len(text) > _QUOTED else ''}”"


class Webhook:
    """The endpoint `url`, called with `key` as a query parameter. It is subscribed once per object.

    Error messages name `url` without `key`, which is a secret.
    """

    def __init__(self, url: str, key: str) -> None:
        self._shown_url = url
        self._url = URL(url).update_query(key=key)
        self._subscribed = False
        self._subscribing = asyncio.Lock()

    async def deliver(self, event: Event, about: str, now: datetime) -> None:
        """Send `event` to the endpoint, which is subscribed first if it is not yet. `now` is domain time.

        Raises RefusedError 502 with the response of the endpoint. `about` describes the event in the message.
        """
        await self._subscribe(now)
        answer = await self._post(event, "Notification")
        if not 200 <= answer.status < 300:
            raise _failed(
                "EventRefused",
                f"The webhook {self._shown_url} answered {about} with {answer}. "
                "Order the report again when it accepts events.",
            )

    async def _subscribe(self, now: datetime) -> None:
        async with self._subscribing:
            if self._subscribed:
                return
            code = str(uuid.uuid4())
            answer = await self._post(validation_event(code, now), "SubscriptionValidation")
            if not _validates(answer, code):
                raise _failed(
                    "HandshakeFailed",
                    f"The webhook {self._shown_url} answered the subscription validation with {answer}. "
                    'It must answer 200 with {"validationResponse": the validationCode of the event}.',
                )
            self._subscribed = True

    async def _post(self, event: Event, event_type: str) -> _Answer:
        headers = {"aeg-event-type": event_type, "Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(
                    self._url, data=json.dumps([event]).encode(), headers=headers, allow_redirects=False
                ) as answer,
            ):
                return _Answer(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _failed(
                "WebhookUnreachable",
                f"The webhook {self._shown_url} cannot be reached ({type(error).__name__}). "
                "Order the report again when it runs.",
            ) from error


def _validates(answer: _Answer, code: str) -> bool:
    if answer.status != HTTPStatus.OK:
        return False
    try:
        content = json.loads(answer.body)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("validationResponse") == code


def _failed(code: str, message: str) -> RefusedError:
    return RefusedError(502, code, message)


def report_event(mail: StoredMessage, report: Report, now: datetime) -> Event:
    """Return the event for one delivery report of `mail`."""
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
    """Return the event that asks a webhook to respond with `code`."""
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
