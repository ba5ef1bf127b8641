import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from threading import Event
from urllib.request import Request, urlopen

import pytest
from azure.communication.email import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.data.tables import TableServiceClient

from localcloud.errors import DataDirectoryBusyError, InterruptedStartError, MemberError, PortTakenError
from localcloud.mail.signatures import access_key
from localcloud.process.children import ChildRecord, identify
from localcloud.process.locks import DataLock, Holder, is_held
from localcloud.process.ports import free_ports
from localcloud.process.waiting import wait_until
from localcloud.stack.environment import NO_LIMITS
from localcloud.stack.hosts import Devhost
from localcloud.stack.stack import Stack

HOST = (sys.executable, str(Path(__file__).with_name("stand_in_host.py")))


A_MAIL = {
    "senderAddress": "no-reply@referrals.example",
    "recipients": {"to": [{"address": "rae@contoso.com"}]},
    "content": {"subject": "A new referral", "plainText": "Please look."},
}


def silent(_line):
    pass


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack") / "data", host=Devhost(HOST)) as running:
        yield running


def seen_by_host(stack):
    with urlopen(stack.url, timeout=60) as answer:
        return json.load(answer)


def test_the_host_gets_the_settings_of_the_app(stack):
    environment = seen_by_host(stack)["environment"]
    mail = f"http://127.0.0.1:{stack.addresses.mail}"
    expected = {
        "AzureWebJobsStorage": stack.azurite.connection_string,
        "TABLES_CONNECTION_STRING": stack.azurite.connection_string,
        "MAIL_ENDPOINT": mail,
        "MAIL_SENDER": "no-reply@referrals.example",
        "MAIL_LEASE": "PT0S",
        "AUTH_ISSUER": "https://issuer.localhost/{tid}/v2.0",
        "AUTH_AUDIENCE": "api://cosell-referrals",
        "AUTH_JWKS_URL": f"{mail}/discovery/v2.0/keys",
        "PUBLIC_URL": stack.url,
        "PORTAL_URL": f"{stack.url}/portal",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "WATCHED_DISK": str(stack.data.path),
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert environment["MAIL_ACCESS_KEY"] == (stack.data.path / "mail" / "access-key").read_text()
    assert environment["MAIL_EVENTS_KEY"] == (stack.data.path / "mail" / "events-key").read_text()
    assert environment["PATH"] == os.environ["PATH"]


def test_tests_benchmarks_and_the_demo_have_no_limits_on_use(stack):
    environment = seen_by_host(stack)["environment"]
    assert {name: environment.get(name) for name in NO_LIMITS} == NO_LIMITS
    assert set(NO_LIMITS.values()) == {"0"}


def test_the_settings_win_over_the_users_environment(stack, monkeypatch):
    monkeypatch.setenv("MAIL_LEASE", "PT2M")
    assert stack.environment()["MAIL_LEASE"] == "PT0S"


def test_the_host_gets_the_address_to_forward_the_mail_pages_to(stack):
    assert seen_by_host(stack)["arguments"] == [
        "--data",
        str(stack.data.path / "devhost"),
        "--port",
        str(stack.addresses.host),
        "--forward",
        f"/admin/devhost/mail=http://127.0.0.1:{stack.addresses.mail}",
    ]


def test_a_delivery_report_reaches_the_app_with_its_secret(stack):
    with EmailClient(
        f"http://127.0.0.1:{stack.addresses.mail}", AzureKeyCredential(access_key(stack.data.path))
    ) as client:
        client.begin_send(A_MAIL, polling=False)
    order = Request(
        f"http://127.0.0.1:{stack.addresses.mail}/admin/devhost/mail/1/reports", data=b'{"status": "Bounced"}'
    )
    with urlopen(order, timeout=60) as answer:
        assert answer.status == 200
    seen = seen_by_host(stack)
    secret = seen["environment"]["MAIL_EVENTS_KEY"]
    assert [one["target"] for one in seen["delivered"]] == [f"/v1.0/mail-events?key={secret}"] * 2
    assert seen["delivered"][-1]["events"][0]["data"]["status"] == "Bounced"


def test_no_command_line_contains_a_secret(stack):
    secrets = [(stack.data.path / "mail" / name).read_text() for name in ("access-key", "events-key")]
    for member in stack.members:
        words = " ".join(member.command.arguments)
        assert not any(secret in words for secret in secrets)


def test_the_data_directory_and_all_that_is_in_it_is_private(stack):
    below = {path: path.stat().st_mode for path in (stack.data.path, *stack.data.path.rglob("*"))}
    assert len(below) > 15
    assert [path for path, mode in below.items() if mode & (stat.S_IRWXG | stat.S_IRWXO)] == []


def test_members_start_in_order_and_have_pids(stack):
    assert [member.name for member in stack.members] == ["azurite", "localcloud", "devhost"]
    assert len({member.pid for member in stack.members}) == 3


def test_a_killed_host_starts_again_on_the_same_port_while_the_others_stay(stack):
    others = stack.azurite.pid, stack.localcloud.pid
    stack.host.kill()
    assert stack.first_ended() is stack.host
    assert stack.host.ending == "signal SIGKILL"
    stack.restart(stack.host)
    assert seen_by_host(stack)
    assert (stack.azurite.pid, stack.localcloud.pid) == others
    assert stack.first_ended() is None


def test_a_second_start_on_the_same_data_is_refused_with_pid_and_url(stack):
    second = Stack(stack.data.path, host=Devhost(HOST), lock_timeout=60)
    with pytest.raises(DataDirectoryBusyError, match=f"pid {os.getpid()} at {stack.url}. End it first"):
        second.start()
    assert stack.first_ended() is None
    assert stack.data.addresses.exists()


def test_the_data_survives_a_stop_and_a_start(tmp_path):
    data = tmp_path / "data"
    with (
        Stack(data, host=Devhost(HOST)) as first,
        TableServiceClient.from_connection_string(first.azurite.connection_string) as tables,
    ):
        tables.create_table("people").upsert_entity({"PartitionKey": "a", "RowKey": "b", "name": "Rae"})
        pids = [member.pid for member in first.members]
    assert not any(identify(pid) for pid in pids)
    assert not is_held(first.data.lock)
    with (
        Stack(data, host=Devhost(HOST)) as second,
        TableServiceClient.from_connection_string(second.azurite.connection_string) as tables,
    ):
        assert tables.get_table_client("people").get_entity("a", "b")["name"] == "Rae"


def test_a_host_that_fails_to_start_shows_its_log_and_stops_the_others(tmp_path):
    stack = Stack(tmp_path / "data", host=Devhost((*HOST, "--fail")))
    with pytest.raises(MemberError, match=r"devhost ended while starting \(exit code 1\)(.|\n)*told to fail"):
        stack.start()
    assert stack.members == ()
    assert json.loads(stack.data.children.read_text()) == {}
    assert not is_held(stack.data.lock)


def test_an_interrupted_start_leaves_nothing_running(tmp_path):
    asked = Event()
    asked.set()
    stack = Stack(tmp_path / "data", host=Devhost(HOST), interrupted=asked)
    with pytest.raises(InterruptedStartError):
        stack.start()
    assert json.loads(stack.data.children.read_text()) == {}
    assert not is_held(stack.data.lock)


def test_a_taken_port_is_an_error_before_anything_starts(tmp_path, stack):
    late = Stack(tmp_path / "data", port=stack.addresses.host, host=Devhost(HOST))
    with pytest.raises(PortTakenError, match=f"Port {stack.addresses.host} is taken"):
        late.start()
    assert not list(late.data.logs.iterdir())


def test_a_start_waits_for_a_lock_whose_holder_is_ending(tmp_path):
    predecessor, successor, lines = DataLock(tmp_path / "lock"), DataLock(tmp_path / "lock"), []
    predecessor.acquire(timeout=0, report=silent)
    predecessor.set_holder(Holder(123, "http://127.0.0.1:7071", ending=True))

    def end_while_waited_for(line):
        lines.append(line)
        predecessor.release()

    successor.acquire(timeout=20, report=end_while_waited_for)
    assert lines == ["Waiting up to 20 s for the service with pid 123 at http://127.0.0.1:7071 to end"]
    successor.release()


RUN = """
import sys
from pathlib import Path
from localcloud.commands import dispatch, parser
from localcloud.commands.serve import run
from localcloud.stack.environment import NO_LIMITS
from localcloud.stack.hosts import Devhost
host = Devhost((sys.executable, sys.argv[1]))
dispatch._COMMANDS["run"] = lambda options: run(options, host)
sys.exit(dispatch.dispatch(parser.parse(sys.argv[2:])))
"""


class Run:
    """`dev.py run` in its own process, with the double as its host."""

    def __init__(self, data, port):
        script, project = Path(__file__).with_name("stand_in_host.py"), Path(__file__).parents[2]
        arguments = ["run", "--no-samples", "--port", str(port), "--data", data.name]
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(script), *arguments],
            cwd=data.parent,
            env={**os.environ, "PYTHONPATH": str(project)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output = []

    def wait_ready(self):
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith("Ready: "):
                return self
        raise AssertionError(self.process.stderr.read())

    def end(self):
        """Wait for the end; return the exit code and stderr."""
        out, err = self.process.communicate(timeout=60)
        self.output += out.splitlines()
        return self.process.returncode, err


@pytest.fixture
def start(tmp_path):
    started = []

    def begin():
        started.append(Run(tmp_path / "data", free_ports(1)[0]))
        return started[-1]

    yield begin
    for run in started:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.communicate(timeout=60)
    ChildRecord(tmp_path / "data" / "children.json").end_leftovers(5, silent)


def children(tmp_path):
    return {
        name: entry["pid"]
        for name, entry in json.loads((tmp_path / "data" / "children.json").read_text()).items()
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stops_everything_in_order_on_a_signal(start, tmp_path, number):
    run = start().wait_ready()
    assert run.output[-1].startswith("Ready: http://127.0.0.1:")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    with urlopen(run.output[-1].removeprefix("Ready: "), timeout=60) as answer:
        environment = json.load(answer)["environment"]
    assert [name for name in environment if name.startswith("LIMIT_")] == [], "the service's own limits count"
    pids = children(tmp_path)
    run.process.send_signal(number)
    code, err = run.end()
    assert code == 0
    assert err.splitlines()[-3:] == ["Ending devhost", "Ending localcloud", "Ending azurite"]
    assert run.output[-1].startswith("Ready: ")
    assert not any(identify(pid) for pid in pids.values())


@pytest.mark.parametrize("name", ["azurite", "localcloud", "devhost"])
def test_run_reports_which_member_ended_and_stops_the_others(start, tmp_path, name):
    run = start().wait_ready()
    pids = children(tmp_path)
    os.kill(pids[name], signal.SIGKILL)
    code, err = run.end()
    assert code == 1
    assert f"{name} ended on its own (signal SIGKILL). The data is kept; start again." in err
    assert not any(identify(pid) for pid in pids.values())


def test_a_start_after_a_kill_ends_leftover_processes_and_resumes(start, tmp_path):
    killed = start().wait_ready()
    left = children(tmp_path)
    killed.process.kill()
    killed.end()
    assert all(identify(pid) for pid in left.values())
    again = start().wait_ready()
    assert wait_until(lambda: not any(identify(pid) for pid in left.values()), 10)
    again.process.terminate()
    code, err = again.end()
    assert code == 0
    assert [line.split()[1] for line in err.splitlines() if "of an earlier start" in line] == [
        "devhost",
        "localcloud",
        "azurite",
    ]
