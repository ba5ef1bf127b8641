"""What of the platform is installed on this machine: the Python that Azure runs, and the Functions Core Tools."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "3.13"
"""The version in production; requirements.txt is locked for it."""
NO_CORE_TOOLS = (
    "The Functions Core Tools are not on this machine: there is no `func` on PATH. Install them, or leave out "
    "--host func."
)

_CLOCK_LIBRARY = Path("clock") / "libshifted_clock.so"


def deployed_python(home: Path | None = None) -> Path | None:
    """Return Python 3.13 from PATH, else from pyenv, else None.

    The command is run to be sure: pyenv's is on PATH and fails where its version is not selected.
    """
    named = _python_of(f"python{DEPLOYED}")
    if named is not None:
        return named
    versions = (home or Path.home()) / ".pyenv" / "versions"
    found = (_python_of(str(each)) for each in sorted(versions.glob(f"{DEPLOYED}*/bin/python")))
    return next((each for each in found if each is not None), None)


def _python_of(command: str) -> Path | None:
    """Return the interpreter behind a command if it has the deployed version."""
    program = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    try:
        printed = subprocess.run([command, "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return None
    if printed.returncode != 0:
        return None
    version, executable = printed.stdout.split("\n")[:2]
    return Path(executable) if version == DEPLOYED else None


@dataclass(frozen=True)
class CoreTools:
    """`func`, and the library beside it that shifts a process's clock as the file $CLOCK_SHIFT_FILE says.

    The Core Tools as installed have no such library; then the engine keeps real time.
    """

    func: Path
    clock_library: Path | None


def find_core_tools() -> CoreTools | None:
    """Return the `func` on PATH, if there is one."""
    found = shutil.which("func")
    if found is None:
        return None
    func = Path(found).resolve()
    library = func.parent / _CLOCK_LIBRARY
    return CoreTools(func, library if library.is_file() else None)
