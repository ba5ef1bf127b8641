import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from localcloud.__main__ import main
from localcloud.mail.signatures import access_key
from localcloud.process.ports import free_ports

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def server_process(data):
    """Run the server in its own process; yield the process and its address."""
    command = [sys.executable, "-m", "localcloud", "--data", str(data), "--port", "0"]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("Ready: http://127.0.0.1:")
            yield process, line.removeprefix("Ready: ").strip()
        finally:
            process.kill()


async def send(data, url, message, operation_id):
    async with EmailClient(url, AzureKeyCredential(access_key(data)), retry_total=0) as client:
        await client.begin_send(message, polling=False, operation_id=operation_id)


async def mails(url):
    async with aiohttp.ClientSession(url) as session, session.get("/admin/devhost/mail") as answer:
        return (await answer.json())["value"]


async def test_an_accepted_mail_survives_a_killed_process(tmp_path, a_message):
    with server_process(tmp_path) as (process, url):
        await send(tmp_path, url, a_message(subject="Before"), "op-1")
        process.kill()
        process.wait()
    with server_process(tmp_path) as (_, url):
        await send(tmp_path, url, a_message(subject="After"), "op-1")
        await send(tmp_path, url, a_message(subject="After"), "op-2")
        assert [(mail["subject"], mail["attempts"]) for mail in await mails(url)] == [
            ("Before", 2),
            ("After", 1),
        ]


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/mail-events",
        "http://10.0.0.1/x",
        "ftp://localhost/x",
        "x",
        "http://[::1",
        "http://localhost:x",
    ],
)
def test_a_webhook_on_another_machine_is_a_usage_error(tmp_path, url, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), "--mail-events-url", url])
    assert ended.value.code == 2
    assert "must be an http URL of this machine" in capsys.readouterr().err


async def test_sigterm_stops_the_server_with_exit_code_0(tmp_path):
    with server_process(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_the_error_for_a_taken_port_is_one_line(tmp_path):
    with server_process(tmp_path / "one") as (_, url):
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "localcloud", "--data", str(tmp_path / "two"), "--port", port]
        second = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert second.stderr.startswith(f"localcloud cannot listen on port {port}: ")
    assert len(second.stderr.splitlines()) == 1


def test_the_access_key_is_created_once_and_private(tmp_path):
    assert access_key(tmp_path) == access_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "mail" / "access-key").stat().st_mode) == 0o600


def test_free_ports_are_different_and_free():
    assert len(set(free_ports(20))) == 20
