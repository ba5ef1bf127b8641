"""What each task of a work row does: once, again, and while something it needs is missing (L7, L8, T1, V3, G5)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from api.referrals.transitions import accept_referral, decline_referral, lose_referral, win_referral
from shared.domain.change import Change, CommandContext, EntryDraft, append_entry
from shared.domain.ids import OperationId, OrganizationId, ReferralId, RegistrationId
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral, ReferralKey
from shared.domain.vocabulary import DealType
from shared.domain.work import (
    FollowReview,
    Invite,
    NoOp,
    Notify,
    Publish,
    Task,
    UpdateDealType,
    UpdateParties,
    Withdraw,
    Work,
    work_of,
)
from shared.errors import StoreUnavailable
from shared.storage import keys
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, Row, Upsert
from shared.workflow.wake import LIFECYCLE, WAIT_UNTIL, backup_time
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.orchestration import run_once
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW
from tests.examples.registrations import draft

LABEL = "extra"
UNKNOWN = ReferralKey(organization_id=OrganizationId("northwind"), referral_id=ReferralId("not-there"))


class Deal(PlayedDeal):
    """Contoso's deal with Northwind, and one row of work that a test opens besides."""

    def __init__(self) -> None:
        super().__init__(NOW)

    async def run(self, *tasks: Task, of: str = "contoso", label: str = LABEL) -> Work:
        """Open a row with these tasks and try it once; gives the row as it is then."""
        record = await self.party(of)
        work = work_of(record.referral_id, label, OperationId(f"operation-{label}"), tasks)
        await self.service.referrals.insert_work(record, work)
        return await self.again(of, label)

    async def again(self, of: str = "contoso", label: str = LABEL) -> Work:
        """One more try of that row."""
        return await run_once(self.service, self.engine, await self.party(of), label, self.now)

    async def forget(self, organization: str) -> ReferralKey:
        """Take an organization's referral out of storage, as if storage had not taken it yet; gives its key."""
        record = await self.party(organization)
        for place in (("referrals", organization), ("mail", keys.mail_partition(record.referral_id))):
            for row in await self.tables.between(*place, "", "~"):
                await self.tables.discard(*place, row.key)
        del self.engine.instances[record.referral_id]
        return record


@pytest.fixture
async def played() -> Deal:
    """The deal, with Microsoft and two partners invited, whose own work is done."""
    played = Deal()
    await played.begin(deal("northwind", "fabrikam"))
    await played.follow("contoso", "northwind", "fabrikam", "msft")
    played.engine.events.clear()
    played.engine.starts.clear()
    return played


async def test_an_invitation_creates_the_invitees_referral_and_starts_its_orchestration(played: Deal) -> None:
    northwind = await played.forget("northwind")
    work = await played.run(Invite(parties=(northwind,)))
    assert not work.open
    assert (await played.record("northwind")).status == "New"
    assert played.engine.starts == [(LIFECYCLE, northwind.referral_id)]
    deadline = NOW + timedelta(days=14)
    until = played.engine.instances[northwind.referral_id].argument[WAIT_UNTIL]
    assert until == backup_time(northwind.referral_id, deadline).isoformat()


async def test_an_invitation_whose_row_is_damaged_is_done_if_it_was_delivered(played: Deal) -> None:
    northwind = await played.party("northwind")
    contoso = await played.party("contoso")
    row = Row(keys.invitation(contoso.referral_id, northwind.referral_id), {"json0": "{"})
    await played.tables.write("referrals", "contoso", [Upsert(row)])
    assert not (await played.run(Invite(parties=(northwind,)))).open


async def test_a_damaged_invitation_that_was_not_delivered_waits_to_be_repaired(played: Deal) -> None:
    """And keeps no other from being delivered."""
    northwind, fabrikam = await played.forget("northwind"), await played.forget("fabrikam")
    contoso = await played.party("contoso")
    row = Row(keys.invitation(contoso.referral_id, northwind.referral_id), {"json0": "{"})
    await played.tables.write("referrals", "contoso", [Upsert(row)])
    assert (await played.run(Invite(parties=(northwind, fabrikam)))).open
    assert (await played.record("fabrikam")).status == "New"


