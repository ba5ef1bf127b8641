import json
import os
import stat
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient

from localcloud import azurite
from localcloud.azurite import install
from localcloud.azurite.install import Node, machine_node
from localcloud.errors import InstallError

PACKAGE = Path(install.__file__).parent


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with azurite.running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


def table(connection_string, name="people"):
    return TableServiceClient.from_connection_string(connection_string).create_table_if_not_exists(name)


def test_an_entity_makes_the_round_trip(emulator):
    with table(emulator.connection_string) as people:
        people.create_entity({"PartitionKey": "contoso", "RowKey": "rae", "name": "Rae"})
        assert people.get_entity("contoso", "rae")["name"] == "Rae"


def test_rows_survive_an_end_by_sigterm(emulator):
    with table(emulator.connection_string) as people:
        people.upsert_entity({"PartitionKey": "contoso", "RowKey": "kim", "name": "Kim"})
        emulator.stop()
        assert emulator.ending == "exit code 0"
        emulator.start_and_wait()
        assert people.get_entity("contoso", "kim")["name"] == "Kim"


def test_another_key_is_refused(emulator):
    stranger = emulator.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    with pytest.raises(HttpResponseError):
        table(stranger)


def test_the_account_key_is_kept_private_and_in_no_command_line(emulator):
    file = emulator.command.directory / "azurite-account-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() in emulator.connection_string
    assert not any(file.read_text() in argument for argument in emulator.command.arguments)


def test_the_version_is_pinned_and_no_registry_is_named():
    assert json.loads((PACKAGE / "package.json").read_text())["dependencies"] == {"azurite": "3.35.0"}
    packages = json.loads((PACKAGE / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in packages.items() if name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A separate installation folder with a lock file and nothing installed."""
    (tmp_path / "package-lock.json").write_text("{}")
    monkeypatch.setattr(install, "_FOLDER", tmp_path)
    monkeypatch.setattr(install, "_LOCK", tmp_path / "package-lock.json")
    monkeypatch.setattr(install, "_STAMP", tmp_path / "node_modules" / ".installed-lock")
    return tmp_path


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_failed_npm_is_reported_with_the_end_of_its_output(folder, monkeypatch):
    npm = program(folder / "npm", "echo some progress; echo ENOTFOUND the.registry >&2; exit 7")
    monkeypatch.setattr(install, "machine_node", lambda: Node(Path("node"), (str(npm),)))
    with pytest.raises(InstallError) as failed:
        install.ensure_installed()
    first, *tail = str(failed.value).splitlines()
    assert first.startswith("Installing Azurite failed (exit code 7). Check the network")
    assert tail == ["some progress", "ENOTFOUND the.registry"]


def test_azurite_is_installed_once_per_lock_file(folder, monkeypatch):
    npm = program(folder / "npm", f"mkdir -p {folder}/node_modules; echo npm $1 >> {folder}/calls")
    monkeypatch.setattr(install, "machine_node", lambda: Node(Path("node"), (str(npm),)))
    for _ in range(2):
        install.ensure_installed()
    (folder / "package-lock.json").write_text('{"changed": true}')
    install.ensure_installed()
    assert (folder / "calls").read_text() == "npm ci\nnpm ci\n"


@pytest.mark.parametrize(
    ("version", "taken"), [("v17.9.1", False), ("v18.0.0", True), ("v20.20.2", True), ("?", False)]
)
def test_the_machines_node_is_used_from_version_18_on(tmp_path, monkeypatch, version, taken):
    program(tmp_path / "node", f"echo {version}")
    program(tmp_path / "npm", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (machine_node() is not None) is taken


def test_without_npm_the_machines_node_is_not_used(tmp_path, monkeypatch):
    program(tmp_path / "node", "echo v20.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine_node() is None


def test_without_node_its_python_package_is_installed(folder, monkeypatch):
    wheel = Node(folder / "bin" / "node", (str(program(folder / "npm", f"mkdir -p {folder}/node_modules")),))
    found = [None, wheel]
    commands = []
    monkeypatch.setattr(install, "machine_node", lambda: None)
    monkeypatch.setattr(install, "wheel_node", lambda: found.pop(0))
    real = install.run_with_progress
    monkeypatch.setattr(
        install,
        "run_with_progress",
        lambda title, command, **rest: (
            commands.append(command) if "pip" in command else real(title, command, **rest)
        ),
    )
    assert install.ensure_installed() is wheel
    assert commands[0][-1] == os.fspath(folder / "requirements-node.txt")
    assert "--require-hashes" in commands[0]
