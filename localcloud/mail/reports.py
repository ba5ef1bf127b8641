"""Delivery reports as a test orders them: what became of a mail on its way to a recipient."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from localcloud.mail.messages import Recipients
from localcloud.mail.refusals import bad_request, invalid

Status = Literal["Delivered", "Expanded", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"]


@dataclass(frozen=True)
class Report:
    """What became of a mail on its way to one recipient; `detail` is empty if nothing more is known."""

    recipient: str
    status: str
    detail: str


class ReportOrder(BaseModel):
    """A status for `recipient`, or for every recipient of the mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status
    recipient: str | None = None
    detail: str = ""

    def reports(self, recipients: Recipients) -> list[Report]:
        """Return one report per address, written as the mail writes it.

        Raises RefusedError 400 if the mail did not go to the wanted one.
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


def parse_report_order(body: bytes) -> ReportOrder:
    """Return the order of a request body. Raises RefusedError 400 that names the member at fault."""
    try:
        return ReportOrder.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error
