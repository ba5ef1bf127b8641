"""Apply a PATCH or PUT to a referral's JSON document, and find the differences (rules E).

Which changes are allowed is decided elsewhere: `requested_edit` and the domain rules.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import jsonpatch
import jsonpointer

from api.http.body import combine_faults, faults_of_names, pointer_of
from api.referrals.schemas import ReferralView
from shared.domain.refusals import Fault, Invalid

MAX_OPERATIONS = 100
_OPERATIONS = ("add", "replace", "remove", "test")
_MAX_PATH_LENGTH, _MAX_PATH_DEPTH = 500, 20
MAX_VALUES = 64 * 1024
"""Total size of the values of a patch, in bytes of JSON: more than a whole record takes."""

Document = dict[str, Any]


def to_document(view: ReferralView) -> Document:
    """The JSON document of a referral; decimal numbers are exact, so that they can be compared."""
    loaded: Document = json.loads(json.dumps(view.document()), parse_float=Decimal)
    return loaded


def apply_patch(document: Document, operations: Any) -> Document:
    """A copy of a document with the operations of a JSON Patch (RFC 6902) applied.

    Raises `Invalid` with the faults of all malformed operations, or of the first that cannot be applied. The first
    part of a fault's target is the index of the operation.
    """
    if not isinstance(operations, list):
        raise Invalid((Fault("invalidType", "", "Send a JSON Patch: an array of operations."),))
    if len(operations) > MAX_OPERATIONS:
        raise Invalid((Fault("tooLong", "", f"Send at most {MAX_OPERATIONS} operations."),))
    malformed = (
        fault for index, each in enumerate(operations) for fault in _faults_of_operation(each, index)
    )
    if faults := combine_faults(faults_of_names(operations), malformed):
        raise Invalid(faults)
    if _size_of_values(operations) > MAX_VALUES:
        message = f"The values of a patch may take at most {MAX_VALUES:,} bytes of JSON in total."
        raise Invalid((Fault("tooLong", "", message),))
    names = member_names(document)
    changed = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        _apply(changed, _with_known_names(operation, names), index)
    return changed


def merge_document(document: Document, sent: Any) -> Document:
    """A copy of a document with the values of one that was sent; members that were left out keep their values.

    Raises `Invalid` if what was sent is no object, or has a name more than once.
    """
    if not isinstance(sent, dict):
        raise Invalid((Fault("invalidType", "", "Send the referral as a JSON object."),))
    if faults := faults_of_names(sent):
        raise Invalid(faults)
    changed: Document = _merge(document, _normalize_names(sent, member_names(document)))
    return changed


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """The JSON Pointers of differing values. Objects are compared member by member, other values as a whole."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield at
        return
    for name in sorted(before.keys() | after.keys()):
        yield from differences(before.get(name), after.get(name), f"{at}{pointer_of([name])}")


def member_names(document: Any) -> dict[str, str]:
    """The names in a document by their lower-case forms, for case-insensitive matching."""
    found: dict[str, str] = {}
    if isinstance(document, dict):
        for name, value in document.items():
            found |= {name.lower(): name} | member_names(value)
    return found


def _faults_of_operation(operation: Any, index: int) -> Iterator[Fault]:
    at = f"/{index}"
    if not isinstance(operation, dict):
        yield Fault("invalidType", at, "An operation is an object with op and path.")
        return
    for name in sorted(operation.keys() - {"op", "path", "value", "from"}):
        yield Fault(
            "unknownField", f"{at}{pointer_of([name])}", "An operation has no such member; remove it."
        )
    if operation.get("op") not in _OPERATIONS:
        yield Fault("invalidValue", f"{at}/op", f"Use one of {', '.join(_OPERATIONS)}.")
    if not _is_path(operation.get("path")):
        yield Fault(
            "invalidFormat", f"{at}/path", "Use a JSON Pointer to a field, such as /details/dealValue."
        )
    if operation.get("op") in ("add", "replace", "test") and "value" not in operation:
        yield Fault("required", f"{at}/value", "This operation needs a value.")


def _is_path(path: Any) -> bool:
    """Whether this can be a field's JSON Pointer; bounded, so that a patch cannot build a deeply nested document."""
    return (
        isinstance(path, str)
        and path.startswith("/")
        and len(path) <= _MAX_PATH_LENGTH
        and path.count("/") <= _MAX_PATH_DEPTH
    )


def _size_of_values(operations: list[dict[str, Any]]) -> int:
    values = [operation["value"] for operation in operations if "value" in operation]
    return len(json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).encode())


def _apply(document: Document, operation: Mapping[str, Any], index: int) -> None:
    """Apply one operation to the document in place. Raises `Invalid`."""
    try:
        jsonpatch.apply_patch(document, [operation], in_place=True)
    except jsonpatch.JsonPatchTestFailed as different:
        message = f"The document has another value at {operation['path']}; nothing was changed."
        raise Invalid((Fault("invalidValue", f"/{index}/value", message),)) from different
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as unfit:
        message = f"The document has no field {operation['path'][:100]}."
        raise Invalid((Fault("invalidValue", f"/{index}/path", message),)) from unfit


def _with_known_names(operation: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    parts = operation["path"].split("/")
    path = "/".join(names.get(part.lower(), part) for part in parts)
    return {**operation, "path": path}


def _normalize_names(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {names.get(name.lower(), name): _normalize_names(each, names) for name, each in value.items()}


def _merge(document: Any, sent: Any) -> Any:
    if not (isinstance(document, dict) and isinstance(sent, dict)):
        return sent
    known = {name: _merge(value, sent[name]) if name in sent else value for name, value in document.items()}
    return {**known, **{name: value for name, value in sent.items() if name not in document}}
