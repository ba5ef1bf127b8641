from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from localcloud.server import LocalCloud, running


class MovableClock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def wall() -> MovableClock:
    return MovableClock()


@pytest.fixture
def offset_file(tmp_path: Path) -> Path:
    return tmp_path / "clock-offset"


@pytest.fixture
async def cloud(tmp_path: Path, wall: MovableClock, offset_file: Path) -> AsyncIterator[LocalCloud]:
    async with running(tmp_path / "data", clock_offset_file=offset_file, wall=wall) as server:
        yield server


@pytest.fixture
async def client(cloud: LocalCloud) -> AsyncIterator[EmailClient]:
    async with EmailClient(cloud.url, AzureKeyCredential(cloud.access_key), retry_total=0) as made:
        yield made


@pytest.fixture
async def http(cloud: LocalCloud) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cloud.url) as session:
        yield session


@pytest.fixture
def mails(http: aiohttp.ClientSession) -> Callable[..., Any]:
    async def read(**query: str) -> list[dict[str, Any]]:
        async with http.get("/admin/devhost/mail", params=query) as answer:
            assert answer.status == 200
            return (await answer.json())["value"]

    return read


@pytest.fixture
def a_message() -> Callable[..., dict[str, Any]]:
    def made(*to: str, **content: str) -> dict[str, Any]:
        return {
            "senderAddress": "no-reply@referrals.example",
            "recipients": {"to": [{"address": address} for address in to or ("rae@contoso.com",)]},
            "content": {"subject": "A new referral", "plainText": "Please look.", **content},
        }

    return made
