"""The two hosts: how each is started, and what the other parts of the service are told of it."""

from pathlib import Path

import pytest

from localcloud.commands import parser
from localcloud.commands import run as run_command
from localcloud.commands.dispatch import dispatch
from localcloud.errors import InstallError
from localcloud.platform.core_tools import CoreTools
from localcloud.stack import Addresses, DataDirectory
from localcloud.stack.hosts import Devhost, Func

TOOLS = CoreTools(Path("/tools/func"), Path("/tools/clock/libshifted_clock.so"))
PYTHON = Path("/environment")


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory.prepared(tmp_path / "data")


@pytest.fixture
def addresses() -> Addresses:
    return Addresses.drawn(0)


def test_devhost_has_its_clock_and_mails_at_its_own_address(
    data: DataDirectory, addresses: Addresses
) -> None:
    assert Devhost().controls(addresses) == addresses.url
    assert f"/admin/devhost/mail={addresses.mail_url}" in Devhost().command(data, addresses)
    assert Devhost().cloud_arguments(data, addresses) == ()
    assert Devhost().storage_environment(data) == {}


def test_func_is_started_with_the_python_of_production(data: DataDirectory, addresses: Addresses) -> None:
    host = Func(TOOLS, PYTHON)
    assert host.command(data, addresses) == ("/tools/func", "start", "--port", str(addresses.host))
    assert host.environment(data)["VIRTUAL_ENV"] == "/environment"
    assert host.controls(addresses) == addresses.mail_url


def test_engine_storage_and_the_clocks_page_share_one_file(data: DataDirectory, addresses: Addresses) -> None:
    host = Func(TOOLS, PYTHON)
    shift = data.path / "func" / "clock-shift"
    assert host.environment(data)["CLOCK_SHIFT_FILE"] == str(shift)
    assert host.storage_environment(data) == {
        "LD_PRELOAD": "/tools/clock/libshifted_clock.so",
        "CLOCK_SHIFT_FILE": str(shift),
    }
    where = ("--engine-of", addresses.url, "--clock-shift-file", str(shift))
    assert host.cloud_arguments(data, addresses) == where
    assert shift.read_bytes() == bytes(8)


def test_without_a_library_for_it_nobody_is_told_to_shift_a_clock(
    data: DataDirectory, addresses: Addresses
) -> None:
    host = Func(CoreTools(TOOLS.func, None), PYTHON)
    assert "CLOCK_SHIFT_FILE" not in host.environment(data)
    assert host.storage_environment(data) == {}
    assert host.cloud_arguments(data, addresses) == ("--engine-of", addresses.url)


def test_another_host_of_the_machine_gets_a_name_of_its_own(
    data: DataDirectory, addresses: Addresses
) -> None:
    command = Func(TOOLS, PYTHON, node="other").command(data, addresses)
    assert command[:2] == ("unshare", "--uts")
    assert command[-5:] == ("other", "/tools/func", "start", "--port", str(addresses.host))


def test_without_func_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run_command, "deployed_environment", lambda: PYTHON)
    with pytest.raises(InstallError, match="there is no `func` on PATH"):
        run_command.chosen_host("func")
    assert dispatch(parser.parse(["run", "--host", "func", "--data", str(tmp_path / "data")])) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
