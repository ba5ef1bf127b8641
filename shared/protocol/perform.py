"""Doing the open work of one row: each task once, in order; what fails for a passing reason is put off.

Every task may run twice (an activity is at least once), so each is guarded where it lands. A row's intent is
forgotten when its last task is done.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from shared.domain.change import Act, Change
from shared.domain.ids import OperationId, derived_operation
from shared.domain.lifecycle import BY_THE_CLOCK, hear_of
from shared.domain.referral import Party, Referral
from shared.domain.work import Inform, Invite, Notify, Settle, Task, TaskState, Withdraw, Work
from shared.errors import Contended, EngineUnavailable, MailUnavailable, StoreConflict, StoreUnavailable
from shared.mail.notices import Notices
from shared.protocol.commit import Commits, Who
from shared.protocol.invitations import Invitations
from shared.protocol.wake import Orchestrations, begin, wake
from shared.storage.intents import Intents
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)

LONGEST_DELAY = timedelta(minutes=60)
PASSING = (Contended, EngineUnavailable, MailUnavailable, StoreConflict, StoreUnavailable)
"""Failures that time heals. Any other is a defect and fails the activity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """Carries out work rows, with everything that their tasks touch."""

    referrals: Referrals
    intents: Intents
    commits: Commits
    invitations: Invitations
    notices: Notices

    async def perform(self, engine: Orchestrations, party: Party, label: str, now: datetime) -> None:
        """Try each due task of a work row once, and keep how far it came."""
        row = await self.referrals.work_row(party, label)
        if row is None or not row.value.open:
            return
        work = row.value
        run = _Run(self, engine, party, work, now)
        tasks = tuple([await run.attempt(state) for state in work.tasks])
        done = replace(work, tasks=tasks)
        await self.referrals.save_work(party, done, row.etag)
        if not done.open:
            await self.intents.forget(work.operation_id)

    async def tell_once(self, party: Party, operation_id: OperationId, now: datetime, remark: Remark) -> None:
        """Append an entry to a timeline unless one of this operation is there."""
        if any(entry.operation_id == operation_id for entry in await self.referrals.entries(party)):
            return
