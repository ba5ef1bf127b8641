"""Translates the errors of the Table Storage client into `shared.errors`, and bounds each request in time.

The client documents `AzureError` only. When a response body is truncated, or does not come from storage at all, it
raises many other errors. `UNEXPECTED_ERRORS` lists those that were observed, so that none becomes a plain 500.
"""

import asyncio
import json
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPException
from typing import Any

from aiohttp import ClientError
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableErrorCode

from shared.errors import StoreUnavailable

logger = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS, RETRIES = 5, 10, 3
"""Per attempt: seconds to connect and seconds between two reads; and the number of retries by the client."""
REQUEST_SECONDS = 30
"""Time limit of one request, with all its attempts, pauses and the fetch of the identity's token.

Without it, storage that accepts connections and never answers would take 44.8 s (four attempts of 10 s, pauses of 0,
1.6 and 3.2 s), and 64.8 s if it also connects slowly; a response that trickles in, or a long `Retry-After`, could
take any time. Together with functionTimeout it limits how long a handler can own an intent.
"""

UNEXPECTED_ERRORS = (
    *(
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ),  # the content is not what the client expects
    *(HTTPException, zlib.error),  # it is not HTTP within multipart, or not compressed as declared
    *(ClientError, OSError),  # transport errors that the client does not catch
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
"""The error codes of a condition that failed."""
MISSING_ROW = frozenset({TableErrorCode.RESOURCE_NOT_FOUND.value, TableErrorCode.ENTITY_NOT_FOUND.value})
MISSING_TABLE = TableErrorCode.TABLE_NOT_FOUND.value
TOO_LARGE = 413


@asynccontextmanager
async def guarded_request(seconds: float = REQUEST_SECONDS) -> AsyncIterator[None]:
    """Wrap one request: every error, and no answer within `seconds`, becomes `StoreUnavailable`.

    The messages do not quote the response, because it can contain stored data.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except HttpResponseError as error:
        if error.status_code is None:
            message = f"The response of Table Storage could not be parsed: {type(error).__name__}."
            raise StoreUnavailable(message) from error
        answer = f"{error.status_code} {code_of(error) or error.reason}"
        raise StoreUnavailable(f"Table Storage answered {answer}.") from error
    except AzureError as error:
        raise StoreUnavailable(f"Table Storage could not be reached: {type(error).__name__}.") from error
    except TimeoutError as error:
        raise StoreUnavailable(f"Table Storage did not answer within {seconds:g} seconds.") from error
    except UNEXPECTED_ERRORS as error:
        logger.warning("storage_response_invalid", exc_info=error)
        raise StoreUnavailable(
            f"The response of Table Storage could not be parsed: {type(error).__name__}."
        ) from error


def code_of(error: HttpResponseError) -> str | None:
    """The error code of storage, such as `EntityAlreadyExists`; None if the response has none.

    The client leaves the body of a refused insert undecoded, so the code is read from it.
    """
    code = getattr(error, "error_code", None) or _code_in(error.response)
    return getattr(code, "value", code)


def _code_in(response: Any) -> str | None:
    """The code in the JSON body of a response that has been read."""
    try:
        described = json.loads(response.body())["odata.error"]
        return str(described["code"])
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def failed_operation_index(error: HttpResponseError) -> int | None:
    """The index from 0 of the failed operation of a transaction: the message starts with it, up to a colon.

    The client's own `index` is not used, because it is also 0 if the response names no operation.
    """
    head, colon, _ = error.message.partition(":")
    return int(head) if colon and head.isascii() and head.isdecimal() else None
