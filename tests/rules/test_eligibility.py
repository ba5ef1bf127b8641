"""Whether a deal can be registered: every cell of type, state, Microsoft's part and solutions (G1, G2, G4, T4)."""

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest

from shared.domain.deal_registration import (
    create_drafts,
    require_registrable,
    select_solution,
    solution_fault,
)
from shared.domain.eligibility import (
    MicrosoftParticipation,
    eligibility,
    kinds_of,
    microsoft_participation,
    registrable,
    unregistered,
    unregistered_kinds,
    wants_registration,
)
from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import InvitedParty, Referral, ReferralKey, RegistrationSummary, Solution, Terms
from shared.domain.refusals import NotAllowed
from shared.domain.vocabulary import DealType, RegistrationKind, RegistrationStatus, Substatus
from tests.examples.referrals import NOW, context, creators, referral
from tests.examples.registrations import FORM, draft

IP_TAGS = ("AzureIpCoSell", "BizAppsPremium", "BizAppsStandard")
SOLUTIONS = {
    "ip": Solution(id="IP", name="Ip", kind="MyCompany", incentives=("AzureIpCoSell",)),
    "both": Solution(id="BOTH", name="Both", kind="MyCompany", incentives=("IsvConnect", "BizAppsPremium")),
    "isv": Solution(id="ISV", name="Isv", kind="MyCompany", incentives=("IsvConnect",)),
    "plain": Solution(id="PLAIN", name="Plain", kind="MyCompany"),
}
NAMED: dict[str, tuple[str, ...]] = {
    "IP": ("ip",),
    "IP and ISV": ("both",),
    "ISV only": ("isv",),
    "no incentive": ("plain",),
    "none": (),
    "one of each": ("plain", "isv", "ip"),
}
WITH_IP = {"IP", "IP and ISV", "one of each"}
DEAL_TYPES: tuple[DealType, ...] = get_args(DealType)
SUBSTATUSES: tuple[Substatus, ...] = get_args(Substatus)
STATUS_OF = {"Pending": "New", "Accepted": "Active"}
MICROSOFT: dict[str, Substatus | None] = {
    "not invited": None,
    "pending": "Pending",
    "accepted": "Accepted",
    "declined": "Declined",
    "expired": "Expired",
    "won": "Won",
    "lost": "Lost",
}
TAKES_PART = {"accepted", "won", "lost"}


def solutions(*names: str) -> tuple[Solution, ...]:
    return tuple(SOLUTIONS[name] for name in names)


def deal(*names: str, **changes: Any) -> Referral:
    """Contoso's won co-sell deal with these solutions."""
    terms = Terms(deal_value=None, currency=None, closing_at=None, solutions=solutions(*names))
    won = {"status": "Closed", "substatus": "Won", "terms": terms}
    return creators(**(won | changes))


def microsofts(substatus: Substatus | None) -> tuple[InvitedParty, ...]:
    """Microsoft as the deal's creator keeps it, beside another party that has won."""
    party = ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=ReferralId("f"))
    other = InvitedParty(party=party, organization_name="Fabrikam", substatus="Won")
    if substatus is None:
        return (other,)
    party = ReferralKey(organization_id=OrganizationId("msft"), referral_id=ReferralId("m"))
    return (other, InvitedParty(party=party, organization_name="Microsoft", substatus=substatus))


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("deal_type", DEAL_TYPES)
def test_a_deal_is_eligible_when_all_conditions_hold_and_the_answer_says_which_fail(
    deal_type: DealType, named: str
) -> None:
    """G1: every cell of the table."""
    for substatus, (part, heard) in product(SUBSTATUSES, MICROSOFT.items()):
        record = deal(
            *NAMED[named],
            deal_type=deal_type,
            status=STATUS_OF.get(substatus, "Closed"),
            substatus=substatus,
            invited=microsofts(heard),
        )
        found = eligibility(record, microsoft_participation(record, record))
        expected = {
            "dealType": deal_type in {"CoSell", "PartnerLed"},
            "incentiveSolution": named in WITH_IP,
            "statusWon": substatus == "Won",
            "microsoftEngaged": deal_type != "CoSell" or part in TAKES_PART,
        }
        cell = f"{deal_type}, {substatus}, Microsoft {part}, {named}"
        assert {rule.id: rule.passed for rule in found.rules} == expected, cell
        assert found.eligible == all(expected.values()), cell
        failing = [rule.explanation for rule in found.rules if not rule.passed]
        assert found.missing == " ".join(failing), cell
        assert all(rule.explanation.endswith(".") for rule in found.rules), cell


