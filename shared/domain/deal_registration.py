"""Registrations as steps of the deal that they belong to: one transaction, one timeline (rules G2, G4, G6)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft
from shared.domain.eligibility import Eligibility, unregistered
from shared.domain.ids import OrganizationId, RegistrationId
from shared.domain.messages import MailKind
from shared.domain.referral import Referral, RegistrationSummary, Solution
from shared.domain.refusals import Fault, NotAllowed
from shared.domain.registration import Registration, RegistrationForm
from shared.domain.vocabulary import ISV_CONNECT, RegistrationKind, RegistrationStatus
from shared.domain.work import Audience, FollowReview, Notify, Task

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


def require_registrable(deal: Referral, found: Eligibility, solution_id: str | None) -> None:
    """Refuse what the deal's state does not allow (G1, G2).

    Raises `NotAllowed` if the deal is not eligible, or the solution has been registered, or none is left.
    """
    if not found.eligible:
        raise NotAllowed(f"This deal cannot be registered. {found.missing}")
    left = unregistered(deal)
    wanted = {solution_id} if solution_id or left else {each.solution_id for each in deal.registrations}
    named = [each for each in deal.registrations if each.solution_id in wanted]
    if begun := [f"…/registrations/{each.id}" for each in named if each.status == "Draft"]:
        raise NotAllowed(f"There is a draft of this already: submit it with PUT to {' and '.join(begun)}.")
    if not left:
        raise NotAllowed("Every solution of this deal that has an incentive is registered, or has a draft.")
    if named:
        raise NotAllowed("This solution of the deal is registered already.")


def select_solution(deal: Referral, solution_id: str | None) -> Solution | None:
    """The solution that a request registers: the one it names, or the only one that is left (G2)."""
    left = unregistered(deal)
    if solution_id is None and len(left) == 1:
        return left[0]
    return next((solution for solution in left if solution.id == solution_id), None)


def solution_fault(deal: Referral, solution_id: str | None) -> Fault:
    """Why a request names no solution that is left."""
    message = f"Name the solution to register: {', '.join(each.id for each in unregistered(deal))}."
    return Fault("notInCatalogue" if solution_id else "required", "/solutionId", message)


def kinds_of(solution: Solution) -> tuple[RegistrationKind, ...]:
    """The records that come of a solution's registration (G4)."""
    isv: tuple[RegistrationKind, ...] = ("IsvConnect",) if ISV_CONNECT in solution.incentives else ()
    return (*isv, "IpCoSell") if solution.has_ip_incentive else isv


def drafts(
    deal: Referral,
    solution: Solution,
    form: RegistrationForm,
    ids: Iterable[RegistrationId],
    context: CommandContext,
) -> tuple[Registration, ...]:
    """The records of a solution's registration as they begin: drafts, to be submitted or saved at once."""
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
        for kind, identifier in zip(kinds_of(solution), ids, strict=False)
    )


def record_registrations(
    deal: Referral, changed: tuple[Registration, ...], context: CommandContext, reason: str | None = None
) -> Change:
    """A step of the deal that stores registrations as they are now, tells of them, and has them followed."""
    step = ChangeBuilder(before=deal, after=deal, registrations=changed)
    before = {each.id: each for each in deal.registrations}
    for registration in changed:
        step = _with_registration(step, registration, before.get(registration.id), reason)
    return step.build(context)


def status_of(deal: Referral, *, eligible: bool) -> RegistrationStatus | Literal["Eligible"] | None:
    """The milestone that a deal shows: the worst of its registrations, else whether it can be registered (G2)."""
    present = {registered.status for registered in deal.registrations}
    worst = next((status for status in _WORST if status in present), None)
    return worst or ("Eligible" if eligible else None)


def _with_registration(
    step: ChangeBuilder, registration: Registration, before: RegistrationSummary | None, reason: str | None
) -> ChangeBuilder:
    details = {
        "registrationId": registration.id,
        "kind": registration.kind,
        "solution": registration.solution_name,
    }
    old = before.status if before else None
    entry = EntryDraft(
        kind="registrationChanged",
        from_state=old,
        to_state=registration.status,
        reason=reason,
        details=details,
    )
    others = tuple(each for each in step.after.registrations if each.id != registration.id)
    together = tuple(sorted((*others, registration.shown), key=lambda each: each.id))
    tasks: tuple[Task, ...] = (FollowReview(registration=registration.id),)
    if registration.status != old and registration.status in _MESSAGES:
        message, audience = _MESSAGES[registration.status]
        news = Notify(
            message=message,
            audience=audience,
            registration=registration.id,
            round=registration.rounds,
        )
        tasks = (*tasks, news)
    return step.then(entry, tasks, registrations=together)
