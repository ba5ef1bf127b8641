"""The server of the local cloud: mail sink and token issuer in one process."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from localcloud.clocks import Clock, domain_clock, wall_clock
from localcloud.errors import LocalCloudError, PortTakenError
from localcloud.issuer.keys import signing_key
from localcloud.issuer.routes import JWKS_PATH, issuer_routes
from localcloud.loopback import loopback_only
from localcloud.mail.access_key import access_key
from localcloud.mail.admin_api import AdminApi
from localcloud.mail.email_api import EmailApi
from localcloud.mail.events_key import events_key
from localcloud.mail.faults import ConnectionDropError, FaultScript
from localcloud.mail.pages import MailPages
from localcloud.mail.refusals import RefusedError
from localcloud.mail.reports_api import ReportsApi
from localcloud.mail.store import MailStore
from localcloud.mail.webhook import Webhook
from localcloud.platform.clock_api import ClockApi
from localcloud.platform.engine_clock import EngineClock

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
_LARGEST_MESSAGE = 10 * 1024 * 1024


@dataclass(frozen=True)
class LocalCloud:
    """A running server. `access_key` is base64, as clients of the mail service take it."""

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

    Delivery reports go to `mail_events_url`, to which the secret of the data directory is added. `engine_clock` is
    served where the app runs on a host without a clock of its own. Raises LocalCloudError if the
    port is taken or the data directory cannot be used.
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
        middlewares=[_answer_refusals, loopback_only], client_max_size=_LARGEST_MESSAGE
    )
    application.add_routes(EmailApi(store, faults, access_key(data), wall, domain).routes())
    application.add_routes(AdminApi(store, faults).routes())
    application.add_routes(ReportsApi(store, webhook, domain).routes())
    application.add_routes(MailPages(store).routes())
    application.add_routes(issuer_routes(signing_key(data)))
    return application


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
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


def _nothing_stored(why: str) -> RefusedError:
    """Refuse what cannot be stored, as a service that is out of order; senders try again."""
    text = f"Nothing was stored: {why}. Look at the disk of the data directory, and ask again."
    return RefusedError(503, "ServiceUnavailable", text, {"Retry-After": "5"})
