from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.stack.stack import Stack
from tests.live import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service with the sample world for all tests here; each test uses deals of its own."""
    data: Path = tmp_path_factory.mktemp("service") / "data"
    with Stack(data, samples=True) as stack, Service(stack) as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A deal name that only this test uses."""
    return f"Deal of {request.node.name}"[:120]
