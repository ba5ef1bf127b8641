"""The deployment package: the project's folder without what `.funcignore` excludes."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pathspec import GitIgnoreSpec

from localcloud import PROJECT

_IGNORE = ".funcignore"


def build_package(target: Path, project: Path = PROJECT) -> Path:
    """Copy what is deployed to `target`, which must not exist, and return it. Raises OSError.

    Like the Core Tools, it copies the folder as it is on disk, whether git tracks a file or not. So files that tools
    leave behind are published unless `.funcignore` excludes them.
    """
    lines = (project / _IGNORE).read_text(encoding="utf-8").splitlines()
    spec = GitIgnoreSpec.from_lines(lines)

    def excluded(folder: str, names: Iterable[str]) -> set[str]:
        return {name for name in names if spec.match_file(_pattern_path(Path(folder, name), project))}

    return Path(shutil.copytree(project, target, ignore=excluded))


def _pattern_path(path: Path, project: Path) -> str:
    """Return a path as patterns expect it: relative, with a slash at the end of a folder."""
    relative = path.relative_to(project).as_posix()
    return f"{relative}/" if path.is_dir() else relative
