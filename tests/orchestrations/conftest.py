"""The orchestration on the real SDK and on devhost, in virtual time; tables and mail service in memory."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import azure.durable_functions as df
import azure.functions as func
import httpx
import pytest

import activities.observe
import devhost
from activities.activity_input import orchestration_time
from api.http.operation import Handler
from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.transitions import accept_referral, decline_referral
from orchestrators import referral_lifecycle, registration_review
from shared import clock
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.domain.working_days import WorkingCalendar
from shared.storage.memory_tables import MemoryTables
from shared.wiring import wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import registration_of
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.registered_deal import RegisteredDeal
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world

HOST_JSON = {"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}
S = TypeVar("S", bound="Story")
ANSWERS: dict[str, tuple[Handler, dict[str, str]]] = {
    "accept": (accept_referral, {}),
    "decline": (decline_referral, {"reason": "TimelineTooShort"}),
}


class Looks:
    """The calls of the orchestrations' activities: of which instance, at what time of it.

    `before` is what happens before each call.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, datetime]] = []
        self.before: Callable[[], Awaitable[None]] | None = None
        self._look = activities.observe._do_due_work
        monkeypatch.setattr(activities.observe, "_do_due_work", self._noted)

    async def _noted(self, sent: dict[str, str], client: df.DurableOrchestrationClient) -> dict[str, Any]:
        self.calls.append((registration_of(sent) or sent["referralId"], orchestration_time(sent)))
        if self.before:
            await self.before()
        return await self._look(sent, client)

    def of(self, instance_id: str) -> list[datetime]:
        """The times at which an instance looked."""
        return [at for each, at in self.calls if each == instance_id]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


class Story:
    """A deal that Contoso made and Northwind is invited to, and the clock."""

    def __init__(self, http: httpx.AsyncClient, client: df.DurableOrchestrationClient) -> None:
        self._http = http
        self.engine = DurableEngine(client)
        self.mail = MemoryMailService()
        self.tables = MemoryTables()
        self.service = service_on(self.tables, self.mail)
        self._seen: Counter[tuple[str, str]] = Counter()

    async def begin(self) -> None:
        """Make the deal and let everybody be told."""
        await import_small_world(self.service.tables)
        made = await self._ask("rae", create_referral, deal("northwind"))
        assert made.status == 201, made.body
        self.deal_id = made.body["id"]
        self.invited_id = await self._id_at("northwind")
        self.microsofts_id = await self._id_at("msft")
        await self.advance("PT0S")

    async def _id_at(self, organization: str) -> ReferralId:
        (row,) = await self.tables.between("referrals", organization, "d:", "d;")
        return ReferralId(row.key.removeprefix("d:"))

    @property
    def invited(self) -> ReferralKey:
        """Northwind's referral."""
        return ReferralKey(organization_id=OrganizationId("northwind"), referral_id=self.invited_id)

    async def answer(self, verb: str) -> int:
        """Northwind's answer."""
        handler, body = ANSWERS[verb]
        return (await self._ask("nia", handler, body, id=self.invited_id)).status

    async def _ask(self, who: str, handler: Handler, body: object, **route: str) -> Response:
        return await ask(self.service, who, handler, body, now=clock.now(), route=route, engine=self.engine)

    async def advance(self, duration: str) -> datetime:
        """Let time pass, and everything that becomes due be done, with a sweep at the end."""
        await self.advance_without_sweep(duration)
        await self.service.sweep.run(self.engine, clock.now())
        return await self.advance_without_sweep("PT0S")

    async def advance_by_minutes(self, minutes: int) -> None:
        """Let time pass, with a sweep each minute."""
        for _ in range(minutes):
            await self.advance("PT1M")

    async def advance_without_sweep(self, duration: str) -> datetime:
        """Let time pass, in which the orchestrations do what is due, and nobody else."""
        answer = await self._http.post("/admin/devhost/clock", json={"advance": duration}, timeout=60)
        assert answer.status_code == 200, answer.text
        return datetime.fromisoformat(answer.json()["now"])

    async def advance_without_sweep_to(self, moment: datetime) -> None:
        await self.advance_without_sweep(f"PT{(moment - clock.now()).total_seconds():.3f}S")

    async def advance_to(self, moment: datetime) -> None:
        await self.advance(f"PT{(moment - clock.now()).total_seconds():.3f}S")

    async def status(self, instance_id: str) -> str | None:
        """The state of an orchestration; None if there is none."""
        answer = await self._http.get(f"/durabletask/instances/{instance_id}")
        return answer.json()["runtimeStatus"] if answer.status_code < 400 else None

    async def fired_timers(self, instance_id: str) -> list[datetime]:
        """The times of the timers that have fired since an orchestration began or continued as new."""
        answer = await self._http.get(f"/durabletask/instances/{instance_id}?showHistory=true")
        events = answer.json()["historyEvents"]
        return [
            datetime.fromisoformat(each["FireAt"]) for each in events if each["EventType"] == "TimerFired"
        ]

    async def state(self) -> str:
        return (await self.referral()).state

    async def referral(self) -> Referral:
        """Northwind's referral as it is now."""
        stored = await self.service.referrals.get(self.invited)
        assert stored
        return stored.value

    def new_mails(self) -> list[tuple[str, str]]:
        """Who was told what since the last look: address and subject. Microsoft's part is another story."""
        told = self.mail.told()
        fresh = told - self._seen
        self._seen = told
        return sorted(mail for mail in fresh.elements() if "icrosoft" not in f"{mail}")


