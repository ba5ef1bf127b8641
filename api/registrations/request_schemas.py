"""Request models of the registration operations (docs/api.md), and their conversion to forms and verdicts (G)."""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from api.http.body import Body, Required, RequiredOrNull
from api.http.fields import (
    Amount,
    Code,
    Country,
    Currency,
    Email,
    Flag,
    Name,
    OffsetDateTime,
    Phone,
    many_lines,
    one_line,
    text,
)
from api.registrations.schemas import RegistrationView
from shared.domain.directory import normalized_name
from shared.domain.registration import (
    NO_CUSTOMER,
    Contract,
    FieldError,
    RegisteredCustomer,
    RegistrationContact,
    RegistrationForm,
    Verdict,
)
from shared.domain.registration_rules import MAX_ERROR_LENGTH, MAX_ERRORS, MAX_REASON_LENGTH
from shared.domain.vocabulary import ConsumptionTenant, ContractTerm, ContractType, Deployment, ReviewDecision

Reason = Annotated[str, text(MAX_REASON_LENGTH), many_lines]
ErrorMessage = Annotated[str, text(MAX_ERROR_LENGTH), one_line]


class ContractBody(Body):
    value: Amount | None = None
    currency: Currency | None = None
    sign_date_time: OffsetDateTime | None = None
    start_date_time: OffsetDateTime | None = None
    end_date_time: OffsetDateTime | None = None
    term: ContractTerm | None = None

    def contract(self) -> Contract:
        return Contract(
            **self.model_dump(include={"value", "currency", "term"}),
            signed_at=self.sign_date_time,
            starts_at=self.start_date_time,
            ends_at=self.end_date_time,
        )


class RegisteredCustomerBody(Body):
    name: Name | None = None
    country: Country | None = None
    city: Name | None = None
    state: Name | None = None

    def customer(self, before: RegisteredCustomer) -> RegisteredCustomer:
        """The customer with the fields that were sent; null clears a field.

        Fields that were left out keep their values; city and state only if name and country stay the same.
        """
        sent = self.model_dump(exclude_unset=True)
        after = replace(before, **sent)
        if _identity(after) == _identity(before):
            return after
        return replace(after, city=sent.get("city"), state=sent.get("state"))


def _identity(customer: RegisteredCustomer) -> tuple[str, str | None]:
    return normalized_name(customer.name or ""), customer.country


class RegistrationContactBody(Body):
    first_name: Name | None = None
    last_name: Name | None = None
    phone_number: Phone | None = None
    email: Email | None = None


class RegistrationBody(Body):
    """`POST …/registrations` and `PUT …/registrations/{rid}`. With `submit` false a draft is stored, even faulty."""

    response: ClassVar[type[BaseModel]] = RegistrationView
    solution_id: Code | None = None
    contract_type: ContractType | None = None
    contract: ContractBody | None = None
    solution_value: Amount | None = None
    deployed_on: Deployment | None = None
    consumption_tenant: ConsumptionTenant | None = None
    customer: RegisteredCustomerBody | None = None
    contact: RegistrationContactBody | None = None
    contract_names_partner_and_solution: Flag | None = None
    submit: Flag | None = None

    def form(self, prefilled: RegisteredCustomer) -> RegistrationForm:
        """The form; customer fields that were left out are taken from `prefilled`."""
        contract, contact = self.contract or ContractBody(), self.contact or RegistrationContactBody()
        fields = {"solution_id", "contract_type", "solution_value", "deployed_on", "consumption_tenant"}
        return RegistrationForm(
            **self.model_dump(include=fields),
            contract=contract.contract(),
            customer=self._customer(prefilled),
            contact=RegistrationContact(**contact.model_dump()),
            contract_names_both=bool(self.contract_names_partner_and_solution),
        )

    def _customer(self, prefilled: RegisteredCustomer) -> RegisteredCustomer:
        if self.customer:
            return self.customer.customer(prefilled)
        return NO_CUSTOMER if "customer" in self.model_fields_set else prefilled


class FieldErrorBody(Body):
    target: Annotated[Code | None, Required()] = None
    message: Annotated[ErrorMessage | None, Required()] = None


class ReviewBody(Body):
    """`POST …/registrations/{rid}/review` (G5)."""

    decision: Annotated[ReviewDecision | None, Required()] = None
    reason: Reason | None = None
    errors: Annotated[tuple[FieldErrorBody, ...] | None, Field(max_length=MAX_ERRORS)] = None

    def verdict(self, reviewer: str) -> Verdict:
        """The reviewer's verdict; only valid for a body with a decision."""
        return Verdict(
            decision=self.decision or "requestAction",
            reviewer=reviewer,
            reason=self.reason,
            errors=tuple(
                FieldError(target=each.target or "", message=each.message or "") for each in self.errors or ()
            ),
        )


class AssignmentBody(Body):
    """`POST …/registrations/{rid}/assign`; null removes the assignment."""

    email: Annotated[Email | None, RequiredOrNull()] = None
