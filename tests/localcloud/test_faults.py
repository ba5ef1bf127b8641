import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

FAULTS = "/admin/devhost/mail/faults"


@pytest.fixture
def order(http):
    async def ordered(*faults):
        async with http.post(FAULTS, json={"faults": faults}) as answer:
            assert answer.status == 200
            return await answer.json()

    return ordered


@pytest.fixture
def status_of_send(client):
    async def send(message, **options):
        try:
            await client.begin_send(message, polling=False, **options)
        except HttpResponseError as error:
            return error.status_code
        return 202

    return send


async def test_faults_happen_in_order_and_as_often_as_ordered(order, status_of_send, mails, a_message):
    await order({"status": 429, "retryAfter": 5, "times": 2}, {"status": 500, "times": 1})
    assert [await status_of_send(a_message()) for _ in range(4)] == [429, 429, 500, 202]
    assert len(await mails()) == 1


async def test_a_throttled_send_says_when_to_retry(order, client, a_message):
    await order({"status": 429, "retryAfter": 5, "times": 1, "code": "TooManyRequests"})
    with pytest.raises(HttpResponseError) as refused:
        await client.begin_send(a_message(), polling=False)
    assert refused.value.response.headers["Retry-After"] == "5"
    assert refused.value.error.code == "TooManyRequests"


async def test_a_connection_dropped_before_acceptance_stores_nothing(order, client, mails, a_message):
    await order({"drop": "before", "times": 1})
    with pytest.raises(ServiceRequestError, match="Server disconnected"):
        await client.begin_send(a_message(), polling=False, operation_id="op-1")
    assert await mails() == []


async def test_a_connection_dropped_after_acceptance_has_stored_the_message(order, client, mails, a_message):
    await order({"drop": "after", "times": 1})
    with pytest.raises(ServiceRequestError, match="Server disconnected"):
        await client.begin_send(a_message(), polling=False, operation_id="op-1")
    await client.begin_send(a_message(), polling=False, operation_id="op-1")
    assert [mail["attempts"] for mail in await mails()] == [2]


async def test_a_fault_of_one_recipient_does_not_concern_the_others(order, status_of_send, a_message):
    await order(
        {"recipient": "Gone@contoso.com", "status": 400, "code": "EmailDroppedAllRecipientsSuppressed"}
    )
    assert await status_of_send(a_message("rae@contoso.com")) == 202
    assert [await status_of_send(a_message("gone@contoso.com")) for _ in range(3)] == [400, 400, 400]


async def test_cleared_faults_do_not_happen(order, http, status_of_send, a_message):
    await order({"status": 500})
    async with http.delete(FAULTS) as answer:
        assert answer.status == 204
    assert await status_of_send(a_message()) == 202


async def test_the_faults_that_are_left_can_be_listed(order, http, status_of_send, a_message):
    await order({"status": 500, "times": 3})
    await status_of_send(a_message())
    async with http.get(FAULTS) as answer:
        assert (await answer.json())["faults"] == [{"status": 500, "code": "ScriptedFault", "times": 2}]


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"status": 200},
        {"status": 500, "drop": "after"},
        {"drop": "never"},
        {"status": 500, "times": 0},
        {"stat": 1},
    ],
)
async def test_an_invalid_fault_is_refused(http, fault):
    async with http.post(FAULTS, json={"faults": [fault]}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"].startswith("faults.0")
