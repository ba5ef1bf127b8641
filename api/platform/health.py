"""The health check, `GET /healthz`: whether the service is ready, or what is not. It needs no token.

It responds within two seconds, whatever hangs, and caches its result for three, however often it is called. Since
anybody can call it, it says no more than which part is not ready; the log says why and what to do.
"""

import asyncio
import logging
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
from shared.errors import ConfigurationError, ServiceError
from shared.wiring import Service, wiring
from shared.workflow.progress import fault_of_progress

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1.5
"""How long all checks together may take."""
CACHE_SECONDS = 3.0
"""How long a result is reused."""
STARTED_AT = wall_clock()
"""When this process started: progress is expected only some time after that."""


class HealthView(View):
    status: Literal["ready", "notReady"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A dependency that must work to serve requests; `words` is what strangers read if it does not.

    `fault` returns the problem in a sentence for the log, or None; it may raise `ServiceError`.
    """

    words: str
    fault: Callable[[Service], Awaitable[str | None]]


async def _fault_of_disk(service: Service) -> str | None:
    require_free_space(service.settings.watched_disk)
    return None


async def _fault_of_progress(service: Service) -> str | None:
    """Check that the record storage responds, and that the sweep runs."""
    return fault_of_progress(await service.heartbeats.sweep(), STARTED_AT, wall_clock())


async def _fault_of_task_hub(service: Service) -> str | None:
    """Check the hub's tables and queues: without them, the engine accepts starts and events and loses them."""
    hub = wiring.task_hub(service.settings)
    missing = await hub.missing() if hub else []
    if not missing:
        return None
    return (
        f"The task hub {service.settings.hub_name} is incomplete: {', '.join(missing)} not found. "
        "Restart the app, which recreates it; the sweep starts its orchestrations again from the tables."
    )


CHECKS = (
    Check("The service has no space left.", _fault_of_disk),
    Check("The records, or the work on them, are not available.", _fault_of_progress),
    Check("The workflow engine is not available.", _fault_of_task_hub),
)


_NOT_STARTED = "What the service needs at its start is not available."
_NOT_SET_UP = "The service is not set up correctly."


class Health:
    """Runs the checks. `seconds` is their timeout; `clock` (monotonic seconds) times the cached result."""

    def __init__(
        self,
        service: Callable[[], Awaitable[Service]],
        checks: Sequence[Check] = CHECKS,
        *,
        seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._checks = checks
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._latest: Response | None = None
        self._checked_at = 0.0

    async def answer(self) -> Response:
        """The response: 200 if the service is ready, otherwise 503 with the reasons."""
        async with self._lock:  # concurrent requests get the same result
            if self._latest is None or self._clock() - self._checked_at > CACHE_SECONDS:
                faults = await self._faults()
                self._checked_at = self._clock()
                self._latest = _response(faults)
            return self._latest

    async def _faults(self) -> list[str]:
        """What strangers read of each check that fails; the log has the reasons."""
        end = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(end):
                service = await self._service()
        except TimeoutError:
            return [self._failed(_NOT_STARTED, self._timed_out())]
        except ConfigurationError as wrong:
            return [self._failed(_NOT_SET_UP, str(wrong))]
        except ServiceError as failed:
            return [self._failed(_NOT_STARTED, str(failed))]
        found = await asyncio.gather(*(self._fault(check, service, end) for check in self._checks))
        return [fault for fault in found if fault]

    async def _fault(self, check: Check, service: Service, end: float) -> str | None:
        try:
            async with asyncio.timeout_at(end):
                fault = await check.fault(service)
        except TimeoutError:
            fault = self._timed_out()
        except ServiceError as failed:
            fault = str(failed)
        return self._failed(check.words, fault) if fault else None

    def _failed(self, words: str, reason: str) -> str:
        logger.error("not_ready %s %s", words, reason)
        return words

    def _timed_out(self) -> str:
        return f"There was no answer within {self._seconds:g} seconds."


def _response(faults: Sequence[str]) -> Response:
    if faults:
        return Response(status=503, body=HealthView(status="notReady", reason=" ".join(faults)))
    return Response(body=HealthView(status="ready", reason=None))


health = Health(wiring.service)


@public_operation("GET", "healthz", returns={200: HealthView, 503: HealthView})
async def get_health(_request: PublicRequest) -> Response:
    """Check whether the service is ready; if not, the response is 503 and says which part is not."""
    return await health.answer()
