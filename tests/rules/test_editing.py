"""The rules of editing (E1, E4, C6): what is judged, what is not, and what an edit leaves behind."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.actions import editable_fields
from shared.domain.change import ChangeBuilder
from shared.domain.draft import ContactDraft, CustomerDraft, DealDraft, TermsDraft
from shared.domain.editing import MAX_REMOVED, apply_draft, apply_edit, faults_of_edit, share_with_microsoft
from shared.domain.referral import Consent, Contact, Referral, Solution
from tests.examples.referrals import NOW, contact, context, creators, invited, referral
from tests.rules.test_creation import CATALOGUE

OLD = NOW + timedelta(days=400)
"""Long after the record's close date."""
DEAL = creators(
    deal_type="Private",
    terms=replace(creators().terms, solutions=(Solution(id="GONE", name="Gone", kind="MyCompany"),)),
    consent=Consent(),
)


def draft_of(record: Referral, **changes: Any) -> DealDraft:
    """The draft that leaves a record as it is, but for these changes."""
    terms = record.terms
    whole: dict[str, Any] = {
        "name": record.name,
        "external_reference_id": record.external_reference_id,
        "campaign_id": record.campaign_id,
        "notes": record.notes,
        "team": tuple(_draft(each) for each in record.team),
        "customer": CustomerDraft(team=tuple(_draft(each) for each in record.customer.team)),
        "consent": record.consent,
        "help_code": record.invite_context.help_code,
        "invite_notes": record.invite_context.notes,
        "terms": TermsDraft(
            deal_value=terms.deal_value,
            currency=terms.currency,
            closing_at=terms.closing_at,
            solutions=tuple(solution.id for solution in terms.solutions),
        ),
    }
    return DealDraft(**{**whole, **changes})


def _draft(person: Contact) -> ContactDraft:
    return ContactDraft(
        first_name=person.first_name,
        last_name=person.last_name,
        phone_number=person.phone_number,
        email=person.email,
    )


def terms(record: Referral, **changes: Any) -> DealDraft:
    return draft_of(record, terms=replace(draft_of(record).terms, **changes))


def faults(record: Referral, draft: DealDraft, now=NOW) -> dict[str, str]:
    return {fault.target: fault.code for fault in faults_of_edit(record, draft, CATALOGUE, now.date())}


def test_what_an_edit_leaves_as_it_was_is_not_judged_again() -> None:
    """C6, E1: the date has passed, the solution has left the catalogue, the currency is no longer used."""
    odd = replace(DEAL, terms=replace(DEAL.terms, currency="DEM"))
    assert faults(odd, draft_of(odd), OLD) == {}
    assert faults(odd, draft_of(odd, name="Renamed", notes=None), OLD) == {}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"deal_value": Decimal("10.005")}, {"/details/dealValue": "invalidValue"}),
        ({"deal_value": Decimal(0)}, {"/details/dealValue": "outOfRange"}),
        ({"currency": "KRW"}, {"/details/dealValue": "invalidValue"}),
        ({"currency": "KRW", "deal_value": Decimal(40000)}, {}),
        ({"currency": "DEM"}, {"/details/currency": "notInCatalogue"}),
        ({"closing_at": NOW - timedelta(days=1)}, {"/details/closingDateTime": "outOfRange"}),
        ({"closing_at": NOW.replace(hour=0)}, {}),
        ({"solutions": ("GONE", "S")}, {}),
        ({"solutions": ("S", "NOWHERE")}, {"/details/requirements/solutions/1/id": "notInCatalogue"}),
        ({"solutions": ("RAW",)}, {"/details/requirements/solutions/0/id": "notAllowed"}),
        ({"solutions": ("S",) * 51}, {"/details/requirements/solutions": "tooLong"}),
    ],
)
def test_what_it_changes_is(changes: dict[str, Any], fault: dict[str, str]) -> None:
    """The value is judged with the currency that it will have."""
    assert faults(DEAL, terms(DEAL, **changes)) == fault


def test_a_team_keeps_a_member_and_gives_up_so_many_at_once() -> None:
    """E1: their list rows share a transaction with the record."""
    many = replace(DEAL, team=tuple(contact(f"p{i}@contoso.com") for i in range(50)))
    team = draft_of(many).team
    assert faults(many, draft_of(many, team=())) == {"/team": "tooLong"}
    assert faults(DEAL, draft_of(DEAL, team=())) == {"/team": "required"}
    assert faults(many, draft_of(many, team=team[:-MAX_REMOVED])) == {}
    assert faults(many, draft_of(many, team=team[: -MAX_REMOVED - 1])) == {"/team": "tooLong"}
    assert faults(DEAL, draft_of(DEAL, team=(*team, team[0]))) == {"/team": "tooLong"}
    without_phone = replace(team[0], phone_number=None)
    assert faults(DEAL, draft_of(DEAL, team=(without_phone,))) == {"/team/0/phoneNumber": "required"}


