"""What a mail asks of storage: two requests if it goes out at the first attempt, and nothing is composed twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.referrals.transitions import accept_referral, decline_referral
from shared.domain.ids import OrganizationId
from shared.errors import MailServiceDown
from shared.mail.gate import FAILURES, KNOWN_OPEN
from shared.storage.mail import MailRecord
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, StoredRow
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.service import service_on
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

WALL = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Recorded(MemoryTables):
    """Tables that note each request about mails, with what it inserts or replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.read_tables: list[str] = []

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        self._note(table, "get")
        return await super().get(table, partition, key)

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
        self._note(table, "list")
        return await super().between(table, partition, start, end, limit, keys_only=keys_only)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        self._note(table, "+".join(type(each).__name__ for each in operations))
        return await super().write(table, partition, operations)

    def _note(self, table: str, request: str) -> None:
        self.read_tables.append(table)
        if table == "mail":
            self.asked.append(request)


class Played(PlayedDeal):
    """A deal on tables that note what is asked, and a wall clock that stands still."""

    def __init__(self) -> None:
        self.noted = Recorded()
        super().__init__(NOW, self.noted)
        self.service = service_on(self.noted, self.mail, lambda: WALL)


@pytest.fixture
async def played() -> Played:
    """A deal with two invitations that were mailed a moment ago."""
    played = Played()
    await played.begin(deal("northwind", "fabrikam", microsoft=False))
    await played.follow("contoso", "northwind", "fabrikam")
    assert len(played.mail.taken) == 2
    played.noted.asked.clear()
    return played


async def test_a_mail_that_goes_out_at_the_first_attempt_costs_two_requests(played: Played) -> None:
    """The gate was looked at a moment ago, for the mails before."""
    assert (await played.ask("kim", "fabrikam", accept_referral)).status == 200
    assert len(played.mail.taken) == 3
    assert played.noted.asked == ["Insert", "Replace"]


async def test_a_mail_costs_a_look_at_the_gate_if_none_was_sent_for_a_while(played: Played) -> None:
    played.service = service_on(played.noted, played.mail, lambda: WALL + KNOWN_OPEN)
    assert (await played.ask("kim", "fabrikam", accept_referral)).status == 200
    assert played.noted.asked == ["get", "Insert", "Replace"]


async def test_a_mail_that_is_tried_again_is_read_and_not_composed_again(played: Played) -> None:
    gate = played.service.due_work.performer.notices.delivery.gate
    for _ in range(FAILURES):
        await gate.failed(None, MailServiceDown("away"), NOW)
    assert (
        await played.ask("kim", "fabrikam", decline_referral, {"reason": "Other", "notes": "Busy."})
    ).status == 200
    assert len(played.mail.taken) == 2
    played.now += timedelta(hours=2)
    played.noted.asked.clear()
    played.noted.read_tables.clear()
    await played.follow("fabrikam")
    assert len(played.mail.taken) == 3
    assert played.noted.asked[0] == "list"
    assert "Insert" not in played.noted.asked
    assert "directory" not in played.noted.read_tables


async def test_a_run_that_died_and_one_that_finds_other_readers_send_one_mail() -> None:
    """The message is planned already, though for another language: nobody gets it twice."""
    played = Played()
    send = played.mail.send

    async def dies(record: MailRecord, now: datetime) -> None:
        await send(record, now)
        raise RuntimeError("the process is gone")

    played.mail.send = dies  # type: ignore[method-assign]
    await played.begin(deal("fabrikam", microsoft=False))
    (work,) = await played.service.referrals.work(await played.party("fabrikam"))
    assert work.value.open, "its progress is not stored"
    played.mail.send = send  # type: ignore[method-assign]
    (before,) = played.mail.taken.values()
    fabrikam = OrganizationId("fabrikam")
    (kim,) = await played.service.directory.people(fabrikam)
    stored = await played.service.people.get(fabrikam, kim.id)
    assert stored
    await played.service.people.put(
        replace(kim, locale="ko-KR", roles=kim.roles | {"MpnPartnerAdmin"}), stored.etag
    )
    played.now += timedelta(hours=2)
    await played.follow("fabrikam")
    assert list(played.mail.taken.values()) == [before]
    assert played.mail.attempts.total() == 1
    (mail,) = await played.service.reports.records.list_for_referral(before.referral_id)
    assert mail.value.state == "accepted"
