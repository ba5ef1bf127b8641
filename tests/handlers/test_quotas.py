"""U1, U2 over requests: whatever invites, asks or writes is refused beyond its quota, and changes nothing then."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from api.contract.openapi import openapi_document
from api.http.operation import OPERATIONS, Handler
from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.convert import convert_lead
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral, put_referral
from api.referrals.engagements import get_engagement
from api.referrals.invitations import create_invitations
from api.referrals.messages import list_messages, post_message
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral, win_referral
from shared.settings import Limits
from shared.storage.memory_tables import MemoryTables
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import replacing
from tests.doubles.service import NO_LIMITS, NOTHING, SETTINGS, ask, service_on
from tests.doubles.small_world import deal, import_small_world, inquiry
from tests.examples.referrals import NOW

DAY = timedelta(days=1)
_TERMS = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}
CODE = "/inviteContext/assistanceRequestCode"


class World:
    """The small world in a service with limits, whose counts a process that has just started reads anew."""

    def __init__(self) -> None:
        self.tables = MemoryTables()
        self.now = NOW
        self.limit(NO_LIMITS)

    def limit(self, limits: Limits) -> None:
        """Start the process again, with these limits."""
        self.service = service_on(
            self.tables, MemoryMailService(), lambda: self.now, replace(SETTINGS, limits=limits)
        )

    async def ask(
        self,
        who: str,
        handler: Handler,
        body: object = None,
        route: Mapping[str, str] = NOTHING,
        headers: Mapping[str, str] = NOTHING,
        **params: str,
    ) -> Response:
        options = {f"${name}": value for name, value in params.items()}
        return await ask(
            self.service, who, handler, body, now=self.now, route=route, headers=headers, params=options
        )

    async def done(self, who: str, handler: Handler, *arguments: Any, **more: Any) -> Any:
        answer = await self.ask(who, handler, *arguments, **more)
        assert answer.status < 300, answer.body
        return answer.body

    async def rows(self) -> list[tuple[str, str, str]]:
        """The keys of all that is stored, but for what is to do and was done."""
        tables = ("referrals", "engagements", "mail")
        return sorted(
            [(name, row.partition, row.key) for name in tables async for row in self.tables.scan_table(name)]
        )

    async def referral_of(self, organization: str) -> str:
        """The newest referral of an organization."""
        rows = await self.tables.between("referrals", organization, "d:", "d;")
        return rows[-1].key.removeprefix("d:")


@pytest.fixture
async def world() -> World:
    world = World()
    await import_small_world(world.tables)
    return world


def daily(invitations: int) -> Limits:
    return replace(NO_LIMITS, invitations_per_day=invitations)


def hourly(messages: int, in_all: int = 0) -> Limits:
    return replace(NO_LIMITS, messages_per_hour=messages, messages_per_deal=in_all)


def refused(answer: Response) -> None:
    """The answer is 429, and says when it can work again."""
    assert (answer.status, answer.body["error"]["code"]) == (429, "tooManyRequests"), answer.body
    assert int(answer.headers["Retry-After"]) > 0


@dataclass
class Inviting:
    """A request that sends `number` invitations."""

    handler: Handler
    body: Any
    number: int
    route: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def send(self, world: World, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await world.ask("rae", self.handler, self.body, self.route, {**self.headers, **named})


async def creation(_: World) -> Inviting:
    return Inviting(create_referral, deal("northwind", "fabrikam"), 3)


async def later_invitations(world: World) -> Inviting:
    made = await world.done("rae", create_referral, deal(microsoft=False))
    body = {"invitations": deal("northwind", "fabrikam")["invitations"]}
    return Inviting(create_invitations, body, 2, {"id": made["id"]})


async def second_call(world: World) -> Inviting:
    made = await world.done("rae", create_referral, deal(microsoft=False))
    body = {
        **deal(microsoft=False),
        "engagementId": made["engagementId"],
        "target": [{"type": "BusinessProfileLocation", "id": "northwind-sydney"}],
        "inviteContext": {"assistanceRequestCode": "GeneralOrOther"},
    }
    return Inviting(create_referral, body, 1)


async def patched_answer(world: World) -> Inviting:
    made = await world.done("rae", create_referral, deal(microsoft=False))
    body = [replacing(CODE, "GeneralOrOther")]
    return Inviting(patch_referral, body, 1, {"id": made["id"]}, {"If-Match": made["eTag"]})


async def put_answer(world: World) -> Inviting:
    made = await world.done("rae", create_referral, deal(microsoft=False))
    body = {**made, "inviteContext": {**made["inviteContext"], "assistanceRequestCode": "GeneralOrOther"}}
    return Inviting(put_referral, body, 1, {"id": made["id"]}, {"If-Match": made["eTag"]})


async def conversion(world: World) -> Inviting:
    await world.done("web", submit_leads, inquiry("contoso"))
    lead = {"id": await world.referral_of("contoso")}
    accepting = {**_TERMS, "team": deal()["team"]}
    await world.done("rae", accept_referral, accepting, lead)
    body = {
        name: deal("northwind")[name]
        for name in ("consent", "details", "inviteContext", "invitations", "team")
    }
    body["customerProfile"] = {"team": deal()["customerProfile"]["team"]}
    return Inviting(convert_lead, body, 2, lead)


PATHS = [creation, later_invitations, second_call, patched_answer, put_answer, conversion]
each_path = pytest.mark.parametrize("path", PATHS, ids=lambda each: each.__name__)


@each_path
async def test_whatever_invites_is_refused_beyond_the_quota_and_stores_nothing(
    world: World, path: Any
) -> None:
    inviting = await path(world)
    before = await world.rows()
    world.limit(daily(inviting.number - 1 or 1))
    if inviting.number == 1:
        await world.done("rae", create_referral, deal())
        before = await world.rows()
    refused(answer := await inviting.send(world))
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    assert int(answer.headers["Retry-After"]) == int((midnight - NOW).total_seconds())
    assert await world.rows() == before
    world.limit(daily(max(inviting.number, 2)))
    assert (await inviting.send(world)).status < 300


@each_path
async def test_all_invitations_of_a_day_count_whatever_sent_them(world: World, path: Any) -> None:
    inviting = await path(world)
    world.limit(daily(inviting.number))
    assert (await inviting.send(world)).status < 300
    for _ in range(2):
        refused(await world.ask("rae", create_referral, deal()))
        world.limit(daily(inviting.number))  # another process, which reads what is stored
    assert (await world.ask("nia", create_referral, deal("fabrikam", microsoft=False))).status != 429
    world.now += DAY
    assert (await world.ask("rae", create_referral, deal())).status == 201


@pytest.mark.parametrize("path", [creation, later_invitations, second_call, conversion])
async def test_a_repetition_is_answered_though_the_quota_is_used_up_and_counts_once(
    world: World, path: Any
) -> None:
    inviting = await path(world)
    world.limit(daily(inviting.number))
    first = await inviting.send(world, Idempotency_Key="once")
    assert first.status < 300, first.body
    for _ in range(2):
        again = await inviting.send(world, Idempotency_Key="once")
        assert (again.status, again.body.get("id")) == (first.status, first.body.get("id"))
    world.limit(daily(inviting.number + 1))
    await inviting.send(world, Idempotency_Key="once")
    assert (await world.ask("rae", create_referral, deal())).status == 201
    refused(await world.ask("rae", create_referral, deal()))


@each_path
async def test_what_is_refused_for_another_reason_uses_nothing(world: World, path: Any) -> None:
    inviting = await path(world)
    world.limit(daily(inviting.number))
    good = inviting.body
    if isinstance(good, list):
        inviting.body = [*good, replacing("/name", "")]
    elif inviting.handler is create_invitations:
        inviting.body = {
            "invitations": [*good["invitations"][:1], {**good["invitations"][1], "dealValue": -1}]
        }
    else:
        inviting.body = {**good, "details": {**good["details"], "dealValue": -1}}
    for _ in range(3):
        assert (await inviting.send(world)).status == 422
    inviting.body = good
    assert (await inviting.send(world)).status < 300


async def test_to_validate_a_deal_needs_no_quota_and_uses_none(world: World) -> None:
    world.limit(daily(1))
    for _ in range(3):
        answer = await ask(
            world.service, "rae", create_referral, deal("northwind"), now=NOW, params={"validateOnly": "true"}
        )
        assert answer.status == 200, answer.body
    assert (await world.ask("rae", create_referral, deal())).status == 201


async def test_a_deal_that_invites_nobody_and_other_edits_need_no_quota(world: World) -> None:
    made = await world.done("rae", create_referral, deal())
    world.limit(daily(1))
    refused(await world.ask("rae", create_referral, deal()))
    private = await world.done("rae", create_referral, deal(microsoft=False))
    for each in (made, private):
        etag = {"If-Match": each["eTag"]}
        patch = [replacing("/name", "Another")]
        assert (await world.ask("rae", patch_referral, patch, {"id": each["id"]}, etag)).status == 204


async def test_more_invitations_than_a_request_may_have_are_a_fault_and_no_matter_of_the_quota(
    world: World,
) -> None:
    world.limit(daily(500))
    body = deal("northwind") | {"invitations": deal("northwind")["invitations"] * 600}
    assert (await world.ask("rae", create_referral, body)).status == 422


async def used_up(world: World) -> None:
    await world.done("rae", create_referral, deal())
    world.limit(daily(1))


async def test_the_quota_comes_after_404_and_403_and_before_409_412_422_and_428(world: World) -> None:
    made = await world.done("rae", create_referral, deal(microsoft=False))
    closed = await world.done("rae", create_referral, deal(microsoft=False))
    await world.done("rae", win_referral, {}, {"id": closed["id"]})
    keyed = {"Idempotency-Key": "once"}
    await world.done("rae", create_referral, deal(microsoft=False), NOTHING, keyed)
    await used_up(world)
    invitations = {"invitations": deal("northwind")["invitations"]}
    here, gone, stale = {"id": made["id"]}, {"id": f"{made['id'][:-4]}0000"}, {"If-Match": '"99"'}
    invites = [replacing(CODE, "GeneralOrOther")]
    cases: list[tuple[int, str, Handler, Any, Mapping[str, str], Mapping[str, str]]] = [
        (404, "rae", create_invitations, invitations, gone, NOTHING),
        (404, "rae", patch_referral, invites, gone, stale),
        (403, "web", create_referral, deal("northwind"), NOTHING, NOTHING),
        (403, "mia", create_referral, deal("northwind"), NOTHING, NOTHING),
        (429, "rae", patch_referral, invites, here, NOTHING),
        (428, "rae", patch_referral, [replacing("/name", "Another")], here, NOTHING),
        (429, "rae", patch_referral, invites, here, stale),
        (412, "rae", patch_referral, [replacing("/name", "Another")], here, stale),
        (429, "rae", create_invitations, invitations, here, stale),
        (429, "rae", create_invitations, invitations, {"id": closed["id"]}, NOTHING),
        (429, "rae", create_referral, deal("nobody"), NOTHING, NOTHING),
        (422, "rae", create_referral, {**deal(microsoft=False), "name": None}, NOTHING, NOTHING),
        (429, "rae", create_referral, deal("northwind"), NOTHING, keyed),
        (409, "rae", create_referral, {**deal(microsoft=False), "name": "Other"}, NOTHING, keyed),
    ]
    found = [
        (await world.ask(who, handler, body, route, headers)).status
        for _, who, handler, body, route, headers in cases
    ]
    assert found == [case[0] for case in cases]


async def test_a_request_whose_original_has_just_used_up_the_quota_gets_its_response(world: World) -> None:
    """C5: the original is stored after the repetition has looked for it."""
    world.limit(daily(1))
    keyed = {"Idempotency-Key": "once"}
    quotas, originals = world.service.quotas, list[Any]()
    take = quotas.invitations

    def take_late(*arguments: Any) -> Any:
        @asynccontextmanager
        async def taken() -> AsyncIterator[None]:
            quotas.invitations = take  # type: ignore[method-assign]
            originals.append(await world.done("rae", create_referral, deal(), NOTHING, keyed))
            async with take(*arguments):
                yield

        return taken()

    quotas.invitations = take_late  # type: ignore[method-assign]
    assert [await world.done("rae", create_referral, deal(), NOTHING, keyed)] == originals


async def test_requests_for_information_are_refused_beyond_the_quota_of_their_application(
    world: World,
) -> None:
    world.limit(limits := replace(NO_LIMITS, inquiries_per_day=2))
    keyed = {"Idempotency-Key": "once"}
    first = await world.done("web", submit_leads, inquiry("contoso"), NOTHING, keyed)
    assert (await world.ask("web", submit_leads, {})).status == 422
    await world.done("web", submit_leads, inquiry("fabrikam", "northwind"))
    before = await world.rows()
    for _ in range(2):
        refused(await world.ask("web", submit_leads, inquiry("contoso")))
        world.limit(limits)
    assert await world.rows() == before
    assert await world.done("web", submit_leads, inquiry("contoso"), NOTHING, keyed) == first
    refused(await world.ask("web", submit_leads, inquiry("fabrikam"), NOTHING, keyed))
    assert (await world.ask("rae", submit_leads, inquiry("contoso"))).status == 403
    world.now += DAY
    assert (await world.ask("web", submit_leads, inquiry("contoso"))).status == 201


async def conversation(world: World) -> Mapping[str, str]:
    """A deal of Contoso that Northwind has accepted: its route."""
    made = await world.done("rae", create_referral, deal("northwind"))
    await world.done("nia", accept_referral, {}, {"id": await world.referral_of("northwind")})
    return {"engagementId": made["engagementId"], "id": made["id"]}


def saying(text: str) -> dict[str, str]:
    return {"text": text}


async def test_messages_of_an_hour_are_limited_for_each_party(world: World) -> None:
    there = await conversation(world)
    world.now = NOW.replace(minute=59, second=58, microsecond=500_000)
    world.limit(limits := hourly(2))
    keyed = {"Idempotency-Key": "once"}
    first = await world.done("rae", post_message, saying("1"), there, keyed)
    await world.done("rae", post_message, saying("2"), there)
    for _ in range(2):
        refused(answer := await world.ask("rae", post_message, saying("3"), there))
        assert answer.headers["Retry-After"] == "2", "a second and a half, rounded up"
        world.limit(limits)
    assert await world.done("rae", post_message, saying("1"), there, keyed) == first
    await world.done("nia", post_message, saying("4"), there)
    world.now += timedelta(seconds=2)
    await world.done("rae", post_message, saying("5"), there)
    listed = await world.done("nia", list_messages, None, there)
    assert [each["text"] for each in listed["value"]] == ["5", "4", "2", "1"]


@pytest.mark.parametrize("limits", [hourly(3), hourly(0, in_all=3)], ids=["an hour", "in all"])
async def test_a_message_that_is_repeated_again_and_again_counts_once(world: World, limits: Limits) -> None:
    """A client that got no response repeats, and must not silence its organization."""
    there = await conversation(world)
    world.limit(limits)
    keyed = {"Idempotency-Key": "once"}
    first = await world.done("rae", post_message, saying("1"), there, keyed)
    for _ in range(5):
        assert await world.done("rae", post_message, saying("1"), there, keyed) == first
    for text in ("2", "3"):
        await world.done("rae", post_message, saying(text), there)
    assert (await world.ask("rae", post_message, saying("4"), there)).status in {409, 429}


async def test_a_party_cannot_fill_the_conversation_for_the_others(world: World) -> None:
    there = await conversation(world)
    world.limit(limits := hourly(0, in_all=3))
    keyed = {"Idempotency-Key": "once"}
    first = await world.done("rae", post_message, saying("1"), there, keyed)
    for text in ("2", "3"):
        world.now += timedelta(hours=5)
        await world.done("rae", post_message, saying(text), there)
    for _ in range(2):
        answer = await world.ask("rae", post_message, saying("4"), there)
        assert (answer.status, answer.body["error"]["code"]) == (409, "notAllowed")
        assert "3 is the limit" in answer.body["error"]["message"]
        assert "Retry-After" not in answer.headers
        world.limit(limits)
    assert await world.done("rae", post_message, saying("1"), there, keyed) == first
    await world.done("nia", post_message, saying("5"), there)
    assert (await world.ask("rae", post_message, {}, there)).status == 409, "before 422"


async def test_the_hour_comes_before_a_closed_deal_and_that_before_faults(world: World) -> None:
    there = await conversation(world)
    world.limit(hourly(1))
    assert (await world.ask("rae", post_message, {}, there)).status == 422
    await world.done("rae", post_message, saying("1"), there)
    await world.done("rae", win_referral, {}, there)
    assert (await world.ask("kim", post_message, {}, there)).status == 404
    refused(await world.ask("rae", post_message, {}, there))
    world.now += timedelta(hours=1)
    assert (await world.ask("rae", post_message, {}, there)).body["error"]["code"] == "terminalState"


async def test_a_conversation_is_listed_newest_first_in_pages_and_the_deal_shows_its_end(
    world: World,
) -> None:
    there = await conversation(world)
    for number in range(1, 121):
        await world.done("nia" if number % 3 else "rae", post_message, saying(str(number)), there)
    shown = (await world.done("rae", get_engagement, None, there))["messages"]
    assert [each["text"] for each in shown] == [str(number) for number in range(71, 121)], "oldest first"
    pages: list[list[str]] = []
    options: dict[str, str] = {"top": "50"}
    while options:
        page = await world.done("nia", list_messages, None, there, **options)
        pages.append([each["text"] for each in page["value"]])
        token = page.get("@odata.nextLink", "").partition("skiptoken=")[2]
        options = {"top": "50", "skiptoken": token} if token else {}
    assert [len(each) for each in pages] == [50, 50, 20]
    assert [text for each in pages for text in each] == [str(number) for number in range(120, 0, -1)]
    for wrong in ("x", "MA", "MTIzNDU2Nw"):
        assert (await world.ask("nia", list_messages, None, there, skiptoken=wrong)).status == 400


async def test_a_conversation_is_listed_for_those_who_see_it_in_the_deal(world: World) -> None:
    made = await world.done("rae", create_referral, deal("northwind", "fabrikam", microsoft=False))
    there = {"engagementId": made["engagementId"]}
    await world.done("rae", post_message, saying("Hi"), there)
    await world.done("nia", accept_referral, {}, {"id": await world.referral_of("northwind")})
    for who in ("rae", "nia", "kim", "sam", "web"):
        in_deal, listed = [
            await world.ask(who, each, None, there) for each in (get_engagement, list_messages)
        ]
        assert in_deal.status == listed.status, who
        if listed.status == 200:
            assert listed.body["value"] == in_deal.body["messages"], who
    assert (await world.ask("kim", list_messages, None, there)).body["value"] == []
    assert (await world.ask("sam", list_messages, None, there)).status == 404
    await world.done(
        "rae",
        patch_referral,
        [replacing("/consent/consentToShareReferralWithMicrosoftSellers", True)],
        {"id": made["id"]},
        {"If-Match": (await world.done("rae", get_referral, None, {"id": made["id"]}))["eTag"]},
    )
    assert (await world.ask("sam", get_engagement, None, there)).body["messages"] == []
    assert (await world.ask("sam", list_messages, None, there)).body == {"value": []}


async def test_an_ordinary_step_costs_one_request_more_in_a_minute(world: World) -> None:
    there = await conversation(world)
    costs: dict[bool, list[list[int]]] = {False: [], True: []}
    for limited in (False, True):
        world.limit(
            replace(
                NO_LIMITS,
                invitations_per_day=500,
                inquiries_per_day=500,
                messages_per_hour=60,
                messages_per_deal=200,
            )
            if limited
            else NO_LIMITS
        )
        for _ in range(3):
            cost: list[int] = []
            for who, handler, body in (
                ("rae", create_referral, deal("northwind")),
                ("web", submit_leads, inquiry("contoso")),
                ("rae", post_message, saying("Hi")),
            ):
                world.tables.requests = 0
                await world.done(who, handler, body, there)
                cost.append(world.tables.requests)
            costs[limited].append(cost)
    assert costs[True][1:] == costs[False][1:], "what was read is remembered"
    assert costs[True][0] == [each + 1 for each in costs[False][0]]


def test_the_document_says_which_operations_have_quotas() -> None:
    paths = openapi_document(OPERATIONS.values())["paths"]
    for handler in (
        create_referral,
        create_invitations,
        patch_referral,
        put_referral,
        convert_lead,
        submit_leads,
        post_message,
    ):
        declared = OPERATIONS[handler.__name__]
        responses = paths[f"/{declared.route}"][declared.method.lower()]["responses"]
        assert "Retry-After" in responses["429"]["description"], declared.name
