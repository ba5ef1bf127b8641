"""What a deal's owner is warned of: nothing is refused, but something may be otherwise than expected (G1, R7, C3)."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from shared.domain.deal_warnings import DealWarning, not_kept, registration_warnings, warnings_about
from shared.domain.inviting import record_invited_parties
from shared.domain.referral import Inquiry, InviteContext, Referral, Solution
from shared.domain.vocabulary import DealType, Substatus
from tests.examples.referrals import creators, invited, referral

INCENTIVES: dict[str, tuple[str, ...]] = {
    "IP": ("AzureIpCoSell",),
    "IP and ISV": ("IsvConnect", "BizAppsPremium"),
    "ISV only": ("IsvConnect",),
    "no incentive": (),
}
WITH_IP = {"IP", "IP and ISV"}
STATUS_OF = {"Pending": "New", "Accepted": "Active"}
PRIVATE, CONVERT = DealWarning("privateNotRegistrable"), DealWarning("convertBeforeWon")
NOT_SHARED = DealWarning("notesNotShared", "/details/notes")


def deal(deal_type: DealType, incentives: tuple[str, ...], substatus: Substatus = "Accepted") -> Referral:
    """A creator's record whose second solution has these incentives; it has no notes."""
    record = creators(
        deal_type=deal_type, substatus=substatus, status=STATUS_OF.get(substatus, "Closed"), notes=None
    )
    plain = Solution(id="PLAIN", name="Plain", kind="MyCompany")
    tagged = replace(plain, id="TAGGED", incentives=incentives)
    return replace(record, terms=replace(record.terms, solutions=(plain, tagged)))


@pytest.mark.parametrize(("deal_type", "named"), list(product(get_args(DealType), INCENTIVES)))
def test_only_private_deals_and_active_leads_with_an_ip_incentive_warn_that_they_cannot_be_registered(
    deal_type: DealType, named: str
) -> None:
    """G1: a private deal in every state; R7: a lead while it can be converted."""
    for substatus in get_args(Substatus):
        expected: tuple[DealWarning, ...] = ()
        if named in WITH_IP and deal_type == "Private":
            expected = (PRIVATE,)
        if named in WITH_IP and deal_type == "Lead" and substatus == "Accepted":
            expected = (CONVERT,)
        record = deal(deal_type, INCENTIVES[named], substatus)
        assert registration_warnings(record) == expected, substatus
        assert warnings_about(record) == expected, substatus


def asked(words: str | None, *organizations: str) -> Referral:
    """A deal with notes of its own that invites these organizations, Microsoft with `words`."""
    before = replace(deal("Private", ()), notes="Our plan.", invite_context=InviteContext())
    invitations = tuple(
        referral(organization_id=each, invite_context=InviteContext(help_code="GeneralOrOther", notes=words))
        for each in organizations
    )
    return record_invited_parties(before, invitations)


def test_notes_that_microsoft_does_not_see_warn_if_it_was_invited_without_a_word() -> None:
    assert warnings_about(asked(None, "fabrikam", "msft")) == (NOT_SHARED,)
    assert warnings_about(asked("Please help.", "msft")) == ()
    assert warnings_about(asked(None, "fabrikam")) == ()
    assert warnings_about(replace(asked(None, "msft"), notes=None)) == ()


def test_words_of_a_later_invitation_of_microsoft_count_as_well() -> None:
    """Microsoft declined what came without a word, and is invited again, with words (T3)."""
    first = asked(None, "msft")
    declined = replace(first, invited=invited(referral(organization_id="msft", substatus="Declined")))
    again = referral(organization_id="msft", invite_context=InviteContext(notes="Please help."))
    after = record_invited_parties(declined, (again,))
    assert after.invite_context == InviteContext(help_code="GeneralOrOther", notes="Please help.")
    assert warnings_about(after) == ()


def test_a_converted_lead_keeps_the_customers_words_and_does_not_tell_whether_microsoft_got_some() -> None:
    """R4: its record does not show what was sent to Microsoft."""
    customers = InviteContext(notes=None)
    lead = replace(
        deal("Private", ()),
        notes="Our plan.",
        invite_context=customers,
        inquiry=Inquiry(id="q", recipients=(), alternatives=3),
    )
    invitation = referral(organization_id="msft", invite_context=InviteContext(notes="Please help."))
    after = record_invited_parties(lead, (invitation,))
    assert after.invite_context.notes is None
    assert warnings_about(after) == ()


def test_each_field_that_is_not_stored_has_a_warning_with_its_path() -> None:
    assert not_kept(("/target", "/details/x")) == (
        DealWarning("notKept", "/target"),
        DealWarning("notKept", "/details/x"),
    )
