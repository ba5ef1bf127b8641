"""Raw requests: what the function gets, and what the server refuses before that."""

import asyncio
import gzip
import json
from dataclasses import dataclass

import azure.durable_functions as df
import azure.functions as func
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import Driver, new_app


def shop() -> df.DFApp:
    app = new_app()

    @app.route(route="answer/{status:int}")
    def answer(req: func.HttpRequest) -> func.HttpResponse:
        headers = {"X-Name": req.params.get("name", ""), req.params.get("header", "X-More"): "1"}
        body = "" if "empty" in req.params else "12345"
        return func.HttpResponse(body, status_code=int(req.route_params["status"]), headers=headers)

    @app.route(route="seen/{id?}")
    def seen(req: func.HttpRequest) -> func.HttpResponse:
        request = {"url": req.url, "headers": dict(req.headers), "id": req.route_params.get("id")}
        return func.HttpResponse(json.dumps({**request, "body": req.get_body().hex()}))

    @app.route(route="read", methods=["GET"])
    def read(req: func.HttpRequest) -> str:
        return ""

    return app


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(driver: Driver, head: str, body: bytes = b"") -> Answer:
    """Send a raw request with a Host header, on its own connection."""
    line, _, headers = head.partition("\r\n")
    sent = [line, "Host: shop:80", "Connection: close", *([headers] if headers else []), "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", driver.http.base_url.port)
    writer.write("\r\n".join(sent).encode("latin-1") + body)
    first = await reader.readline()
    received = await reader.read() if b" 500 " not in first else await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    response, _, rest = received.partition(b"\r\n\r\n")
    pairs = (line.split(": ", 1) for line in response.decode().split("\r\n"))
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in pairs}, rest)


async def seen(driver: Driver, head: str, body: bytes = b"") -> dict:
    answer = await exchange(driver, head, body)
    assert answer.status == 200, answer
    return json.loads(answer.body)


async def test_a_chunked_body_arrives_empty_and_its_header_stays(drive: Drive) -> None:
    async with drive(shop()) as d:
        head = "POST /api/seen HTTP/1.1\r\nTransfer-Encoding: chunked"
        request = await seen(d, head, b"5\r\nhello\r\n0\r\n\r\n")
        assert (request["body"], request["headers"]["transfer-encoding"]) == ("", "chunked")


@pytest.mark.parametrize("body", [gzip.compress(b"hello", mtime=0), b"no gzip at all"])
async def test_a_compressed_body_arrives_as_it_was_sent(drive: Drive, body: bytes) -> None:
    async with drive(shop()) as d:
        head = f"POST /api/seen HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}"
        request = await seen(d, head, body)
        assert (request["body"], request["headers"]["content-encoding"]) == (body.hex(), "gzip")
        assert request["headers"]["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("sent", "value", "shown"),
    [
        ("a%2Fb", "a%2Fb", "a%2Fb"),
        ("a%2fb", "a%2fb", "a%2fb"),
        ("a%252Fb", "a%2Fb", "a%2Fb"),
        ("a%25b", "a%b", "a%25b"),
        ("a%20b+c", "a b+c", "a%20b+c"),
        ("a%3Fb%23c", "a?b#c", "a%3Fb%23c"),
        ("%41%FF", "A%FF", "A%FF"),
        ("x/../y", "y", "y"),
        ("x/", "x", "x/"),
        ("x?q=%2F%20&Q=../z", "x", "x?q=%2F%20&Q=../z"),
    ],
)
async def test_route_values_and_the_url_are_read_as_the_platform_reads_them(
    drive: Drive, sent: str, value: str, shown: str
) -> None:
    async with drive(shop()) as d:
        request = await seen(d, f"GET /api/seen/{sent} HTTP/1.1")
        assert (request["id"], request["url"]) == (value, f"http://shop:80/api/seen/{shown}")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /api//seen HTTP/1.1", 404),
        ("GET //api/seen HTTP/1.1", 404),
        ("GET /api/seen// HTTP/1.1", 404),
        ("GET /api/seen/a%00b HTTP/1.1", 400),
        ("GET /api/seen?a=%00 HTTP/1.1", 200),
        ("GET /api/seen HTTP/1.1\r\nX-Name: caf\xe9", 400),
        ("HEAD /api/read HTTP/1.1", 404),
    ],
)
async def test_what_the_platform_refuses_gets_a_response_without_a_body(
    drive: Drive, head: str, status: int
) -> None:
    async with drive(shop()) as d:
        answer = await exchange(d, head)
        assert answer.status == status
        assert status == 200 or answer.body == b""