def test_a_party_that_accepted_without_a_team_may_go_on_without_one() -> None:
    accepted = referral(status="Active", substatus="Accepted", team=())
    assert faults(accepted, draft_of(accepted, name="Ours")) == {}


def test_what_microsoft_was_promised_of_the_customer_stays() -> None:
    """Rules C: and a private deal may know less of it."""
    asked = replace(
        creators(invited=invited(referral(organization_id="msft"))),
        invite_context=replace(DEAL.invite_context, help_code="GeneralOrOther"),
    )
    assert faults(asked, draft_of(asked)) == {}
    assert faults(asked, draft_of(asked, customer=CustomerDraft())) == {"/customerProfile/team": "required"}
    nameless = CustomerDraft(team=(ContactDraft(email="c@example.com"),))
    assert faults(DEAL, draft_of(DEAL, customer=nameless)) == {}
    assert set(faults(asked, draft_of(asked, customer=nameless))) == {
        *(f"/customerProfile/team/0/{name}" for name in ("firstName", "lastName", "phoneNumber")),
    }


def test_an_edit_keeps_solutions_as_they_were_and_takes_new_ones_from_the_catalogue() -> None:
    after = apply_draft(DEAL, terms(DEAL, solutions=("GONE", "S")), CATALOGUE).terms.solutions
    assert [(each.name, each.kind) for each in after] == [("Gone", "MyCompany"), ("S", "MyCompany")]


def test_an_edit_without_a_difference_is_no_step() -> None:
    same = apply_draft(DEAL, draft_of(DEAL), CATALOGUE)
    assert apply_edit(ChangeBuilder.of(DEAL), same).entries == ()
    renamed = apply_edit(ChangeBuilder.of(DEAL), replace(same, name="Renamed")).build(context())
    assert [entry.kind for entry in renamed.entries] == ["edited"]
    assert renamed.entry.changed == ("name",)
    assert (renamed.entry.from_state, renamed.entry.to_state) == (None, None)


def test_the_yes_to_the_second_question_is_told_as_the_change_of_type_that_it_is() -> None:
    """T2, E4."""
    change = share_with_microsoft(ChangeBuilder.of(DEAL)).build(context())
    assert [(e.kind, e.from_state, e.to_state) for e in change.entries] == [
        ("typeChanged", "Private", "PartnerLed")
    ]
    assert change.entry.changed == ("consent.microsoft_may_view", "deal_type")


CREATORS = {"consent.share_contact", "consent.contact"}
ANSWERS = {"consent.microsoft_may_view", "invite_context.help_code", "invite_context.notes"}


@pytest.mark.parametrize(
    ("record", "has", "has_not"),
    [
        (DEAL, CREATORS | ANSWERS | {"terms.solutions", "sales_stage", "customer.team"}, set()),
        (
            replace(DEAL, consent=Consent(share_contact=True, contact=True), invited=invited(referral())),
            set(),
            CREATORS,
        ),
        (replace(DEAL, invited=invited(referral())), CREATORS, set()),
        (replace(DEAL, deal_type="PartnerLed"), {"invite_context.help_code"}, {"consent.microsoft_may_view"}),
        (replace(DEAL, deal_type="CoSell"), CREATORS, {"consent.microsoft_may_view"}),
        (replace(DEAL, deal_type="SolutionAssessment"), {"name"}, ANSWERS | {"terms.solutions"}),
        (
            referral(status="Active", substatus="Accepted"),
            {"name", "terms.deal_value", "terms.solutions", "customer.team"},
            CREATORS | ANSWERS,
        ),
    ],
)
def test_what_can_be_edited_follows_from_the_record(record: Referral, has: set, has_not: set) -> None:
    """E1, E4, T5: consent is given later and not taken back; the answers go upwards; C3 for the invited."""
    fields = editable_fields(record, NOW)
    assert has <= fields
    assert not has_not & fields


@pytest.mark.parametrize("substatus", ["Won", "Lost", "Declined", "Expired"])
def test_nothing_of_a_closed_or_unanswered_referral_can_be_edited(substatus: str) -> None:
    """L5, E1."""
    assert editable_fields(replace(DEAL, status="Closed", substatus=substatus), NOW) == frozenset()
    assert editable_fields(referral(), NOW) == frozenset()
