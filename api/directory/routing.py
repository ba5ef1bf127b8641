"""`/v1.0/routing-rules`: which of Microsoft's seller teams an invitation goes to (P3, V6)."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from api.common.request_parts import Words
from api.http.body import Body, Required, read, unless_below
from api.http.etags import etag_of, require_version
from api.http.fields import Code, Country, Email, Name
from api.http.operation import operation
from api.http.problems import Forbidden, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_manage_routing, may_read_routing
from shared.domain.refusals import Fault, Invalid
from shared.domain.routing import RoutingRule, RoutingTable, SellerTeam, evaluate_rules, route
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreConflict

ROUTE = "v1.0/routing-rules"
MOST_TEAMS, MOST_MEMBERS, MOST_RULES = 100, 200, 500

Countries = Annotated[tuple[Country, ...], Field(max_length=300)]


class SellerTeamBody(Body):
    id: Annotated[Code | None, Required()] = None
    name: Annotated[Name | None, Required()] = None
    members: Annotated[tuple[Email, ...] | None, Field(max_length=MOST_MEMBERS)] = None


class RoutingRuleBody(Body):
    id: Annotated[Code | None, Required()] = None
    team: Annotated[Code | None, Required()] = None
    countries: Countries | None = None
    industries: Words | None = None


class RoutingBody(Body):
    """`PUT /v1.0/routing-rules`: the first rule that fits wins, else the default team."""

    ignored: ClassVar[frozenset[str]] = frozenset({"eTag"})
    teams: Annotated[tuple[SellerTeamBody, ...] | None, Field(max_length=MOST_TEAMS), Required()] = None
    rules: Annotated[tuple[RoutingRuleBody, ...] | None, Field(max_length=MOST_RULES)] = None
    default_team: Annotated[Code | None, Required()] = None

    def faults(self, sellers: Collection[str]) -> Iterator[Fault]:
        """Ids are told apart, teams exist, and members are sellers. `sellers` are case-folded addresses."""
        teams, rules = self.teams or (), self.rules or ()
        yield from _repeated([team.id for team in teams], "/teams")
        yield from _repeated([rule.id for rule in rules], "/rules")
        known = {team.id for team in teams}
        for index, rule in enumerate(rules):
            if rule.team and rule.team not in known:
                yield Fault("notInCatalogue", f"/rules/{index}/team", "Name one of the teams of this table.")
        if self.default_team and self.default_team not in known:
            yield Fault("notInCatalogue", "/defaultTeam", "Name one of the teams of this table.")
        for number, team in enumerate(teams):
            for index, member in enumerate(team.members or ()):
                if member.casefold() not in sellers:
                    at = f"/teams/{number}/members/{index}"
                    yield Fault("notInCatalogue", at, "Name sellers of Microsoft's directory by their email.")

    def table(self, version: int) -> RoutingTable:
        """The table; to be asked of a body without faults."""
        return RoutingTable(
            teams=tuple(
                SellerTeam(id=each.id or "", name=each.name or "", members=each.members or ())
                for each in self.teams or ()
            ),
            rules=tuple(
                RoutingRule(
                    id=each.id or "",
                    team=each.team or "",
                    countries=each.countries or (),
                    industries=each.industries or (),
                )
                for each in self.rules or ()
            ),
            default_team=self.default_team,
            version=version,
        )


class EvaluationBody(Body):
    """`POST /v1.0/routing-rules/evaluate`: a customer, and if it is to be tried, a table that is not stored yet."""

    country: Annotated[Country | None, Required()] = None
    industries: Words | None = None
    table: RoutingBody | None = None


class SellerTeamView(View):
    id: str
    name: str
    members: list[str]


class RoutingRuleView(View):
    id: str
    team: str
    countries: list[str]
    industries: list[str]


class RoutingView(View):
    teams: list[SellerTeamView]
    rules: list[RoutingRuleView]
    default_team: str | None
    e_tag: Annotated[str, Field(alias="eTag")]


class ConsideredView(View):
    rule: str
    fits: bool
    why: str


class EvaluationView(View):
    """Where an invitation would go: the team, by which rule (null: by default), and what was thought of each rule."""

    team: str | None
    team_name: str | None
    rule: str | None
    explanation: str
    considered: list[ConsideredView]


@operation("GET", ROUTE, returns=RoutingView, errors=(403,))
async def get_routing_rules(request: Request) -> Response:
    """The routing table, with its ETag."""
    _require_reader(request)
    return _response(await request.service.routing.get())


@operation(
    "PUT",
    ROUTE,
    body=RoutingBody,
    returns=RoutingView,
    errors=(400, 403, 412, 413, 415, 422, 428),
    headers=("If-Match",),
)
async def put_routing_rules(request: Request) -> Response:
    """Replace the routing table that `If-Match` names."""
    if not may_manage_routing(request.caller):
        raise Forbidden("Microsoft's routing admins keep the routing table.")
    before = await request.service.routing.get()
    require_version(request, etag_of(before.version) if before.version else None, "routing table")
    reading = read(RoutingBody, request.body)
    rules = reading.body.faults(await _sellers(request))
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults)
    after = reading.body.table(before.version + 1)
    try:
        await request.service.routing.put(after)
    except StoreConflict as changed:
        raise PreconditionFailed(etag_of((await request.service.routing.get()).version)) from changed
    return _response(after)


@operation(
    "POST", f"{ROUTE}/evaluate", body=EvaluationBody, returns=EvaluationView, errors=(400, 403, 413, 415, 422)
)
async def evaluate_routing_rules(request: Request) -> Response:
    """A dry run: which rule wins for a customer, and why. Nothing is stored or sent."""
    reading = read(EvaluationBody, request.body)
    _require_reader(request)
    body = reading.body
    faults = (*reading.faults, *unless_below(await _faults_of_tried(request, body), reading.faults))
    if faults:
        raise Invalid(faults)
    table = body.table.table(0) if body.table else await request.service.routing.get()
    country, industries = body.country or "", body.industries or ()
    routed = route(table, country, industries)
    return Response(
        body=EvaluationView(
            team=routed.team if routed else None,
            team_name=routed.team_name if routed else None,
            rule=routed.rule if routed else None,
            explanation=_explanation(table, country, industries),
            considered=[
                ConsideredView(rule=each.rule.id, fits=each.fits, why=each.why)
                for each in evaluate_rules(table, country, industries)
            ],
        )
    )


async def _faults_of_tried(request: Request, body: EvaluationBody) -> list[Fault]:
    """What a PUT would refuse in the table that is sent along: a dry run promises nothing that is refused later."""
    if body.table is None:
        return []
    found = body.table.faults(await _sellers(request))
    return [replace(fault, target=f"/table{fault.target}") for fault in found]


def _explanation(table: RoutingTable, country: str, industries: tuple[str, ...]) -> str:
    routed = route(table, country, industries)
    if routed is None:
        return "There is no team yet, so every seller is told."
    if routed.rule is None:
        return f"No rule fits, so the default team {routed.team_name} gets it."
    return f"Rule {routed.rule} is the first that fits, so {routed.team_name} gets it."


def _require_reader(request: Request) -> None:
    if not may_read_routing(request.caller):
        raise Forbidden("Only Microsoft's sellers and routing admins see the routing table.")


async def _sellers(request: Request) -> frozenset[str]:
    people = await request.service.directory.people(OrganizationId(MICROSOFT))
    return frozenset(p.email.casefold() for p in people if "MicrosoftSeller" in p.roles)


def _repeated(ids: list[str | None], at: str) -> Iterator[Fault]:
    for index, identifier in enumerate(ids):
        if identifier and identifier in ids[:index]:
            yield Fault("invalidValue", f"{at}/{index}/id", "This id is in the table already.")


def _response(table: RoutingTable) -> Response:
    tag = etag_of(table.version)
    view = RoutingView(
        teams=[SellerTeamView(id=t.id, name=t.name, members=list(t.members)) for t in table.teams],
        rules=[
            RoutingRuleView(id=r.id, team=r.team, countries=list(r.countries), industries=list(r.industries))
            for r in table.rules
        ],
        default_team=table.default_team,
        e_tag=tag,
    )
    return Response(body=view, headers={"ETag": tag})
