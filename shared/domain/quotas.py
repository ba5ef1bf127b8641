"""Quotas: how much an organization may do of what causes mail or fills a shared place (rules U1, U2)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.domain.refusals import NotAllowed

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class QuotaReached(Exception):
    """A quota is used up. `left` is how much of it is left, and `retry_after` the time until it begins again."""

    def __init__(self, left: int, retry_after: timedelta) -> None:
        super().__init__(f"{left} left, again in {retry_after}")
        self.left = left
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` in each period, of which a day of UTC has a whole number; with limit 0 any number."""

    limit: int
    period: timedelta

    def begin(self, now: datetime) -> datetime:
        """The start of the period of this moment."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + (now - midnight) // self.period * self.period

    def end(self, now: datetime) -> datetime:
        """The end of the period of this moment, when the next one begins."""
        return self.begin(now) + self.period

    def require_room(self, used: int, wanted: int, now: datetime) -> None:
        """Raise `QuotaReached` if what was used in the period of this moment leaves no room for what is wanted."""
        if self.limit and used + wanted > self.limit:
            raise QuotaReached(max(self.limit - used, 0), self.end(now) - now)


def require_room_in_conversation(limit: int, written: int) -> None:
    """Raise `NotAllowed` if a party has written as many messages in a deal as it may; 0 is no limit (U2)."""
    if limit and written >= limit:
        raise NotAllowed(
            f"Your organization has written {written:,} messages in this deal, and {limit:,} is the limit of each "
            "party. You can go on reading the conversation; agree on another way to talk."
        )
