"""A restart takes rounds: the first asks for the end, and the first that finds the instance ended starts it again.

And the command that asks for it, or for a wake-up, and tells what came of it.
"""

from argparse import Namespace
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.admin import check
from shared.admin.check import (
    RecordStates,
    Summary,
    ask_for_restarts,
    ask_to_wake,
    patience,
    record_states,
    unfinished,
    wait_for_sweep,
)
from shared.domain.ids import InquiryId, OperationId, OrganizationId, ReferralId, RegistrationId
from shared.domain.inquiry import Outcome, SubmittedInquiry
from shared.domain.referral import Referral, RegistrationSummary
from shared.domain.registration import Registration
from shared.domain.work import Deliver, Publish, label_of, work_of
from shared.storage import keys
from shared.storage.inquiries import inquiry_key
from shared.storage.intents import Intent
from shared.storage.registration_rows import registration_operations
from shared.storage.tables import Row, Upsert
from shared.workflow.sweep import BATCH, TERMINATIONS_PER_SECOND
from shared.workflow.wake import LIFECYCLE, REVIEW
from tests.doubles.queue import in_queue
from tests.doubles.swept import MINUTE, Swept, numbered
from tests.examples.referrals import NOW, creators, referral
from tests.examples.registrations import in_review, sent_back

ID = "fabrikam-1"


@pytest.fixture
def swept() -> Swept:
    return Swept()


async def asked(swept: Swept, *records: Referral, running: tuple[str, ...] = ()) -> set[str]:
    """Stored records with nothing to do, whose orchestrations an operator wants started anew."""
    swept.engine.run(*running)
    parties = await swept.stored(*records)
    return await ask_for_restarts(swept.tables, parties, NOW)


async def left(swept: Swept) -> list[Intent]:
    """What an operator asked for and is not done."""
    return [each for each in await swept.left() if each.reason != "moment"]


async def test_an_instance_is_ended_in_one_sweep_and_started_again_in_the_next(swept: Swept) -> None:
    engine = swept.engine
    await asked(swept, referral(), running=(ID,))
    await swept.at(0)
    assert (engine.terminations, engine.starts, len(await left(swept))) == ([ID], [], 1)
    await swept.at(1 / 60)  # whichever sweep comes next, however soon
    assert engine.starts == [(LIFECYCLE, ID)]
    await swept.at(1)
    assert (await left(swept), engine.terminations) == ([], [ID])


async def test_what_does_not_run_is_begun_at_once(swept: Swept) -> None:
    await asked(swept, referral())
    await swept.at(0)
    assert (swept.engine.terminations, swept.engine.starts) == ([], [(LIFECYCLE, ID)])


async def test_the_reviews_of_a_deals_registrations_are_restarted_with_it(swept: Swept) -> None:
    """G7: those in review have an orchestration each; those that are decided have none."""
    registered = [
        RegistrationSummary(id=RegistrationId(status), kind="IpCoSell", solution_id="S", status=status)
        for status in ("ReviewPending", "ActionRequired", "Approved", "Draft")
    ]
    deal = creators(status="Closed", substatus="Won", registrations=tuple(registered))
    await store_reviews(swept, in_review(id=registered[0].id), sent_back(id=registered[1].id))
    await asked(swept, deal, running=(deal.id, *(each.id for each in registered)))
    await swept.rounds(2)
    assert sorted(swept.engine.terminations) == sorted([deal.id, "ReviewPending", "ActionRequired"])
    assert sorted(swept.engine.starts) == sorted([(REVIEW, "ReviewPending"), (REVIEW, "ActionRequired")])
    assert swept.engine.running == {each.id for each in registered}, "nothing is left to wait for on the deal"


async def store_reviews(swept: Swept, *registrations: Registration) -> None:
    """The rows of these registrations of Contoso's deal."""
    for registration in registrations:
        rows = registration_operations(creators().id, registration)
        await swept.tables.write(keys.REFERRALS, "contoso", rows)


