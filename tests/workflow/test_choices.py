"""A customer chooses again by the link of a mail: one request of one link, whatever dies, whoever follows it (R8)."""

import asyncio
import copy
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from api.http.problems import HANDLED_ERRORS, describe
from api.http.response import Response
from api.leads.choices import send_to_chosen, show_alternatives
from api.referrals.read import get_referral, list_timeline
from api.referrals.transitions import accept_referral, decline_referral
from shared import clock
from shared.domain.referral import ReferralKey
from shared.storage.memory_tables import MemoryTables
from tests.doubles.ending_tables import EndingTables
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_leads import ESTIMATE, PlayedLeads
from tests.doubles.small_world import inquiry
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW

LINK = re.compile(r"http://portal\.example/choices/([\w-]+)")
NO = {"reason": "Other", "notes": "They are too small for us."}
EVERY_TABLE = ("referrals", "engagements", "intents", "mail", "reviews", "status", "choices", "directory")


class Choosing(PlayedLeads):
    """A request to Fabrikam, which declines it; Contoso and Northwind fit as well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tables: MemoryTables | None = None) -> None:
        self.mail = MemoryMailService()
        super().__init__(NOW, tables or MemoryTables(), self.mail)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    async def start(self, body: dict[str, Any] | None = None) -> ReferralKey:
        await self.begin()
        self.lead_key = await self.lead(body or inquiry("fabrikam"))
        return self.lead_key

    async def decline(self, who: str = "kim", party: ReferralKey | None = None) -> None:
        answer = await self.ask(who, party or self.lead_key, decline_referral, NO)
        assert answer.status == 200, answer.body

    async def sweep(self, hours: float) -> None:
        self.now += timedelta(hours=hours)
        self.engine.now = self.now
        await self.service.sweep.run(self.engine, self.now)

    def links(self) -> Sequence[str]:
        """The secrets in the mails that the service took, in order; each mail has it as text and as HTML."""
        found = []
        for mail in self.mail.taken.values():
            of_text, of_html = LINK.findall(mail.text), LINK.findall(mail.html)
            assert of_text == of_html
            found += of_text
        return found

    async def get(self, secret: str) -> Response:
        return await self._asked(show_alternatives(secret, self.service))

    async def choose(self, secret: str, organization: Any = "contoso", body: bytes | None = None) -> Response:
        sent = body if body is not None else b'{"organizationId": "%s"}' % organization.encode()
        http = func.HttpRequest(
            method="POST", url="http://x", headers={"Content-Type": "application/json"}, body=sent
        )
        return await self._asked(send_to_chosen(secret, http, self.service))

    async def _asked(self, call: Any) -> Response:
        try:
            answer: Response = await call
        except HANDLED_ERRORS as refused:
            return Response(**describe(refused))
        return Response(status=answer.status, body=answer.json(), headers=answer.headers)


@pytest.fixture
async def choosing(monkeypatch: pytest.MonkeyPatch) -> Choosing:
    played = Choosing(monkeypatch)
    await played.start()
    return played


async def test_a_declined_request_goes_to_the_company_that_its_customer_chooses(choosing: Choosing) -> None:
    await choosing.decline()
    (secret,) = choosing.links()
    assert len(secret) == 43
    shown = await choosing.get(secret)
    assert shown.status == 200
    assert shown.body["expiresDateTime"] == (NOW + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    assert [each["organizationId"] for each in shown.body["alternatives"]] == ["contoso", "northwind"]
    assert shown.body["alternatives"][0] == {
        "organizationId": "contoso",
        "name": "Contoso",
        "industries": [],
        "products": [],
        "services": [],
        "explanation": "Serves this country; has not answered often enough to be measured.",
    }
    chosen = await choosing.choose(secret)
    assert (chosen.status, chosen.body) == (201, {"organizationId": "contoso", "name": "Contoso"})
    (party,) = await choosing.received("contoso")
    lead = (await choosing.ask("rae", party, get_referral)).body
    before = (await choosing.ask("kim", choosing.lead_key, get_referral)).body
    assert (lead["status"], lead["dealType"], lead["name"]) == ("New", "Lead", before["name"])
    assert lead["customerProfile"]["team"][0]["email"] == "cara@relecloud.com"
    assert (lead["details"]["notes"], lead["statusReason"], lead["team"]) == (None, None, [])
    assert lead["expirationDateTime"] == (NOW + timedelta(days=14)).isoformat().replace("+00:00", "Z")
    timeline = (await choosing.ask("rae", party, list_timeline)).body["value"]
    assert [each["kind"] for each in timeline] == ["received"]
    await choosing.sweep(0.1)
    assert ("rae@contoso.com", "leadReceived") in {
        (", ".join(mail.recipients), mail.message) for mail in choosing.mail.taken.values()
    }
    assert (await choosing.ask("rae", party, accept_referral, ESTIMATE)).status == 200


async def test_an_expired_request_has_a_link_as_well_and_so_has_the_next_one_that_is_declined(
    choosing: Choosing,
) -> None:
    await choosing.sweep(14 * 24)
    (first,) = choosing.links()
    assert (await choosing.choose(first, "northwind")).status == 201
    (party,) = await choosing.received("northwind")
    await choosing.sweep(0.1)
    await choosing.decline("nia", party)
    first_again, second = choosing.links()
    assert first_again == first != second
    assert [each["organizationId"] for each in (await choosing.get(second)).body["alternatives"]] == [
        "contoso"
    ]


async def test_links_that_never_were_are_used_up_or_over_read_alike(choosing: Choosing) -> None:
    await choosing.decline()
    (secret,) = choosing.links()
    unknown = await choosing.get("A" * 43)
    assert unknown.status == 404
    for never in ("", "A" * 5_000, "서울", secret[:-1], secret.swapcase(), "../x"):
        for answer in (await choosing.get(never), await choosing.choose(never)):
            assert (answer.status, answer.body, answer.headers) == (404, unknown.body, unknown.headers), never
    over = copy.copy(choosing)
    over.now = NOW + timedelta(days=30)
    choosing.now = over.now
    for answer in (await choosing.get(secret), await choosing.choose(secret)):
        assert (answer.status, answer.body, answer.headers) == (404, unknown.body, unknown.headers)
    choosing.now = NOW + timedelta(days=30) - timedelta(seconds=1)
    assert (await choosing.choose(secret)).status == 201
    for answer in (
        await choosing.get(secret),
        await choosing.choose(secret),
        await choosing.choose(secret, "northwind"),
    ):
        assert (answer.status, answer.body, answer.headers) == (404, unknown.body, unknown.headers)
    assert await choosing.received("northwind") == []


async def test_only_what_fits_can_be_chosen_and_bodies_are_checked(choosing: Choosing) -> None:
    await choosing.decline()
    (secret,) = choosing.links()
    for other in ("fabrikam", "msft", "nobody", "portal"):
        assert (await choosing.choose(secret, other)).status == 404
    assert (await choosing.choose(secret, body=b"{")).status == 400
    assert (await choosing.choose(secret, body=b"{}")).status == 422
    assert (await choosing.choose(secret, body=b'{"organizationId": "contoso", "name": "x"}')).status == 422
    assert (await choosing.choose(secret)).status == 201


@pytest.mark.parametrize(
    "changes", [{"alternatives": 0}, {"recipients": ["fabrikam", "contoso", "northwind"]}]
)
async def test_without_a_company_to_choose_there_is_no_link(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    played = Choosing(monkeypatch)
    recipients = changes.pop("recipients", ["fabrikam"])
    await played.begin()
    played.lead_key = next(each for each in await played.leads({**inquiry(*recipients), **changes}) if each)
    await played.decline()
    assert len(played.mail.taken) > 0
    assert played.links() == []


async def test_after_a_report_of_abuse_there_is_neither_mail_nor_link(choosing: Choosing) -> None:
    body = {"reason": "AbuseSpamOrPhishing"}
    assert (await choosing.ask("kim", choosing.lead_key, decline_referral, body)).status == 200
    assert choosing.links() == []
    assert not [row async for row in choosing.tables.scan_table("choices")]


async def test_once_the_mail_is_accepted_the_secret_is_nowhere(choosing: Choosing) -> None:
    choosing.mail.away = True
    await choosing.decline()
    assert await stored(choosing, "choices/"), (
        "until then it is kept, so that it is the same mail that is sent again"
    )
    choosing.mail.away = False
    for _ in range(4):
        await choosing.sweep(1)
    (secret,) = choosing.links()
    assert not await stored(choosing, secret)
    assert (await choosing.get(secret)).status == 200


async def stored(choosing: Choosing, text: str) -> bool:
    """Whether a text is in any row of any table."""
    rows = [row for table in EVERY_TABLE async for row in choosing.tables.scan_table(table)]
    return any(text in f"{row.partition} {row.key} {dict(row.values)}" for row in rows)


@pytest.mark.parametrize("second", ["contoso", "northwind"])
@pytest.mark.parametrize("writes", range(6))
async def test_whatever_dies_one_link_makes_one_lead(
    monkeypatch: pytest.MonkeyPatch, writes: int, second: str
) -> None:
    tables = EndingTables()
    played = Choosing(monkeypatch, tables)
    await played.start()
    await played.decline()
    (secret,) = played.links()
    tables.left = writes
    first = await played.choose(secret, "contoso")
    tables.left = None
    again = await played.choose(secret, second)
    for _ in range(3):
        await played.sweep(1)
    made = [*await played.received("contoso"), *await played.received("northwind")]
    assert len(made) == 1
    organization = made[0].organization_id
    assert {each.status for each in (first, again)} <= {201, 404, 503}
    if first.status == 201:
        assert organization == "contoso"
    elif again.status == 201:
        assert organization == second
    mails = [mail for mail in played.mail.taken.values() if mail.message == "leadReceived"]
    assert len(mails) == 2, "of the first request, and of this one"


async def test_two_links_of_one_request_do_not_send_it_to_the_same_company(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = Choosing(monkeypatch)
    await played.begin()
    for who, party in zip(("kim", "nia"), await played.leads(inquiry("fabrikam", "northwind")), strict=True):
        await played.decline(who, party)
    first, second = played.links()
    assert [each["organizationId"] for each in (await played.get(second)).body["alternatives"]] == ["contoso"]
    assert (await played.choose(first, "contoso")).status == 201
    assert (await played.get(second)).body["alternatives"] == []
    assert (await played.choose(second, "contoso")).status == 404
    (party,) = await played.received("contoso")
    await played.decline("rae", party)
    assert played.links() == [first, second], "and nobody is left for the third mail"


@pytest.mark.parametrize("organizations", [("contoso", "contoso"), ("contoso", "northwind")])
async def test_of_two_who_follow_a_link_at_once_one_chooses(
    monkeypatch: pytest.MonkeyPatch, organizations: tuple[str, str]
) -> None:
    played = Choosing(monkeypatch, YieldingTables())
    await played.start()
    await played.decline()
    (secret,) = played.links()
    answers = await asyncio.gather(*(played.choose(secret, each) for each in organizations))
    made = [*await played.received("contoso"), *await played.received("northwind")]
    assert len(made) == 1
    chosen = {each.body["organizationId"] for each in answers if each.status == 201}
    assert chosen == {made[0].organization_id}
    assert {each.status for each in answers} <= {201, 404}


async def test_a_link_is_for_30_days_from_the_answer_whenever_its_mail_goes_out(choosing: Choosing) -> None:
    choosing.mail.away = True
    await choosing.decline()
    await choosing.sweep(48)
    choosing.mail.away = False
    for _ in range(4):
        await choosing.sweep(1)
    (secret,) = choosing.links()
    assert datetime.fromisoformat((await choosing.get(secret)).body["expiresDateTime"]) == NOW + timedelta(
        days=30
    )
