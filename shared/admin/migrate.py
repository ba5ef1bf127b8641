"""Bring the stored data to the version of this code: `python -m shared.admin.migrate [--stopped]`.

The app must be stopped. It refuses to start on data of another version, so a version that checks this does no harm;
but earlier ones did not check. It can be repeated: what is done is not done again.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from shared import clock
from shared.errors import ConfigurationError, DataOfAnotherVersion, ServiceError
from shared.settings import read_tables
from shared.storage.azure_tables import AzureTables
from shared.storage.heartbeats import Heartbeats
from shared.storage.migrations import migrate
from shared.storage.schema import CURRENT_VERSION, create_all_tables, version_of_data
from shared.storage.tables import Tables
from shared.wiring import tables_client

QUIET = timedelta(minutes=2)
"""Longer than the interval at which a running app records its sweep: an older record says that it does not run."""


class NotNow(Exception):
    """There is nothing that could be migrated, or it must not be migrated now; the text says what to do."""


async def migrate_data(
    tables: Tables, now: datetime, report: Callable[[str], None], *, stopped: bool = False
) -> None:
    """Migrate the data to the current version. `now` is the wall clock's; `stopped` says that no app can be running.

    Raises `NotNow`, `DataOfAnotherVersion` if the data is newer than this code, `RecordUnreadable`,
    `StoreUnavailable`.
    """
    await create_all_tables(tables)
    version = await version_of_data(tables)
    if version is None:
        raise NotNow(
            "There is no data in this storage. Check that it is the right one; a new one needs no migration."
        )
    if version > CURRENT_VERSION:
        raise DataOfAnotherVersion(stored=version, known=CURRENT_VERSION)
    if version == CURRENT_VERSION:
        report(f"The data is of version {version}, which is the current one: nothing to do.")
        return
    if not stopped:
        await _require_silence(tables, now)
    await migrate(tables, version, report)
    report(f"The data is of version {CURRENT_VERSION} now. Start the app.")


async def _require_silence(tables: Tables, now: datetime) -> None:
    """Raise `NotNow` if an app has been running on the data lately."""
    sweep = await Heartbeats(tables).sweep()
    if sweep and now - sweep.at < QUIET:
        seconds = int((now - sweep.at).total_seconds())
        raise NotNow(
            f"The app was running {seconds} seconds ago. Stop it, and run this again when it has been silent for "
            f"{QUIET // timedelta(minutes=1)} minutes; or with --stopped, if no instance of it can be running."
        )


async def _run(*, stopped: bool) -> None:
    account = read_tables()
    client = tables_client(account)
    print(f"The records at {client.url}, which {account.setting} names:", flush=True)  # noqa: T201
    tables = AzureTables(client)
    try:
        await migrate_data(tables, clock.wall_clock(), _print, stopped=stopped)
    finally:
        await tables.close()


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


def main() -> int:
    """Migrate; 1 if that is refused or storage fails, 2 if a setting is wrong or the data is newer."""
    parser = argparse.ArgumentParser(prog="migrate", description=__doc__)
    parser.add_argument(
        "--stopped", action="store_true", help="the app is stopped for certain: do not wait for its silence"
    )
    options = parser.parse_args()
    try:
        asyncio.run(_run(stopped=options.stopped))
    except ConfigurationError as malformed:
        print(malformed, file=sys.stderr)  # noqa: T201
        return 2
    except NotNow as refused:
        print(refused, file=sys.stderr)  # noqa: T201
        return 1
    except ServiceError as failed:
        print(f"{failed} Run this again: it continues where it ended.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
