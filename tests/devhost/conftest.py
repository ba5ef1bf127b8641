from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.devhost.driver import Driver, driving

Drive = Callable[..., AbstractAsyncContextManager[Driver]]


def pytest_configure(config: pytest.Config) -> None:
    # The SDK's own notices: about untyped payloads, and about completions it has not asked for yet.
    for notice in ("azure.functions df_loads", "azure.functions Durable JSON", "Potential duplicate Task"):
        config.addinivalue_line("filterwarnings", f"ignore:{notice}")


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Runs an app on the test's data folder; a second time, it goes on where the first stopped."""

    def run(app: Any, **options: Any) -> AbstractAsyncContextManager[Driver]:
        return driving(app, tmp_path / "data", **options)

    return run
