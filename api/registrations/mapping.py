"""Registrations as their partner and reviewers see them (docs/api.md)."""

from collections.abc import Iterable

from api.common.response_parts import amount, field_errors
from api.http.response import Response
from api.registrations.schemas import (
    ContractView,
    FormView,
    RegisteredCustomerView,
    RegistrationContactView,
    RegistrationsView,
    RegistrationView,
    ReviewRoundView,
    RuleView,
)
from shared.domain.eligibility import Eligibility
from shared.domain.ids import digest
from shared.domain.registration import RegisteredCustomer, Registration, RegistrationForm, ReviewRound


def records(found: Iterable[Registration], status: int = 200) -> Response:
    """Records as a partner sees them."""
    views = [registration_view(each, latest_of(each), to_microsoft=False) for each in found]
    return Response(status=status, body=RegistrationsView(value=views))


def registration_view(
    registration: Registration,
    rounds: Iterable[ReviewRound],
    *,
    to_microsoft: bool,
    assigned_to: str | None = None,
) -> RegistrationView:
    """A record as its partner or a reviewer sees it.

    Who reviews what is Microsoft's own; what is being corrected and was not handed in yet is the partner's.
    """
    given_to = assigned_to if to_microsoft else None
    return RegistrationView(
        **dict(_form(registration.submitted_form if to_microsoft else registration.form)),
        id=registration.id,
        kind=registration.kind,
        status=registration.status,
        closed=registration.closed,
        errors=field_errors(registration.errors),
        e_tag=registration_etag(registration, given_to),
        referral_id=registration.referral.referral_id if registration.referral else None,
        organization_id=registration.organization_id,
        organization_name=registration.organization_name,
        deal_name=registration.deal_name,
        solution_id=registration.solution_id,
        solution_name=registration.solution_name,
        assigned_to=given_to,
        rounds=[_round(each, to_microsoft=to_microsoft) for each in rounds],
        submitted_date_time=registration.submitted_at,
        created_date_time=registration.created_at,
        updated_date_time=registration.updated_at,
    )


def registration_etag(registration: Registration, assigned_to: str | None) -> str:
    """A record's ETag, quotes included; reviewers' covers whom it was given to, which its partner does not see."""
    given = f".{digest(assigned_to)[:8]}" if assigned_to else ""
    return f'"{registration.version}{given}"'


def latest_of(registration: Registration) -> tuple[ReviewRound, ...]:
    """The rounds that lists show: the latest alone."""
    return (registration.latest,) if registration.latest else ()


def rules_of(found: Eligibility) -> list[RuleView]:
    """The conditions of an eligibility."""
    return [RuleView(id=rule.id, passed=rule.passed, explanation=rule.explanation) for rule in found.rules]


def customer_view(customer: RegisteredCustomer) -> RegisteredCustomerView:
    """The customer of a registration."""
    return RegisteredCustomerView(
        name=customer.name, country=customer.country, city=customer.city, state=customer.state
    )


def _round(each: ReviewRound, *, to_microsoft: bool) -> ReviewRoundView:
    return ReviewRoundView(
        number=each.number,
        form=_form(each.form),
        submitted_date_time=each.submitted_at,
        decision=each.decision,
        decided_date_time=each.decided_at,
        reviewer=each.reviewer if to_microsoft else None,
        reason=each.reason,
        errors=field_errors(each.errors),
    )


def _form(form: RegistrationForm) -> FormView:
    contract = form.contract
    return FormView(
        contract_type=form.contract_type,
        contract=ContractView(
            value=amount(contract.value),
            currency=contract.currency,
            sign_date_time=contract.signed_at,
            start_date_time=contract.starts_at,
            end_date_time=contract.ends_at,
            term=contract.term,
        ),
        solution_value=amount(form.solution_value),
        deployed_on=form.deployed_on,
        consumption_tenant=form.consumption_tenant,
        customer=customer_view(form.customer),
        contact=RegistrationContactView(
            first_name=form.contact.first_name,
            last_name=form.contact.last_name,
            phone_number=form.contact.phone_number,
            email=form.contact.email,
        ),
        contract_names_partner_and_solution=form.contract_names_both,
    )
