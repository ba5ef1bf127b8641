"""What the forms of a portal look up: customers, partners, solutions, recent contacts (rules P4, T6, C4, V6)."""

from itertools import islice

from api.common.response_parts import (
    AddressView,
    ContactView,
    LocationFound,
    ProfileIdView,
    address,
    contact,
)
from api.http.operation import operation
from api.http.paging import Option, country_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import CustomerEntity, Organization, normalized_name
from shared.domain.inviting import solution_kind
from shared.domain.listing import Order
from shared.domain.permissions import access_scope, may_use_referrals
from shared.domain.referral import Contact
from shared.domain.vocabulary import CustomerSize, SolutionKind
from shared.storage.list_ranges import ranges

MOST_FOUND = 50
SHORTEST_NAME = 2
RECENT_DEALS, RECENT_CONTACTS = 50, 20
_KINDS: dict[str, SolutionKind] = {
    "mycompany": "MyCompany",
    "microsoft": "Microsoft",
    "thirdparty": "ThirdParty",
    "solutionassessment": "SolutionAssessment",
}


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
        Option("name", {"type": "string"}, "The start of the name, two letters or more.", required=True),
    ),
    returns=CustomersFound,
    errors=(400, 403),
)
async def find_customers(request: Request) -> Response:
    """The companies of a country whose names start so, told apart by their D-U-N-S numbers."""
    country = country_of(request.options.get("country"))
    start = _start(request.options.get("name"))
    found = await request.service.directory_search.customers(country, start, MOST_FOUND)
    return Response(body=CustomersFound(value=[_customer(each) for each in found]))


@operation(
    "GET",
    "v1.0/partners",
    query=(Option("name", {"type": "string"}, "The start of the name, two letters or more.", required=True),),
    returns=PartnersFound,
    errors=(400, 403),
)
async def find_partners(request: Request) -> Response:
    """The partners that can be invited and whose names start so."""
    start = _start(request.options.get("name"))
    own = request.caller.organization.id
    found = await request.service.directory_search.partners(own, start, MOST_FOUND)
    return Response(body=PartnersFound(value=[_partner(each) for each in found]))


@operation(
    "GET",
    "v1.0/solutions",
    query=(
        Option("kind", {"type": "string"}, "MyCompany, Microsoft, ThirdParty or SolutionAssessment."),
        Option("name", {"type": "string"}, "The start of the name."),
    ),
    returns=SolutionsFound,
    errors=(400, 403),
)
async def find_solutions(request: Request) -> Response:
    """The solutions that a deal of the caller's can name, by kind and by the start of the name."""
    own, start = request.caller.organization.id, request.options.get("name") or ""
    kind = _kind(request.options.get("kind"))
    found = await request.service.directory_search.solutions(kind, own, start, MOST_FOUND)
    return Response(
        body=SolutionsFound(
            value=[
                SolutionFound(
                    id=each.id,
                    name=each.name,
                    kind=solution_kind(each, own),
                    incentives=list(each.incentives),
                )
                for each in found
            ]
        )
    )


@operation("GET", "v1.0/contacts/recent", query=(), returns=ContactsFound, errors=(400, 403))
async def find_recent_contacts(request: Request) -> Response:
    """The people of the latest deals that the caller sees, for quick adding (C4)."""
    caller = request.caller
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    prefixes = ranges(None, Order(), access_scope(caller), caller.person.email)
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
    return Response(body=ContactsFound(value=[contact(each) for each in latest]))


def _start(name: str | None) -> str:
    if len(normalized_name(name or "")) < SHORTEST_NAME:
        raise BadQuery(f"name is the start of a name, at least {SHORTEST_NAME} letters.")
    return name or ""


def _kind(text: str | None) -> SolutionKind | None:
    if text is None:
        return None
    kind = _KINDS.get(text.lower())
    if kind is None:
        raise BadQuery(f"kind is one of {', '.join(_KINDS.values())}.")
    return kind


def _customer(entity: CustomerEntity) -> CustomerFound:
    return CustomerFound(
        name=entity.name,
        address=address(entity.address),
        size=entity.size,
        ids=[ProfileIdView(profile_type=each.profile_type, id=each.id) for each in entity.ids],
    )


def _partner(organization: Organization) -> PartnerFound:
    places = [LocationFound(id=p.id, name=p.name, country=p.country) for p in organization.locations]
    return PartnerFound(id=organization.id, name=organization.name, locations=places)
