"""What a message about a registration tells is what was handed in (rules G5, M4, M7)."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from shared.domain.messages import RegistrationFacts
from shared.domain.referral import StatusReason
from shared.domain.registration import NO_CUSTOMER, RegisteredCustomer, Registration, review, submit
from shared.mail.facts import customer_facts, partner_facts
from shared.mail.message_context import MessageContext
from tests.examples.referrals import NOW, contact, creators, referral
from tests.examples.registrations import FORM, REQUEST, draft, in_review, sent_back, with_contract

DEAL = creators()


def scene(registration: Registration) -> MessageContext:
    return MessageContext(subject=DEAL, reader=DEAL, entry=None, registration=registration, round=1)


def test_reviewers_are_told_who_registers_what_and_since_when() -> None:
    registration = sent_back()
    registration = submit(registration, FORM, NOW + timedelta(days=3))
    facts = partner_facts("registrationSubmitted", scene(registration), "https://portal.example")
    assert (facts.actor_organization, facts.recipient_organization) == ("Contoso", "Microsoft")
    assert facts.registration == RegistrationFacts(
        solution="Solution", submitted_on=(NOW + timedelta(days=3)).date(), round=2
    )
    assert facts.link == f"https://portal.example/registrations/{registration.id}"


def test_its_partner_is_told_what_the_reviewers_ask_for_and_why() -> None:
    asked = review(in_review(), replace(REQUEST, reason="See section 4."), NOW + timedelta(days=1))
    facts = partner_facts("actionRequired", scene(asked), "https://portal.example")
    assert (facts.actor_organization, facts.recipient_organization) == ("Microsoft", "Contoso")
    assert facts.registration
    assert facts.registration.reason == "See section 4."
    assert facts.registration.errors == (("/contract/value", "The contract says another value."),)
    assert facts.link == f"https://portal.example/referrals/{DEAL.id}/registrations/{asked.id}"


def test_reviewers_are_told_of_the_form_handed_in_while_its_partner_corrects_it() -> None:
    registration = replace(in_review(), form=with_contract(value=None, currency="EUR"))
    facts = partner_facts("registrationSubmitted", scene(registration), "https://portal.example")
    assert (facts.deal_value, facts.currency) == (FORM.contract.value, "USD")


def test_reviewers_are_told_of_the_customer_that_the_contract_names() -> None:
    renamed = replace(FORM, customer=RegisteredCustomer(name="Relecloud Canada", country="CA"))
    latest = in_review().latest
    assert latest
    registration = replace(in_review(), latest=replace(latest, form=renamed))
    facts = partner_facts("registrationSubmitted", scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == ("Relecloud Canada", "CA")


def test_a_form_without_a_customer_leaves_the_deals() -> None:
    registration = draft(form=replace(FORM, customer=NO_CUSTOMER))
    facts = partner_facts("registrationSubmitted", scene(registration), "https://portal.example")
    assert (facts.customer_name, facts.customer_country) == (
        DEAL.customer.name,
        DEAL.customer.address.country,
    )


def test_a_customer_is_told_nothing_that_the_request_or_the_answer_contains() -> None:
    """M7: the facts of the mail are the same, whatever is typed."""
    lead = referral(deal_type="Lead")
    hostile = replace(
        lead,
        name="You have won",
        notes="You have won",
        customer=replace(lead.customer, name="You have won", team=(contact("you-have-won@example.com"),)),
        invite_context=replace(lead.invite_context, notes="You have won"),
        industries=("You have won",),
        products=("You have won",),
        services=("You have won",),
        status_reason=StatusReason(code="Other", notes="You have won"),
    )
    facts = customer_facts("customerDeclined", hostile, ("Litware",))
    assert facts == customer_facts("customerDeclined", lead, ("Litware",))
    assert facts.fact.company == lead.organization_name
    assert facts.fact.requested_on == NOW.date()


def test_the_day_of_a_request_is_that_of_utc() -> None:
    seoul = timezone(timedelta(hours=9))
    lead = replace(referral(), created_at=datetime(2026, 12, 1, 3, tzinfo=seoul))
    assert customer_facts("customerExpired", lead).fact.requested_on == date(2026, 11, 30)


def test_the_inviter_is_told_who_accepted() -> None:
    """L2, M2: the team of the party that accepted, and of nobody else."""
    team = (contact("kim@fabrikam.com", first_name="Kim", last_name="Han"),)
    accepted = referral(status="Active", substatus="Accepted", team=team)
    scene = MessageContext(subject=accepted, reader=creators(), entry=None)
    told = partner_facts("accepted", scene, "https://portal.example")
    assert [(each.first_name, each.last_name, each.email) for each in told.team] == [
        ("Kim", "Han", "kim@fabrikam.com")
    ]
    assert partner_facts("won", scene, "https://portal.example").team == ()
