"""Everything that is measured: `python3 dev.py bench`. Takes a minute or two."""

from bench import devhost_bench, slice_bench
from bench.slice_bench import show


def main() -> None:
    print("devhost alone: start, wait, event, activity, complete")
    show(devhost_bench.run())
    print("\nThe slice over HTTP: deals created, accepted by two parties, and told by mail")
    show(slice_bench.run())


if __name__ == "__main__":
    main()
