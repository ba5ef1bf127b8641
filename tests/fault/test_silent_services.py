"""Whatever is called and does not answer: the call ends in time, and says of whom it got no answer."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import pytest
from azure.storage.queue.aio import QueueServiceClient

from devhost.sdk_session import close_sdk_session
from shared import wiring
from shared.auth.tokens import KeysUnavailable, SigningKeys, fetch_from
from shared.errors import EngineUnavailable, MailServiceDown, ServiceError, StoreUnavailable
from shared.mail.service import AzureMailService
from shared.settings import TableAccount
from shared.storage import task_hub
from shared.storage.azure_tables import AzureTables
from shared.storage.tables import Insert, Row
from shared.workflow.durable import DurableEngine
from tests.doubles.service import SETTINGS
from tests.doubles.silent_servers import SERVERS
from tests.examples.referrals import NOW
from tests.mail.test_mail_delivery import RECORD

SECONDS = 0.2
"""The bound on each call here."""
PATIENCE = 20
"""What a test waits at most: without bounds a call takes minutes, or for ever."""
KEY = b64encode(b"key").decode()


@pytest.fixture(params=SERVERS)
async def silent(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with SERVERS[request.param]() as url:
        yield url


@pytest.fixture(autouse=True)
async def no_session_is_left() -> AsyncIterator[None]:
    yield
    await close_sdk_session()


async def ends(call: Awaitable[Any], error: type[ServiceError], words: str | None = None) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(error, match=words):
            await call


def mail_service(url: str, seconds: float = SECONDS) -> AzureMailService:
    settings = replace(SETTINGS, mail_endpoint=url, mail_access_key=KEY)
    return AzureMailService(wiring.email_client(settings), "no-reply@referrals.example", seconds)


@pytest.mark.parametrize("call", ["send", "knows"])
async def test_a_mail_service_that_does_not_answer_is_down(silent: str, call: str) -> None:
    service = mail_service(silent)
    now = datetime.now(UTC)
    await ends(service.send(RECORD, now) if call == "send" else service.knows(RECORD), MailServiceDown)
    await service.close()


async def test_an_issuer_that_does_not_answer_makes_keys_unavailable(silent: str) -> None:
    await ends(SigningKeys(fetch_from(f"{silent}/keys", SECONDS)).key("some"), KeysUnavailable)


CALLS: dict[str, Callable[[DurableEngine], Awaitable[Any]]] = {
    "raise": lambda engine: engine.raise_event("one", "changed"),
    "start": lambda engine: engine.start("referral_lifecycle", "one", {}),
    "status": lambda engine: engine.is_running("one"),
    "terminate": lambda engine: engine.terminate("one", "Restarted."),
    "list": lambda engine: engine.finished(NOW),
    "purge": lambda engine: engine.purge("one"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_an_engine_that_does_not_answer_is_unavailable(silent: str, call: str) -> None:
    urls = {
        "taskHubName": "hub",
        "creationUrls": {},
        "managementUrls": {},
        "rpcBaseUrl": f"{silent}/engine/",
    }
    await ends(
        CALLS[call](DurableEngine(df.DurableOrchestrationClient(json.dumps(urls)), SECONDS)),
        EngineUnavailable,
    )


def account(url: str) -> TableAccount:
    text = (
        f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={KEY};"
        f"TableEndpoint={url}/account;QueueEndpoint={url}/account;"
    )
    return TableAccount(setting="AzureWebJobsStorage", connection_string=text)


async def everything(tables: AzureTables) -> list[Any]:
    return [row async for row in tables.scan_table("table")]


REQUESTS: dict[str, Callable[[AzureTables], Awaitable[Any]]] = {
    "get": lambda tables: tables.get("table", "p", "r"),
    "between": lambda tables: tables.between("table", "p", "a", "z"),
    "write": lambda tables: tables.write("table", "p", [Insert(Row("r", {}))]),
    "discard": lambda tables: tables.discard("table", "p", "r"),
    "everything": everything,
    "create": lambda tables: tables.create_tables(["table"]),
}


@pytest.mark.parametrize("request_", REQUESTS)
async def test_storage_that_does_not_answer_is_unavailable(silent: str, request_: str) -> None:
    tables = AzureTables(wiring.tables_client(account(silent)), SECONDS)
    await ends(REQUESTS[request_](tables), StoreUnavailable)
    await tables.close()


async def test_a_task_hub_that_does_not_answer_is_unavailable(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_hub, "REQUEST_SECONDS", SECONDS)
    hub = task_hub.AzureTaskHub(
        wiring.tables_client(account(silent)),
        QueueServiceClient.from_connection_string(account(silent).connection_string or ""),
        "hub",
        4,
    )
    await ends(hub.missing(), StoreUnavailable)
    await hub.close()


@pytest.fixture
async def identity(silent: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The app's identity, whose tokens come from the silent server."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{silent}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    credential = wiring._identity()
    monkeypatch.setattr(wiring, "_identity", lambda: credential)
    yield
    await credential.close()


@pytest.mark.usefixtures("identity")
async def test_an_identity_that_does_not_answer_ends_the_request_that_needs_it() -> None:
    account = TableAccount(setting="TABLES_ENDPOINT", endpoint="https://tables.invalid")
    tables = AzureTables(wiring.tables_client(account), SECONDS)
    await ends(tables.get("table", "p", "r"), StoreUnavailable, "did not answer within")
    await tables.close()
    settings = replace(SETTINGS, mail_endpoint="https://mail.invalid", mail_access_key=None)
    service = AzureMailService(wiring.email_client(settings), "no-reply@referrals.example", SECONDS)
    await ends(service.send(RECORD, datetime.now(UTC)), MailServiceDown, "did not answer within")
    await service.close()


@pytest.mark.parametrize("kind", [kind for kind in SERVERS if kind != "answers in drops"])
async def test_the_mail_client_has_bounds_of_its_own(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is connected, and between two parts of an answer; an answer in drops needs the bound on all."""
    monkeypatch.setattr(wiring, "MAIL_CONNECT_SECONDS", SECONDS)
    monkeypatch.setattr(wiring, "MAIL_READ_SECONDS", SECONDS)
    async with SERVERS[kind]() as url:
        service = mail_service(url, seconds=10 * PATIENCE)
        await ends(service.knows(RECORD), MailServiceDown)
        await service.close()
