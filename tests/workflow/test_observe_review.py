"""What a registration's orchestration finds to do; the clock's part is that of `test_review_due` (G7)."""

from datetime import UTC, datetime

import pytest

from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.storage import keys
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registration_rows import registration_operations
from shared.storage.registrations import Registrations
from shared.workflow.observe import observe
from tests.examples.registrations import in_review

DEAL = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId("deal"))


@pytest.mark.parametrize(
    ("submitted", "warned"),
    [(datetime(2036, 12, 18, tzinfo=UTC), False), (datetime(2036, 12, 28, tzinfo=UTC), True)],
)
async def test_whoever_keeps_the_service_hears_that_the_holidays_have_come_to_an_end(
    submitted: datetime, caplog: pytest.LogCaptureFixture, *, warned: bool
) -> None:
    tables, record = MemoryTables(), in_review(submitted, referral=DEAL)
    rows = registration_operations(DEAL.referral_id, record)
    await tables.write(keys.REFERRALS, "contoso", rows)
    observed = await observe(Referrals(tables), Registrations(tables), DEAL, record.id)
    assert observed.plan(submitted).next_at
    assert ("add the holidays of 2037" in caplog.text) == warned
