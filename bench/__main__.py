"""Everything that is measured: `python3 dev.py bench [--referrals SIZES]`. Takes some minutes."""

import argparse

from bench import devhost_bench, edit_bench, list_bench, slice_bench
from bench.slice_bench import show


def main() -> None:
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Measure the service on this machine.")
    parser.add_argument("--referrals", default=",".join(map(str, list_bench.SIZES)))
    sizes = [int(size) for size in parser.parse_args().referrals.split(",")]
    print("devhost alone: start, wait, event, activity, complete")
    show(devhost_bench.run())
    print("\nThe slice over HTTP: deals created, accepted by two parties, and told by mail")
    show(slice_bench.run())
    print("\nEdits, and a creation with ten invitations")
    show(edit_bench.run())
    print("\nLists of an organization with many referrals")
    list_bench.show(list_bench.run(sizes))


if __name__ == "__main__":
    main()
