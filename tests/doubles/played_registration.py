"""A won deal of the small world whose solutions have incentives, with its registrations and their reviewer Dee."""

from typing import Any

from api.http.operation import Handler
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.read import get_referral
from api.referrals.transitions import win_referral
from api.registrations.closed_deals import report_closed_deal
from api.registrations.list import list_registrations
from api.registrations.review import assign_registration, get_registration, review_registration
from api.registrations.submit import list_deal_registrations, put_registration, register_deal
from shared.admin.directory_import import DirectoryDocument, import_directory
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.registration_form import FORM
from tests.doubles.service import spelled
from tests.doubles.small_world import WORLD, deal

BOTH = ["AzureIpCoSell", "IsvConnect"]
MOST_SOLUTIONS = 50


def name_of(number: int) -> str:
    """The id of one of the further solutions, a long one."""
    return f"SOL-CONTOSO-{number:02d}-{'X' * 25}"


def _world() -> DirectoryDocument:
    """The small world with many solutions that can be registered."""
    document = WORLD.model_dump(mode="json", by_alias=True)
    for organization in document["organizations"]:
        for person in organization["people"]:
            person["global"] = person.pop("everywhere", person.get("global"))
    erp = document["solutions"][0]
    erp["incentives"] = BOTH
    document["solutions"] += [{**erp, "id": name_of(n), "name": f"S{n}"} for n in range(MOST_SOLUTIONS)]
    return DirectoryDocument.model_validate(document)


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
        await import_directory(self.service.tables, _world())
        return await self.request("rae", create_referral, body)

    async def won(self, body: dict[str, Any] | None = None) -> None:
        made = await self.create(body or body_of())
        assert made.status == 201, made.body
        answer = await self.ask("rae", "contoso", win_referral)
        assert answer.status == 200, answer.body

    async def read(self) -> dict[str, Any]:
        """The deal, as Rae reads it."""
        answer = await self.ask("rae", "contoso", get_referral)
        assert answer.status == 200, answer.body
        return answer.body

    async def register(self, form: dict[str, Any] = FORM, **headers: str) -> Response:
        return await self.ask("rae", "contoso", register_deal, form, **headers)

    async def records(self, form: dict[str, Any] = FORM) -> dict[str, dict[str, Any]]:
        """What a registration made, by kind."""
        answer = await self.register(form)
        assert answer.status == 201, answer.body
        return {each["kind"]: each for each in answer.body["value"]}

    async def of_deal(self) -> list[dict[str, Any]]:
        """The deal's registrations."""
        return (await self.ask("rae", "contoso", list_deal_registrations)).body["value"]

    async def put(self, record: dict[str, Any], form: dict[str, Any]) -> Response:
        party = await self.party("contoso")
        route = {"id": party.referral_id, "rid": record["id"]}
        return await self.request(
            "rae", put_registration, form, route=route, headers={"If-Match": record["eTag"]}
        )

    async def see(self, record: dict[str, Any], who: str = "dee", **headers: str) -> Response:
        """A record by itself; headers with underscores for hyphens."""
        return await self._about(who, get_registration, record, **headers)

    async def queue(self, who: str = "dee", **params: str) -> list[dict[str, Any]]:
        """What somebody finds among the registrations."""
        answer = await self.request(who, list_registrations, params=params)
        assert answer.status == 200, answer.body
        return answer.body["value"]

    async def review(
        self, record: dict[str, Any], decision: str, key: str | None = None, **more: Any
    ) -> Response:
        """Dee's decision about this version of a record."""
        headers = {"If_Match": record["eTag"], **({"Idempotency_Key": key} if key else {})}
        return await self._about(
            "dee", review_registration, record, {"decision": decision, **more}, **headers
        )

    async def assign(
        self, record: dict[str, Any], body: object, who: str = "dee", **headers: str
    ) -> Response:
        """Give a record to a reviewer; headers with underscores for hyphens."""
        return await self._about(who, assign_registration, record, body, **headers)

    async def report(self, form: dict[str, Any], who: str = "rae", **headers: str) -> Response:
        """A closed deal that was never co-sold; headers with underscores for hyphens."""
        return await self.request(who, report_closed_deal, form, headers=spelled(headers))

    async def _about(
        self, who: str, handler: Handler, record: dict[str, Any], body: object = None, **headers: str
    ) -> Response:
        route = {"rid": record["id"]}
        return await self.request(who, handler, body, route=route, headers=spelled(headers))
