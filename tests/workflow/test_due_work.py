"""All that is due on a record is done in one go, whoever else does something with it meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from shared.domain.change import CommandContext
from shared.domain.ids import OperationId
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral
from shared.domain.work import Notify, Publish, work_of
from shared.errors import Contended
from shared.storage import keys
from shared.storage.mail import MailRecord
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, Replace, StoredRow
from shared.workflow.due_work import MOST_LOOKS
from shared.workflow.observe import Observed, observe
from shared.workflow.perform import LONGEST_RUN
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.swept import Swept, numbered
from tests.examples.referrals import NOW, creators, referral, step

RECORD = referral(id=numbered(1))
DAY = timedelta(days=1)
INVITED = Notify(message="invited", audience="invitee")
DECLINED = Notify(message="declined", audience="inviter", party=creators().key)
Act = Callable[[], Awaitable[None]]


class Died(BaseException):
    """The process ended here."""


class Watched(MemoryTables):
    """Tables beside which others act: after a request for the record or its work, or before progress is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.after_document: Act | None = None
        self.after_work: Act | None = None
        self.before_save: Act | None = None
        self.saves_again = False

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        row = await super().get(table, partition, key)
        if key == keys.document(RECORD.id) and (act := self.after_document):
            self.after_document = None
            await act()
        return row

    async def between(
        self,
        table: str,
        partition: str,
        start: str,
        end: str,
        limit: int | None = None,
        *,
        keys_only: bool = False,
    ) -> list[StoredRow]:
        rows = await super().between(table, partition, start, end, limit, keys_only=keys_only)
        if (start, end) == keys.children("w", RECORD.id) and (act := self.after_work):
            self.after_work = None
            await act()
        return rows

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if self.before_save and _saves_work(operations):
            act, self.before_save = self.before_save, None
            await act()
            self.before_save = act if self.saves_again else None
        return await super().write(table, partition, operations)


def _saves_work(operations: Sequence[Operation]) -> bool:
    """Whether this is the progress of a row of work."""
    prefix = keys.work(RECORD.id, "")
    return len(operations) == 1 and all(
        isinstance(each, Replace) and each.row.key.startswith(prefix) for each in operations
    )


@pytest.fixture
def tables() -> Watched:
    return Watched()


@pytest.fixture
async def swept(tables: Watched) -> Swept:
    swept = await Swept(tables).begin()
    await swept.stored(creators())
    return swept


async def do(swept: Swept, now: datetime = NOW, *, holds_intent: bool = False) -> Observed:
    """What the sweep and the activities call."""
    return await swept.service.due_work.do(swept.engine, RECORD.key, None, now, holds_intent=holds_intent)


async def declines(swept: Swept) -> None:
    """Somebody declines, and dies before doing the work of it."""
    stored = await swept.referrals.get(RECORD.key)
    assert stored
    context = CommandContext(actor=SYSTEM_ACTOR, now=NOW, operation_id=OperationId("decline"))
    closed = {"status": "Closed", "substatus": "Declined"}
    await swept.referrals.commit(step(stored.value, "declined", context, (DECLINED,), **closed), stored)


async def open_rows(swept: Swept) -> list[str]:
    return [row.value.label for row in await swept.referrals.work(RECORD.key) if row.value.open]


async def commits(swept: Swept) -> list[str]:
    """The intents that are left of steps."""
    return [each.id for each in await swept.left() if each.reason == "commit"]


async def test_a_record_that_is_closed_while_it_is_read_is_not_finished_before_its_work_is_done(
    tables: Watched, swept: Swept
) -> None:
    """Its work was read before the record, so it shows none."""
    await swept.stored(RECORD)

    async def close() -> None:
        await declines(swept)

    tables.after_work = close
    observed = await do(swept)
    assert observed.plan(NOW).finished
    assert await open_rows(swept) == []
    assert swept.mailed("declined") == [RECORD.id]


@pytest.mark.parametrize("first", ["after_work", "after_document"])
async def test_a_record_is_never_older_than_the_work_that_it_is_read_with(
    tables: Watched, swept: Swept, first: str
) -> None:
    """Whichever request the step comes after."""
    await swept.stored(RECORD)

    async def close() -> None:
        await declines(swept)

    setattr(tables, first, close)
    observed = await observe(swept.referrals, swept.registrations, RECORD.key, None)
    assert isinstance(observed.record, Referral)
    assert not ("000002" in observed.rows and observed.record.status == "New")


class Slow(MemoryMailService):
    """Takes its time, by the wall clock, for each mail."""

    swept: Swept

    async def send(self, record: MailRecord, now: datetime) -> None:
        self.swept.wall += LONGEST_RUN
        await super().send(record, now)


