"""Read a list of referrals: from ranges of storage, or one by one where search or filter say which (N4, V4)."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from api.http.problems import BadQuery
from api.http.request import Request
from api.referrals.list_query import Query
from api.referrals.mapping import NO_REGISTRATION, RegistrationContext, referral_view
from shared.domain.conversation import unread_messages
from shared.domain.deal_registration import status_of
from shared.domain.eligibility import eligibility, microsoft_participation
from shared.domain.ids import EngagementId, ReferralId, is_uuid
from shared.domain.listing import STORED_ORDERS, ListItem, Order, Value, matches, required_values, sort_key
from shared.domain.permissions import access_scope, may_write_registrations
from shared.domain.referral import Referral, ReferralKey
from shared.domain.search_words import has_words
from shared.storage.list_ranges import (
    MAX_RANGES,
    first_place,
    place_in_order,
    place_of_age,
    place_of_id,
    ranges,
    ranges_to_count,
)
from shared.storage.referral_lists import MAX_PAGE_ROWS, Scan

MAX_COUNT = 5_000
CLOCKS_DIFFER = timedelta(days=1)
"""More than the clocks of two hosts differ, of which one creates a referral and another closes it."""
_MAX_BY_KEY = 1_000
"""How many referrals are read one by one; with more, reading ranges is cheaper."""
_IDS_AT_ONCE = 50
_ONLY_TRUE: frozenset[Value] = frozenset({True})


@dataclass(frozen=True, slots=True)
class Page:
    """A page of referrals; `place` and `skip` are for the next page, `place` is None if there is none."""

    found: list[Referral]
    place: str | None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads the list for one request.

    `favorites` are the caller's, `teams` the caller's teams of sellers. `ids` are those of the referrals that
    `$search` may find, newest first; None without one, and if they are too many.
    """

    request: Request
    query: Query
    favorites: frozenset[ReferralId]
    teams: frozenset[str]
    ids: list[ReferralId] | None

    async def page(self) -> Page:
        """The page: at most `$top` items; fewer if the limits of one request are reached first."""
        query = self.query
        if query.order.field not in STORED_ORDERS:
            return self._slice(await self._read_all())
        if self.ids is not None and query.order.field == "createdDateTime":
            return await self._page_of_ids(self.ids)
        by_key = await self._read_by_key()
        if by_key is not None:
            return self._slice(by_key)
        scan = self._scan(query.order, after=query.after)
        found: list[Referral] = []
        skip, last = query.skip, query.after
        async for referral in self._matching(scan, query.top + skip + 1):
            if skip:
                skip -= 1
            elif len(found) == query.top:
                return Page(found, last)
            else:
                found.append(referral)
            last = scan.place
        return Page(found, None if scan.complete else scan.place, skip)

    async def _page_of_ids(self, ids: Sequence[ReferralId]) -> Page:
        """The page of what a search may have found: as many are read as are shown, and up to `_MAX_BY_KEY`."""
        query, found = self.query, list[Referral]()
        ordered = ids if query.order.descending else list(reversed(ids))
        if (after := query.after) is not None:
            ordered = [each for each in ordered if place_of_id(each, query.order) > after]
        skip, last = query.skip, query.after
        for start in range(0, min(len(ordered), _MAX_BY_KEY), _IDS_AT_ONCE):
            chunk = ordered[start : start + _IDS_AT_ONCE]
            records = {each.id: each for each in await self._get(chunk)}
            for each in chunk:
                record = records.get(each)
                if record and self._wants(record):
                    if skip:
                        skip -= 1
                    elif len(found) == query.top:
                        return Page(found, last)
                    else:
                        found.append(record)
                last = place_of_id(each, query.order)
        return Page(found, last if len(ordered) > _MAX_BY_KEY else None, skip)

    async def _read_all(self) -> list[Referral]:
        """All that match, in an order that storage does not have. Raises `BadQuery` if there are too many (N4)."""
        by_key = await self._read_by_key()
        if by_key is not None:
            return by_key
        scan, found = self._scan(Order()), list[Referral]()
        async for referral in self._matching(scan, MAX_PAGE_ROWS):
            found.append(referral)
        if not await scan.is_at_end():
            raise BadQuery(
                f"$orderby by {self.query.order.field} sorts at most {MAX_COUNT:,} referrals, and there are more to "
                "look through: add a $filter by status, direction, location or team, or order by createdDateTime or "
                "updatedDateTime."
            )
        return self._sorted(found)

    def _sorted(self, found: Iterable[Referral]) -> list[Referral]:
        return sorted(found, key=self._place_of, reverse=self._is_reversed)

    async def count(self) -> dict[str, Any]:
        """The number of all items, up to `MAX_COUNT` and to the limits of one request."""
        by_key = await self._read_by_key()
        if by_key is not None:
            return _count(len(by_key), exact=True)
        return await self._count_keys() or await self._count_referrals()

    async def _count_keys(self) -> dict[str, Any] | None:
        """The count by the keys of the list alone; None if it needs the referrals.

        It does if one of them is so old that its retention period may be over, which its key does not say (N3).
        """
        request, scope = self.request, access_scope(self.request.caller)
        prefixes = None if self.query.search else ranges_to_count(self.query.predicate, scope)
        if prefixes is None:
            return None
        scan = request.service.referrals.scan(request.caller.organization.id, prefixes)
        counted = await scan.count()
        closed_before = request.now - request.service.settings.retention + CLOCKS_DIFFER
        if scan.place and scan.place >= place_of_age(closed_before):
            return None
        return _count(min(counted, MAX_COUNT), exact=scan.complete and counted <= MAX_COUNT)

    async def _count_referrals(self) -> dict[str, Any]:
        scan, counted = self._scan(Order()), 0
        async for _ in self._matching(scan, MAX_PAGE_ROWS):
            if counted == MAX_COUNT:
                return _count(counted, exact=False)
            counted += 1
        return _count(counted, exact=scan.complete)

    def item(self, referral: Referral, marks: Mapping[ReferralId, int]) -> dict[str, Any]:
        """A referral as an item of the list, reduced to the fields of `$select`; `marks` say what was read."""
        view = referral_view(
            referral,
            self.request.now,
            favorite=referral.id in self.favorites,
            unread=unread_messages(referral, marks.get(referral.id, 0)),
            registration=self._registration_context(referral),
        ).document()
        chosen = self.query.select
        return view if chosen is None else {name: view[name] for name in view if name in chosen}

    def _registration_context(self, deal: Referral) -> RegistrationContext:
        """Eligibility as far as this record shows it; for a deal of another creator, `get_referral` reads more."""
        if deal.substatus != "Won" or self.request.caller.organization.kind != "partner":
            return NO_REGISTRATION
        found = eligibility(deal, microsoft_participation(deal, deal))
        allowed = may_write_registrations(self.request.caller)
        return RegistrationContext(eligible=found.eligible, allowed=allowed)

    async def _matching(self, scan: Scan[Referral], first_page: int) -> AsyncIterator[Referral]:
        async for referral in scan.records(first_page):
            if self._wants(referral):
                yield referral

    def _wants(self, referral: Referral) -> bool:
        query, routed = self.query, referral.routed
        if not self.request.sees(referral) or not has_words(referral, query.search):
            return False
        if query.predicate is None:
            return True
        item = ListItem(
            referral=referral,
            now=self.request.now,
            favorite=referral.id in self.favorites,
            my_team=routed is not None and routed.team in self.teams,
            registration_status=(
                self._registration_status(referral) if "registrationStatus" in query.uses else None
            ),
        )
        return matches(query.predicate, item)

    def _registration_status(self, referral: Referral) -> str | None:
        return status_of(referral, eligible=self._registration_context(referral).eligible)

    def _scan(self, order: Order, *, after: str | None = None) -> Scan[Referral]:
        caller, query = self.request.caller, self.query
        return self.request.service.referrals.scan(
            caller.organization.id,
            ranges(query.predicate, order, access_scope(caller), caller.email, self.teams),
            after=after,
            first=first_place(query.predicate, order),
        )

    async def _read_by_key(self) -> list[Referral] | None:
        """All matching referrals, in order, if search or filter determine their keys: of deals, or the favorites."""
        keys = await self._keys()
        if keys is None or len(keys) > _MAX_BY_KEY:
            return None
        found = await self.request.service.referrals.get_many(keys)
        return self._sorted(each for each in found if self._wants(each))

    async def _get(self, ids: Iterable[ReferralId]) -> list[Referral]:
        return await self.request.service.referrals.get_many(map(self._key, ids))

    def _key(self, referral_id: ReferralId) -> ReferralKey:
        organization = self.request.caller.organization.id
        return ReferralKey(organization_id=organization, referral_id=referral_id)

    async def _keys(self) -> list[ReferralKey] | None:
        predicate = self.query.predicate
        if self.ids is not None and len(self.ids) <= _MAX_BY_KEY:
            return list(map(self._key, self.ids))
        if predicate is None:
            return None
        engagements = required_values(predicate, "engagementId")
        if engagements is not None and len(engagements) <= MAX_RANGES:
            return [key for each in engagements for key in await self._keys_of(each)]
        if required_values(predicate, "favorite") == _ONLY_TRUE:
            return list(map(self._key, self.favorites))
        return None

    async def _keys_of(self, engagement_id: object) -> list[ReferralKey]:
        """The keys of the caller's referrals in an engagement; none if it does not exist."""
        identifier = str(engagement_id).lower()
        membership = None
        if is_uuid(identifier):
            membership = await self.request.service.engagements.get(EngagementId(identifier))
        parties = (membership.creator, *membership.invited) if membership else ()
        return [each for each in parties if each.organization_id == self.request.caller.organization.id]

    def _slice(self, found: list[Referral]) -> Page:
        """The page of a list that was read as a whole; positions are those of the sort order."""
        query, after = self.query, self.query.after
        if after is not None:
            places = ((each, self._place_of(each)) for each in found)
            found = [each for each, at in places if (at < after if self._is_reversed else at > after)]
        items = found[query.skip : query.skip + query.top]
        more = len(found) > query.skip + query.top
        return Page(items, self._place_of(items[-1]) if more and items else None)

    @property
    def _is_reversed(self) -> bool:
        """Whether positions sort the other way round: those of storage's own orders never do."""
        return self.query.order.descending and self.query.order.field not in STORED_ORDERS

    def _place_of(self, referral: Referral) -> str:
        order = self.query.order
        if order.field in STORED_ORDERS:
            return place_in_order(referral, order)
        return f"{sort_key(referral, order.field).encode().hex()}-{referral.id}"


