"""The accepted mails for readers: as JSON for tests, and as pages for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localcloud.clocks import utc_text
from localcloud.mail import PREFIX
from localcloud.mail.messages import EmailMessage, Mailbox
from localcloud.mail.refusals import bad_request
from localcloud.mail.store import MailStore, StoredMessage

PAGE_SIZE = 100

# The frame that shows a mail inherits this policy: styles and embedded images only, whatever the mail asks for.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Selection:
    """A filter: mails to an address (any letter case), of a thread (its References), or both. None matches all."""

    to: str | None = None
    thread: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the filter of the query parameters `to` and `thread`."""
        return cls(query.get("to"), query.get("thread"))

    @property
    def everything(self) -> bool:
        return self == Selection()

    def matches(self, message: EmailMessage) -> bool:
        return self._matches_recipient(message) and self.thread in (None, message.thread)

    def query(self, **more: object) -> str:
        """Return `?to=…` and so on, followed by `more`; empty if no parameter has a value."""
        parameters = {"to": self.to, "thread": self.thread, **more}
        given = {name: value for name, value in parameters.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""

    def _matches_recipient(self, message: EmailMessage) -> bool:
        if self.to is None:
            return True
        return self.to.casefold() in {box.address.casefold() for box in message.recipients.to}


@dataclass(frozen=True)
class InboxApi:
    store: MailStore

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PREFIX, self.mails),
            web.get(f"{PREFIX}/view", self.list_page),
            web.get(f"{PREFIX}/view/{{number}}", self.mail_page),
        ]

    async def mails(self, request: web.Request) -> web.Response:
        """Return `{"value": [mail]}`, oldest first; `?after=` an id, `?to=` an address, `?thread=` filter it."""
        stored = self.store.after(message_number(request.query.get("after", "0")))
        selection = Selection.of(request.query)
        return web.json_response(
            {"value": [_json(mail) for mail in stored if selection.matches(mail.message)]}
        )

    async def list_page(self, request: web.Request) -> web.Response:
        """Show a page of mails, newest first; `?before=` an id shows older ones, `?to=` and `?thread=` filter."""
        given = request.query.get("before")
        before = None if given is None else message_number(given)
        selection = Selection.of(request.query)
        selected = (mail for mail in self.store.newest(before=before) if selection.matches(mail.message))
        found = list(islice(selected, PAGE_SIZE + 1))
        return _page(
            "list.html",
            mails=found[:PAGE_SIZE],
            older=len(found) > PAGE_SIZE,
            first_page=before is None,
            selection=selection,
        )

    async def mail_page(self, request: web.Request) -> web.Response:
        """Show one mail: headers, delivery reports, the HTML part in a sandboxed frame, and the text part."""
        mail = self.store.message(message_number(request.match_info["number"]))
        if mail is None:
            return _page("missing.html", status=404)
        return _page("detail.html", mail=mail)


def message_number(text: str) -> int:
    """Return the id of a mail as a number. Raises RefusedError 400 if `text` is not one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_request("a mail id is a whole number, as the list of mails shows it")
    return int(text)


def _json(stored: StoredMessage) -> dict[str, Any]:
    message = stored.message
    return {
        "id": str(stored.number),
        "operationId": stored.operation_id,
        "attempts": stored.attempts,
        "from": message.sender_address,
        "to": _addresses(message.recipients.to),
        "cc": _addresses(message.recipients.cc),
        "bcc": _addresses(message.recipients.bcc),
        "replyTo": _addresses(message.reply_to),
        "headers": message.headers,
        "subject": message.content.subject,
        "text": message.content.plain_text,
        "html": message.content.html,
        "receivedDateTime": utc_text(stored.received),
        "reports": [asdict(report) for report in stored.reports],
    }


def _addresses(boxes: tuple[Mailbox, ...]) -> list[str]:
    return [box.address for box in boxes]


def _page(template: str, *, status: int = 200, **context: object) -> web.Response:
    text = _templates().get_template(template).render(context)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mailbox": _mailbox, "mailboxes": _mailboxes, "utc": utc_text}
    environment.globals |= {"prefix": f"{PREFIX}/view", "selection_of": Selection}
    return environment


def _mailbox(box: Mailbox) -> str:
    return f"{box.display_name} <{box.address}>" if box.display_name else box.address


def _mailboxes(boxes: tuple[Mailbox, ...]) -> str:
    return ", ".join(map(_mailbox, boxes))