async def test_what_there_is_no_time_for_is_left_and_said_to_be_due(tables: Watched) -> None:
    slow = Slow()
    slow.swept = swept = await Swept(tables, slow).begin()
    await swept.committed(RECORD, INVITED)
    task = Notify(message="reminder", audience="answerers")
    await swept.referrals.insert_work(
        RECORD.key, work_of(RECORD.id, "reminder-first", OperationId("r"), (task,))
    )
    observed = await do(swept)
    assert [step.label for step in observed.plan(NOW).steps] == ["reminder-first"]
    assert swept.mailed("reminder") == []
    assert (await do(swept)).plan(NOW).steps == ()
    assert swept.mailed("reminder") == [RECORD.id]


async def test_a_record_that_keeps_changing_is_given_up_after_some_looks(
    tables: Watched, swept: Swept
) -> None:
    await swept.stored(RECORD)
    await swept.referrals.insert_work(
        RECORD.key, work_of(RECORD.id, "000001", OperationId("op"), (Publish(),))
    )
    changes = 0

    async def change() -> None:
        nonlocal changes
        changes += 1
        row = await swept.referrals.get_work(RECORD.key, "000001")
        assert row
        await swept.referrals.save_work(RECORD.key, row.value, row.etag)

    tables.before_save, tables.saves_again = change, True
    with pytest.raises(Contended):
        await do(swept)
    assert changes == MOST_LOOKS


async def test_work_that_another_run_saved_meanwhile_is_read_again_and_done(
    tables: Watched, swept: Swept
) -> None:
    await swept.committed(RECORD, INVITED)

    async def change() -> None:
        row = await swept.referrals.get_work(RECORD.key, "000001")
        assert row
        await swept.referrals.save_work(RECORD.key, row.value, row.etag)

    tables.before_save = change
    observed = await do(swept)
    assert observed.plan(NOW).steps == ()
    assert await open_rows(swept) == []
    assert list(swept.mail.attempts.values()) == [1]


async def test_what_a_run_that_died_has_recorded_in_the_records_own_timeline_is_not_recorded_again(
    tables: Watched, swept: Swept
) -> None:
    """M6: the record is read when the work exists already, so it may have the entry."""
    swept.mail.refuses = {"kim@fabrikam.com"}
    await swept.committed(RECORD, INVITED)

    async def die() -> None:
        raise Died

    tables.before_save = die
    with pytest.raises(Died):
        await do(swept)
    assert await kinds(swept) == ["received", "mailFailed"]
    await do(swept)
    assert await open_rows(swept) == []
    assert await kinds(swept) == ["received", "mailFailed"]


async def kinds(swept: Swept) -> list[str]:
    return [entry.kind for entry in await swept.referrals.entries(RECORD.key)]


@pytest.mark.parametrize(("holds_intent", "left"), [(False, []), (True, ["op"])])
async def test_the_intent_of_work_that_is_done_is_removed_unless_the_caller_does_it(
    swept: Swept, holds_intent: bool, left: list[str]
) -> None:
    await swept.committed(RECORD, INVITED)
    await do(swept, holds_intent=holds_intent)
    assert await open_rows(swept) == []
    assert await commits(swept) == left


@pytest.mark.parametrize("holds_intent", [False, True])
async def test_the_intent_of_work_that_is_left_stays(swept: Swept, holds_intent: bool) -> None:
    await swept.committed(RECORD, INVITED)
    swept.mail.away = True
    await do(swept, holds_intent=holds_intent)
    assert await open_rows(swept) == ["000001"]
    assert await commits(swept) == ["op"]


async def test_an_expiry_is_announced_before_it_is_stored_unless_the_caller_holds_an_intent(
    swept: Swept,
) -> None:
    """Whoever dies after it leaves the mail about it open (M2)."""
    await swept.stored(RECORD)
    swept.mail.away = True
    await do(swept, NOW + 14 * DAY, holds_intent=True)
    assert await swept.left() == []
    other = Swept()
    await other.begin()
    await other.stored(creators(), RECORD)
    other.mail.away = True
    await do(other, NOW + 14 * DAY)
    (left,) = await other.left()
    assert (left.reason, left.label, left.party) == ("commit", "000002", RECORD.key)


async def test_an_expiry_its_mail_and_what_was_open_before_are_done_in_one_go(swept: Swept) -> None:
    """L4, M2, M8: the invitation is not mailed any more, and the inviter learns that nobody was told."""
    await swept.committed(RECORD, INVITED)
    observed = await do(swept, NOW + 14 * DAY)
    assert observed.plan(NOW + 14 * DAY).finished
    assert await swept.state(RECORD.key) == "Closed/Expired"
    assert [mail.message for mail in swept.mail.taken.values()] == ["expired"]
    entries = await swept.referrals.entries(creators().key)
    assert [entry.kind for entry in entries] == ["received", "partyChanged", "neverNotified"]
    assert await commits(swept) == []


async def test_a_record_that_does_not_exist_has_nothing_due(swept: Swept) -> None:
    plan = (await do(swept)).plan(NOW)
    assert (plan.missing, plan.finished) == (True, True)
