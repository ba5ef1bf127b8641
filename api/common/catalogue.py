"""What the directory knows of what a request names, read at once."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from api.http.fields import currency_decimals
from api.http.request import Request
from shared.domain.catalogue import Catalogue
from shared.domain.change import CommandContext
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.ids import ReferralId
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.inviting import InvitationFactory
from shared.domain.vocabulary import MICROSOFT

T = TypeVar("T")


async def catalogue_of(
    request: Request,
    draft: DealDraft,
    invitations: tuple[InvitationDraft, ...] = (),
    solutions: Iterable[str] = (),
) -> Catalogue:
    """The directory's part of a decision about a deal that exists: the draft's fields, invitations, its solutions.

    Lists longer than the rules allow (C6) are refused for their length, so nothing in them is looked up.
    """
    directory = request.service.directory
    invited = (*judged(draft.invitations, MAX_INVITATIONS), *judged(invitations, MAX_INVITATIONS))
    named = {i.organization_id for i in invited if i.organization_id} | {MICROSOFT}
    lists = (draft.terms.solutions, *(i.terms.solutions for i in invited))
    chosen = {*solutions, *(each for named_here in lists for each in judged(named_here, MAX_SOLUTIONS))}
    return Catalogue(
        creator=request.caller.organization,
        organizations=await directory.organizations(named),
        solutions=await directory.solutions(s for s in chosen if s),
        customers=(),
        decimals=currency_decimals(),
        routing=await request.service.routing.get(),
    )


async def catalogue_of_new(request: Request, draft: DealDraft) -> Catalogue:
    """The directory's part of a decision about a new deal, the customer's entities included (C7)."""
    customer = draft.customer
    entities = await request.service.directory.customers(
        customer.name or "", customer.address.country or "", customer.duns
    )
    return replace(await catalogue_of(request, draft), customers=entities)


def inviting_of(
    request: Request, catalogue: Catalogue, ids: tuple[ReferralId, ...], context: CommandContext
) -> InvitationFactory:
    """What all invitations of a request have in common; `ids` are enough for each of them."""
    return InvitationFactory(
        catalogue=catalogue,
        ids=ids,
        now=context.now,
        response_window=request.service.settings.response_window,
    )


def judged(named: tuple[T, ...], most: int) -> tuple[T, ...]:
    """What of a list the rules look at one by one: all of it, or nothing."""
    return named if len(named) <= most else ()
