"""A won deal of the small world whose solutions have incentives, with its registrations and their reviewer Dee."""

from typing import Any

from api.http.request import Request, Response

from api.common.access import shown, visible
from api.referrals.create import create
from api.registrations.closed_deals import reported
from api.registrations.list import listed as queue
from api.registrations.review import assigning, got, reviewing
from api.registrations.submit import correcting, listed, registering
from shared.admin.directory_import import World, import_world
from tests.doubles.played_deal import PATH, PlayedDeal
from tests.doubles.registration_form import FORM
from tests.doubles.service import ask
from tests.doubles.small_world import WORLD, deal

REGISTRATIONS = "/v1.0/registrations"
BOTH = ["AzureIpCoSell", "IsvConnect"]
MOST_SOLUTIONS = 50


def name_of(number: int) -> str:
    """The id of one of the further solutions, a long one."""
    return f"SOL-CONTOSO-{number:02d}-{'X' * 25}"


def _world() -> World:
    """The small world with many solutions that can be registered."""
    document = WORLD.model_dump(mode="json", by_alias=True)
    for organization in document["organizations"]:
        for person in organization["people"]:
            person["global"] = person.pop("everywhere", person.get("global"))
    erp = document["solutions"][0]
    erp["incentives"] = BOTH
    document["solutions"] += [{**erp, "id": name_of(n), "name": f"S{n}"} for n in range(MOST_SOLUTIONS)]
    return World.model_validate(document)


def body_of(*solutions: str) -> dict[str, Any]:
    """A partner-led deal of these solutions."""
    body = deal(microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    if solutions:
        body["details"]["requirements"]["solutions"] = [{"id": each} for each in solutions]
    return body


class PlayedRegistration(PlayedDeal):
    """Rae's won deal."""

    async def create(self, body: dict[str, Any]) -> Response:
        await import_world(self.service.tables, _world())

        async def handler(request: Request) -> Response:
            return await create(request, self.engine)

        return await ask(self.service, "rae", handler, now=self.now, path=PATH, body=body)

    async def won(self, body: dict[str, Any] | None = None) -> None:
        made = await self.create(body or body_of())
        assert made.status == 201, made.body
        answer = await self.context("rae", "contoso", "win")
        assert answer.status == 200, answer.body

    async def read(self) -> dict[str, Any]:
        """The deal, as Rae reads it."""

        async def handler(request: Request) -> Response:
            return await shown(request, await visible(request))

        answer = await self.ask("rae", "contoso", handler)
        assert answer.status == 200, answer.body
        return answer.body

    async def register(self, form: dict[str, Any] = FORM, **headers: str) -> Response:
        async def handler(request: Request) -> Response:
            return await registering(request, self.engine)

        return await self.ask("rae", "contoso", handler, below="/registrations", body=form, headers=headers)

    async def records(self, form: dict[str, Any] = FORM) -> dict[str, dict[str, Any]]:
        """What a registration made, by kind."""
        answer = await self.register(form)
        assert answer.status == 201, answer.body
        return {each["kind"]: each for each in answer.body["value"]}

    async def of_deal(self) -> list[dict[str, Any]]:
        """The deal's registrations."""
        return (await self.ask("rae", "contoso", listed, below="/registrations")).body["value"]

    async def put(self, record: dict[str, Any], form: dict[str, Any]) -> Response:
        async def handler(request: Request) -> Response:
            return await correcting(request, self.engine)

        party = await self.party("contoso")
        return await ask(
            self.service,
            "rae",
            handler,
            now=self.now,
            path=f"{PATH}/{party.referral_id}/registrations/{record['id']}",
            body=form,
            headers={"If-Match": record["eTag"]},
            route={"id": party.referral_id, "rid": record["id"]},
            method="PUT",
        )

    async def see(self, record: dict[str, Any], who: str = "dee", **headers: str) -> Response:
        """A record by itself; headers with underscores for hyphens."""
        return await self._about(who, got, record, headers=_sent(headers))

    async def queue(self, who: str = "dee", **params: str) -> list[dict[str, Any]]:
        """What somebody finds among the registrations."""
        answer = await ask(self.service, who, queue, now=self.now, path=REGISTRATIONS, params=params)
        assert answer.status == 200, answer.body
        return answer.body["value"]

    async def review(
        self, record: dict[str, Any], decision: str, key: str | None = None, **more: Any
    ) -> Response:
        """Dee's decision about this version of a record."""

        async def handler(request: Request) -> Response:
            return await reviewing(request, self.engine)

        headers = {"If-Match": record["eTag"], **({"Idempotency-Key": key} if key else {})}
        body = {"decision": decision, **more}
        return await self._about("dee", handler, record, below="/review", body=body, headers=headers)

    async def assign(self, record: dict[str, Any], body: object, who: str = "dee", **headers: str) -> Response:
        """Give a record to a reviewer; headers with underscores for hyphens."""
        sent = _sent(headers)
        return await self._about(who, assigning, record, below="/assign", body=body, headers=sent)

    async def report(self, form: dict[str, Any], who: str = "rae", **headers: str) -> Response:
        """A closed deal that was never co-sold; headers with underscores for hyphens."""
        sent = _sent(headers)
        return await ask(
            self.service, who, reported, now=self.now, path=REGISTRATIONS, body=form, headers=sent
        )

    async def _about(
        self,
        who: str,
        handler: Any,
        record: dict[str, Any],
        *,
        below: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        return await ask(
            self.service,
            who,
            handler,
            now=self.now,
            path=f"{REGISTRATIONS}/{record['id']}{below}",
            body=body,
            headers=headers,
            route={"rid": record["id"]},
        )


def _sent(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
