"""The sales stages of a referral (rules S)."""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.change import ChangeBuilder, EntryDraft
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid, NotAllowed
from shared.domain.vocabulary import ASSESSMENT_STAGES, STAGE_PERCENTAGES, STANDARD_STAGES, SalesStage

_WIN_INSTEAD = "The stage Won comes from the outcome: use /win."
_ORDER = " → ".join(ASSESSMENT_STAGES)


@dataclass(frozen=True, slots=True)
class RequestedStage:
    """A stage as asked for: by a standard stage's name, or by percent.

    `initial` is for names that a stage map resolved: to it Created and Accepted are both the initial stage.
    """

    name: SalesStage | None = None
    percent: Decimal | None = None
    initial: bool = False


def initial_stage(referral: Referral) -> SalesStage:
    """The stage that a referral starts to be worked on with (C1, L2)."""
    return "Created" if referral.direction == "Outgoing" else "Accepted"


def stages_of(referral: Referral) -> tuple[SalesStage, ...]:
    """The stages that a referral can be marked with, in order; Won comes from the outcome alone (S1, S5)."""
    steps = ASSESSMENT_STAGES if referral.deal_type == "SolutionAssessment" else STANDARD_STAGES
    return (initial_stage(referral), *steps)


def stage_at(referral: Referral, percent: Decimal) -> SalesStage:
    """The stage with the greatest percentage that is not above a CRM's; below 20 the initial one (S2)."""
    reached = [stage for stage in stages_of(referral) if STAGE_PERCENTAGES[stage] <= percent]
    return reached[-1] if reached else initial_stage(referral)


def has_every_stage(referral: Referral) -> bool:
    """Whether nothing but the outcome is missing: an assessment needs all its stages first (L6, S5)."""
    return referral.deal_type != "SolutionAssessment" or referral.sales_stage == ASSESSMENT_STAGES[-1]


def apply_stage(step: ChangeBuilder, wanted: RequestedStage, at: str) -> ChangeBuilder:
    """The step, and the referral at the wanted stage; nothing more if it is there already.

    To be asked of an Active referral. `at` is where the request names the stage. Raises `Invalid` for a stage
    that no referral like this has, `NotAllowed` for one that an assessment cannot have yet.
    """
    referral = step.after
    stage = _resolved(referral, wanted, at)
    if stage == referral.sales_stage:
        return step
    _require_order(referral, stage)
    entry = EntryDraft(kind="stageChanged", from_state=referral.sales_stage, to_state=stage)
    return step.then(entry, sales_stage=stage)


def _resolved(referral: Referral, wanted: RequestedStage, at: str) -> SalesStage:
    if wanted.percent is not None:
        if not 0 <= wanted.percent <= STAGE_PERCENTAGES["Won"]:
            raise Invalid((Fault("outOfRange", at, "Use a percentage from 0 to 99."),))
        if wanted.percent == STAGE_PERCENTAGES["Won"]:
            raise Invalid((Fault("invalidValue", at, _WIN_INSTEAD),))
        return stage_at(referral, wanted.percent)
    if wanted.initial:
        return initial_stage(referral)
    known = stages_of(referral)
    if wanted.name == "Won":
        raise Invalid((Fault("invalidValue", at, _WIN_INSTEAD),))
    if wanted.name in STANDARD_STAGES + ASSESSMENT_STAGES and wanted.name not in known:
        raise NotAllowed(
            f"A {referral.deal_type} deal has no stage {wanted.name}: use one of {', '.join(known)}."
        )
    if wanted.name is None or wanted.name not in known:
        raise Invalid((Fault("invalidValue", at, f"Use one of {', '.join(known)}."),))
    return wanted.name


def _require_order(referral: Referral, stage: SalesStage) -> None:
    """An assessment's stages are marked one after the other; stepping back is free (S5)."""
    if referral.deal_type != "SolutionAssessment":
        return
    order = stages_of(referral)
    here = order.index(referral.sales_stage) if referral.sales_stage in order else 0
    if order.index(stage) > here + 1:
        raise NotAllowed(
            f"The stages of an assessment are marked in order ({_ORDER}); the next one is {order[here + 1]}."
        )
