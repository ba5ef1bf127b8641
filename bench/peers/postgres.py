"""A PostgreSQL server of the machine's own package, in a temporary folder, on a unix socket."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.process.children import ChildRecord
from localcloud.process.member import Command, Member

_DEBIAN = Path("/usr/lib/postgresql")
_SUPERUSER = "postgres"
_START_SECONDS = 60.0
_DURABLE = ("-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on")


def missing() -> str:
    """Return what this machine lacks, in a line, or nothing."""
    if _program("initdb") is None:
        return "There is no PostgreSQL on this machine (Debian and Ubuntu: apt install postgresql)."
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and there is no setpriv to start it as another user."
    return ""


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a new server in `folder`; gives the URL of a database and the server's pid. Raises MemberError."""
    initdb, server, ready = (_program(name) for name in ("initdb", "postgres", "pg_isready"))
    assert initdb is not None
    assert server is not None
    assert ready is not None
    as_user = _as_unprivileged_user(folder)
    data = folder / "postgres"
    create = [str(initdb), "--pgdata", str(data), "--username", _SUPERUSER, "--auth", "trust", "--no-sync"]
    subprocess.run([*as_user, *create], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    # Another program may listen on the port: it only names the socket here.
    listen = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}")
    command = Command(
        "postgres",
        (*as_user, str(server), "-D", str(data), *listen, *_DURABLE),
        {**os.environ, "LC_ALL": "C"},
        folder,
        folder / "postgres.log",
    )
    asked = [str(ready), "--quiet", "--host", str(folder)]
    member = Member(
        command,
        ChildRecord(folder / "children.json"),
        lambda: subprocess.run(asked, check=False).returncode == 0,
    )
    try:
        member.start()
        member.wait_ready(_START_SECONDS)
        yield f"postgresql://{_SUPERUSER}@/bench?host={folder}", member.pid
    finally:
        member.stop()


def _program(name: str) -> Path | None:
    """Find a server program: on PATH, or the newest of Debian's versions."""
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda file: int(file.parts[-3]), reverse=True)
    found = shutil.which(name)
    return versions[0] if versions else Path(found) if found else None


def _as_unprivileged_user(folder: Path) -> tuple[str, ...]:
    """PostgreSQL refuses to run as root: give it the folder and a user of its own then."""
    if os.geteuid() != 0:
        return ()
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--")
