"""The HTTP server of the local cloud: mail sink, token issuer and the engine's clock. Loopback only."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.clocks import Clock, domain_clock, wall_clock
from localcloud.errors import LocalCloudError, PortTakenError
from localcloud.issuer import JWKS_PATH, issuer_routes, signing_key
from localcloud.mail.email_api import EmailApi
from localcloud.mail.faults import ConnectionDropError, FaultsApi, FaultScript
from localcloud.mail.inbox import InboxApi
from localcloud.mail.refusals import RefusedError
from localcloud.mail.reports import ReportsApi
from localcloud.mail.signatures import access_key
from localcloud.mail.store import MailStore
from localcloud.mail.webhook import Webhook, events_key
from localcloud.platform.engine_clock import ClockApi, EngineClock
from localcloud.process.ports import HOST

_log = logging.getLogger(__name__)

_CHANGING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LARGEST_MESSAGE = 10 * 1024 * 1024


@dataclass(frozen=True)
class LocalCloud:
    """A running server. `access_key` is base64, as the clients of the mail service expect it."""

    url: str
    access_key: str

    @property
    def jwks_url(self) -> str:
        return self.url + JWKS_PATH


@asynccontextmanager
async def running(
    data: Path,
    *,
    port: int = 0,
    clock_offset_file: Path | None = None,
    mail_events_url: str | None = None,
    engine_clock: EngineClock | None = None,
    wall: Clock = wall_clock,
) -> AsyncIterator[LocalCloud]:
    """Serve the data directory on loopback while the context is open; port 0 takes a free one.

    Delivery reports go to `mail_events_url`, with the secret of the data directory added. `engine_clock` is given if
    the app's host has no clock that can be moved. Raises LocalCloudError if the port is taken or the data directory
    cannot be used.
    """
    store = MailStore(data / "mail" / "mail.sqlite")
    webhook = None if mail_events_url is None else Webhook(mail_events_url, events_key(data))
    application = _application(data, store, domain_clock(clock_offset_file, wall), wall, webhook)
    if engine_clock is not None:
        application.add_routes(ClockApi(engine_clock).routes())
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=2)
    try:
        await runner.setup()
        await _listen(runner, port)
        bound: int = runner.addresses[0][1]
        yield LocalCloud(f"http://{HOST}:{bound}", access_key(data))
    finally:
        await runner.cleanup()
        store.close()


async def _listen(runner: web.AppRunner, port: int) -> None:
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise PortTakenError(
            f"localcloud cannot listen on port {port}: {error.strerror}. Choose another --port."
        ) from error


def _application(
    data: Path, store: MailStore, domain: Clock, wall: Clock, webhook: Webhook | None
) -> web.Application:
    faults = FaultScript()
    application = web.Application(
        middlewares=[_error_responses, loopback_only], client_max_size=_LARGEST_MESSAGE
    )
    application.add_routes(EmailApi(store, faults, access_key(data), wall, domain).routes())
    application.add_routes(InboxApi(store).routes())
    application.add_routes(FaultsApi(faults).routes())
    application.add_routes(ReportsApi(store, webhook, domain).routes())
    application.add_routes(issuer_routes(signing_key(data)))
    return application


@web.middleware
async def _error_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as refused:
        return refused.response()
    except sqlite3.Error as failure:
        _log.error("%s %s was not served: %s", request.method, request.path, failure)
        return _nothing_stored(str(failure)).response()
    except LocalCloudError as failure:
        _log.error("%s %s was not served: %s", request.method, request.path, failure)
        return RefusedError(503, "ServiceUnavailable", str(failure)).response()
    except ConnectionDropError:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _nothing_stored(reason: str) -> RefusedError:
    """Return a 503 that makes senders try again later."""
    text = f"Nothing was stored: {reason}. Check the disk of the data directory, then try again."
    return RefusedError(503, "ServiceUnavailable", text, {"Retry-After": "5"})


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse admin requests that name another host (DNS rebinding) or change something for another site (CSRF)."""
    if request.path.startswith("/admin"):
        if not is_loopback(f"//{request.headers.get('Host', '')}"):
            raise _forbidden("Open the page as http://127.0.0.1 or http://localhost.")
        origin = request.headers.get("Origin")
        if request.method in _CHANGING_METHODS and origin is not None and not is_loopback(origin):
            raise _forbidden("Pages of other sites may not change anything here.")
    return await handler(request)


def is_loopback(url: str) -> bool:
    """Return whether the host of `url` is this machine, by name or address."""
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
