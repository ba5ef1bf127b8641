"""Parse a JSON body into a typed request model, and report every fault of it at once.

To Pydantic all fields of a request model are optional; mandatory ones carry `Required`. So the valid part of a faulty
body can still be read, and the domain rules can report what they find in it in the same answer.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, count, islice
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from api.http.fields import NUMBER_HINT, TIME_HINT
from api.http.json_body import ambiguous_names
from shared.domain.refusals import Fault, FaultCode, Invalid

MAX_FAULTS = 100
"""How many faults one response lists."""
TOO_MANY_FAULTS = Fault(
    "invalidValue",
    "",
    f"There are more faults than these {MAX_FAULTS}: correct them and send the request again.",
)
"""The last fault of a list that was cut. Its target is the whole body, so no missing fields are reported besides."""
_FAULT_CODES: dict[str, FaultCode] = {
    "extra_forbidden": "unknownField",
    "literal_error": "invalidValue",
    "string_too_long": "tooLong",
    "too_long": "tooLong",
    "string_too_short": "required",
    "string_pattern_mismatch": "invalidFormat",
    "datetime_parsing": "invalidFormat",
    "datetime_from_date_parsing": "invalidFormat",
    "decimal_parsing": "invalidFormat",
    "greater_than_equal": "outOfRange",
    "less_than_equal": "outOfRange",
    "finite_number": "invalidValue",
    "string_unicode": "invalidFormat",
}
_OWN_CODES = {"invalidFormat", "invalidType", "invalidValue", "notInCatalogue", "outOfRange"}
_MESSAGES = {
    "model_type": "Use a JSON object",
    "model_attributes_type": "Use a JSON object",
    "tuple_type": "Use a JSON array",
    "extra_forbidden": "There is no such field; remove it.",
    "string_too_short": "Enter a text, or leave the field out if it is optional.",
    "too_long": "Send at most {max_length} of these",
    "string_type": "Use text",
    "bool_type": "Use true or false",
    "decimal_type": NUMBER_HINT,
    "decimal_parsing": NUMBER_HINT,
    "finite_number": "Use a number with fewer digits",
    "int_type": "Use a whole number",
    "int_parsing": "Use a whole number",
    "datetime_parsing": TIME_HINT,
    "datetime_from_date_parsing": TIME_HINT,
}


class Required:
    """Marks a mandatory field; null and empty values count as missing."""


class RequiredOrNull(Required):
    """Marks a field that must be sent but may be null."""


def _required_marker(field: FieldInfo) -> Required | None:
    return next((mark for mark in field.metadata if isinstance(mark, Required)), None)


def _forbid_empty(properties: dict[str, Any], name: str) -> None:
    """Publish a mandatory field as neither null nor empty, though it is optional to Pydantic."""
    kept = {key: value for key, value in properties[name].items() if key not in {"anyOf", "default"}}
    choices = [
        each | ({"minItems": 1} if each.get("type") == "array" else {})
        for each in properties[name].get("anyOf", [])
        if each != {"type": "null"}
    ]
    properties[name] = kept | ({"anyOf": choices} if len(choices) > 1 else choices[0] if choices else {})


class Body(BaseModel):
    """Base of request models. Field names are matched case-insensitively; unknown fields are faults.

    Clients send back what they read. So every field of `response`, the resource that the request creates or changes,
    is accepted; those that the request model does not have belong to the server and are ignored, as are the fields in
    `ignored`. Fields in `unused` are part of the documented wire format but not stored: they are accepted and named
    in the resource's warnings.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
    response: ClassVar[type[BaseModel] | None] = None
    ignored: ClassVar[frozenset[str]] = frozenset()
    unused: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def server_owned(cls) -> frozenset[str]:
        """The fields (JSON names) that a client may send and that are ignored."""
        returned = json_names(cls.response) if cls.response else frozenset()
        return cls.ignored | (returned - json_names(cls) - cls.unused)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        """Add mandatory, ignored and unused fields to the published schema."""
        published = handler.resolve_ref_schema(handler(schema))
        fields = cls.model_fields.items()
        required = {info.alias or name: mark for name, info in fields if (mark := _required_marker(info))}
        if required:
            published["required"] = list(required)
        for name, mark in required.items():
            if not isinstance(mark, RequiredOrNull):
                _forbid_empty(published["properties"], name)
        for name in sorted(cls.unused):
            published["properties"].setdefault(name, {"description": "Accepted, but not stored."})
        for name in sorted(cls.server_owned()):
            published["properties"].setdefault(
                name, {"description": "Set by the server; ignored in requests."}
            )
        return published

    @model_validator(mode="before")
    @classmethod
    def _normalize_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        names = _known_names(cls)
        values = {names.get(str(key).lower(), str(key)): value for key, value in data.items()}
        dropped = _dropped_names(cls)
        return {key: value for key, value in values.items() if key not in dropped}


