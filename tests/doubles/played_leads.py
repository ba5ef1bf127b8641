"""Requests for information of the small world played step by step, as `played_deal` plays a deal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.http.request import Request, Response

from activities.referral_steps import expire_if_overdue, open_reminder
from api.common.access import shown, take_step
from api.leads.submit import submitted
from api.referrals.convert import converting
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.mail.service import MailService
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from shared.workflow.observe import observe
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import PATH, VERBS, TakesAll
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import import_small_world

ESTIMATE = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2029-12-31T00:00:00Z"}


class PlayedLeads:
    """A web site that submits requests, and the companies that answer them."""

    def __init__(self, now: datetime, tables: Tables | None = None, mail: MailService | None = None) -> None:
        self.now = now
        self.tables = tables or MemoryTables()
        self.service = service_on(self.tables, mail or MemoryMailService())
        self.engine: Any = TakesAll()

    async def begin(self) -> None:
        await import_small_world(self.tables)

    async def submit(self, body: dict[str, Any]) -> Response:
        """A request of the web site's, whatever its answer."""

        async def handler(request: Request) -> Response:
            return await submitted(request, self.engine)

        return await ask(self.service, "web", handler, now=self.now, path="/v1.0/leads", body=body)

    async def leads(self, body: dict[str, Any]) -> list[ReferralKey | None]:
        """The leads of a request that is taken, in the order of its recipients; None where there is none."""
        answer = await self.submit(body)
        assert answer.status == 201, answer.body
        return [
            ReferralKey(organization_id=OrganizationId(each["organizationId"]), referral_id=each["referralId"])
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

    async def context(self, who: str, party: ReferralKey, verb: str, body: object = None) -> Response:
        """A verb, `convert` among them."""

        async def handler(request: Request) -> Response:
            decide = await {**VERBS, "convert": converting}[verb](request)
            return await shown(request, await take_step(request, decide, "changed", self.engine))

        return await ask(
            self.service,
            who,
            handler,
            now=self.now,
            path=f"{PATH}/{party.referral_id}/{verb}",
            body=body or {},
            route={"id": party.referral_id},
        )

    async def follow(self, party: ReferralKey) -> None:
        """What the orchestration of a referral does now, until it waits."""
        while steps := (await observe(self.service.referrals, party, self.now)).steps:
            for step in steps:
                if step.kind == "expire":
                    await expire_if_overdue(self.service, party, self.now)
                elif step.kind == "remind":
                    await open_reminder(self.service, party, step.label)
                else:
                    await self.service.work_runner.perform(self.engine, party, step.label, self.now)
