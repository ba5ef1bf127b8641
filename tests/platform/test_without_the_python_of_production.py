"""A machine without production's Python: tests here say so and are left out, except where CI is set."""

import os
import subprocess
import sys
from pathlib import Path

from localcloud import PROJECT
from localcloud.commands.bootstrap import NO_DEPLOYED_PYTHON


def run_tests(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of indexing where neither PATH nor pyenv has that Python."""
    settings = {name: value for name, value in os.environ.items() if name != "CI"}
    settings |= {"PATH": str(home), "HOME": str(home), "COLUMNS": "300", **environment}
    command = [sys.executable, "-m", "pytest", "-q", "tests/platform/test_indexing.py"]
    return subprocess.run(
        command, cwd=PROJECT, env=settings, capture_output=True, text=True, timeout=100, check=False
    )


def test_one_line_says_what_is_missing_and_the_tests_are_skipped(tmp_path: Path) -> None:
    told = run_tests(tmp_path)
    assert told.returncode == 0
    assert told.stdout.count(NO_DEPLOYED_PYTHON) == 1
    assert " skipped in " in told.stdout
    assert " passed" not in told.stdout


def test_where_ci_is_set_it_is_a_failure(tmp_path: Path) -> None:
    told = run_tests(tmp_path, CI="1")
    assert told.returncode == 1
    assert NO_DEPLOYED_PYTHON in told.stdout
