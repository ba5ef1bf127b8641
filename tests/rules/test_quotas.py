"""U1, U2: how much an organization may do in a day, in an hour and in a deal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.domain.quotas import DAY, HOUR, Quota, QuotaReached, require_room_in_conversation
from shared.domain.refusals import NotAllowed

NOON = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        (DAY, datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 2, tzinfo=UTC)),
        (HOUR, datetime(2027, 3, 1, 12, tzinfo=UTC), datetime(2027, 3, 1, 13, tzinfo=UTC)),
    ],
)
def test_a_period_is_a_day_or_an_hour_of_utc(period: timedelta, begin: datetime, end: datetime) -> None:
    quota = Quota(1, period)
    for moment in (
        begin,
        NOON,
        NOON.astimezone(timezone(timedelta(hours=9))),
        end - timedelta(microseconds=1),
    ):
        assert (quota.begin(moment), quota.end(moment)) == (begin, end)
    assert quota.begin(end) == end


def test_what_fits_is_allowed_and_what_does_not_waits_for_the_next_period() -> None:
    quota = Quota(10, DAY)
    quota.require_room(7, 3, NOON)
    with pytest.raises(QuotaReached) as reached:
        quota.require_room(7, 4, NOON)
    assert (reached.value.left, reached.value.retry_after) == (3, timedelta(hours=11, minutes=30))
    with pytest.raises(QuotaReached) as reached:
        quota.require_room(12, 1, NOON)
    assert reached.value.left == 0


def test_without_a_limit_everything_fits() -> None:
    Quota(0, DAY).require_room(10**6, 10**6, NOON)
    require_room_in_conversation(0, 10**6)


def test_a_party_that_has_written_its_messages_writes_no_more() -> None:
    require_room_in_conversation(200, 199)
    with pytest.raises(NotAllowed, match="200"):
        require_room_in_conversation(200, 200)