M = TypeVar("M", bound=Body)


@dataclass(frozen=True, slots=True)
class ParsedBody(Generic[M]):
    """The valid part of a body, its faults of form, and the JSON Pointers of the fields sent that are not stored."""

    body: M
    faults: tuple[Fault, ...]
    unused: tuple[str, ...]

    def faults_with(self, rules: Iterable[Fault]) -> tuple[Fault, ...]:
        """All faults of the request: those of form, then those that `rules` found in the valid part."""
        return combine_faults(self.faults, rules)

    def require_valid(self, rules: Iterable[Fault] = ()) -> None:
        """Raise `Invalid` with all faults of the request, if there are any."""
        if faults := self.faults_with(rules):
            raise Invalid(faults)


def read(model: type[M], document: Any, *, partial: bool = False) -> ParsedBody[M]:
    """Parse a JSON document; missing mandatory fields are faults unless `partial`.

    Lists at most `MAX_FAULTS` faults, then `TOO_MANY_FAULTS`.
    """
    faults = faults_of_names(document)
    remaining, names = document, _NameIndex()
    for depth in count():
        try:
            body = model.model_validate(remaining)
            break
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_input=False)
            found = (_fault(error, document, names) for error in errors)
            faults += tuple(islice(_independent(found, faults), MAX_FAULTS + 1))
            if len(faults) > MAX_FAULTS:  # the list is full: drop whole top-level fields, to end at once
                body = model.model_validate(_without(remaining, [error["loc"][:1] for error in errors]))
                break
            # A value that cannot be removed by itself, such as an item of a list, goes with its parent next time.
            remaining = _without(remaining, [error["loc"][: -depth or None] for error in errors])
    missing = () if partial else _independent(_entirely_missing(_missing(body, ""), faults), faults)
    unused = tuple(sorted(_unused(body, document, "", names)))
    return ParsedBody(body, limit_faults(chain(faults, missing)), unused)


def faults_of_names(document: Any) -> tuple[Fault, ...]:
    """A fault for each name that an object has more than once, whatever the case: at most one too many to list."""
    message = "This name is there more than once (upper and lower case count as the same): send it once."
    places = islice(ambiguous_names(document), MAX_FAULTS + 1)
    return tuple(Fault("invalidValue", pointer_of(place), message) for place in places)


def pointer_of(steps: Iterable[str | int]) -> str:
    """The JSON Pointer of the place that these steps lead to."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def combine_faults(known: tuple[Fault, ...], found: Iterable[Fault]) -> tuple[Fault, ...]:
    """The known faults, then those found elsewhere."""
    return (*known, *independent_faults(found, known))


def independent_faults(found: Iterable[Fault], known: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults that do not follow from known ones: an unreadable value is not reported as missing or wrong too."""
    return tuple(_independent(found, known))


def limit_faults(found: Iterable[Fault]) -> tuple[Fault, ...]:
    """All faults, or the first `MAX_FAULTS` and `TOO_MANY_FAULTS`."""
    faults = tuple(islice(found, MAX_FAULTS + 1))
    return faults if len(faults) <= MAX_FAULTS else (*faults[:MAX_FAULTS], TOO_MANY_FAULTS)


def enclosing_pointers(target: str) -> Iterator[str]:
    """A JSON Pointer in lower case, then those of its parents, up to the whole document ("")."""
    pointer = target.lower()
    while pointer:
        yield pointer
        pointer = pointer.rpartition("/")[0]
    yield pointer


