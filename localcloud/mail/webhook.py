"""Where events of mails go: one HTTP endpoint of the app, subscribed and called as Event Grid does it."""

import asyncio
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from localcloud.mail.events import Event, validation_event
from localcloud.mail.refusals import RefusedError

# What Event Grid gives a webhook for one answer.
_PATIENCE = aiohttp.ClientTimeout(total=30)
_QUOTED = 200


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes

    def __str__(self) -> str:
        """Return the status and the start of what came with it."""
        text = self.body.decode(errors="replace")
        if not text:
            return f"{self.status} and nothing else"
        return f"{self.status} “{text[:_QUOTED]}{'…' if len(text) > _QUOTED else ''}”"


class Webhook:
    """The endpoint `url`, called with the query parameter `key` on top. Its subscription lives as long as the object.

    What is told of it to people is `url` alone: `key` is a secret.
    """

    def __init__(self, url: str, key: str) -> None:
        self._told = url
        self._url = URL(url).update_query(key=key)
        self._subscribed = False
        self._subscribing = asyncio.Lock()

    async def deliver(self, event: Event, about: str, now: datetime) -> None:
        """Return when the endpoint has taken `event`, after a handshake if there was none. `now` is domain time.

        Raises RefusedError 502 that says what the endpoint answered; a refusal of the event calls it `about`.
        """
        await self._subscribe(now)
        answer = await self._post(event, "Notification")
        if not 200 <= answer.status < 300:
            raise _failed(
                "EventRefused",
                f"The webhook {self._told} answered {about} with {answer}. Order again when it can take the event.",
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
                    f"The webhook {self._told} answered the subscription validation with {answer}. "
                    'It must answer 200 with {"validationResponse": the validationCode of the event}.',
                )
            self._subscribed = True

    async def _post(self, event: Event, event_type: str) -> _Answer:
        headers = {"aeg-event-type": event_type, "Content-Type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as session,
                session.post(
                    self._url, data=json.dumps([event]).encode(), headers=headers, allow_redirects=False
                ) as answer,
            ):
                return _Answer(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _failed(
                "WebhookUnreachable",
                f"The webhook {self._told} cannot be reached ({type(error).__name__}). Order again when it runs.",
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