@pytest.mark.parametrize("tag", IP_TAGS)
def test_each_ip_tag_makes_a_solution_one_that_is_reviewed(tag: str) -> None:
    """T7, G1."""
    solution = Solution(id="S", name="S", kind="ThirdParty", incentives=(tag,))
    terms = Terms(deal_value=None, currency=None, closing_at=None, solutions=(solution,))
    assert eligibility(deal(terms=terms), "takesPart").eligible
    assert kinds_of(solution) == ("IpCoSell",)


def test_a_deal_that_microsoft_created_needs_no_acceptance_of_microsofts() -> None:
    """T4: its creator takes part."""
    created = deal(organization_id=OrganizationId("msft"), invited=())
    own = referral(status="Closed", substatus="Won", terms=deal("ip").terms, accepted_at=NOW)
    assert microsoft_participation(own, created) == "takesPart"
    assert eligibility(own, "takesPart").eligible


def test_only_microsofts_own_invitation_counts_as_microsofts() -> None:
    record = deal(invited=microsofts(None))
    assert microsoft_participation(record, record) == "never"


@pytest.mark.parametrize(("status", "part"), [("New", "none"), ("Active", "none"), ("Closed", "never")])
@pytest.mark.parametrize("heard", [None, "Declined", "Expired"])
def test_while_its_creator_works_on_a_deal_microsoft_can_still_be_invited_to_it(
    status: str, part: MicrosoftParticipation, heard: Substatus | None
) -> None:
    """T3: also for a party that has won its own part already."""
    created = deal(status=status, substatus="Accepted", invited=microsofts(heard))
    own = referral(status="Closed", substatus="Won", terms=deal("ip").terms, accepted_at=NOW)
    assert microsoft_participation(own, created) == part


@pytest.mark.parametrize(
    ("own", "part"),
    [
        ({"substatus": "Pending"}, "hidden"),
        ({"substatus": "Declined", "status": "Closed"}, "hidden"),
        ({"substatus": "Expired", "status": "Closed"}, "hidden"),
        ({"substatus": "Declined", "status": "Closed", "accepted_at": NOW}, "hidden"),
        ({"substatus": "Accepted", "status": "Active", "accepted_at": NOW}, "takesPart"),
        ({"substatus": "Won", "status": "Closed", "accepted_at": NOW}, "takesPart"),
        ({"substatus": "Lost", "status": "Closed", "accepted_at": NOW}, "takesPart"),
    ],
)
def test_microsofts_part_is_told_to_nobody_who_does_not_work_on_the_deal(
    own: dict[str, Any], part: MicrosoftParticipation
) -> None:
    """V1."""
    assert microsoft_participation(referral(**own), deal(invited=microsofts("Accepted"))) == part


REMEDIES: list[tuple[dict[str, Any], str, str]] = [
    ({"deal_type": "Private"}, "dealType", "invite Microsoft or share it with Microsoft's sellers"),
    ({"deal_type": "PartnerToPartner"}, "dealType", "invite Microsoft or share it with Microsoft's sellers"),
    ({"deal_type": "Lead"}, "dealType", "Convert it into a deal"),
    ({"deal_type": "SolutionAssessment"}, "dealType", "Deals of this type are not registered"),
    ({"terms": deal("isv").terms}, "incentiveSolution", "Name one before you win"),
    ({}, "statusWon", "mark it as won"),
    ({}, "microsoftEngaged", "ask its sellers to accept"),
]


