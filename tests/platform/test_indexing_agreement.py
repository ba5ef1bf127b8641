"""The real indexer, `azure-functions-runtime` on Python 3.13, agrees with devhost about the same apps."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.devhost.example_apps import ACCEPTED, REFUSED_BY_THE_HOST, REFUSED_BY_THE_WORKER
from tests.platform.worker import Platform

SOURCES = (
    ACCEPTED
    | {name: source for name, (source, _) in REFUSED_BY_THE_WORKER.items()}
    | {name: source for name, (source, _) in REFUSED_BY_THE_HOST.items()}
)


@pytest.fixture(scope="module")
def refusals(platform: Platform) -> dict[str, str | None]:
    """What the indexer says of each app; None where it takes it."""
    python = platform.environment / "bin" / "python"
    answer = subprocess.run(
        [str(python), str(Path(__file__).parent / "index_apps.py")],
        env={**os.environ, "PYTHONPATH": str(platform.runtime)},
        input=json.dumps(SOURCES),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_the_names_of_the_examples_differ() -> None:
    assert len(SOURCES) == len(ACCEPTED) + len(REFUSED_BY_THE_WORKER) + len(REFUSED_BY_THE_HOST)


@pytest.mark.parametrize("example", REFUSED_BY_THE_WORKER)
def test_the_indexer_refuses_it_too(refusals: dict[str, str | None], example: str) -> None:
    assert refusals[example] is not None


@pytest.mark.parametrize("example", [*ACCEPTED, *REFUSED_BY_THE_HOST])
def test_the_indexer_takes_it(refusals: dict[str, str | None], example: str) -> None:
    assert refusals[example] is None
