"""Reading a JSON body into a typed request and every fault of it at once.

All fields of a request model are optional to Pydantic; those that must be there carry `Required`. So a body with
faults can be read without them, and the rules that need the remaining fields can still say what they find.
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
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from api.http.fields import A_MOMENT, A_NUMBER
from shared.domain.refusals import Fault, FaultCode

MOST_FAULTS = 100
"""How many faults one answer tells of."""
MORE_FAULTS = Fault(
    "invalidValue", "", f"There are more faults than these {MOST_FAULTS}: correct them, and send it again."
)
"""The last fault of too many. It stands for the whole body, so that nothing is said about what was not read."""
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
    "extra_forbidden": "This service knows no such field; remove it.",
    "string_too_short": "Write something here, or leave the field out where it is optional.",
    "too_long": "Send at most {max_length} of these",
    "string_type": "Use text",
    "bool_type": "Use true or false",
    "decimal_type": A_NUMBER,
    "decimal_parsing": A_NUMBER,
    "finite_number": "Use a number of fewer digits",
    "int_type": "Use a whole number",
    "int_parsing": "Use a whole number",
    "datetime_parsing": A_MOMENT,
    "datetime_from_date_parsing": A_MOMENT,
}


class Required:
    """Marks a field that a request must have, with something in it."""


class RequiredOrNull(Required):
    """Marks a field that a request must have, be it null."""


def _mark_of(field: FieldInfo) -> Required | None:
    return next((mark for mark in field.metadata if isinstance(mark, Required)), None)


def _demand_something(properties: dict[str, Any], name: str) -> None:
    """All fields are optional to Pydantic; what is mandatory is neither null nor empty to readers of the schema."""
    shown = {key: value for key, value in properties[name].items() if key not in {"anyOf", "default"}}
    choices = [
        each | ({"minItems": 1} if each.get("type") == "array" else {})
        for each in properties[name].get("anyOf", [])
        if each != {"type": "null"}
    ]
    properties[name] = shown | ({"anyOf": choices} if len(choices) > 1 else choices[0] if choices else {})


class Body(BaseModel):
    """Base of request models. Names are read whatever their case.

    `ignored` are fields that the server owns and older clients send along; `unused` those that the wire format
    documents and this service does not keep: accepted, and named in the resource's warnings.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
    ignored: ClassVar[frozenset[str]] = frozenset()
    unused: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        """The schema says as well what `Required`, `ignored` and `unused` mean."""
        made = handler.resolve_ref_schema(handler(schema))
        fields = cls.model_fields.items()
        required = {info.alias or name: mark for name, info in fields if (mark := _mark_of(info))}
        if required:
            made["required"] = list(required)
        for name, mark in required.items():
            if not isinstance(mark, RequiredOrNull):
                _demand_something(made["properties"], name)
        for name in sorted(cls.unused):
            made["properties"].setdefault(name, {"description": "Accepted, and not kept."})
        for name in sorted(cls.ignored):
            made["properties"].setdefault(name, {"description": "The server's own; what is sent is ignored."})
        return made

    @model_validator(mode="before")
    @classmethod
    def _fold_names(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        names = _known_names(cls)
        folded = {names.get(str(key).lower(), str(key)): value for key, value in data.items()}
        for name in cls.unused & folded.keys():
            if info.context is not None:
                info.context.setdefault("warnings", set()).add(name)
        return {key: value for key, value in folded.items() if key not in cls.unused | cls.ignored}


M = TypeVar("M", bound=Body)


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """A body as far as it could be read, its faults, and the names of documented fields that are not kept."""

    body: M
    faults: tuple[Fault, ...]
    unused: tuple[str, ...]


def read(model: type[M], document: Any, *, partial: bool = False) -> Reading[M]:
    """A document as a request of this model, with all faults of form, and unless `partial` all missing fields.

    Of more than `MOST_FAULTS` it has the first, and `MORE_FAULTS`.
    """
    context: dict[str, set[str]] = {}
    faults: tuple[Fault, ...] = ()
    remaining, spelled = document, _Names()
    for depth in count():
        try:
            body = model.model_validate(remaining, context=context)
            break
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_input=False)
            told = (_fault(error, document, spelled) for error in errors)
            faults += tuple(islice(_unexplained(told, faults), MOST_FAULTS + 1))
            if len(faults) > MOST_FAULTS:  # no more is said about this body: whole fields go at once
                body = model.model_validate(_without(remaining, [error["loc"][:1] for error in errors]))
                break
            # What cannot be taken out by itself, such as a word in a list, goes with what holds it next time.
            remaining = _without(remaining, [error["loc"][: -depth or None] for error in errors])
    missing = () if partial else _unexplained(_without_parts(_missing(body, ""), faults), faults)
    return Reading(body, at_most(chain(faults, missing)), tuple(sorted(context.get("warnings", ()))))


