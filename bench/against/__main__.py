"""`dev.py bench --against REF`: this tree and another commit, measured in turn in one run.

Each tree's service runs from its own code, on its own data, and is driven over HTTP. Both run all the time, and are
measured in turn, round by round, the order changing each round: what else the machine does then meets both. CPU is
what the kernel counts for the app's processes until all that was asked for is done and its mails are in the sink.
Storage requests are those in Azurite's log; with `--host func` the engine's are among them. Of the invitations
that expire (`--expiries`), nobody answers any: one jump of the clock passes all reminders, a second all deadlines.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

import httpx

from bench.against.checkout import checkout, resolve
from bench.against.ratios import Figures, compare, table
from bench.against.rounds import INVITATIONS_PER_DEAL, Rounds
from bench.against.service import running
from bench.errors import BenchError, CheckoutError
from localcloud import PROJECT
from localcloud.errors import LocalCloudError

_MISTAKE, _FAILED = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the ratios; 2 if REF names no commit, 1 if something else fails."""
    chosen = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)  # so that the services end and the checkout is removed
    try:
        resolve(chosen.against)
        measure(chosen)
    except CheckoutError as mistake:
        print(mistake, file=sys.stderr)
        return _MISTAKE
    except (BenchError, LocalCloudError, httpx.HTTPError) as failure:
        print(str(failure) or repr(failure), file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="dev.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--against", required=True, metavar="REF", help="a commit, branch or tag")
    made.add_argument("--host", choices=("devhost", "func"), default="devhost", help="default: %(default)s")
    made.add_argument("--rounds", type=_positive, default=3, metavar="N", help="default: %(default)s")
    made.add_argument(
        "--deals", type=_positive, default=24, metavar="N", help="in each round; default: %(default)s"
    )
    made.add_argument(
        "--expiries",
        type=_invitations,
        default=300,
        metavar="N",
        help="invitations that expire at one jump, in each round; 0 for none; default: %(default)s",
    )
    return made


def measure(chosen: argparse.Namespace) -> None:
    """Start both services, play the rounds, print the table."""
    with ExitStack() as started:
        other = started.enter_context(checkout(chosen.against))
        trees = {"this": PROJECT, chosen.against: other}
        _progress(f"Starting this tree and {chosen.against} on {chosen.host}")
        players = [
            Rounds(started.enter_context(running(name, tree, chosen.host))) for name, tree in trees.items()
        ]
        measured: list[list[Figures]] = [[], []]
        _progress("Warming up")
        for player in players:
            asyncio.run(player.play(INVITATIONS_PER_DEAL, min(chosen.expiries, INVITATIONS_PER_DEAL)))
        for number in range(chosen.rounds):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                start = time.perf_counter()
                measured[which].append(asyncio.run(players[which].play(chosen.deals, chosen.expiries)))
                _progress(
                    f"Round {number + 1} of {chosen.rounds}, {list(trees)[which]}: "
                    f"{time.perf_counter() - start:.0f} s"
                )
    print(
        f"{chosen.host}, {chosen.rounds} rounds of {chosen.deals} deals and {chosen.expiries} expiries; "
        "medians, and the median of the rounds' ratios"
    )
    print(table(compare(*measured), chosen.against))


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return int(text)


def _invitations(text: str) -> int:
    if not text.isdigit() or int(text) % INVITATIONS_PER_DEAL:
        raise argparse.ArgumentTypeError(
            f"{text} is not a multiple of {INVITATIONS_PER_DEAL}, which is how many invitations a deal has"
        )
    return int(text)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
