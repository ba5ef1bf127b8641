"""Resolve the stage of a request: a standard name, a name of the organization's stage map, or a percentage."""

from decimal import Decimal
from typing import get_args

from api.http.request import Request
from shared.domain.refusals import Fault, Invalid
from shared.domain.sales_stage import RequestedStage
from shared.domain.vocabulary import SalesStage

_STAGES: dict[str, SalesStage] = {stage.casefold(): stage for stage in get_args(SalesStage)}


async def resolve_stage(
    request: Request, name: str | None, percent: Decimal | None, at: str
) -> RequestedStage:
    """The requested stage. Raises `Invalid` for a name that is neither standard nor in the stage map."""
    if name is None:
        return RequestedStage(percent=percent)
    if standard := _STAGES.get(name.casefold()):
        return RequestedStage(name=standard)
    stage_map = await request.service.directory.stage_map(request.caller.organization.id)
    mapped = stage_map.stage_of(name)
    if mapped is None:
        standard_names = ", ".join(get_args(SalesStage))
        message = f"Use a standard stage ({standard_names}) or a name of your organization's stage map."
        raise Invalid((Fault("notInCatalogue", at, message),))
    return RequestedStage(name=mapped, initial=mapped in {"Created", "Accepted"})
