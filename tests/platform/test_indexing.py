"""The platform's runtime finds every function of the package, or says which one it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import PROJECT
from localcloud.platform.package import build_package
from tests.platform.worker import Platform, Refused, Worker

_DISCOVERY = """
import json, sys
from pathlib import Path
from devhost.discovery import discover, load_app
found = discover(load_app(Path(sys.argv[1])), {})
import function_app
assert Path(function_app.__file__).is_relative_to(sys.argv[1])
print(json.dumps({each.name: type(each.trigger).__name__ for each in found}))
"""
_DEVHOSTS_NAME = {
    "httpTrigger": "HttpTrigger",
    "timerTrigger": "TimerTrigger",
    "orchestrationTrigger": "OrchestrationTrigger",
    "activityTrigger": "ActivityTrigger",
}


def found_by_devhost(package: Path) -> dict[str, str]:
    """Each function's trigger, as devhost finds it in the package."""
    told = subprocess.run(
        [sys.executable, "-c", _DISCOVERY, str(package)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


def test_the_runtime_finds_the_functions_that_devhost_finds(
    platform: Platform, package: Path, tmp_path: Path
) -> None:
    with Worker(platform, package, os.environ, tmp_path / "log") as worker:
        found = {name: _DEVHOSTS_NAME[each.trigger["type"]] for name, each in worker.index().items()}
    assert found == found_by_devhost(package)
    assert set(found.values()) == set(_DEVHOSTS_NAME.values())


def test_one_annotation_that_the_runtime_does_not_take_is_refused_with_the_functions_name(
    platform: Platform, tmp_path: Path
) -> None:
    package = build_package(tmp_path / "package")
    activities = package / "activities" / "observe.py"
    good, bad = "def observe(sent: ActivityInput,", "def observe(sent: dict[str, str],"
    source = activities.read_text()
    assert source.count(good) == 1
    activities.write_text(source.replace(good, bad))
    with (
        Worker(platform, package, os.environ, tmp_path / "log") as worker,
        pytest.raises(Refused, match="cannot load the observe function"),
    ):
        worker.index()


def test_an_import_that_only_development_has_is_refused(platform: Platform, tmp_path: Path) -> None:
    package = build_package(tmp_path / "package")
    entry = package / "function_app.py"
    entry.write_text(f"import httpx\n{entry.read_text()}")
    with (
        Worker(platform, package, os.environ, tmp_path / "log") as worker,
        pytest.raises(Refused, match="No module named 'httpx'"),
    ):
        worker.index()


def test_the_apps_packages_come_before_the_runtimes_and_its_folder_last(
    platform: Platform, tmp_path: Path
) -> None:
    """An app's module hides neither Python's nor a package's, as on the platform."""
    package = build_package(tmp_path / "package")
    (package / "colorsys.py").write_text("")
    (package / "jwt.py").write_text("")
    entry = package / "function_app.py"
    imported = "import azure.functions, colorsys, jwt"
    raised = "raise ValueError(' '.join(each.__file__ for each in (azure.functions, colorsys, jwt)))"
    entry.write_text(f"{imported}\n{raised}\n")
    with (
        Worker(platform, package, os.environ, tmp_path / "log") as worker,
        pytest.raises(Refused) as refusal,
    ):
        worker.index()
    sdk, standard, third = (Path(each) for each in str(refusal.value).split()[-3:])
    assert sdk.is_relative_to(platform.environment)
    assert third.is_relative_to(platform.environment)
    assert not standard.is_relative_to(package)
