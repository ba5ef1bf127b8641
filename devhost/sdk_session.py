"""The Durable SDK keeps one HTTP session for the process, and with it the event loop that first used it."""

import asyncio

from azure.durable_functions.models.utils import http_utils


async def close_sdk_session() -> None:
    """Close the session, so that another host in this process, on another loop, starts with a new one."""
    session = http_utils._client_session  # noqa: SLF001 - the SDK has no public way
    if session is not None and not session.closed:
        await session.close()
    http_utils._client_session = None  # noqa: SLF001
    http_utils._session_lock = asyncio.Lock()  # noqa: SLF001
