"""Data directories that cannot be used: damaged, foreign, a file, full or read-only. Each error is one line."""

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError

from localcloud import private_files
from localcloud.commands import dispatch, parser
from localcloud.errors import UnusableDataError
from localcloud.mail import store as mail_store
from localcloud.private_files import read_or_create, replace_private, usable
from localcloud.process import children
from localcloud.process.children import identify
from localcloud.server import running
from localcloud.stack.hosts import Devhost
from localcloud.stack.stack import Stack

PROJECT = Path(__file__).parents[2]
HOST = (sys.executable, str(Path(__file__).with_name("stand_in_host.py")))
LARGE = "x" * 100_000


async def send(cloud, message, operation_id):
    async with EmailClient(cloud.url, AzureKeyCredential(cloud.access_key), retry_total=0) as client:
        await client.begin_send(message, polling=False, operation_id=operation_id)


@pytest.fixture
async def mails_file(tmp_path, a_message):
    """The database of a sink that ran in tmp_path, with a few hundred pages."""
    async with running(tmp_path) as cloud:
        for number in range(10):
            await send(cloud, a_message(plainText=LARGE), f"op-{number}")
    return tmp_path / "mail" / "mail.sqlite"


def text_file(file):
    file.write_text("something else " * 100)


def cut_short(file):
    os.truncate(file, file.stat().st_size // 2)


def overwritten(file):
    with file.open("r+b") as opened:
        opened.seek(3 * 4096)
        opened.write(os.urandom(40 * 4096))


def of_another_program(file):
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def marked_by_another_program(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA application_id = 7")


def of_another_version(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def a_directory(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (text_file, "is damaged (file is not a database)"),
        (cut_short, "is damaged ("),
        (overwritten, "is damaged ("),
        (of_another_program, "is another program's"),
        (marked_by_another_program, "is another program's"),
        (of_another_version, "has version 99 of the layout, and this sink reads version 1"),
        (a_directory, "cannot be opened for writing (unable to open database file)"),
    ],
)
def test_the_error_for_a_damaged_or_foreign_mail_database_is_one_line(mails_file, damage, message):
    damage(mails_file)
    before = mails_file.read_bytes() if mails_file.is_file() else b""
    text = refused(mails_file.parents[1])
    assert message in text
    assert len(text.splitlines()) == 1
    assert "move it away" in text or "choose another one with --data" in text
    assert mails_file.is_dir() or mails_file.read_bytes() == before


def refused(data):
    command = [sys.executable, "-m", "localcloud", "--data", str(data), "--port", "0"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def test_the_error_for_a_file_as_data_directory_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    text = refused(tmp_path / "file")
    assert "cannot be made: a file is in its place. Choose another directory with --data." in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["run"], ["demo"], ["mail"], ["token", "--as", "a/b"], ["check"], ["migrate"]]
)
def test_every_command_refuses_a_file_as_data_directory(tmp_path, capsys, command):
    (tmp_path / "file").touch()
    options = parser.parse([*command, "--data", str(tmp_path / "file")])
    code, output = dispatch.dispatch(options), capsys.readouterr()
    assert (code, output.out) == (1 if command in (["check"], ["migrate"]) else 2, "")
    assert len(output.err.splitlines()) == 1
    assert "--data" in output.err


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            "cannot be written: its disk is full. Free space there, or choose another with --data.",
        ),
        (errno.EROFS, "cannot be used (Read-only file system). Make it writable"),
        (errno.EACCES, "cannot be used (Permission denied). Make it writable"),
        (errno.ENOTDIR, "cannot be made: a file is in its place"),
    ],
)
def test_an_error_of_the_file_system_says_what_to_do(tmp_path, number, message):
    with pytest.raises(UnusableDataError) as refusal, usable(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(refusal.value).startswith(f"{tmp_path} {message}")


def test_writers_of_private_files_report_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(private_files.os, "fsync", full)
    with pytest.raises(UnusableDataError):
        read_or_create(tmp_path / "key", lambda: b"key")
    with pytest.raises(UnusableDataError):
        replace_private(tmp_path / "record", b"{}")
    assert list(tmp_path.iterdir()) == []


def no_room(connection):
    """Let the file grow no further, as on a full disk."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def read_only(connection):
    connection.execute("PRAGMA query_only = ON")


def room(connection):
    connection.execute("PRAGMA query_only = OFF")
    connection.execute("PRAGMA max_page_count = 1000000000")


@pytest.fixture
def connections(monkeypatch):
    """The sinks' connections."""
    opened, really_open = [], mail_store.open_checked

    def open_checked(path):
        opened.append(really_open(path))
        return opened[-1]

    monkeypatch.setattr(mail_store, "open_checked", open_checked)
    return opened


@pytest.mark.parametrize("disk", [no_room, read_only])
async def test_a_mail_that_cannot_be_stored_is_not_accepted(connections, cloud, mails, a_message, disk):
    disk(connections[0])
    for _ in range(2):
        with pytest.raises(HttpResponseError) as refusal:
            await send(cloud, a_message(plainText=LARGE), "op-1")
        assert refusal.value.status_code == 503
        assert refusal.value.response.headers["Retry-After"] == "5"
        assert "Nothing was stored: " in refusal.value.message
    assert await mails() == []
    room(connections[0])
    await send(cloud, a_message(plainText=LARGE), "op-1")
    assert [(mail["operationId"], mail["attempts"]) for mail in await mails()] == [("op-1", 1)]


class Stubborn(sqlite3.Connection):
    """A connection that refuses the next commit when asked to."""

    refuses = False

    def execute(self, statement, *parameters):
        if statement == "COMMIT" and self.refuses:
            self.refuses = False
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(statement, *parameters)


async def test_a_failed_commit_does_not_break_the_next_one(tmp_path, monkeypatch, a_message):
    really_connect = sqlite3.connect
    made = []

    def connect(*arguments, **options):
        made.append(really_connect(*arguments, **options, factory=Stubborn))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connect)
    async with running(tmp_path) as cloud:
        made[0].refuses = True
        with pytest.raises(HttpResponseError) as refusal:
            await send(cloud, a_message(), "op-1")
        assert refusal.value.status_code == 503
        await send(cloud, a_message(), "op-1")


def test_every_process_is_stopped_even_if_the_disk_is_full(tmp_path, monkeypatch):
    lines = []
    with Stack(tmp_path / "data", host=Devhost(HOST), report=lines.append) as stack:
        pids = [member.pid for member in stack.members]
        monkeypatch.setattr(children, "replace_private", full_disk)
        monkeypatch.setattr(stack._lock, "set_holder", full_disk)
    assert not any(identify(pid) for pid in pids)
    assert lines.count("The disk is full.") == 1 + len(pids)


def full_disk(*_):
    raise UnusableDataError("The disk is full.")
