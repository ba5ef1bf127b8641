"""What tests read and order: the mails as JSON, and the fault script."""

from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from localcloud.clocks import utc_text
from localcloud.mail.faults import Fault, FaultScript, parse_order
from localcloud.mail.messages import Mailbox
from localcloud.mail.refusals import bad_request
from localcloud.mail.selection import Selection
from localcloud.mail.store import MailStore, StoredMessage

PREFIX = "/admin/devhost/mail"


@dataclass(frozen=True)
class AdminApi:
    store: MailStore
    faults: FaultScript

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PREFIX, self.mails),
            web.get(f"{PREFIX}/faults", self.ordered_faults),
            web.post(f"{PREFIX}/faults", self.order_faults),
            web.delete(f"{PREFIX}/faults", self.clear_faults),
        ]

    async def mails(self, request: web.Request) -> web.Response:
        """Return `{"value": [mail]}`, oldest first; `?after=` an id, `?to=` an address, `?thread=` narrow it."""
        stored = self.store.after(message_number(request.query.get("after", "0")))
        selection = Selection.asked(request.query)
        return web.json_response({"value": [_mail(one) for one in stored if selection.holds(one.message)]})

    async def ordered_faults(self, _request: web.Request) -> web.Response:
        return self._faults_left()

    async def order_faults(self, request: web.Request) -> web.Response:
        """Add faults behind those that are ordered already."""
        self.faults.add(parse_order(await request.read()).faults)
        return self._faults_left()

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)

    def _faults_left(self) -> web.Response:
        return web.json_response({"faults": [_fault(fault) for fault in self.faults.left()]})


def message_number(text: str) -> int:
    """Return the number of a message. Raises RefusedError 400 if `text` is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_request("a mail id is a whole number, as the list of mails shows it")
    return int(text)


def _mail(stored: StoredMessage) -> dict[str, Any]:
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


def _fault(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(by_alias=True, exclude_none=True)
