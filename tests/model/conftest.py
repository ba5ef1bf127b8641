"""What all models share."""

from random import Random
from uuid import UUID

import pytest


@pytest.fixture(autouse=True)
def _chance_that_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids and jitter by chance, but the same in each run, so that a seed that fails fails again."""
    chance = Random(0)
    monkeypatch.setattr("secrets.token_bytes", chance.randbytes)
    monkeypatch.setattr("secrets.randbelow", chance.randrange)
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=chance.getrandbits(128), version=4))
