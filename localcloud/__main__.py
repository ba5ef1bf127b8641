"""`python -m localcloud --data DIR --port N [further options]`: the mail sink and the token issuer."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from localcloud.errors import LocalCloudError
from localcloud.platform.engine_clock import (
    HUB,
    HUB_SETTING,
    STORAGE_SETTING,
    ClockFiles,
    EngineClock,
    engine_clock,
)
from localcloud.private_files import PRIVATE
from localcloud.server import is_loopback, running


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.umask(PRIVATE)
    if options.engine_of is not None and (
        options.clock_offset_file is None or STORAGE_SETTING not in os.environ
    ):
        parser.error(f"--engine-of needs --clock-offset-file, and {STORAGE_SETTING} in the environment")
    try:
        asyncio.run(_serve(options))
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with (
        _engine_clock(options) as engine_clock,
        running(
            options.data,
            port=options.port,
            clock_offset_file=options.clock_offset_file,
            mail_events_url=options.mail_events_url,
            engine_clock=engine_clock,
        ) as cloud,
    ):
        print(f"Ready: {cloud.url}", flush=True)
        await ended.wait()


@asynccontextmanager
async def _engine_clock(options: argparse.Namespace) -> AsyncIterator[EngineClock | None]:
    """Connect to the durable engine of the host `--engine-of`; the environment names its storage."""
    if options.engine_of is None:
        yield None
        return
    files = ClockFiles(options.clock_offset_file, options.clock_shift_file)
    storage, hub = os.environ[STORAGE_SETTING], os.environ.get(HUB_SETTING, HUB)
    async with engine_clock(options.engine_of, files, storage, hub) as clock:
        yield clock


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the directory for keys and mails")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--clock-offset-file", type=Path, help="microseconds between wall clock and domain clock"
    )
    parser.add_argument(
        "--engine-of",
        type=_loopback_url,
        metavar="URL",
        help="the Functions host with the real durable engine, whose clock this server moves",
    )
    parser.add_argument(
        "--clock-shift-file", type=Path, help="microseconds by which the engine's clock is shifted"
    )
    parser.add_argument(
        "--mail-events-url",
        type=_loopback_url,
        metavar="URL",
        help="where delivery reports go; the secret of the data directory is added as the parameter `key`",
    )
    return parser


def _loopback_url(text: str) -> str:
    if not (text.startswith("http://") and is_loopback(text) and _has_valid_port(text)):
        raise argparse.ArgumentTypeError(
            f"{text} must be an http URL of this machine: delivery reports contain addresses"
        )
    return text


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
