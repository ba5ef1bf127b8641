"""What tests of handlers share."""

import pytest

from shared.storage.memory_tables import MemoryTables
from shared.wiring import Service
from tests.doubles.frame import Frame
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on
from tests.doubles.small_world import import_small_world


@pytest.fixture
async def small_service() -> Service:
    """The service with the small world, which is all that it has."""
    service = service_on(MemoryTables(), MemoryMailService())
    await import_small_world(service.tables)
    return service


@pytest.fixture
def frame(small_service: Service, monkeypatch: pytest.MonkeyPatch) -> Frame:
    """The frame of operations on that service."""
    return Frame(small_service, monkeypatch)
