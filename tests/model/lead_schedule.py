"""A schedule of a request for information: taken in, delivered, answered or not, everybody dying by chance."""

import asyncio

from api.leads.submit import submit_leads
from tests.doubles.small_world import inquiry
from tests.model.schedule import Schedule

COMPANIES = {"rae": "contoso", "kim": "fabrikam", "nia": "northwind"}
ESTIMATE = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}


class LeadSchedule(Schedule):
    """Three companies get a request; each accepts, declines or is silent."""

    async def _storm(self) -> None:
        await asyncio.gather(self._web_submits(), self._time_passes(), *map(self._company_acts, COMPANIES))

    async def _web_submits(self) -> None:
        body = inquiry(*COMPANIES.values(), "nobody")
        await self._insisting("web", "submit", submit_leads, body)

    async def _company_acts(self, who: str) -> None:
        verb = self.random.choice(["accept", "decline", "nothing"])
        await self._idle(60)
        referral_id = await self.referral_of(COMPANIES[who])
        if verb != "nothing" and referral_id:
            await self._verb(who, verb, referral_id, ESTIMATE if verb == "accept" else None)
