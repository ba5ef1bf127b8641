"""Response models of the registration operations (docs/api.md)."""

from typing import Annotated

from pydantic import Field

from api.common.response_parts import Amount, FieldErrorView, WarningView
from api.http.schemas import DateTime, PageView, View
from shared.domain.eligibility import RuleId
from shared.domain.registration_actions import RegistrationAction
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
    value: Amount
    currency: str | None
    sign_date_time: DateTime | None
    start_date_time: DateTime | None
    end_date_time: DateTime | None
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
    """The registration form (G3)."""

    contract_type: ContractType | None
    contract: ContractView
    solution_value: Amount
    deployed_on: Deployment | None
    consumption_tenant: ConsumptionTenant | None
    customer: RegisteredCustomerView
    contact: RegistrationContactView
    contract_names_partner_and_solution: bool


class ReviewRoundView(View):
    """A round of the review, with the form as it was submitted; partners do not see the reviewer's name."""

    number: int
    form: FormView
    submitted_date_time: DateTime
    decision: ReviewDecision | None
    decided_date_time: DateTime | None
    recalled_date_time: DateTime | None
    reviewer: str | None
    reason: str | None
    errors: list[FieldErrorView]


class RegistrationView(FormView):
    """A registration of a deal for one kind of incentive."""

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
    allowed_actions: list[RegistrationAction]
    submitted_date_time: DateTime | None
    created_date_time: DateTime
    updated_date_time: DateTime


class RegistrationsView(View):
    value: list[RegistrationView]


class RegistrationsPage(PageView):
    value: list[RegistrationView]


class RuleView(View):
    id: RuleId
    passed: bool
    explanation: str


class RegistrableView(View):
    """A solution that can be registered: the kinds that it lacks, and the customer to prefill the form with."""

    solution_id: str
    solution_name: str
    kinds: list[RegistrationKind]
    customer: RegisteredCustomerView


class EligibilityView(View):
    eligible: bool
    rules: list[RuleView]
    warnings: list[WarningView]
    registrable: list[RegistrableView]
