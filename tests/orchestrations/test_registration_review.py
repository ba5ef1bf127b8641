"""The orchestration `registration_review` on the real SDK, in virtual time (G5, G7, M4, M6).

The story begins on a Friday at four; the Wednesday after is a holiday, and each day is looked at from a quarter past.
So five working days end on the second Monday.
"""

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from orchestrators.one_turn import MAX_PAUSE
from shared import clock
from shared.domain.ids import RegistrationId
from shared.errors import StoreUnavailable
from shared.workflow.observe import Observed, observe
from shared.workflow.restart import REASON
from shared.workflow.wake import start
from tests.doubles.orchestration import follow
from tests.doubles.registered_deal import FORM
from tests.orchestrations.conftest import Looks, ReviewStory

FIRST, SECOND, THIRD = 10, 17, 24
"""The days, counted from that Friday, on which a review is escalated."""
REVIEWERS, LEAD, PARTNER = "dee@microsoft.com, vera@microsoft.com", "vera@microsoft.com", "rae@contoso.com"
SUBMITTED = [(REVIEWERS, "registrationSubmitted")]
ESCALATED = [(LEAD, "registrationEscalated")]
ELIGIBLE = [(PARTNER, "registrationEligible")]
ASKED, REMINDED = [(PARTNER, "actionRequired")], [(PARTNER, "actionReminder")]
TELLS = {
    "approve": [(PARTNER, "registrationApproved")],
    "reject": [(PARTNER, "registrationRejected")],
    "requestAction": ASKED,
}


async def course(review: ReviewStory, days: range, expected: Mapping[int, list[tuple[str, str]]]) -> None:
    """Go through these days; each brings just these mails."""
    for day in days:
        await review.day(day)
        assert (day, review.new_messages()) == (day, expected.get(day, []))


async def decide(review: ReviewStory, decision: str) -> None:
    """A reviewer's decision, and what follows at once."""
    answer = await review.deal.review(decision)
    assert answer.status == 200, answer.body
    await review.advance("PT0S")


async def test_a_silent_review_is_escalated_after_each_five_working_days(review: ReviewStory) -> None:
    """G7: over weekends and a holiday; the first mail goes to all reviewers, these to their lead."""
    await review.register()
    assert review.new_messages() == SUBMITTED
    await course(review, range(1, 26), {FIRST: ESCALATED, SECOND: ESCALATED, THIRD: ESCALATED})
    assert await review.status(review.deal.rid) == "Running"
    assert (await review.deal.record()).version == 1, "a mail is no change of the record"


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize("day", [0, FIRST - 1, FIRST, SECOND - 1])
async def test_a_decision_on_any_day_is_told_at_once_and_ends_the_review(
    review: ReviewStory, day: int, decision: str
) -> None:
    """G5, G6."""
    await review.register()
    await review.day(day)
    review.new_messages()
    await decide(review, decision)
    assert review.new_messages() == TELLS[decision]
    assert await review.status(review.deal.rid) == "Completed"
    await review.advance("P90D")
    assert review.new_messages() == []
    assert (await review.deal.record()).closed


async def test_a_correction_that_does_not_come_is_reminded_of_weekly_and_at_most_twelve_times(
    review: ReviewStory,
) -> None:
    """G7: nobody escalates what waits for the partner."""
    await review.register()
    await decide(review, "requestAction")
    assert review.new_messages() == [*ASKED, *SUBMITTED]
    weeks = {30 + 7 * number: REMINDED for number in range(12)}
    assert max(weeks) == 107
    await course(review, range(1, 125), weeks)
    assert await review.status(review.deal.rid) == "Completed", "nothing has a time any more"
    assert (await review.deal.correct()).status == 200, "the correction may still come"
    await review.advance("PT0S")
    assert review.new_messages() == SUBMITTED
    assert await review.status(review.deal.rid) == "Running"


async def test_a_correction_begins_a_round_of_its_own(review: ReviewStory) -> None:
    """G5, G7: its working days count from it, and its reminders are new ones."""
    await review.register()
    await review.day(FIRST)
    await decide(review, "requestAction")
    assert review.new_messages() == [*ASKED, *ESCALATED, *SUBMITTED]
    await review.day(FIRST + 31)
    assert review.new_messages() == REMINDED
    await review.advance(
        "PT1H"
    )  # so that what falls due later that day is not due yet when the day is looked at
    assert (await review.deal.correct(solutionValue=1)).status == 200
    await review.advance("PT0S")
    assert review.new_messages() == SUBMITTED
    corrected = FIRST + 31  # a Thursday
    await course(review, range(corrected + 1, corrected + 9), {corrected + 8: ESCALATED})
    await decide(review, "requestAction")
    await review.day(corrected + 8 + 31)
    assert review.new_messages() == [*REMINDED, *ASKED]
    rounds = await review.service.registrations.rounds(await review.deal.record())
    assert [each.decision for each in rounds] == ["requestAction", "requestAction"]


