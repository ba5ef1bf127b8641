"""The mails for people: a list, newest first, and a page for each."""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localcloud.clocks import utc_text
from localcloud.mail.admin_api import PREFIX, message_number
from localcloud.mail.messages import Mailbox
from localcloud.mail.selection import Selection
from localcloud.mail.store import MailStore

PAGE_SIZE = 100

# The frame of a mail inherits this policy: styles and embedded pictures only, whatever the mail asks for.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def _mailbox(box: Mailbox) -> str:
    return f"{box.display_name} <{box.address}>" if box.display_name else box.address


def _mailboxes(boxes: tuple[Mailbox, ...]) -> str:
    return ", ".join(map(_mailbox, boxes))


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


@dataclass(frozen=True)
class MailPages:
    store: MailStore

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/view", self.listing),
            web.get(f"{PREFIX}/view/{{number}}", self.detail),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        """Show a page of mails; `?before=` an id shows older ones, `?to=` and `?thread=` select some."""
        given = request.query.get("before")
        before = None if given is None else message_number(given)
        selection = Selection.asked(request.query)
        selected = (mail for mail in self.store.newest(before=before) if selection.holds(mail.message))
        found = list(islice(selected, PAGE_SIZE + 1))
        return _page(
            "list.html",
            mails=found[:PAGE_SIZE],
            older=len(found) > PAGE_SIZE,
            first_page=before is None,
            selection=selection,
        )

    async def detail(self, request: web.Request) -> web.Response:
        """Show one mail: headers, what became of it, the HTML part in a sandboxed frame, and the text part."""
        mail = self.store.message(message_number(request.match_info["number"]))
        if mail is None:
            return _page("missing.html", status=404)
        return _page("detail.html", mail=mail)


def _page(template: str, *, status: int = 200, **context: object) -> web.Response:
    text = _templates().get_template(template).render(context)
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