def unless_below(found: Iterable[Fault], known: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults that known ones do not explain: what could not be read cannot be said to be missing or wrong too."""
    return tuple(_unexplained(found, known))


def at_most(found: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults as one answer tells of them: all, or of more than `MOST_FAULTS` the first and `MORE_FAULTS`."""
    faults = tuple(islice(found, MOST_FAULTS + 1))
    return faults if len(faults) <= MOST_FAULTS else (*faults[:MOST_FAULTS], MORE_FAULTS)


def places_to(target: str) -> Iterator[str]:
    """A JSON Pointer, and those to all that holds the place, in lower case; the last is that of the whole."""
    place = target.lower()
    while place:
        yield place
        place = place.rpartition("/")[0]
    yield place


def _unexplained(found: Iterable[Fault], known: Iterable[Fault]) -> Iterator[Fault]:
    faulty = {fault.target.lower() for fault in known}
    return (fault for fault in found if faulty.isdisjoint(places_to(fault.target)))


def _without_parts(missing: Iterable[Fault], known: Iterable[Fault]) -> Iterator[Fault]:
    """What is missing, but for that of which some part was sent and could not be read."""
    sent = {place for fault in known for place in places_to(fault.target)}
    return (fault for fault in missing if fault.target.lower() not in sent)


class _Names:
    """The names of a document's objects by their lower-case forms; each object is gone through once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[dict[str, Any], dict[str, list[str]]]] = {}

    def spelled(self, part: dict[str, Any], name: str | int) -> list[str]:
        """How an object spells a name: as often as it was sent."""
        if id(part) not in self._known:
            folded: dict[str, list[str]] = {}
            for key in part:
                folded.setdefault(key.lower(), []).append(key)
            self._known[id(part)] = (part, folded)  # held, so that no other object gets its id
        return self._known[id(part)][1].get(str(name).lower(), [])


def _pointer(location: Iterable[str | int], document: Any, names: _Names) -> str:
    """The JSON Pointer of a location, with names spelled as they were sent."""
    parts: list[str] = []
    for step in location:
        name: str | int = step
        if isinstance(document, dict):
            name = step if step in document else next(iter(names.spelled(document, step)), step)
            document = document.get(name)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        parts.append(str(name).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


@cache
def _known_names(model: type[Body]) -> dict[str, str]:
    return {name.lower(): name for name in _wire_names(model) | model.unused | model.ignored}


def _wire_names(model: type[Body]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _fault(error: Any, document: Any, names: _Names) -> Fault:
    kind: str = error["type"]
    code = cast("FaultCode", kind) if kind in _OWN_CODES else _FAULT_CODES.get(kind, "invalidType")
    message = _MESSAGES.get(kind, "").format(**error.get("ctx", {})) or error["msg"]
    message = message.replace("Input should be", "Use")
    return Fault(code, _pointer(error["loc"], document, names), f"{message.rstrip('.')}.")


def _without(document: Any, locations: list[tuple[str | int, ...]]) -> Any:
    """A copy of a document without what is at these locations; places in lists stay, so that pointers keep."""
    copy, names = json.loads(json.dumps(document, default=str)), _Names()
    for location in locations:
        if not location:
            return {}
        _remove(copy, location, names)
    return copy


def _remove(document: Any, location: tuple[str | int, ...], names: _Names) -> None:
    for step in location[:-1]:
        document = _at(document, step, names)
    last = location[-1]
    if isinstance(document, dict):
        for key in names.spelled(document, last):
            document.pop(key, None)
    elif isinstance(document, list) and isinstance(last, int):
        document[last] = {}


def _at(document: Any, step: str | int, names: _Names) -> Any:
    if isinstance(document, dict):
        return next((document[key] for key in names.spelled(document, step) if key in document), None)
    return document[step] if isinstance(document, list) and isinstance(step, int) else None


def _missing(body: Body, at: str) -> Iterator[Fault]:
    for name, field in type(body).model_fields.items():
        value, target = getattr(body, name), f"{at}/{field.alias or name}"
        if _is_missing(field, value, named=name in body.model_fields_set):
            yield Fault("required", target, "This field is mandatory.")
        for index, part in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(part, Body):
                yield from _missing(part, f"{target}/{index}")
        if isinstance(value, Body):
            yield from _missing(value, target)


def _is_missing(field: FieldInfo, value: object, *, named: bool) -> bool:
    mark = _mark_of(field)
    return mark is not None and not (
        named if isinstance(mark, RequiredOrNull) else value not in (None, (), [])
    )
