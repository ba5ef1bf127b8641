"""Every code of the API has a name in both languages, so that a new one cannot be forgotten."""

from dataclasses import replace
from typing import get_args

import pytest

from api.directory.reference_data import reference_data
from shared.domain import vocabulary
from shared.domain.actions import allowed_actions
from shared.domain.inquiry import NotDelivered
from shared.domain.referral import Inquiry
from shared.domain.registration_actions import RegistrationAction
from shared.domain.registration_rules import FIELDS
from shared.domain.response_speed import ResponseSpeed
from shared.domain.timeline import EntryKind
from shared.reference.names import LANGUAGES, names
from shared.storage.mail import ARRIVED, DeliveryStatus
from tests.examples.referrals import NOW, creators, referral

LITERALS = {
    "statuses": vocabulary.Status,
    "substatuses": vocabulary.Substatus,
    "dealTypes": vocabulary.DealType,
    "directions": vocabulary.Direction,
    "types": vocabulary.Sharing,
    "qualifications": vocabulary.Qualification,
    "assistanceRequestCodes": vocabulary.HelpCode,
    "closingReasons": vocabulary.ClosingReason,
    "salesStages": vocabulary.SalesStage,
    "customerSizes": vocabulary.CustomerSize,
    "solutionKinds": vocabulary.SolutionKind,
    "registrationKinds": vocabulary.RegistrationKind,
    "contractTypes": vocabulary.ContractType,
    "contractTerms": vocabulary.ContractTerm,
    "deployments": vocabulary.Deployment,
    "consumptionTenants": vocabulary.ConsumptionTenant,
    "reviewDecisions": vocabulary.ReviewDecision,
    "roles": vocabulary.Role,
    "targetTypes": vocabulary.TargetType,
    "timelineKinds": EntryKind,
    "registrationActions": RegistrationAction,
    "contactAlerts": vocabulary.ContactAlert,
    "warnings": vocabulary.WarningCode,
    "responseSpeeds": ResponseSpeed,
    "undeliveredReasons": NotDelivered,
}


@pytest.mark.parametrize("name", LITERALS)
def test_a_list_has_all_its_codes_and_no_other(name: str) -> None:
    assert set(names()[name]) == set(get_args(LITERALS[name]))


def test_every_action_that_can_be_allowed_has_a_name() -> None:
    private, lead = creators(deal_type="Private"), creators(deal_type="Lead")
    asking = replace(
        lead, inquiry=Inquiry(id="q", recipients=(), alternatives=3), customer_requested_contact=True
    )
    possible = {action for record in (referral(), private, asking) for action in allowed_actions(record, NOW)}
    assert possible | {"register"} == set(names()["allowedActions"])  # which depends on who asks


def test_every_failure_that_the_mail_service_reports_has_a_name() -> None:
    reported = set(get_args(DeliveryStatus)) - ARRIVED
    assert set(names()["mailFailures"]) == reported | {"notAcceptedWithinSevenDays"}


def test_every_field_of_a_registration_has_a_name() -> None:
    assert list(names()["registrationFields"]) == list(FIELDS)


def test_every_name_is_there_in_both_languages() -> None:
    for codes in names().values():
        for code, texts in codes.items():
            assert set(texts) == set(LANGUAGES), code
            assert all(text.strip() for text in texts.values()), code


def test_every_list_is_answered() -> None:
    answered = reference_data().document()
    assert set(answered) == {*names(), "currencies", "countries"}
    for name, codes in names().items():
        assert [each["code"] for each in answered[name]] == list(codes)
