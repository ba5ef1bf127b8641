"""The platform: production's Python with the app's packages, the worker's runtime beside them, and the package."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.durable_urls import client_json
from localcloud.commands.bootstrap import NO_DEPLOYED_PYTHON, deployed_environment, prepare
from localcloud.platform.package import build_package
from localcloud.platform.python import DEPLOYED, deployed_python
from localcloud.project import PROJECT
from localcloud.stack.stack import Stack
from tests.live import Service
from tests.platform.worker import Platform, Worker

_RUNTIME = Path(__file__).with_name("requirements-runtime.txt")


@pytest.fixture(scope="session")
def platform() -> Platform:
    """Skips without production's Python; where CI is set, that is a failure."""
    python = deployed_python()
    if python is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_DEPLOYED_PYTHON)
    beside = PROJECT / f".venv-{DEPLOYED}-runtime"
    prepare(beside, _RUNTIME, str(python))
    return Platform(deployed_environment(), beside / "lib" / f"python{DEPLOYED}" / "site-packages")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_package(tmp_path_factory.mktemp("deployed") / "package")


@pytest.fixture(scope="session")
def service(platform: Platform, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Storage, mail, issuer and an engine, which runs the package too. It leaves the sweep to the worker."""
    host = (sys.executable, "-m", "devhost", "--app", str(package))
    data = tmp_path_factory.mktemp("service") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AzureWebJobs.sweep_intents.Disabled", "true")
        with Stack(data, samples=True, host=host) as stack, Service(stack) as running:
            yield running


@pytest.fixture(scope="session")
def worker(
    platform: Platform, package: Path, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker that has read the package and runs with the service's settings."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    client = client_json(service.stack.url, "cosellreferrals")
    with Worker(platform, package, service.stack.environment(), log, client) as running:
        running.index()
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why tests were skipped, also where nobody asked for reasons."""
    skipped = terminalreporter.stats.get("skipped", [])
    missing = [each for each in skipped if NO_DEPLOYED_PYTHON in str(each.longrepr)]
    if missing:
        terminalreporter.write_line(f"{len(missing)} tests of the platform skipped: {NO_DEPLOYED_PYTHON}")
