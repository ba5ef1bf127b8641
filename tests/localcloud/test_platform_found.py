"""Which parts of the platform are found on this machine: a command of the right name is not enough."""

from pathlib import Path

import pytest

from localcloud.platform.installed import CoreTools, deployed_python, find_core_tools


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def python(path: Path, version: str) -> Path:
    return program(path, f"echo {version}; echo {path}")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_python_of_production_is_the_one_on_path(commands: Path, tmp_path: Path) -> None:
    expected = python(commands / "python3.13", "3.13")
    python(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.13")
    assert deployed_python(tmp_path) == expected


@pytest.mark.parametrize(
    "on_path", ["echo not installed >&2; exit 127", "echo 3.12; echo /usr/bin/python3.12"]
)
def test_a_command_that_only_has_the_name_is_skipped_for_pyenvs(
    commands: Path, tmp_path: Path, on_path: str
) -> None:
    program(commands / "python3.13", on_path)
    expected = python(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.13")
    assert deployed_python(tmp_path) == expected


@pytest.mark.usefixtures("commands")
def test_another_version_in_pyenv_is_not_used(tmp_path: Path) -> None:
    python(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.12")
    python(tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python", "3.12")
    assert deployed_python(tmp_path) is None


@pytest.mark.usefixtures("commands")
def test_without_func_on_path_there_are_no_core_tools() -> None:
    assert find_core_tools() is None


def test_the_clock_library_is_found_beside_the_target_of_a_linked_func(
    commands: Path, tmp_path: Path
) -> None:
    func = program(tmp_path / "tools" / "func", "exit 0")
    (commands / "func").symlink_to(func)
    assert find_core_tools() == CoreTools(func, None)
    library = tmp_path / "tools" / "clock" / "libshifted_clock.so"
    library.parent.mkdir()
    library.touch()
    assert find_core_tools() == CoreTools(func, library)
