"""Finds a Python that has the platform's indexer."""

import os
import subprocess
from pathlib import Path

from localcloud.platform.python import DEPLOYED
from localcloud.project import PROJECT

PYTHON, PACKAGES = "PLATFORM_INDEXER_PYTHON", "PLATFORM_INDEXER_PACKAGES"


def find_indexer() -> tuple[list[str], dict[str, str]] | str:
    """Return the command and the environment of a Python with the indexer, or a line that says what is missing.

    The Python is $PLATFORM_INDEXER_PYTHON, else the environment of the deployment; $PLATFORM_INDEXER_PACKAGES is a
    folder of packages beside it.
    """
    python = os.environ.get(PYTHON) or str(PROJECT / f".venv-{DEPLOYED}" / "bin" / "python")
    environment = {**os.environ, "PYTHONPATH": os.environ.get(PACKAGES, "")}
    if not Path(python).exists():
        return f"there is no Python {DEPLOYED} at {python}; name one that has the app's requirements in ${PYTHON}"
    tried = subprocess.run(
        [python, "-c", "import azure_functions_runtime"], env=environment, capture_output=True, check=False
    )
    if tried.returncode != 0:
        return f"{python} has no azure-functions-runtime; install it, or name its folder in ${PACKAGES}"
    return [python], environment
