"""Determine what a PATCH or PUT asks for, from a referral's document before and after it (E1, E4, T2, L, S)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from api.common.request_parts import ConsentBody, DetailsBody, InviteContextBody, RequirementsBody
from api.http.body import Body, combine_faults, enclosing_pointers, json_names, read
from api.http.fields import Notes
from api.http.wire_names import WIRE_NAMES
from api.referrals.documents import Document, differences
from api.referrals.request_schemas import ETAG_FIELD, EditBody
from api.referrals.schemas import ReferralView
from shared.domain.actions import ACCEPTANCE_FIELDS, editable_fields
from shared.domain.change import CommandContext
from shared.domain.lifecycle import ClosingStatement
from shared.domain.referral import Referral
from shared.domain.refusals import Fault
from shared.domain.vocabulary import CLOSING_REASONS

Verb = Literal["accept", "decline", "win", "lose"]
_VERBS: dict[str, Verb] = {"Accepted": "accept", "Declined": "decline", "Won": "win", "Lost": "lose"}
_STATUS_OF = {"Accepted": "Active", "Declined": "Closed", "Won": "Closed", "Lost": "Closed"}
_STATUS = frozenset({"/status", "/substatus", "/statusReason"})
_NO_STATEMENT = ClosingStatement(reason="Other")
_NOT_STORED: frozenset[str] = frozenset().union(
    *(part.unused for part in (EditBody, DetailsBody, RequirementsBody, ConsentBody, InviteContextBody))
)
_CHANGED_BY_COMMANDS = {"status", "substatus", "statusReason", "salesStage"}
"""Not fields of `EditBody`: changing one requests a command: see `_verb` and `_stage`."""
_SET_ONCE = {"location", "mpnId"}
"""Chosen by the creator for good: a PUT with another value is refused rather than ignored."""
_SERVER_OWNED = frozenset(
    {ETAG_FIELD} | json_names(ReferralView) - json_names(EditBody) - _CHANGED_BY_COMMANDS - _SET_ONCE
)
"""A PUT ignores these: only the server sets them, and clients send them back."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What a request asks for: changed fields, possibly a stage, possibly an answer or outcome (`verb`).

    `changed` are JSON Pointers to the fields that differ; `faults` are those of form and of fields that may not be
    changed. `notes` belong to a win; `statement` is the reason of a decline or a loss.
    """

    body: EditBody
    changed: frozenset[str]
    faults: tuple[Fault, ...]
    verb: Verb | None
    notes: str | None
    statement: ClosingStatement
    stage: str | None
    percent: Decimal | None


def read_edit(
    referral: Referral, before: Document, after: Document, context: CommandContext, *, whole: bool
) -> Edit:
    """Compare the documents. `whole` is for PUT, which ignores server-owned fields."""
    changed = frozenset(each for each in differences(before, after) if not _is_ignored(each, whole=whole))
    parsed = read(EditBody, after)
    verb, status_faults = _verb(before, after, changed)
    touched = _ChangedPointers(changed)
    form_faults = tuple(fault for fault in parsed.faults if fault.target in touched)
    forbidden = _forbidden_changes(changed - _allowed(referral, verb, context), referral, verb)
    stage, percent, stage_faults = _stage(after) if "/salesStage" in changed else (None, None, ())
    reason = after.get("statusReason") if "/statusReason" in changed else None
    statement, reason_faults = (
        _statement(reason) if verb in {"decline", "lose"} else (_NO_STATEMENT, tuple[Fault, ...]())
    )
    notes, notes_faults = _notes(reason) if verb == "win" else (None, ())
    return Edit(
        body=parsed.body,
        changed=changed,
        faults=(
            *combine_faults(form_faults, forbidden),
            *(*status_faults, *reason_faults, *notes_faults, *stage_faults),
        ),
        verb=verb,
        notes=notes,
        statement=statement,
        stage=stage,
        percent=percent,
    )


def _allowed(referral: Referral, verb: Verb | None, context: CommandContext) -> frozenset[str]:
    """The pointers that may differ: with an acceptance those of L2, otherwise the editable fields (E1)."""
    if verb == "accept":
        return frozenset(WIRE_NAMES[name] for name in ACCEPTANCE_FIELDS) | _STATUS
    fields = frozenset(WIRE_NAMES[name] for name in editable_fields(referral, context.now))
    return fields | (_STATUS if verb else frozenset())


def _verb(
    before: Document, after: Document, changed: frozenset[str]
) -> tuple[Verb | None, tuple[Fault, ...]]:
    """The command that a change of status and substatus stands for."""
    if not changed & {"/status", "/substatus"}:
        return None, ()
    status, substatus = after.get("status"), str(after.get("substatus"))
    if "/substatus" not in changed:
        if status == "Active" and before["status"] == "New":
            return "accept", ()
        message = "Set substatus as well: Accepted, Declined, Won or Lost."
        return None, (Fault("required", "/substatus", message),)
    if substatus not in _VERBS:
        return None, (Fault("invalidValue", "/substatus", "Use Accepted, Declined, Won or Lost."),)
    if "/status" in changed and status != _STATUS_OF[substatus]:
        message = f"The status of {substatus} is {_STATUS_OF[substatus]}."
        return None, (Fault("invalidValue", "/status", message),)
    return _VERBS[substatus], ()


class _ReasonBody(Body):
    """Notes sent as `statusReason`; the same rules of form apply as in the body of a command (C6)."""

    status_reason: Notes | None = None


def _notes(text: Any) -> tuple[str | None, tuple[Fault, ...]]:
    """The notes of a reason as they are stored, and their faults of form."""
    parsed = read(_ReasonBody, {"statusReason": text})
    return parsed.body.status_reason, parsed.faults


def _statement(reason: Any) -> tuple[ClosingStatement, tuple[Fault, ...]]:
    """The reason of a decline or a loss: a code, optionally followed by a colon and notes."""
    if reason is not None and not isinstance(reason, str):
        return _NO_STATEMENT, _notes(reason)[1]
    code, _, rest = (reason or "").partition(":")
    known = next((each for each in CLOSING_REASONS if each == code.strip()), None)
    if known is None:
        message = f"Use one of {', '.join(CLOSING_REASONS)}; notes may follow after a colon."
        return _NO_STATEMENT, (Fault("invalidValue" if reason else "required", "/statusReason", message),)
    notes, faults = _notes(rest.strip() or None)
    if faults:
        return _NO_STATEMENT, faults
    if known == "Other" and notes is None:
        message = "Explain the reason after a colon: Other: …"
        return _NO_STATEMENT, (Fault("required", "/statusReason", message),)
    return ClosingStatement(reason=known, notes=notes), ()


def _stage(after: Document) -> tuple[str | None, Decimal | None, tuple[Fault, ...]]:
    value = after.get("salesStage")
    if isinstance(value, str) and value.strip():
        return value.strip(), None, ()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return None, Decimal(value), ()
    return None, None, (Fault("invalidType", "/salesStage", "Use the name of a stage, or a percentage."),)


def _forbidden_changes(pointers: frozenset[str], referral: Referral, verb: Verb | None) -> Iterator[Fault]:
    for pointer in sorted(pointers):
        if verb is None and pointer in {"/status", "/substatus"}:
            continue  # `_verb` has reported it
        yield Fault("notEditable", pointer, _explain_forbidden(pointer, referral))


def _explain_forbidden(pointer: str, referral: Referral) -> str:
    if pointer.startswith("/registrations"):
        return "Register a won deal with POST …/registrations."
    if referral.status == "New":
        return "Accept this referral first; with the acceptance, only the fields of an acceptance can be changed."
    if pointer.startswith("/consent"):
        return "Only the deal's creator gives consent and visibility, and cannot withdraw them."
    if pointer.startswith("/inviteContext"):
        return "Only the deal's creator can change this, until Microsoft is invited."
    return "This field cannot be changed."


def _is_ignored(pointer: str, *, whole: bool) -> bool:
    """Whether a change has no effect: to fields that are not stored, and in a PUT to server-owned ones."""
    parts = pointer.split("/")
    top, last = parts[1], parts[-1]
    return last in _NOT_STORED or (whole and top in _SERVER_OWNED)


class _ChangedPointers:
    """The JSON Pointers, in any case, that lie in a changed field or contain one."""

    def __init__(self, changed: frozenset[str]) -> None:
        self._changed = {pointer.lower() for pointer in changed}
        self._parents = {parent for pointer in changed for parent in enclosing_pointers(pointer)}

    def __contains__(self, target: str) -> bool:
        return target.lower() in self._parents or not self._changed.isdisjoint(enclosing_pointers(target))