async def test_a_correction_that_is_only_kept_stops_no_reminder(review: ReviewStory) -> None:
    await review.register()
    await decide(review, "requestAction")
    await review.day(29)
    assert (await review.deal.correct(submit=False)).status == 200
    await review.advance("PT0S")
    review.new_messages()
    await course(review, range(30, 40), {30: REMINDED, 37: REMINDED})


async def test_what_an_assigned_record_asks_for_goes_to_its_reviewer_and_the_escalation_to_the_lead(
    review: ReviewStory,
) -> None:
    """G5."""
    await review.register()
    assert (await review.deal.assign("dee@microsoft.com")).status == 200
    await decide(review, "requestAction")
    review.new_messages()
    assert (await review.deal.correct()).status == 200
    await review.advance("PT0S")
    assert review.new_messages() == [("dee@microsoft.com", "registrationSubmitted")]
    await review.day(FIRST)
    assert review.new_messages() == ESCALATED


async def test_a_draft_waits_for_nobody(review: ReviewStory) -> None:
    """G4, M12: neither a review's mail nor its orchestration; its submission has both. It is no registration."""
    assert (await review.deal.register(submit=False)).status == 201
    await review.advance("P60D")
    assert review.new_messages() == ELIGIBLE
    assert await review.deal.told() == ["Draft"]
    assert await review.status(review.deal.rid) is None
    assert (await review.deal.correct()).status == 200
    await review.advance("PT0S")
    assert review.new_messages() == SUBMITTED
    assert await review.status(review.deal.rid) == "Running"


async def test_a_recalled_review_ends_and_a_submission_begins_the_next(review: ReviewStory) -> None:
    """G5, G7: nobody is mailed about the recall, nothing is escalated, and working days count anew."""
    await review.register()
    await review.day(FIRST - 1)
    assert review.new_messages() == SUBMITTED
    assert (await review.deal.recall()).status == 200
    await review.advance("PT0S")
    assert await review.status(review.deal.rid) == "Completed"
    await course(review, range(FIRST, FIRST + 5), {})
    await review.advance("PT5M")
    assert (await review.deal.correct()).status == 200
    await review.advance("PT0S")
    assert review.new_messages() == SUBMITTED
    assert await review.status(review.deal.rid) == "Running"
    submitted = FIRST + 4  # a Friday, so that the fifth working day ends minutes after the look of day 21
    await course(review, range(submitted + 1, submitted + 9), {submitted + 8: ESCALATED})


@pytest.mark.parametrize("deleted", [False, True])
async def test_reviewers_who_were_not_told_before_a_recall_are_not_told_any_more(
    review: ReviewStory, *, deleted: bool
) -> None:
    """M4, M6: whether the draft is deleted as well or not, and nothing is left to do."""
    review.mail.away = True
    await review.register()
    assert (await review.deal.recall()).status == 200
    if deleted:
        assert (await review.deal.delete()).status == 204
    await review.advance("PT0S")
    review.mail.away = False
    await review.advance("P20D")
    assert review.new_messages() == ELIGIBLE, "what was recalled is a draft, and a draft is no registration"
    assert await review.status(review.deal.rid) == "Completed"
    work = await review.service.referrals.work(review.deal.party)
    assert not [row.value.label for row in work if row.value.open]


async def test_an_escalation_during_an_outage_is_not_sent_after_a_recall(review: ReviewStory) -> None:
    """G7."""
    await review.register()
    await review.day(FIRST - 0.5)
    review.new_messages()
    review.mail.away = True
    await review.day(FIRST)
    assert (await review.deal.recall()).status == 200
    assert (await review.deal.delete()).status == 204
    review.mail.away = False
    await review.advance("P2D")
    assert review.new_messages() == []
    assert await review.status(review.deal.rid) == "Completed"


async def test_a_mail_outage_delays_what_still_matters_and_loses_none_of_it(review: ReviewStory) -> None:
    """M6: what was to be told stays to be told; of escalations that were missed the latest is."""
    review.mail.away = True
    await review.register()
    await review.day(2)
    assert review.new_messages() == []
    review.mail.away = False
    await review.advance("PT2H")
    assert review.new_messages() == SUBMITTED
    await review.day(FIRST - 0.5)
    review.mail.away = True
    await review.day(SECOND + 1)
    assert review.new_messages() == []
    review.mail.away = False
    await review.advance("PT2H")
    assert review.new_messages() == ESCALATED
    await course(review, range(SECOND + 2, THIRD + 1), {THIRD: ESCALATED})


@pytest.mark.parametrize("decision", ["approve", "reject", "requestAction"])
async def test_a_decision_during_an_outage_is_told_after_it_and_the_escalation_is_not_any_more(
    review: ReviewStory, decision: str
) -> None:
    """M3, M6."""
    await review.register()
    await review.day(FIRST - 0.5)
    review.new_messages()
    review.mail.away = True
    await review.day(FIRST)
    await decide(review, decision)
    await review.day(FIRST + 1)
    review.mail.away = False
    await review.advance("PT2H")
    assert review.new_messages() == TELLS[decision]
    running = "Running" if decision == "requestAction" else "Completed"
    assert await review.status(review.deal.rid) == running


