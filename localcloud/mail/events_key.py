"""The secret of one data directory's webhook: part of the address that events go to, and known to the app."""

import secrets
from pathlib import Path

from localcloud.private_files import read_or_create


def events_key(data: Path) -> str:
    """Return the secret, 43 characters that a URL takes as they are; the first call makes it (mode 0600)."""
    return read_or_create(data / "mail" / "events-key", _new_key).decode("ascii")


def _new_key() -> bytes:
    return secrets.token_urlsafe(32).encode("ascii")