@pytest.mark.parametrize(("changes", "rule_id", "todo"), REMEDIES)
def test_an_explanation_says_what_would_have_to_happen(
    changes: dict[str, Any], rule_id: str, todo: str
) -> None:
    open_deal = deal("ip", **{"status": "Active", "substatus": "Accepted", **changes})
    assert todo in _explanation(open_deal, rule_id)


@pytest.mark.parametrize(
    ("changes", "rule_id", "said"),
    [
        ({"deal_type": "Private"}, "dealType", "cannot change any more"),
        ({"deal_type": "Lead"}, "dealType", "cannot change any more"),
        ({"terms": deal("isv").terms}, "incentiveSolution", "closed without one"),
        ({"substatus": "Lost"}, "statusWon", "closed as Lost; only a won deal is registered"),
        ({"substatus": "Expired"}, "statusWon", "closed as Expired"),
    ],
)
def test_of_a_closed_deal_nothing_is_asked_that_cannot_be_done_any_more(
    changes: dict[str, Any], rule_id: str, said: str
) -> None:
    explanation = _explanation(deal("ip", **changes), rule_id)
    assert said in explanation
    assert "invite" not in explanation
    assert "Convert" not in explanation
    assert "Name one" not in explanation


@pytest.mark.parametrize(
    ("record", "part", "said"),
    [
        (deal("ip"), "invited", "ask its sellers to accept"),
        (deal("ip"), "never", "cannot be invited any more"),
        (deal("ip", status="Active", substatus="Accepted"), "invited", "ask its sellers to accept"),
        (deal("ip", status="Active", substatus="Accepted"), "none", "invite it again"),
        (referral(status="Active", substatus="Accepted"), "invited", "ask its sellers to accept"),
        (referral(status="Active", substatus="Accepted"), "none", "ask the deal's creator to invite"),
        (referral(status="Closed", substatus="Won"), "none", "ask the deal's creator to invite"),
        (referral(status="Closed", substatus="Won"), "never", "cannot be invited any more"),
        (referral(), "hidden", "shows once you work on it"),
    ],
)
def test_of_microsofts_part_one_is_asked_for_what_one_can_do(
    record: Referral, part: MicrosoftParticipation, said: str
) -> None:
    """T3: a closed deal invites nobody; an open invitation can still be accepted."""
    assert said in _explanation(record, "microsoftEngaged", part)


@pytest.mark.parametrize("reason", ["NotACustomer", "AbuseSpamOrPhishing", "Other"])
def test_whoever_is_not_asked_again_is_not_to_be_asked_again(reason: str) -> None:
    """T3."""
    [*others, microsoft] = microsofts("Declined")
    declined = replace(microsoft, reason=reason)
    created = deal("ip", status="Active", substatus="Accepted", invited=(*others, declined))
    expected = "none" if reason == "Other" else "never"
    assert microsoft_participation(created, created) == expected


def test_an_invited_party_is_told_to_ask_the_deals_creator_for_what_only_it_can_do() -> None:
    own = referral(deal_type="PartnerToPartner", status="Active", substatus="Accepted")
    assert "ask its creator to invite Microsoft" in _explanation(own, "dealType")


def _explanation(record: Referral, rule_id: str, part: MicrosoftParticipation = "invited") -> str:
    found = eligibility(record, part)
    return next(rule.explanation for rule in found.rules if rule.id == rule_id and not rule.passed)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("ip", ("IpCoSell",)), ("both", ("IsvConnect", "IpCoSell")), ("isv", ("IsvConnect",)), ("plain", ())],
)
def test_the_records_of_a_solution_follow_from_its_incentives(name: str, kinds: tuple[str, ...]) -> None:
    """G4: one, or two."""
    solution = SOLUTIONS[name]
    assert kinds_of(solution) == kinds
    made = create_drafts(deal(name), solution, FORM, (RegistrationId("a"), RegistrationId("b")), context())
    assert [(each.kind, each.id) for each in made] == list(zip(kinds, ("a", "b"), strict=False))
    for each in made:
        assert (each.status, each.version, each.latest, each.errors) == ("Draft", 0, None, ())
        assert (each.solution_id, each.form.solution_id) == (solution.id, solution.id)
        assert (each.organization_id, each.deal_name) == ("contoso", "Relecloud ERP")
        assert each.referral == deal().key
        assert each.created_at == each.updated_at == context().now


