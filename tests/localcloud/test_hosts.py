"""The two hosts: how each is started, and the settings that the other parts of the service get for it."""

import sys
from pathlib import Path

import pytest

from localcloud.commands import parser
from localcloud.commands.dispatch import dispatch
from localcloud.commands.serve import chosen_host
from localcloud.errors import DataDirectoryBusyError, InstallError
from localcloud.platform.installed import CoreTools
from localcloud.stack.data_directory import Addresses, DataDirectory
from localcloud.stack.hosts import Devhost, Func
from localcloud.stack.stack import Stack

TOOLS = CoreTools(Path("/tools/func"), Path("/tools/clock/libshifted_clock.so"))
PYTHON = Path("/environment")


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory.prepared(tmp_path / "data")


@pytest.fixture
def addresses() -> Addresses:
    return Addresses.with_free_ports(0)


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


def test_without_a_clock_library_no_process_is_configured_to_shift_its_clock(
    data: DataDirectory, addresses: Addresses
) -> None:
    host = Func(CoreTools(TOOLS.func, None), PYTHON)
    assert "CLOCK_SHIFT_FILE" not in host.environment(data)
    assert host.storage_environment(data) == {}
    assert host.cloud_arguments(data, addresses) == ("--engine-of", addresses.url)


def test_another_host_on_the_machine_gets_its_own_host_name(
    data: DataDirectory, addresses: Addresses
) -> None:
    command = Func(TOOLS, PYTHON, node="other").command(data, addresses)
    assert command[:4] == ("unshare", "--user", "--map-root-user", "--uts")
    assert command[-5:] == ("other", "/tools/func", "start", "--port", str(addresses.host))


def test_a_data_directory_cannot_be_used_with_another_host(data: DataDirectory) -> None:
    data.claim_for("devhost")
    data.claim_for("devhost")
    with pytest.raises(DataDirectoryBusyError, match=r"was created with devhost\. Start with --host devhost"):
        data.claim_for("func")


CORE_TOOLS = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"state": "Running"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("Azure Functions Core Tools", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
"""


def test_core_tools_that_print_no_ready_line_are_ready_when_their_host_runs(tmp_path: Path) -> None:
    func = tmp_path / "func"
    func.write_text(f"#!{sys.executable}\n{CORE_TOOLS}")
    func.chmod(0o755)
    with Stack(tmp_path / "data", host=Func(CoreTools(func, None), PYTHON)) as stack:
        assert stack.host.running
        assert "Ready" not in stack.host.command.log.read_text()


def test_without_func_the_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match="there is no `func` on PATH"):
        chosen_host("func")
    assert dispatch(parser.parse(["run", "--host", "func", "--data", str(tmp_path / "data")])) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