def json_names(model: type[BaseModel]) -> frozenset[str]:
    """The JSON names of a model's fields."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _independent(found: Iterable[Fault], known: Iterable[Fault]) -> Iterator[Fault]:
    faulty = {fault.target.lower() for fault in known}
    return (fault for fault in found if faulty.isdisjoint(enclosing_pointers(fault.target)))


def _entirely_missing(missing: Iterable[Fault], known: Iterable[Fault]) -> Iterator[Fault]:
    """Missing fields, except those of which some part was sent but is faulty."""
    sent = {pointer for fault in known for pointer in enclosing_pointers(fault.target)}
    return (fault for fault in missing if fault.target.lower() not in sent)


class _NameIndex:
    """Finds the names in a document's objects case-insensitively; each object is indexed once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[dict[str, Any], dict[str, list[str]]]] = {}

    def spellings(self, part: dict[str, Any], name: str | int) -> list[str]:
        """The spellings in which an object has a name: several, if it was sent several times."""
        if id(part) not in self._known:
            by_lower_case: dict[str, list[str]] = {}
            for key in part:
                by_lower_case.setdefault(key.lower(), []).append(key)
            self._known[id(part)] = (part, by_lower_case)  # with the object, so that its id stays unique
        return self._known[id(part)][1].get(str(name).lower(), [])


def _pointer(location: Iterable[str | int], document: Any, names: _NameIndex) -> str:
    """The JSON Pointer of a location, with names spelled as they were sent."""
    parts: list[str | int] = []
    for step in location:
        name: str | int = step
        if isinstance(document, dict):
            name = step if step in document else next(iter(names.spellings(document, step)), step)
            document = document.get(name)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        parts.append(name)
    return pointer_of(parts)


@cache
def _known_names(model: type[Body]) -> dict[str, str]:
    return {name.lower(): name for name in json_names(model) | _dropped_names(model)}


@cache
def _dropped_names(model: type[Body]) -> frozenset[str]:
    return model.unused | model.server_owned()


def _fault(error: Any, document: Any, names: _NameIndex) -> Fault:
    kind: str = error["type"]
    code = cast("FaultCode", kind) if kind in _OWN_CODES else _FAULT_CODES.get(kind, "invalidType")
    message = _MESSAGES.get(kind, "").format(**error.get("ctx", {})) or error["msg"]
    message = message.replace("Input should be", "Use")
    return Fault(code, _pointer(error["loc"], document, names), f"{message.rstrip('.')}.")


def _without(document: Any, locations: list[tuple[str | int, ...]]) -> Any:
    """A copy without the values at these locations; list items are emptied instead, so that indexes stay valid."""
    copy, names = json.loads(json.dumps(document, default=str)), _NameIndex()
    for location in locations:
        if not location:
            return {}
        _remove(copy, location, names)
    return copy


def _remove(document: Any, location: tuple[str | int, ...], names: _NameIndex) -> None:
    for step in location[:-1]:
        document = _child(document, step, names)
    last = location[-1]
    if isinstance(document, dict):
        for key in names.spellings(document, last):
            document.pop(key, None)
    elif isinstance(document, list) and isinstance(last, int):
        document[last] = {}


def _child(document: Any, step: str | int, names: _NameIndex) -> Any:
    if isinstance(document, dict):
        return next((document[key] for key in names.spellings(document, step) if key in document), None)
    return document[step] if isinstance(document, list) and isinstance(step, int) else None


def _missing(body: Body, at: str) -> Iterator[Fault]:
    for name, field in type(body).model_fields.items():
        value, target = getattr(body, name), f"{at}/{field.alias or name}"
        if _is_missing(field, value, sent=name in body.model_fields_set):
            yield Fault("required", target, "This field is mandatory.")
        for index, part in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(part, Body):
                yield from _missing(part, f"{target}/{index}")
        if isinstance(value, Body):
            yield from _missing(value, target)


def _unused(body: Body, document: Any, at: str, names: _NameIndex) -> Iterator[str]:
    """The JSON Pointers of documented fields in a document that its model does not store."""
    if not isinstance(document, dict):
        return
    yield from (f"{at}/{name}" for name in type(body).unused if names.spellings(document, name))
    for name, field in type(body).model_fields.items():
        value, target = getattr(body, name), field.alias or name
        part = _child(document, target, names)
        if isinstance(value, Body):
            yield from _unused(value, part, f"{at}/{target}", names)
        elif isinstance(value, tuple) and isinstance(part, list):
            for index, (item, sent) in enumerate(zip(value, part, strict=False)):
                if isinstance(item, Body):
                    yield from _unused(item, sent, f"{at}/{target}/{index}", names)


def _is_missing(field: FieldInfo, value: object, *, sent: bool) -> bool:
    mark = _required_marker(field)
    return mark is not None and not (
        sent if isinstance(mark, RequiredOrNull) else value not in (None, (), [])
    )
