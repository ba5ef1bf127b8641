"""`GET /v1.0/providers`: partners that a customer may turn to, for applications that take in leads (P4, V6)."""

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

WORDS = ("industry", "product", "service", "keyword")


class ProviderView(View):
    """A partner that was found, and why it stands where it stands; how fast it answers shows as a band."""

    organization_id: str
    name: str
    locations: list[LocationFound]
    matched: list[str]
    response_speed: ResponseSpeed
    explanation: str


class ProvidersFound(View):
    value: list[ProviderView]


@operation(
    "GET",
    "v1.0/providers",
    query=(
        Option("country", {"type": "string"}, "ISO 3166-1 alpha-2.", required=True),
        *(Option(word, {"type": "string"}, f"One {word} of the profile.") for word in WORDS),
        Option("customerSize", {"enum": list(CUSTOMER_SIZES)}, "Partners that want such customers."),
        TOP,
    ),
    returns=ProvidersFound,
    errors=(400, 403),
)
async def find_providers(request: Request) -> Response:
    """Partners with an active profile in a country that meets every criterion; fast responders come first."""
    options = request.options
    country, size, top = country_of(options.get("country")), _size(request), top_of(request)
    if not may_submit_leads(request.caller):
        raise Forbidden("Only an application that the service's operator entered searches for providers.")
    words = {word: (options.get(word) or "").strip() or None for word in WORDS}
    criteria = Criteria(country=country, customer_size=size, **words)
    providers = await request.service.providers.find(criteria, top, request.now)
    return Response(body=ProvidersFound(value=[_view(each, country) for each in providers]))


def _size(request: Request) -> CustomerSize | None:
    given = request.options.get("customerSize")
    if given is None:
        return None
    known = next((size for size in CUSTOMER_SIZES if size.lower() == given.lower()), None)
    if known is None:
        raise BadQuery(f"customerSize is one of {', '.join(CUSTOMER_SIZES)}.")
    return known


def _view(provider: Provider, country: str) -> ProviderView:
    return ProviderView(
        organization_id=provider.organization_id,
        name=provider.name,
        locations=[LocationFound(id=id_, name=name, country=country) for id_, name in provider.locations],
        matched=list(provider.words),
        response_speed=provider.speed,
        explanation=provider.explanation,
    )
