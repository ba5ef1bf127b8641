"""What the forms of a portal look up: customers, partners, solutions, recent contacts (rules P4, T6, C4, V6)."""

from itertools import islice

import azure.durable_functions as df
import azure.functions as func
from pydantic import TypeAdapter, ValidationError

from api.http.etags import refuse_unknown_options
from api.http.fields import Country
from api.http.odata import Order
from api.http.problems import BadQuery, Forbidden
from api.http.request import Answer, Exchange, respond
from api.referrals.list import ranges
from api.referrals.mapping import address, contact
from api.referrals.schemas import AddressView, ContactView, ProfileIdView, View
from shared.domain.directory import CustomerEntity, Organization, normalized_name
from shared.domain.inviting import solution_kind
from shared.domain.permissions import may_use_referrals, reach_of
from shared.domain.referral import Contact
from shared.domain.vocabulary import CustomerSize, SolutionKind
from shared.storage.referral_lists import REFERRALS

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS

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


class LocationFound(View):
    id: str
    name: str
    country: str


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


@blueprint.route("v1.0/customers", methods=["GET"], auth_level=ANONYMOUS)
async def find_customers(req: func.HttpRequest) -> func.HttpResponse:
    """The companies of a country whose names start so, told apart by their D-U-N-S numbers."""
    return await respond(req, customers)


@blueprint.route("v1.0/partners", methods=["GET"], auth_level=ANONYMOUS)
async def find_partners(req: func.HttpRequest) -> func.HttpResponse:
    """The partners that can be invited and whose names start so."""
    return await respond(req, partners)


@blueprint.route("v1.0/solutions", methods=["GET"], auth_level=ANONYMOUS)
async def find_solutions(req: func.HttpRequest) -> func.HttpResponse:
    """The solutions that a deal of the caller's can name, by kind and by the start of the name."""
    return await respond(req, solutions)


@blueprint.route("v1.0/contacts/recent", methods=["GET"], auth_level=ANONYMOUS)
async def find_recent_contacts(req: func.HttpRequest) -> func.HttpResponse:
    """The people of the latest deals that the caller sees, for quick adding (C4)."""
    return await respond(req, recent_contacts)


async def customers(exchange: Exchange) -> Answer:
    """At most 50, in order of name."""
    refuse_unknown_options(exchange.request, frozenset({"country", "name"}))
    country = country_of(exchange.request.params.get("country"))
    start = _start(exchange.request.params.get("name"))
    found = await exchange.service.directory_search.customers(country, start, MOST_FOUND)
    return Answer(body=CustomersFound(value=[_customer(each) for each in found]))


async def partners(exchange: Exchange) -> Answer:
    """At most 50, in order of name: those in the ecosystem and transacting, oneself apart (C3, T3)."""
    refuse_unknown_options(exchange.request, frozenset({"name"}))
    start = _start(exchange.request.params.get("name"))
    own = exchange.caller.organization.id
    found = await exchange.service.directory_search.partners(own, start, MOST_FOUND)
    return Answer(body=PartnersFound(value=[_partner(each) for each in found]))


async def solutions(exchange: Exchange) -> Answer:
    """At most 50, in order of name; without a kind those of every kind (T6)."""
    refuse_unknown_options(exchange.request, frozenset({"kind", "name"}))
    own, start = exchange.caller.organization.id, exchange.request.params.get("name") or ""
    kind = _kind(exchange.request.params.get("kind"))
    found = await exchange.service.directory_search.solutions(kind, own, start, MOST_FOUND)
    return Answer(
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


async def recent_contacts(exchange: Exchange) -> Answer:
    """At most 20 people of the 50 latest deals, those of the newest first, each once (C4)."""
    refuse_unknown_options(exchange.request, frozenset())
    caller = exchange.caller
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    prefixes = ranges(None, Order(), reach_of(caller), caller.person.email)
    scan = exchange.service.referrals.scan(caller.organization.id, prefixes)
    people: dict[str, Contact] = {}
    deals = 0
    async for row in scan.rows(RECENT_DEALS):
        referral = REFERRALS.readable(row)
        if referral and exchange.sees(referral):
            deals += 1
            for member in referral.team:
                people.setdefault(member.email.casefold(), member)
        if deals == RECENT_DEALS or len(people) >= RECENT_CONTACTS:
            break
    latest = islice(people.values(), RECENT_CONTACTS)
    return Answer(body=ContactsFound(value=[contact(each) for each in latest]))


def country_of(code: str | None) -> str:
    """The country that a query names (ISO 3166-1 alpha-2). Raises `BadQuery`."""
    try:
        return TypeAdapter(Country).validate_python((code or "").upper())
    except ValidationError as unknown:
        raise BadQuery("country is an ISO 3166-1 country code, such as US.") from unknown


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