async def test_what_an_invitation_causes_is_done_with_it(played: Deal) -> None:
    """M1: the mail to the invitee does not wait for anybody to look at its referral."""
    northwind = await played.forget("northwind")
    played.mail.taken.clear()
    await played.run(Invite(parties=(northwind,)))
    assert [(mail.referral_id, mail.message) for mail in played.mail.taken.values()] == [
        (northwind.referral_id, "invited")
    ]
    commits = [each.party async for each in played.service.intents.all() if each.reason == "commit"]
    assert commits == [northwind], "the intent that announced its work"


async def test_an_invitation_that_is_there_is_left_as_it_is(played: Deal) -> None:
    assert (await played.ask("nia", "northwind", accept_referral, {})).status == 200
    before = await played.record("northwind")
    work = await played.run(Invite(parties=(before.key,)))
    assert not work.open
    assert await played.record("northwind") == before


async def test_an_invitation_that_was_never_sent_is_deferred_until_it_is_found(played: Deal) -> None:
    work = await played.run(Invite(parties=(UNKNOWN,)))
    assert work.open
    assert work.tasks[0].attempts == 1
    assert work.tasks[0].due
    assert timedelta(seconds=30) <= work.tasks[0].due - played.now <= timedelta(minutes=1, seconds=30)


async def test_a_withdrawal_closes_who_has_not_answered_and_leaves_who_has(played: Deal) -> None:
    assert (await played.ask("nia", "northwind", accept_referral, {})).status == 200
    assert (await played.ask("rae", "contoso", lose_referral, {"reason": "TimelineTooShort"})).status == 200
    northwind, fabrikam = await played.party("northwind"), await played.party("fabrikam")
    work = await played.run(Withdraw(parties=(northwind, fabrikam)))
    assert not work.open
    assert (await played.record("northwind")).substatus == "Accepted"
    withdrawn = await played.record("fabrikam")
    assert (withdrawn.status, withdrawn.substatus) == ("Closed", "Expired")
    assert fabrikam.referral_id in played.engine.woken


async def test_a_withdrawal_that_runs_twice_withdraws_once(played: Deal) -> None:
    assert (await played.ask("rae", "contoso", lose_referral, {"reason": "TimelineTooShort"})).status == 200
    fabrikam = await played.party("fabrikam")
    await played.run(Withdraw(parties=(fabrikam,)))
    once = await played.record("fabrikam"), await played.kinds("fabrikam")
    await played.run(Withdraw(parties=(fabrikam,)), label="again")
    assert (await played.record("fabrikam"), await played.kinds("fabrikam")) == once


async def test_a_party_that_is_not_there_defers_the_task_and_keeps_no_other_waiting(played: Deal) -> None:
    assert (await played.ask("rae", "contoso", lose_referral, {"reason": "TimelineTooShort"})).status == 200
    fabrikam = await played.party("fabrikam")
    work = await played.run(Withdraw(parties=(UNKNOWN, fabrikam)))
    assert work.open
    assert (await played.record("fabrikam")).substatus == "Expired"


async def test_other_parties_learn_of_a_change_once_however_often_it_is_told(played: Deal) -> None:
    assert (await played.ask("nia", "northwind", accept_referral, {})).status == 200
    record = await played.party("northwind")
    rows = await played.service.referrals.work(record)
    label = next(row.value.label for row in rows if any(s.task.kind == "inform" for s in row.value.tasks))
    kinds = await played.kinds("contoso")
    assert kinds.count("partyChanged") == 1
    row = await played.service.referrals.get_work(record, label)
    assert row
    fresh = replace(row.value, tasks=tuple(replace(s, done=False) for s in row.value.tasks))
    await played.service.referrals.save_work(record, fresh, row.etag)
    assert not (await played.again("northwind", label)).open
    assert await played.kinds("contoso") == kinds


