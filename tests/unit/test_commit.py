"""Commits whose outcome is not known: what storage took without saying so counts, and nothing counts twice."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count

import pytest

from shared.domain.change import Act, Change
from shared.domain.ids import OperationId
from shared.domain.lifecycle import Acceptance, accept
from shared.domain.referral import Referral
from shared.domain.refusals import NotAllowed
from shared.domain.timeline import Actor
from shared.errors import Contended, StoreUnavailable
from shared.protocol.commit import ATTEMPTS, Commits, Who
from shared.storage.intents import Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.tables import Operation
from tests.doubles.late_tables import LateTables
from tests.unit.examples import NOW, begun, creators, referral, step

WHO = Who(actor=Actor(organization_id=None), now=NOW)


def commits_on(tables: MemoryTables) -> Commits:
    numbers = count(1)
    return Commits(Referrals(tables), Intents(tables), lambda: OperationId(f"{next(numbers)}"), lambda: NOW)


async def accepting(record: Referral, act: Act) -> Change:
    return accept(record, Acceptance(), act, creator=creators())


async def test_an_attempt_that_lands_late_is_ours_even_if_the_fresh_record_refuses_us() -> None:
    tables = LateTables()
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.delay_next = True
    landed = await commits.step(record.party, WHO, accepting, announce=True)
    assert landed
    assert (landed.after.state, landed.entry.operation_id) == ("Active/Accepted", "1")
    with pytest.raises(NotAllowed):
        await commits.step(record.party, WHO, accepting, announce=True)


async def test_an_equal_decision_is_not_taken_for_one_that_landed() -> None:
    """An effect on another record has the same operation id at every attempt."""
    tables = FailingTables(failures=1)
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True

    async def decide(read: Referral, act: Act) -> Change:
        same = Act(actor=act.actor, now=NOW, operation_id=OperationId("same"))
        return step(read, "declined", same, status="Closed", substatus="Declined")

    await commits.step(record.party, WHO, decide, announce=False)
    assert [entry.kind for entry in await Referrals(tables).entries(record.party)] == ["received", "declined"]


class FailingTables(MemoryTables):
    """Refuses to store a referral's step a number of times, without a word why."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.armed = False

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        if self.armed and self.failures and table == "referrals":
            self.failures -= 1
            raise StoreUnavailable("away")
        await super().write(table, partition, operations)


async def test_a_step_that_cannot_be_stored_is_given_up_after_five_tries_and_leaves_its_intents() -> None:
    tables = FailingTables(failures=99)
    commits, record = commits_on(tables), referral()
    await Referrals(tables).commit(begun(record), None)
    tables.armed = True
    with pytest.raises(Contended):
        await commits.step(record.party, WHO, accepting, announce=True)
    left = [intent async for intent in Intents(tables).all()]
    assert len(left) == ATTEMPTS
    assert all(isinstance(intent.at, datetime) for intent in left)


async def test_a_record_that_does_not_exist_takes_no_step() -> None:
    assert await commits_on(MemoryTables()).step(referral().party, WHO, accepting, announce=True) is None
