import uuid
from base64 import b64encode
from datetime import timedelta

import aiohttp
import pytest
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest

SEND = "/emails:send?api-version=2025-09-01"


async def sent(client, message, **options):
    poller = await client.begin_send(message, polling=False, **options)
    return await poller.result()


async def test_a_message_of_the_sdk_is_accepted_and_shown(client, mails, a_message):
    message = a_message("rae@contoso.com", "kim@contoso.com", html="<p>Please look.</p>")
    message["recipients"]["cc"] = [{"address": "lee@fabrikam.com", "displayName": "Lee"}]
    answer = await sent(client, message, operation_id="7b1f1c0e-0000-4000-8000-000000000001")
    assert answer == {"id": "7b1f1c0e-0000-4000-8000-000000000001", "status": "Running"}
    (mail,) = await mails()
    assert mail.pop("receivedDateTime").endswith("Z")
    assert mail == {
        "id": "1",
        "operationId": answer["id"],
        "attempts": 1,
        "from": "no-reply@referrals.example",
        "to": ["rae@contoso.com", "kim@contoso.com"],
        "cc": ["lee@fabrikam.com"],
        "bcc": [],
        "replyTo": [],
        "headers": {},
        "subject": "A new referral",
        "text": "Please look.",
        "html": "<p>Please look.</p>",
        "reports": [],
    }


async def test_polling_ends_with_success(client, a_message):
    poller = await client.begin_send(a_message())
    assert (await poller.result())["status"] == "Succeeded"


async def test_a_repeated_operation_is_one_message_with_two_attempts(client, mails, a_message):
    for _ in range(2):
        await sent(client, a_message(), operation_id="op-1")
    assert [mail["attempts"] for mail in await mails()] == [2]


async def test_a_repeated_operation_with_another_body_keeps_the_first(client, mails, a_message):
    await sent(client, a_message(subject="First"), operation_id="op-1")
    answer = await sent(client, a_message(subject="Second"), operation_id="op-1")
    assert answer["id"] == "op-1"
    assert [(mail["subject"], mail["attempts"]) for mail in await mails()] == [("First", 2)]


async def test_sends_without_an_operation_id_are_different_messages(client, mails, a_message):
    first, second = [await sent(client, a_message()) for _ in range(2)]
    assert first["id"] != second["id"]
    assert [mail["id"] for mail in await mails()] == ["1", "2"]


async def test_repeated_attempts_leave_no_gap_in_the_numbers(client, mails, a_message):
    for operation in ("op-1", "op-1", "op-2"):
        await sent(client, a_message(), operation_id=operation)
    assert [mail["id"] for mail in await mails()] == ["1", "2"]


async def test_the_operation_of_a_known_send_has_succeeded(client, a_message):
    await sent(client, a_message(), operation_id="op-1")
    answer = await client.send_request(HttpRequest("GET", "/emails/operations/op-1?api-version=2025-09-01"))
    assert (answer.status_code, answer.json()) == (200, {"id": "op-1", "status": "Succeeded"})


async def test_an_unknown_operation_is_not_found(client):
    answer = await client.send_request(HttpRequest("GET", "/emails/operations/op-9?api-version=2025-09-01"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "OperationNotFound")


async def test_the_location_of_an_operation_can_be_requested(client, a_message):
    answer = await client.send_request(HttpRequest("POST", SEND, json=a_message()))
    asked = await client.send_request(HttpRequest("GET", answer.headers["Operation-Location"]))
    assert asked.json() == {"id": answer.json()["id"], "status": "Succeeded"}


async def test_another_key_can_neither_send_nor_get_a_status(cloud, mails, a_message):
    key = b64encode(b"another key").decode()
    async with EmailClient(cloud.url, AzureKeyCredential(key), retry_total=0) as stranger:
        with pytest.raises(ClientAuthenticationError):
            await sent(stranger, a_message())
        asked = await stranger.send_request(
            HttpRequest("GET", "/emails/operations/op-1?api-version=2025-09-01")
        )
    assert asked.status_code == 401
    assert await mails() == []


async def test_a_clock_that_is_off_by_more_than_five_minutes_is_refused(client, wall, a_message):
    wall.ahead = timedelta(minutes=6)
    with pytest.raises(ClientAuthenticationError, match="x-ms-date"):
        await sent(client, a_message())


async def test_an_unsigned_request_is_refused(http: aiohttp.ClientSession, a_message):
    async with http.post(SEND, json=a_message()) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("senderAddress", {"senderAddress": "nobody"}),
        ("senderAddress", {"senderAddress": None}),
        ("recipients.to", {"recipients": {"to": []}}),
        ("recipients.to", {"recipients": {"cc": [{"address": "a@contoso.com"}]}}),
        ("recipients.to.0.address", {"recipients": {"to": [{"address": "a b@contoso.com"}]}}),
        (
            "recipients.cc.0.address",
            {"recipients": {"to": [{"address": "a@contoso.com"}], "cc": [{"address": "@"}]}},
        ),
        ("recipients", {"recipients": {"to": [{"address": f"a{n}@contoso.com"} for n in range(51)]}}),
        ("content.subject", {"content": {"plainText": "x"}}),
        ("content.subject", {"content": {"subject": "", "plainText": "x"}}),
        ("content", {"content": {"subject": "x"}}),
        ("content", {"content": {"subject": "x", "plainText": "", "html": ""}}),
    ],
)
async def test_an_invalid_message_is_refused_with_the_invalid_member(client, mails, a_message, place, change):
    with pytest.raises(HttpResponseError) as refused:
        await sent(client, {**a_message(), **change})
    assert refused.value.status_code == 400
    assert refused.value.error.code == "BadRequest"
    assert refused.value.error.message.startswith(f"{place}:")
    assert await mails() == []


async def test_a_body_that_is_not_json_is_refused(client):
    answer = await client.send_request(HttpRequest("POST", SEND, content="hello"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


async def test_a_request_without_an_api_version_is_refused(client, a_message):
    answer = await client.send_request(HttpRequest("POST", "/emails:send", json=a_message()))
    assert "api-version" in answer.json()["error"]["message"]


async def test_an_invalid_operation_id_is_refused(client, a_message):
    answer = await client.send_request(
        HttpRequest("POST", SEND, json=a_message(), headers={"Operation-Id": "a/b"})
    )
    assert answer.status_code == 400


async def test_a_message_with_only_html_is_accepted(client, mails, a_message):
    message = a_message()
    message["content"] = {"subject": "x", "html": "<p>y</p>"}
    await sent(client, message, operation_id=str(uuid.uuid4()))
    assert [(mail["html"], mail["text"]) for mail in await mails()] == [("<p>y</p>", None)]
