"""The host's own pages, the guard against other sites, and forwarding."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import azure.durable_functions as df
import azure.functions as func
import pytest
from aiohttp import web

from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def museum() -> df.DFApp:
    app = new_app()

    @app.route(route="rooms/{id}", methods=["GET", "PUT"])
    def room(req: func.HttpRequest) -> str:
        return "room"

    @app.timer_trigger(arg_name="timer", schedule="0 0 18 * * *")
    def close(timer: func.TimerRequest) -> None:
        return None

    @app.orchestration_trigger(context_name="context", orchestration="Guided Tour")
    def tour(context):
        return None

    @app.activity_trigger(input_name="x", activity="Explain")
    def explain(x) -> None:
        return None

    return app


async def test_the_status_is_the_real_host_s(drive: Drive) -> None:
    async with drive(museum()) as d:
        status = (await d.http.get("/admin/host/status")).json()
        assert status["state"] == "Running"
        assert status["version"].startswith("4.")
        assert {"id", "instanceId", "computerName", "processUptime", "versionDetails"} <= status.keys()
        assert (await d.http.get("/admin/host/ping")).status_code == 200


async def test_the_functions_are_listed_with_their_triggers(drive: Drive) -> None:
    async with drive(museum()) as d:
        listed = {one.pop("name"): one for one in (await d.http.get("/admin/functions")).json()}
    assert listed == {
        "room": {
            "trigger": "httpTrigger",
            "type": "httpTrigger",
            "methods": ["GET", "PUT"],
            "route": "/api/rooms/{id}",
        },
        "close": {"trigger": "timerTrigger", "type": "timerTrigger", "schedule": "0 0 18 * * *"},
        "tour": {
            "trigger": "orchestrationTrigger",
            "type": "orchestrationTrigger",
            "orchestration": "Guided Tour",
        },
        "explain": {"trigger": "activityTrigger", "type": "activityTrigger", "activity": "Explain"},
    }


async def test_the_page_for_people_asks_for_nothing_outside(drive: Drive) -> None:
    async with drive(museum()) as d:
        page = await d.http.get("/admin/devhost")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "http://" not in page.text
        assert "https://" not in page.text
        await d.start("Guided Tour")
        await d.settle()
        recent = (await d.http.get("/admin/devhost/instances")).json()
        assert [(one["instanceId"], one["runtimeStatus"]) for one in recent] == [("one", "Completed")]


OWN = [
    "/admin/devhost",
    "/admin/devhost/clock",
    "/durabletask/instances",
    "/runtime/webhooks/durabletask/instances",
]


@pytest.mark.parametrize("path", OWN)
async def test_a_host_header_that_is_not_loopback_is_refused(drive: Drive, path: str) -> None:
    async with drive(museum()) as d:
        for name in ("evil.example", "127.0.0.1.evil.example", "10.0.0.1:80"):
            answer = await d.http.get(path, headers={"Host": name})
            assert answer.status_code == 403, name
            assert "Host header" in answer.json()["error"]
        for name in ("localhost", "127.0.0.1:1", "[::1]:7071"):
            assert (await d.http.get(path, headers={"Host": name})).status_code == 200, name


async def test_the_page_for_people_runs_only_its_own_script_and_is_shown_in_no_other_page(
    drive: Drive,
) -> None:
    async with drive(museum()) as d:
        headers = (await d.http.get("/admin/devhost")).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert policy["script-src"].startswith("'sha256-")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


async def test_a_post_from_a_page_of_another_site_is_refused(drive: Drive) -> None:
    async with drive(museum()) as d:

        async def post(origin: str) -> int:
            clock, body = "/admin/devhost/clock", json.dumps({"advance": "PT0S"})
            return (await d.http.post(clock, content=body, headers={"Origin": origin})).status_code

        assert [await post(origin) for origin in ("https://evil.example", "null")] == [403, 403]
        assert [await post(origin) for origin in ("http://localhost:7071", "http://127.0.0.1")] == [200, 200]


async def test_the_app_s_own_routes_are_open_to_any_host_name(drive: Drive) -> None:
    async with drive(museum()) as d:
        assert (await d.http.get("/api/rooms/1", headers={"Host": "museum.example"})).status_code == 200


@asynccontextmanager
async def mirror() -> AsyncIterator[str]:
    async def reflect(request: web.Request) -> web.Response:
        body = {"method": request.method, "path": request.raw_path, "body": await request.text()}
        return web.json_response(body, status=201, headers={"X-Mirror": request.headers.get("X-Face", "")})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", reflect)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_forwarded_prefix_reaches_the_other_server_with_path_query_and_body(drive: Drive) -> None:
    async with mirror() as url, drive(museum(), forwards={"/admin/devhost/mail": url}) as d:
        path = "/admin/devhost/mail/a%2Fb?x=%20&y=1"
        answer = await d.http.put(path, content="hello", headers={"X-Face": "smile"})
        assert (answer.status_code, answer.headers["X-Mirror"]) == (201, "smile")
        assert answer.json() == {"method": "PUT", "path": path, "body": "hello"}
        assert (await d.http.get("/admin/devhost/mail")).json()["path"] == "/admin/devhost/mail"
        assert (await d.http.get("/admin/devhost/mailbox")).status_code == 404


async def test_a_compressed_body_is_forwarded_as_it_was_sent(drive: Drive) -> None:
    async with mirror() as url, drive(museum(), forwards={"/mail": url}) as d:
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
        answer = await d.http.post("/mail", content=gzip.compress(b"hello"), headers=headers)
        assert answer.json()["body"] == "hello"


async def test_a_forward_to_a_server_that_is_down_is_a_502_that_says_so(drive: Drive) -> None:
    async with mirror() as url:
        await asyncio.sleep(0)
    async with drive(museum(), forwards={"/mail": url}) as d:
        answer = await d.http.get("/mail/1")
        assert answer.status_code == 502
        assert f"{url} does not answer" in answer.json()["error"]
