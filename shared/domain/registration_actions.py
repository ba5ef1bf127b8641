"""What a caller may do with a registration in its present state (rules G4, G5, V6).

The same functions decide about the commands.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from shared.domain.permissions import Caller, may_review, may_write_registrations
from shared.domain.refusals import Refusal
from shared.domain.registration import (
    Registration,
    require_assignable,
    require_deletable,
    require_editable,
    require_recallable,
    require_reviewable,
)

RegistrationAction = Literal["edit", "submit", "recall", "delete", "review", "assign"]
"""`edit` is to save without submitting."""
_Check = Callable[[Registration], object]
"""Raises a `Refusal` if the state does not allow the action."""

_OF_PARTNERS: Mapping[RegistrationAction, _Check] = {
    "edit": require_editable,
    "submit": require_editable,
    "recall": require_recallable,
    "delete": require_deletable,
}
_OF_REVIEWERS: Mapping[RegistrationAction, _Check] = {
    "review": require_reviewable,
    "assign": require_assignable,
}


def allowed_actions(registration: Registration, caller: Caller) -> tuple[RegistrationAction, ...]:
    """The actions that roles and state allow to a caller who sees the registration."""
    if may_review(caller):
        checks = _OF_REVIEWERS
    elif may_write_registrations(caller):
        checks = _OF_PARTNERS
    else:
        return ()
    return tuple(action for action, check in checks.items() if _passes(check, registration))


def _passes(check: _Check, registration: Registration) -> bool:
    try:
        check(registration)
    except Refusal:
        return False
    return True
