"""Manage an organization's own names of sales stages: `/v1.0/organizations/{id}/stage-map` (S3, V6)."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from api.directory.organizations import ORGANIZATION_ROUTE, require_configurer, require_reader
from api.http.body import Body, Required, read
from api.http.etags import etag_of, refuse_stale_version
from api.http.fields import Name
from api.http.operation import IF_MATCH, operation
from api.http.problems import PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import normalized_name
from shared.domain.refusals import Fault
from shared.domain.stage_map import NamedStage, StageMap
from shared.domain.vocabulary import OpenStage, SalesStage
from shared.errors import StoreConflict

ROUTE = f"{ORGANIZATION_ROUTE}/stage-map"
MAX_NAMES = 100


class NamedStageBody(Body):
    name: Annotated[Name | None, Required()] = None
    stage: Annotated[OpenStage | None, Required()] = None


class StageMapBody(Body):
    """`PUT …/stage-map`."""

    stages: Annotated[tuple[NamedStageBody, ...] | None, Field(max_length=MAX_NAMES)] = None

    def faults(self) -> tuple[Fault, ...]:
        """Names must be unique, case-insensitively."""
        names = [normalized_name(each.name or "") for each in self.stages or ()]
        return tuple(
            Fault("invalidValue", f"/stages/{index}/name", "This name is used already; choose another one.")
            for index, name in enumerate(names)
            if name and name in names[:index]
        )


class NamedStageView(View):
    name: str
    stage: SalesStage


class StageMapView(View):
    stages: list[NamedStageView]


@operation("GET", ROUTE, returns=StageMapView)
async def get_stage_map(request: Request) -> Response:
    """Get the stage map of an organization, with its ETag; it is empty at first."""
    return _response(await request.service.directory.stage_map(require_reader(request)))


@operation("PUT", ROUTE, body=StageMapBody, returns=StageMapView, headers=IF_MATCH)
async def put_stage_map(request: Request) -> Response:
    """Replace the stage map of an organization; `If-Match` is optional."""
    organization = require_configurer(request, "the stage map")
    parsed = read(StageMapBody, request.body)
    directory = request.service.directory
    before = await directory.stage_map(organization)
    refuse_stale_version(request, etag_of(before.version))
    parsed.require_valid(parsed.body.faults())
    names = tuple(NamedStage(**each.model_dump()) for each in parsed.body.stages or ())
    after = replace(before, stages=names, version=before.version + 1)
    try:
        await directory.put_stage_map(organization, after)
    except StoreConflict as changed:
        raise PreconditionFailed(etag_of((await directory.stage_map(organization)).version)) from changed
    return _response(after)


def _response(stage_map: StageMap) -> Response:
    return Response(body=StageMapView.from_domain(stage_map), headers={"ETag": etag_of(stage_map.version)})
