"""The platform: production's Python and worker with the package that is deployed, and the real engine under it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devhost.durable_urls import client_json
from localcloud import PROJECT
from localcloud.commands.bootstrap import NO_DEPLOYED_PYTHON, deployed_environment, prepare
from localcloud.platform.installed import DEPLOYED, NO_CORE_TOOLS, deployed_python, find_core_tools
from localcloud.platform.package import build_package
from localcloud.stack.hosts import Devhost, Func, Host
from localcloud.stack.stack import Stack
from shared.settings import PROVIDER_SETTING
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
    prepare(beside, _RUNTIME, str(python), clear=True)
    return Platform(deployed_environment(), beside / "lib" / f"python{DEPLOYED}" / "site-packages")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_package(tmp_path_factory.mktemp("deployed") / "package")


@pytest.fixture(scope="session")
def service(platform: Platform, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Storage, mail, issuer and an engine, which runs the package too. It leaves the sweep to the worker."""
    host = (sys.executable, "-m", "devhost", "--app", str(package))
    data = tmp_path_factory.mktemp("service") / "data"
    with ExitStack() as running:
        with (
            pytest.MonkeyPatch.context() as patch
        ):  # until it has started: other stacks of the session have sweeps
            patch.setenv("AzureWebJobs.sweep_intents.Disabled", "true")
            stack = running.enter_context(Stack(data, samples=True, host=Devhost(host)))
        yield running.enter_context(Service(stack))


@pytest.fixture(scope="session")
def worker(
    platform: Platform, package: Path, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker that has read the package and runs with the service's settings."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    client = client_json(service.stack.url, "cosellreferrals")
    settings = {
        **service.stack.environment(),
        PROVIDER_SETTING: "devhost",
    }  # where its hub is, as that says itself
    with Worker(platform, package, settings, log, client) as running:
        running.index()
        yield running


@pytest.fixture(scope="session")
def func(package: Path) -> Func:
    """The Core Tools over the real engine, with the package that is deployed."""
    if find_core_tools() is None:
        pytest.skip(NO_CORE_TOOLS)
    return replace(Func.found(deployed_environment), app=package)


@pytest.fixture(scope="session")
def clocked_func(func: Func) -> Func:
    """The Core Tools beside which there is a library that shifts the engine's clock."""
    if func.tools.clock_library is None:
        pytest.skip(
            "func comes without a library that shifts its clock; tests that move the clock are not run."
        )
    return func


@pytest.fixture(scope="session")
def own_host_names() -> None:
    """Several hosts on one machine need a name each, which only Linux can give them."""
    command = ["unshare", "--user", "--map-root-user", "--uts", "true"]
    if shutil.which("unshare") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("This machine does not let a process have a host name of its own (unshare --uts).")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services on a host; they end with the test."""
    with ExitStack() as running:

        def started(host: Host, **options: Any) -> Service:
            stack = running.enter_context(Stack(tmp_path / "data", host=host, samples=True, **options))
            return running.enter_context(Service(stack))

        yield started
