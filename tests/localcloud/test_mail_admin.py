from datetime import UTC, datetime, timedelta

import pytest

from localcloud.server import is_loopback

MAILS = "/admin/devhost/mail"


async def test_mails_come_oldest_first_and_after_an_id(client, mails, a_message):
    for subject in ("one", "two", "three"):
        await client.begin_send(a_message(subject=subject), polling=False)
    assert [mail["subject"] for mail in await mails()] == ["one", "two", "three"]
    assert [mail["subject"] for mail in await mails(after="1")] == ["two", "three"]
    assert await mails(after="3") == []


async def test_mails_to_one_address_are_found_in_any_letter_case(client, mails, a_message):
    await client.begin_send(a_message("rae@contoso.com", "kim@contoso.com"), polling=False)
    await client.begin_send(a_message("lee@fabrikam.com"), polling=False)
    assert [mail["id"] for mail in await mails(to="Kim@Contoso.com")] == ["1"]


async def test_a_mail_is_listed_with_its_own_headers(client, mails, a_message):
    message = a_message()
    message["headers"] = {"References": "<deal-1@referrals.example>", "X-Referral": "r-1"}
    await client.begin_send(message, polling=False)
    assert [mail["headers"] for mail in await mails()] == [message["headers"]]


async def test_mails_of_one_thread_are_found_however_the_header_is_written(client, mails, a_message):
    for name, value in (
        ("References", "<a@x> <b@x>"),
        ("references", "<a@x>\t <b@x>"),
        ("References", "<a@x>"),
    ):
        message = a_message()
        message["headers"] = {name: value}
        await client.begin_send(message, polling=False)
    await client.begin_send(a_message(), polling=False)
    assert [mail["id"] for mail in await mails(thread="<a@x> <b@x>")] == ["1", "2"]
    assert [mail["id"] for mail in await mails(thread="<a@x> <b@x>", after="1", to="RAE@contoso.com")] == [
        "2"
    ]
    assert await mails(thread="<a@x> <b@x>", to="kim@contoso.com") == []


@pytest.mark.parametrize("text", ["x", "-1", "1e9", "9" * 30, "²"])
async def test_an_id_that_is_not_a_number_is_refused(http, text):
    async with http.get(MAILS, params={"after": text}) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "BadRequest")


async def test_a_mail_arrives_at_the_time_of_the_domain_clock(client, mails, offset_file, a_message):
    offset_file.write_text(str(int(timedelta(days=14) / timedelta(microseconds=1))) + "\n")
    await client.begin_send(a_message(), polling=False)
    (mail,) = await mails()
    arrived = datetime.fromisoformat(mail["receivedDateTime"])
    assert timedelta(days=13, hours=23) < arrived - datetime.now(UTC) <= timedelta(days=14)


async def test_without_an_offset_file_a_mail_arrives_at_real_time(client, mails, a_message):
    await client.begin_send(a_message(), polling=False)
    (mail,) = await mails()
    assert abs(datetime.fromisoformat(mail["receivedDateTime"]) - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize("path", [MAILS, f"{MAILS}/view", f"{MAILS}/view/1", f"{MAILS}/faults"])
async def test_a_request_that_names_another_host_is_refused(http, path):
    async with http.get(path, headers={"Host": "attacker.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://localhost.attacker.example"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_page_of_another_site_may_not_order_faults(http, method, origin):
    async with http.request(method, f"{MAILS}/faults", json={}, headers={"Origin": origin}) as answer:
        assert answer.status == 403


async def test_a_page_of_this_machine_may_order_faults(http):
    async with http.delete(f"{MAILS}/faults", headers={"Origin": "http://localhost:7071"}) as answer:
        assert answer.status == 204


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("//127.0.0.1:7071", True),
        ("//127.8.9.1", True),
        ("//[::1]:80", True),
        ("//localhost", True),
        ("http://app.localhost:3000", True),
        ("//", False),
        ("//10.0.0.1", False),
        ("//127.0.0.1.attacker.example", False),
        ("//[::1", False),
        ("null", False),
    ],
)
def test_loopback_is_distinguished_from_other_hosts(url, expected):
    assert is_loopback(url) is expected
