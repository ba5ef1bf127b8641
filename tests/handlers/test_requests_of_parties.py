"""What the parties of one deal ask for, one after the other, with the real handlers on tables in memory."""

import asyncio
from datetime import timedelta

import pytest

from api.http.operation import Handler
from api.http.response import Response
from api.referrals.engagements import get_engagement, list_partner_led_deals
from api.referrals.invitations import create_invitations
from api.referrals.read import add_favorite, get_referral, list_timeline, remove_favorite
from api.referrals.transitions import accept_referral, decline_referral, lose_referral, set_stage
from tests.doubles.late_tables import LateTables
from tests.doubles.played_deal import PlayedDeal, faults, replacing
from tests.doubles.service import SETTINGS
from tests.doubles.small_world import deal
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW

Q2 = "/consent/consentToShareReferralWithMicrosoftSellers"
LONGEST_NOTES = 8000


@pytest.fixture
async def played() -> PlayedDeal:
    """Northwind has its invitation, and has not answered it."""
    begun = PlayedDeal(NOW)
    await begun.begin()
    await begun.follow("contoso", "northwind")
    return begun


async def engagement(played: PlayedDeal, who: str) -> Response:
    identifier = (await played.record("contoso")).engagement_id
    return await played.request(who, get_engagement, route={"engagementId": identifier})


async def test_an_invited_partners_edit_leaves_the_type_of_the_deal(played: PlayedDeal) -> None:
    """T1: the type follows from the creator's answers, not from what a partner was invited for."""
    await played.ask("nia", "northwind", accept_referral)
    edited = await played.edit("nia", "northwind", replacing("/name", "Our name of it"))
    assert edited.status == 204
    assert (await played.record("northwind")).deal_type == "PartnerToPartner"
    assert await played.kinds("northwind") == ["received", "accepted", "edited"]


async def reasons(played: PlayedDeal, who: str) -> dict[str, str | None]:
    seen = await engagement(played, who)
    return {party["organizationId"]: party["statusReason"] for party in seen.body["parties"]}


async def test_the_words_of_a_loss_stay_with_the_party_that_lost(played: PlayedDeal) -> None:
    """V1, M7: the creator reads why, in a code, and not what its partner wrote for itself."""
    await played.ask("nia", "northwind", accept_referral)
    lost = {"reason": "CustomerDidNotRespond", "notes": "They pay late."}
    assert (await played.ask("nia", "northwind", lose_referral, lost)).status == 200
    assert await reasons(played, "rae") == {"contoso": None, "northwind": "CustomerDidNotRespond"}
    assert (await reasons(played, "nia"))["northwind"] == "CustomerDidNotRespond: They pay late."


async def test_the_words_of_a_decline_are_the_inviters_to_read(played: PlayedDeal) -> None:
    """L3, V1."""
    await played.ask("nia", "northwind", decline_referral, {"reason": "Other", "notes": "No people."})
    assert await reasons(played, "rae") == {"contoso": None, "northwind": "Other: No people."}


