"""A restart takes rounds: the first asks for the end, and the first that finds the instance ended starts it again."""

from argparse import Namespace
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from shared.domain.ids import InquiryId, OperationId, OrganizationId, RegistrationId
from shared.domain.inquiry import Outcome, TakenInquiry
from shared.domain.referral import Party, Referral, Registered
from shared.errors import EngineUnavailable
from shared.operations import check
from shared.operations.check import Summary, ask_for_restarts, leave_intents, patience, until_restarted
from shared.protocol.restart import LONGEST_RUN, MOST_AT_ONCE, REASON
from shared.protocol.sweep import WAKE_ONLY, Sweep
from shared.protocol.wake import LIFECYCLE, REVIEW
from shared.storage.inquiries import party_of
from shared.storage.intents import Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from tests.unit.examples import NOW, begun, creators, referral

MINUTE = timedelta(minutes=1)


@dataclass
class Engine:
    """An engine whose instances end some looks after they are told to, and refuse starts for a while after that.

    `deaf` instances are told in vain, of `unknown` ones it does not tell whether they run, and `away` says whether
    it answers at all.
    """

    running: set[str] = field(default_factory=set)
    takes: int = 1
    refuses_starts: int = 0
    deaf: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    away: bool = False
    told: list[str] = field(default_factory=list)
    started: list[tuple[str, str]] = field(default_factory=list)
    _ending: dict[str, int] = field(default_factory=dict)

    def _answer(self) -> None:
        if self.away:
            raise EngineUnavailable("away")

    async def raise_event(self, instance_id: str, event: str) -> bool:
        self._answer()
        return instance_id in self.running

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        self._answer()
        if self.refuses_starts:
            self.refuses_starts -= 1
            raise EngineUnavailable("not yet")
        if instance_id in self.running:
            return False
        self.running.add(instance_id)
        self.started.append((name, instance_id))
        return True

    async def is_running(self, instance_id: str) -> bool:
        self._answer()
        if instance_id in self.unknown:
            raise EngineUnavailable("?")
        if instance_id in self._ending:
            self._ending[instance_id] -= 1
            if self._ending[instance_id] <= 0:
                del self._ending[instance_id]
                self.running.discard(instance_id)
        return instance_id in self.running

    async def terminate(self, instance_id: str, reason: str) -> None:
        self._answer()
        assert reason == REASON
        self.told.append(instance_id)
        if instance_id in self.running and instance_id not in self.deaf:
            self._ending[instance_id] = self.takes


@pytest.fixture
def sweep() -> Sweep:
    tables = MemoryTables()
    return Sweep(
        referrals=Referrals(tables),
        registrations=Registrations(tables),
        intents=Intents(tables),
        wall_clock=lambda: NOW,
    )


async def stored(sweep: Sweep, *records: Referral) -> list[Party]:
    for record in records:
        await sweep.referrals.commit(begun(record), None)
    return [record.party for record in records]


async def rounds(sweep: Sweep, engine: Engine, count: int, first: int = 0) -> None:
    """Sweep each minute."""
    for minute in range(first, first + count):
        await sweep.run(engine, NOW + minute * MINUTE)


async def left(sweep: Sweep) -> int:
    return len([each async for each in sweep.intents.all()])


async def test_an_instance_is_ended_in_one_sweep_and_started_again_in_the_next(sweep: Sweep) -> None:
    engine, record = Engine(running={"fabrikam-1"}), referral()
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, record))
    await rounds(sweep, engine, 1)
    assert (engine.told, engine.started, await left(sweep)) == (["fabrikam-1"], [], 1)
    await sweep.run(engine, NOW + timedelta(seconds=1))  # whichever sweep comes next, however soon
    assert (engine.started, await left(sweep)) == ([(LIFECYCLE, "fabrikam-1")], 0)
    assert engine.told == ["fabrikam-1"]


@pytest.mark.parametrize("state", ["failed, completed or terminated", "lost with the task hub"])
async def test_what_does_not_run_is_begun_at_once(sweep: Sweep, state: str) -> None:
    engine = Engine()
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))
    await rounds(sweep, engine, 1)
    assert (engine.told, engine.started) == ([], [(LIFECYCLE, "fabrikam-1")])


async def test_the_reviews_of_a_deals_registrations_are_restarted_with_it(sweep: Sweep) -> None:
    """G7: those in review have an orchestration each; those that are decided have none."""
    registered = [
        Registered(id=RegistrationId(status), kind="IpCoSell", solution_id="S", status=status)
        for status in ("ReviewPending", "ActionRequired", "Approved", "Draft")
    ]
    deal = creators(status="Closed", substatus="Won", registrations=tuple(registered))
    engine = Engine(running={deal.id, *(each.id for each in registered)})
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, deal))
    await rounds(sweep, engine, 2)
    assert sorted(engine.told) == sorted([deal.id, "ReviewPending", "ActionRequired"])
    assert sorted(engine.started) == sorted(
        [(LIFECYCLE, deal.id), (REVIEW, "ReviewPending"), (REVIEW, "ActionRequired")]
    )


