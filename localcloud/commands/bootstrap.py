"""Makes the virtual environments of the project and restarts dev.py inside them. Standard library only."""

import os
import subprocess
import sys
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from localcloud import PROJECT
from localcloud.errors import InstallError
from localcloud.platform.installed import DEPLOYED, deployed_python
from localcloud.process.foreground import run_with_progress
from localcloud.process.locks import exclusive_lock

DEVELOPMENT, DEPLOYMENT = "requirements-dev.txt", "requirements.txt"
NO_DEPLOYED_PYTHON = (
    f"Python {DEPLOYED}, which the app is deployed on, is not on this machine: there is no `python{DEPLOYED}` on "
    "PATH and none in pyenv. Install it and start again."
)

_NO_VENV = (
    "This Python cannot make virtual environments. Install its venv module "
    "(Debian and Ubuntu: apt install python3-venv) and start again."
)
_NO_PACKAGES = "Check the network and the package index of this machine, then start again."


def enter_environment(project: Path = PROJECT, *, on_deployed: bool = False) -> None:
    """Make the virtual environment up to date, and restart this program in it unless it runs there already.

    `on_deployed` selects the environment for tests on the Python of production. Raises InstallError.
    """
    if on_deployed:
        environment = deployed_environment(DEVELOPMENT, project)
    else:
        environment = project / ".venv"
        prepare(environment, project / DEVELOPMENT, sys.executable)
    if Path(sys.prefix).resolve() != environment.resolve():
        _restart_in(environment)


def deployed_environment(requirements: str = DEPLOYMENT, project: Path = PROJECT) -> Path:
    """Make an environment with production's Python and only these requirements; return it. Raises InstallError."""
    python = deployed_python()
    if python is None:
        raise InstallError(NO_DEPLOYED_PYTHON)
    environment = project / f".venv-{DEPLOYED}{'-dev' if requirements == DEVELOPMENT else ''}"
    prepare(environment, project / requirements, str(python), clear=requirements == DEPLOYMENT)
    return environment


def prepare(environment: Path, requirements: Path, python: str, *, clear: bool = False) -> None:
    """Make the environment with this Python and install the locked packages, unless that was done before.

    `clear` empties it first, so that packages of an earlier lock are gone. Several processes may call this at once:
    one installs, the others wait. Raises InstallError.
    """
    stamp = environment / ".installed-lock"
    with exclusive_lock(requirements):
        wanted = sha256(requirements.read_bytes()).hexdigest()
        if _works(environment) and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
            return
        if clear or not _works(environment):
            _create(environment, python)
        _install(environment, requirements)
        stamp.write_text(wanted, encoding="ascii")


def _works(environment: Path) -> bool:
    """Return whether the environment's Python starts and has pip. An upgrade of the system's Python can break it."""
    try:
        probe = subprocess.run([_python(environment), "-c", "import pip"], capture_output=True, check=False)
    except OSError:
        return False
    return probe.returncode == 0


def _create(environment: Path, python: str) -> None:
    if python == sys.executable and (find_spec("ensurepip") is None or find_spec("venv") is None):
        raise InstallError(_NO_VENV)
    run_with_progress(
        f"Making the virtual environment {environment.name}",
        [python, "-m", "venv", "--clear", str(environment)],
        directory=environment.parent,
        advice=_NO_VENV,
    )


def _install(environment: Path, requirements: Path) -> None:
    run_with_progress(
        "Installing the locked packages",
        [str(_python(environment)), "-m", "pip", "install", "--require-hashes", "-r", str(requirements)],
        directory=requirements.parent,
        environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        advice=_NO_PACKAGES,
    )


def _restart_in(environment: Path) -> NoReturn:
    python = str(_python(environment))
    os.execv(python, [python, *sys.argv])  # noqa: S606 - no shell is wanted


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"
