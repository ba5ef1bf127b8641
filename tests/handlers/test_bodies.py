"""Reading bodies: whatever kind of value stands anywhere, it is a fault and never an error."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import operations
from api.common import request_parts
from api.directory import people
from api.http.body import (
    MAX_FAULTS,
    TOO_MANY_FAULTS,
    Body,
    RequiredOrNull,
    independent_faults,
    read,
)
from api.http.idempotency import _canonical
from api.http.json_body import MAX_DIGITS, MAX_NESTING, UnreadableBody, load_json
from api.referrals import request_schemas as referral_requests
from api.registrations import request_schemas as registration_requests
from shared.domain.refusals import Fault


def below(model: type[Body]) -> set[type[Body]]:
    """All kinds of bodies, of whatever operation."""
    return {kind for each in model.__subclasses__() for kind in (each, *below(each)) if kind.model_fields}


assert operations.OPERATIONS, "imports what has bodies"
MODELS = sorted(below(Body), key=lambda model: model.__name__)
ODD: list[Any] = [
    None,
    {},
    [],
    "x",
    "",
    1,
    1.5,
    True,
    [None],
    [[]],
    [{}],
    {"a": 1},
    "\ud800",
    "\x00",
    10**400,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_no_value_anywhere_is_more_than_a_fault(model: type[Body], value: Any) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    for document in (value, dict.fromkeys(names, value), *({name: value} for name in names)):
        assert all(isinstance(fault, Fault) for fault in read(model, document).faults)


@given(st.sampled_from(MODELS), st.data())
def test_no_document_is_more_than_faults(model: type[Body], data: st.DataObject) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    document = data.draw(st.dictionaries(st.sampled_from(names) | st.text(max_size=5), JSON, max_size=4))
    reading = read(model, document)
    assert len({fault.target for fault in reading.faults}) == len(reading.faults)


def test_what_could_not_be_read_is_not_missing_as_well() -> None:
    reading = read(people.PersonBody, {"roles": ["Nobody"], "email": "x@example.com", "firstName": "A"})
    assert {(fault.target, fault.code) for fault in reading.faults} == {
        ("/roles/0", "invalidValue"),
        ("/lastName", "required"),
    }


def test_names_that_differ_in_case_alone_are_all_told_where_they_stand() -> None:
    body = {"NOTES": 1, "Notes": 2, "unKnown": 3, "Unknown": 4}
    reading = read(referral_requests.WinBody, body)
    assert {fault.target for fault in reading.faults} == {"/NOTES", "/unKnown", "/Unknown"}


def test_of_too_many_faults_the_first_are_told_and_that_there_are_more() -> None:
    for many in (MAX_FAULTS, MAX_FAULTS + 1, 5000):
        reading = read(referral_requests.WinBody, {f"k{n}": 1 for n in range(many)})
        told = [fault.target for fault in reading.faults]
        assert told[:MAX_FAULTS] == [f"/k{n}" for n in range(MAX_FAULTS)]
        assert told[MAX_FAULTS:] == ([""] if many > MAX_FAULTS else [])


def test_of_too_many_missing_fields_the_first_are_told_and_that_there_are_more() -> None:
    solutions: list[Any] = [{}] * 500
    reading = read(request_parts.RequirementsBody, {"solutions": solutions})
    assert len(reading.faults) == MAX_FAULTS + 1
    assert reading.faults[0].target == "/solutions/0/id"
    assert reading.faults[-1] == TOO_MANY_FAULTS


def test_beyond_too_many_faults_no_rule_says_anything_about_what_was_not_read() -> None:
    reading = read(referral_requests.WinBody, {f"k{n}": 1 for n in range(500)})
    assert independent_faults([Fault("required", "/notes", "Say it.")], reading.faults) == ()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_too_many_faults_leave_a_body_without_the_fields_that_have_them(
    model: type[Body], value: Any
) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    document = {f"k{n}": value for n in range(200)} | dict.fromkeys(names, value)
    reading = read(model, document)
    assert reading.faults[-1] == TOO_MANY_FAULTS
    assert len(reading.faults) == MAX_FAULTS + 1


def test_a_body_with_too_many_faults_still_says_which_engagement_it_means() -> None:
    """Who may not see it is told so first (V5)."""
    body = {"engagementId": "e", "team": [{"x": 1}] * 200}
    assert read(referral_requests.CreationBody, body).body.engagement_id == "e"


class CountedKeys(dict[str, Any]):
    """An object that counts how often somebody goes through it."""

    gone_through = 0

    def __iter__(self) -> Iterator[str]:
        self.gone_through += 1
        return super().__iter__()

    def items(self) -> Any:
        self.gone_through += 1
        return super().items()


@pytest.mark.parametrize("unknown", [1, 10, 90])
def test_an_object_is_gone_through_as_often_however_many_names_are_unknown(unknown: int) -> None:
    document = CountedKeys({f"k{n}": 1 for n in range(unknown)})
    assert len(read(referral_requests.WinBody, document).faults) == unknown
    assert document.gone_through <= 4


def load(text: str) -> Any:
    return load_json(text.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_a_body_that_nests_too_deep_is_refused(opening: str, closing: str) -> None:
    levels = opening.count("[") + opening.count("{")
    fit = MAX_NESTING // levels
    assert load(opening * fit + "1" + closing * fit)
    assert load("[" + '"' + opening * 500 + '"' + "]") if '"' not in opening else True
    for deep in (fit + 1, 100, 600, 990, 5000, 100_000):
        with pytest.raises(UnreadableBody) as refused:
            load(opening * deep + "1" + closing * deep)
        assert refused.value.status == 400


def test_an_empty_array_counts_as_a_level() -> None:
    assert load("[" * MAX_NESTING + "]" * MAX_NESTING)
    with pytest.raises(UnreadableBody):
        load("[" * (MAX_NESTING + 1) + "]" * (MAX_NESTING + 1))


def test_a_number_of_too_many_digits_is_refused_in_our_words() -> None:
    assert load("1" * MAX_DIGITS) == int("1" * MAX_DIGITS)
    with pytest.raises(UnreadableBody, match=r"The body is not JSON: a number has more than 1,000 digits$"):
        load('{"value": -' + "1" * (MAX_DIGITS + 1) + "}")


NUMBER, TIME = "Use a number with a decimal point.", "Use text such as 2027-03-31T00:00:00Z."
CURRENCY = "Use an ISO 4217 currency code, such as USD."
EMPTY = "Enter a text, or leave the field out if it is optional."
WORDS: list[tuple[dict[str, Any], str, str]] = [
    ({"contract": {"value": "12,5"}}, "/contract/value", NUMBER),
    ({"contract": {"value": []}}, "/contract/value", NUMBER),
    ({"contract": {"value": True}}, "/contract/value", NUMBER),
    ({"contract": {"value": 10**400}}, "/contract/value", "Use a number with fewer digits."),
    ({"contractType": "Old"}, "/contractType", "Use 'New' or 'Renewal'."),
    ({"contract": {"currency": "usd"}}, "/contract/currency", CURRENCY),
    ({"contract": {"signDateTime": "soon"}}, "/contract/signDateTime", TIME),
    ({"contract": {"signDateTime": "20-12-2026"}}, "/contract/signDateTime", TIME),
    ({"contract": {"signDateTime": 5}}, "/contract/signDateTime", TIME),
    ({"contract": {"signDateTime": "1790000000"}}, "/contract/signDateTime", TIME),
    ({"contract": {"signDateTime": " -1.5e3"}}, "/contract/signDateTime", TIME),
    ({"submit": "perhaps"}, "/submit", "Use true or false."),
    ({"solutionId": 5}, "/solutionId", "Use text."),
    ({"contact": []}, "/contact", "Use a JSON object."),
    ({"contact": {"lastName": " "}}, "/contact/lastName", EMPTY),
]


@pytest.mark.parametrize(("document", "target", "words"), WORDS)
def test_a_fault_says_in_our_words_what_to_write(document: dict[str, Any], target: str, words: str) -> None:
    (fault,) = read(registration_requests.RegistrationBody, document).faults
    assert (fault.target, fault.message) == (target, words)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_what_a_body_must_have_is_not_null_to_readers_of_the_contract(model: type[Body]) -> None:
    schema = model.model_json_schema()
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    for name in schema.get("required", ()):
        nullable = any(isinstance(mark, RequiredOrNull) for mark in fields[name].metadata)
        shown = schema["properties"][name]
        assert ({"type": "null"} in shown.get("anyOf", [])) == nullable, name
        assert shown.get("type") != "array" or shown["minItems"] >= 1, name


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_whatever_can_be_loaded_has_a_hash_as_the_body_of_a_key(opening: str) -> None:
    closing = {"[": "]"}.get(opening, "}")
    document = load(opening * MAX_NESTING + "1" + closing * MAX_NESTING)
    assert repr(_canonical(document))
