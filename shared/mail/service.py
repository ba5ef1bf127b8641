"""The mail service: Azure Communication Services, with its errors translated into `shared.errors`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

from azure.communication.email.aio import EmailClient
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.errors import MailRefused, MailServiceDown, MailUnavailable
from shared.storage.mail import MailRecord

API_VERSION = "2025-09-01"
REPEATABLE = timedelta(minutes=5)
"""How long the service recognizes a repeated request by its Repeatability headers."""

CONNECT_SECONDS, READ_SECONDS, CALL_SECONDS = 5, 15, 20
"""Time limits of a call: to connect, between two reads, and in total with the fetch of the identity's token.

Far below MAIL_LEASE, so that no other attempt starts while one is in progress, and below functionTimeout.
"""

_TRANSIENT = frozenset({401, 403, 404, 408, 409, 412, 429})
"""Client errors that are transient or ours to fix. They do not depend on the mail, so it is not refused."""
_UP = frozenset({409, 412, 429})
"""Those of them that show that the service is up: about one mail, or throttling."""


class MailService(Protocol):
    """A mail service. Both methods raise `MailUnavailable`, or `MailServiceDown` if it seems to be down."""

    async def send(self, record: MailRecord, now: datetime) -> None:
        """Send one mail; `now` is the wall clock's. Raises `MailRefused` if it is permanently rejected."""
        ...

    async def knows(self, record: MailRecord) -> bool:
        """Whether the service has accepted this mail's operation."""
        ...


class AzureMailService:
    """Implements `MailService`. The client must not retry: `Delivery` decides about retries.

    `seconds` is the time limit of each call.
    """

    def __init__(self, client: EmailClient, sender: str, seconds: float = CALL_SECONDS) -> None:
        self._client = client
        self._sender = sender
        self._seconds = seconds

    async def send(self, record: MailRecord, now: datetime) -> None:
        """See `MailService`."""
        async with self._call():
            try:
                await self._client.begin_send(
                    self._message(record),
                    polling=False,
                    operation_id=record.operation_id,
                    headers=_repeatability(record, now),
                )
            except HttpResponseError as error:
                raise _translate(error) from error
            except KeyError as error:  # the SDK raises it for a 202 response without status
                raise MailUnavailable(f"The response of the mail service has no {error}.") from error

    async def knows(self, record: MailRecord) -> bool:
        """See `MailService`."""
        path = f"/emails/operations/{record.operation_id}?api-version={API_VERSION}"
        async with self._call():
            answer = await self._client.send_request(HttpRequest("GET", path))
        if answer.status_code in {200, 404}:
            return answer.status_code == 200
        raise _unavailable(answer.status_code, answer.headers)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        """Limit the total time of a call: a response that trickles in never reaches the client's own limits."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise MailServiceDown(
                f"The mail service did not answer within {self._seconds:g} seconds."
            ) from error
        except AzureError as error:
            raise MailServiceDown(f"The mail service could not be reached: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _message(self, record: MailRecord) -> dict[str, Any]:
        return {
            "senderAddress": self._sender,
            "recipients": {"to": [{"address": address} for address in record.recipients]},
            "content": {"subject": record.subject, "plainText": record.text, "html": record.html},
            "headers": _thread(record, self._sender),
            "userEngagementTrackingDisabled": True,
        }


def _thread(record: MailRecord, sender: str) -> dict[str, str]:
    """All mails about the reader's referral reply to the same message id, so that mail programs show one thread.

    No message has this id; it only identifies the thread (RFC 5322, 3.6.4).
    """
    root = f"<{record.reader.referral_id}@{sender.partition('@')[2]}>"
    return {"In-Reply-To": root, "References": root}


def _repeatability(record: MailRecord, now: datetime) -> dict[str, str]:
    first = record.first_sent_at
    if first is None or now - first >= REPEATABLE:
        return {}
    return {
        "Repeatability-Request-Id": record.operation_id,
        "Repeatability-First-Sent": first.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }


def _translate(error: HttpResponseError) -> MailUnavailable | MailRefused:
    status = error.status_code or 0
    if 400 <= status < 500 and status not in _TRANSIENT:
        return MailRefused(error.error.code if error.error and error.error.code else f"HTTP {status}")
    return _unavailable(status, cast("AsyncHttpResponse", error.response).headers if error.response else {})


def _unavailable(status: int, headers: Mapping[str, str]) -> MailUnavailable:
    """The error for a status that is no rejection, with the delay that the service asks for, if any."""
    header = headers.get("Retry-After", "")
    retry_after = timedelta(seconds=int(header)) if header.isdigit() else None
    if status == 429:
        retry_after = retry_after or timedelta(minutes=1)
    kind = MailUnavailable if status in _UP else MailServiceDown
    return kind(f"The mail service answered {status}.", retry_after=retry_after)
