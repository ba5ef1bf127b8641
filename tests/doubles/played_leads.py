"""Requests for information of the small world played step by step, as `played_deal` plays a deal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.http.operation import Handler
from api.http.response import Response
from api.leads.submit import submit_leads
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.mail.service import MailService
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from tests.doubles import orchestration
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import import_small_world

ESTIMATE = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2029-12-31T00:00:00Z"}


class PlayedLeads:
    """A web site that submits requests, and the companies that answer them."""

    def __init__(self, now: datetime, tables: Tables | None = None, mail: MailService | None = None) -> None:
        self.now = now
        self.tables = tables or MemoryTables()
        self.service = service_on(self.tables, mail or MemoryMailService())
        self.engine = FakeEngine()

    async def begin(self) -> None:
        await import_small_world(self.tables)

    async def submit(self, body: dict[str, Any]) -> Response:
        """A request of the web site's, whatever its answer."""
        return await ask(self.service, "web", submit_leads, body, now=self.now, engine=self.engine)

    async def leads(self, body: dict[str, Any]) -> list[ReferralKey | None]:
        """The leads of a request that is taken, in the order of its recipients; None where there is none."""
        answer = await self.submit(body)
        assert answer.status == 201, answer.body
        return [
            ReferralKey(
                organization_id=OrganizationId(each["organizationId"]), referral_id=each["referralId"]
            )
            if each["referralId"]
            else None
            for each in answer.body["recipients"]
        ]

    async def lead(self, body: dict[str, Any]) -> ReferralKey:
        """The only lead of a request."""
        (party,) = await self.leads(body)
        assert party
        return party

    async def record(self, party: ReferralKey) -> Referral:
        stored = await self.service.referrals.get(party)
        assert stored
        return stored.value

    async def received(self, organization: str) -> Sequence[ReferralKey]:
        """All referrals of an organization, oldest first."""
        rows = await self.tables.between("referrals", organization, "d:", "d;")
        return [
            ReferralKey(
                organization_id=OrganizationId(organization),
                referral_id=ReferralId(row.key.removeprefix("d:")),
            )
            for row in rows
        ]

    async def ask(self, who: str, party: ReferralKey, handler: Handler, body: object = None) -> Response:
        """Any operation on a lead."""
        route = {"id": party.referral_id}
        return await ask(self.service, who, handler, body, now=self.now, route=route, engine=self.engine)

    async def follow(self, party: ReferralKey) -> None:
        """What the orchestration of a referral does now, until it waits."""
        await orchestration.follow(self.service, self.engine, party, self.now)
