"""Another commit of this repository in a temporary folder, ready to be started."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import CheckoutError
from localcloud import PROJECT
from localcloud.commands.bootstrap import DEPLOYMENT, DEVELOPMENT, prepare
from localcloud.platform.installed import DEPLOYED

_AZURITE = Path("localcloud") / "azurite"
_AZURITE_LOCK = _AZURITE / "package-lock.json"
_GIT_SECONDS = 120


@contextmanager
def checkout(ref: str, project: Path = PROJECT) -> Iterator[Path]:
    """Check out `ref` as a git worktree, which is removed afterwards.

    What is installed for this tree serves the other too where their lock files are the same; else it gets its own.
    Raises CheckoutError, InstallError.
    """
    commit = resolve(ref, project)
    with tempfile.TemporaryDirectory(prefix="bench-against-") as folder:
        tree = Path(folder) / "tree"
        added = _git(project, "worktree", "add", "--detach", str(tree), commit)
        if added.returncode != 0:
            raise CheckoutError(f"git could not check out {ref}: {added.stderr.strip()}")
        try:
            _install(tree, project)
            yield tree
        finally:
            _git(project, "worktree", "remove", "--force", str(tree))


def resolve(ref: str, project: Path = PROJECT) -> str:
    """Return the id of the commit that `ref` names. Raises CheckoutError if there is none."""
    if shutil.which("git") is None:
        raise CheckoutError("There is no git on PATH, which is needed to check out another commit.")
    if _git(project, "rev-parse", "--git-dir").returncode != 0:
        raise CheckoutError(
            f"{project} is not a git clone, so it has no other commit to measure against. Clone the repository."
        )
    found = _git(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode != 0:
        raise CheckoutError(
            f"This repository has no commit {ref}. Name a branch, a tag or a commit; `git log` lists them."
        )
    return found.stdout.strip()


def _install(tree: Path, project: Path) -> None:
    if _same(DEVELOPMENT, tree, project):
        (tree / ".venv").symlink_to(sys.prefix)
    else:
        prepare(tree / ".venv", tree / DEVELOPMENT, sys.executable)
    if _same(DEPLOYMENT, tree, project):
        _share(Path(f".venv-{DEPLOYED}"), tree, project)
    if _same(_AZURITE_LOCK, tree, project):
        _share(_AZURITE / "node_modules", tree, project)


def _same(file: str | Path, tree: Path, project: Path) -> bool:
    other = tree / file
    return other.is_file() and other.read_bytes() == (project / file).read_bytes()


def _share(folder: Path, tree: Path, project: Path) -> None:
    """Link to what this tree has installed; if it has nothing, the other tree installs it itself when it needs it."""
    if (project / folder).is_dir():
        (tree / folder).symlink_to((project / folder).resolve())


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Of a hook, git's own variables would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_GIT_SECONDS,
    )
