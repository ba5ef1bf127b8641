"""The same small workflow on several durable engines: start; wait for an event, raced with a timer of 14 days; one
step; complete.

    python -m bench.peers [--workflows N] [--rounds N] [--plot FILE.svg]

In each round every engine that this machine has starts anew in an empty folder. It plays 50 workflows one after the
other, then a batch: all are started, all are approved, all are waited for, by 16 clients. The clients share the
machine with the engine; those of DBOS, which is a library, share its process as well.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from bench.errors import BenchError
from bench.peers.engines import ENGINES, Engine
from bench.peers.measured import Measured, Size, markdown, summarize
from bench.peers.plot import plot
from localcloud.errors import LocalCloudError


def main() -> int:
    """Measure what is there and print the table; 1 if an engine fails."""
    chosen = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was started ends
    size = Size(chosen.workflows, chosen.clients, chosen.singles)
    try:
        available = [engine for engine in ENGINES if _is_available(engine)]
        measured: dict[str, list[Measured]] = {engine.name: [] for engine in available}
        for number in range(chosen.rounds):
            for engine in available if number % 2 == 0 else reversed(available):
                measured[engine.name].append(_round(engine, size))
    except (BenchError, LocalCloudError) as failure:
        print(failure, file=sys.stderr)
        return 1
    first = measured[available[0].name]
    summaries = [summarize(engine.name, engine.synced, measured[engine.name], first) for engine in available]
    print(markdown(summaries))
    if chosen.plot:
        chosen.plot.write_text(plot(summaries), encoding="utf-8")
    return 0


def _is_available(engine: Engine) -> bool:
    missing = engine.missing()
    if missing:
        _progress(f"Without {engine.name}: {missing}")
    return not missing


def _round(engine: Engine, size: Size) -> Measured:
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        measured = engine.measure(Path(folder), size)
    _progress(f"{engine.name}: {measured.workflows_per_second:.1f} workflows per second")
    return measured


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, number, what in (
        ("--workflows", 200, "in a batch"),
        ("--clients", 16, "of a batch"),
        ("--singles", 50, "one after the other"),
        ("--rounds", 3, "of all engines"),
    ):
        parser.add_argument(name, type=int, default=number, metavar="N", help=f"{what}; default: %(default)s")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="write the figures as a drawing, too")
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