async def test_after_an_outage_nobody_is_asked_for_what_has_been_done(review: ReviewStory) -> None:
    """M3: neither the reviewers for a decision that was taken, nor the partner for a correction that was sent."""
    review.mail.away = True
    await review.register()
    await decide(review, "requestAction")
    review.mail.away = False
    await review.advance("PT2H")
    assert review.new_messages() == ASKED
    assert (await review.deal.correct()).status == 200
    await review.advance("PT0S")
    assert review.new_messages() == SUBMITTED
    review.mail.away = True
    await decide(review, "requestAction")
    assert (await review.deal.correct()).status == 200
    await review.advance("PT0S")
    review.mail.away = False
    await review.advance("PT2H")
    assert review.new_messages() == SUBMITTED


async def test_waking_too_often_changes_nothing(review: ReviewStory) -> None:
    await review.register()
    await review.day(FIRST)
    review.new_messages()
    for _ in range(4):
        await review.engine.raise_event(review.deal.rid, "changed")
    await review.advance("PT0S")
    assert review.new_messages() == []
    assert await review.status(review.deal.rid) == "Running"


async def test_an_orchestration_of_a_registration_that_does_not_exist_ends(review: ReviewStory) -> None:
    argument = {"organizationId": "contoso", "referralId": review.deal.id, "registrationId": "unknown"}
    assert await review.engine.start("registration_review", "unknown", argument)
    await review.advance("PT0S")
    assert await review.status("unknown") == "Completed"


async def test_an_escalation_that_is_opened_again_stays_the_one_that_it_is(
    review: ReviewStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G7: the sweep and an orchestration may find it due at the same time."""
    await review.register()
    await review.day(FIRST)
    review.new_messages()
    party, label = review.deal.party, f"registrationEscalated:{review.deal.rid}:001:001"
    before = await review.service.referrals.get_work(party, label)
    assert before
    assert not before.value.open
    looks = 0

    async def too_early(*given: Any) -> Observed:
        """As read before the other one had opened it."""
        nonlocal looks
        looks += 1
        observed = await observe(*given)
        if looks == 1:
            assert observed.rows.pop(label)
        return observed

    monkeypatch.setattr("shared.workflow.due_work.observe", too_early)
    await follow(review.service, review.engine, party, clock.now(), RegistrationId(review.deal.rid))
    assert looks == 2
    assert await review.service.referrals.get_work(party, label) == before
    assert review.new_messages() == []


async def test_the_contact_that_a_form_names_is_told_with_the_team(review: ReviewStory) -> None:
    """M4: whoever it is; a correction that is only kept changes nothing about it."""
    contact = {**FORM["contact"], "email": "contracts@contoso.com"}
    assert (await review.deal.register(contact=contact)).status == 201
    await review.advance("PT0S")
    await decide(review, "requestAction")
    told = [(f"contracts@contoso.com, {PARTNER}", "actionRequired")]
    assert review.new_messages() == [*told, *SUBMITTED]
    assert (await review.deal.correct(submit=False, contact={})).status == 200
    await review.day(31)
    assert review.new_messages() == [(f"contracts@contoso.com, {PARTNER}", "actionReminder")]


async def test_what_reviewers_are_told_and_do_not_get_is_not_their_partners_to_know(
    review: ReviewStory,
) -> None:
    """G5, M6: neither their addresses nor that somebody had to be reminded."""
    review.mail.refuses = {LEAD}
    await review.register()
    await review.day(FIRST)
    await decide(review, "approve")
    private = {mail.message: mail.private_of for mail in review.mail.taken.values()}
    assert private == {
        "registrationEligible": None,
        "registrationSubmitted": "reviewTeam",
        "registrationApproved": None,
    }
    kinds = [each.kind for each in await review.service.referrals.entries(review.deal.party)]
    assert "mailFailed" not in kinds


async def test_a_turn_that_fails_pauses_though_an_event_came_early(review: ReviewStory, looks: Looks) -> None:
    """Else an instance whose storage is away would look again and again without a rest. The pause grows."""
    await review.register()
    registration = RegistrationId(review.deal.rid)
    await review.engine.terminate(registration, REASON)
    await review.advance("PT0S")
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def unlucky() -> None:
        if len(looks.of(registration)) == 1:  # the first look of a turn, while which an event comes
            entered.set()
            await go_on.wait()
        if 2 <= len(looks.of(registration)) <= 7:
            await review.engine.raise_event(registration, "changed")
            raise StoreUnavailable("away")

    looks.calls.clear()
    looks.before = unlucky
    assert await start(review.engine, review.deal.party, registration)
    await entered.wait()
    await review.engine.raise_event(registration, "changed")
    go_on.set()
    await review.advance_without_sweep("PT25M")
    pauses = [
        (after - before).total_seconds() // 30 for before, after in pairwise(looks.of(registration)[1:8])
    ]
    assert pauses == [1, 2, 4, 8, MAX_PAUSE.total_seconds() // 30, 10]