async def test_a_request_for_information_is_ended_under_its_own_id_and_its_work_done(swept: Swept) -> None:
    """An instance of its own has nothing to wait for then."""
    taken = SubmittedInquiry(
        id=InquiryId("inquiry"),
        organization_id=OrganizationId("portal"),
        operation_id=OperationId("op"),
        at=NOW,
        outcomes=(Outcome(organization_id="nobody", reason="unknownRecipient"),),
    )
    lead = referral()
    work = work_of(ReferralId("inquiry"), label_of(1), OperationId("op"), (Deliver(),))
    await swept.service.inquiries.insert(taken, [lead], work, None)
    swept.engine.run("inquiry")
    assert await unfinished(swept.tables) == [inquiry_key(taken)]
    await ask_for_restarts(swept.tables, [inquiry_key(taken)], NOW)
    await swept.rounds(2)
    assert swept.engine.terminations == ["inquiry"]
    assert swept.engine.running == {lead.id}
    assert await swept.state(lead.key) == "New/Pending"
    assert await unfinished(swept.tables) == [lead.key]
    assert await left(swept) == []


async def test_an_end_that_takes_long_is_waited_for_and_asked_for_once(swept: Swept) -> None:
    """The sweep comes every ten seconds, and an end takes the engine up to half a minute."""
    swept.engine.takes = 5
    await asked(swept, referral(), running=(ID,))
    for tenth in range(7):
        await swept.at(tenth / 6)
    assert (swept.engine.terminations, swept.engine.starts) == ([ID], [(LIFECYCLE, ID)])


async def test_of_two_who_end_the_same_instance_neither_ends_its_successor(swept: Swept) -> None:
    await asked(swept, referral(), running=(ID,))
    await ask_for_restarts(swept.tables, [referral().key], NOW)
    for tenth in range(30):
        await swept.at(tenth / 6)
    assert swept.engine.starts == [(LIFECYCLE, ID)]
    assert await left(swept) == []


