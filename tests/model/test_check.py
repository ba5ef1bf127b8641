"""An operator's check after the task hub was lost: everything goes on from the tables alone."""

from shared.admin.check import ask_to_wake, unfinished
from tests.model.engine import Engine
from tests.model.schedule import Schedule
from tests.model.test_protocol_model import check


async def test_a_lost_task_hub_is_repaired_from_the_tables() -> None:
    schedule = Schedule(7, deadly=0.0, flaky=0.0)
    await schedule.prepare()
    assert await schedule.creator_creates()
    await schedule.engine.settle()
    schedule.engine = Engine(lambda: schedule.now, schedule.run_activity)
    found = await unfinished(schedule.tables)
    assert {party.organization_id for party in found} == {"contoso", "fabrikam", "northwind", "msft"}
    await ask_to_wake(schedule.tables, found, schedule.now)
    await schedule.calm.sweep.run(schedule.engine, schedule.now)
    await schedule.engine.settle()
    wait_for_answers = {party.referral_id for party in found if party.organization_id != "contoso"}
    assert schedule.engine.running == wait_for_answers
    await schedule.calm_down()
    await check(schedule)
