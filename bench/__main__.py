"""Everything that is measured: `python3 dev.py bench [--referrals SIZES]`. Takes some minutes."""

import argparse
import subprocess
import sys

from bench.list_bench import SIZES


def main() -> int:
    """Run each benchmark in a process of its own, since each counts what its app does; 1 if one fails."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Measure the service on this machine.")
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
        ended = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
        failed = failed or ended.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