async def test_a_creators_own_words_are_its_own_to_read(played: PlayedDeal) -> None:
    await played.ask("nia", "northwind", accept_referral)
    await played.ask(
        "rae", "contoso", lose_referral, {"reason": "BudgetNotAdequate", "notes": "Cut by half."}
    )
    assert (await reasons(played, "rae"))["contoso"] == "BudgetNotAdequate: Cut by half."
    assert (await reasons(played, "nia"))["contoso"] == "BudgetNotAdequate"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (f"Other: {'x' * (LONGEST_NOTES + 1)}", "tooLong"),
        ("Other: nul \x00", "invalidFormat"),
        ("BudgetNotAdequate: escape \x1b", "invalidFormat"),
        (7, "invalidType"),
        (["Other: words"], "invalidType"),
        (None, "required"),
        ("Other:  ", "required"),
        ("Bored", "invalidValue"),
    ],
)
@pytest.mark.parametrize(("substatus", "who"), [("Declined", "nia"), ("Lost", "rae")])
async def test_a_reason_in_a_patch_obeys_the_rules_of_notes(
    played: PlayedDeal, substatus: str, who: str, reason: object, code: str
) -> None:
    """C6, L3, L6: as the verbs do."""
    organization = "northwind" if who == "nia" else "contoso"
    answer = await played.edit(
        who,
        organization,
        replacing("/status", "Closed"),
        replacing("/substatus", substatus),
        replacing("/statusReason", reason),
    )
    assert faults(answer) == [("/statusReason", code)]
    assert not (await played.record(organization)).is_closed


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("x" * (LONGEST_NOTES + 1), "tooLong"),
        ("\x07", "invalidFormat"),
        ("  ", "required"),
        (7, "invalidType"),
    ],
)
async def test_the_words_of_a_win_in_a_patch_obey_the_rules_of_notes(
    played: PlayedDeal, words: object, code: str
) -> None:
    """C6."""
    won = (replacing("/status", "Closed"), replacing("/substatus", "Won"), replacing("/statusReason", words))
    assert faults(await played.edit("rae", "contoso", *won)) == [("/statusReason", code)]


async def test_the_longest_words_are_kept_whole(played: PlayedDeal) -> None:
    """C6: the code before them does not count; lines and tabs may stand in them."""
    words = "a\tb\n" + "x" * (LONGEST_NOTES - 4)
    declined = (
        replacing("/status", "Closed"),
        replacing("/substatus", "Declined"),
        replacing("/statusReason", f"Other: {words}"),
    )
    assert (await played.edit("nia", "northwind", *declined)).status == 204
    kept = (await played.record("northwind")).status_reason
    assert kept
    assert (kept.code, kept.notes) == ("Other", words)


async def test_a_verb_repeated_with_its_key_and_its_version_is_answered_as_the_first_time(
    played: PlayedDeal,
) -> None:
    """C5, E2: the first answer moved the version that the repetition still names."""
    sent = {"If_Match": '"1"', "Idempotency_Key": "k"}
    first = await played.ask("nia", "northwind", accept_referral, **sent)
    again = await played.ask("nia", "northwind", accept_referral, **sent)
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    other = await played.ask("nia", "northwind", accept_referral, If_Match='"1"', Idempotency_Key="other")
    assert (other.status, other.body["error"]["code"]) == (412, "resourceModified")


async def test_a_stage_that_was_marked_is_answered_again_though_it_has_moved_on(played: PlayedDeal) -> None:
    """C5: a repetition does not undo what came after it."""
    sent = {"If_Match": '"1"', "Idempotency_Key": "k"}
    await played.ask("rae", "contoso", set_stage, {"stage": "Qualified"}, **sent)
    await played.ask("rae", "contoso", set_stage, {"stage": "Proposed"})
    again = await played.ask("rae", "contoso", set_stage, {"stage": "Qualified"}, **sent)
    assert (again.status, again.body["salesStage"]) == (200, "Proposed")


async def test_an_edit_repeated_with_its_key_names_an_old_version_all_the_same(played: PlayedDeal) -> None:
    """E2: a key repeats verbs; an edit says which version it means."""
    sent = {"If_Match": '"1"', "Idempotency_Key": "k"}
    assert (await played.edit("rae", "contoso", replacing("/name", "New"), **sent)).status == 204
    assert (await played.edit("rae", "contoso", replacing("/name", "New"), **sent)).status == 412


async def test_an_edit_that_lands_late_is_not_refused_for_the_version_that_it_moved_itself() -> None:
    """E2, C5: storage gave no answer; what the next attempt finds is the first one's doing."""
    tables = LateTables()
    played = PlayedDeal(NOW, tables)
    await played.begin()
    tables.delay_next = True
    edited = await played.edit("rae", "contoso", replacing("/name", "New"), If_Match='"1"')
    assert (edited.status, edited.headers["ETag"]) == (204, '"2"')
    assert await played.kinds("contoso") == ["created", "edited"]


