"""Delivery reports that tests order: the app is told what happened to a mail on its way to each recipient."""

from dataclasses import asdict, dataclass
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from localcloud.clocks import Clock
from localcloud.mail import PREFIX
from localcloud.mail.inbox import message_number
from localcloud.mail.messages import Recipients
from localcloud.mail.refusals import RefusedError, bad_request, parse_body
from localcloud.mail.store import MailStore, Report, StoredMessage
from localcloud.mail.webhook import Webhook, report_event

Status = Literal["Delivered", "Expanded", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"]


class ReportOrder(BaseModel):
    """A status for `recipient`, or for every recipient of the mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status
    recipient: str | None = None
    detail: str = ""

    def reports(self, recipients: Recipients) -> list[Report]:
        """Return one report per address, spelled as the mail spells it.

        Raises RefusedError 400 if the mail did not go to `recipient`.
        """
        addresses: dict[str, str] = {}
        for box in recipients.everyone():
            addresses.setdefault(box.address.casefold(), box.address)
        if self.recipient is None:
            return [self._report(address) for address in addresses.values()]
        address = addresses.get(self.recipient.casefold())
        if address is None:
            raise bad_request(f"recipient: the mail went to {', '.join(addresses.values())} and nobody else")
        return [self._report(address)]

    def _report(self, address: str) -> Report:
        return Report(address, self.status, self.detail)


@dataclass(frozen=True)
class ReportsApi:
    """`webhook` is None if the sink was started without --mail-events-url."""

    store: MailStore
    webhook: Webhook | None
    domain: Clock

    def routes(self) -> list[web.RouteDef]:
        return [web.post(f"{PREFIX}/{{number}}/reports", self.order)]

    async def order(self, request: web.Request) -> web.Response:
        """Deliver one event per recipient, and keep each report that the webhook accepted.

        Responds with `{"reports": [report]}`: the latest report of each recipient.
        """
        mail = self._mail(request.match_info["number"])
        ordered = parse_body(ReportOrder, await request.read()).reports(mail.message.recipients)
        webhook = self._known_webhook()
        for report in ordered:
            await self._deliver(webhook, mail, report)
        return web.json_response({"reports": [asdict(report) for report in self.store.reports(mail.number)]})

    async def _deliver(self, webhook: Webhook, mail: StoredMessage, report: Report) -> None:
        now = self.domain()
        # One event per request, which is Event Grid's default; batches are an option of the subscription.
        await webhook.deliver(report_event(mail, report, now), f"the event for {report.recipient}", now)
        self.store.keep_report(mail.number, report)

    def _mail(self, number: str) -> StoredMessage:
        mail = self.store.message(message_number(number))
        if mail is None:
            raise RefusedError(404, "MailNotFound", f"There is no mail {number}; see {PREFIX}.")
        return mail

    def _known_webhook(self) -> Webhook:
        if self.webhook is None:
            raise RefusedError(
                409,
                "NoWebhook",
                "The sink does not know where delivery reports go; start it with --mail-events-url.",
            )
        return self.webhook
