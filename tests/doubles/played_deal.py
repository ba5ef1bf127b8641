"""A deal of the small world played step by step: real handlers, and orchestrations that act when they are told to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from api.http.operation import Handler
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.storage.memory_tables import MemoryTables
from tests.doubles import orchestration
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import NOTHING, ask, service_on, spelled
from tests.doubles.small_world import deal, import_small_world


class PlayedDeal:
    """Rae's deal, to which Northwind is invited and Microsoft is not, unless `begin` is told otherwise.

    A request returns when what its operation left for after the response is done, unless it `waits` not.
    """

    def __init__(self, now: datetime, tables: MemoryTables | None = None) -> None:
        self.now = now
        self.tables = tables or MemoryTables()
        self.mail = MemoryMailService()
        self.service = service_on(self.tables, self.mail)
        self.engine = FakeEngine()
        self.waits = True

    async def begin(self, body: dict[str, Any] | None = None) -> Response:
        await import_small_world(self.service.tables)
        made = await self.request("rae", create_referral, body or deal("northwind", microsoft=False))
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
            await orchestration.follow(self.service, self.engine, await self.party(organization), self.now)

    async def ask(
        self, who: str, organization: str, handler: Handler, body: object = None, **headers: str
    ) -> Response:
        """Any operation on an organization's referral; headers with underscores for hyphens."""
        party = await self.party(organization)
        route = {"id": party.referral_id}
        return await self.request(who, handler, body, route=route, headers=spelled(headers))

    async def edit(
        self, who: str, organization: str, *operations: dict[str, Any], **headers: str
    ) -> Response:
        """A PATCH of the version that is there now, unless If_Match says another."""
        version = {"If_Match": f'"{(await self.record(organization)).version}"'}
        return await self.ask(who, organization, patch_referral, list(operations), **{**version, **headers})

    async def request(
        self,
        who: str,
        handler: Handler,
        body: object = None,
        *,
        route: Mapping[str, str] = NOTHING,
        params: Mapping[str, str] = NOTHING,
        headers: Mapping[str, str] = NOTHING,
    ) -> Response:
        """Any operation, at this moment."""
        return await ask(
            self.service,
            who,
            handler,
            body,
            now=self.now,
            route=route,
            params=params,
            headers=headers,
            engine=self.engine,
            follow_up=self.waits,
        )


def replacing(path: str, value: object) -> dict[str, Any]:
    """One operation of a patch."""
    return {"op": "replace", "path": path, "value": value}


def faults(answer: Response) -> Sequence[tuple[str, str]]:
    """Target and code of each fault of a refused request."""
    assert answer.status == 422, answer.body
    return [(fault["target"], fault["code"]) for fault in answer.body["error"]["details"]]
