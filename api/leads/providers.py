"""Search partners that can receive a lead: `GET /v1.0/providers` (P4, V6)."""

from typing import Annotated

from pydantic import Field

from api.common.response_parts import LocationFound
from api.http.operation import operation
from api.http.paging import TOP, Option, country_of, top_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.permissions import may_submit_leads
from shared.domain.providers import Criteria, Provider
from shared.domain.response_speed import ResponseSpeed
from shared.domain.vocabulary import CUSTOMER_SIZES, CustomerSize

CRITERIA = ("industry", "product", "service", "keyword")


class ProviderView(View):
    """A partner that was found, with an explanation of its rank."""

    organization_id: str
    name: str
    locations: list[LocationFound]
    matched: list[str]
    response_speed: Annotated[ResponseSpeed, Field(description="How fast it answers leads.")]
    explanation: str


class ProvidersFound(View):
    value: list[ProviderView]


@operation(
    "GET",
    "v1.0/providers",
    query=(
        Option("country", {"type": "string"}, "ISO 3166-1 alpha-2.", required=True),
        *(Option(name, {"type": "string"}, f"The {name} that the profile must have.") for name in CRITERIA),
        Option("customerSize", {"enum": list(CUSTOMER_SIZES)}, "A size of customers that the partner wants."),
        TOP,
    ),
    returns=ProvidersFound,
)
async def find_providers(request: Request) -> Response:
    """Search partners whose active profile in a country meets all criteria.

    Partners that answer leads fast come first (P4).
    """
    options = request.options
    country, size, top = country_of(options.get("country")), _size(request), top_of(request)
    if not may_submit_leads(request.caller):
        raise Forbidden("Only registered lead applications can search providers; ask the service's operator.")
    words = {name: (options.get(name) or "").strip() or None for name in CRITERIA}
    criteria = Criteria(country=country, customer_size=size, **words)
    providers = await request.service.providers.find(criteria, top, request.now)
    return Response(body=ProvidersFound(value=[_view(each, country) for each in providers]))


def _size(request: Request) -> CustomerSize | None:
    text = request.options.get("customerSize")
    if text is None:
        return None
    size = next((each for each in CUSTOMER_SIZES if each.lower() == text.lower()), None)
    if size is None:
        raise BadQuery(f"customerSize is one of {', '.join(CUSTOMER_SIZES)}.")
    return size


def _view(provider: Provider, country: str) -> ProviderView:
    return ProviderView.from_domain(
        provider,
        locations=[LocationFound(id=id_, name=name, country=country) for id_, name in provider.locations],
        matched=provider.words,
        response_speed=provider.speed,
    )
