import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from threading import Event

import pytest

from localcloud.errors import (
    DamagedFileError,
    InstallError,
    InterruptedStartError,
    MemberError,
    PortTakenError,
)
from localcloud.process.children import ChildRecord, identify
from localcloud.process.foreground import run_with_progress
from localcloud.process.member import Command, Member
from localcloud.process.ports import require_free
from localcloud.process.waiting import wait_until

SLEEP = "import time; print('Ready: here', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP


@pytest.fixture
def record(tmp_path):
    return ChildRecord(tmp_path / "children.json")


@pytest.fixture
def member(tmp_path, record):
    made = []

    def create(code, name="sleeper", grace=5.0):
        command = Command(
            name, (sys.executable, "-c", code), dict(os.environ), tmp_path, tmp_path / f"{name}.log", grace
        )
        made.append(Member(command, record))
        return made[-1]

    yield create
    for one in made:
        one.kill()


def silent(_line):
    pass


def ready(one):
    one.start()
    one.wait_ready(20)
    return one


def test_a_running_process_has_an_identity_and_an_ended_one_has_none():
    with subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.DEVNULL) as process:
        identity = identify(process.pid)
        assert identity.alive()
        process.kill()
        assert wait_until(lambda: not identity.alive(), 10)
    assert identify(process.pid) is None


def test_a_leftover_of_a_killed_start_is_ended(member, record):
    left = ready(member(SLEEP))
    lines = []
    record.end_leftovers(5, lines.append)
    assert left.ending == "signal SIGTERM"
    assert lines[0].startswith("Ending sleeper (pid ")
    record.end_leftovers(5, pytest.fail)


def test_a_leftover_that_ignores_sigterm_is_killed(member, record):
    left = ready(member(STUBBORN))
    record.end_leftovers(0.2, silent)
    assert left.ending == "signal SIGKILL"


def test_leftovers_are_ended_last_started_first(member, record):
    for name in ("one", "two"):
        ready(member(SLEEP, name))
    lines = []
    record.end_leftovers(5, lines.append)
    assert [line.split()[1] for line in lines] == ["two", "one"]


def test_a_process_that_got_the_pid_of_a_leftover_is_not_touched(member, record):
    other = ready(member(SLEEP))
    record._write({"sleeper": replace(identify(other.pid), started="earlier")})
    record.end_leftovers(5, pytest.fail)
    assert other.running


def test_a_damaged_record_is_named_with_its_file(tmp_path, record):
    (tmp_path / "children.json").write_text('{"azurite": 7}')
    with pytest.raises(DamagedFileError, match=r"children\.json"):
        record.end_leftovers(5, silent)


def test_a_member_that_ends_while_starting_shows_its_log(member):
    broken = member("import sys; print('what went wrong'); sys.exit(3)")
    broken.start()
    with pytest.raises(
        MemberError, match=r"sleeper ended while starting \(exit code 3\).*\n  what went wrong"
    ):
        broken.wait_ready(20)


def test_a_member_that_is_never_ready_is_an_error_after_the_timeout(member):
    slow = member("import time; time.sleep(60)")
    slow.start()
    with pytest.raises(MemberError, match="not ready within"):
        slow.wait_ready(0.2)


def test_the_ready_line_of_an_earlier_run_does_not_count(member):
    first = ready(member(SLEEP))
    first.stop()
    again = member("import time; time.sleep(60)")
    again.start()
    assert not again.ready()


def test_waiting_for_a_member_can_be_interrupted(member):
    slow, asked = member("import time; time.sleep(60)"), Event()
    slow.start()
    asked.set()
    with pytest.raises(InterruptedStartError):
        slow.wait_ready(20, asked)


def test_a_member_that_ignores_sigterm_is_killed_after_its_grace(member):
    stubborn = ready(member(STUBBORN, grace=0.2))
    stubborn.stop()
    assert stubborn.ending == "signal SIGKILL"


def test_a_ctrl_c_does_not_reach_a_member_through_the_terminal(member):
    assert os.getpgid(ready(member(SLEEP)).pid) != os.getpgid(0)


def test_the_pid_of_a_member_that_does_not_run_is_an_error(member):
    with pytest.raises(MemberError, match="does not run"):
        _ = member(SLEEP).pid


def test_the_ending_of_a_killed_member_has_the_signal(member):
    victim = ready(member(SLEEP))
    os.kill(victim.pid, signal.SIGKILL)
    assert wait_until(lambda: not victim.running, 10)
    assert victim.ending == "signal SIGKILL"


def test_the_error_for_a_taken_port_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"^Port {port} is taken by another program\. .*--port\.$"):
            require_free(port)
    require_free(port)


def test_the_error_of_a_failed_command_has_the_end_of_its_output(tmp_path, capfd):
    command = [
        sys.executable,
        "-c",
        "import sys; print('\\n'.join(map(str, range(99)))); sys.exit('no network')",
    ]
    with pytest.raises(InstallError) as failed:
        run_with_progress("Installing things", command, directory=tmp_path, advice="Check the network.")
    first, *tail = str(failed.value).splitlines()
    assert first == "Installing things failed (exit code 1). Check the network."
    assert (len(tail), tail[-1]) == (15, "no network")
    assert "Installing things … 0 s" in capfd.readouterr().err
