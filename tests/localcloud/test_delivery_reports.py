import asyncio
import json
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from localcloud.mail.webhook import events_key
from localcloud.process.ports import free_ports
from localcloud.server import running
from tests.localcloud.webhook_double import listening

MAILS = "/admin/devhost/mail"
VIEW = f"{MAILS}/view"


@pytest.fixture
async def webhook():
    async with listening() as app:
        yield app


@pytest.fixture
async def cloud(tmp_path, wall, offset_file, webhook):
    """The local cloud with a webhook to report to."""
    async with running(
        tmp_path / "data", clock_offset_file=offset_file, wall=wall, mail_events_url=webhook.url
    ) as server:
        yield server


@pytest.fixture
def order(http):
    async def ordered(number=1, **members):
        async with http.post(f"{MAILS}/{number}/reports", json=members) as answer:
            return answer.status, await answer.json()

    return ordered


@pytest.fixture
async def sent(client, a_message):
    """A mail to two people, one of them in copy."""
    message = a_message("rae@contoso.com")
    message["recipients"]["cc"] = [{"address": "Lee@fabrikam.com"}]
    await client.begin_send(message, polling=False, operation_id="op-1")


async def test_a_report_reaches_the_webhook_as_event_grid_delivers_it(sent, order, webhook, offset_file):
    offset_file.write_text(str(int(timedelta(days=14) / timedelta(microseconds=1))) + "\n")
    assert (await order(status="Bounced", recipient="rae@contoso.com", detail="No such mailbox"))[0] == 200
    (event,), (request,) = webhook.events, webhook.requests
    assert request.headers["aeg-event-type"] == "Notification"
    assert request.headers["Content-Type"] == "application/json"
    assert UUID(event.pop("id"))
    assert event.pop("topic").endswith("/providers/Microsoft.Communication/communicationServices/mail-sink")
    moments = event.pop("eventTime"), event["data"].pop("deliveryAttemptTimeStamp")
    for moment in map(datetime.fromisoformat, moments):
        assert timedelta(days=13, hours=23) < moment - datetime.now(UTC) <= timedelta(days=14)
    assert event == {
        "subject": "sender/no-reply@referrals.example/message/op-1",
        "eventType": "Microsoft.Communication.EmailDeliveryReportReceived",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {
            "sender": "no-reply@referrals.example",
            "recipient": "rae@contoso.com",
            "messageId": "op-1",
            "status": "Bounced",
            "deliveryStatusDetails": {"statusMessage": "No such mailbox"},
        },
    }


async def test_without_a_recipient_there_is_one_event_for_everybody_who_got_the_mail(sent, order, webhook):
    await order(status="Delivered")
    assert webhook.received_statuses() == [
        ("rae@contoso.com", "Delivered"),
        ("Lee@fabrikam.com", "Delivered"),
    ]
    assert len({event["id"] for event in webhook.events}) == 2


async def test_a_recipient_who_got_a_mail_twice_has_one_event(client, a_message, order, webhook):
    await client.begin_send(a_message("rae@contoso.com", "RAE@contoso.com"), polling=False)
    await order(status="Delivered")
    assert webhook.received_statuses() == [("rae@contoso.com", "Delivered")]


async def test_a_recipient_is_found_in_any_letter_case_and_reported_as_the_mail_spells_it(
    sent, order, webhook
):
    await order(status="Suppressed", recipient="LEE@Fabrikam.com")
    assert webhook.received_statuses() == [("Lee@fabrikam.com", "Suppressed")]


async def test_there_is_one_handshake_before_the_first_event(sent, order, webhook):
    await order(status="Delivered")
    await order(status="Bounced")
    (handshake,) = webhook.handshakes
    assert handshake.headers["Content-Type"] == "application/json"


async def test_concurrent_orders_share_one_handshake(sent, order, webhook):
    answers = await asyncio.gather(*(order(status=status) for status in ("Delivered", "Bounced", "Failed")))
    assert [status for status, _ in answers] == [200] * 3
    assert len(webhook.handshakes) == 1


