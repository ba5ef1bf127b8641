"""The sales stages (S1, S2, S5): every stage from every stage, and every percentage."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import ChangeBuilder
from shared.domain.lifecycle import win
from shared.domain.referral import Referral, Solution
from shared.domain.refusals import Invalid, NotAllowed, Refusal
from shared.domain.sales_stage import RequestedStage, apply_stage, has_every_stage, initial_stage, stage_at
from shared.domain.vocabulary import ASSESSMENT_STAGES, STANDARD_STAGES, SalesStage
from tests.examples.referrals import NOW, context, creators, referral

OUTBOUND = creators()
INBOUND = referral(status="Active", substatus="Accepted", sales_stage="Accepted", accepted_at=NOW)
ASSESSMENT = creators(
    deal_type="SolutionAssessment",
    terms=replace(creators().terms, solutions=(Solution(id="A", name="A", kind="SolutionAssessment"),)),
)
STAGES = get_args(SalesStage)


def marked(record: Referral, stage: str) -> str:
    """The stage reached, or how it is refused."""
    try:
        return apply_stage(ChangeBuilder.of(record), RequestedStage(name=stage), "/stage").after.sales_stage
    except Refusal as refused:
        return type(refused).__name__


def at(record: Referral, stage: str) -> Referral:
    return replace(record, sales_stage=stage)


@pytest.mark.parametrize(("here", "there"), list(product(("Created", *STANDARD_STAGES), STAGES)))
def test_a_deal_moves_freely_among_its_stages_and_to_no_other(here: str, there: str) -> None:
    """S1: forwards or backwards; Won comes from the outcome alone."""
    known = ("Created", *STANDARD_STAGES)
    refused = "NotAllowed" if there in ASSESSMENT_STAGES else "Invalid"
    assert marked(at(OUTBOUND, here), there) == (there if there in known else refused)


@pytest.mark.parametrize(("here", "there"), list(product(range(5), range(5))))
def test_an_assessment_is_marked_one_stage_after_the_other(here: int, there: int) -> None:
    """S5: only the next; stepping back is allowed."""
    order = ("Created", *ASSESSMENT_STAGES)
    reached = marked(at(ASSESSMENT, order[here]), order[there])
    assert reached == (order[there] if there <= here + 1 else "NotAllowed")


@pytest.mark.parametrize("stage", STANDARD_STAGES)
def test_an_assessment_has_stages_of_its_own(stage: str) -> None:
    assert marked(ASSESSMENT, stage) == "NotAllowed"


def test_each_side_has_its_own_initial_stage() -> None:
    """C1, L2: Created outbound, Accepted inbound; a stage map knows both as the beginning."""
    assert (initial_stage(OUTBOUND), initial_stage(INBOUND)) == ("Created", "Accepted")
    assert marked(at(OUTBOUND, "Proposed"), "Accepted") == "Invalid"
    assert marked(at(INBOUND, "Proposed"), "Created") == "Invalid"
    assert marked(at(INBOUND, "Proposed"), "Accepted") == "Accepted"
    mapped = RequestedStage(name="Created", initial=True)
    assert (
        apply_stage(ChangeBuilder.of(at(INBOUND, "Proposed")), mapped, "/stage").after.sales_stage
        == "Accepted"
    )


PERCENTAGES = """
0 Created
10 Created
19.99 Created
20 Qualified
39.9 Qualified
40 Developed
55 Developed
60 Proposed
79.999 Proposed
80 Negotiated
99 Negotiated
"""


@pytest.mark.parametrize("line", PERCENTAGES.strip().splitlines())
def test_a_percentage_is_the_greatest_stage_not_above_it(line: str) -> None:
    """S2."""
    percent, stage = line.split()
    wanted = RequestedStage(percent=Decimal(percent))
    moved = apply_stage(ChangeBuilder.of(at(OUTBOUND, "Proposed")), wanted, "/percent")
    assert moved.after.sales_stage == stage
    if stage == "Created":
        assert stage_at(INBOUND, Decimal(percent)) == "Accepted"


@pytest.mark.parametrize(("percent", "word"), [("100", "/win"), ("100.1", "0 to 99"), ("-1", "0 to 99")])
def test_a_hundred_percent_is_the_outcomes_and_beyond_is_nothing(percent: str, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        apply_stage(ChangeBuilder.of(OUTBOUND), RequestedStage(percent=Decimal(percent)), "/percent")
    (fault,) = refused.value.faults
    assert fault.target == "/percent"
    assert word in fault.message


def test_a_mark_is_told_and_the_same_mark_again_is_not() -> None:
    step = apply_stage(ChangeBuilder.of(OUTBOUND), RequestedStage(name="Proposed"), "/stage")
    (told,) = step.entries
    assert (told.kind, told.from_state, told.to_state) == ("stageChanged", "Created", "Proposed")
    same = apply_stage(ChangeBuilder.of(step.after), RequestedStage(name="Proposed"), "/stage")
    assert same.entries == ()


@given(st.lists(st.sampled_from((*ASSESSMENT_STAGES, "Created", "Won", "Qualified")), max_size=20))
def test_no_sequence_of_marks_wins_an_assessment_before_its_stages(marks: list[SalesStage]) -> None:
    """S5, L6."""
    record, farthest = ASSESSMENT, 0
    order = ("Created", *ASSESSMENT_STAGES)
    for stage in marks:
        try:
            record = apply_stage(ChangeBuilder.of(record), RequestedStage(name=stage), "/stage").after
        except Refusal:
            continue
        here = order.index(record.sales_stage)
        assert here <= farthest + 1
        farthest = max(farthest, here)
    assert has_every_stage(record) == (record.sales_stage == "PresentToCustomer")
    if not has_every_stage(record):
        with pytest.raises(NotAllowed):
            win(ChangeBuilder.of(record), None, context())
