"""Forwards requests under a path prefix to another server on the loopback interface."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from devhost.errors import StartError

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# The client decompresses what it reads.
_NOT_COPIED = _HOP_BY_HOP | {"content-encoding"}
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)


class Forwarder:
    """Forwards by the longest prefix; path and query are unchanged."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = dict(sorted(targets.items(), key=lambda item: -len(item[0])))
        self._session: aiohttp.ClientSession | None = None

    def target(self, path: str) -> str | None:
        """Return the server for a path, if there is one."""
        for prefix, target in self._targets.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return target
        return None

    async def forward(self, request: web.Request, target: str) -> web.Response:
        """Send the request to the other server and return its response; 502 if it cannot be reached."""
        url = URL(target.rstrip("/") + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            async with self._client().request(
                request.method, url, headers=headers, data=await request.read(), allow_redirects=False
            ) as answer:
                return _copy(answer, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as failure:
            sentence = f"{target} does not answer ({type(failure).__name__}); start the server behind {request.path}."
            return web.json_response({"error": sentence}, status=502)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=True)
        return self._session


def parse_forward(text: str) -> tuple[str, str]:
    """Read `PREFIX=URL`. Raises StartError."""
    prefix, _, url = text.partition("=")
    if not prefix.startswith("/") or urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
        raise StartError(f"--forward '{text}' cannot be read; write it as /prefix=http://127.0.0.1:PORT.")
    return prefix.rstrip("/"), url


def _copy(answer: aiohttp.ClientResponse, body: bytes) -> web.Response:
    response = web.Response(status=answer.status, body=body)
    response.headers.popall("Content-Type", None)
    for name, value in answer.headers.items():
        if name.lower() not in _NOT_COPIED:
            response.headers.add(name, value)
    return response
