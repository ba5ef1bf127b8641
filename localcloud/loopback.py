"""The administration paths answer this machine only, also when a browser is tricked into asking."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.mail.refusals import RefusedError

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what names another host (DNS rebinding) or changes something for another site (cross-site request)."""
    if request.path.startswith("/admin"):
        if not is_loopback(f"//{request.headers.get('Host', '')}"):
            raise _forbidden("Open the page as http://127.0.0.1 or http://localhost.")
        origin = request.headers.get("Origin")
        if request.method in _CHANGING and origin is not None and not is_loopback(origin):
            raise _forbidden("Pages of other sites may not change anything here.")
    return await handler(request)


def is_loopback(url: str) -> bool:
    """Say whether the host of `url` is this machine by name or address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _forbidden(message: str) -> RefusedError:
    return RefusedError(403, "Forbidden", message)
