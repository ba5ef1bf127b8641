"""`python -m localcloud --data DIR --port N [--clock-offset-file F]`: the mail sink and the token issuer."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.server import running


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options.data, options.port, options.clock_offset_file))
    except OSError as error:
        sys.stderr.write(
            f"localcloud cannot listen on port {options.port}: {error.strerror}. Choose another --port.\n"
        )
        return 2
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(data: Path, port: int, clock_offset_file: Path | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with running(data, port=port, clock_offset_file=clock_offset_file) as cloud:
        print(f"Ready: {cloud.url}", flush=True)
        await ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="where keys and mails are kept")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--clock-offset-file", type=Path, help="microseconds between wall clock and domain clock"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
