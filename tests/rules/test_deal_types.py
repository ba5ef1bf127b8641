"""Deal types and who can be invited when (T1 to T5): the tables are the rules."""

import sys
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from shared.domain.actions import allowed_actions
from shared.domain.change import ChangeBuilder
from shared.domain.deal_type import UPGRADES, Upgrade, deal_type, type_of
from shared.domain.invitable import MAX_INVITATIONS_PER_DEAL, require_invitable, why_not, why_not_again
from shared.domain.inviting import add_invitations, update_deal_type
from shared.domain.referral import InvitedParty, Referral, ReferralKey, Solution
from shared.domain.refusals import NotAllowed
from shared.domain.vocabulary import HELP_CODES, NO_HELP, DealType, SolutionKind
from shared.domain.work import Invite, Publish, TouchParties, UpdateDealType
from tests.examples.referrals import NOW, context, creators, invited, referral

T1 = """
help partner view  assessment | type
no   no      no    no         | Private
no   no      yes   no         | PartnerLed
no   yes     no    no         | PartnerToPartner
no   yes     yes   no         | PartnerLed
yes  no      no    no         | CoSell
yes  yes     no    no         | CoSell
yes  no      yes   no         | CoSell
yes  yes     yes   no         | CoSell
no   no      no    yes        | SolutionAssessment
"""
T3 = """
type               by      | inviteMicrosoft invitePartner    shareWithMicrosoft
Private            creator | CoSell          PartnerToPartner PartnerLed
PartnerLed         creator | CoSell          PartnerLed       -
PartnerToPartner   creator | CoSell          PartnerToPartner PartnerLed
CoSell             creator | CoSell          CoSell           -
SolutionAssessment creator | -               -                -
Lead               creator | -               -                -
Private            invited | -               -                -
PartnerLed         invited | -               -                -
PartnerToPartner   invited | -               -                -
CoSell             invited | -               -                -
SolutionAssessment invited | -               -                -
Lead               invited | -               -                -
"""
AGAIN = """
heard of it   | again
never invited | yes
Pending       | no
Accepted      | no
Won           | no
Lost          | no
Declined      | yes
Expired       | yes
"""
NEVER = ("AbuseSpamOrPhishing", "NotACustomer")


def rows(table: str) -> list[list[list[str]]]:
    """The lines of a table below its head, each side of the bar split into words."""
    return [[side.split() for side in line.split("|")] for line in table.strip().splitlines()[1:]]


def deal(kind: DealType, **fields: object) -> Referral:
    """A creator's record of a type, as its answers and invitations make it."""
    record = creators(deal_type=kind, **fields)
    answers = replace(record.consent, microsoft_may_view=kind == "PartnerLed")
    context = replace(record.invite_context, invited_by=None, help_code=NO_HELP)
    if kind == "CoSell":
        context = replace(context, help_code="GeneralOrOther")
    if kind == "SolutionAssessment":
        record = replace(
            record, terms=replace(record.terms, solutions=(Solution(id="A", name="A", kind=kind),))
        )
    return replace(record, consent=answers, invite_context=context)


@pytest.mark.parametrize("row", rows(T1), ids=lambda row: " ".join(row[0]))
def test_the_type_follows_from_answers_invitations_and_solutions(row: list[list[str]]) -> None:
    """T1."""
    asked, partner, view, assessment = (word == "yes" for word in row[0])
    codes = [code for code in HELP_CODES if (code != NO_HELP) == asked]
    for code in codes:
        found = deal_type(
            help_code=code, microsoft_may_view=view, partners_invited=partner, assessment=assessment
        )
        assert [found] == row[1]


def test_the_whole_table_of_who_can_be_invited() -> None:
    """T3: printed and checked cell by cell."""
    expected = {tuple(row[0]): row[1] for row in rows(T3)}
    upgrades = get_args(Upgrade)
    cells = 0
    lines = [f"{'type':19}{'by':8}| " + " ".join(f"{upgrade:18}" for upgrade in upgrades)]
    for kind, by in product(get_args(DealType), ("creator", "invited")):
        record = deal(kind) if by == "creator" else replace(deal(kind), id=referral().id)
        shown = [UPGRADES[kind][u] if why_not(record, u) is None else None for u in upgrades]
        lines.append(f"{kind:19}{by:8}| " + " ".join(f"{each or '-':18}" for each in shown))
        assert [each or "-" for each in shown] == expected[kind, by]
        cells += len(shown)
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert cells == 2 * 6 * 3


@pytest.mark.parametrize("row", rows(AGAIN), ids=lambda row: " ".join(row[0]))
def test_microsoft_or_a_partner_is_invited_again_once_its_first_referral_ended_unanswered(
    row: list[list[str]],
) -> None:
    """T3: in each state of the first invitation."""
    heard = row[0][0]
    for organization in ("msft", "fabrikam"):
        earlier = invited(referral(organization_id=organization), substatus=heard) if heard != "never" else ()
        reason = why_not_again(organization, earlier)
        assert (reason is None) == (row[1] == ["yes"])
        upgrade: Upgrade = "inviteMicrosoft" if organization == "msft" else "invitePartner"
        if organization == "msft":
            assert (why_not(deal("CoSell", invited=earlier), upgrade) is None) == (row[1] == ["yes"])