def done(name: str, **changes: Any) -> RegistrationSummary:
    """A registration of this solution, of its first kind unless another is named."""
    solution = SOLUTIONS[name]
    return draft(**{"solution_id": solution.id, "kind": kinds_of(solution)[0], **changes}).summary


def test_each_solution_with_an_incentive_is_registered_by_itself_and_once() -> None:
    """G2, G3."""
    record = deal("plain", "isv", "ip", "both")
    assert registrable(record) == solutions("isv", "ip", "both")
    assert unregistered(record) == solutions("isv", "ip", "both")
    for status in ("Draft", "ReviewPending", "Rejected"):
        some = deal("plain", "isv", "ip", "both", registrations=(done("ip", status=status),))
        assert unregistered(some) == solutions("isv", "both")


@pytest.mark.parametrize("kept", ["IsvConnect", "IpCoSell"])
@pytest.mark.parametrize("status", ["Draft", "ReviewPending"])
def test_what_was_deleted_of_a_solution_can_be_registered_again_and_nothing_else(
    kept: RegistrationKind, status: RegistrationStatus
) -> None:
    """G2, G4: the other record stays, be it a draft or submitted."""
    record = deal("both", registrations=(done("both", kind=kept, status=status),))
    missing = {"IsvConnect": "IpCoSell", "IpCoSell": "IsvConnect"}[kept]
    assert unregistered(record) == solutions("both")
    assert unregistered_kinds(record, SOLUTIONS["both"]) == (missing,)
    for wanted in ("BOTH", None):
        require_registrable(record, ELIGIBLE, wanted)
        assert select_solution(record, wanted) == SOLUTIONS["both"]
    ids = (RegistrationId("a"), RegistrationId("b"))
    made = create_drafts(record, SOLUTIONS["both"], FORM, ids, context())
    assert [(each.kind, each.id) for each in made] == [(missing, "a")]


ELIGIBLE = eligibility(deal("ip"), "takesPart")


@pytest.mark.parametrize(
    ("named", "registered", "wanted", "found"),
    [
        (("ip",), (), None, "ip"),
        (("ip", "isv"), (), "ISV", "isv"),
        (("ip", "isv"), ("ip",), None, "isv"),
        (("plain", "isv", "ip"), ("isv",), "IP", "ip"),
        (("plain", "ip"), (), None, "ip"),
    ],
)
def test_a_request_registers_the_solution_that_it_names_or_the_only_one_that_is_left(
    named: tuple[str, ...], registered: tuple[str, ...], wanted: str | None, found: str
) -> None:
    record = deal(*named, registrations=tuple(map(done, registered)))
    require_registrable(record, ELIGIBLE, wanted)
    assert select_solution(record, wanted) == SOLUTIONS[found]


@pytest.mark.parametrize(
    ("named", "wanted", "code"),
    [
        (("ip", "isv"), None, "required"),
        (("ip", "isv"), "PLAIN", "notInCatalogue"),
        (("ip", "plain"), "PLAIN", "notInCatalogue"),
        (("ip",), "NOBODYS", "notInCatalogue"),
    ],
)
def test_a_request_that_names_no_solution_of_several_is_told_which_there_are(
    named: tuple[str, ...], wanted: str | None, code: str
) -> None:
    record = deal(*named)
    require_registrable(record, ELIGIBLE, wanted)
    assert select_solution(record, wanted) is None
    fault = solution_fault(record, wanted)
    assert (fault.code, fault.target) == (code, "/solutionId")
    assert "IP" in fault.message


