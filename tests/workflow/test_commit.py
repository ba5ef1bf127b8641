"""Commits whose outcome is not known: what storage took without saying so counts, and nothing counts twice."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count

import pytest

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId
from shared.domain.lifecycle import Acceptance, accept
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import NotAllowed, TerminalState
from shared.domain.timeline import Actor
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.idempotency import IdempotencyKeys
from shared.storage.intents import Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.tables import Operation, StoredRow
from shared.workflow.announce import Announcements
from shared.workflow.commit import ATTEMPTS, Commits
from tests.doubles.late_tables import LateTables
from tests.examples.referrals import NOW, begun, creators, referral, step

WHO = CommandContext(actor=Actor(organization_id=None), now=NOW)


def commits_on(tables: MemoryTables) -> Commits:
    numbers = count(1)
    announcements = Announcements(intents=Intents(tables), wall_clock=lambda: NOW)
    keys = IdempotencyKeys(tables)
    return Commits(
        referrals=Referrals(tables),
        engagements=Engagements(tables),
        idempotency_keys=keys,
        announcements=announcements,
        new_operation_id=lambda: OperationId(f"{next(numbers)}"),
    )


async def left(tables: MemoryTables) -> list[str]:
    return [intent.id async for intent in Intents(tables).all()]


async def accepting(record: Referral, context: CommandContext) -> Change:
    return accept(record, Acceptance(), context, creator=creators())


async def test_an_attempt_that_lands_late_is_ours_even_if_the_fresh_record_refuses_us() -> None:
    tables = LateTables()
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.delay_next = True
    landed = await commits.step(record.key, WHO, accepting)
    assert landed
    assert (landed.after.state, landed.change.entry.operation_id) == ("Active/Accepted", "1")
    with pytest.raises(NotAllowed):
        await commits.step(record.key, WHO, accepting)


async def test_an_equal_decision_is_not_taken_for_one_that_landed() -> None:
    """An effect on another record has the same operation id at every attempt."""
    tables = FailingTables(failures=1)
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True

    async def decide(read: Referral, context: CommandContext) -> Change:
        same = CommandContext(actor=context.actor, now=NOW, operation_id=OperationId("same"))
        return step(read, "declined", same, status="Closed", substatus="Declined")

    await commits.step(record.key, WHO, decide)
    assert [entry.kind for entry in await Referrals(tables).entries(record.key)] == ["received", "declined"]


class FailingTables(MemoryTables):
    """Refuses to store a referral's step a number of times, without a word why."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.armed = False

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if self.armed and self.failures and table == "referrals":
            self.failures -= 1
            raise StoreUnavailable("away")
        return await super().write(table, partition, operations)


async def test_a_step_that_cannot_be_stored_is_given_up_after_five_tries_and_leaves_its_intents() -> None:
    tables = FailingTables(failures=99)
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True
    with pytest.raises(Contended):
        await commits.step(record.key, WHO, accepting)
    left = [intent async for intent in Intents(tables).all()]
    assert len(left) == ATTEMPTS
    assert all(isinstance(intent.at, datetime) for intent in left)


async def test_a_record_that_does_not_exist_takes_no_step() -> None:
    assert await commits_on(MemoryTables()).step(referral().key, WHO, accepting) is None


async def test_the_intent_of_a_refused_attempt_is_removed_at_once_and_that_of_the_stored_one_stays() -> None:
    tables = MovingTables()
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.moves = [(record.key, OperationId("other-1")), (record.key, OperationId("other-2"))]
    assert await commits.step(record.key, WHO, accepting)
    assert await left(tables) == ["3"]


async def test_a_command_that_loses_leaves_no_intent() -> None:
    tables = MovingTables()
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.moves = [(record.key, OperationId("other"))]
    tables.declines = True
    with pytest.raises(TerminalState):
        await commits.step(record.key, WHO, accepting)
    assert await left(tables) == []


async def test_the_intent_of_an_attempt_that_landed_though_it_was_refused_stays() -> None:
    """The storage client repeats what was not answered, and is refused for its own first time."""
    tables = TwiceTables()
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True
    landed = await commits.step(record.key, WHO, accepting)
    assert landed
    assert await left(tables) == ["1"]


async def test_an_attempt_of_which_storage_cannot_say_whether_it_landed_keeps_its_intent() -> None:
    tables = TwiceTables(then_away=True)
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True
    with pytest.raises(StoreUnavailable):
        await commits.step(record.key, WHO, accepting)
    assert await left(tables) == ["1"]


class MovingTables(MemoryTables):
    """Somebody else steps in right before a step is stored, as often as there are `moves`."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[tuple[ReferralKey, OperationId]] = []
        self.declines = False

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if table == "referrals" and self.moves:
            party, operation_id = self.moves.pop()
            rest, self.moves = self.moves, []
            stored = await Referrals(self).get(party)
            assert stored
            context = CommandContext(actor=Actor(organization_id=None), now=NOW, operation_id=operation_id)
            closing = {"status": "Closed", "substatus": "Declined"} if self.declines else {}
            change = step(stored.value, "declined" if self.declines else "edited", context, **closing)
            await Referrals(self).commit(change, stored)
            self.moves = rest
        return await super().write(table, partition, operations)


class TwiceTables(MemoryTables):
    """Stores a referral's step and refuses it, as if it came a second time; then reads fail, if that is asked for."""

    def __init__(self, *, then_away: bool = False) -> None:
        super().__init__()
        self.armed = self.away = False
        self.then_away = then_away

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        if self.away:
            raise StoreUnavailable("away")
        return await super().get(table, partition, key)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        written = await super().write(table, partition, operations)
        if self.armed and table == "referrals":
            self.armed, self.away = False, self.then_away
            raise StoreConflict("412")
        return written