async def test_a_request_for_information_is_restarted_under_its_own_id(sweep: Sweep) -> None:
    taken = TakenInquiry(
        id=InquiryId("inquiry"),
        organization_id=OrganizationId("portal"),
        operation_id=OperationId("op"),
        at=NOW,
        outcomes=(Outcome(organization_id="nobody", reason="unknownRecipient"),),
    )
    engine = Engine(running={"inquiry"})
    await ask_for_restarts(sweep.referrals._tables, [party_of(taken)])
    await rounds(sweep, engine, 2)
    assert engine.started == [(LIFECYCLE, "inquiry")]


async def test_an_end_that_takes_long_is_waited_for_and_asked_for_once(sweep: Sweep) -> None:
    engine = Engine(running={"fabrikam-1"}, takes=3)
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))
    await rounds(sweep, engine, 4)
    assert (engine.told, engine.started) == (["fabrikam-1"], [(LIFECYCLE, "fabrikam-1")])


async def test_an_instance_that_does_not_end_is_told_again_at_growing_intervals_and_named(
    sweep: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(running={"fabrikam-1"}, deaf={"fabrikam-1"})
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))
    told_at = []
    for minute in range(120):
        before = len(engine.told)
        await rounds(sweep, engine, 1, first=minute)
        told_at += [minute] * (len(engine.told) - before)
    # Each third of the looks: 0 1 2, then 3 +2 5 +4 9 +8, then 17 +16 33 +16 49 +16, then 65 …, 113.
    assert told_at == [0, 3, 17, 65, 113]
    assert "restart_waits rounds=3 instance=fabrikam-1" in caplog.text
    engine.deaf.clear()
    await rounds(sweep, engine, 60, first=120)
    assert (engine.started, await left(sweep)) == ([(LIFECYCLE, "fabrikam-1")], 0)


async def test_a_start_that_is_refused_right_after_the_end_is_tried_by_the_next_sweep(sweep: Sweep) -> None:
    engine = Engine(running={"fabrikam-1"}, refuses_starts=2)
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))
    await rounds(sweep, engine, 3)
    assert (engine.started, await left(sweep)) == ([], 1)
    await rounds(sweep, engine, 1, first=3)
    assert (engine.started, await left(sweep)) == ([(LIFECYCLE, "fabrikam-1")], 0)


async def test_while_the_engine_is_away_nothing_is_given_up(sweep: Sweep) -> None:
    engine = Engine(running={"fabrikam-1"}, away=True)
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))
    await rounds(sweep, engine, 5)
    engine.away = False
    await rounds(sweep, engine, 4, first=5)
    assert (engine.started, await left(sweep)) == ([(LIFECYCLE, "fabrikam-1")], 0)


async def test_what_a_handler_began_between_the_rounds_is_left_running(sweep: Sweep) -> None:
    engine = Engine(running={"fabrikam-1"})
    parties = await stored(sweep, referral())
    await ask_for_restarts(sweep.referrals._tables, parties)
    await rounds(sweep, engine, 1)
    assert not await engine.is_running("fabrikam-1")
    await engine.start(LIFECYCLE, "fabrikam-1", {})
    await rounds(sweep, engine, 12, first=1)
    assert "fabrikam-1" in engine.running
    assert await left(sweep) == 0


async def test_a_restart_that_is_asked_for_twice_ends_with_everything_running(sweep: Sweep) -> None:
    records = [referral(id=f"fabrikam-{number}") for number in range(3)]
    engine = Engine(running={record.id for record in records})
    parties = await stored(sweep, *records)
    for _ in range(2):
        await ask_for_restarts(sweep.referrals._tables, parties)
    await rounds(sweep, engine, 20)
    assert engine.running == {record.id for record in records}
    assert await left(sweep) == 0


async def test_one_sweep_takes_a_bounded_number_of_restarts_after_the_wake_ups(sweep: Sweep) -> None:
    ids = [f"fabrikam-{number}" for number in range(MOST_AT_ONCE + 50)]
    parties = await stored(sweep, *(referral(id=each) for each in ids))
    engine = Engine()
    await ask_for_restarts(sweep.referrals._tables, parties)
    (woken,) = await stored(sweep, referral(id="fabrikam-woken"))
    await leave_intents(sweep.intents, [woken])
    await rounds(sweep, engine, 1)
    assert engine.started[0] == (LIFECYCLE, "fabrikam-woken")
    assert len(engine.started) == 1 + MOST_AT_ONCE
    await rounds(sweep, engine, 1, first=1)
    assert len(engine.started) == 1 + len(ids)


