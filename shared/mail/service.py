"""The mail service: Azure Communication Services, and the one place where its errors are translated."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

from azure.communication.email.aio import EmailClient
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.errors import MailRefused, MailUnavailable
from shared.storage.mail import MailRecord

API_VERSION = "2025-09-01"
REPEATABLE = timedelta(minutes=5)
"""For how long the service recognizes a repeated request by its Repeatability headers."""

_PASSING = frozenset({401, 403, 404, 408, 409, 412, 429})
"""Client errors that are ours to mend or pass by themselves: no recipient's fault, so no reason to give a mail up."""


class MailService(Protocol):
    """A mail service as this one uses it. Both methods raise `MailUnavailable`."""

    async def send(self, record: MailRecord, now: datetime) -> None:
        """Hand one mail over; `now` is the wall clock's. Raises `MailRefused` when it will never be taken."""
        ...

    async def knows(self, record: MailRecord) -> bool:
        """Whether the service has taken this mail's operation."""
        ...


class AzureMailService:
    """Implements `MailService`. The client must not retry: the mail record decides about that."""

    def __init__(self, client: EmailClient, sender: str) -> None:
        self._client = client
        self._sender = sender

    async def send(self, record: MailRecord, now: datetime) -> None:
        """See the port."""
        try:
            await self._client.begin_send(
                self._message(record),
                polling=False,
                operation_id=record.operation_id,
                headers=_repeatability(record, now),
            )
        except HttpResponseError as failed:
            raise _translated(failed) from failed
        except (AzureError, KeyError) as failed:  # KeyError: a 202 without status, seen in the SDK
            raise MailUnavailable(f"The mail service could not be reached: {failed}") from failed

    async def knows(self, record: MailRecord) -> bool:
        """See the port."""
        path = f"/emails/operations/{record.operation_id}?api-version={API_VERSION}"
        try:
            answer = await self._client.send_request(HttpRequest("GET", path))
        except AzureError as failed:
            raise MailUnavailable(f"The mail service could not be reached: {failed}") from failed
        if answer.status_code == 404:
            return False
        if answer.status_code != 200:
            raise MailUnavailable(
                f"The mail service answered {answer.status_code} when asked for an operation."
            )
        return True

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
    header = (
        cast("AsyncHttpResponse", failed.response).headers.get("Retry-After", "") if failed.response else ""
    )
    asked = timedelta(seconds=int(header)) if header.isdigit() else None
    if status == 429:
        asked = asked or timedelta(minutes=1)
    return MailUnavailable(f"The mail service answered {status}.", retry_after=asked)
