"""What the client library of Table Storage raises, told in this service's words, and bounded in time.

The library declares `AzureError` alone. Over a body that is cut short, or is no answer of storage's at all, it
stumbles in many other ways: they are listed here as they were found, so that none of them becomes a bare 500.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPException

from aiohttp import ClientError
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableErrorCode

from shared.errors import StoreUnavailable

logger = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS, RETRIES = 5, 10, 3
"""Bounds on one attempt: until connected, and between two parts of an answer; how often the library repeats it."""
REQUEST_SECONDS = 30
"""Bound on one request with all its attempts, pauses and the identity's token.

Storage that accepts and never answers would otherwise take 44.8 s (four attempts of 10 s, pauses of 0, 1.6 and
3.2 s), one that also connects slowly 64.8 s; an answer in drops, or a far `Retry-After`, would take any time.
With functionTimeout it bounds how long a handler can hold an intent.
"""

UNEXPECTED_ERRORS = (
    *(
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ),  # what it reads is not what it expects
    *(HTTPException, zlib.error),  # nor is it HTTP within multipart, or compressed as it says
    *(ClientError, OSError),  # of the transport, where the library does not look
)

CONFLICTS = frozenset(
    code.value
    for code in (
        TableErrorCode.ENTITY_ALREADY_EXISTS,
        TableErrorCode.UPDATE_CONDITION_NOT_SATISFIED,
        TableErrorCode.CONDITION_NOT_MET,
        TableErrorCode.RESOURCE_NOT_FOUND,
        TableErrorCode.ENTITY_NOT_FOUND,
    )
)
"""Codes that say that a row is not as an operation's condition wants it."""
MISSING_ROW = frozenset({TableErrorCode.RESOURCE_NOT_FOUND.value, TableErrorCode.ENTITY_NOT_FOUND.value})
MISSING_TABLE = TableErrorCode.TABLE_NOT_FOUND.value
TOO_LARGE = 413


@asynccontextmanager
async def answered(seconds: float = REQUEST_SECONDS) -> AsyncIterator[None]:
    """Around one request: whatever else than its answer comes of it, in `seconds`, is `StoreUnavailable`.

    No text of an answer is repeated, since it may hold what was stored.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except HttpResponseError as refused:
        if refused.status_code is None:
            told = f"Table Storage's answer could not be understood: {type(refused).__name__}."
            raise StoreUnavailable(told) from refused
        told = f"{refused.status_code} {code_of(refused) or refused.reason}"
        raise StoreUnavailable(f"Table Storage answered {told}.") from refused
    except AzureError as failed:
        raise StoreUnavailable(f"Table Storage could not be reached: {type(failed).__name__}.") from failed
    except TimeoutError as late:
        raise StoreUnavailable(f"Table Storage gave no whole answer within {seconds:g} seconds.") from late
    except UNEXPECTED_ERRORS as odd:
        logger.warning("storage_not_understood", exc_info=odd)
        raise StoreUnavailable(
            f"Table Storage's answer could not be understood: {type(odd).__name__}."
        ) from odd


def code_of(refused: HttpResponseError) -> str | None:
    """Storage's own code of a refusal, such as `EntityAlreadyExists`; None if the answer has none."""
    code = getattr(refused, "error_code", None)
    return getattr(code, "value", code)


def failed_operation_index(refused: HttpResponseError) -> int | None:
    """Which operation of a transaction was refused, counted from 0: the text begins with it, up to a colon.

    The library's own `index` says 0 as well where nothing is said.
    """
    head, colon, _ = refused.message.partition(":")
    return int(head) if colon and head.isascii() and head.isdecimal() else None