async def test_a_restarted_sink_repeats_the_handshake(sent, order, webhook, tmp_path):
    await order(status="Delivered")
    async with (
        running(tmp_path / "data", mail_events_url=webhook.url) as again,
        aiohttp.ClientSession(again.url) as http,
        http.post(f"{MAILS}/1/reports", json={"status": "Bounced"}) as answer,
    ):
        assert answer.status == 200
    assert len(webhook.handshakes) == 2


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        (web.Response(status=404, text="No such path"), "404 “No such path”"),
        (web.json_response({"validationResponse": "another"}), '200 “{"validationResponse": "another"}”'),
        (web.json_response(["a list"]), '200 “["a list"]”'),
        (web.Response(body=b"\xff{"), "200 “\ufffd{”"),
        (web.Response(text="x" * 1000), f"200 “{'x' * 200}…”"),
        (web.Response(status=202), "202 and an empty body"),
    ],
)
async def test_a_webhook_that_fails_the_handshake_is_quoted_and_gets_no_event(
    sent, order, webhook, answer, quoted
):
    webhook.validation = answer
    status, body = await order(status="Bounced")
    assert (status, body["error"]["code"]) == (502, "HandshakeFailed")
    assert f"answered the subscription validation with {quoted}" in body["error"]["message"]
    assert webhook.requests == []


async def test_a_handshake_with_a_status_other_than_200_fails_even_with_the_right_code(sent, order, webhook):
    webhook.handshake_status = 202
    assert (await order(status="Bounced"))[0] == 502
    assert webhook.requests == []


async def test_a_failed_handshake_is_repeated_with_the_next_order(sent, order, webhook):
    webhook.validation = web.Response(status=503)
    assert (await order(status="Bounced"))[0] == 502
    webhook.validation = None
    assert (await order(status="Bounced"))[0] == 200
    assert webhook.received_statuses()[0] == ("rae@contoso.com", "Bounced")


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_the_error_for_an_event_that_the_webhook_refuses_has_its_status(
    sent, order, webhook, mails, status
):
    webhook.status = status
    response_status, body = await order(status="Bounced")
    assert (response_status, body["error"]["code"]) == (502, "EventRefused")
    assert f"answered the event for rae@contoso.com with {status}" in body["error"]["message"]
    assert "Order the report again" in body["error"]["message"]
    assert (await mails())[0]["reports"] == []
    assert len(webhook.requests) == 1


async def test_an_order_can_be_repeated_after_a_refusal_without_another_handshake(sent, order, webhook):
    webhook.status = 500
    await order(status="Bounced")
    webhook.status = 204
    assert (await order(status="Bounced"))[0] == 200
    assert len(webhook.handshakes) == 1


async def test_a_webhook_that_cannot_be_reached_is_named_without_its_secret(
    client, a_message, tmp_path, wall
):
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}/events"
    async with (
        running(tmp_path / "data", wall=wall, mail_events_url=nobody) as cloud,
        EmailClient(cloud.url, AzureKeyCredential(cloud.access_key), retry_total=0) as sender,
        aiohttp.ClientSession(cloud.url) as http,
    ):
        await sender.begin_send(a_message(), polling=False)
        async with http.post(f"{MAILS}/1/reports", json={"status": "Bounced"}) as answer:
            message = (await answer.json())["error"]["message"]
    assert answer.status == 502
    assert message.startswith(f"The webhook {nobody} cannot be reached")
    assert events_key(tmp_path / "data") not in message


async def test_without_a_webhook_the_error_says_what_is_missing(a_message, tmp_path, wall):
    async with (
        running(tmp_path / "alone", wall=wall) as cloud,
        EmailClient(cloud.url, AzureKeyCredential(cloud.access_key), retry_total=0) as sender,
        aiohttp.ClientSession(cloud.url) as http,
    ):
        await sender.begin_send(a_message(), polling=False)
        async with http.post(f"{MAILS}/1/reports", json={"status": "Bounced"}) as answer:
            assert answer.status == 409
            assert "--mail-events-url" in (await answer.json())["error"]["message"]


async def test_the_webhook_is_called_with_the_secret_of_the_data_directory(sent, order, webhook, tmp_path):
    await order(status="Delivered", recipient="rae@contoso.com")
    expected = {"key": events_key(tmp_path / "data")}
    assert [dict(request.query) for request in (*webhook.handshakes, *webhook.requests)] == [expected] * 2


