"""`/v1.0/organizations/{id}/stage-map`: an organization's own names of sales stages (S3, V6)."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from api.directory.organizations import require_configurer, require_reader
from api.http.body import Body, Required, read, unless_below
from api.http.etags import etag_of, refuse_other_version
from api.http.fields import Name
from api.http.operation import SEEING, operation
from api.http.problems import PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import normalized_name
from shared.domain.refusals import Fault, Invalid
from shared.domain.stage_map import NamedStage, StageMap
from shared.domain.vocabulary import SalesStage
from shared.errors import StoreConflict

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


@operation("GET", ROUTE, returns=StageMapView, errors=SEEING)
async def get_stage_map(request: Request) -> Response:
    """The table, empty before it was first stored."""
    return _response(await request.service.directory.stage_map(require_reader(request)))


@operation(
    "PUT",
    ROUTE,
    body=StageMapBody,
    returns=StageMapView,
    errors=(400, 403, 404, 412, 413, 415, 422),
    headers=("If-Match",),
)
async def put_stage_map(request: Request) -> Response:
    """Replace the table; `If-Match` counts when it is sent."""
    organization = require_configurer(request, "the stage map")
    directory = request.service.directory
    before = await directory.stage_map(organization)
    refuse_other_version(request, etag_of(before.version))
    reading = read(StageMapBody, request.body)
    faults = (*reading.faults, *unless_below(reading.body.faults(), reading.faults))
    if faults:
        raise Invalid(faults)
    names = tuple(_named(each) for each in reading.body.stages or ())
    after = replace(before, stages=names, version=before.version + 1)
    try:
        await directory.put_stage_map(organization, after)
    except StoreConflict as changed:
        raise PreconditionFailed(etag_of((await directory.stage_map(organization)).version)) from changed
    return _response(after)


def _response(stage_map: StageMap) -> Response:
    stages = [NamedStageView(name=each.name, stage=each.stage) for each in stage_map.stages]
    return Response(body=StageMapView(stages=stages), headers={"ETag": etag_of(stage_map.version)})


def _named(body: NamedStageBody) -> NamedStage:
    return NamedStage(name=body.name or "", stage=body.stage or "Created")
