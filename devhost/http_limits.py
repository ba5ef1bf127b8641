"""Requests that Kestrel refuses before an app sees them, with a response without a body."""

from collections.abc import Iterable

from aiohttp import web

_LONGEST_LINE = 8 * 1024
_LARGEST_HEADERS = 32 * 1024
_MOST_HEADERS = 100
_VERSION = " HTTP/1.1"
_LINE_END = "\r\n"

# The server's own limits are far higher, so that these apply first.
LONGEST_READ = 1024 * 1024
MOST_READ = 10 * _MOST_HEADERS


def refused_with(request: web.Request) -> int | None:
    """Return 414, 431, or 400 for an invalid header value or `%00`; None if the request is accepted."""
    line = f"{request.method} {request.raw_path}{_VERSION}{_LINE_END}"
    if len(line) > _LONGEST_LINE:
        return 414
    if len(request.raw_headers) > _MOST_HEADERS or _size(request.raw_headers) > _LARGEST_HEADERS:
        return 431
    path = request.raw_path.partition("?")[0]
    if "%00" in path or not request.raw_path.isascii() or not _are_texts(request.headers.values()):
        return 400
    return None


def _size(headers: Iterable[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(": ") + len(value) + len(_LINE_END) for name, value in headers)


def _are_texts(values: Iterable[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True
