"""What a PATCH or PUT asks for, read off the document that it makes of a referral (rules E1, E4, T2, L2, L3, S)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from api.common.request_parts import ConsentBody, DetailsBody, InviteContextBody, RequirementsBody
from api.http.body import Body, Reading, places_to, read, unless_below
from api.http.fields import Notes
from api.http.wire_names import WIRE_NAMES
from api.referrals.documents import Document, differences
from api.referrals.request_schemas import EditBody
from shared.domain.actions import L2_FIELDS, editable_fields
from shared.domain.change import CommandContext
from shared.domain.lifecycle import ClosingStatement
from shared.domain.referral import Referral
from shared.domain.refusals import Fault
from shared.domain.vocabulary import CLOSING_REASONS

Verb = Literal["accept", "decline", "win", "lose"]
_VERBS: dict[str, Verb] = {"Accepted": "accept", "Declined": "decline", "Won": "win", "Lost": "lose"}
_STATUS_OF = {"Accepted": "Active", "Declined": "Closed", "Won": "Closed", "Lost": "Closed"}
_STATUS = frozenset({"/status", "/substatus", "/statusReason"})
_UNSAID = ClosingStatement(reason="Other")
_IN_REGISTRATIONS = "Register a won deal with POST …/registrations."


@dataclass(frozen=True, slots=True)
class Edit:
    """What a request wants of a referral: fields, perhaps a stage, perhaps its answer or outcome.

    `changed` are JSON Pointers to the fields that differ, `faults` those of form and of what may not be changed;
    `words` are those of a win, `statement` says why a deal is declined or lost.
    """

    body: EditBody
    changed: frozenset[str]
    faults: tuple[Fault, ...]
    verb: Verb | None
    words: str | None
    statement: ClosingStatement
    stage: str | None
    percent: Decimal | None


def edit_of(
    referral: Referral, before: Document, after: Document, context: CommandContext, *, whole: bool
) -> Edit:
    """What makes `after` of `before`. `whole` is for PUT, which ignores what the server owns."""
    changed = frozenset(each for each in differences(before, after) if not _is_ignored(each, whole=whole))
    reading: Reading[EditBody] = read(EditBody, after)
    verb, of_status = _verb(before, after, changed)
    allowed = _allowed(referral, verb, context)
    concerned = _Concerned(changed)
    forms = tuple(fault for fault in reading.faults if fault.target in concerned)
    uneditable = unless_below(_uneditable(changed - allowed, referral, verb), forms)
    stage, percent, of_stage = _stage(after) if "/salesStage" in changed else (None, None, ())
    said = after.get("statusReason") if "/statusReason" in changed else None
    statement, of_reason = _statement(said) if verb in {"decline", "lose"} else (_UNSAID, ())
    words, of_words = _words(said) if verb == "win" else (None, ())
    return Edit(
        body=reading.body,
        changed=changed,
        faults=(*forms, *uneditable, *of_status, *of_reason, *of_words, *of_stage),
        verb=verb,
        words=words,
        statement=statement,
        stage=stage,
        percent=percent,
    )


def _allowed(referral: Referral, verb: Verb | None, context: CommandContext) -> frozenset[str]:
    """Where a request may change something: with an answer the fields of L2, else those that E1 names."""
    if verb == "accept":
        return frozenset(WIRE_NAMES[name] for name in L2_FIELDS) | _STATUS
    fields = frozenset(WIRE_NAMES[name] for name in editable_fields(referral, context.now))
    return fields | (_STATUS if verb else frozenset())


def _verb(
    before: Document, after: Document, changed: frozenset[str]
) -> tuple[Verb | None, tuple[Fault, ...]]:
    """The operation that a change of status and substatus stands for."""
    if not changed & {"/status", "/substatus"}:
        return None, ()
    status, substatus = after.get("status"), after.get("substatus")
    if "/substatus" not in changed:
        if status == "Active" and before["status"] == "New":
            return "accept", ()
        return None, (
            Fault("required", "/substatus", "Set substatus as well: Accepted, Declined, Won or Lost."),
        )
    verb = _VERBS.get(str(substatus))
    if verb is None:
        return None, (Fault("invalidValue", "/substatus", "Use Accepted, Declined, Won or Lost."),)
    if "/status" in changed and status != _STATUS_OF[str(substatus)]:
        return None, (
            Fault("invalidValue", "/status", f"{substatus} goes with {_STATUS_OF[str(substatus)]}."),
        )
    return verb, ()


class _ReasonBody(Body):
    """The words of a reason where a resource has them: they are notes, as in the body of a verb (C6)."""

    status_reason: Notes | None = None


def _words(said: Any) -> tuple[str | None, tuple[Fault, ...]]:
    """Words as they are kept, and their faults of form."""
    reading = read(_ReasonBody, {"statusReason": said})
    return reading.body.status_reason, reading.faults


def _statement(said: Any) -> tuple[ClosingStatement, tuple[Fault, ...]]:
    """The reason of a decline or a loss: a code, or a code, a colon and words."""
    if said is not None and not isinstance(said, str):
        return _UNSAID, _words(said)[1]
    code, _, rest = (said or "").partition(":")
    known = next((each for each in CLOSING_REASONS if each == code.strip()), None)
    if known is None:
        message = f"Say why with one of {', '.join(CLOSING_REASONS)}; words may follow after a colon."
        return _UNSAID, (Fault("invalidValue" if said else "required", "/statusReason", message),)
    notes, faults = _words(rest.strip() or None)
    if faults:
        return _UNSAID, faults
    if known == "Other" and notes is None:
        return _UNSAID, (Fault("required", "/statusReason", "Say what the reason is: Other: …"),)
    return ClosingStatement(reason=known, notes=notes), ()


def _stage(after: Document) -> tuple[str | None, Decimal | None, tuple[Fault, ...]]:
    value = after.get("salesStage")
    if isinstance(value, str) and value.strip():
        return value.strip(), None, ()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return None, Decimal(value), ()
    return None, None, (Fault("invalidType", "/salesStage", "Use the name of a stage, or a percentage."),)


def _uneditable(pointers: frozenset[str], referral: Referral, verb: Verb | None) -> Iterator[Fault]:
    for pointer in sorted(pointers):
        if pointer in _STATUS and verb is None and pointer != "/statusReason":
            continue  # told with the status
        yield Fault("notEditable", pointer, _why(pointer, referral))


def _why(pointer: str, referral: Referral) -> str:
    if pointer.startswith("/registrations"):
        return _IN_REGISTRATIONS
    if referral.status == "New":
        return "Accept this referral first; with the acceptance only its own fields can be changed."
    if pointer.startswith("/consent"):
        return (
            "Consent and visibility, once given, are not taken back, and only the deal's creator gives them."
        )
    if pointer.startswith("/inviteContext"):
        return "The answer is fixed once Microsoft is invited, and only the deal's creator gives it."
    return "This field cannot be changed."


def _is_ignored(pointer: str, *, whole: bool) -> bool:
    """What nobody changes by sending it: documented fields that are not kept, and in a PUT what the server owns."""
    parts = pointer.split("/")
    top, last = parts[1], parts[-1]
    return last in _NOT_KEPT or (whole and top in _SERVERS)


_NOT_KEPT: frozenset[str] = frozenset().union(
    *(part.unused for part in (EditBody, DetailsBody, RequirementsBody, ConsentBody, InviteContextBody))
)
_SERVERS = frozenset(
    {
        *(
            "id",
            "engagementId",
            "organizationId",
            "organizationName",
            "eTag",
            "@odata.etag",
            "links",
            "target",
        ),
        *("createdDateTime", "updatedDateTime", "acceptedDateTime", "closedDateTime", "expirationDateTime"),
        *(
            "salesStagePercentage",
            "registrationStatus",
            "registrations",
            "qualification",
            "direction",
            "type",
        ),
        *("dealType", "sellerTeam", "favorite", "contactAlert", "responseRecommendedBy", "attributes"),
        *("allowedActions", "editableFields", "warnings"),
    }
)
"""What PUT ignores: the server alone sets it, and older clients send it back."""


class _Concerned:
    """The places that lie in what a request changed, or hold some of it, whatever the case of their names."""

    def __init__(self, changed: frozenset[str]) -> None:
        self._changed = {at.lower() for at in changed}
        self._above = {place for at in changed for place in places_to(at)}

    def __contains__(self, target: str) -> bool:
        return target.lower() in self._above or not self._changed.isdisjoint(places_to(target))
