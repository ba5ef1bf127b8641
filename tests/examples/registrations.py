"""Registrations to start a test from."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.ids import OrganizationId, RegistrationId
from shared.domain.registration import (
    Contract,
    FieldError,
    RegisteredCustomer,
    Registration,
    RegistrationContact,
    RegistrationForm,
    Verdict,
    review,
    submit,
)
from tests.examples.referrals import CREATOR, NOW

CONTRACT = Contract(
    value=Decimal(250000),
    currency="USD",
    signed_at=NOW - timedelta(days=20),
    starts_at=NOW + timedelta(days=10),
    ends_at=NOW + timedelta(days=375),
    term="Finite",
)
FORM = RegistrationForm(
    solution_id="S",
    contract_type="New",
    contract=CONTRACT,
    solution_value=Decimal(200000),
    deployed_on="Azure",
    consumption_tenant="Customer",
    customer=RegisteredCustomer(name="Relecloud", country="US"),
    contact=RegistrationContact(
        first_name="Rae", last_name="Rivers", phone_number="+1 206 555 0102", email="rae@contoso.com"
    ),
    contract_names_both=True,
)
"""A form without faults, dates around the tests' present."""
ASKED = (FieldError(target="/contract/value", message="The contract says another value."),)
APPROVAL = Verdict(decision="approve", reviewer="Dee")
REJECTION = Verdict(decision="reject", reviewer="Dee", reason="The contract names no solution.")
REQUEST = Verdict(decision="requestAction", reviewer="Dee", errors=ASKED)


def with_contract(**changes: Any) -> RegistrationForm:
    """The form with another contract."""
    return replace(FORM, contract=replace(CONTRACT, **changes))


def draft(**changes: Any) -> Registration:
    """A record as a request makes it, before it is submitted or saved: version 0."""
    values: dict[str, Any] = {
        "id": RegistrationId("00000000-0000-7000-8000-000000000001"),
        "kind": "IpCoSell",
        "organization_id": OrganizationId("contoso"),
        "organization_name": "Contoso",
        "referral": CREATOR,
        "deal_name": "Relecloud ERP",
        "solution_id": "S",
        "solution_name": "Solution",
        "form": FORM,
        "status": "Draft",
        "created_at": NOW,
        "updated_at": NOW,
        "version": 0,
    }
    return Registration(**(values | changes))


def in_review(at: datetime = NOW, **changes: Any) -> Registration:
    """A record that waits for its first review since `at`."""
    return submit(draft(**changes), FORM, at)


def sent_back(at: datetime = NOW, **changes: Any) -> Registration:
    """A record whose correction is asked for since `at`."""
    return review(in_review(at, **changes), REQUEST, at)
