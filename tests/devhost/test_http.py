"""HTTP triggers: what the function gets, and what the client gets back."""

import asyncio
import json
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app


def shop() -> df.DFApp:
    app = new_app()

    @app.route(route="echo/{id?}")
    def echo(req: func.HttpRequest) -> func.HttpResponse:
        seen = {
            "method": req.method,
            "path": req.url.partition("/api")[2],
            "header": req.headers.get("X-Two"),
            "params": dict(req.params),
            "route": dict(req.route_params),
            "body": req.get_body().decode(),
        }
        return func.HttpResponse(json.dumps(seen), mimetype="application/json")

    @app.route(route="text", methods=["GET"])
    async def text(req: func.HttpRequest) -> str:
        return "plain"

    @app.route(route="nothing")
    def nothing(req: func.HttpRequest):
        return None

    @app.route(route="broken")
    def broken(req: func.HttpRequest) -> str:
        raise ValueError("no such thing")

    @app.route(route="cookies")
    def cookies(req: func.HttpRequest) -> func.HttpResponse:
        response = func.HttpResponse(b"\x00\xff", status_code=418, mimetype="image/png")
        response.headers.add("Set-Cookie", "a=1; Path=/")
        response.headers.add("Set-Cookie", "b=2; HttpOnly; Path=/")
        response.headers["X-Shop"] = "open"
        return response

    @app.route(route="context")
    def context(req: func.HttpRequest, context: func.Context) -> str:
        return context.function_name

    @app.route(route="length", methods=["POST"])
    def length(req: func.HttpRequest) -> str:
        return str(len(req.get_body()))

    @app.route(route="slow")
    async def slow(req: func.HttpRequest) -> str:
        await asyncio.Event().wait()
        return "never"

    return app


async def test_a_request_reaches_the_function_as_from_the_worker(drive: Drive) -> None:
    async with drive(shop()) as d:
        headers = [("X-Two", "1"), ("X-Two", "2")]
        url = "/API/Echo/caf%C3%A9?q=a%20b&q=c&empty="
        answer = await d.http.post(url, content="body", headers=headers)
        assert answer.json() == {
            "method": "POST",
            "path": "",
            "header": "1,2",
            "params": {"q": "a b,c"},
            "route": {"id": "café"},
            "body": "body",
        }
        assert answer.headers["Content-Type"] == "application/json"
        assert (await d.http.get("/api/echo?x=1")).json()["path"] == "/echo?x=1"


async def test_a_line_break_in_a_path_reaches_the_function_too(drive: Drive) -> None:
    async with drive(shop()) as driver:
        answer = await driver.http.get("/api/echo/a%0Ab%0A")
        assert answer.json()["route"] == {"id": "a\nb\n"}


async def test_no_methods_means_all_methods_and_a_wrong_one_is_not_found(drive: Drive) -> None:
    async with drive(shop()) as d:
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert (await d.http.request(method, "/api/echo")).json()["method"] == method
        assert (await d.http.post("/api/text")).status_code == 404
        assert (await d.http.get("/api/nowhere")).status_code == 404
        assert (await d.http.get("/text")).status_code == 404


async def test_a_returned_text_becomes_a_plain_text_response(drive: Drive) -> None:
    async with drive(shop()) as d:
        answer = await d.http.get("/api/text")
        assert (answer.status_code, answer.text) == (200, "plain")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["nothing", "broken"])
async def test_a_function_that_fails_is_a_500_without_a_body_and_a_log_with_its_name(
    drive: Drive, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async with drive(shop()) as d:
        answer = await d.http.get(f"/api/{name}")
        assert (answer.status_code, answer.content) == (500, b"")
        assert f"function.failed name={name}" in caplog.text


async def test_status_headers_cookies_and_bytes_come_back_as_they_are(drive: Drive) -> None:
    async with drive(shop()) as d:
        answer = await d.http.get("/api/cookies")
        assert (answer.status_code, answer.content) == (418, b"\x00\xff")
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["X-Shop"] == "open"
        assert answer.headers.get_list("Set-Cookie") == ["a=1; Path=/", "b=2; HttpOnly; Path=/"]


async def test_a_parameter_called_context_gets_the_invocation_s_context(drive: Drive) -> None:
    async with drive(shop()) as d:
        assert (await d.http.get("/api/context")).text == "context"


@pytest.mark.parametrize(
    ("prefix", "path"), [("", "/text"), ("v1/shop", "/v1/shop/text"), ("/x/", "/x/text")]
)
async def test_the_route_prefix_is_that_of_host_json(drive: Drive, prefix: str, path: str) -> None:
    async with drive(shop(), host_json={"extensions": {"http": {"routePrefix": prefix}}}) as d:
        assert (await d.http.get(path)).text == "plain"


async def test_the_limit_of_bodies_is_a_setting(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "10000")
    async with drive(shop()) as d:
        assert (await d.http.post("/api/length", content=b"x" * 10_000)).text == "10000"
        assert (await d.http.post("/api/length", content=b"x" * 10_001)).status_code == 500


async def test_a_large_body_within_the_limit_arrives_whole(drive: Drive) -> None:
    async with drive(shop()) as d:
        assert (await d.http.post("/api/length", content=b"x" * 5_000_000)).text == "5000000"


async def test_a_function_that_exceeds_the_timeout_of_host_json_fails(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    async with drive(shop(), host_json={"functionTimeout": "00:00:01"}) as d:
        assert (await d.http.get("/api/slow", timeout=10)).status_code == 500
        assert f"Timeout value of {timedelta(seconds=1)} was exceeded by function: slow" in caplog.text


async def test_a_host_that_stops_refuses_new_requests_to_functions(drive: Drive) -> None:
    async with drive(shop()) as d:
        d.host._server.refuse_new()
        assert (await d.http.get("/api/text")).status_code == 503
        assert (await d.http.get("/durabletask/instances")).status_code == 200
