"""A schedule of a won deal: registered, reviewed, corrected and assigned, everybody dying by chance."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from api.http.operation import Handler
from api.http.response import Response
from shared.domain.registration import Registration
from tests.doubles.registered_deal import RegisteredDeal
from tests.doubles.service import NOTHING
from tests.model.deaths import Died
from tests.model.schedule import Schedule


class InsistentDeal(RegisteredDeal):
    """A won deal whose people repeat what failed, a few times."""

    schedule: "ReviewSchedule"

    async def ask(
        self, who: str, handler: Handler, body: object = None, headers: Mapping[str, str] = NOTHING
    ) -> Response:
        answer = Response(status=503)
        for _ in range(4):
            try:
                answer = await super().ask(who, handler, body, headers)
            except Died:
                continue
            if answer.status < 500:
                break
        self.schedule.answers.append((who, handler.__name__, answer.status))
        return answer


class ReviewSchedule(Schedule):
    """Rae registers, corrects, recalls and deletes; Dee and Vera decide or assign, as it happens to come."""

    deal: RegisteredDeal

    async def prepare(self) -> None:
        """Up to the deal's being won nobody dies."""
        await super().prepare()
        self.deal = InsistentDeal(self.service, self.handlers_engine, lambda: self.now)
        self.deal.schedule = self
        self.deal.calm = self.calm
        await self.deal.win()
        self.answers.clear()
        await self.engine.settle()

    async def record(self) -> Registration | None:
        """The record that is reviewed, if there is one."""
        found = await self.calm.registrations.list_for_deal(self.deal.party)
        reviewed = next((each for each in found if each.kind == "IpCoSell"), None)
        self.deal.rid = reviewed.id if reviewed else ""
        return reviewed

    async def _storm(self) -> None:
        people = [self._partner(), self._reviewer("dee"), self._reviewer("vera"), self._time_passes()]
        await asyncio.gather(*people)

    async def _partner(self) -> None:
        submit = self.random.random() < 0.7
        await self.deal.register("register", submit=submit)
        for _ in range(self.random.randrange(5)):
            await self._idle(80)
            record = await self.record()
            if record is None:
                await self.deal.register("register", submit=submit)
            elif record.status == "ReviewPending":
                if self.random.random() < 0.5:
                    await self.deal.recall(f"recall {record.version}", f'"{record.version}"')
            elif record.status == "Draft" and self.random.random() < 0.3:
                await self.deal.delete(f'"{record.version}"')
                await self.deal.register(f"after {record.id}", submit=submit)
            elif not record.closed:
                await self.deal.correct(f'"{record.version}"', submit=self.random.random() < 0.8)

    async def _reviewer(self, who: str) -> None:
        for _ in range(self.random.randrange(5)):
            await self._idle(80)
            record = await self.record()
            if record is None or record.status != "ReviewPending":
                continue
            if self.random.random() < 0.2:
                await self.deal.assign(f"{who}@microsoft.com")
            decisions = ["requestAction", "requestAction", "approve", "reject"]
            await self.deal.review(self.random.choice(decisions), f'"{record.version}"', who)

    async def _time_passes(self) -> None:
        for _ in range(self.random.randrange(4)):
            await self._idle(60)
            self.now += timedelta(hours=self.random.choice([1, 24 * 5, 24 * 8, 24 * 31]))
            self.engine.fire_due()
            await self._sweep()