class ReviewStory(Story):
    """A deal that Contoso won on a Friday, and its registration; the Wednesday after is a holiday."""

    async def begin(self) -> None:
        """Wait for Friday at four in the afternoon, and win the deal."""
        await import_small_world(self.service.tables)
        self.deal = RegisteredDeal(self.service, self.engine, clock.now)
        today = clock.now().replace(hour=16, minute=0, second=0, microsecond=0)
        self.friday = today + timedelta(days=(4 - today.weekday()) % 7 + 7)
        wednesday = (self.friday + timedelta(days=5)).date()
        self.calendar = WorkingCalendar(zone=UTC, holidays={wednesday})
        await self.advance_to(self.friday)
        await self.deal.win()
        await self.advance("PT0S")
        self.new_messages()

    async def register(self) -> None:
        assert (await self.deal.register()).status == 201
        await self.advance("PT0S")

    async def day(self, number: float) -> None:
        """Go to so many days after that Friday, at a quarter past four."""
        await self.advance_to(self.friday + timedelta(days=number, minutes=15))

    def new_messages(self) -> list[tuple[str, str]]:
        """Who was told what since the last look: addresses and kind of message, in order of the kind."""
        told = Counter((", ".join(mail.recipients), mail.message) for mail in self.mail.taken.values())
        fresh, self._seen = told - self._seen, told
        return sorted(fresh.elements(), key=itemgetter(1))


@asynccontextmanager
async def running_story(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[S],
) -> AsyncIterator[S]:
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    app.register_functions(referral_lifecycle.blueprint)
    app.register_functions(registration_review.blueprint)
    app.register_functions(activities.observe.blueprint)
    clients: list[df.DurableOrchestrationClient] = []

    @app.route("client")
    @app.durable_client_input(client_name="client")
    async def give_client(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> str:
        clients.append(client)
        return "given"

    async with (
        devhost.running(app, data, host_json=HOST_JSON) as host,
        httpx.AsyncClient(base_url=host.url) as http,
    ):
        await http.get("/client")
        story = kind(http, clients[0])
        monkeypatch.setattr(wiring, "_service", story.service)
        await story.begin()
        yield story


@pytest.fixture
async def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    async with running_story(tmp_path, monkeypatch, Story) as running:
        yield running


@pytest.fixture
async def review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ReviewStory]:
    async with running_story(tmp_path, monkeypatch, ReviewStory) as running:
        for place in ("shared.workflow.announce", "shared.workflow.observe", "shared.mail.pointless"):
            monkeypatch.setattr(f"{place}.review_calendar", lambda: running.calendar)
        yield running
