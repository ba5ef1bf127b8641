"""Faults that a test orders: refuse, throttle, or drop the connection before or after accepting."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from localcloud.mail.messages import Recipients
from localcloud.mail.refusals import RefusedError, invalid


class Fault(BaseModel):
    """What happens to the next `times` sends (unset: all until cleared), or to those that `recipient` gets."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")

    status: int | None = Field(default=None, ge=400, le=599)
    code: str = "ScriptedFault"
    retry_after: int | None = Field(default=None, ge=0)
    drop: Literal["before", "after"] | None = None
    recipient: str | None = None
    times: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_effect(self) -> "Fault":
        if (self.status is None) == (self.drop is None):
            raise ValueError("give either status or drop")
        return self

    def concerns(self, recipients: Recipients) -> bool:
        if self.recipient is None:
            return True
        return self.recipient.casefold() in {box.address.casefold() for box in recipients.everyone()}

    def raise_before_acceptance(self) -> None:
        """Raise what the sender is to see if the message must not be accepted."""
        if self.drop == "before":
            raise ConnectionDropError
        if self.status is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            raise RefusedError(self.status, self.code, "A test ordered this answer.", headers)


class FaultOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    faults: tuple[Fault, ...] = Field(min_length=1)


class ConnectionDropError(Exception):
    """The connection closes without an answer."""


@dataclass
class _Armed:
    fault: Fault
    left: int | None


class FaultScript:
    """Ordered faults, used up in order of arrival. Kept in memory: a new process starts without any."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, faults: Iterable[Fault]) -> None:
        self._armed += [_Armed(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        self._armed = []

    def left(self) -> list[Fault]:
        """Return what has not happened yet; `times` says how often."""
        return [armed.fault.model_copy(update={"times": armed.left}) for armed in self._armed]

    def take(self, recipients: Recipients) -> Fault | None:
        """Return the first fault that concerns a send to `recipients`, and count it as happened."""
        armed = next((armed for armed in self._armed if armed.fault.concerns(recipients)), None)
        if armed is None:
            return None
        if armed.left is not None:
            armed.left -= 1
        self._armed = [armed for armed in self._armed if armed.left != 0]
        return armed.fault


def parse_order(body: bytes) -> FaultOrder:
    """Return the faults of a request body. Raises RefusedError 400 that names the member at fault."""
    try:
        return FaultOrder.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error
