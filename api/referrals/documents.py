"""A referral as a document that PATCH and PUT change: what they make of it, and where it differs (rules E).

Nothing here knows which changes are allowed; that is `edits`' to ask of the rules.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import jsonpatch
import jsonpointer

from api.referrals.schemas import ReferralView
from shared.domain.refusals import Fault, Invalid

MAX_OPERATIONS = 100
_OPERATIONS = ("add", "replace", "remove", "test")
_LONGEST_PATH, _DEEPEST_PATH = 500, 20
MAX_VALUES = 64 * 1024
"""Bytes of JSON that the values of a patch may take altogether: more than a whole record holds."""

Document = dict[str, Any]


def document_of(view: ReferralView) -> Document:
    """The resource as a document whose numbers compare exactly."""
    loaded: Document = json.loads(json.dumps(view.document()), parse_float=Decimal)
    return loaded


def patched(document: Document, operations: Any) -> Document:
    """A document with the operations of an RFC 6902 patch applied; the given one and the operations stay as they are.

    Raises `Invalid`, with every operation that is malformed, or the one that does not fit the document. The first
    part of a fault's target is the operation's index.
    """
    if not isinstance(operations, list):
        raise Invalid((Fault("invalidType", "", "Send a JSON Patch: an array of operations."),))
    if len(operations) > MAX_OPERATIONS:
        raise Invalid((Fault("tooLong", "", f"Send at most {MAX_OPERATIONS} operations."),))
    faults = tuple(
        fault for index, each in enumerate(operations) for fault in _faults_of_operation(each, index)
    )
    if faults:
        raise Invalid(faults)
    if _size_of_values(operations) > MAX_VALUES:
        message = f"The values of a patch may take {MAX_VALUES:,} bytes of JSON altogether."
        raise Invalid((Fault("tooLong", "", message),))
    names = names_in(document)
    changed = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        _apply(changed, _spelled(operation, names), index)
    return changed


def merged(document: Document, sent: Mapping[str, Any]) -> Document:
    """A document with the values of one that was sent; what that leaves out stays as it is."""
    changed: Document = _merged(document, _respelled(sent, names_in(document)))
    return changed


def differences(before: Any, after: Any, at: str = "") -> Iterator[str]:
    """JSON Pointers to what differs. Objects are compared member by member, anything else as a whole."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield at
        return
    for name in sorted(before.keys() | after.keys()):
        yield from differences(before.get(name), after.get(name), f"{at}/{_escaped(name)}")


def names_in(document: Any) -> dict[str, str]:
    """The names of a document's members by their lower-case forms: names are read whatever their case."""
    found: dict[str, str] = {}
    if isinstance(document, dict):
        for name, value in document.items():
            found |= {name.lower(): name} | names_in(value)
    return found


def _faults_of_operation(operation: Any, index: int) -> Iterator[Fault]:
    at = f"/{index}"
    if not isinstance(operation, dict):
        yield Fault("invalidType", at, "An operation is an object with op and path.")
        return
    for name in sorted(operation.keys() - {"op", "path", "value", "from"}):
        yield Fault("unknownField", f"{at}/{_escaped(name)}", "An operation has no such member.")
    if operation.get("op") not in _OPERATIONS:
        yield Fault("invalidValue", f"{at}/op", f"Use one of {', '.join(_OPERATIONS)}.")
    if not _is_path(operation.get("path")):
        yield Fault(
            "invalidFormat", f"{at}/path", "Use a JSON Pointer to a field, such as /details/dealValue."
        )
    if operation.get("op") in ("add", "replace", "test") and "value" not in operation:
        yield Fault("required", f"{at}/value", "This operation needs a value.")


def _is_path(path: Any) -> bool:
    """Whether this can point to a field: a patch must not build what nests deeper than the one that was read."""
    return (
        isinstance(path, str)
        and path.startswith("/")
        and len(path) <= _LONGEST_PATH
        and path.count("/") <= _DEEPEST_PATH
    )


def _size_of_values(operations: list[dict[str, Any]]) -> int:
    """Bytes of JSON that the values take."""
    values = [operation["value"] for operation in operations if "value" in operation]
    return len(json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).encode())


def _apply(document: Document, operation: Mapping[str, Any], index: int) -> None:
    """Change a document by one operation, whose value goes into it as a copy. Raises `Invalid`."""
    try:
        jsonpatch.apply_patch(document, [operation], in_place=True)
    except jsonpatch.JsonPatchTestFailed as different:
        message = f"The document holds something else at {operation['path']}; nothing was changed."
        raise Invalid((Fault("invalidValue", f"/{index}/value", message),)) from different
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as unfit:
        message = f"The document has no such place: {operation['path'][:100]}."
        raise Invalid((Fault("invalidValue", f"/{index}/path", message),)) from unfit


def _spelled(operation: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    parts = operation["path"].split("/")
    path = "/".join(names.get(part.lower(), part) for part in parts)
    return {**operation, "path": path}


def _respelled(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {names.get(name.lower(), name): _respelled(each, names) for name, each in value.items()}


def _merged(document: Any, sent: Any) -> Any:
    if not (isinstance(document, dict) and isinstance(sent, dict)):
        return sent
    known = {name: _merged(value, sent[name]) if name in sent else value for name, value in document.items()}
    return {**known, **{name: value for name, value in sent.items() if name not in document}}


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
