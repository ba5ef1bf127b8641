"""Servers that take a connection and do not answer, each in its own way."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]
Silent = Callable[[], AbstractAsyncContextManager[str]]
"""Starts such a server; gives its address."""

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
_SERVER = """
import http.server
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
"""


async def _nothing(_: asyncio.StreamWriter) -> None:
    pass


async def _one_byte(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD[:1])


async def _no_body(writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)


async def _drops(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no pause is long."""
    writer.write(_HEAD)
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def _speaking(speak: Speak) -> Silent:
    @asynccontextmanager
    async def running() -> AsyncIterator[str]:
        open_ones: set[asyncio.Task[None] | None] = set()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_ones.add(asyncio.current_task())
            with suppress(OSError, asyncio.CancelledError):
                await speak(writer)
                await asyncio.Event().wait()
            writer.transport.abort()

        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            yield _address(server.sockets[0].getsockname()[1])
            for task in filter(None, open_ones):
                task.cancel()
            await asyncio.sleep(0)

    return running


@asynccontextmanager
async def _full() -> AsyncIterator[str]:
    """A machine that answers no attempt to connect: its queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(("127.0.0.1", port))
        try:
            yield _address(port)
        finally:
            for each in waiting:
                each.close()


@asynccontextmanager
async def _stopped() -> AsyncIterator[str]:
    """A process that was stopped: its system takes connections for it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        port = int(await process.stdout.readline())
        os.kill(process.pid, signal.SIGSTOP)
        yield _address(port)
    finally:
        process.kill()
        await process.wait()


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


SERVERS: dict[str, Silent] = {
    "says nothing": _speaking(_nothing),
    "says one byte": _speaking(_one_byte),
    "sends no body": _speaking(_no_body),
    "answers in drops": _speaking(_drops),
    "takes no connection": _full,
    "was stopped": _stopped,
}
