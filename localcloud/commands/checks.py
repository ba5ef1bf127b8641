"""`dev.py test`, `dev.py lint` and `dev.py bench`."""

from argparse import Namespace

from localcloud.azurite import ensure_installed
from localcloud.commands.modules import run_module
from localcloud.process.progress import tell
from localcloud.project import PROJECT

_TYPED = (
    "function_app.py",
    "api",
    "orchestrators",
    "activities",
    "shared",
    "devhost",
    "localcloud",
    "samples",
    "dev.py",
)


def test(options: Namespace) -> int:
    """Run pytest; the tests start their own Azurite, so it is installed first."""
    ensure_installed()
    return run_module("pytest", options.rest)


def lint(_options: Namespace) -> int:
    """Run every check, also after one has failed; 1 if any did."""
    failed = [name for name, module, arguments in _checks() if _check(name, module, arguments) != 0]
    tell(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def bench(options: Namespace) -> int:
    ensure_installed()
    return run_module("bench", options.rest)


def _checks() -> list[tuple[str, str, tuple[str, ...]]]:
    typed = tuple(
        name for name in _TYPED if (PROJECT / name).is_file() or any((PROJECT / name).rglob("*.py"))
    )
    return [
        ("ruff check", "ruff", ("check", ".")),
        ("ruff format", "ruff", ("format", "--check", ".")),
        ("mypy", "mypy", typed),
        ("import-linter", "importlinter.cli", ()),
    ]


def _check(name: str, module: str, arguments: tuple[str, ...]) -> int:
    tell(f"── {name}")
    return run_module(module, arguments)