@pytest.mark.parametrize("reason", NEVER)
def test_nobody_is_invited_again_who_declined_for_good(reason: str) -> None:
    """T3: even if a later invitation has ended otherwise."""
    first = invited(referral(), substatus="Declined", reason=reason)
    later = invited(referral(id="fabrikam-2"), substatus="Expired")
    assert why_not_again("fabrikam", first)
    assert why_not_again("fabrikam", (*first, *later))
    assert why_not_again("northwind", first) is None


def test_the_latest_invitation_counts() -> None:
    ended = invited(referral(), substatus="Expired")
    running = invited(referral(id="fabrikam-2"), substatus="Accepted")
    assert why_not_again("fabrikam", (*ended, *running))
    with pytest.raises(NotAllowed, match="takes part"):
        require_invitable(deal("CoSell", invited=(*ended, *running)), ("fabrikam",))


def test_a_deal_invites_so_often_and_no_more() -> None:
    many = tuple(
        InvitedParty(party=ReferralKey(organization_id=f"p{i}", referral_id=f"r{i}"), organization_name="P")
        for i in range(MAX_INVITATIONS_PER_DEAL)
    )
    assert why_not_again("another", many)
    assert why_not_again("another", many[1:]) is None


@pytest.mark.parametrize("organizations", [(), ("fabrikam",), ("msft",)])
def test_an_invited_organization_invites_nobody(organizations: tuple[str, ...]) -> None:
    with pytest.raises(NotAllowed, match="Only Contoso, which created the deal"):
        require_invitable(referral(deal_type="Private"), organizations)


@pytest.mark.parametrize("kind", get_args(DealType))
def test_what_an_upgrade_makes_is_what_the_answers_and_invitations_say(kind: DealType) -> None:
    """T2: the table of upgrades and the table of types agree."""
    before = deal(kind)
    assert type_of(before) in {kind, "Private"}  # a PartnerToPartner deal is one by its invitations
    upgrades = {upgrade: result for upgrade, result in UPGRADES[kind].items() if result}
    for upgrade, result in upgrades.items():
        if upgrade == "shareWithMicrosoft":
            shared = replace(before, consent=replace(before.consent, microsoft_may_view=True))
            assert type_of(shared) == result
            continue
        who = "msft" if upgrade == "inviteMicrosoft" else "fabrikam"
        invitation = referral(organization_id=who, invite_context=_asked(who))
        step = add_invitations(ChangeBuilder.of(before), (invitation,))
        assert step.after.deal_type == result
        assert step.invitations[0].deal_type == result


def test_inviting_tells_the_earlier_parties_of_the_new_type_and_the_sellers_list() -> None:
    """T1, V3: and those who left are told nothing."""
    fabrikam, gone = referral(), referral(id="x", organization_id="northwind", substatus="Declined")
    before = deal("PartnerLed", invited=invited(fabrikam, gone))
    change = add_invitations(
        ChangeBuilder.of(before), (referral(id="m", organization_id="msft", invite_context=_asked("msft")),)
    ).build(context())
    assert [entry.kind for entry in change.entries] == ["invited", "typeChanged"]
    assert (change.entries[1].from_state, change.entries[1].to_state) == ("PartnerLed", "CoSell")
    tasks = [state.task for state in change.work.tasks]
    assert tasks == [
        Invite(parties=(change.invitations[0].key,)),
        UpdateDealType(parties=(fabrikam.key,)),
        Publish(),
        TouchParties(creator=True),
    ]
    assert change.work.label == "000003"
    assert (change.after.version, change.after.sequence) == (before.version + 1, before.sequence + 2)


def test_a_deal_that_microsoft_created_is_co_sell_whatever_it_says() -> None:
    """T4: and never invites Microsoft."""
    own = creators(organization_id="msft", deal_type="CoSell")
    assert type_of(own) == "CoSell"
    assert why_not(own, "inviteMicrosoft")
    assert why_not(own, "invitePartner") is None


@pytest.mark.parametrize(
    ("named", "known", "listed"),
    [
        ("MyCompany", None, True),
        ("ThirdParty", None, False),
        ("ThirdParty", True, True),
        ("MyCompany", False, False),
    ],
)
def test_microsoft_can_be_invited_once_a_co_sell_ready_solution_is_known(
    named: SolutionKind, known: bool | None, listed: bool
) -> None:
    """T3: by the record alone if the catalogue was not read, else by the catalogue."""
    record = deal("Private")
    solution = Solution(id="S", name="S", kind=named)
    record = replace(record, terms=replace(record.terms, solutions=(solution,)))
    allowed = allowed_actions(record, NOW, co_sell_ready=known)
    assert ("inviteMicrosoft" in allowed) == listed
    assert "invitePartner" in allowed


def test_a_type_that_stays_changes_nothing() -> None:
    step = ChangeBuilder.of(deal("CoSell", invited=invited(referral(organization_id="msft"))))
    assert update_deal_type(step) == step


def test_what_a_party_does_to_its_own_record_changes_no_type() -> None:
    """T1: a partner is asked for help with a deal that asks Microsoft for none."""
    asked = replace(referral().invite_context, help_code="QuotesOrLicensing")
    for kind in get_args(DealType):
        step = ChangeBuilder.of(referral(status="Active", deal_type=kind, invite_context=asked))
        assert update_deal_type(step) == step


def _asked(who: str):
    context = referral().invite_context
    return replace(context, help_code="QuotesOrLicensing") if who == "msft" else context
