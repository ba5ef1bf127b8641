"""The Python that the app is deployed on, found on this machine. Standard library only."""

import subprocess
from pathlib import Path

DEPLOYED = "3.13"
"""What runs in production; requirements.txt is locked for it."""


def deployed_python(home: Path | None = None) -> Path | None:
    """Return Python 3.13: the one on PATH, else pyenv's; None if there is none.

    A command of that name is not enough: pyenv's stands on PATH and refuses where its version is not chosen.
    """
    named = _python_of(f"python{DEPLOYED}")
    if named is not None:
        return named
    versions = (home or Path.home()) / ".pyenv" / "versions"
    found = (_python_of(str(each)) for each in sorted(versions.glob(f"{DEPLOYED}*/bin/python")))
    return next((each for each in found if each is not None), None)


def _python_of(command: str) -> Path | None:
    """The interpreter behind a command, if it is the deployed version."""
    program = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    try:
        told = subprocess.run([command, "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return None
    if told.returncode != 0:
        return None
    version, executable = told.stdout.split("\n")[:2]
    return Path(executable) if version == DEPLOYED else None
