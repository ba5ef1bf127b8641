"""The access key of one data directory: what the app signs with, and the sink verifies against."""

import secrets
from base64 import b64encode
from pathlib import Path

from localcloud.private_files import read_or_create


def access_key(data: Path) -> str:
    """Return the key in base64; the first call makes it (64 random bytes, mode 0600)."""
    return read_or_create(data / "mail" / "access-key", _new_key).decode("ascii")


def _new_key() -> bytes:
    return b64encode(secrets.token_bytes(64))