@pytest.mark.parametrize(("length", "status"), [(8_192, 200), (8_193, 414), (100_000, 414)])
async def test_a_request_line_has_a_limit(drive: Drive, length: int, status: int) -> None:
    async with drive(shop()) as d:
        query = "x" * (length - len("GET /api/seen?= HTTP/1.1\r\n"))
        answer = await exchange(d, f"GET /api/seen?{query}= HTTP/1.1")
        assert answer.status == status
        assert status == 200 or answer.body == b""


@pytest.mark.parametrize(("length", "status"), [(32_768, 200), (32_769, 431), (100_000, 431)])
async def test_headers_have_a_limit_together(drive: Drive, length: int, status: int) -> None:
    async with drive(shop()) as d:
        own = len("Host: shop:80\r\nConnection: close\r\nX-Long: \r\n")
        answer = await exchange(d, f"GET /api/seen HTTP/1.1\r\nX-Long: {'x' * (length - own)}")
        assert answer.status == status
        assert status == 200 or answer.body == b""


@pytest.mark.parametrize(("count", "status"), [(100, 200), (101, 431)])
async def test_headers_have_a_limit_in_number(drive: Drive, count: int, status: int) -> None:
    async with drive(shop()) as d:
        more = "\r\n".join(f"X-{number}: 1" for number in range(count - 2))
        assert (await exchange(d, f"GET /api/seen HTTP/1.1\r\n{more}")).status == status


async def test_header_names_are_in_lower_case_and_repeated_ones_joined_without_a_space(drive: Drive) -> None:
    async with drive(shop()) as d:
        more = "Accept: a/b, c/d\r\nACCEPT: e/f\r\nX-Empty: \r\nX-One: 1\r\nX-One: \r\nX-One:  2 "
        headers = (await seen(d, f"GET /api/seen HTTP/1.1\r\n{more}"))["headers"]
        assert (headers["accept"], headers["x-empty"], headers["x-one"]) == ("a/b, c/d,e/f", "", "1,2")


@pytest.mark.parametrize(
    ("head", "status", "length"),
    [
        ("HEAD /api/answer/200 HTTP/1.1", 200, "5"),
        ("GET /api/answer/204 HTTP/1.1", 204, None),
        ("GET /api/answer/304 HTTP/1.1", 304, None),
    ],
)
async def test_head_and_statuses_without_content_have_no_body(
    drive: Drive, head: str, status: int, length: str | None
) -> None:
    async with drive(shop()) as d:
        answer = await exchange(d, head)
        assert (answer.status, answer.body, answer.headers.get("content-length")) == (status, b"", length)


@pytest.mark.parametrize(
    "query", ["name=caf%C3%A9", "name=%ED%95%9C", "name=a%01b", "name=a%0D%0AY:b", "header=X%20Y"]
)
async def test_a_header_that_cannot_be_sent_is_a_500_without_a_body_and_a_log(
    drive: Drive, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    async with drive(shop()) as d:
        answer = await d.http.get(f"/api/answer/200?{query}")
        assert (answer.status_code, answer.content) == (500, b"")
        assert "function.failed name=answer" in caplog.text
        assert (await d.http.get("/api/answer/200?name=a%09b")).headers["X-Name"] == "a\tb"


@pytest.mark.parametrize(("answer", "status"), [("100", 500), ("205", 500), ("205?empty=1", 205)])
async def test_a_status_that_cannot_be_sent_is_a_500(drive: Drive, answer: str, status: int) -> None:
    async with drive(shop()) as d:
        assert (await d.http.get(f"/api/answer/{answer}")).status_code == status


async def test_a_body_over_the_platform_s_limit_is_a_500_without_a_body_unread(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    async with drive(shop()) as d:
        answer = await exchange(d, f"POST /api/seen HTTP/1.1\r\nContent-Length: {100 * 1024 * 1024 + 1}")
        assert (answer.status, answer.body) == (500, b"")
        assert "request.too_large name=seen bytes=104857601 limit=104857600" in caplog.text
