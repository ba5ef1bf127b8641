"""A deal of the small world played step by step: real handlers, and orchestrations that act when they are told to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from api.http.request import Request, Response

from activities.referral_steps import expire_if_overdue, open_reminder
from api.common.access import shown, take_step
from api.referrals.create import create
from api.referrals.edit import patch
from api.referrals.transitions import accepting, declining, losing, marking_stage, winning
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.storage.memory_tables import MemoryTables
from shared.workflow.observe import observe
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world

PATH = "/v1.0/engagements/referrals"
VERBS: dict[str, Any] = {
    "accept": accepting,
    "decline": declining,
    "win": winning,
    "lose": losing,
    "stage": marking_stage,
}


class TakesAll:
    """An engine that takes every start and every event; what follows is done by `PlayedDeal.follow`."""

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        return True

    async def raise_event(self, instance_id: str, event: str) -> bool:
        return True


class PlayedDeal:
    """Rae's deal, to which Northwind is invited and Microsoft is not, unless `begin` is told otherwise."""

    def __init__(self, now: datetime, tables: MemoryTables | None = None) -> None:
        self.now = now
        self.tables = tables or MemoryTables()
        self.mail = MemoryMailService()
        self.service = service_on(self.tables, self.mail)
        self.engine: Any = TakesAll()

    async def begin(self, body: dict[str, Any] | None = None) -> Response:
        await import_small_world(self.service.tables)

        async def handler(request: Request) -> Response:
            return await create(request, self.engine)

        wanted = body or deal("northwind", microsoft=False)
        made = await ask(self.service, "rae", handler, now=self.now, path=PATH, body=wanted)
        assert made.status == 201, made.body
        return made

    async def party(self, organization: str) -> ReferralKey:
        rows = await self.tables.between("referrals", organization, "d:", "d;")
        referral_id = ReferralId(rows[0].key.removeprefix("d:"))
        return ReferralKey(organization_id=OrganizationId(organization), referral_id=referral_id)

    async def record(self, organization: str) -> Referral:
        stored = await self.service.referrals.get(await self.party(organization))
        assert stored
        return stored.value

    async def kinds(self, organization: str) -> list[str]:
        """The timeline of an organization's referral."""
        return [e.kind for e in await self.service.referrals.entries(await self.party(organization))]

    async def follow(self, *organizations: str) -> None:
        """What the orchestrations of these do now, until each waits."""
        for organization in organizations:
            party = await self.party(organization)
            while steps := (await observe(self.service.referrals, party, self.now)).steps:
                for step in steps:
                    if step.kind == "expire":
                        await expire_if_overdue(self.service, party, self.now)
                    elif step.kind == "remind":
                        await open_reminder(self.service, party, step.label)
                    else:
                        await self.service.work_runner.perform(self.engine, party, step.label, self.now)

    async def context(
        self, who: str, organization: str, verb: str, body: object = None, **headers: str
    ) -> Response:
        """A verb; headers with underscores for hyphens."""

        async def handler(request: Request) -> Response:
            decide = await VERBS[verb](request)
            return await shown(request, await take_step(request, decide, "changed", self.engine))

        return await self.ask(who, organization, handler, below=f"/{verb}", body=body or {}, headers=headers)

    async def edit(self, who: str, organization: str, *operations: dict[str, Any], **headers: str) -> Response:
        """A PATCH of the version that is there now, unless If_Match says another."""

        async def handler(request: Request) -> Response:
            return await patch(request, self.engine)

        version = {"If_Match": f'"{(await self.record(organization)).version}"'}
        wanted = {**version, **headers}
        return await self.ask(
            who, organization, handler, body=list(operations), headers=wanted, method="PATCH"
        )

    async def ask(
        self,
        who: str,
        organization: str,
        handler: Any,
        *,
        below: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
    ) -> Response:
        """Any handler about an organization's referral."""
        party = await self.party(organization)
        return await ask(
            self.service,
            who,
            handler,
            now=self.now,
            path=f"{PATH}/{party.referral_id}{below}",
            body=body,
            headers={name.replace("_", "-"): value for name, value in (headers or {}).items()},
            route={"id": party.referral_id},
            method=method,
        )


def replacing(path: str, value: object) -> dict[str, Any]:
    """One operation of a patch."""
    return {"op": "replace", "path": path, "value": value}


def faults(answer: Response) -> Sequence[tuple[str, str]]:
    """Target and code of each fault of a refused request."""
    assert answer.status == 422, answer.body
    return [(fault["target"], fault["code"]) for fault in answer.body["error"]["details"]]
