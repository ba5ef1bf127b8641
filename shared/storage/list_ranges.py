"""The key ranges that a list of referrals is read from, by the reader's scope, the order and the filter (N4, V4)."""

from datetime import datetime

from shared.domain.ids import LocationId, ReferralId, inverted
from shared.domain.listing import (
    Condition,
    Field,
    Order,
    Predicate,
    Value,
    conditions_of,
    holds,
    lower_bound,
    required_values,
)
from shared.domain.permissions import AccessScope
from shared.domain.referral import Referral
from shared.storage import keys

MAX_RANGES = 8
_ONLY_TRUE: frozenset[Value] = frozenset({True})
_DIRECTION = {"in": "Incoming", "out": "Outgoing", "lead": "Incoming", "qlead": "Incoming"}
_LEADS: frozenset[keys.Tab] = frozenset({"lead", "qlead"})
_STATUSES = ("New", "Active", "Closed")


def ranges(
    predicate: Predicate | None,
    order: Order,
    scope: AccessScope,
    email: str | None,
    teams: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """The prefixes of the list ranges that together have all results for a reader, in this order (N4).

    `email` is the reader's address, with which referrals name it in a team, or ask it for an answer; `teams` are the
    reader's teams of sellers.
    The filter is also evaluated on every row, so the ranges can have more rows than match, but never fewer.
    """
    if order.field == "updatedDateTime":
        return (keys.UPDATED_LAST,) if order.descending else (keys.UPDATED_FIRST,)
    if not order.descending:
        return (keys.OLDEST,)
    if not scope.everything:
        own = (keys.member_prefix(email),) if email else ()
        return (*(keys.location_prefix(place) for place in sorted(scope.locations)), *own)
    return _narrowed(predicate, teams) or (keys.ALL,)


def ranges_of_new(scope: AccessScope, email: str | None) -> tuple[str, ...]:
    """The prefixes of the list ranges that have all New referrals that a reader sees, newest first (V4).

    The ranges of a reader without the whole organization have others as well.
    """
    if scope.everything:
        tabs: tuple[keys.Tab, ...] = ("in", "lead", "qlead")
        return tuple(keys.tab_prefix(tab, "New") for tab in tabs)
    return ranges(None, Order(), scope, email)


def range_of_member(email: str) -> tuple[str, ...]:
    """The prefix of the list range of the referrals that name a person, by email, newest first."""
    return (keys.member_prefix(email),)


def range_of_location(location_id: LocationId) -> tuple[str, ...]:
    """The prefix of the list range of a location's referrals, newest first."""
    return (keys.location_prefix(location_id),)


def ranges_to_count(predicate: Predicate | None, scope: AccessScope) -> tuple[str, ...] | None:
    """The prefixes of ranges whose rows are the matches, each in one of them, so that counting keys is enough.

    None if the filter needs more than tab and status, or the reader sees only a part of the organization's records.
    """
    if not scope.everything:
        return None
    if predicate is None:
        return (keys.ALL,)
    if not all(map(_is_decided_by_tab, conditions_of(predicate))):
        return None
    places = [(tab, status) for tab in keys.TABS for status in _STATUSES]
    matching = [place for place in places if _holds_in(predicate, *place)]
    if matching == places:
        return (keys.ALL,)
    return tuple(keys.tab_prefix(*place) for place in matching) if len(matching) <= MAX_RANGES else None


def _is_decided_by_tab(condition: Condition) -> bool:
    """Whether tab and status of a referral say whether it meets a condition."""
    asks_for_leads = condition.field == "dealType" and set(condition.values) == {"Lead"}
    return condition.field in {"status", "direction"} or asks_for_leads


def _holds_in(predicate: Predicate, tab: keys.Tab, status: str) -> bool:
    known: dict[Field, Value] = {
        "status": status,
        "direction": _DIRECTION[tab],
        "dealType": "Lead" if tab in _LEADS else None,
    }
    return holds(predicate, lambda field: (known[field],))


def _narrowed(predicate: Predicate | None, own_teams: frozenset[str]) -> tuple[str, ...]:
    """Smaller ranges that the filter allows, if there are at most `MAX_RANGES`; else empty."""
    if predicate is None:
        return ()
    choices: list[tuple[str, ...]] = []
    if (emails := _texts(predicate, "team/email")) is not None:
        choices.append(tuple(keys.member_prefix(email) for email in emails))
    if (places := _texts(predicate, "location")) is not None:
        choices.append(tuple(keys.location_prefix(LocationId(place)) for place in places))
    teams = (
        sorted(own_teams)
        if required_values(predicate, "myTeam") == _ONLY_TRUE
        else _texts(predicate, "sellerTeam")
    )
    if teams is not None:
        choices.append(tuple(keys.seller_team_prefix(team) for team in teams))
    tabs, statuses = _tabs(predicate), _texts(predicate, "status")
    if statuses is not None or len(tabs) < len(keys.TABS):
        choices.append(
            tuple(keys.tab_prefix(tab, status) for tab in tabs for status in statuses or _STATUSES)
        )
    return next((choice for choice in choices if 0 < len(choice) <= MAX_RANGES), ())


def _tabs(predicate: Predicate) -> list[keys.Tab]:
    """The tabs that can have matches (N1)."""
    directions, types = _texts(predicate, "direction"), _texts(predicate, "dealType")
    qualifications = _texts(predicate, "qualification")
    leads_alone, deals_alone = types == ["Lead"], types is not None and "Lead" not in types
    return [
        tab
        for tab in keys.TABS
        if (directions is None or _DIRECTION[tab] in directions)
        and not (leads_alone and tab not in _LEADS)
        and not (tab in _LEADS and (deals_alone or _is_excluded(tab, qualifications)))
    ]


def _is_excluded(tab: keys.Tab, qualifications: list[str] | None) -> bool:
    """Whether no lead of a tab can have one of the qualifications of a filter."""
    if qualifications is None:
        return False
    return "Direct" not in qualifications if tab == "lead" else qualifications == ["Direct"]


def _texts(predicate: Predicate, field: Field) -> list[str] | None:
    """The only texts of a field that can match, sorted; None if others, or null, can match too."""
    values = required_values(predicate, field)
    if values is None or not all(isinstance(value, str) for value in values):
        return None
    return sorted(str(value) for value in values)


def first_place(predicate: Predicate | None, order: Order) -> str | None:
    """The position before which an ascending order has no match; None without a bound."""
    if order.descending or order.field != "updatedDateTime":
        return None
    since = lower_bound(predicate, "updatedDateTime") if predicate else None
    return keys.place_since(since) if since else None


def place_of_age(created_at: datetime) -> str:
    """The position, in the order of the newest first, after which everything was created before a time."""
    return keys.newest_place(created_at)


def place_in_order(referral: Referral, order: Order) -> str:
    """The position of a referral in an order that storage has: the part of its list row's key after the prefix.

    Positions sort as the list does, also where it is descending, and are the same however a referral was read.
    """
    if order.field != "updatedDateTime":
        return place_of_id(referral.id, order)
    if order.descending:
        return keys.updated_last(referral.updated_at, referral.id).removeprefix(keys.UPDATED_LAST)
    return keys.updated_first(referral.updated_at, referral.id).removeprefix(keys.UPDATED_FIRST)


def place_of_id(referral_id: ReferralId, order: Order) -> str:
    """The position of a referral in the order of creation."""
    return inverted(referral_id) if order.descending else referral_id
