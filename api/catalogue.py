"""What the directory knows of what a request names, read at once."""

from collections.abc import Iterable
from dataclasses import replace

from api.exchange import Exchange
from api.fields import currency_decimals
from shared.domain.catalogue import Catalogue
from shared.domain.draft import DealDraft, InvitationDraft
from shared.domain.vocabulary import MICROSOFT


async def catalogue_of(
    exchange: Exchange,
    draft: DealDraft,
    invitations: tuple[InvitationDraft, ...] = (),
    solutions: Iterable[str] = (),
) -> Catalogue:
    """The directory's part of a decision about a deal that exists: the draft's fields, invitations, its solutions."""
    directory = exchange.service.directory
    invited = (*draft.invitations, *invitations)
    named = {i.organization_id for i in invited if i.organization_id} | {MICROSOFT}
    chosen = {*solutions, *draft.terms.solutions, *(s for i in invited for s in i.terms.solutions)}
    return Catalogue(
        creator=exchange.caller.organization,
        organizations=await directory.organizations(named),
        solutions=await directory.solutions(s for s in chosen if s),
        customers=(),
        decimals=currency_decimals(),
        routing=await exchange.service.routing.get(),
    )


async def catalogue_of_new(exchange: Exchange, draft: DealDraft) -> Catalogue:
    """The directory's part of a decision about a new deal, the customer's entities included (C7)."""
    customer = draft.customer
    entities = await exchange.service.directory.customers(
        customer.name or "", customer.address.country or "", customer.duns
    )
    return replace(await catalogue_of(exchange, draft), customers=entities)