async def test_an_instance_that_does_not_end_is_told_again_at_growing_intervals_and_named(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    engine = swept.engine
    engine.deaf.add(ID)
    await asked(swept, referral(), running=(ID,))
    told_at = []
    for minute in range(120):
        before = len(engine.terminations)
        await swept.at(minute)
        told_at += [minute] * (len(engine.terminations) - before)
    # After 1.5, 3, 6, 12 and from then on 16 minutes, each at the next sweep.
    assert told_at == [0, 2, 5, 11, 23, 39, 55, 71, 87, 103, 119]
    assert f"restart_waits requests=1 instance={ID}" in caplog.text
    engine.deaf.clear()
    await swept.rounds(60, first=120)
    assert (engine.starts, await left(swept)) == ([(LIFECYCLE, ID)], [])


async def test_a_start_that_is_refused_right_after_the_end_is_tried_by_the_next_sweep(swept: Swept) -> None:
    swept.engine.refuses_starts = 2
    await asked(swept, referral(), running=(ID,))
    await swept.rounds(3)
    assert (swept.engine.starts, len(await left(swept))) == ([], 1)
    await swept.rounds(2, first=3)
    assert (swept.engine.starts, await left(swept)) == ([(LIFECYCLE, ID)], [])


async def test_while_the_engine_is_away_nothing_is_given_up(swept: Swept) -> None:
    swept.engine.away = True
    await asked(swept, referral(), running=(ID,))
    await swept.rounds(5)
    swept.engine.away = False
    await swept.rounds(5, first=5)
    assert (swept.engine.starts, await left(swept)) == ([(LIFECYCLE, ID)], [])


async def test_what_a_handler_began_between_the_rounds_is_left_running(swept: Swept) -> None:
    await asked(swept, referral(), running=(ID,))
    await swept.at(0)
    assert await swept.engine.last_turn_at(ID) is None
    swept.engine.now = NOW + 0.5 * MINUTE
    await swept.engine.start(LIFECYCLE, ID, {})
    await swept.rounds(12, first=1)
    assert (swept.engine.terminations, ID in swept.engine.running) == ([ID], True)
    assert await left(swept) == []


async def test_a_restart_that_is_asked_for_twice_ends_with_everything_running(swept: Swept) -> None:
    records = [referral(id=ReferralId(f"fabrikam-{number}")) for number in range(3)]
    ids = tuple(record.id for record in records)
    await asked(swept, *records, running=ids)
    await ask_for_restarts(swept.tables, [record.key for record in records], NOW)
    await swept.rounds(20)
    assert swept.engine.running == set(ids)
    assert await left(swept) == []


async def test_ends_are_asked_for_at_a_bounded_rate(swept: Swept) -> None:
    ids = tuple(f"fabrikam-{number}" for number in range(101))
    await asked(swept, *(referral(id=ReferralId(each)) for each in ids), running=ids)
    await swept.at(0)
    assert len(swept.engine.terminations) == 101
    assert sum(swept.pauses) == pytest.approx(101 / TERMINATIONS_PER_SECOND)
    assert max(swept.pauses) <= BATCH / TERMINATIONS_PER_SECOND, "a pause after each batch"


@pytest.mark.parametrize("state", ["parked", "lost"])
async def test_a_waiting_record_that_is_woken_is_watched_by_its_moment_again_and_has_an_orchestration(
    swept: Swept, state: str
) -> None:
    """Whatever became of its intents: a backup was restored, or an older version wrote none."""
    await swept.stored(record := referral())
    swept.engine.run(*([ID] if state == "parked" else []))
    await ask_to_wake(swept.tables, [record.key], NOW)
    await swept.rounds(2)
    assert (swept.engine.running, swept.engine.terminations) == ({ID}, [])
    assert [(each.reason, each.due) for each in await swept.left()] == [("moment", NOW + timedelta(days=1))]


async def test_what_is_overdue_or_open_is_done_when_it_is_woken(swept: Swept) -> None:
    """Whatever became of its intents."""
    await swept.stored(creators(), late := referral(id=numbered(1), expires_at=NOW - MINUTE))
    deal = replace(creators(deal_type="PartnerLed"), id=ReferralId("contoso-2"))
    await swept.stored(deal)
    await swept.referrals.insert_work(deal.key, work_of(deal.id, "000001", OperationId("op"), (Publish(),)))
    await ask_to_wake(swept.tables, [late.key, deal.key], NOW)
    await swept.rounds(2)
    assert await swept.state(late.key) == "Closed/Expired"
    assert [key for _, key in await swept.referrals.list_partner_led(None, 9)] == [deal.key]
    assert await left(swept) == []


async def test_a_registration_whose_index_is_lost_is_indexed_again_when_its_deal_is_woken(
    swept: Swept,
) -> None:
    review = RegistrationSummary(
        id=RegistrationId("review"), kind="IpCoSell", solution_id="S", status="ReviewPending"
    )
    deal = creators(status="Closed", substatus="Won", registrations=(review,))
    await store_reviews(swept, in_review(id=review.id))
    await swept.stored(deal)
    await ask_to_wake(swept.tables, [deal.key], NOW)
    await swept.rounds(2)
    assert [each.registration.id for each in await in_queue(swept.registrations, ("ReviewPending",))] == [
        "review"
    ]
    assert swept.engine.starts == [(REVIEW, "review")]


async def test_the_command_waits_and_says_how_far_it_is(
    swept: Swept, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [referral(id=ReferralId(f"fabrikam-{number}")) for number in range(1, 4)]
    wanted = await asked(swept, *records, running=(ID,))
    minute = 0

    async def pause() -> None:
        nonlocal minute
        await swept.at(minute)
        minute += 1

    assert await wait_for_sweep(swept.intents, wanted, 10, pause) == []
    assert capsys.readouterr().out.splitlines() == [
        "2 of 3 orchestrations make progress.",
        "3 of 3 orchestrations make progress.",
    ]
    assert minute == 2


async def test_the_command_stops_waiting_and_names_those_that_are_left(swept: Swept) -> None:
    swept.engine.deaf.add(ID)
    wanted = await asked(swept, referral(), running=(ID,))

    async def pause() -> None:
        await swept.at(0)

    left = await wait_for_sweep(swept.intents, wanted, 3, pause)
    assert [each.instance_id for each in left] == [ID]


async def test_waiting_records_are_told_from_those_that_move_and_from_stuck_ones(swept: Swept) -> None:
    """What is looked at in time waits or moves; what ended the sweep, or is long overdue, is stuck."""
    waiting, moving, deadly, stays, late, forgotten = (referral(id=ReferralId(name)) for name in "abcdef")
    await swept.committed(waiting)
    for record, due, tries, requests in (
        (moving, NOW, 1, 0),
        (deadly, NOW + 2 * MINUTE, 2, 0),
        (stays, NOW, 0, 2),
        (late, NOW - 6 * MINUTE, 0, 0),
    ):
        open_work = work_of(record.id, "000001", OperationId("op"), (Publish(),))
        await swept.stored(record)
        await swept.referrals.insert_work(record.key, open_work)
        moment = Intent(id=record.id, reason="moment", party=record.key, at=NOW, due=due)
        await swept.intents.announce(replace(moment, tries=tries, requests=requests))
    await swept.stored(forgotten)
    found = await record_states(swept.tables, await unfinished(swept.tables), NOW)
    assert found == RecordStates(
        waiting=(waiting.id,),
        moving=(moving.id,),
        stuck=(deadly.id, stays.id, late.id),
        unwatched=(forgotten.id,),
    )


STANDING = RecordStates(waiting=("a", "b"), moving=("c",), stuck=("d",), unwatched=("e",))


@pytest.mark.parametrize(
    ("arguments", "outcome", "answers"),
    [
        (
            [],
            Summary(RecordStates(waiting=("a", "b"))),
            ["2 wait for people", "Use --wake to wake all of them."],
        ),
        (
            [],
            Summary(STANDING, unreadable=2),
            ["1 make no progress; the sweep tries them again", "\n  d", "2 intents are damaged"],
        ),
        (["--wake"], Summary(STANDING, asked=5), ["1 have no intent", "All 5 orchestrations make progress."]),
        (["--restart"], Summary(STANDING, asked=5), ["All 5 orchestrations make progress."]),
        (
            ["--wake", "--minutes", "5"],
            Summary(STANDING, asked=5, left=("d", "x"), minutes=5),
            ["2 of 5 orchestrations made no progress within 5 minutes. Check /healthz", "\n  x"],
        ),
    ],
)
def test_the_command_answers_with_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    outcome: Summary,
    answers: list[str],
) -> None:
    async def ran(_options: object) -> Summary:
        return outcome

    monkeypatch.setattr(check, "_run", ran)
    monkeypatch.setattr("sys.argv", ["check", *arguments])
    assert check.main() == (1 if outcome.left else 0)
    said = capsys.readouterr().out
    assert all(answer in said for answer in answers), said


def test_without_a_place_for_the_records_one_line_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TABLES_ENDPOINT", "TABLES_CONNECTION_STRING", "AzureWebJobsStorage"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["check"])
    assert check.main() == 2
    assert capsys.readouterr().err.splitlines() == [
        "Set TABLES_ENDPOINT (with the app's identity), TABLES_CONNECTION_STRING or AzureWebJobsStorage."
    ]


@pytest.mark.parametrize("action", ["look", "wake", "restart"])
async def test_the_command_leaves_an_intent_for_what_is_unfinished(swept: Swept, action: str) -> None:
    await swept.stored(referral())
    options = Namespace(wake=action == "wake", restart=action == "restart", minutes=0)
    found = await check.check_records(swept.tables, options, NOW)
    unwatched = RecordStates(unwatched=(ID,))
    assert found == (Summary(unwatched) if action == "look" else Summary(unwatched, 0, 1, (ID,), 0))
    assert [each.reason for each in await swept.left()] == ([] if action == "look" else [action])


async def test_the_command_names_records_that_cannot_be_read_and_looks_after_the_rest(swept: Swept) -> None:
    await swept.stored(referral(), referral(id=ReferralId("damaged")))
    document = Row(keys.document(ReferralId("damaged")), {"json0": "{"})
    await swept.tables.write(keys.REFERRALS, "fabrikam", [Upsert(document)])
    found = await check.check_records(swept.tables, Namespace(wake=False, restart=False, minutes=0), NOW)
    assert (found.record_states.unwatched, found.damaged) == ((ID,), ("referrals/fabrikam/d:damaged",))


def test_many_are_waited_for_longer() -> None:
    """Five a second, and each is asked twice."""
    assert [patience(count) for count in (0, 12, 200, 2_000, 10_000)] == [10, 10, 11, 23, 76]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wake", "--restart"],
        ["--minutes", "5"],
        ["--wake", "--minutes", "0"],
        ["--restart", "--minutes", "-3"],
        ["--restart", "--minutes", "x"],
    ],
)
def test_options_that_do_not_go_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["check", *arguments])
    with pytest.raises(SystemExit) as refused:
        check.main()
    assert refused.value.code == 2


async def test_an_instance_that_does_not_end_keeps_no_other_of_its_record_down(swept: Swept) -> None:
    review = RegistrationSummary(
        id=RegistrationId("review"), kind="IpCoSell", solution_id="S", status="ReviewPending"
    )
    other = replace(review, id=RegistrationId("other"))
    swept.engine.deaf.add("review")
    deal = creators(status="Closed", substatus="Won", registrations=(review, other))
    await store_reviews(swept, in_review(id=review.id), in_review(id=other.id))
    await asked(swept, deal, running=(deal.id, "review", "other"))
    await swept.rounds(30)
    assert swept.engine.starts == [(REVIEW, "other")]
    assert [swept.engine.terminations.count(each) for each in (deal.id, "other")] == [1, 1]
    assert {each.instance_id for each in await left(swept)} == {"review"}
