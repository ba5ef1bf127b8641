"""`/admin/devhost/clock`: shows the domain clock, and advances it."""

import json
from collections.abc import Callable
from typing import Any

import isodate
from aiohttp import web

from devhost.agenda import Agenda
from devhost.clock import DomainClock
from devhost.errors import ClockError
from devhost.timestamps import Micros, from_datetime, from_text, to_datetime, to_text

_PATH = "/admin/devhost/clock"
_USAGE = 'send {"advance": "P14D"} (an ISO 8601 duration) or {"to": "2027-01-01T00:00:00Z"}'


class ClockApi:
    """Shows and moves the clock."""

    def __init__(self, clock: DomainClock, agenda: Agenda) -> None:
        self._clock = clock
        self._agenda = agenda

    def routes(self) -> list[web.RouteDef]:
        return [web.get(_PATH, self.show), web.post(_PATH, self.advance)]

    async def show(self, _: web.Request) -> web.Response:
        return _now(self._clock.now())

    async def advance(self, request: web.Request) -> web.Response:
        """Advance the clock; respond once everything that became due is done, or with 400 or 409 and the reason."""
        try:
            to, every = _parse(await request.text(), self._clock.now())
            return _now(await self._agenda.advance(to, every=every))
        except ClockError as refusal:
            return web.json_response({"error": str(refusal)}, status=refusal.status)


def target_after(duration: str, now: Micros) -> Callable[[Micros], Micros]:
    """Return the moment a duration later. Raises ClockError if the duration is invalid or leads backwards."""
    try:
        ahead = isodate.parse_duration(duration)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as failure:
        raise ClockError(400, f"'{duration}' is not an ISO 8601 duration; {_USAGE}.") from failure

    def target(begin: Micros) -> Micros:
        try:
            return from_datetime(to_datetime(begin) + ahead)
        except (OverflowError, ValueError) as failure:
            raise ClockError(400, f"'{duration}' leads beyond the years 1 to 9999.") from failure

    _refuse_backwards(now, target(now))
    return target


def target_at(text: str, now: Micros) -> Callable[[Micros], Micros]:
    """Return the moment. Raises ClockError if it is invalid or has passed."""
    try:
        moment = from_text(text)
    except ValueError as failure:
        raise ClockError(400, f"'{text}' is not an ISO 8601 time; {_USAGE}.") from failure
    _refuse_backwards(now, moment)
    return lambda _: moment


def _refuse_backwards(now: Micros, moment: Micros) -> None:
    if moment < now:
        raise ClockError(
            400, f"The clock only goes forward; it is {to_text(now)}, and {to_text(moment)} has passed."
        )


def _parse(text: str, now: Micros) -> tuple[Callable[[Micros], Micros], bool]:
    try:
        body: Any = json.loads(text)
    except ValueError as failure:
        raise ClockError(400, f"The body is not JSON; {_USAGE}.") from failure
    if not isinstance(body, dict) or ("advance" in body) == ("to" in body):
        raise ClockError(400, f"Send either 'advance' or 'to': {_USAGE}.")
    if body.get("timers", "every") != "every" or body.keys() - {"advance", "to", "timers"}:
        raise ClockError(400, f"Besides 'advance' or 'to' there is only \"timers\": \"every\"; {_USAGE}.")
    wanted = body.get("advance", body.get("to"))
    if not isinstance(wanted, str):
        raise ClockError(400, f"'{wanted}' is not a text; {_USAGE}.")
    read = target_after if "advance" in body else target_at
    return read(wanted, now), "timers" in body


def _now(moment: Micros) -> web.Response:
    return web.json_response({"now": to_text(moment)})
