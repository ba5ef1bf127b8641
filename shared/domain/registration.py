"""A won deal's registration: the record, and every way that it can go (rules G4, G5).

Draft → ReviewPending → Approved, Rejected or ActionRequired → ReviewPending, as often as it takes; an ISV Connect
record is complete once it is submitted. Closed is final.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.domain.ids import OrganizationId, RegistrationId
from shared.domain.referral import ReferralKey, RegistrationSummary
from shared.domain.refusals import NotAllowed, TerminalState
from shared.domain.vocabulary import (
    ConsumptionTenant,
    ContractTerm,
    ContractType,
    Deployment,
    RegistrationKind,
    RegistrationStatus,
    ReviewDecision,
)

CLOSED: frozenset[RegistrationStatus] = frozenset({"Submitted", "Approved", "Rejected"})
"""Nothing changes after these (G6)."""
_DECIDED: dict[ReviewDecision, RegistrationStatus] = {
    "approve": "Approved",
    "reject": "Rejected",
    "requestAction": "ActionRequired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCustomer:
    """The customer of a contract; `country` is ISO 3166-1 alpha-2."""

    name: str | None = None
    country: str | None = None
    city: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationContact:
    """Whom the reviewers ask, and who is told of what they decide."""

    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The contract with the customer: its total value and currency (ISO 4217), and its dates."""

    value: Decimal | None = None
    currency: str | None = None
    signed_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    term: ContractTerm | None = None


NO_CONTRACT, NO_CONTACT, NO_CUSTOMER = Contract(), RegistrationContact(), RegisteredCustomer()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationForm:
    """What is registered (G3); every field of a draft may be missing."""

    solution_id: str | None = None
    contract_type: ContractType | None = None
    contract: Contract = NO_CONTRACT
    solution_value: Decimal | None = None
    deployed_on: Deployment | None = None
    consumption_tenant: ConsumptionTenant | None = None
    customer: RegisteredCustomer = NO_CUSTOMER
    contact: RegistrationContact = NO_CONTACT
    contract_names_both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field of a registration; `target` is a JSON Pointer into its form."""

    target: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRound:
    """One round of a review: the form that was handed in, and what came of it.

    `number` counts a registration's rounds from 1; `reviewer` is the name of whoever decided.
    """

    number: int
    form: RegistrationForm
    submitted_at: datetime
    decision: ReviewDecision | None = None
    decided_at: datetime | None = None
    reviewer: str | None = None
    reason: str | None = None
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One record of a registration. `referral` is the won deal's, None for a deal that was never co-sold (G8).

    `form` is how its partner left it, `latest` its present round or the last one; the earlier rounds are kept beside
    it, so that a review may take any number of them (G5). `errors` are a draft's faults, or what the reviewers ask to
    be corrected. `deal_closed_at` is its deal's, which stays as it is: whoever looks through many reads no deals.
    `version` counts all changes, and is the ETag.
    """

    id: RegistrationId
    kind: RegistrationKind
    organization_id: OrganizationId
    organization_name: str
    referral: ReferralKey | None
    deal_name: str
    solution_id: str
    solution_name: str
    form: RegistrationForm
    status: RegistrationStatus
    errors: tuple[FieldError, ...] = ()
    latest: ReviewRound | None = None
    deal_closed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def closed(self) -> bool:
        """Whether it is complete, or decided for good."""
        return self.status in CLOSED

    @property
    def retained_from(self) -> datetime:
        """When its retention period begins (N3): with that of its deal, a report's with itself."""
        return self.deal_closed_at or self.created_at

    @property
    def rounds(self) -> int:
        """How often it was handed in."""
        return self.latest.number if self.latest else 0

    @property
    def submitted_at(self) -> datetime | None:
        """When its present round began."""
        return self.latest.submitted_at if self.latest else None

    @property
    def decided_at(self) -> datetime | None:
        """When its latest round was decided."""
        return self.latest.decided_at if self.latest else None

    @property
    def submitted_form(self) -> RegistrationForm:
        """The form as it was handed in last: what reviewers see, whatever its partner is correcting meanwhile."""
        return self.latest.form if self.latest else self.form

    @property
    def shown(self) -> RegistrationSummary:
        """The record as its deal shows it (G6)."""
        return RegistrationSummary(
            id=self.id, kind=self.kind, solution_id=self.solution_id, status=self.status
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reviewer decides; a rejection has a reason, a request for action at least one error (G5)."""

    decision: ReviewDecision
    reviewer: str
    reason: str | None = None
    errors: tuple[FieldError, ...] = ()


def submitted(registration: Registration, form: RegistrationForm, now: datetime) -> Registration:
    """A draft, or a record to be corrected, handed in: ISV Connect is complete, IP co-sell goes to review (G4).

    The form has no faults. Raises as `require_editable`.
    """
    require_editable(registration)
    status: RegistrationStatus = "Submitted" if registration.kind == "IsvConnect" else "ReviewPending"
    latest = ReviewRound(number=registration.rounds + 1, form=form, submitted_at=now)
    return _changed(registration, now, form=form, status=status, errors=(), latest=latest)


def saved(
    registration: Registration, form: RegistrationForm, faults: tuple[FieldError, ...], now: datetime
) -> Registration:
    """A draft, or a record to be corrected, kept as it is: a draft with its faults, the other with its errors.

    Raises as `require_editable`.
    """
    require_editable(registration)
    errors = faults if registration.status == "Draft" else registration.errors
    return _changed(registration, now, form=form, errors=errors)


def is_unchanged(before: Registration, after: Registration) -> bool:
    """Whether a step left everything as it was, but for its having been taken."""
    untaken = replace(after, updated_at=before.updated_at, version=before.version)
    return untaken == before and _dates(after.form.contract) == _dates(before.form.contract)


def reviewed(registration: Registration, verdict: Verdict, now: datetime) -> Registration:
    """A record decided by a reviewer (G5). Raises `NotAllowed`, `TerminalState`."""
    if registration.closed:
        raise final_refusal(registration)
    if registration.status != "ReviewPending" or registration.latest is None:
        message = f"This registration is {registration.status}: only one that waits for review is reviewed."
        raise NotAllowed(message)
    decided = replace(
        registration.latest,
        decision=verdict.decision,
        decided_at=now,
        reviewer=verdict.reviewer,
        reason=verdict.reason,
        errors=verdict.errors,
    )
    return _changed(
        registration,
        now,
        status=_DECIDED[verdict.decision],
        errors=verdict.errors,
        latest=decided,
    )


def require_editable(registration: Registration) -> None:
    """Refuse to change what is in review or closed. Raises `NotAllowed`, `TerminalState`."""
    if registration.closed:
        raise final_refusal(registration)
    if registration.status == "ReviewPending":
        raise NotAllowed("This registration is in review: wait until it is decided, or sent back to you.")


def final_refusal(registration: Registration) -> TerminalState:
    """Why nothing can be done to a closed record any more (G6)."""
    return TerminalState(f"This registration is {registration.status}. It is final.")


def _dates(contract: Contract) -> list[str | None]:
    """As they were sent: the same moment may be another day (G3)."""
    moments = (contract.signed_at, contract.starts_at, contract.ends_at)
    return [moment.isoformat() if moment else None for moment in moments]


def _changed(registration: Registration, now: datetime, **new: object) -> Registration:
    return replace(registration, updated_at=now, version=registration.version + 1, **new)  # type: ignore[arg-type]