async def test_a_party_that_declined_learns_nothing_more(played: Deal) -> None:
    """V1."""
    assert (
        await played.ask("nia", "northwind", decline_referral, {"reason": "TimelineTooShort"})
    ).status == 200
    await played.follow("northwind", "contoso")
    before = await played.kinds("northwind")
    sequence = (await played.record("contoso")).sequence
    parties = (await played.party("northwind"), await played.party("fabrikam"))
    work = await played.run(UpdateParties(parties=parties), label=f"{sequence:06d}")
    assert not work.open
    assert await played.kinds("northwind") == before
    assert (await played.kinds("fabrikam"))[-1] == "partyChanged"


async def test_a_deal_type_is_repeated_where_it_differs_and_nowhere_else(played: Deal) -> None:
    """T1."""
    northwind = await played.record("northwind")
    assert not (await played.run(UpdateDealType(parties=(northwind.key,)))).open
    assert await played.record("northwind") == northwind

    async def become_another(read: Referral, context: CommandContext) -> Change:
        changed = append_entry(read, context, EntryDraft(kind="typeChanged"))
        return replace(changed, after=replace(changed.after, deal_type="SolutionAssessment"))

    context = CommandContext(actor=SYSTEM_ACTOR, now=played.now)
    await played.service.commits.step(await played.party("contoso"), context, become_another)
    assert not (await played.run(UpdateDealType(parties=(northwind.key,)), label="once-more")).open
    assert (await played.record("northwind")).deal_type == "SolutionAssessment"


async def test_sellers_see_a_deal_while_it_is_partner_led_and_no_longer_when_it_is_not(played: Deal) -> None:
    """V3."""
    deal_key = await played.party("contoso")
    kinds: list[DealType] = ["PartnerLed", "CoSell"]
    for number, kind in enumerate(kinds):

        async def become(read: Referral, context: CommandContext, kind: DealType = kind) -> Change:
            changed = append_entry(read, context, EntryDraft(kind="typeChanged"))
            return replace(changed, after=replace(changed.after, deal_type=kind))

        await played.service.commits.step(
            deal_key, CommandContext(actor=SYSTEM_ACTOR, now=played.now), become
        )
        assert not (await played.run(Publish(), label=f"publish-{number}")).open
        rows = await played.service.referrals.list_partner_led(None, 10)
        assert [key for _, key in rows] == ([deal_key] if kind == "PartnerLed" else [])


class Meanwhile(MemoryTables):
    """Tables beside which others act, right before a write for the sellers' list."""

    act: Callable[[], Awaitable[None]] | None = None

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        on_list = any(isinstance(each, Upsert) and each.row.key.startswith("v:") for each in operations)
        if on_list and (act := self.act):
            self.act = None
            await act()
        return await super().write(table, partition, operations)


