"""Manage the rules that route invitations to Microsoft's seller teams: `/v1.0/routing-rules` (P3, V6)."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from api.common.request_parts import Words
from api.http.body import Body, Required, read
from api.http.etags import etag_of, require_version
from api.http.fields import Code, Country, Email, Name
from api.http.operation import IF_MATCH, operation
from api.http.problems import Forbidden, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_manage_routing, may_read_routing
from shared.domain.referral import RoutedTeam
from shared.domain.refusals import Fault
from shared.domain.routing import RoutingRule, RoutingTable, SellerTeam, evaluate_rules, route
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreConflict

ROUTE = "v1.0/routing-rules"
MAX_TEAMS, MAX_MEMBERS, MAX_RULES = 100, 200, 500

Countries = Annotated[tuple[Country, ...], Field(max_length=300)]


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
    """The team that an invitation would go to, the rule that selects it (null: default team), and all rules."""

    team: str | None
    team_name: str | None
    rule: str | None
    explanation: str
    considered: list[ConsideredView]


class SellerTeamBody(Body):
    id: Annotated[Code | None, Required()] = None
    name: Annotated[Name | None, Required()] = None
    members: Annotated[tuple[Email, ...] | None, Field(max_length=MAX_MEMBERS)] = None


class RoutingRuleBody(Body):
    id: Annotated[Code | None, Required()] = None
    team: Annotated[Code | None, Required()] = None
    countries: Countries | None = None
    industries: Words | None = None


class RoutingBody(Body):
    """`PUT /v1.0/routing-rules`. The first matching rule selects the team; without any, the default team is used."""

    response: ClassVar[type[BaseModel]] = RoutingView
    teams: Annotated[tuple[SellerTeamBody, ...] | None, Field(max_length=MAX_TEAMS), Required()] = None
    rules: Annotated[tuple[RoutingRuleBody, ...] | None, Field(max_length=MAX_RULES)] = None
    default_team: Annotated[Code | None, Required()] = None

    def faults(self, sellers: Collection[str]) -> Iterator[Fault]:
        """Ids must be unique, teams must exist, and members be sellers. `sellers` are case-folded addresses."""
        teams, rules = self.teams or (), self.rules or ()
        yield from _repeated([team.id for team in teams], "/teams")
        yield from _repeated([rule.id for rule in rules], "/rules")
        known = {team.id for team in teams}
        for index, rule in enumerate(rules):
            if rule.team and rule.team not in known:
                yield Fault("notInCatalogue", f"/rules/{index}/team", "Use the id of a team of this table.")
        if self.default_team and self.default_team not in known:
            yield Fault("notInCatalogue", "/defaultTeam", "Use the id of a team of this table.")
        for number, team in enumerate(teams):
            for index, member in enumerate(team.members or ()):
                if member.casefold() not in sellers:
                    at = f"/teams/{number}/members/{index}"
                    yield Fault("notInCatalogue", at, "Use the email of a seller in Microsoft's directory.")

    def table(self, version: int) -> RoutingTable:
        """The table; only valid for a body without faults."""
        return RoutingTable(
            teams=tuple(SellerTeam(**team.model_dump(exclude_none=True)) for team in self.teams or ()),
            rules=tuple(RoutingRule(**rule.model_dump(exclude_none=True)) for rule in self.rules or ()),
            default_team=self.default_team,
            version=version,
        )


class EvaluationBody(Body):
    """`POST /v1.0/routing-rules/evaluate`: a customer, and optionally a table to try instead of the stored one."""

    country: Annotated[Country | None, Required()] = None
    industries: Words | None = None
    table: RoutingBody | None = None


@operation("GET", ROUTE, returns=RoutingView)
async def get_routing_rules(request: Request) -> Response:
    """Get the routing table, with its ETag."""
    _require_reader(request)
    return _response(await request.service.routing.get())


@operation("PUT", ROUTE, body=RoutingBody, returns=RoutingView, errors=(428,), headers=IF_MATCH)
async def put_routing_rules(request: Request) -> Response:
    """Replace the routing table; `If-Match` is mandatory once there is one."""
    if not may_manage_routing(request.caller):
        raise Forbidden("Only Microsoft's routing admins can change the routing table.")
    parsed = read(RoutingBody, request.body)
    before = await request.service.routing.get()
    require_version(request, etag_of(before.version) if before.version else None, "routing table")
    parsed.require_valid(parsed.body.faults(await _sellers(request)))
    after = parsed.body.table(before.version + 1)
    try:
        await request.service.routing.put(after)
    except StoreConflict as changed:
        raise PreconditionFailed(etag_of((await request.service.routing.get()).version)) from changed
    return _response(after)


@operation("POST", f"{ROUTE}/evaluate", body=EvaluationBody, returns=EvaluationView)
async def evaluate_routing_rules(request: Request) -> Response:
    """Evaluate the routing table for a customer.

    A dry run: nothing is stored or sent. The response has the selected team and the result of every rule.
    """
    _require_reader(request)
    parsed = read(EvaluationBody, request.body)
    body = parsed.body
    parsed.require_valid(await _faults_of_table(request, body))
    table = body.table.table(0) if body.table else await request.service.routing.get()
    country, industries = body.country or "", body.industries or ()
    routed = route(table, country, industries)
    return Response(
        body=EvaluationView(
            team=routed.team if routed else None,
            team_name=routed.team_name if routed else None,
            rule=routed.rule if routed else None,
            explanation=_explanation(routed),
            considered=[
                ConsideredView.from_domain(each, rule=each.rule.id)
                for each in evaluate_rules(table, country, industries)
            ],
        )
    )


async def _faults_of_table(request: Request, body: EvaluationBody) -> list[Fault]:
    """The faults of the table to try: those for which a PUT of it would be refused."""
    if body.table is None:
        return []
    found = body.table.faults(await _sellers(request))
    return [replace(fault, target=f"/table{fault.target}") for fault in found]


def _explanation(routed: RoutedTeam | None) -> str:
    if routed is None:
        return "There is no team yet, so every seller is told."
    if routed.rule is None:
        return f"No rule fits, so the default team {routed.team_name} gets it."
    return f"Rule {routed.rule} is the first that fits, so {routed.team_name} gets it."


def _require_reader(request: Request) -> None:
    if not may_read_routing(request.caller):
        raise Forbidden("Only Microsoft's sellers and routing admins can see the routing table.")


async def _sellers(request: Request) -> frozenset[str]:
    people = await request.service.directory.people(OrganizationId(MICROSOFT))
    return frozenset(p.email.casefold() for p in people if "MicrosoftSeller" in p.roles)


def _repeated(ids: list[str | None], at: str) -> Iterator[Fault]:
    for index, identifier in enumerate(ids):
        if identifier and identifier in ids[:index]:
            yield Fault("invalidValue", f"{at}/{index}/id", "This id is used already; choose another one.")


def _response(table: RoutingTable) -> Response:
    view = RoutingView.from_domain(table, e_tag=etag_of(table.version))
    return Response(body=view, headers={"ETag": view.e_tag})
