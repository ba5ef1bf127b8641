"""Load the directory data that the rules need to decide about a request."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from api.http.fields import currency_decimals
from api.http.request import Request
from shared.domain.catalogue import Catalogue
from shared.domain.change import CommandContext
from shared.domain.directory import CatalogueSolution, Organization
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.ids import ReferralId
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.inviting import InvitationFactory, invited_location
from shared.domain.vocabulary import MICROSOFT, NO_HELP

T = TypeVar("T")


async def load_catalogue(
    request: Request,
    draft: DealDraft,
    invitations: tuple[InvitationDraft, ...] = (),
    solutions: Iterable[str] = (),
    country: str | None = None,
    *,
    invites_microsoft: bool,
) -> Catalogue:
    """The organizations and solutions that a draft, further invitations or `solutions` name, and the routing table.

    Also the profiles of the invited locations; `country` is that of the customer, if the draft does not have it.
    Whether the caller's organization is co-sell ready is looked up only if the request `invites_microsoft`.
    Lists longer than the rules allow (C6) are refused for their length, so their items are not looked up.
    """
    directory = request.service.directory
    invited = (*within_limit(draft.invitations, MAX_INVITATIONS), *within_limit(invitations, MAX_INVITATIONS))
    named = {i.organization_id for i in invited if i.organization_id} | {MICROSOFT}
    lists = (draft.terms.solutions, *(i.terms.solutions for i in invited))
    chosen = {*solutions, *(each for ids in lists for each in within_limit(ids, MAX_SOLUTIONS))}
    organizations = await directory.organizations(named)
    places = _invited_places(invited, organizations, country or draft.customer.address.country)
    routing, profiles = await asyncio.gather(
        request.service.routing.get(), request.service.profiles.get_many(places)
    )
    known = await directory.solutions(s for s in chosen if s)
    return Catalogue(
        creator=request.caller.organization,
        organizations=organizations,
        solutions=known,
        customers=(),
        decimals=currency_decimals(),
        routing=routing,
        profiles=profiles,
        co_sell_ready=not invites_microsoft or await is_co_sell_ready(request, known.values()),
    )


def _invited_places(
    invited: Iterable[InvitationDraft], organizations: Mapping[str, Organization], country: str | None
) -> set[tuple[str, str]]:
    """The organizations and countries of the profiles that say whom the invitations are sent to (M1)."""
    places: set[tuple[str, str]] = set()
    for draft in invited:
        organization = organizations.get(draft.organization_id or "")
        location = invited_location(organization, draft, country) if organization else None
        if organization and location:
            places.add((organization.id, location.country))
    return places


async def is_co_sell_ready(request: Request, known: Iterable[CatalogueSolution] = ()) -> bool:
    """Whether the caller's organization has a co-sell-ready solution in the catalogue (T3).

    Nothing is read if one of the `known` solutions is one, as in most deals.
    """
    own = request.caller.organization
    if any(solution.is_co_sell_ready_of(own.id) for solution in known):
        return True
    return bool(await request.service.directory_search.solutions("MyCompany", own, "", 1))


async def load_new_deal_catalogue(request: Request, draft: DealDraft) -> Catalogue:
    """As `load_catalogue` for a new deal, with the directory's candidates for its customer (C7)."""
    customer = draft.customer
    entities = await request.service.directory.customers(
        customer.name or "", customer.address.country or "", customer.duns
    )
    invites_microsoft = draft.microsoft_code != NO_HELP
    catalogue = await load_catalogue(request, draft, invites_microsoft=invites_microsoft)
    return replace(catalogue, customers=entities)


def inviter_for(
    request: Request, catalogue: Catalogue, ids: tuple[ReferralId, ...], context: CommandContext
) -> InvitationFactory:
    """What all invitations of a request have in common; `ids` has at least one id for each of them."""
    return InvitationFactory(
        catalogue=catalogue,
        ids=ids,
        now=context.now,
        response_window=request.service.settings.response_window,
    )


def within_limit(items: tuple[T, ...], limit: int) -> tuple[T, ...]:
    """The items whose data the rules need: all, or none of a list that is too long."""
    return items if len(items) <= limit else ()