async def test_the_command_waits_and_says_how_far_it_is(
    sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(running={"fabrikam-1"})
    records = [referral(id=f"fabrikam-{number}") for number in range(1, 4)]
    asked = await ask_for_restarts(sweep.referrals._tables, await stored(sweep, *records))
    minute = 0

    async def pause() -> None:
        nonlocal minute
        await rounds(sweep, engine, 1, first=minute)
        minute += 1

    assert await until_restarted(sweep.intents, asked, 10, pause) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 of 3 orchestrations are restarted.",
        "3 of 3 orchestrations are restarted.",
    ]
    assert minute == 2


async def test_the_command_stops_waiting_and_tells_how_many_are_left(sweep: Sweep) -> None:
    engine = Engine(running={"fabrikam-1"}, deaf={"fabrikam-1"})
    asked = await ask_for_restarts(sweep.referrals._tables, await stored(sweep, referral()))

    async def pause() -> None:
        await rounds(sweep, engine, 1)

    assert await until_restarted(sweep.intents, asked, 3, pause) == 1


@pytest.mark.parametrize(
    ("arguments", "outcome", "answer"),
    [
        ([], Summary(3), "3 records are open; --wake has them woken."),
        (["--wake"], Summary(3), "3 records will be woken by the next sweep."),
        (["--restart"], Summary(3, 4), "3 records are open; their 4 orchestrations are restarted."),
        (
            ["--restart", "--minutes", "5"],
            Summary(3, 4, 1, 5),
            "1 of 4 orchestrations are not restarted after 5 minutes. Look whether /healthz is ready",
        ),
    ],
)
def test_the_command_answers_with_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    outcome: Summary,
    answer: str,
) -> None:
    async def ran(_options: object) -> Summary:
        return outcome

    monkeypatch.setattr(check, "_run", ran)
    monkeypatch.setattr("sys.argv", ["check", *arguments])
    assert check.main() == (1 if outcome.left else 0)
    assert capsys.readouterr().out.startswith(answer)


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


@pytest.mark.parametrize(
    ("action", "label", "expected"),
    [
        ("look", None, Summary(1)),
        ("wake", WAKE_ONLY, Summary(1)),
        ("restart", "restart:fabrikam-1", Summary(1, 1, 1, 0)),
    ],
)
async def test_the_command_leaves_an_intent_for_what_is_unfinished(
    sweep: Sweep, action: str, label: str | None, expected: Summary
) -> None:
    await stored(sweep, referral())
    options = Namespace(wake=action == "wake", restart=action == "restart", minutes=0)
    assert await check.look_after(sweep.referrals._tables, options) == expected
    assert [each.label async for each in sweep.intents.all()] == ([] if label is None else [label])


def test_a_restart_of_many_is_waited_for_longer() -> None:
    """A sweep takes 200 and needs another one to start them: two minutes, and half more."""
    assert [patience(count) for count in (0, 12, 200, 2_000, 10_000)] == [30, 30, 33, 60, 180]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wake", "--restart"],
        ["--minutes", "5"],
        ["--wake", "--minutes", "5"],
        ["--restart", "--minutes", "0"],
        ["--restart", "--minutes", "-3"],
    ],
)
def test_a_mistake_on_the_command_line_is_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["check", *arguments])
    with pytest.raises(SystemExit) as refused:
        check.main()
    assert refused.value.code == 2


async def test_an_instance_that_does_not_end_keeps_no_other_of_its_record_down(sweep: Sweep) -> None:
    review = Registered(id=RegistrationId("review"), kind="IpCoSell", solution_id="S", status="ReviewPending")
    deal = creators(status="Closed", substatus="Won", registrations=(review,))
    engine = Engine(running={deal.id, "review"}, deaf={"review"})
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, deal))
    await rounds(sweep, engine, 30)
    assert engine.started == [(LIFECYCLE, deal.id)]
    assert engine.told.count(deal.id) == 1


async def test_restarts_that_fail_leave_their_turn_to_others(sweep: Sweep) -> None:
    failing = [f"failing-{number}" for number in range(MOST_AT_ONCE)]
    healthy = [f"healthy-{number}" for number in range(MOST_AT_ONCE)]
    engine = Engine(unknown=set(failing))
    records = [referral(id=each) for each in (*failing, *healthy)]
    await ask_for_restarts(sweep.referrals._tables, await stored(sweep, *records))
    await rounds(sweep, engine, 12)
    assert {instance_id for _, instance_id in engine.started} == set(healthy)


async def test_a_sweep_takes_up_no_restart_after_two_minutes(sweep: Sweep) -> None:
    """functionTimeout ends the worker, and all that it does, after five."""
    now = NOW

    class Slow(Engine):
        async def is_running(self, instance_id: str) -> bool:
            nonlocal now
            now += timedelta(seconds=50)
            return False

    slow = replace(sweep, wall_clock=lambda: now)
    engine = Slow()
    parties = await stored(sweep, *(referral(id=f"fabrikam-{number}") for number in range(9)))
    await ask_for_restarts(sweep.referrals._tables, parties)
    await slow.run(engine, NOW)
    assert len(engine.started) == 3
    assert timedelta(seconds=2 * 50) < LONGEST_RUN < timedelta(seconds=3 * 50)
