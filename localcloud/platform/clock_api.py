"""`/admin/devhost/clock` for a service on the real host: answers as devhost's own does, but for `timers`."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import isodate
from aiohttp import web

from localcloud.platform.engine_clock import ClockRefusal, EngineClock

PATH = "/admin/devhost/clock"
_USAGE = 'Send {"advance": "P14D"} (an ISO 8601 duration) or {"to": "2027-01-01T00:00:00Z"}.'


class ClockApi:
    """Shows and moves the clock."""

    def __init__(self, clock: EngineClock) -> None:
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """GET and POST."""
        return [web.get(PATH, self.show), web.post(PATH, self.advance)]

    async def show(self, _: web.Request) -> web.Response:
        """The app's time."""
        return _now(self._clock.now())

    async def advance(self, request: web.Request) -> web.Response:
        """Advance, and answer when all that became due is done; 400 or 409 with a sentence."""
        try:
            return _now(await self._clock.advance(_target(await request.text(), self._clock.now())))
        except ClockRefusal as refusal:
            return web.json_response({"error": str(refusal)}, status=refusal.status)


def _target(text: str, now: datetime) -> Callable[[datetime], datetime]:
    try:
        body: dict[str, Any] = json.loads(text)
        if len(body) != 1:
            raise ClockRefusal(400, _USAGE)
        if "advance" in body:
            ahead = isodate.parse_duration(body["advance"])  # type: ignore[no-untyped-call]
            return _forwards(lambda begin: begin + ahead, now)
        moment = datetime.fromisoformat(body["to"])
        return _forwards(lambda _: moment, now)
    except (ValueError, TypeError, KeyError, OverflowError) as failure:
        raise ClockRefusal(400, _USAGE) from failure


def _forwards(target: Callable[[datetime], datetime], now: datetime) -> Callable[[datetime], datetime]:
    if target(now) < now:
        raise ClockRefusal(400, f"The clock only goes forward; it is {now.isoformat()}.")
    return target


def _now(moment: datetime) -> web.Response:
    return web.json_response({"now": moment.isoformat(timespec="microseconds").replace("+00:00", "Z")})