@pytest.mark.parametrize("writer", ["the handler", "the work"])
async def test_a_type_that_changes_while_the_deal_is_published_does_not_leave_it_on_the_list(
    writer: str,
) -> None:
    """V3: the other step has removed it from the list already, before the stale write comes."""
    tables = Meanwhile()
    played = PlayedDeal(NOW, tables)
    if writer == "the work":
        played.service = with_dying_handlers(played.service)
    body = deal("northwind", microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    service = played.service

    async def become(read: Referral, context: CommandContext) -> Change:
        changed = append_entry(read, context, EntryDraft(kind="typeChanged"))
        return replace(changed, after=replace(changed.after, deal_type="CoSell"))

    async def another_step() -> None:
        context = CommandContext(actor=SYSTEM_ACTOR, now=played.now)
        committed = await service.commits.step(await played.party("contoso"), context, become)
        assert committed
        await service.visibility.follow(committed.after)

    if writer == "the handler":
        tables.act = another_step
    await played.begin(body)
    if writer == "the work":
        tables.act = another_step
        await played.follow("contoso")
    assert tables.act is None, "it was published in between"
    assert (await played.record("contoso")).deal_type == "CoSell"
    assert await service.referrals.list_partner_led(None, 10) == []


async def test_a_message_is_mailed_once_however_often_its_work_runs(played: Deal) -> None:
    """M6: the mail's record is of the row and the message, so that a second run finds it sent."""
    sent = len(played.mail.taken)
    task = Notify(message="reminder", audience="answerers")
    await played.run(task, of="northwind", label="reminder-first")
    assert len(played.mail.taken) == sent + 1
    record = await played.party("northwind")
    row = await played.service.referrals.get_work(record, "reminder-first")
    assert row
    undone = replace(row.value, tasks=tuple(replace(state, done=False) for state in row.value.tasks))
    await played.service.referrals.save_work(record, undone, row.etag)
    assert not (await played.again("northwind", "reminder-first")).open
    assert len(played.mail.taken) == sent + 1


async def test_a_registration_of_the_deal_that_has_no_record_is_looked_for_again_later(played: Deal) -> None:
    lost = draft(id=RegistrationId("not-there")).summary

    async def list_it(referral: Referral, context: CommandContext) -> Change:
        entry = EntryDraft(kind="registrationChanged")
        return append_entry(referral, context, entry, registrations=(lost,))

    context = CommandContext(actor=SYSTEM_ACTOR, now=NOW)
    assert await played.service.commits.step(await played.party("contoso"), context, list_it)
    work = await played.run(FollowReview(registration=RegistrationId("not-there")))
    assert work.open
    assert work.tasks[0].attempts == 1


async def test_the_work_of_a_registration_that_was_deleted_is_done(played: Deal) -> None:
    """G4: the deal does not have it any more."""
    assert not (await played.run(FollowReview(registration=RegistrationId("not-there")))).open


async def test_work_with_nothing_to_do_is_done_by_being_seen(played: Deal) -> None:
    """Earlier versions opened it for each change."""
    assert not (await played.run(NoOp())).open


async def test_a_defect_fails_the_activity_and_leaves_the_row_as_it_was(
    played: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        message = "a defect"
        raise ZeroDivisionError(message)

    monkeypatch.setattr(type(played.service.visibility), "follow", broken)
    record = await played.party("contoso")
    work = work_of(record.referral_id, LABEL, OperationId("operation"), (Publish(),))
    await played.service.referrals.insert_work(record, work)
    with pytest.raises(ZeroDivisionError):
        await run_once(played.service, played.engine, record, LABEL, played.now)
    row = await played.service.referrals.get_work(record, LABEL)
    assert row
    assert row.value == work


async def test_one_task_that_fails_keeps_no_other_of_its_row_from_being_done(
    played: Deal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        message = "storage is away"
        raise StoreUnavailable(message)

    monkeypatch.setattr(type(played.service.visibility), "follow", away)
    work = await played.run(Publish(), NoOp())
    assert [state.done for state in work.tasks] == [False, True]
    assert (await played.again()).tasks[0].attempts == 1  # not due yet
    played.now += timedelta(minutes=1)
    assert (await played.again()).tasks[0].attempts == 2


async def test_won_deals_tell_every_party_that_works_on_them(played: Deal) -> None:
    for who, organization in (("nia", "northwind"), ("kim", "fabrikam"), ("sam", "msft")):
        assert (await played.ask(who, organization, accept_referral, {})).status == 200
    await played.follow("contoso", "northwind", "fabrikam", "msft")
    assert (await played.ask("rae", "contoso", win_referral, {})).status == 200
    await played.follow("contoso")
    for organization in ("northwind", "fabrikam"):
        assert "partyChanged" in await played.kinds(organization)
