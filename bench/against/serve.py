"""Runs the service of the tree in the current folder until its input ends.

`bench.against.service` hands this text to the Python of the measured tree (`python -c`), so it imports that tree's
localcloud, not this one's. It prints one line of JSON once the service is ready: where it is, and who runs the app.
"""

import json
import select
import sys
from pathlib import Path

from localcloud.commands.serve import chosen_host
from localcloud.process.foreground import print_progress
from localcloud.process.waiting import interruption
from localcloud.stack.stack import Stack

_POLL_SECONDS = 0.2


def main() -> None:
    data, host = sys.argv[1:]
    with interruption() as interrupted:
        stack = Stack(
            Path(data),
            samples=True,
            host=chosen_host(host),
            report=print_progress,
            interrupted=interrupted,
            access_log=True,
        )
        with stack:
            where = {
                "url": stack.url,
                "controls": stack.controls,
                "mail_url": stack.addresses.mail_url,
                "app_pid": stack.host.pid,
                "storage_log": str(stack.azurite.command.log),
            }
            print(json.dumps(where), flush=True)
            while not interrupted.is_set() and not _input_has_ended():
                ended = stack.first_ended()
                if ended is not None:
                    raise ended.failure(f"{ended.name} ended while it was measured ({ended.ending}).")


def _input_has_ended() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
    return bool(readable) and not sys.stdin.read(1)


if __name__ == "__main__":
    main()
