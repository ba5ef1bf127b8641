"""Drives a host over HTTP, as an app's callers do."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import httpx

import devhost


def new_app() -> df.DFApp:
    return df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def idle_app() -> df.DFApp:
    """An app whose only function is never called."""
    app = new_app()

    @app.activity_trigger(input_name="nothing")
    def idle(nothing) -> None: ...

    return app


class Driver:
    """Starts, raises, advances and looks, by the durable HTTP API and the admin pages."""

    def __init__(self, host: devhost.Host, http: httpx.AsyncClient) -> None:
        self.host = host
        self.http = http

    async def start(self, orchestrator: str, instance_id: str = "one", data: Any = None) -> str:
        body = json.dumps(json.dumps(data)) if data is not None else None
        answer = await self.http.post(
            f"/durabletask/orchestrators/{orchestrator}/{instance_id}", content=body
        )
        assert answer.status_code == 202, answer.text
        return instance_id

    async def raise_event(self, name: str, data: Any = None, instance_id: str = "one") -> httpx.Response:
        return await self.http.post(
            f"/durabletask/instances/{instance_id}/raiseEvent/{name}",
            content=json.dumps(data),
            headers={"Content-Type": "application/json"},
        )

    async def settle(self) -> None:
        await self.advance("PT0S")

    async def advance(self, duration: str, **more: Any) -> str:
        answer = await self.http.post("/admin/devhost/clock", json={"advance": duration, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["now"]

    async def status(self, instance_id: str = "one", **query: Any) -> dict[str, Any]:
        answer = await self.http.get(f"/durabletask/instances/{instance_id}", params=query)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def outcome(self, instance_id: str = "one") -> tuple[str, Any]:
        """Status and output once everything that is due has been done."""
        await self.settle()
        status = await self.status(instance_id)
        return status["runtimeStatus"], status["output"]


@asynccontextmanager
async def driving(
    app: Path | func.FunctionApp | df.DFApp, data: Path, **options: Any
) -> AsyncIterator[Driver]:
    async with (
        devhost.running(app, data, **options) as host,
        httpx.AsyncClient(base_url=host.url, timeout=30) as http,
    ):
        yield Driver(host, http)
