"""The Functions Core Tools on this machine: `func`, and what may lie beside it to move the engine's clock."""

import shutil
from dataclasses import dataclass
from pathlib import Path

_CLOCK_LIBRARY = Path("clock") / "libshifted_clock.so"
NO_CORE_TOOLS = (
    "The Functions Core Tools are not on this machine: there is no `func` on PATH. Install them, or leave out "
    "--host func."
)


@dataclass(frozen=True)
class CoreTools:
    """`func` itself, and the library that shifts a process's clock by what the file of $CLOCK_SHIFT_FILE says.

    The Core Tools come without such a library; then the engine keeps real time.
    """

    func: Path
    clock_library: Path | None


def find_core_tools() -> CoreTools | None:
    """Return the `func` of the search path, if there is one."""
    found = shutil.which("func")
    if found is None:
        return None
    func = Path(found).resolve()
    library = func.parent / _CLOCK_LIBRARY
    return CoreTools(func, library if library.is_file() else None)