def _count(number: int, *, exact: bool) -> dict[str, Any]:
    """The members of the response for a count; one that is not exact is a lower bound."""
    return {"@odata.count": number} | ({} if exact else {"@cosell.countExceeded": True})


async def listing_of(request: Request, query: Query) -> Listing:
    """What a list is read with: the caller's favorites and, if the query asks for them, teams and found words."""
    favorites = await request.service.referrals.favorites(request.caller.member)
    teams, ids = await _own_teams(request, query), await _found_ids(request, query.search)
    return Listing(request, query, favorites, teams, ids)


async def _found_ids(request: Request, search: tuple[str, ...]) -> list[ReferralId] | None:
    """The referrals that may have all words of a search, newest first; None without one, or if all are too common.

    One request for each word, or more for a common one.
    """
    organization_id = request.caller.organization.id
    found = await asyncio.gather(
        *(request.service.referrals.found_by(organization_id, word) for word in search)
    )
    known = [set(ids) for ids in found if ids is not None]
    return sorted(set[ReferralId].intersection(*known), reverse=True) if known else None


async def _own_teams(request: Request, query: Query) -> frozenset[str]:
    """The caller's teams of sellers, read only if the filter uses `myTeam` (P3)."""
    if "myTeam" not in query.uses:
        return frozenset()
    if request.caller.email is None:
        return frozenset()
    table = await request.service.routing.get()
    return frozenset(team.id for team in table.teams_of(request.caller.email))
