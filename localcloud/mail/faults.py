"""Faults that tests order: error statuses, throttling, and connections dropped before or after a send is accepted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from localcloud.mail import PREFIX
from localcloud.mail.messages import Recipients
from localcloud.mail.refusals import RefusedError, parse_body


class ConnectionDropError(Exception):
    """The connection is closed without a response."""


class Fault(BaseModel):
    """What happens to the next `times` sends, or to all until cleared; with `recipient`, only to sends to it."""

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
        """Raise RefusedError or ConnectionDropError if the send must not be accepted."""
        if self.drop == "before":
            raise ConnectionDropError
        if self.status is not None:
            headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            raise RefusedError(self.status, self.code, "A test ordered this answer.", headers)


class FaultOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    faults: tuple[Fault, ...] = Field(min_length=1)


@dataclass
class _Armed:
    fault: Fault
    left: int | None


class FaultScript:
    """Ordered faults, used up in the order they were added. Kept in memory: a restart clears them."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def add(self, faults: Iterable[Fault]) -> None:
        self._armed += [_Armed(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        self._armed = []

    def left(self) -> list[Fault]:
        """Return the faults that are still to happen, each with the `times` that are left."""
        return [armed.fault.model_copy(update={"times": armed.left}) for armed in self._armed]

    def take(self, recipients: Recipients) -> Fault | None:
        """Return the first fault that concerns a send to `recipients`, and use it up once."""
        armed = next((armed for armed in self._armed if armed.fault.concerns(recipients)), None)
        if armed is None:
            return None
        if armed.left is not None:
            armed.left -= 1
        self._armed = [armed for armed in self._armed if armed.left != 0]
        return armed.fault


@dataclass(frozen=True)
class FaultsApi:
    """`/faults`: POST adds faults, GET lists those that are left, DELETE clears them."""

    script: FaultScript

    def routes(self) -> list[web.RouteDef]:
        path = f"{PREFIX}/faults"
        return [web.get(path, self.list), web.post(path, self.add), web.delete(path, self.clear)]

    async def list(self, _request: web.Request) -> web.Response:
        faults = [fault.model_dump(by_alias=True, exclude_none=True) for fault in self.script.left()]
        return web.json_response({"faults": faults})

    async def add(self, request: web.Request) -> web.Response:
        self.script.add(parse_body(FaultOrder, await request.read()).faults)
        return await self.list(request)

    async def clear(self, _request: web.Request) -> web.Response:
        self.script.clear()
        return web.Response(status=204)
