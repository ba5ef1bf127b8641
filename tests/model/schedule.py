"""One schedule of the model: a deal and its parties, everybody dying by chance, then calm until nothing is left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from activities.activity_input import orchestration_time
from activities.observe import outcome
from api.http.operation import Handler
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.invitations import create_invitations
from api.referrals.transitions import accept_referral, decline_referral, lose_referral, win_referral
from shared.admin.check import ask_for_restarts, unfinished
from shared.errors import ServiceError
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from shared.wiring import Service
from shared.workflow.follow_up import LONGEST_FOLLOW_UP
from shared.workflow.sweep import LONGEST_HANDLER
from shared.workflow.wake import record_of, registration_of
from tests.doubles.service import SETTINGS, ask, service_on
from tests.doubles.small_world import deal, import_small_world
from tests.model.deaths import DeadlyEngine, DeadlyMailService, DeadlyTables, Died, Fate
from tests.model.engine import Engine

S = TypeVar("S", bound="Schedule")
START = datetime(2026, 11, 21, 10, tzinfo=UTC)
SWEPT_EVERY, MAIL_LEASE = timedelta(seconds=10), timedelta(minutes=2)
_STEPS_OF_A_RUN = 3000
PARTNERS = {"kim": "fabrikam", "nia": "northwind", "sam": "msft"}
VERBS: dict[str, tuple[Handler, dict[str, Any]]] = {
    "accept": (accept_referral, {}),
    "decline": (decline_referral, {"reason": "Other", "notes": "No capacity."}),
    "win": (win_referral, {}),
    "lose": (lose_referral, {"reason": "ChoseAnotherVendor"}),
}


@dataclass
class Schedule:
    """A run. What clients were told is kept beside what the tables say, so that a test can compare them.

    `service` is the process of the handlers, and `worker` that of the sweep and of the activities.
    """

    seed: int
    deadly: float = 0.03
    flaky: float = 0.03
    now: datetime = START
    wall_clock: datetime = START
    answers: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def microsoft_later(self) -> bool:
        """Whether the deal begins partner-led and Microsoft is invited into it later (T2)."""
        return self.seed % 3 == 0

    @property
    def restart_round(self) -> bool:
        """Whether an operator restarts everything in the midst of it."""
        return bool(self.deadly) and self.seed % 4 == 1

    @property
    def late(self) -> float:
        """How many inserts come late: in every second schedule, else a write is over with its answer."""
        return 0.15 if self.deadly and self.seed % 2 else 0.0

    async def run(self) -> None:
        await self.prepare()
        self.fate.deadly, self.fate.flaky, self.fate.late = self.deadly, self.flaky, self.late
        await self._storm()
        self.fate.relent()
        for process in (self.service, self.worker):
            await process.follow_ups.background.wait(LONGEST_FOLLOW_UP)
        await self.engine.settle()
        await self.stormy.all_arrived()
        await self._last_steps()
        await self.calm_down()

    async def prepare(self) -> None:
        self.random = Random(self.seed)
        self.fate = Fate(self.random, 0.0, 0.0)
        self.tables = MemoryTables()
        self.mail = DeadlyMailService(self.fate)
        self.calm = self._process(self.tables)
        await import_small_world(self.calm.tables)
        self.stormy = DeadlyTables(self.tables, self.fate)
        self.service, self.worker = self._process(self.stormy), self._process(self.stormy)
        self.engine = Engine(lambda: self.now, self.run_activity, self.random if self.deadly else None)
        self.handlers_engine: Any = DeadlyEngine(self.engine, self.fate)

    async def _last_steps(self) -> None:
        """What a process had begun beside the call in which it died goes on here; it ends before time passes."""
        for _ in range(_STEPS_OF_A_RUN):
            await asyncio.sleep(0)

    def _process(self, tables: Tables) -> Service:
        """One of several processes, each of which may send mails."""
        settings = replace(SETTINGS, mail_lease=MAIL_LEASE)
        return service_on(tables, self.mail, lambda: self.wall_clock, settings)

    async def _storm(self) -> None:
        """Clients act at once and repeat what failed; the clock and the sweep go on."""
        if not await self.creator_creates():
            return
        actors = [self._party_acts(who) for who in PARTNERS]
        if self.microsoft_later:
            actors.append(self._creator_invites_microsoft())
        if self.restart_round:
            actors.append(self._operator_restarts())
        await asyncio.gather(self._creator_closes(), self._time_passes(), *actors)

    async def calm_down(self) -> None:
        """Nobody dies any more: let three weeks pass, with all that becomes due, and the sweep each time."""
        self.calm_since = self.now
        end = self.now + timedelta(days=21)
        self.wall_clock += 2 * LONGEST_HANDLER
        while self.now < end:
            await self.engine.settle()
            await self.calm.sweep.run(self.engine, self.now)
            await self.engine.settle()
            coming = [intent.due async for intent in self.calm.intents.all()]
            next_due = min([end, *coming, *([due] if (due := self.engine.next_due()) else [])])
            passed = max(next_due - self.now, SWEPT_EVERY)
            self.now, self.wall_clock = self.now + passed, self.wall_clock + passed
            self.engine.fire_due()
        await self.engine.settle()
        await self.calm.sweep.run(self.engine, self.now)
        await self.engine.settle()

    async def creator_creates(self) -> str | None:
        body = deal("fabrikam", "northwind", microsoft=not self.microsoft_later)
        if self.microsoft_later:
            body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
        answer = await self._insisting("rae", "create", create_referral, body)
        return answer.body["id"] if answer and answer.status == 201 else None

    async def _party_acts(self, who: str) -> None:
        verb = self.random.choice(["accept", "accept", "decline", "nothing"])
        await self._idle(40)
        referral_id = await self.referral_of(PARTNERS[who])
        if verb != "nothing" and referral_id:
            await self._verb(who, verb, referral_id)

    async def _creator_invites_microsoft(self) -> None:
        await self._idle(60)
        referral_id = await self.referral_of("contoso")
        body = {"invitations": [{"organizationId": "msft", "assistanceRequestCode": "QuotesOrLicensing"}]}
        await self._insisting("rae", "invite", create_invitations, body, id=referral_id or "")

    async def _operator_restarts(self) -> None:
        """At some moment, and again at another one: whoever does it twice harms nothing."""
        for _ in range(2):
            await self._idle(120)
            await ask_for_restarts(self.tables, await unfinished(self.tables), self.now)

    async def _creator_closes(self) -> None:
        verb = self.random.choice(["win", "lose", "nothing"])
        await self._idle(120)
        referral_id = await self.referral_of("contoso")
        if verb != "nothing" and referral_id:
            await self._verb("rae", verb, referral_id)

    async def _verb(self, who: str, verb: str, referral_id: str, said: dict[str, Any] | None = None) -> None:
        handler, body = VERBS[verb]
        await self._insisting(who, verb, handler, said or body, id=referral_id)

    async def _insisting(
        self, who: str, what: str, handler: Handler, body: object, **route: str
    ) -> Response | None:
        """A client that repeats what was not answered, with the same key, a few times."""
        headers = {"Idempotency-Key": f"{who}-{what}"}
        for _ in range(4):
            try:
                answer = await ask(
                    self.service,
                    who,
                    handler,
                    body,
                    now=self.now,
                    route=route,
                    headers=headers,
                    engine=self.handlers_engine,
                    follow_up=False,
                )
            except Died:
                continue
            if answer.status < 500:
                self.answers.append((who, what, answer.status))
                return answer
        return None

    async def _time_passes(self) -> None:
        for _ in range(self.random.randrange(4)):
            await self._idle(60)
            self.now += timedelta(hours=self.random.choice([1, 30, 24 * 8, 24 * 14]))
            self.engine.fire_due()
            await self._sweep()

    async def _sweep(self) -> None:
        try:
            await self.worker.sweep.run(self.handlers_engine, self.now)
        except (Died, ServiceError):
            return

    async def _idle(self, most: int) -> None:
        for _ in range(self.random.randrange(most)):
            await asyncio.sleep(0)

    async def run_activity(self, name: str, step: dict[str, Any]) -> Any:
        party, now = record_of(step), orchestration_time(step)
        assert name in {"observe", "observe_registration"}
        registration = registration_of(step)
        observed = await self.worker.due_work.do(self.handlers_engine, party, registration, now)
        return outcome(observed, registration or step["referralId"], now, now)

    async def referral_of(self, organization: str) -> str | None:
        rows = await self.tables.between("referrals", organization, "d:", "d;")
        return rows[0].key.removeprefix("d:") if rows else None


async def play(schedule: S, check: Callable[[S], Awaitable[None]]) -> None:
    """Run a schedule and check what came of it; what fails says which schedule it was."""
    await schedule.run()
    try:
        await check(schedule)
    except AssertionError as failed:
        failed.add_note(f"seed {schedule.seed}: {schedule.answers}")
        raise
