"""What a message about a registration tells is what was handed in (rules G5, M4, M7)."""

from dataclasses import replace

from shared.domain.registration import NO_CUSTOMER, RegisteredCustomer, Registration
from shared.domain.work import Notify
from shared.mail.facts import facts_of
from shared.mail.scene import Scene
from tests.unit.examples import creators
from tests.unit.registration_examples import FORM, draft, in_review, with_contract

TO_REVIEWERS = Notify(message="registrationSubmitted", audience="reviewers", registration=draft().id, round=1)
DEAL = creators()


def scene(registration: Registration) -> Scene:
    return Scene(subject=DEAL, reader=DEAL, entry=None, registration=registration, round=1)


def test_reviewers_are_told_of_the_form_handed_in_while_its_partner_corrects_it() -> None:
    registration = replace(in_review(), form=with_contract(value=None, currency="EUR"))
    facts = facts_of(TO_REVIEWERS, scene(registration), "https://portal.example")
    assert (facts.deal_value, facts.currency) == (FORM.contract.value, "USD")


def test_reviewers_are_told_of_the_customer_that_the_contract_names() -> None:
    renamed = replace(FORM, customer=RegisteredCustomer(name="Relecloud Canada", country="CA"))
    latest = in_review().latest
    assert latest
    registration = replace(in_review(), latest=replace(latest, form=renamed))
    facts = facts_of(TO_REVIEWERS, scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == ("Relecloud Canada", "CA")


def test_a_form_without_a_customer_leaves_the_deals() -> None:
    registration = draft(form=replace(FORM, customer=NO_CUSTOMER))
    facts = facts_of(TO_REVIEWERS, scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == (
        DEAL.customer.name,
        DEAL.customer.address.country,
    )