async def test_the_secret_is_created_once_and_private(tmp_path):
    assert events_key(tmp_path) == events_key(tmp_path)
    assert len(events_key(tmp_path)) >= 40
    assert stat.S_IMODE((tmp_path / "mail" / "events-key").stat().st_mode) == 0o600


async def test_the_latest_status_of_each_recipient_is_kept_with_the_mail(sent, order, mails):
    await order(status="Delivered")
    _, body = await order(status="Bounced", recipient="lee@fabrikam.com", detail="Gone")
    kept = [
        {"recipient": "rae@contoso.com", "status": "Delivered", "detail": ""},
        {"recipient": "Lee@fabrikam.com", "status": "Bounced", "detail": "Gone"},
    ]
    assert body == {"reports": kept}
    assert (await mails())[0]["reports"] == kept


async def test_the_reports_of_one_mail_are_not_those_of_another(client, a_message, order, mails):
    for _ in range(2):
        await client.begin_send(a_message(), polling=False)
    await order(2, status="Quarantined")
    assert [len(mail["reports"]) for mail in await mails()] == [0, 1]


async def test_reports_survive_a_new_start(sent, order, tmp_path):
    await order(status="Expanded", recipient="rae@contoso.com")
    async with (
        running(tmp_path / "data") as again,
        aiohttp.ClientSession(again.url) as http,
        http.get(MAILS) as answer,
    ):
        (mail,) = (await answer.json())["value"]
    assert [report["status"] for report in mail["reports"]] == ["Expanded"]


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({}, "status"),
        ({"status": "Lost"}, "status"),
        ({"status": "bounced"}, "status"),
        ({"status": "Bounced", "reason": "x"}, "reason"),
        ({"status": "Bounced", "detail": 7}, "detail"),
        ({"status": "Bounced", "recipient": "kim@contoso.com"}, "recipient"),
        ([], "body"),
    ],
)
async def test_an_invalid_order_is_refused_with_the_invalid_member(sent, http, webhook, body, member):
    async with http.post(f"{MAILS}/1/reports", data=json.dumps(body)) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"].startswith(f"{member}: ")
    assert webhook.handshakes == []


@pytest.mark.parametrize(("number", "status"), [("2", 404), ("999999999999", 404), ("x", 400)])
async def test_a_report_about_an_unknown_mail_is_refused(sent, order, number, status):
    assert (await order(number, status="Bounced"))[0] == status


async def test_a_page_of_another_site_may_not_order_reports(sent, http, webhook):
    headers = {"Origin": "https://attacker.example"}
    async with http.post(f"{MAILS}/1/reports", json={"status": "Bounced"}, headers=headers) as answer:
        assert answer.status == 403
    assert webhook.handshakes == []


BEFORE_REPORTS = """
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    operation_id TEXT    NOT NULL UNIQUE,
    attempts     INTEGER NOT NULL DEFAULT 1,
    received     TEXT    NOT NULL,
    message      TEXT    NOT NULL
) STRICT;
CREATE TABLE repeatable_requests (
    request_id   TEXT PRIMARY KEY,
    first_sent   REAL NOT NULL,
    operation_id TEXT NOT NULL REFERENCES messages (operation_id)
) STRICT;
"""


async def test_a_data_directory_from_before_reports_can_store_them(tmp_path, webhook, a_message):
    (tmp_path / "old" / "mail").mkdir(parents=True)
    connection = sqlite3.connect(tmp_path / "old" / "mail" / "mail.sqlite")
    connection.executescript(BEFORE_REPORTS)
    connection.execute(
        "INSERT INTO messages (operation_id, received, message) VALUES (?, ?, ?)",
        ("op-1", "2026-01-01T00:00:00+00:00", json.dumps(a_message())),
    )
    connection.commit()
    connection.close()
    async with (
        running(tmp_path / "old", mail_events_url=webhook.url) as cloud,
        aiohttp.ClientSession(cloud.url) as http,
    ):
        async with http.get(MAILS) as answer:
            assert [mail["reports"] for mail in (await answer.json())["value"]] == [[]]
        async with http.post(f"{MAILS}/1/reports", json={"status": "Bounced"}) as answer:
            assert answer.status == 200
    assert webhook.received_statuses() == [("rae@contoso.com", "Bounced")]
