"""The deployment package: the app's folder without what `.funcignore` names."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pathspec import GitIgnoreSpec

from localcloud import PROJECT

_IGNORE = ".funcignore"


def build_package(target: Path, project: Path = PROJECT) -> Path:
    """Copy what is deployed into `target`, which must not exist; return it. Raises OSError.

    Of the folder as it lies there, not of what git knows: the Core Tools publish it the same way, so that what a tool
    left behind goes to production unless `.funcignore` names it.
    """
    lines = (project / _IGNORE).read_text(encoding="utf-8").splitlines()
    spec = GitIgnoreSpec.from_lines(lines)

    def left_out(folder: str, names: Iterable[str]) -> set[str]:
        return {name for name in names if spec.match_file(_as_listed(Path(folder, name), project))}

    return Path(shutil.copytree(project, target, ignore=left_out))


def _as_listed(path: Path, project: Path) -> str:
    """A path as patterns see it: relative, a folder with a slash at its end."""
    relative = path.relative_to(project).as_posix()
    return f"{relative}/" if path.is_dir() else relative
