"""The durable engine over the Durable Functions client, and the one place where its errors are translated.

The SDK raises bare `Exception` for every refusal, so what a refusal means is read from the instance's status.
"""

import logging
from datetime import datetime

import aiohttp
from azure.durable_functions import DurableOrchestrationClient, OrchestrationRuntimeStatus

from shared.errors import EngineUnavailable
from shared.protocol.wake import Event

logger = logging.getLogger(__name__)

_FINISHED = {
    OrchestrationRuntimeStatus.Completed,
    OrchestrationRuntimeStatus.Failed,
    OrchestrationRuntimeStatus.Terminated,
    OrchestrationRuntimeStatus.Canceled,
}


class DurableEngine:
    """Implements `shared.protocol.wake.Orchestrations` and `shared.protocol.purge.FinishedInstances`."""

    def __init__(self, client: DurableOrchestrationClient) -> None:
        self._client = client

    async def raise_event(self, instance_id: str, event: Event) -> bool:
        """See the port."""
        try:
            await self._client.raise_event(instance_id, event)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise EngineUnavailable(f"The durable engine did not take {event}: {failed}") from failed
        except Exception as refused:
            if await self.is_running(instance_id):
                raise EngineUnavailable(f"The durable engine refused {event}: {refused}") from refused
            return False
        return True

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        """See the port."""
        try:
            await self._client.start_new(name, instance_id, argument)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise EngineUnavailable(f"The durable engine did not start {name}: {failed}") from failed
        except Exception as refused:
            if not await self.is_running(instance_id):
                raise EngineUnavailable(f"The durable engine refused to start {name}: {refused}") from refused
            return False
        return True

    async def finished(self, before: datetime) -> list[str]:
        """See the port. The SDK hands on the first page alone."""
        try:
            found = await self._client.get_status_by(created_time_to=before, runtime_status=list(_FINISHED))
        except Exception as failed:  # of any kind, as below
            raise EngineUnavailable(f"The durable engine does not list instances: {failed}") from failed
        return [status.instance_id for status in found if status.instance_id]

    async def purge(self, instance_id: str) -> bool:
        """See the port."""
        try:
            result = await self._client.purge_instance_history(instance_id)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise EngineUnavailable(f"The durable engine did not purge {instance_id}: {failed}") from failed
        except Exception as refused:
            if not await self.is_running(instance_id):
                raise EngineUnavailable(
                    f"The durable engine refused to purge {instance_id}: {refused}"
                ) from refused
            return False
        return bool(result.instances_deleted)

    async def terminate(self, instance_id: str, reason: str) -> None:
        """See the port. The SDK takes a finished instance for terminated, and refuses one that is not there."""
        try:
            await self._client.terminate(instance_id, reason)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise EngineUnavailable(f"The durable engine did not end {instance_id}: {failed}") from failed
        except Exception as refused:
            if await self.is_running(instance_id):
                raise EngineUnavailable(
                    f"The durable engine refused to end {instance_id}: {refused}"
                ) from refused

    async def is_running(self, instance_id: str) -> bool:
        """See the port."""
        try:
            status = await self._client.get_status(instance_id)
        except (
            Exception
        ) as failed:  # of any kind: a status such as 503 is a bare one, an odd body a TypeError
            raise EngineUnavailable(
                f"The durable engine does not tell of {instance_id}: {failed}"
            ) from failed
        return bool(status) and status.runtime_status not in _FINISHED
