"""The state diagrams of docs/domain.md show the transitions that the rules allow, and no other."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, ChangeBuilder
from shared.domain.creation import NewIds, create_deal, receive_invitation
from shared.domain.directory import CatalogueSolution, Location, Organization
from shared.domain.draft import AddressDraft, CustomerDraft, DealDraft, TermsDraft
from shared.domain.ids import EngagementId, LocationId, OrganizationId, ReferralId
from shared.domain.lifecycle import (
    Acceptance,
    ClosingStatement,
    accept,
    decline,
    expire,
    is_overdue,
    lose,
    win,
)
from shared.domain.referral import Referral
from shared.domain.refusals import Refusal
from shared.domain.registration import Registration, recall, require_deletable, review, save, submit
from shared.domain.vocabulary import RegistrationKind, RegistrationStatus, Status, Substatus
from shared.storage.known_referrals import KnownReferrals
from shared.storage.memory_tables import MemoryTables
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on
from tests.examples.referrals import NOW, begun, context, creators, referral
from tests.examples.registrations import APPROVAL, FORM, REJECTION, REQUEST, draft

DOMAIN = (Path(__file__).parents[2] / "docs/domain.md").read_text(encoding="utf-8")
OUTSIDE = "[*]"
"""How a state diagram writes both its beginning and its end."""
ARROW = re.compile(r"^\s*(\S+) --> (\S+?)(?:: (\w+).*)?$", re.MULTILINE)
NAMED = re.compile(r'^\s*state "([^"]+)" as (\w+)$', re.MULTILINE)
LAST_MOMENT = NOW + timedelta(days=14) - timedelta(seconds=1)
DEADLINE = NOW + timedelta(days=14)
STATEMENT = ClosingStatement(reason="Other", notes="Because.")

Arrow = tuple[str, str, str]
"""From a state, by the first word of the arrow's label, to a state."""


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """A state diagram; `names` are the names of states that are not shown by their ids."""

    arrows: frozenset[Arrow]
    ends: frozenset[str]
    names: dict[str, str]


def diagram(text: str) -> Diagram:
    """The first state diagram of a text."""
    _, found, rest = text.partition("```mermaid\nstateDiagram-v2\n")
    assert found
    code = rest.partition("```")[0]
    arrows = ARROW.findall(code)
    assert len(arrows) == code.count("-->")
    return Diagram(
        arrows=frozenset((start, verb, end) for start, end, verb in arrows if end != OUTSIDE),
        ends=frozenset(start for start, end, _ in arrows if end == OUTSIDE),
        names={name: shown for shown, name in NAMED.findall(code)},
    )


def section(heading: str) -> str:
    """The text below a heading of docs/domain.md."""
    _, found, rest = DOMAIN.partition(f"\n## {heading}\n")
    assert found
    return rest.partition("\n## ")[0]


REFERRALS = diagram(section("L: the life of a referral"))
REGISTRATIONS = diagram(section("G: deal registration"))

STATES: dict[Substatus, Status] = {
    "Pending": "New",
    "Accepted": "Active",
    **{substatus: "Closed" for substatus in get_args(Substatus) if substatus not in {"Pending", "Accepted"}},
}
COMMANDS: dict[str, Callable[[Referral], Change]] = {
    "accept": lambda record: accept(record, Acceptance(), context(LAST_MOMENT), creator=creators()),
    "decline": lambda record: decline(record, STATEMENT, context(LAST_MOMENT)),
    "win": lambda record: win(ChangeBuilder.of(record), None, context(LAST_MOMENT)),
    "lose": lambda record: lose(ChangeBuilder.of(record), STATEMENT, context(LAST_MOMENT)),
}


def in_state(substatus: Substatus) -> Referral:
    return referral(status=STATES[substatus], substatus=substatus)


def allowed_commands(record: Referral) -> Iterator[Arrow]:
    """What people may do: each command that the rules do not refuse."""
    for verb, command in COMMANDS.items():
        try:
            after = command(record).after
        except Refusal:
            continue
        yield record.substatus, verb, after.substatus


def expiry(record: Referral) -> Iterator[Arrow]:
    """What the clock does at the deadline (L4)."""
    if is_overdue(record, DEADLINE):
        yield record.substatus, "expire", expire(record, context(DEADLINE)).after.substatus


async def withdrawal(record: Referral) -> Iterator[Arrow]:
    """What becomes of an invitation when its deal is lost (L8)."""
    service = service_on(MemoryTables(), MemoryMailService())
    await service.commits.insert_once([begun(record)])
    lost, known = creators(status="Closed", substatus="Lost"), KnownReferrals(service.referrals)
    withdrawn = await service.invitations.withdraw(record.key, lost, NOW, known)
    return iter([(record.substatus, "withdraw", withdrawn.after.substatus)] if withdrawn else [])


