"""One round of deals on one service: what is done, and what it costs."""

import asyncio
import re
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import isodate

from bench.against.ratios import Figures
from bench.against.service import Service, Spent
from bench.deals import CLIENTS, CREATOR, INVITED, MAILS_PER_DEAL, REFERRALS, deal, deal_name
from bench.errors import MeasurementError

SINGLE_DEALS = 8
INVITATIONS_PER_DEAL = len(INVITED)
REMINDERS, EXPIRY = "P13D", "P2D"
"""Jumps of the clock: past both reminders of an invitation, and past its deadline after 14 days."""
_LONGEST_WAIT = 120.0
_SECONDS_PER_INVITATION = 4.0
"""That a jump may take on a slow machine, beyond `_LONGEST_WAIT`."""
_POLL_SECONDS = 0.05
_PAGE = 100
_NAME = re.compile(rf"{deal_name(0)[:-1]}\d+")


@dataclass(slots=True)
class Cost:
    """What was spent between two readings, and how long it took."""

    spent: Spent | None = None
    seconds: float = 0.0

    def figures(self, what: str, count: int) -> Figures:
        """Milliseconds of CPU and storage requests, for each of `count`."""
        assert self.spent is not None
        cpu = {
            f"CPU of the {name} per {what}, ms": seconds * 1000 / count
            for name, seconds in self.spent.cpu.items()
        }
        return {**cpu, f"storage requests per {what}": self.spent.storage_requests / count}


