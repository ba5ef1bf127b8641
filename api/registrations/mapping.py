"""Build the response models of registrations, as their partner and reviewers see them (docs/api.md)."""

from collections.abc import Iterable

from api.common.response_parts import FieldErrorView
from api.http.response import Response
from api.registrations.schemas import (
    ContractView,
    FormView,
    RegistrationsView,
    RegistrationView,
    ReviewRoundView,
    RuleView,
)
from shared.domain.eligibility import Eligibility
from shared.domain.ids import digest
from shared.domain.permissions import Caller, may_review
from shared.domain.registration import FieldError, Registration, RegistrationForm, ReviewRound
from shared.domain.registration_actions import allowed_actions


def registrations_response(found: Iterable[Registration], caller: Caller, status: int = 200) -> Response:
    """The response with registrations as the caller sees them."""
    views = [registration_view(each, latest_round(each), caller) for each in found]
    return Response(status=status, body=RegistrationsView(value=views))


def registration_view(
    registration: Registration,
    rounds: Iterable[ReviewRound],
    caller: Caller,
    assigned_to: str | None = None,
) -> RegistrationView:
    """A registration as its partner or a reviewer sees it.

    The partner does not see who reviews it; reviewers do not see corrections before they are submitted.
    """
    to_microsoft = may_review(caller)
    reviewer = assigned_to if to_microsoft else None
    form = _form(registration.submitted_form if to_microsoft else registration.form)
    return RegistrationView.from_domain(
        registration,
        **dict(form),
        errors=_errors(registration.errors),
        e_tag=registration_etag(registration, reviewer),
        referral_id=registration.referral.referral_id if registration.referral else None,
        assigned_to=reviewer,
        rounds=[_round(each, to_microsoft=to_microsoft) for each in rounds],
        submitted_date_time=registration.submitted_at,
        allowed_actions=allowed_actions(registration, caller),
        created_date_time=registration.created_at,
        updated_date_time=registration.updated_at,
    )


def registration_etag(registration: Registration, assigned_to: str | None) -> str:
    """A registration's ETag, quotes included; for reviewers it also covers the assignment."""
    assignment = f".{digest(assigned_to)[:8]}" if assigned_to else ""
    return f'"{registration.version}{assignment}"'


def latest_round(registration: Registration) -> tuple[ReviewRound, ...]:
    """The rounds that lists show: only the latest, if there is one."""
    return (registration.latest,) if registration.latest else ()


def rule_views(found: Eligibility) -> list[RuleView]:
    """The conditions of an eligibility."""
    return [RuleView.from_domain(rule) for rule in found.rules]


def _errors(errors: Iterable[FieldError]) -> list[FieldErrorView]:
    return [FieldErrorView.from_domain(each) for each in errors]


def _round(each: ReviewRound, *, to_microsoft: bool) -> ReviewRoundView:
    return ReviewRoundView.from_domain(
        each,
        form=_form(each.form),
        submitted_date_time=each.submitted_at,
        decided_date_time=each.decided_at,
        recalled_date_time=each.recalled_at,
        reviewer=each.reviewer if to_microsoft else None,
        errors=_errors(each.errors),
    )


def _form(form: RegistrationForm) -> FormView:
    contract = ContractView.from_domain(
        form.contract,
        sign_date_time=form.contract.signed_at,
        start_date_time=form.contract.starts_at,
        end_date_time=form.contract.ends_at,
    )
    return FormView.from_domain(
        form, contract=contract, contract_names_partner_and_solution=form.contract_names_both
    )