def beginnings() -> Iterator[Arrow]:
    """How a record comes into being (C1, C2, L8)."""
    for deal in (creators(), creators(status="Closed", substatus="Lost")):
        yield OUTSIDE, "receive", receive_invitation(referral(), deal, context()).after.substatus
    yield OUTSIDE, "create", created_deal().substatus


def created_deal() -> Referral:
    place = Location(id=LocationId("seattle"), name="Seattle", country="US")
    contoso = Organization(
        id=OrganizationId("contoso"),
        name="Contoso",
        kind="partner",
        locations=(place,),
        default_location=place.id,
    )
    catalogue = Catalogue(
        creator=contoso,
        organizations={contoso.id: contoso},
        solutions={"S": CatalogueSolution(id="S", name="S", owner=contoso.id, co_sell_ready=True)},
        customers=(),
        decimals={"USD": 2},
    )
    terms = TermsDraft(
        deal_value=Decimal(1000), currency="USD", closing_at=NOW + timedelta(days=90), solutions=("S",)
    )
    private = DealDraft(
        name="Relecloud ERP",
        customer=CustomerDraft(name="Relecloud", address=AddressDraft(country="US")),
        terms=terms,
    )
    ids = NewIds(referral=ReferralId("deal"), engagement=EngagementId("engagement"), invitees=())
    return create_deal(private, catalogue, ids, context(), timedelta(days=14)).after


async def test_the_diagram_of_referrals_shows_every_transition_that_the_rules_allow_and_no_other() -> None:
    allowed = set(beginnings())
    for substatus in STATES:
        record = in_state(substatus)
        allowed |= {*allowed_commands(record), *expiry(record), *await withdrawal(record)}
    assert set(REFERRALS.arrows) == allowed


def test_the_diagram_of_referrals_names_each_state_by_status_and_substatus() -> None:
    assert REFERRALS.names == {substatus: f"{status} / {substatus}" for substatus, status in STATES.items()}


def test_a_command_after_the_deadline_goes_along_the_arrow_of_the_expiry() -> None:
    """L4."""
    late = context(DEADLINE)
    for change in (
        accept(referral(), Acceptance(), late, creator=creators()),
        decline(referral(), STATEMENT, late),
        win(ChangeBuilder.of(referral()), None, late),
        lose(ChangeBuilder.of(referral()), STATEMENT, late),
    ):
        assert change.refusal
        assert ("Pending", "expire", change.after.substatus) in REFERRALS.arrows


ACTIONS: dict[str, Callable[[Registration], Registration]] = {
    "save": lambda record: save(record, FORM, (), NOW),
    "submit": lambda record: submit(record, FORM, NOW),
    "approve": lambda record: review(record, APPROVAL, NOW),
    "reject": lambda record: review(record, REJECTION, NOW),
    "requestAction": lambda record: review(record, REQUEST, NOW),
    "recall": lambda record: recall(record, NOW),
}


def reachable() -> Iterator[Arrow]:
    """Every step of every record that can come of a draft of either kind, the rounds of a review included."""
    for kind in get_args(RegistrationKind):
        begin = draft(kind=kind)
        yield OUTSIDE, "draft", begin.status
        seen: set[RegistrationStatus] = set()
        waiting = [begin]
        while waiting:
            record = waiting.pop()
            if record.status in seen:
                continue
            seen.add(record.status)
            for verb, action in ACTIONS.items():
                try:
                    after = action(record)
                except Refusal:
                    continue
                yield record.status, verb, after.status
                waiting.append(after)


def test_the_diagram_of_registrations_shows_every_transition_that_the_rules_allow_and_no_other() -> None:
    assert set(REGISTRATIONS.arrows) == set(reachable())


def test_each_submission_opens_a_round_as_the_diagram_says() -> None:
    """G5."""
    first = submit(draft(), FORM, NOW)
    second = submit(review(first, REQUEST, NOW), FORM, NOW)
    assert (first.rounds, second.rounds) == (1, 2)
    assert save(review(first, REQUEST, NOW), replace(FORM, solution_value=None), (), NOW).rounds == 1


def deletable() -> set[str]:
    """The statuses in which a registration can be deleted (G4)."""
    found: set[str] = set()
    for status in get_args(RegistrationStatus):
        try:
            require_deletable(draft(status=status))
        except Refusal:
            continue
        found.add(status)
    return found


@pytest.mark.parametrize(
    ("shown", "states", "left"),
    [
        (REFERRALS, get_args(Substatus), set[str]()),
        (REGISTRATIONS, get_args(RegistrationStatus), deletable()),
    ],
    ids=["referrals", "registrations"],
)
def test_a_diagram_shows_every_state_and_ends_where_no_arrow_leads_on_or_a_record_is_deleted(
    shown: Diagram, states: tuple[str, ...], left: set[str]
) -> None:
    assert {end for _, _, end in shown.arrows} == set(states)
    assert shown.ends == left | (set(states) - {start for start, _, _ in shown.arrows})
