"""The sales stages of a referral (rules S)."""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.change import ChangeBuilder, EntryDraft
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid, NotAllowed
from shared.domain.vocabulary import ASSESSMENT_STAGES, STAGE_PERCENTAGES, STANDARD_STAGES, SalesStage

_WIN_INSTEAD = "Only the outcome sets the stage Won: use /win."
_ORDER = " → ".join(ASSESSMENT_STAGES)


@dataclass(frozen=True, slots=True)
class RequestedStage:
    """A stage in a request: by its standard name, or by percent.

    `initial` is set if a stage map resolved the name to Created or Accepted: for a map, both mean the initial stage.
    """

    name: SalesStage | None = None
    percent: Decimal | None = None
    initial: bool = False


def initial_stage(referral: Referral) -> SalesStage:
    """The first stage of a referral (C1, L2)."""
    return "Created" if referral.direction == "Outgoing" else "Accepted"


def stages_of(referral: Referral) -> tuple[SalesStage, ...]:
    """The stages that a request can set on a referral, in order; only the outcome sets Won (S1, S5)."""
    steps = ASSESSMENT_STAGES if referral.deal_type == "SolutionAssessment" else STANDARD_STAGES
    return (initial_stage(referral), *steps)


def stage_at(referral: Referral, percent: Decimal) -> SalesStage:
    """The stage with the highest percentage up to `percent`; the initial stage below 20 (S2)."""
    reached = [stage for stage in stages_of(referral) if STAGE_PERCENTAGES[stage] <= percent]
    return reached[-1] if reached else initial_stage(referral)


def has_every_stage(referral: Referral) -> bool:
    """Whether the referral can be won: an assessment must have its last stage (L6, S5)."""
    return referral.deal_type != "SolutionAssessment" or referral.sales_stage == ASSESSMENT_STAGES[-1]


def apply_stage(builder: ChangeBuilder, requested: RequestedStage, at: str) -> ChangeBuilder:
    """Add the requested stage to a change of an Active referral; add nothing if it has that stage.

    `at` is the JSON Pointer of the stage in the request. Raises `Invalid` for an unknown stage, `NotAllowed` for a
    stage of other deal types or one that an assessment cannot have yet.
    """
    referral = builder.after
    stage = _resolve(referral, requested, at)
    if stage == referral.sales_stage:
        return builder
    _require_order(referral, stage)
    entry = EntryDraft(kind="stageChanged", from_state=referral.sales_stage, to_state=stage)
    return builder.then(entry, sales_stage=stage)


def _resolve(referral: Referral, requested: RequestedStage, at: str) -> SalesStage:
    if requested.percent is not None:
        if not 0 <= requested.percent <= STAGE_PERCENTAGES["Won"]:
            raise Invalid((Fault("outOfRange", at, "Use a percentage from 0 to 99."),))
        if requested.percent == STAGE_PERCENTAGES["Won"]:
            raise Invalid((Fault("invalidValue", at, _WIN_INSTEAD),))
        return stage_at(referral, requested.percent)
    if requested.initial:
        return initial_stage(referral)
    allowed = stages_of(referral)
    if requested.name == "Won":
        raise Invalid((Fault("invalidValue", at, _WIN_INSTEAD),))
    if requested.name in STANDARD_STAGES + ASSESSMENT_STAGES and requested.name not in allowed:
        raise NotAllowed(
            f"A {referral.deal_type} deal has no stage {requested.name}: use one of {', '.join(allowed)}."
        )
    if requested.name is None or requested.name not in allowed:
        raise Invalid((Fault("invalidValue", at, f"Use one of {', '.join(allowed)}."),))
    return requested.name


def _require_order(referral: Referral, stage: SalesStage) -> None:
    """An assessment goes through its stages one by one; going back is always allowed (S5)."""
    if referral.deal_type != "SolutionAssessment":
        return
    order = stages_of(referral)
    current = order.index(referral.sales_stage) if referral.sales_stage in order else 0
    if order.index(stage) > current + 1:
        raise NotAllowed(
            f"Set the stages of an assessment in order ({_ORDER}); the next one is {order[current + 1]}."
        )
