"""Look-ups for the forms of a portal: customers, partners, solutions, recent contacts (rules P4, T6, C4, V6)."""

from itertools import islice
from typing import get_args

from api.common.response_parts import AddressView, ContactView, LocationFound, ProfileIdView, team_view
from api.http.operation import operation
from api.http.paging import Option, country_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import normalized_name
from shared.domain.inviting import solution_kind
from shared.domain.listing import Order
from shared.domain.permissions import access_scope, may_use_referrals
from shared.domain.referral import Contact
from shared.domain.vocabulary import CustomerSize, SolutionKind
from shared.storage.list_ranges import ranges

MAX_RESULTS = 50
MIN_NAME_LENGTH = 2
RECENT_DEALS, RECENT_CONTACTS = 50, 20
NAME_START = Option("name", {"type": "string"}, "The start of the name, two letters or more.", required=True)
_KINDS: dict[str, SolutionKind] = {kind.lower(): kind for kind in get_args(SolutionKind)}


class CustomerFound(View):
    name: str
    address: AddressView
    size: CustomerSize | None
    ids: list[ProfileIdView]


class PartnerFound(View):
    id: str
    name: str
    locations: list[LocationFound]


class SolutionFound(View):
    id: str
    name: str
    kind: SolutionKind
    incentives: list[str]


class CustomersFound(View):
    value: list[CustomerFound]


class PartnersFound(View):
    value: list[PartnerFound]


class SolutionsFound(View):
    value: list[SolutionFound]


class ContactsFound(View):
    value: list[ContactView]


@operation(
    "GET",
    "v1.0/customers",
    query=(
        Option("country", {"type": "string"}, "ISO 3166-1 alpha-2.", required=True),
        NAME_START,
    ),
    returns=CustomersFound,
)
async def find_customers(request: Request) -> Response:
    """Find companies of a country by the start of their name.

    Companies of the same name are distinguished by their D-U-N-S numbers.
    """
    country = country_of(request.options.get("country"))
    start = _start(request.options.get("name"))
    found = await request.service.directory_search.customers(country, start, MAX_RESULTS)
    return Response(body=CustomersFound(value=[CustomerFound.from_domain(each) for each in found]))


@operation("GET", "v1.0/partners", query=(NAME_START,), returns=PartnersFound)
async def find_partners(request: Request) -> Response:
    """Find partners that can be invited, by the start of their name."""
    start = _start(request.options.get("name"))
    own = request.caller.organization.id
    found = await request.service.directory_search.partners(own, start, MAX_RESULTS)
    return Response(body=PartnersFound(value=[PartnerFound.from_domain(each) for each in found]))


@operation(
    "GET",
    "v1.0/solutions",
    query=(
        Option("kind", {"type": "string"}, "MyCompany, Microsoft, ThirdParty or SolutionAssessment."),
        Option("name", {"type": "string"}, "The start of the name."),
    ),
    returns=SolutionsFound,
)
async def find_solutions(request: Request) -> Response:
    """Find solutions that a deal of the caller's organization can name, by kind and by the start of the name."""
    own, start = request.caller.organization, request.options.get("name") or ""
    kind = _kind(request.options.get("kind"))
    found = await request.service.directory_search.solutions(kind, own, start, MAX_RESULTS)
    views = [SolutionFound.from_domain(each, kind=solution_kind(each, own.id)) for each in found]
    return Response(body=SolutionsFound(value=views))


@operation("GET", "v1.0/contacts/recent", query=(), returns=ContactsFound)
async def find_recent_contacts(request: Request) -> Response:
    """List the team members of the caller's latest deals, to be added to another team (C4)."""
    caller = request.caller
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    prefixes = ranges(None, Order(), access_scope(caller), caller.email)
    scan = request.service.referrals.scan(caller.organization.id, prefixes)
    people: dict[str, Contact] = {}
    deals = 0
    async for referral in scan.records(RECENT_DEALS):
        if request.sees(referral):
            deals += 1
            for member in referral.team:
                people.setdefault(member.email.casefold(), member)
        if deals == RECENT_DEALS or len(people) >= RECENT_CONTACTS:
            break
    latest = islice(people.values(), RECENT_CONTACTS)
    return Response(body=ContactsFound(value=team_view(latest)))


def _start(name: str | None) -> str:
    if len(normalized_name(name or "")) < MIN_NAME_LENGTH:
        raise BadQuery(f"name is the start of a name, at least {MIN_NAME_LENGTH} letters.")
    return name or ""


def _kind(text: str | None) -> SolutionKind | None:
    if text is None:
        return None
    kind = _KINDS.get(text.lower())
    if kind is None:
        raise BadQuery(f"kind is one of {', '.join(_KINDS.values())}.")
    return kind
