"""The adapter to the durable engine: calls the Durable Functions client and translates its errors.

The SDK raises a bare `Exception` for every refusal, so the reason is determined from the instance's status.
"""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import aiohttp
from azure.durable_functions import DurableOrchestrationClient, OrchestrationRuntimeStatus
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from shared.errors import EngineUnavailable
from shared.workflow.wake import Event

logger = logging.getLogger(__name__)

_FINISHED = {
    OrchestrationRuntimeStatus.Completed,
    OrchestrationRuntimeStatus.Failed,
    OrchestrationRuntimeStatus.Terminated,
    OrchestrationRuntimeStatus.Canceled,
}
_PURGEABLE = _FINISHED - {OrchestrationRuntimeStatus.Failed}
"""Failed instances are kept for inspection; they are replaced when their record is woken."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_REFUSED = object()
CALL_SECONDS = 15
"""Timeout of one call; the SDK's own is four minutes. A refused call is followed by another one, for the status."""


class DurableEngine:
    """Implements `shared.workflow.wake.Orchestrations` and `shared.workflow.purge.FinishedInstances`.

    `seconds` is the timeout of each call.
    """

    def __init__(self, client: DurableOrchestrationClient, seconds: float = CALL_SECONDS) -> None:
        self._client = client
        self._seconds = seconds

    async def raise_event(self, instance_id: str, event: Event) -> bool:
        """See `Orchestrations`."""
        call = self._client.raise_event(instance_id, event)
        answer = await self._answer(call, f"take {event}", instance_id, refused_while_running=False)
        return answer is not _REFUSED

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        """See `Orchestrations`."""
        call = self._client.start_new(name, instance_id, argument)
        answer = await self._answer(call, f"start {name}", instance_id, refused_while_running=True)
        return answer is not _REFUSED

    async def terminate(self, instance_id: str, reason: str) -> None:
        """See `Orchestrations`. The SDK accepts finished instances, and refuses unknown ones."""
        call = self._client.terminate(instance_id, reason)
        await self._answer(call, "end an instance", instance_id, refused_while_running=False)

    async def finished(self, before: datetime) -> list[str]:
        """See `Orchestrations`. The SDK returns only the first page."""
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._client.get_status_by(
                    created_time_to=before, runtime_status=list(_PURGEABLE)
                )
        except Exception as failed:  # of any type: see `_status`
            raise EngineUnavailable(f"The durable engine did not list its instances: {failed!r}") from failed
        return [status.instance_id for status in found if status.instance_id]

    async def purge(self, instance_id: str) -> bool:
        """See `Orchestrations`."""
        call = self._client.purge_instance_history(instance_id)
        answer = await self._answer(call, "purge an instance", instance_id, refused_while_running=True)
        return answer is not _REFUSED and bool(answer.instances_deleted)

    async def is_running(self, instance_id: str) -> bool:
        """Whether the instance exists and has not finished; it may be stuck nevertheless."""
        status = await self._status(instance_id)
        return status is not None and status.runtime_status not in _FINISHED

    async def last_turn_at(self, instance_id: str) -> datetime | None:
        """See `Orchestrations`. Each turn continues as new, which the engine counts as a creation."""
        status = await self._status(instance_id)
        if status is None or status.runtime_status in _FINISHED:
            return None
        if status.runtime_status is not OrchestrationRuntimeStatus.Running or status.created_time is None:
            return _LONG_AGO
        return status.created_time.replace(microsecond=0, tzinfo=UTC)

    async def _status(self, instance_id: str) -> DurableOrchestrationStatus | None:
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._client.get_status(instance_id)
        except Exception as failed:
            # Of any type: a status such as 503 raises a bare Exception, an unexpected body a TypeError.
            raise EngineUnavailable(
                f"The durable engine did not return the status of {instance_id}: {failed!r}"
            ) from failed
        return status or None

    async def _answer(
        self, call: Awaitable[Any], doing: str, instance_id: str, *, refused_while_running: bool
    ) -> Any:
        """The engine's answer, or `_REFUSED` if it refuses because of the instance's state.

        Raises `EngineUnavailable` for all other errors.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await call
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise EngineUnavailable(f"The durable engine did not {doing}: {failed!r}") from failed
        except Exception as refused:
            if await self.is_running(instance_id) is refused_while_running:
                return _REFUSED
            raise EngineUnavailable(
                f"The durable engine refused to {doing} ({instance_id}): {refused}"
            ) from refused
