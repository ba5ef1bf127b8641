"""The command line: `python -m devhost --app DIR --data DIR --port N [--forward PREFIX=URL]...`."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from devhost.errors import DevhostError, StartError
from devhost.forward import parse_forward
from devhost.running import running

_PROVIDER = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__type"
"""Overrides the storage provider of host.json: the task hub is in a file here, not in Azure Storage."""
_BROKEN = 1
_UNUSABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Returns 0; 2 if the app or the machine does not allow a start; 1 if the host fails later.
    """
    chosen = _parser().parse_args(arguments)
    os.umask(0o077)  # the state has people's names and addresses
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    try:
        forwards = dict(parse_forward(text) for text in chosen.forward)
        _read_local_settings(chosen.app)
        os.environ[_PROVIDER] = "devhost"
        asyncio.run(_serve(chosen, forwards))
    except StartError as failure:
        print(failure, file=sys.stderr)
        return _UNUSABLE
    except DevhostError as failure:
        print(failure, file=sys.stderr)
        return _BROKEN
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devhost", description="Run a function_app.py on this machine."
    )
    parser.add_argument("--app", type=Path, default=Path(), help="folder that holds function_app.py")
    parser.add_argument(
        "--data", type=Path, default=Path(".data/devhost"), help="folder for the durable state"
    )
    parser.add_argument("--port", type=int, default=7071, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="PREFIX=URL",
        help="pass a path prefix on to another server",
    )
    return parser


async def _serve(chosen: argparse.Namespace, forwards: dict[str, str]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(chosen.app, chosen.data, port=chosen.port, forwards=forwards) as host:
        print(f"Ready: {host.url}", flush=True)
        waits = [asyncio.create_task(event.wait()) for event in (stopped, host.broken)]
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if host.broken.is_set():
            raise DevhostError("The host is broken and stops; the reason is in the log above.")


def _read_local_settings(folder: Path) -> None:
    """Set the values of local.settings.json as environment variables, unless they are already set."""
    file = folder / "local.settings.json"
    if not file.exists():
        return
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig")).get("Values", {})
        for name, value in values.items():
            os.environ.setdefault(name, str(value))
    except (ValueError, AttributeError) as failure:
        raise StartError(
            f"{file} cannot be read ({failure}); it must be a JSON object with 'Values'."
        ) from failure
