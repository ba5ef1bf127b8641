"""`/v1.0/organizations/{id}/stage-map`: an organization's own names of sales stages (S3, V6)."""

from dataclasses import replace
from typing import Annotated, Literal

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from api.directory.organizations import require_configurer, require_reader, version_tag
from api.http.body import Body, Required, read, unless_below
from api.http.etags import matches
from api.http.fields import Name
from api.http.problems import Modified
from api.http.request import Answer, Exchange, respond
from api.referrals.schemas import View
from shared.domain.directory import normalized_name
from shared.domain.refusals import Fault, Invalid
from shared.domain.stage_map import NamedStage, StageMap
from shared.domain.vocabulary import SalesStage
from shared.errors import StoreConflict

blueprint = df.Blueprint()
ROUTE = "v1.0/organizations/{id}/stage-map"
MOST_NAMES = 100

MappedStage = Literal[
    "Created",
    "Accepted",
    "Qualified",
    "Developed",
    "Proposed",
    "Negotiated",
    "SecureCustomerLoe",
    "CollectData",
    "PrepareAssessmentReport",
    "PresentToCustomer",
]
"""The stages that a name can stand for: all but Won, which the outcome alone gives (S1)."""


class NamedStageBody(Body):
    name: Annotated[Name | None, Required()] = None
    stage: Annotated[MappedStage | None, Required()] = None


class StageMapBody(Body):
    """`PUT …/stage-map`."""

    stages: Annotated[tuple[NamedStageBody, ...] | None, Field(max_length=MOST_NAMES)] = None

    def faults(self) -> tuple[Fault, ...]:
        """Names are told apart whatever their case."""
        names = [normalized_name(each.name or "") for each in self.stages or ()]
        return tuple(
            Fault("invalidValue", f"/stages/{index}/name", "This name is in the table already.")
            for index, name in enumerate(names)
            if name and name in names[:index]
        )


class NamedStageView(View):
    name: str
    stage: SalesStage


class StageMapView(View):
    stages: list[NamedStageView]


@blueprint.route(ROUTE, methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_stage_map(req: func.HttpRequest) -> func.HttpResponse:
    """The table, empty before it was first stored."""
    return await respond(req, shown)


@blueprint.route(ROUTE, methods=["PUT"], auth_level=func.AuthLevel.ANONYMOUS)
async def put_stage_map(req: func.HttpRequest) -> func.HttpResponse:
    """Replace the table; `If-Match` counts when it is sent."""
    return await respond(req, stored)


async def shown(exchange: Exchange) -> Answer:
    """The table for whoever works with the organization's referrals."""
    return _answer(await exchange.service.directory.stage_map(require_reader(exchange)))


async def stored(exchange: Exchange) -> Answer:
    """The new table. Raises `Modified` when it changed meanwhile."""
    document = exchange.json()
    organization = require_configurer(exchange, "the stage map")
    directory = exchange.service.directory
    before = await directory.stage_map(organization)
    header = exchange.header("If-Match")
    if header is not None and not matches(header, version_tag(before.version)):
        raise Modified(version_tag(before.version))
    reading = read(StageMapBody, document)
    faults = (*reading.faults, *unless_below(reading.body.faults(), reading.faults))
    if faults:
        raise Invalid(faults)
    names = tuple(_named(each) for each in reading.body.stages or ())
    after = replace(before, stages=names, version=before.version + 1)
    try:
        await directory.put_stage_map(organization, after)
    except StoreConflict as changed:
        raise Modified(version_tag((await directory.stage_map(organization)).version)) from changed
    return _answer(after)


def _answer(stage_map: StageMap) -> Answer:
    stages = [NamedStageView(name=each.name, stage=each.stage) for each in stage_map.stages]
    return Answer(body=StageMapView(stages=stages), headers={"ETag": version_tag(stage_map.version)})


def _named(body: NamedStageBody) -> NamedStage:
    return NamedStage(name=body.name or "", stage=body.stage or "Created")
