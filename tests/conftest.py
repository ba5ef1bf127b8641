"""What all tests share: the host that they run on (`--host`), their order, and what is told of a run.

Several processes may run them at once (pytest-xdist), each a file at a time.
"""

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings

from localcloud.commands.bootstrap import deployed_environment
from localcloud.errors import InstallError
from localcloud.platform.installed import find_core_tools
from localcloud.stack.hosts import Devhost, Func, Host
from tests.live import Service

settings.register_profile("no deadline", deadline=None)  # how fast an example is, is for bench/
settings.load_profile("no deadline")

LONGEST_FIRST = (
    "test_requests_under_faults.py",
    *("fault", "platform", "http", "model", "localcloud", "devhost", "storage", "orchestrations"),
)
"""The file that takes longest, then folders whose files take long."""
LOG_LINES = 60
"""Of a host's log, beside the failure of a test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--host",
        choices=("devhost", "func"),
        default="devhost",
        help="what the tests of the whole service run on: devhost, or the Core Tools over the real engine",
    )
    parser.addoption(
        "--contract-examples",
        type=int,
        default=60,
        metavar="N",
        help="how many requests are made up for each operation of the contract; the same ones every time",
    )


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's; None leaves it to that
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for one file: they take longer to start than they save."""
    is_one_file = len(config.args) == 1 and config.args[0].partition("::")[0].endswith(".py")
    return 0 if is_one_file else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no worker begins it when the others have nothing left."""
    tests = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""
        places = [LONGEST_FIRST.index(name) for name in (item.path.name, folder) if name in LONGEST_FIRST]
        return min(places, default=len(LONGEST_FIRST))

    items.sort(key=rank)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Whoever asks for a host that is not there hears of it once, before workers start."""
    if session.config.getoption("--host") == "func" and not hasattr(session.config, "workerinput"):
        _host("func")


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.getoption("--host") != "func":
        return None
    tools = find_core_tools()
    if tools is not None and tools.clock_library is None:
        return "host: func, without a library that shifts its clock: tests that move the clock are not run"
    return "host: func"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each reason for which something was not run, in one line."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(each.longrepr[2] for each in skipped if isinstance(each.longrepr, tuple))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} not run: {reason.removeprefix('Skipped: ')}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure stands how the services were that the test used, while they still run."""
    report = yield
    if report.failed:
        used: dict[str, Any] = getattr(item, "funcargs", {})
        for service in [each for each in used.values() if isinstance(each, Service)]:
            report.sections += _state_of(service)
    return report


def _state_of(service: Service) -> list[tuple[str, str]]:
    """What /healthz says, and the end of the host's log; whatever cannot be had says why."""
    try:
        health = service.http.get(f"{service.stack.url}/healthz", timeout=10).text
    except httpx.TransportError as silent:
        health = f"{type(silent).__name__}: {silent}"
    return [("healthz", health), *((log.name, _end(log)) for log in _host_logs(service))]


def _host_logs(service: Service) -> list[Path]:
    return [log for name in ("devhost", "func") if (log := service.stack.data.log(name)).exists()]


def _end(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Host:
    """The host that was asked for."""
    return _host(request.config.getoption("--host"))


def _host(name: str) -> Host:
    if name == "devhost":
        return Devhost()
    try:
        return Func.found(deployed_environment)
    except InstallError as missing:
        pytest.exit(str(missing), returncode=2)
