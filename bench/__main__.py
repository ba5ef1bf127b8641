"""`python3 dev.py bench`: everything that is measured, which takes some minutes.

    python3 dev.py bench [--referrals SIZES]
    python3 dev.py bench --against REF [OPTIONS]   this tree and another commit in turn; `--against REF --help`

Durable engines of others do the workflow of the first measurement in `python -m bench.peers`.
"""

import argparse
import subprocess
import sys

from bench.against.__main__ import main as measure_against
from bench.list_bench import SIZES


def main() -> int:
    """Run each benchmark in a process of its own, since each counts what its app does; 1 if one fails."""
    if any(argument.split("=")[0] == "--against" for argument in sys.argv):
        return measure_against()
    parser = argparse.ArgumentParser(
        prog="dev.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--referrals", default=",".join(map(str, SIZES)), help="sizes for the lists")
    sizes = parser.parse_args().referrals
    failed = False
    for title, module, *arguments in (
        ("devhost alone: start, wait, event, activity, complete", "bench.devhost_bench"),
        ("The slice over HTTP: deals created, accepted by two, notified by mail", "bench.slice_bench"),
        ("Edits, and a creation with ten invitations", "bench.edit_bench"),
        ("One request for information to many companies", "bench.lead_bench"),
        ("Lists of an organization with many referrals", "bench.list_bench", "--referrals", sizes),
    ):
        print(f"\n{title}", flush=True)
        failed = _run(module, *arguments) != 0 or failed
    return int(failed)


def _run(module: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