@pytest.mark.parametrize(
    ("named", "registered", "wanted", "why"),
    [
        (("ip",), ("ip",), None, "is registered"),
        (("ip",), ("ip",), "IP", "is registered"),
        (("ip", "isv"), ("ip",), "IP", "registered already"),
        (("plain",), (), None, "is registered"),
    ],
)
def test_no_solution_is_registered_twice(
    named: tuple[str, ...], registered: tuple[str, ...], wanted: str | None, why: str
) -> None:
    record = deal(*named, registrations=tuple(done(name, status="ReviewPending") for name in registered))
    with pytest.raises(NotAllowed, match=why):
        require_registrable(record, ELIGIBLE, wanted)


@pytest.mark.parametrize("wanted", ["BOTH", None])
def test_whoever_registers_what_has_drafts_is_sent_to_them(wanted: str | None) -> None:
    """G4: a draft is submitted by itself."""
    complete = done("both", kind="IsvConnect", status="Submitted")
    begun = (done("both", kind="IpCoSell"), replace(complete, id=RegistrationId("2")))
    with pytest.raises(NotAllowed, match=f"draft of this already.*/registrations/{begun[0].id}\\.$"):
        require_registrable(deal("both", registrations=begun), ELIGIBLE, wanted)


@pytest.mark.parametrize("wanted", ["IP", "NOBODYS"])
def test_of_another_solutions_draft_nobody_is_told_who_names_this_one(wanted: str) -> None:
    both = (done("ip", status="Approved"), replace(done("isv"), id=RegistrationId("2")))
    with pytest.raises(NotAllowed, match="is registered, or has a draft"):
        require_registrable(deal("ip", "isv", registrations=both), ELIGIBLE, wanted)
    with pytest.raises(NotAllowed, match=r"draft of this already.*/registrations/2"):
        require_registrable(deal("ip", "isv", registrations=both), ELIGIBLE, None)


def test_a_solution_that_a_deal_names_twice_is_registered_once() -> None:
    named_twice = deal("ip", "ip")
    assert [each.id for each in unregistered(named_twice)] == ["IP"]
    assert select_solution(named_twice, None)
    explanation = next(
        r.explanation for r in eligibility(named_twice, "none").rules if r.id == "incentiveSolution"
    )
    assert explanation == "Solutions with an IP incentive: Ip."


def test_what_is_not_eligible_is_refused_with_every_condition_that_fails() -> None:
    record = deal("plain", deal_type="Private", substatus="Lost")
    found = eligibility(record, "none")
    with pytest.raises(NotAllowed) as refused:
        require_registrable(record, found, None)
    assert str(refused.value) == f"This deal cannot be registered. {found.missing}"
    assert len([rule for rule in found.rules if not rule.passed]) == 3


def test_a_deal_wants_a_registration_until_each_solution_has_one_that_is_no_draft() -> None:
    """M12."""
    deal = creators(
        terms=replace(creators().terms, solutions=(SOLUTIONS["ip"], SOLUTIONS["both"])), eligible_at=NOW
    )

    def summary(solution: str, kind: RegistrationKind, status: RegistrationStatus) -> RegistrationSummary:
        identifier = RegistrationId(f"{solution}-{kind}")
        return RegistrationSummary(id=identifier, kind=kind, solution_id=solution, status=status)

    made = (summary("IP", "IpCoSell", "ReviewPending"), summary("BOTH", "IsvConnect", "Submitted"))
    for registrations, wanted in (
        ((), True),
        (made, True),
        ((*made, summary("BOTH", "IpCoSell", "Draft")), True),
        ((*made, summary("BOTH", "IpCoSell", "Rejected")), False),
    ):
        assert wants_registration(replace(deal, registrations=registrations)) is wanted
    assert not wants_registration(replace(deal, eligible_at=None))
