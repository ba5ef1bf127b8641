"""Which key ranges a list of referrals is read from: the reader's reach, the order and the filter say (N4, V4)."""

from shared.domain.ids import LocationId
from shared.domain.listing import Field, Order, Predicate, Value, lower_bound, required_values
from shared.domain.permissions import AccessScope
from shared.domain.referral import Referral
from shared.storage import keys

MAX_RANGES = 8
_LONGEST_KEY = 512
"""Table Storage keeps no longer key, so no row starts with more; asked for in a query's address it is refused."""
_MARKED: frozenset[Value] = frozenset({True})
_DIRECTION = {"in": "Incoming", "out": "Outgoing", "lead": "Incoming", "qlead": "Incoming"}
_LEADS: frozenset[keys.Tab] = frozenset({"lead", "qlead"})
_STATUSES = ("New", "Active", "Closed")


def ranges(
    predicate: Predicate | None,
    order: Order,
    reach: AccessScope,
    email: str,
    teams: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """The list ranges that together hold everything that a reader of this reach can find, in this order (N4).

    The filter is asked of every row besides, so a range may hold more than is wanted, but never less.
    """
    if order.field == "updatedDateTime":
        return (keys.UPDATED_LAST,) if order.descending else (keys.UPDATED_FIRST,)
    if not order.descending:
        return (keys.OLDEST,)
    if not reach.everything:
        own = (keys.member_prefix(email),) if reach.team_locations else ()
        return (*(keys.location_prefix(place) for place in sorted(reach.locations)), *own)
    return _narrowed(predicate, teams) or (keys.ALL,)


def _narrowed(predicate: Predicate | None, own_teams: frozenset[str]) -> tuple[str, ...]:
    """Smaller ranges that a filter's demands leave, if there are few of them."""
    if predicate is None:
        return ()
    choices: list[tuple[str, ...]] = []
    if (emails := _texts(predicate, "team/email")) is not None:
        choices.append(tuple(keys.member_prefix(email) for email in emails))
    if (places := _texts(predicate, "location")) is not None:
        prefixes = [keys.location_prefix(LocationId(place)) for place in places]
        choices.append(tuple(prefix for prefix in prefixes if len(prefix) <= _LONGEST_KEY))
    teams = (
        sorted(own_teams)
        if required_values(predicate, "myTeam") == _MARKED
        else _texts(predicate, "sellerTeam")
    )
    if teams is not None:
        prefixes = [keys.seller_team_prefix(team) for team in teams]
        choices.append(tuple(prefix for prefix in prefixes if len(prefix) <= _LONGEST_KEY))
    tabs, statuses = _tabs(predicate), _texts(predicate, "status")
    if statuses is not None or len(tabs) < len(keys.TABS):
        choices.append(
            tuple(keys.tab_prefix(tab, status) for tab in tabs for status in statuses or _STATUSES)
        )
    return next((choice for choice in choices if 0 < len(choice) <= MAX_RANGES), ())


def _tabs(predicate: Predicate) -> list[keys.Tab]:
    """The tabs that can hold what a filter wants (N1)."""
    directions, types = _texts(predicate, "direction"), _texts(predicate, "dealType")
    qualifications = _texts(predicate, "qualification")
    leads_alone, deals_alone = types == ["Lead"], types is not None and "Lead" not in types
    return [
        tab
        for tab in keys.TABS
        if (directions is None or _DIRECTION[tab] in directions)
        and not (leads_alone and tab not in _LEADS)
        and not (tab in _LEADS and (deals_alone or _is_left_out(tab, qualifications)))
    ]


def _is_left_out(tab: keys.Tab, qualifications: list[str] | None) -> bool:
    """Whether a filter's qualifications are none that a tab of leads holds."""
    if qualifications is None:
        return False
    return "Direct" not in qualifications if tab == "lead" else qualifications == ["Direct"]


def _texts(predicate: Predicate, field: Field) -> list[str] | None:
    """The texts that a filter demands of a field, in order; None if it demands none, or that there is no value."""
    found = required_values(predicate, field)
    if found is None or not all(isinstance(value, str) for value in found):
        return None
    return sorted(str(value) for value in found)


def first_place(predicate: Predicate | None, order: Order) -> str | None:
    """The place before which an ascending order has nothing that the filter wants."""
    if order.descending or order.field != "updatedDateTime":
        return None
    since = lower_bound(predicate, "updatedDateTime") if predicate else None
    return keys.place_since(since) if since else None


def place_in_order(referral: Referral, order: Order) -> str:
    """Where a referral stands in a list of this order: its place in the key of its list row."""
    by_update = order.field == "updatedDateTime"
    return keys.updated_first(referral.updated_at, referral.id) if by_update else referral.id
