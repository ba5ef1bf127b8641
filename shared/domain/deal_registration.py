"""Registrations as changes of their deal: one transaction, one timeline (rules G2, G4, G6)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft
from shared.domain.eligibility import Eligibility, unregistered, unregistered_kinds
from shared.domain.ids import OrganizationId, RegistrationId
from shared.domain.messages import MailKind
from shared.domain.referral import Referral, RegistrationSummary, Solution
from shared.domain.refusals import Fault, NotAllowed
from shared.domain.registration import Registration, RegistrationForm, require_deletable
from shared.domain.vocabulary import RegistrationStatus
from shared.domain.work import Audience, FollowReview, Notify, Task

DELETED = "Deleted"
"""What the timeline shows as the state after a draft was deleted; no record has it."""
_WORST: tuple[RegistrationStatus, ...] = (
    "ActionRequired",
    "ReviewPending",
    "Rejected",
    "Approved",
    "Submitted",
)
_MESSAGES: dict[RegistrationStatus, tuple[MailKind, Audience]] = {
    "ReviewPending": ("registrationSubmitted", "reviewers"),
    "ActionRequired": ("actionRequired", "registrants"),
    "Approved": ("registrationApproved", "registrants"),
    "Rejected": ("registrationRejected", "registrants"),
}


def require_registrable(deal: Referral, eligibility: Eligibility, solution_id: str | None) -> None:
    """Raise `NotAllowed` unless the deal is eligible and the solution is not registered yet (G1, G2).

    Without `solution_id`, at least one solution of the deal must not be registered yet.
    """
    if not eligibility.eligible:
        raise NotAllowed(f"This deal cannot be registered. {eligibility.missing}")
    remaining = unregistered(deal)
    if remaining and solution_id in {None, *(each.id for each in remaining)}:
        return
    existing = [each for each in deal.registrations if solution_id in {None, each.solution_id}]
    if drafts := [f"…/registrations/{each.id}" for each in existing if each.status == "Draft"]:
        raise NotAllowed(f"There is a draft of this already: submit it with PUT to {' and '.join(drafts)}.")
    if not remaining:
        raise NotAllowed("Every solution of this deal with an incentive is registered, or has a draft.")
    if existing:
        raise NotAllowed("This solution of the deal is registered already.")


def select_solution(deal: Referral, solution_id: str | None) -> Solution | None:
    """The solution that a request registers: the named one, or the only one not registered yet (G2)."""
    remaining = unregistered(deal)
    if solution_id is None and len(remaining) == 1:
        return remaining[0]
    return next((solution for solution in remaining if solution.id == solution_id), None)


def solution_fault(deal: Referral, solution_id: str | None) -> Fault:
    """The fault of a request for which `select_solution` finds none."""
    message = f"Name the solution to register: {', '.join(each.id for each in unregistered(deal))}."
    return Fault("notInCatalogue" if solution_id else "required", "/solutionId", message)


def create_drafts(
    deal: Referral,
    solution: Solution,
    form: RegistrationForm,
    ids: Iterable[RegistrationId],
    context: CommandContext,
) -> tuple[Registration, ...]:
    """The registrations that a solution lacks, in status Draft with version 0.

    Submit or save them before they are stored.
    """
    return tuple(
        Registration(
            id=identifier,
            kind=kind,
            organization_id=OrganizationId(deal.organization_id),
            organization_name=deal.organization_name,
            referral=deal.key,
            deal_name=deal.name,
            deal_closed_at=deal.closed_at,
            solution_id=solution.id,
            solution_name=solution.name,
            form=replace(form, solution_id=solution.id),
            status="Draft",
            created_at=context.now,
            updated_at=context.now,
            version=0,
        )
        for kind, identifier in zip(unregistered_kinds(deal, solution), ids, strict=False)
    )


def record_registrations(
    deal: Referral, changed: tuple[Registration, ...], context: CommandContext, reason: str | None = None
) -> Change:
    """The change of a deal that stores registrations, adds timeline entries and opens the work that follows."""
    builder = ChangeBuilder(before=deal, after=deal, registrations=changed)
    before = {each.id: each for each in deal.registrations}
    for registration in changed:
        builder = _with_registration(builder, registration, before.get(registration.id), reason)
    return builder.build(context)


def delete_draft(deal: Referral, draft: Registration, context: CommandContext) -> Change:
    """The change of a deal that deletes a draft; its timeline says so (G4). Raises as `require_deletable`."""
    require_deletable(draft)
    entry = EntryDraft(
        kind="registrationChanged", from_state=draft.status, to_state=DELETED, details=_details(draft)
    )
    remaining = tuple(each for each in deal.registrations if each.id != draft.id)
    builder = ChangeBuilder(before=deal, after=deal, deleted_registrations=(draft.id,))
    follow = FollowReview(registration=draft.id)
    return builder.then(entry, (follow,), registrations=remaining).build(context)


def status_of(deal: Referral, *, eligible: bool) -> RegistrationStatus | Literal["Eligible"] | None:
    """The registration status of a deal: the worst of its registrations, else whether it can be registered (G2)."""
    present = {registration.status for registration in deal.registrations}
    worst = next((status for status in _WORST if status in present), None)
    return worst or ("Eligible" if eligible else None)


def _with_registration(
    builder: ChangeBuilder, registration: Registration, before: RegistrationSummary | None, reason: str | None
) -> ChangeBuilder:
    old = before.status if before else None
    entry = EntryDraft(
        kind="registrationChanged",
        from_state=old,
        to_state=registration.status,
        reason=reason,
        details=_details(registration),
    )
    unchanged = tuple(each for each in builder.after.registrations if each.id != registration.id)
    registrations = tuple(sorted((*unchanged, registration.summary), key=lambda each: each.id))
    tasks: tuple[Task, ...] = (FollowReview(registration=registration.id),)
    if registration.status != old and registration.status in _MESSAGES:
        message, audience = _MESSAGES[registration.status]
        mail = Notify(
            message=message,
            audience=audience,
            registration=registration.id,
            round=registration.rounds,
        )
        tasks = (*tasks, mail)
    return builder.then(entry, tasks, registrations=registrations)


def _details(registration: Registration) -> dict[str, str]:
    """The details of a timeline entry about a registration."""
    return {
        "registrationId": registration.id,
        "kind": registration.kind,
        "solution": registration.solution_name,
    }
