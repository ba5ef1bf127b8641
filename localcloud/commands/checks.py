"""`dev.py test`, `dev.py lint` and `dev.py bench`."""

from argparse import Namespace

from localcloud import PROJECT
from localcloud.azurite import ensure_installed
from localcloud.process.foreground import print_progress, run_module, run_python

_TYPED = (
    "function_app.py",
    "api",
    "orchestrators",
    "activities",
    "shared",
    "devhost",
    "localcloud",
    "samples",
    "bench",
    "dev.py",
)

# import-linter has no module that `python -m` can run.
_LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


# As many workers as cores; `-n 0` in the arguments takes none. The tests of a file share what they start, so they
# stay together, and the order of the files is that of tests/conftest.py.
_IN_PARALLEL = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")


def test(options: Namespace) -> int:
    """Run pytest; the tests start their own Azurite, so it is installed first."""
    ensure_installed()
    return run_module("pytest", [*_IN_PARALLEL, *options.rest])


def lint(_options: Namespace) -> int:
    """Run every check, even after a failure; return 1 if any failed."""
    failed = [name for name, arguments in _checks() if _check(name, arguments) != 0]
    print_progress(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def bench(options: Namespace) -> int:
    ensure_installed()
    return run_module("bench", options.rest)


def _checks() -> list[tuple[str, tuple[str, ...]]]:
    typed = tuple(
        name for name in _TYPED if (PROJECT / name).is_file() or any((PROJECT / name).rglob("*.py"))
    )
    return [
        ("ruff check", ("-m", "ruff", "check", ".")),
        ("ruff format", ("-m", "ruff", "format", "--check", ".")),
        ("mypy", ("-m", "mypy", *typed)),
        ("import-linter", ("-c", _LINT_IMPORTS)),
    ]


def _check(name: str, arguments: tuple[str, ...]) -> int:
    print_progress(f"── {name}")
    return run_python(arguments)
