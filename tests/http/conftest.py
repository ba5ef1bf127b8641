from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.live import Service


def _running(data: Path, host: Host) -> Iterator[Service]:
    with Stack(data, host=host, samples=True) as stack, Service(stack) as running:
        yield running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Iterator[Service]:
    """One running service with the sample world for all tests here; each test uses deals of its own.

    Modules that let days pass take `service_of_its_own` instead: an advance takes as long as there are open
    invitations of all tests before.
    """
    yield from _running(tmp_path_factory.mktemp("service") / "data", host)


@pytest.fixture(scope="module")
def service_of_its_own(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Iterator[Service]:
    """A running service for one module."""
    yield from _running(tmp_path_factory.mktemp("service") / "data", host)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A deal name that only this test uses."""
    return f"Deal of {request.node.name}"[:120]
