"""The shapes of what the registration operations answer (docs/api.md)."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from api.referrals.mapping import amount, field_errors
from api.referrals.schemas import FieldErrorView, Moment, PageView, View
from shared.domain.eligibility import Eligibility, RuleId
from shared.domain.ids import digest
from shared.domain.registration import Registration, RegistrationForm, ReviewRound
from shared.domain.vocabulary import (
    ConsumptionTenant,
    ContractTerm,
    ContractType,
    Deployment,
    RegistrationKind,
    RegistrationStatus,
    ReviewDecision,
)


class ContractView(View):
    value: int | float | None
    currency: str | None
    sign_date_time: Moment | None
    start_date_time: Moment | None
    end_date_time: Moment | None
    term: ContractTerm | None


class RegisteredCustomerView(View):
    name: str | None
    country: str | None
    city: str | None
    state: str | None


class RegistrationContactView(View):
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    email: str | None


class FormView(View):
    """What is registered (G3)."""

    contract_type: ContractType | None
    contract: ContractView
    solution_value: int | float | None
    deployed_on: Deployment | None
    consumption_tenant: ConsumptionTenant | None
    customer: RegisteredCustomerView
    contact: RegistrationContactView
    contract_names_partner_and_solution: bool


class ReviewRoundView(View):
    """One round, with the form as it was handed in; a reviewer's name is Microsoft's own to see."""

    number: int
    form: FormView
    submitted_date_time: Moment
    decision: ReviewDecision | None
    decided_date_time: Moment | None
    reviewer: str | None
    reason: str | None
    errors: list[FieldErrorView]


class RegistrationView(FormView):
    """One record of a registration."""

    id: str
    kind: RegistrationKind
    status: RegistrationStatus
    closed: bool
    errors: list[FieldErrorView]
    e_tag: Annotated[str, Field(alias="eTag")]
    referral_id: str | None
    organization_id: str
    organization_name: str
    deal_name: str
    solution_id: str
    solution_name: str
    assigned_to: str | None
    rounds: list[ReviewRoundView]
    submitted_date_time: Moment | None
    created_date_time: Moment
    updated_date_time: Moment


class RegistrationsView(View):
    value: list[RegistrationView]


class RegistrationsPage(PageView):
    value: list[RegistrationView]


class RuleView(View):
    id: RuleId
    passed: bool
    explanation: str


class RegistrableView(View):
    """What can be registered: the solution, the records that come of it, and what its form begins with."""

    solution_id: str
    solution_name: str
    kinds: list[RegistrationKind]
    customer: RegisteredCustomerView


class EligibilityView(View):
    eligible: bool
    rules: list[RuleView]
    warnings: list[Literal["privateNotRegistrable"]]
    registrable: list[RegistrableView]


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
        **dict(_form(registration.as_submitted if to_microsoft else registration.form)),
        id=registration.id,
        kind=registration.kind,
        status=registration.status,
        closed=registration.closed,
        errors=field_errors(registration.errors),
        e_tag=registration_tag(registration, given_to),
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


def registration_tag(registration: Registration, assigned_to: str | None) -> str:
    """A record's ETag, quotes included; reviewers' covers whom it was given to, which its partner does not see."""
    given = f".{digest(assigned_to)[:8]}" if assigned_to else ""
    return f'"{registration.version}{given}"'


def latest_of(registration: Registration) -> tuple[ReviewRound, ...]:
    """The rounds that lists show: the latest alone."""
    return (registration.latest,) if registration.latest else ()


def rules_of(found: Eligibility) -> list[RuleView]:
    """The conditions of an eligibility."""
    return [RuleView(id=rule.id, passed=rule.passed, explanation=rule.explanation) for rule in found.rules]


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
        customer=RegisteredCustomerView(
            name=form.customer.name,
            country=form.customer.country,
            city=form.customer.city,
            state=form.customer.state,
        ),
        contact=RegistrationContactView(
            first_name=form.contact.first_name,
            last_name=form.contact.last_name,
            phone_number=form.contact.phone_number,
            email=form.contact.email,
        ),
        contract_names_partner_and_solution=form.contract_names_both,
    )
