"""What the registration operations answer (docs/api.md)."""

from typing import Annotated, Literal

from pydantic import Field

from api.common.response_parts import FieldErrorView
from api.http.schemas import Moment, PageView, View
from shared.domain.eligibility import RuleId
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
