"""The registration of a won deal: the record and its state changes (rules G4, G5).

IP co-sell: Draft → ReviewPending → Approved, Rejected or ActionRequired; ActionRequired → ReviewPending, any number
of times; ReviewPending → Draft, when its partner recalls it. ISV Connect: Draft → Submitted. Submitted, Approved and
Rejected are final. A draft can be deleted.
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
"""The final statuses (G6)."""
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
    """The contact for the reviewers, who is also notified of their decisions."""

    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The contract with the customer: total value, currency (ISO 4217) and dates."""

    value: Decimal | None = None
    currency: str | None = None
    signed_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    term: ContractTerm | None = None


NO_CONTRACT, NO_CONTACT, NO_CUSTOMER = Contract(), RegistrationContact(), RegisteredCustomer()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationForm:
    """The form of a registration (G3); every field of a draft may be missing."""

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
    """An error in one field of a registration; `target` is a JSON Pointer into its form."""

    target: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRound:
    """One round of a review: the submitted form, and the decision or when the partner recalled it.

    `number` counts from 1; `reviewer` is the name of the person who decided.
    """

    number: int
    form: RegistrationForm
    submitted_at: datetime
    decision: ReviewDecision | None = None
    decided_at: datetime | None = None
    reviewer: str | None = None
    reason: str | None = None
    errors: tuple[FieldError, ...] = ()
    recalled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A registration.

    - `referral`: the key of the won deal, None for a deal that was never co-sold (G8).
    - `form`: the form as the partner last saved it.
    - `latest`: the current or last round. Earlier rounds are separate rows, so their number has no limit (G5).
    - `errors`: the faults of a draft, or the corrections that the reviewers request.
    - `deal_closed_at`: a copy of the deal's, which never changes, so that lists need not read the deals.
    - `version`: counts all changes, and is the ETag.
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
        """Whether the status is final."""
        return self.status in CLOSED

    @property
    def retained_from(self) -> datetime:
        """The start of the retention period (N3): when its deal closed, or when it was created without a deal."""
        return self.deal_closed_at or self.created_at

    @property
    def rounds(self) -> int:
        """How many times it was submitted."""
        return self.latest.number if self.latest else 0

    @property
    def submitted_at(self) -> datetime | None:
        """When the latest round was submitted, recalled or not."""
        return self.latest.submitted_at if self.latest else None

    @property
    def decided_at(self) -> datetime | None:
        """When the latest round was decided."""
        return self.latest.decided_at if self.latest else None

    @property
    def reason(self) -> str | None:
        """Why the reviewers rejected it or sent it back, while that stands (G6)."""
        is_sent_back = self.status in {"ActionRequired", "Rejected"}
        return self.latest.reason if self.latest and is_sent_back else None

    @property
    def submitted_form(self) -> RegistrationForm:
        """The form as last submitted: reviewers see it, not the corrections that the partner has saved since."""
        return self.latest.form if self.latest else self.form

    @property
    def summary(self) -> RegistrationSummary:
        """The registration as its deal shows it (G6)."""
        return RegistrationSummary(
            id=self.id, kind=self.kind, solution_id=self.solution_id, status=self.status
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A reviewer's decision; a rejection has a reason, a request for action has at least one error (G5)."""

    decision: ReviewDecision
    reviewer: str
    reason: str | None = None
    errors: tuple[FieldError, ...] = ()


def submit(registration: Registration, form: RegistrationForm, now: datetime) -> Registration:
    """Submit a draft or a corrected registration: ISV Connect is complete, IP co-sell goes to review (G4).

    The form must have no faults. Raises as `require_editable`.
    """
    require_editable(registration)
    status: RegistrationStatus = "Submitted" if registration.kind == "IsvConnect" else "ReviewPending"
    latest = ReviewRound(number=registration.rounds + 1, form=form, submitted_at=now)
    return _changed(registration, now, form=form, status=status, errors=(), latest=latest)


def save(
    registration: Registration, form: RegistrationForm, faults: tuple[FieldError, ...], now: datetime
) -> Registration:
    """Save a form without submitting it. A draft gets its faults as errors; otherwise the reviewers' errors stay.

    Raises as `require_editable`.
    """
    require_editable(registration)
    errors = faults if registration.status == "Draft" else registration.errors
    return _changed(registration, now, form=form, errors=errors)


def is_unchanged(before: Registration, after: Registration) -> bool:
    """Whether a change affects nothing but version and time of update."""
    comparable = replace(after, updated_at=before.updated_at, version=before.version)
    return comparable == before and _dates(after.form.contract) == _dates(before.form.contract)


def review(registration: Registration, verdict: Verdict, now: datetime) -> Registration:
    """Apply a reviewer's decision (G5). Raises as `require_reviewable`."""
    decided = replace(
        require_reviewable(registration),
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


def recall(registration: Registration, now: datetime) -> Registration:
    """Take a registration back from its review: it is a draft again, and the round ends without a decision (G5).

    Raises as `require_recallable`.
    """
    recalled = replace(require_recallable(registration), recalled_at=now)
    return _changed(registration, now, status="Draft", latest=recalled)


def require_reviewable(registration: Registration) -> ReviewRound:
    """The round to decide. Raises `NotAllowed` if the registration is not in review, `TerminalState` if closed."""
    return _open_round(registration, "reviewed")


def require_recallable(registration: Registration) -> ReviewRound:
    """The round to recall. Raises `NotAllowed` if the registration is not in review, `TerminalState` if closed."""
    return _open_round(registration, "recalled")


def require_assignable(registration: Registration) -> None:
    """Raise `NotAllowed` if a registration is a draft, `TerminalState` if it is closed."""
    if registration.closed:
        raise final_refusal(registration)
    if registration.status == "Draft":
        raise NotAllowed("This registration is a draft again: its partner has recalled it.")


def require_deletable(registration: Registration) -> None:
    """Raise `NotAllowed` unless a registration is a draft (G4)."""
    if registration.status != "Draft":
        hint = " Recall it first." if registration.status == "ReviewPending" else ""
        raise NotAllowed(
            f"This registration is {registration.status}: only one that is Draft can be deleted.{hint}"
        )


def require_editable(registration: Registration) -> None:
    """Raise `NotAllowed` if a registration is in review, `TerminalState` if it is closed."""
    if registration.closed:
        raise final_refusal(registration)
    if registration.status == "ReviewPending":
        raise NotAllowed(
            "This registration is in review: recall it, or wait until the reviewers decide it or send it back."
        )


def final_refusal(registration: Registration) -> TerminalState:
    """The refusal of any command that changes a closed registration (G6)."""
    return TerminalState(
        f"This registration is {registration.status}, which is final: it can no longer be changed."
    )


def _open_round(registration: Registration, done: str) -> ReviewRound:
    if registration.closed:
        raise final_refusal(registration)
    if registration.status != "ReviewPending" or registration.latest is None:
        message = f"This registration is {registration.status}: only one that is ReviewPending can be {done}."
        raise NotAllowed(message)
    return registration.latest


def _dates(contract: Contract) -> list[str | None]:
    """The dates with their offsets as sent: the same moment can be a different day (G3)."""
    moments = (contract.signed_at, contract.starts_at, contract.ends_at)
    return [moment.isoformat() if moment else None for moment in moments]


def _changed(registration: Registration, now: datetime, **new: object) -> Registration:
    return replace(registration, updated_at=now, version=registration.version + 1, **new)  # type: ignore[arg-type]
