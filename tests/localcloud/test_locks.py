"""Deployed packages are locked for the Python of production, in the same releases as for development."""

from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from localcloud import PROJECT
from localcloud.platform.installed import DEPLOYED

ON_PRODUCTION = {**default_environment(), "python_version": DEPLOYED, "python_full_version": f"{DEPLOYED}.0"}


def locked(file: Path) -> Iterator[Requirement]:
    for line in file.read_text(encoding="ascii").splitlines():
        if line and not line.startswith((" ", "#")):
            yield Requirement(line.removesuffix("\\").strip())


def on_production(file: Path) -> dict[str, str]:
    """The release of each package that is installed on production's Python."""
    chosen = [each for each in locked(file) if each.marker is None or each.marker.evaluate(ON_PRODUCTION)]
    assert len({each.name for each in chosen}) == len(chosen)
    return {each.name: str(each.specifier) for each in chosen}


def test_nothing_is_locked_for_another_python_than_productions() -> None:
    markers = [str(each.marker) for each in locked(PROJECT / "requirements.txt") if each.marker]
    assert not [marker for marker in markers if "python_full_version" in marker]


def test_development_on_that_python_has_the_same_releases() -> None:
    deployed = on_production(PROJECT / "requirements.txt")
    developed = on_production(PROJECT / "requirements-dev.txt")
    assert deployed
    assert {name: developed.get(name) for name in deployed} == deployed
