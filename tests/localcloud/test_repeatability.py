import uuid
from datetime import timedelta
from email.utils import format_datetime

import pytest
from azure.core.rest import HttpRequest

SEND = "/emails:send?api-version=2025-09-01"


def repeatable(request_id, first_sent):
    return {
        "Repeatability-Request-ID": request_id,
        "Repeatability-First-Sent": format_datetime(first_sent, usegmt=True),
    }


async def test_a_repeat_within_five_minutes_is_the_same_send(client, wall, mails, a_message):
    headers = repeatable(str(uuid.uuid4()), wall() - timedelta(minutes=4))
    answers = [
        await client.send_request(HttpRequest("POST", SEND, json=a_message(), headers=headers))
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].headers["Repeatability-Result"] == "accepted"
    assert [mail["attempts"] for mail in await mails()] == [2]


async def test_the_sdk_passes_the_headers_on(client, wall, mails, a_message):
    headers = repeatable(str(uuid.uuid4()), wall())
    for _ in range(2):
        await client.begin_send(a_message(), polling=False, headers=dict(headers))
    assert [mail["attempts"] for mail in await mails()] == [2]


async def test_an_operation_id_of_any_uuid_version_is_accepted_and_known(client, wall, mails, a_message):
    """The app's operation ids are of version 8."""
    operation_id = "0199f3a2-7c41-8b1e-8f7a-2f6f0c9d1e55"
    headers = repeatable(operation_id, wall())
    await client.begin_send(a_message(), polling=False, operation_id=operation_id, headers=headers)
    answer = await client.send_request(
        HttpRequest("GET", f"/emails/operations/{operation_id}?api-version=2025-09-01")
    )
    assert (answer.status_code, answer.json()["id"]) == (200, operation_id)
    assert [mail["operationId"] for mail in await mails()] == [operation_id]


async def test_after_five_minutes_a_repeat_is_refused(client, wall, mails, a_message):
    headers = repeatable(str(uuid.uuid4()), wall() - timedelta(minutes=5, seconds=2))
    answer = await client.send_request(HttpRequest("POST", SEND, json=a_message(), headers=headers))
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "PreconditionFailed")
    assert answer.headers["Repeatability-Result"] == "rejected"
    assert await mails() == []


async def test_other_requests_do_not_remove_a_tracked_one(client, wall, mails, a_message):
    first = repeatable(str(uuid.uuid4()), wall() - timedelta(minutes=4))
    later = repeatable(str(uuid.uuid4()), wall() + timedelta(minutes=4))
    for headers in (first, later, first):
        await client.send_request(HttpRequest("POST", SEND, json=a_message(), headers=headers))
    assert [mail["attempts"] for mail in await mails()] == [2, 1]


@pytest.mark.parametrize(
    "headers",
    [
        {"Repeatability-Request-ID": str(uuid.uuid4())},
        {"Repeatability-First-Sent": "Sat, 21 Nov 2026 10:00:00 GMT"},
        {"Repeatability-Request-ID": "one", "Repeatability-First-Sent": "Sat, 21 Nov 2026 10:00:00 GMT"},
        {"Repeatability-Request-ID": str(uuid.uuid4()), "Repeatability-First-Sent": "yesterday"},
        {
            "Repeatability-Request-ID": str(uuid.uuid4()),
            "Repeatability-First-Sent": "Fri, 21 Nov 2098 10:00:00 GMT",
        },
    ],
)
async def test_missing_or_malformed_headers_are_refused(client, mails, a_message, headers):
    answer = await client.send_request(HttpRequest("POST", SEND, json=a_message(), headers=headers))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert await mails() == []
