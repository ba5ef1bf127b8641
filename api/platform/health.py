"""`GET /healthz`: ready or not, and why. Needs no token and tells nothing about anybody.

It answers within two seconds whatever hangs, and asks again after three at the earliest, however often it is called.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from api.http.operation import public_operation
from api.http.request import PublicRequest
from api.http.response import Response
from api.http.schemas import View
from shared.clock import wall_clock
from shared.disk import require_free_space
from shared.errors import ServiceError
from shared.wiring import Service, wiring
from shared.workflow.progress import fault_of_progress

LONGEST_SECONDS = 1.5
"""How long all checks together may take."""
FRESH_SECONDS = 3.0
"""How long an answer holds."""
STARTED_AT = wall_clock()
"""When this process began: until it has had its time, nothing that it should do is missing."""


class HealthView(View):
    status: Literal["ready", "notReady"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing without which requests cannot be served. `subject` begins the sentence that it did not answer.

    `fault` gives what is wrong in a sentence, or None, and raises `ServiceError`.
    """

    subject: str
    fault: Callable[[Service], Awaitable[str | None]]


async def _fault_of_disk(service: Service) -> str | None:
    require_free_space(service.settings.watched_disk)
    return None


async def _fault_of_progress(service: Service) -> str | None:
    """Whether the storage of the records answers, the sweep runs, and the engine moves what it wakes."""
    beats = service.heartbeats
    sweep, engine_acted_at = await asyncio.gather(beats.sweep(), beats.engine())
    return fault_of_progress(sweep, engine_acted_at, STARTED_AT, wall_clock())


async def _fault_of_task_hub(service: Service) -> str | None:
    """Without its tables and queues the engine takes starts and events, and loses them."""
    hub = wiring.task_hub(service.settings)
    missing = await hub.missing() if hub else []
    if not missing:
        return None
    return (
        f"The task hub {service.settings.hub_name} is not whole: {', '.join(missing)} not found. "
        "Restart the app, which makes it anew; what was in it goes on from the tables."
    )


CHECKS = (
    Check("The disk", _fault_of_disk),
    Check("The storage of the records", _fault_of_progress),
    Check("The storage of the task hub", _fault_of_task_hub),
)


class Health:
    """Asks whether the service is ready. `seconds` bounds one asking, `clock` tells how old an answer is."""

    def __init__(
        self,
        service: Callable[[], Awaitable[Service]],
        checks: Sequence[Check] = CHECKS,
        *,
        seconds: float = LONGEST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._checks = checks
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._latest: Response | None = None
        self._asked_at = 0.0

    async def answer(self) -> Response:
        """200 when requests can be served; 503 with the reason when not."""
        async with self._lock:  # whoever comes meanwhile gets the same answer
            if self._latest is None or self._clock() - self._asked_at > FRESH_SECONDS:
                faults = await self._faults()
                self._asked_at = self._clock()
                self._latest = _answer(faults)
            return self._latest

    async def _faults(self) -> list[str]:
        end = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(end):
                service = await self._service()
        except TimeoutError:
            return [self._silent("What the service needs at its start")]
        except ServiceError as failed:
            return [str(failed)]
        found = await asyncio.gather(*(self._fault(check, service, end) for check in self._checks))
        return [fault for fault in found if fault]

    async def _fault(self, check: Check, service: Service, end: float) -> str | None:
        try:
            async with asyncio.timeout_at(end):
                return await check.fault(service)
        except TimeoutError:
            return self._silent(check.subject)
        except ServiceError as failed:
            return str(failed)

    def _silent(self, subject: str) -> str:
        return f"{subject} did not answer within {self._seconds:g} seconds."


def _answer(faults: Sequence[str]) -> Response:
    if faults:
        return Response(status=503, body=HealthView(status="notReady", reason=" ".join(faults)))
    return Response(body=HealthView(status="ready", reason=None))


health = Health(wiring.service)


@public_operation("GET", "healthz", returns={200: HealthView, 503: HealthView})
async def get_health(_request: PublicRequest) -> Response:
    """200 when requests can be served; 503 with the reason when not."""
    return await health.answer()
