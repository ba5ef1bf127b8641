"""Load the sample data into an empty directory: `python -m samples.load`.

It is loaded only if the mail endpoint is on loopback, so that no sample mail can reach a real mailbox.
"""

import asyncio
import ipaddress
import sys
from urllib.parse import urlsplit

from samples.world import load
from shared.admin.directory_import import DirectoryDocument, import_directory, open_directory
from shared.errors import ConfigurationError
from shared.settings import read_settings


class NotOnLoopback(Exception):
    """The mail endpoint could reach real mailboxes."""


def require_loopback(mail_endpoint: str) -> None:
    """Raise `NotOnLoopback` unless the mail endpoint is on this machine."""
    host = urlsplit(mail_endpoint).hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise NotOnLoopback(
            f"The sample data is not loaded: MAIL_ENDPOINT ({host}) is not on loopback, "
            "and sample mail must never reach a real mailbox. Start with --no-samples."
        )


async def load_if_empty() -> bool:
    """Load the sample data if the directory is empty; returns whether it was."""
    tables, directory = await open_directory()
    try:
        if not await directory.is_empty():
            return False
        await import_directory(tables, DirectoryDocument.model_validate(load()))
    finally:
        await tables.close()
    return True


def main() -> int:
    """Load the sample data, and print the result; 2 if a setting or the data's version does not allow it."""
    try:
        require_loopback(read_settings().mail_endpoint)
        loaded = asyncio.run(load_if_empty())
    except (ConfigurationError, NotOnLoopback) as refused:
        print(refused, file=sys.stderr)
        return 2
    print("The sample data is loaded." if loaded else "The directory is not empty; nothing was loaded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
