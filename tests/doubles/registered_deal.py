"""A won deal of the small world that can be registered, and what partner and reviewers do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.http.operation import Handler
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.transitions import win_referral
from api.registrations.drafts import delete_registration, recall_registration
from api.registrations.mapping import registration_etag
from api.registrations.review import assign_registration, review_registration
from api.registrations.submit import put_registration, register_deal
from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration
from shared.wiring import Service
from shared.workflow.wake import Orchestrations
from tests.doubles import registration_form
from tests.doubles.service import NOTHING, ask
from tests.doubles.small_world import deal

FORM: dict[str, Any] = {**registration_form.FORM, "solutionId": "SOL-CONTOSO-IP"}
DECISIONS: dict[str, dict[str, Any]] = {
    "approve": {"decision": "approve"},
    "reject": {"decision": "reject", "reason": "The contract names no solution."},
    "requestAction": {
        "decision": "requestAction",
        "errors": [{"target": "/contract/value", "message": "The contract says another value."}],
    },
}


@dataclass
class RegisteredDeal:
    """Rae's partner-led deal with one solution, which is registered as ISV Connect and as IP co-sell.

    `service` is what requests are made to, `calm` what their outcome is read from.
    """

    service: Service
    engine: Orchestrations
    now: Callable[[], datetime]
    calm: Service = field(init=False)
    id: str = ""
    rid: str = ""

    def __post_init__(self) -> None:
        self.calm = self.service

    @property
    def party(self) -> ReferralKey:
        return ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId(self.id))

    async def win(self) -> None:
        """Make the deal, and win it."""
        body = deal(microsoft=False)
        body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
        body["details"]["requirements"]["solutions"] = [{"id": "SOL-CONTOSO-IP"}]

        made = await self.ask("rae", create_referral, body)
        assert made.status == 201, made.body
        self.id = made.body["id"]
        answer = await self.ask("rae", win_referral)
        assert answer.status == 200, answer.body

    async def register(self, key: str | None = None, **changes: Any) -> Response:
        """Register the deal's solution; remembers the record that is reviewed."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.ask("rae", register_deal, {**FORM, **changes}, headers)
        if answer.status == 201:
            self.rid = next((each["id"] for each in answer.body["value"] if each["kind"] == "IpCoSell"), "")
        return answer

    async def correct(self, tag: str | None = None, **changes: Any) -> Response:
        """Send a correction of the version that is there now, unless another is named."""
        headers = {"If-Match": tag or await self.tag()}
        return await self.ask("rae", put_registration, {**FORM, **changes}, headers)

    async def review(self, decision: str, tag: str | None = None, who: str = "dee") -> Response:
        """Decide about the version that is there now, unless another is named."""
        headers = {"If-Match": tag or await self.reviewers_tag()}
        return await self.ask(who, review_registration, DECISIONS[decision], headers)

    async def recall(self, key: str | None = None, tag: str | None = None) -> Response:
        """Take the record back from its review."""
        headers = {"Idempotency-Key": key} if key else {}
        if tag:
            headers["If-Match"] = tag
        return await self.ask("rae", recall_registration, headers=headers)

    async def delete(self, tag: str | None = None) -> Response:
        """Delete the version of the draft that is there now, unless another is named."""
        return await self.ask("rae", delete_registration, headers={"If-Match": tag or await self.tag()})

    async def assign(self, email: str) -> Response:
        """Give the record to a reviewer."""
        return await self.ask("vera", assign_registration, {"email": email})

    async def tag(self) -> str:
        """The ETag of the record as it is now."""
        return f'"{(await self.record()).version}"'

    async def reviewers_tag(self) -> str:
        """The ETag that reviewers see, which covers whom the record was given to."""
        filed = await self.calm.registrations.index_entry(self.rid)
        return registration_etag(await self.record(), filed.assigned_to if filed else None)

    async def record(self) -> Registration:
        """The record that is reviewed, as it is now."""
        found = await self.calm.registrations.get(self.party, RegistrationId(self.rid))
        assert found
        return found

    async def told(self) -> list[str | None]:
        """What the deal's timeline says of the states of the record that is reviewed."""
        entries = await self.calm.referrals.entries(self.party)
        return [each.to_state for each in entries if each.details.get("registrationId") == self.rid]

    async def ask(
        self, who: str, handler: Handler, body: object = None, headers: Mapping[str, str] = NOTHING
    ) -> Response:
        """One request about the deal and its record."""
        route = {"id": self.id, "rid": self.rid}
        return await ask(
            self.service,
            who,
            handler,
            body,
            now=self.now(),
            route=route,
            headers=headers,
            engine=self.engine,
        )
