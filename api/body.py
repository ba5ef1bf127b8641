"""Reading a JSON body into a typed request and every fault of it at once.

All fields of a request model are optional to Pydantic; those that must be there carry `Required`. So a body with
faults can be read without them, and the rules that need the remaining fields can still say what they find.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from shared.domain.refusals import Fault, FaultCode

MAX_BYTES = 1024 * 1024
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
    "string_too_short": "Write something here, or leave the field out.",
}


class UnreadableBody(Exception):
    """A body that is no JSON in UTF-8, or the wrong kind, or too large: `status` is 400, 413 or 415."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Required:
    """Marks a field that a request must have, with something in it."""


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
        required = [
            info.alias or name for name, info in fields if any(isinstance(m, Required) for m in info.metadata)
        ]
        if required:
            made["required"] = required
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
        names = {name.lower(): name for name in _wire_names(cls) | cls.unused | cls.ignored}
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


def load_json(content_type: str, raw: bytes, media_types: tuple[str, ...] = ("application/json",)) -> Any:
    """The JSON of a request; an empty body is an empty object. Raises `UnreadableBody`."""
    if len(raw) > MAX_BYTES:
        raise UnreadableBody(413, f"Send at most {MAX_BYTES:,} bytes.")
    if not raw.strip():
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise UnreadableBody(415, f"Send the body as {' or '.join(media_types)}.")
    try:
        text = raw.decode("utf-8-sig")
        document = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeError as broken:
        raise UnreadableBody(400, "The body is not UTF-8.") from broken
    except (ValueError, RecursionError) as broken:
        raise UnreadableBody(400, f"The body is not JSON: {str(broken)[:200]}") from broken
    return document


def read(model: type[M], document: Any, *, partial: bool = False) -> Reading[M]:
    """A document as a request of this model, with all faults of form, and unless `partial` all missing fields."""
    context: dict[str, set[str]] = {}
    faults: tuple[Fault, ...] = ()
    remaining = document
    for depth in count():
        try:
            body = model.model_validate(remaining, context=context)
            break
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_input=False, include_context=False)
            faults += unless_below((_fault(error, document) for error in errors), faults)
            # What cannot be taken out by itself, such as a word in a list, goes with what holds it next time.
            remaining = _without(remaining, [error["loc"][: len(error["loc"]) - depth] for error in errors])
    missing = () if partial else unless_below(_missing(body, ""), faults)
    unexplained = (
        each for each in missing if not any(f.target.startswith(f"{each.target}/") for f in faults)
    )
    return Reading(body, (*faults, *unexplained), tuple(sorted(context.get("warnings", ()))))


def unless_below(found: Iterable[Fault], known: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults that known ones do not explain: what could not be read cannot be said to be missing or wrong too."""
    faulty = {fault.target for fault in known}
    return tuple(
        fault
        for fault in found
        if not any(f"{fault.target}/".lower().startswith(f"{at}/".lower()) for at in faulty)
    )


def pointer(location: Iterable[str | int], document: Any) -> str:
    """The JSON Pointer of a location, with names spelled as they were sent."""
    parts: list[str] = []
    for step in location:
        name: str | int = step
        if isinstance(document, dict):
            name = next((key for key in document if key.lower() == str(step).lower()), step)
            document = document.get(name)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        parts.append(str(name).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


def _wire_names(model: type[Body]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _fault(error: Any, document: Any) -> Fault:
    kind: str = error["type"]
    code = cast("FaultCode", kind) if kind in _OWN_CODES else _FAULT_CODES.get(kind, "invalidType")
    message = _MESSAGES.get(kind, error["msg"])
    return Fault(code, pointer(error["loc"], document), f"{message.rstrip('.')}.")


def _without(document: Any, locations: list[tuple[str | int, ...]]) -> Any:
    """A copy of a document without what is at these locations; places in lists stay, so that pointers keep."""
    copy = json.loads(json.dumps(document, default=str))
    for location in locations:
        if not location:
            return {}
        _remove(copy, location)
    return copy


def _remove(document: Any, location: tuple[str | int, ...]) -> None:
    for step in location[:-1]:
        document = _at(document, step)
    last = location[-1]
    if isinstance(document, dict):
        for key in [key for key in document if key.lower() == str(last).lower()]:
            del document[key]
    elif isinstance(document, list) and isinstance(last, int):
        document[last] = {}


def _at(document: Any, step: str | int) -> Any:
    if isinstance(document, dict):
        return next((value for key, value in document.items() if key.lower() == str(step).lower()), None)
    return document[step] if isinstance(document, list) and isinstance(step, int) else None


def _missing(body: Body, at: str) -> Iterator[Fault]:
    for name, field in type(body).model_fields.items():
        value, target = getattr(body, name), f"{at}/{field.alias or name}"
        if any(isinstance(mark, Required) for mark in field.metadata) and value in (None, (), []):
            yield Fault("required", target, "This field is mandatory.")
        for index, part in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(part, Body):
                yield from _missing(part, f"{target}/{index}")
        if isinstance(value, Body):
            yield from _missing(value, target)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
