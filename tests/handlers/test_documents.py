"""What PATCH and PUT make of a document (RFC 6902): guarded, and the given document stays as it is."""

import copy
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.referrals.documents import (
    MAX_OPERATIONS,
    MAX_VALUES,
    apply_patch,
    differences,
    merge_document,
    to_document,
)
from api.referrals.mapping import referral_view
from shared.domain.refusals import Invalid
from tests.examples.referrals import NOW, creators

DOCUMENT = to_document(referral_view(creators(), NOW))


def op(name: str, path: str, *value: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **({"value": value[0]} if value else {})}


def faults(operations: Any) -> dict[str, str]:
    before = copy.deepcopy(DOCUMENT)
    with pytest.raises(Invalid) as refused:
        apply_patch(DOCUMENT, operations)
    assert before == DOCUMENT
    return {fault.target: fault.code for fault in refused.value.faults}


def test_operations_apply_in_order_to_a_copy() -> None:
    before = copy.deepcopy(DOCUMENT)
    after = apply_patch(
        DOCUMENT,
        [
            op("test", "/details/dealValue", Decimal("40000.5")),
            op("replace", "/details/dealValue", 5),
            op("test", "/details/dealValue", 5),
            op("add", "/team/0", {"email": "first@contoso.com"}),
            op("add", "/TEAM/-", {"email": "last@contoso.com"}),
            op("remove", "/campaignId"),
        ],
    )
    assert before == DOCUMENT
    assert [each["email"] for each in after["team"]] == [
        *("first@contoso.com", "rae@contoso.com", "last@contoso.com"),
    ]
    assert set(differences(DOCUMENT, after)) == {"/details/dealValue", "/team", "/campaignId"}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ({}, {"": "invalidType"}),
        ("[]", {"": "invalidType"}),
        ([op("remove", "/name")] * (MAX_OPERATIONS + 1), {"": "tooLong"}),
        ([None, 1], {"/0": "invalidType", "/1": "invalidType"}),
        ([op("copy", "/name"), op("move", "/name")], {"/0/op": "invalidValue", "/1/op": "invalidValue"}),
        ([{"path": "/name"}], {"/0/op": "invalidValue"}),
        ([op([], "/name", 1), op({}, "/name", 1)], {"/0/op": "invalidValue", "/1/op": "invalidValue"}),  # type: ignore[arg-type]
        ([op("add", "/details" * 21, 1)], {"/0/path": "invalidFormat"}),
        ([{"op": "remove"}], {"/0/path": "invalidFormat"}),
        ([op("remove", "")], {"/0/path": "invalidFormat"}),
        ([op("remove", 7)], {"/0/path": "invalidFormat"}),  # type: ignore[arg-type]
        ([op("remove", "/" + "x" * 600)], {"/0/path": "invalidFormat"}),
        ([op("add", "/name")], {"/0/value": "required"}),
        ([{**op("remove", "/name"), "comment": "x"}], {"/0/comment": "unknownField"}),
        ([op("remove", "/nowhere")], {"/0/path": "invalidValue"}),
        ([op("replace", "/nowhere", 1)], {"/0/path": "invalidValue"}),
        ([op("add", "/team/9", {})], {"/0/path": "invalidValue"}),
        ([op("remove", "/team/01")], {"/0/path": "invalidValue"}),
        ([op("remove", "/team/-")], {"/0/path": "invalidValue"}),
        ([op("replace", "/team/-1", {})], {"/0/path": "invalidValue"}),
        ([op("add", "/name/first", "x")], {"/0/path": "invalidValue"}),
        ([op("replace", "/name/~2", "x")], {"/0/path": "invalidValue"}),
        ([op("test", "/name", "other")], {"/0/value": "invalidValue"}),
        ([op("test", "/favorite", 0)], {"/0/value": "invalidValue"}),
        ([op("replace", "/name", "x"), op("remove", "/nowhere")], {"/1/path": "invalidValue"}),
    ],
    ids=repr,
)
def test_what_is_malformed_or_does_not_fit_is_refused_where_it_stands(
    operations: Any, expected: dict
) -> None:
    assert faults(operations) == expected


class Counted(dict[str, Any]):
    """A document that counts its copies."""

    copies = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "Counted":
        type(self).copies += 1
        return Counted(copy.deepcopy(dict(self), memo))


def test_a_patch_copies_the_document_once_however_many_operations_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counted, "copies", 0)
    apply_patch(Counted(DOCUMENT), [op("test", "/name", DOCUMENT["name"])] * MAX_OPERATIONS)
    assert Counted.copies == 1


def test_what_was_sent_stays_as_it_is_where_a_later_operation_changes_it() -> None:
    """A retry applies the same operations again."""
    operations = [op("add", "/team", []), op("add", "/team/-", {}), op("add", "/team/0/email", "x")]
    before = copy.deepcopy(operations)
    assert (
        apply_patch(DOCUMENT, operations)["team"]
        == apply_patch(DOCUMENT, operations)["team"]
        == [{"email": "x"}]
    )
    assert operations == before


def test_the_values_of_a_patch_may_take_what_a_whole_record_does() -> None:
    assert apply_patch(DOCUMENT, [op("replace", "/name", "x" * (MAX_VALUES - 4))])["name"]
    for one_more in (
        [op("replace", "/name", "x" * (MAX_VALUES - 3))],
        [op("test", "/name", "가" * 8000)] * 3,
    ):
        assert faults(one_more) == {"": "tooLong"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
PATHS = st.lists(
    st.sampled_from(["name", "team", "0", "-", "details", "dealValue", "~1", "~", "", "x"]), max_size=4
).map(lambda parts: "".join(f"/{part}" for part in parts))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "replace", "remove", "test", "copy"]) | JSON, "path": PATHS},
            optional={"value": JSON, "from": PATHS},
        )
        | JSON,
        max_size=4,
    )
)
def test_whatever_the_operations_are_they_apply_or_are_refused(operations: list[Any]) -> None:
    before = copy.deepcopy(DOCUMENT)
    with suppress(Invalid):
        apply_patch(DOCUMENT, operations)
    assert before == DOCUMENT


def test_what_a_put_leaves_out_stays_and_what_it_sends_counts_whatever_its_case() -> None:
    after = merge_document(DOCUMENT, {"NAME": "New", "details": {"Notes": None}, "team": [], "extra": 1})
    assert (after["name"], after["details"]["notes"], after["team"]) == ("New", None, [])
    assert after["details"]["dealValue"] == DOCUMENT["details"]["dealValue"]
    assert set(differences(DOCUMENT, after)) == {"/name", "/details/notes", "/team", "/extra"}
    assert merge_document(DOCUMENT, {}) == merge_document(DOCUMENT, DOCUMENT) == DOCUMENT


@given(JSON)
def test_a_put_of_anything_merges(sent: Any) -> None:
    document = sent if isinstance(sent, dict) else {"details": sent}
    assert isinstance(merge_document(DOCUMENT, document), dict)
