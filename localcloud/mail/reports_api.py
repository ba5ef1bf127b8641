"""What tests order about an accepted mail: that the app hears of its delivery."""

from dataclasses import asdict, dataclass

from aiohttp import web

from localcloud.clocks import Clock
from localcloud.mail.admin_api import PREFIX, message_number
from localcloud.mail.events import report_event
from localcloud.mail.refusals import RefusedError
from localcloud.mail.reports import Report, parse_report_order
from localcloud.mail.store import MailStore, StoredMessage
from localcloud.mail.webhook import Webhook


@dataclass(frozen=True)
class ReportsApi:
    """`webhook` is None where nobody said where the app is."""

    store: MailStore
    webhook: Webhook | None
    domain: Clock

    def routes(self) -> list[web.RouteDef]:
        return [web.post(f"{PREFIX}/{{number}}/reports", self.order)]

    async def order(self, request: web.Request) -> web.Response:
        """Deliver one event per recipient, and keep each report that the webhook took.

        Answers `{"reports": [report]}`: all that is known of the mail now.
        """
        mail = self._mail(request.match_info["number"])
        ordered = parse_report_order(await request.read()).reports(mail.message.recipients)
        webhook = self._known_webhook()
        for report in ordered:
            await self._deliver(webhook, mail, report)
        return web.json_response({"reports": [asdict(report) for report in self.store.reports(mail.number)]})

    async def _deliver(self, webhook: Webhook, mail: StoredMessage, report: Report) -> None:
        now = self.domain()
        # One event a request, as Event Grid does it unless a subscription asks for batches.
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
                "Nobody said where delivery reports go; start the sink with --mail-events-url.",
            )
        return self.webhook
