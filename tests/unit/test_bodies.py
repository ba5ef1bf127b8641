"""Reading bodies: whatever kind of value stands anywhere, it is a fault and never an error."""

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import people, referral_parts, referral_requests, stage_maps
from api.body import Body, read
from shared.domain.refusals import Fault

MODELS = sorted(
    {
        model
        for module in (people, referral_parts, referral_requests, stage_maps)
        for _, model in inspect.getmembers(module, inspect.isclass)
        if issubclass(model, Body) and model is not Body
    },
    key=lambda model: model.__name__,
)
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
