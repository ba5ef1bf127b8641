"""Which stage a request means: a standard name, one of the organization's own stage map, or a percentage (S2, S3)."""

from decimal import Decimal
from typing import get_args

from api.http.request import Request
from shared.domain.refusals import Fault, Invalid
from shared.domain.sales_stage import RequestedStage
from shared.domain.vocabulary import SalesStage

_STAGES: dict[str, SalesStage] = {stage.casefold(): stage for stage in get_args(SalesStage)}


async def wanted_stage(
    request: Request, name: str | None, percent: Decimal | None, at: str
) -> RequestedStage:
    """The stage meant. Raises `Invalid` for a name that neither the standard nor the stage map knows."""
    if name is None:
        return RequestedStage(percent=percent)
    if standard := _STAGES.get(name.casefold()):
        return RequestedStage(name=standard)
    stage_map = await request.service.directory.stage_map(request.caller.organization.id)
    mapped = stage_map.stage_of(name)
    if mapped is None:
        known = ", ".join(get_args(SalesStage))
        message = f"Neither the standard stages ({known}) nor your organization's stage map have this name."
        raise Invalid((Fault("notInCatalogue", at, message),))
    return RequestedStage(name=mapped, initial=mapped in {"Created", "Accepted"})
