"""Which host the tests of the whole service run on: `--host devhost` (the default) or `--host func`."""

from collections import Counter

import pytest
from hypothesis import settings

from localcloud.commands.bootstrap import deployed_environment
from localcloud.errors import InstallError
from localcloud.platform.installed import find_core_tools
from localcloud.stack.hosts import Devhost, Func, Host

settings.register_profile("no deadline", deadline=None)  # how fast an example is, is for bench/
settings.load_profile("no deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--host",
        choices=("devhost", "func"),
        default="devhost",
        help="what the tests of the whole service run on: devhost, or the Core Tools over the real engine",
    )


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


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Host:
    """The host that was asked for."""
    if request.config.getoption("--host") == "devhost":
        return Devhost()
    try:
        return Func.found(deployed_environment)
    except InstallError as missing:
        pytest.exit(str(missing), returncode=2)
