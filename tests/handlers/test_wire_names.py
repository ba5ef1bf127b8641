"""Every field of a referral that can change has a place in its resource."""

from dataclasses import replace

from api.http.wire_names import WIRE_NAMES, wire_names
from api.referrals.documents import to_document
from api.referrals.mapping import referral_view
from shared.domain.actions import ACCEPTANCE_FIELDS, editable_fields
from tests.examples.referrals import NOW, creators, referral


def test_every_field_that_an_edit_or_an_acceptance_can_change_has_a_place() -> None:
    open_deal = creators()
    accepted = replace(referral(), status="Active", substatus="Accepted", sales_stage="Accepted")
    fields = {*ACCEPTANCE_FIELDS, *editable_fields(open_deal, NOW), *editable_fields(accepted, NOW)}
    assert fields <= set(WIRE_NAMES)


def test_each_place_is_in_the_resource() -> None:
    document = to_document(referral_view(creators(), NOW))
    for pointer in wire_names(WIRE_NAMES):
        found = document
        for part in pointer.split("/")[1:]:
            assert part in found, pointer
            found = found[part]
