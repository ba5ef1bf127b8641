"""What a message about a registration tells is what was handed in (rules G5, M4, M7)."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.messages import RegistrationFacts
from shared.domain.registration import NO_CUSTOMER, RegisteredCustomer, Registration, review, submit
from shared.domain.work import Notify
from shared.mail.facts import facts_of
from shared.mail.message_context import MessageContext
from tests.examples.referrals import NOW, creators
from tests.examples.registrations import FORM, REQUEST, draft, in_review, sent_back, with_contract

REVIEWER_MAILS = Notify(
    message="registrationSubmitted", audience="reviewers", registration=draft().id, round=1
)
DEAL = creators()


def scene(registration: Registration) -> MessageContext:
    return MessageContext(subject=DEAL, reader=DEAL, entry=None, registration=registration, round=1)


def test_reviewers_are_told_who_registers_what_and_since_when() -> None:
    registration = sent_back()
    registration = submit(registration, FORM, NOW + timedelta(days=3))
    facts = facts_of(REVIEWER_MAILS, scene(registration), "https://portal.example")
    assert (facts.actor_organization, facts.recipient_organization) == ("Contoso", "Microsoft")
    assert facts.registration == RegistrationFacts(
        solution="Solution", submitted_on=(NOW + timedelta(days=3)).date(), round=2
    )
    assert facts.link == f"https://portal.example/registrations/{registration.id}"


def test_its_partner_is_told_what_the_reviewers_ask_for_and_why() -> None:
    asked = review(in_review(), replace(REQUEST, reason="See section 4."), NOW + timedelta(days=1))
    task = replace(REVIEWER_MAILS, message="actionRequired", audience="registrants")
    facts = facts_of(task, scene(asked), "https://portal.example")
    assert (facts.actor_organization, facts.recipient_organization) == ("Microsoft", "Contoso")
    assert facts.registration
    assert facts.registration.reason == "See section 4."
    assert facts.registration.errors == (("/contract/value", "The contract says another value."),)
    assert facts.link == f"https://portal.example/referrals/{DEAL.id}/registrations/{asked.id}"


def test_reviewers_are_told_of_the_form_handed_in_while_its_partner_corrects_it() -> None:
    registration = replace(in_review(), form=with_contract(value=None, currency="EUR"))
    facts = facts_of(REVIEWER_MAILS, scene(registration), "https://portal.example")
    assert (facts.deal_value, facts.currency) == (FORM.contract.value, "USD")


def test_reviewers_are_told_of_the_customer_that_the_contract_names() -> None:
    renamed = replace(FORM, customer=RegisteredCustomer(name="Relecloud Canada", country="CA"))
    latest = in_review().latest
    assert latest
    registration = replace(in_review(), latest=replace(latest, form=renamed))
    facts = facts_of(REVIEWER_MAILS, scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == ("Relecloud Canada", "CA")


def test_a_form_without_a_customer_leaves_the_deals() -> None:
    registration = draft(form=replace(FORM, customer=NO_CUSTOMER))
    facts = facts_of(REVIEWER_MAILS, scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == (
        DEAL.customer.name,
        DEAL.customer.address.country,
    )
