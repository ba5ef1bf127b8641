"""The purge on the real SDK and on devhost: what has finished leaves the engine, and may begin again."""

import pytest

from shared import clock
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.workflow.purge import Purge
from shared.workflow.wake import wake
from tests.orchestrations.conftest import Story


async def purged(story: Story) -> int:
    return await Purge(wall_clock=clock.wall_clock).run(story.engine, clock.now())


async def test_an_instance_leaves_the_engine_a_day_after_it_finished_and_starts_when_it_is_woken(
    story: Story,
) -> None:
    assert await story.answer("decline") == 200
    await story.advance("PT1H")
    assert (await purged(story), await story.status(story.invited_id)) == (0, "Completed")
    await story.advance("P1D")
    assert await purged(story) == 1
    assert await story.engine.purge(story.invited_id) is False, "it is gone"
    assert await story.status(story.microsofts_id) == "Running"
    await wake(
        story.engine,
        ReferralKey(organization_id=OrganizationId("northwind"), referral_id=ReferralId(story.invited_id)),
    )
    await story.advance("PT0S")
    assert await story.status(story.invited_id) == "Completed"


async def test_a_running_instance_is_refused_by_the_engine_and_goes_on(story: Story) -> None:
    await story.advance("P3D")
    assert await story.engine.purge(story.invited_id) is False
    assert await purged(story) == 0
    assert await story.status(story.invited_id) == "Running"


@pytest.mark.parametrize("days", [0.5, 2])
async def test_a_finished_instance_that_began_again_is_as_old_as_its_last_beginning(
    story: Story, days: float
) -> None:
    await story.answer("decline")
    await story.advance("P2D")
    party = ReferralKey(organization_id=OrganizationId("northwind"), referral_id=ReferralId(story.invited_id))
    await wake(story.engine, party)
    await story.advance(f"PT{24 * days:.0f}H")
    assert await purged(story) == (days > 1)