async def test_the_same_invitation_sent_twice_at_once_with_its_key_and_version_is_answered_alike() -> None:
    """C5, E2."""
    played = PlayedDeal(NOW, YieldingTables())
    await played.begin()
    body = {"invitations": deal("fabrikam")["invitations"]}
    sent = {"If_Match": '"1"', "Idempotency_Key": "k"}

    async def inviting() -> Response:
        return await played.ask("rae", "contoso", create_invitations, body, **sent)

    first, second = await asyncio.gather(inviting(), inviting())
    assert (first.status, second.status) == (201, 201)
    assert first.body == second.body
    assert await played.kinds("contoso") == ["created", "invited"]


@pytest.mark.parametrize("handler", [get_referral, list_timeline, add_favorite, remove_favorite])
async def test_after_the_retention_nobody_reads_a_referral_any_more(
    played: PlayedDeal, handler: Handler
) -> None:
    """N3, V5: by its id no more than in a list."""
    await played.ask("nia", "northwind", decline_referral, {"reason": "TimelineTooShort"})
    played.now = NOW + SETTINGS.retention - timedelta(seconds=1)
    assert (await played.ask("nia", "northwind", handler)).status in {200, 204}
    played.now = NOW + SETTINGS.retention
    gone = await played.ask("nia", "northwind", handler)
    assert (gone.status, gone.body["error"]["code"]) == (404, "itemNotFound")


async def test_after_the_retention_sellers_see_a_partner_led_deal_no_more() -> None:
    """N3, V3: neither the deal nor its line in the list."""
    played, body = PlayedDeal(NOW), deal("northwind", microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    await played.begin(body)
    await played.follow("contoso", "northwind")
    await played.ask("rae", "contoso", lose_referral, {"reason": "BudgetNotAdequate"})

    async def seen() -> tuple[int, int]:
        lines = await played.request("sam", list_partner_led_deals, params={"dealType": "PartnerLed"})
        return (await engagement(played, "sam")).status, len(lines.body["value"])

    assert await seen() == (200, 1)
    played.now = NOW + SETTINGS.retention
    assert await seen() == (404, 0)


async def test_a_copy_whose_deal_became_another_type_is_not_unchanged(played: PlayedDeal) -> None:
    """T1, E2: If-None-Match, If-Match and lists by time of change learn of it."""
    first = await played.ask("nia", "northwind", get_referral)
    played.now += timedelta(hours=1)
    assert (await played.edit("rae", "contoso", replacing(Q2, True))).status == 204
    await played.follow("contoso")
    tag = first.headers["ETag"]
    second = await played.ask("nia", "northwind", get_referral, If_None_Match=tag)
    assert (second.status, second.body["dealType"]) == (200, "PartnerLed")
    assert second.body["updatedDateTime"] > first.body["updatedDateTime"]
    stale = await played.ask("nia", "northwind", accept_referral, If_Match=tag)
    assert (stale.status, stale.body["error"]["innerError"]) == (
        *(412, {"eTag": '"2"', "changedFields": ["/dealType"]}),
    )
    await played.follow("northwind")
    assert await played.kinds("northwind") == ["received", "typeChanged"]
    unchanged = await played.ask("nia", "northwind", get_referral, If_None_Match=second.headers["ETag"])
    assert unchanged.status == 304


async def test_news_of_a_type_opens_no_work_that_nobody_would_be_woken_for(played: PlayedDeal) -> None:
    await played.edit("rae", "contoso", replacing(Q2, True))
    await played.follow("contoso")
    work = await played.service.referrals.work(await played.party("northwind"))
    assert not [row.value.label for row in work if row.value.open]


async def test_an_invitation_whose_deadline_has_passed_expires_and_is_not_withdrawn(
    played: PlayedDeal,
) -> None:
    """L4, L8: though nobody looked between the deadline and the creator's loss."""
    played.now = NOW + timedelta(days=14)
    lost = await played.ask("rae", "contoso", lose_referral, {"reason": "BudgetNotAdequate"})
    assert lost.status == 200, lost.body
    record = await played.record("northwind")
    assert (record.substatus, record.status_reason) == ("Expired", None)
    assert await played.kinds("northwind") == ["received", "expired"]
