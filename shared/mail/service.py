"""The mail service: Azure Communication Services, and the one place where its errors are translated."""

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
"""For how long the service recognizes a repeated request by its Repeatability headers."""

CONNECT_SECONDS, READ_SECONDS, CALL_SECONDS = 5, 15, 20
"""Bounds on one call: until connected, between two parts of an answer, and on all of it with the identity's token.

Far below MAIL_LEASE, so that no other attempt begins while one is under way, and below functionTimeout.
"""

_PASSING = frozenset({401, 403, 404, 408, 409, 412, 429})
"""Client errors that are ours to mend or pass by themselves: no recipient's fault, so no reason to give a mail up."""
_UP = frozenset({409, 412, 429})
"""Those of them that come from a service which works: about one mail, or to tell how long all have to wait."""


class MailService(Protocol):
    """A mail service as this one uses it. Both methods raise `MailUnavailable`, of that `MailServiceDown`."""

    async def send(self, record: MailRecord, now: datetime) -> None:
        """Hand one mail over; `now` is the wall clock's. Raises `MailRefused` when it will never be taken."""
        ...

    async def knows(self, record: MailRecord) -> bool:
        """Whether the service has taken this mail's operation."""
        ...


class AzureMailService:
    """Implements `MailService`. The client must not retry: the mail record decides about that.

    `seconds` bounds each call.
    """

    def __init__(self, client: EmailClient, sender: str, seconds: float = CALL_SECONDS) -> None:
        self._client = client
        self._sender = sender
        self._seconds = seconds

    async def send(self, record: MailRecord, now: datetime) -> None:
        """See the port."""
        async with self._call():
            try:
                await self._client.begin_send(
                    self._message(record),
                    polling=False,
                    operation_id=record.operation_id,
                    headers=_repeatability(record, now),
                )
            except HttpResponseError as failed:
                raise _translated(failed) from failed
            except KeyError as odd:  # a 202 without status, seen in the SDK
                raise MailUnavailable(f"The mail service answered without its {odd}.") from odd

    async def knows(self, record: MailRecord) -> bool:
        """See the port."""
        path = f"/emails/operations/{record.operation_id}?api-version={API_VERSION}"
        async with self._call():
            answer = await self._client.send_request(HttpRequest("GET", path))
        if answer.status_code in {200, 404}:
            return answer.status_code == 200
        raise _unavailable(answer.status_code, answer.headers)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        """Bound a call as a whole: a service that sends a byte now and then never ends by the client's bounds."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as slow:
            raise MailServiceDown(
                f"The mail service gave no answer within {self._seconds:g} seconds."
            ) from slow
        except AzureError as failed:
            raise MailServiceDown(f"The mail service could not be reached: {failed}") from failed

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
    """All mails about the reader's record answer the same message, so that mail programs show them together.

    No such message was ever sent: it only names the thread (RFC 5322, 3.6.4).
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


def _translated(failed: HttpResponseError) -> MailUnavailable | MailRefused:
    status = failed.status_code or 0
    if 400 <= status < 500 and status not in _PASSING:
        return MailRefused(failed.error.code if failed.error and failed.error.code else f"HTTP {status}")
    return _unavailable(status, cast("AsyncHttpResponse", failed.response).headers if failed.response else {})


def _unavailable(status: int, headers: Mapping[str, str]) -> MailUnavailable:
    """What a status means that is no refusal, and when to try again, if the service says so."""
    header = headers.get("Retry-After", "")
    asked = timedelta(seconds=int(header)) if header.isdigit() else None
    if status == 429:
        asked = asked or timedelta(minutes=1)
    kind = MailUnavailable if status in _UP else MailServiceDown
    return kind(f"The mail service answered {status}.", retry_after=asked)
