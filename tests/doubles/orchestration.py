"""What orchestrations and the sweep do with a record: all that is due, or one run over one row of its work."""

from datetime import datetime

from shared.domain.ids import RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.work import Work
from shared.storage.known_referrals import KnownReferrals
from shared.wiring import Service
from shared.workflow.perform import Performer
from shared.workflow.wake import Orchestrations
from shared.workflow.work_runs import WorkRuns


async def follow(
    service: Service,
    engine: Orchestrations,
    referral: ReferralKey,
    now: datetime,
    registration: RegistrationId | None = None,
) -> None:
    """All that there is to do now, until the orchestration waits."""
    await service.due_work.do(engine, referral, registration, now)


async def run_once(
    service: Service,
    engine: Orchestrations,
    referral: ReferralKey,
    label: str,
    now: datetime,
    *,
    performer: Performer | None = None,
) -> Work:
    """One run over a row of work, and over those that it causes; gives the row as it is stored then."""
    row = await service.referrals.get_work(referral, label)
    assert row
    known = KnownReferrals(service.referrals)
    performer = performer or service.follow_ups.performer
    started = performer.wall_clock()
    runs = WorkRuns(performer=performer, engine=engine, known=known, now=now, started=started)
    await runs.perform(referral, row)
    after = await service.referrals.get_work(referral, label)
    assert after
    return after.value
