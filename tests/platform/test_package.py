"""The deployment package holds the app and nothing else."""

from pathlib import Path

import pytest

from localcloud.platform.package import build_package

APP = {"activities", "api", "function_app.py", "host.json", "orchestrators", "requirements.txt", "shared"}


def test_the_package_holds_the_app_and_nothing_else(tmp_path: Path) -> None:
    package = build_package(tmp_path / "package")
    assert {each.name for each in package.iterdir()} == APP


def test_the_package_holds_nothing_that_python_or_a_tool_left_behind(tmp_path: Path) -> None:
    package = build_package(tmp_path / "package")
    suffixes = {each.suffix for each in package.rglob("*") if each.is_file()}
    assert suffixes == {".html", ".j2", ".json", ".py", ".toml", ".txt"}
    assert not list(package.rglob("__pycache__"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with files that patterns tell apart."""
    folder = tmp_path / "project"
    for name in (
        "app.py",
        "docs/a.md",
        "api/docs/b.md",
        "api/docs.py",
        "api/build",
        "api/kept.tmp",
        "api/x.tmp",
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


@pytest.mark.parametrize(
    ("patterns", "packed"),
    [
        ("docs", {"app.py", "api/docs.py", "api/build", "api/kept.tmp", "api/x.tmp"}),
        ("/docs", {"app.py", "api/docs/b.md", "api/docs.py", "api/build", "api/kept.tmp", "api/x.tmp"}),
        ("docs/\nbuild/", {"app.py", "api/docs.py", "api/build", "api/kept.tmp", "api/x.tmp"}),
        ("docs\n*.tmp\n!kept.tmp", {"app.py", "api/docs.py", "api/build", "api/kept.tmp"}),
        ("docs\n!b.md\n# api\n\n*.tmp", {"app.py", "api/docs.py", "api/build"}),
    ],
    ids=["at any depth", "at the top", "folders only", "taken back", "not out of a folder left out"],
)
def test_patterns_mean_what_they_mean_to_git(
    project: Path, tmp_path: Path, patterns: str, packed: set[str]
) -> None:
    (project / ".funcignore").write_text(f".funcignore\n{patterns}\n")
    package = build_package(tmp_path / "package", project)
    files = {each.relative_to(package).as_posix() for each in package.rglob("*") if each.is_file()}
    assert files == packed
    assert all(any(each.iterdir()) for each in package.rglob("*") if each.is_dir())