class Rounds:
    """Plays rounds on a service; the deals of all rounds are counted on, so that their names differ."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made = 0

    async def play(self, deals: int, expiries: int) -> Figures:
        """Play one round: deals one at a time, deals of eight clients, and invitations that expire.

        Raises MeasurementError, httpx.HTTPError.
        """
        async with httpx.AsyncClient(base_url=self._service.url, timeout=_LONGEST_WAIT) as http:
            session = _Session(self._service, http)
            figures = await self._one_at_a_time(session)
            figures |= await self._many(session, deals)
            if expiries:
                figures |= await self._expiring(session, expiries)
            return figures

    def _names(self, count: int) -> list[int]:
        first, self._made = self._made, self._made + count
        return list(range(first, first + count))

    async def _one_at_a_time(self, session: "_Session") -> Figures:
        created: list[float] = []
        accepted: list[float] = []
        for index in self._names(SINGLE_DEALS):
            with _timed(created):
                made = await session.create(index)
            await session.settle()
            for email in INVITED:
                (invitation,) = await session.invitations(email, [made])
                with _timed(accepted):
                    await session.accept(email, invitation["id"])
            await session.settle()
        return {
            "time until 201, ms": statistics.median(created) * 1000,
            "time until 200 of accept, ms": statistics.median(accepted) * 1000,
        }

    async def _many(self, session: "_Session", deals: int) -> Figures:
        """Measure from the first creation until everything is done and all mails are in the sink.

        Looking for the invitations is not measured.
        """
        mails, indexes = await session.mail_count(), self._names(deals)
        with session.costs() as creating:
            made = await _each(indexes, session.create)
            await session.settle()
            await session.wait_for_mails(mails + deals * INVITATIONS_PER_DEAL)
        invited = [
            (email, each["id"]) for email in INVITED for each in await session.invitations(email, made)
        ]
        with session.costs() as accepting:
            await _each(invited, lambda each: session.accept(*each))
            await session.settle()
            await session.wait_for_mails(mails + deals * MAILS_PER_DEAL)
        assert creating.spent is not None
        assert accepting.spent is not None
        whole = Cost(creating.spent.plus(accepting.spent), creating.seconds + accepting.seconds)
        return {"deals finished per second": deals / whole.seconds, **whole.figures("deal", deals)}

    async def _expiring(self, session: "_Session", expiries: int) -> Figures:
        """Let invitations that nobody answers wait, and jump past their reminders, then past their deadlines."""
        deals = expiries // INVITATIONS_PER_DEAL
        count = deals * INVITATIONS_PER_DEAL
        indexes = self._names(deals)
        made = await _each(indexes, session.create)
        await session.settle()
        with session.costs() as reminding:
            await session.jump(REMINDERS, count)
        before = await session.mail_count()
        with session.costs() as expiring:
            await session.jump(EXPIRY, count)
            mails = await session.wait_for_mails_of_each(indexes, before)
        await session.check_expired(made)
        return {
            **reminding.figures("invitation's two reminders", count),
            **expiring.figures("expiry", count),
            "mails per expiry": mails / count,
            "expiries per second": count / expiring.seconds,
        }


class _Session:
    """The people of the deals at work on a service."""

    def __init__(self, service: Service, http: httpx.AsyncClient) -> None:
        self._service = service
        self._http = http
        self._name = service.name
        self._subjects: list[str] = []
        self._last = "0"

    @contextmanager
    def costs(self) -> Iterator[Cost]:
        cost = Cost()
        before, start = self._service.spent(), time.perf_counter()
        yield cost
        cost.seconds = time.perf_counter() - start
        cost.spent = self._service.spent().since(before)

    async def create(self, index: int) -> dict[str, Any]:
        headers = self._service.headers[CREATOR]
        made: dict[str, Any] = _ok(await self._http.post(REFERRALS, json=deal(index), headers=headers)).json()
        return made

    async def accept(self, email: str, referral: str) -> None:
        headers = self._service.headers[email]
        _ok(await self._http.post(f"{REFERRALS}/{referral}/accept", json={}, headers=headers))

    async def invitations(self, email: str, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return somebody's invitations to these deals, as lists show them."""
        wanted = {each["engagementId"] for each in made}
        found: list[dict[str, Any]] = []
        page: str | None = f"{REFERRALS}?$top={_PAGE}"
        while page and len(found) < len(wanted):
            body = _ok(await self._http.get(page, headers=self._service.headers[email])).json()
            found += [each for each in body["value"] if each["engagementId"] in wanted]
            page = body.get("@odata.nextLink")
        if len(found) != len(wanted):
            raise MeasurementError(f"{self._name}: {email} sees {len(found)} of {len(wanted)} invitations.")
        return found

    async def settle(self) -> None:
        """Wait until everything that is due is done: advancing by nothing responds then."""
        await self.jump("PT0S", 0)

    async def jump(self, duration: str, invitations: int) -> None:
        """Advance the clock, and wait until everything that becomes due is done.

        The real engine's clock gives up after some minutes (409) and wants to be asked again.
        """
        limit = _LONGEST_WAIT + _SECONDS_PER_INVITATION * invitations
        try:
            async with asyncio.timeout(limit):
                target = await self._now() + isodate.parse_duration(duration)  # type: ignore[no-untyped-call]
                refused = await self._advance({"advance": duration})
                while refused:
                    ahead = await self._now() < target
                    refused = await self._advance(
                        {"to": target.isoformat()} if ahead else {"advance": "PT0S"}
                    )
        except TimeoutError as late:
            raise MeasurementError(
                f"{self._name}: after {limit:.0f} seconds not everything that was due is done."
            ) from late

    async def _advance(self, body: dict[str, str]) -> bool:
        """Return whether the clock asks for patience."""
        answer = await self._http.post(self._service.clock_url, json=body, timeout=None)
        if answer.status_code == httpx.codes.CONFLICT and "keeps real time" not in answer.text:
            return True
        _ok(answer)
        return False

    async def _now(self) -> datetime:
        return datetime.fromisoformat(_ok(await self._http.get(self._service.clock_url)).json()["now"])

    async def mail_count(self) -> int:
        """How many mails the sink has."""
        await self._look_into_sink()
        return len(self._subjects)

    async def wait_for_mails(self, count: int) -> None:
        """Wait until the sink has so many mails."""

        def missing() -> str:
            return f"{len(self._subjects)} of {count} mails arrived" if len(self._subjects) < count else ""

        await self._wait_for_mails(missing)

    async def wait_for_mails_of_each(self, indexes: list[int], first: int) -> int:
        """Wait until, from the mail `first` on, each deal has one for each invitation. Return how many came."""

        def missing() -> str:
            names = Counter(name for subject in self._subjects[first:] for name in _NAME.findall(subject))
            late = [index for index in indexes if names[deal_name(index)] < INVITATIONS_PER_DEAL]
            return f"{len(late)} deals lack a mail" if late else ""

        await self._wait_for_mails(missing)
        return len(self._subjects) - first

    async def _wait_for_mails(self, missing: Callable[[], str]) -> None:
        end = time.perf_counter() + _LONGEST_WAIT
        await self._look_into_sink()
        while late := missing():
            if time.perf_counter() > end:
                raise MeasurementError(f"{self._name}: {late} within {_LONGEST_WAIT:.0f} seconds.")
            await asyncio.sleep(_POLL_SECONDS)
            await self._look_into_sink()

    async def _look_into_sink(self) -> None:
        mails = _ok(await self._http.get(self._service.mail_url, params={"after": self._last})).json()[
            "value"
        ]
        self._subjects += [mail["subject"] for mail in mails]
        self._last = mails[-1]["id"] if mails else self._last

    async def check_expired(self, made: list[dict[str, Any]]) -> None:
        """Raise MeasurementError if an invitation to these deals has not expired."""
        for email in INVITED:
            states = Counter(each["substatus"] for each in await self.invitations(email, made))
            if states != {"Expired": len(made)}:
                raise MeasurementError(
                    f"{self._name}: {email}'s invitations are {dict(states)}, not Expired."
                )


async def _each(items: Iterable[Any], act: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Act on each item, a few at once; the results are in the order of the items."""
    results: dict[int, Any] = {}
    remaining = iter(enumerate(items))

    async def client() -> None:
        for position, item in remaining:
            results[position] = await act(item)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return [results[position] for position in range(len(results))]


@contextmanager
def _timed(spent: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    spent.append(time.perf_counter() - start)


def _ok(answer: httpx.Response) -> httpx.Response:
    """Return the response. Raises MeasurementError if it is an error's."""
    if answer.is_error:
        request = answer.request
        raise MeasurementError(
            f"{request.method} {request.url} responds with {answer.status_code}: {answer.text[:500]}"
        )
    return answer
