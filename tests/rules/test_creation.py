"""How a deal and its invitations come into being (C1 to C3, C7, L8)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.catalogue import Catalogue
from shared.domain.creation import NewIds, create_deal, receive_invitation
from shared.domain.customer import match_customer
from shared.domain.deal_rules import faults_of_deal
from shared.domain.directory import (
    MAX_PROFILE_CONTACTS,
    CatalogueSolution,
    CustomerEntity,
    Location,
    Organization,
    Profile,
    ProfileLocation,
)
from shared.domain.draft import (
    AddressDraft,
    ContactDraft,
    CustomerDraft,
    DealDraft,
    InvitationDraft,
    TermsDraft,
)
from shared.domain.ids import EngagementId, LocationId, OrganizationId, ReferralId
from shared.domain.referral import Address, Consent, ProfileId
from shared.domain.work import Invite, Notify
from tests.examples.referrals import NOW, context, creators
from tests.examples.referrals import contact as a_contact

CONTACT = ContactDraft(
    first_name="C", last_name="D", phone_number="+1 206 555 0100", email="cara@relecloud.com"
)
RAE = replace(CONTACT, email="rae@contoso.com")


def organization(name: str, *places: tuple[str, str], **fields: object) -> Organization:
    locations = tuple(Location(id=LocationId(i), name=i, country=c) for i, c in places)
    return Organization(
        id=OrganizationId(name), name=name.title(), kind="partner", locations=locations, **fields
    )


CONTOSO = organization("contoso", ("seattle", "US"), default_location=LocationId("seattle"), transacting=True)
FABRIKAM = organization("fabrikam", ("london", "GB"), ("seoul", "KR"), transacting=True)
MSFT = Organization(id=OrganizationId("msft"), name="Microsoft", kind="microsoft")
RELECLOUD = CustomerEntity(
    name="Relecloud",
    address=Address(country="KR", city="Seoul"),
    ids=(ProfileId(profile_type="Duns", id="1"),),
)
CATALOGUE = Catalogue(
    creator=CONTOSO,
    organizations={each.id: each for each in (CONTOSO, FABRIKAM, MSFT)},
    solutions={
        "S": CatalogueSolution(id="S", name="S", owner=CONTOSO.id, co_sell_ready=True),
        "RAW": CatalogueSolution(id="RAW", name="Raw", owner=CONTOSO.id),
    },
    customers=(RELECLOUD,),
    decimals={"USD": 2, "KRW": 0, "BHD": 3},
)
TERMS = TermsDraft(
    deal_value=Decimal(1000), currency="USD", closing_at=NOW + timedelta(days=90), solutions=("S",)
)
INVITED = InvitationDraft(
    organization_id="fabrikam",
    help_code="QuotesOrLicensing",
    notes="Please.",
    terms=replace(TERMS, deal_value=Decimal(300), closing_at=None),
)
DRAFT = DealDraft(
    name="Relecloud ERP",
    external_reference_id="CRM-1",
    campaign_id="CAMPAIGN-1",
    notes="Private.",
    customer=CustomerDraft(name="relecloud ", address=AddressDraft(country="KR"), team=(CONTACT,)),
    consent=Consent(share_contact=True),
    terms=TERMS,
    team=(RAE,),
    help_code="GeneralOrOther",
    invitations=(INVITED,),
)
IDS = NewIds(
    referral=ReferralId("deal"),
    engagement=EngagementId("engagement"),
    invitees=tuple(ReferralId(f"invitee-{index}") for index in range(21)),
)


def created(draft: DealDraft = DRAFT):
    return create_deal(draft, CATALOGUE, IDS, context(), timedelta(days=14))


def faults(draft: DealDraft) -> dict[str, str]:
    return {fault.target: fault.code for fault in faults_of_deal(draft, CATALOGUE, NOW.date())}


def test_a_good_draft_has_no_faults() -> None:
    assert faults(DRAFT) == {}


def test_the_creators_referral_starts_active_and_its_work_is_to_invite() -> None:
    """C1: Active / Accepted, stage Created; customer as the directory has it (C7)."""
    change = created()
    deal = change.after
    assert (deal.state, deal.sales_stage, deal.deal_type, deal.sharing) == (
        *("Active/Accepted", "Created", "CoSell", "Shared"),
    )
    assert (deal.customer.name, deal.customer.address.city, deal.location) == (
        "Relecloud",
        "Seoul",
        "seattle",
    )
    assert [each.organization_id for each in change.invitations] == ["msft", "fabrikam"]
    assert [state.task for state in change.work.tasks] == [
        Invite(parties=tuple(i.key for i in change.invitations))
    ]


def test_an_invitation_starts_with_what_it_is_about_and_nothing_private() -> None:
    """C2: own team, notes, CRM and campaign id are empty."""
    microsoft, fabrikam = created().invitations
    for invited in (microsoft, fabrikam):
        assert (invited.state, invited.sales_stage, invited.direction) == ("New/Pending", None, "Incoming")
        private = (invited.notes, invited.external_reference_id, invited.campaign_id, invited.team)
        assert private == (None, None, None, ())
        assert invited.expires_at == NOW + timedelta(days=14)
        assert invited.invite_context.invited_by == "contoso"
        assert [contact.email for contact in invited.invite_context.team] == ["rae@contoso.com"]
    deal = created().after.terms
    assert (microsoft.terms.deal_value, microsoft.terms.closing_at, microsoft.location) == (
        *(deal.deal_value, deal.closing_at, None),
    )
    kinds = [each.kind for terms in (deal, microsoft.terms, fabrikam.terms) for each in terms.solutions]
    assert kinds == ["MyCompany", "ThirdParty", "ThirdParty"]
    assert (fabrikam.terms.deal_value, fabrikam.terms.closing_at) == (Decimal(300), TERMS.closing_at)


def test_an_invitation_that_comes_late_has_the_type_that_the_deal_has_by_then() -> None:
    """T1."""
    change = created(replace(DRAFT, help_code=None, consent=Consent(microsoft_may_view=True)))
    (invitation,) = change.invitations
    assert invitation.deal_type == "PartnerLed"
    upgraded = replace(change.after, deal_type="CoSell")
    assert receive_invitation(invitation, upgraded, context()).after.deal_type == "CoSell"


def test_only_a_vetted_partner_begins_an_assessment_of_one_type_at_a_place_that_it_names() -> None:
    """T5."""
    assessment = CatalogueSolution(id="A", name="A", owner=MSFT.id, assessment=True)
    both = {**CATALOGUE.solutions, "A": assessment, "B": replace(assessment, id="B")}
    plain = replace(DRAFT, help_code=None, invitations=(), consent=Consent(), location="seattle")

    def told(vetted: bool, *solutions: str, **changes: object) -> dict[str, str]:
        catalogue = replace(
            CATALOGUE, solutions=both, creator=replace(CONTOSO, vetted_for_assessments=vetted)
        )
        draft = replace(plain, terms=replace(TERMS, solutions=solutions), **changes)
        return {f.target: f.code for f in faults_of_deal(draft, catalogue, NOW.date())}

    solution = "/details/requirements/solutions"
    assert told(True, "A") == {}
    assert told(False, "A") == {f"{solution}/0/id": "notAllowed"}
    assert told(True, "A", "B") == {f"{solution}/1": "notAllowed"}
    assert told(True, "A", "S") == {f"{solution}/0/id": "notAllowed"}
    assert told(True, "A", location=None) == {"/location": "required"}
    assert set(told(True, "A", help_code="GeneralOrOther")) == {"/inviteContext/assistanceRequestCode"}


def test_without_consent_an_invitee_does_not_see_the_customers_contacts() -> None:
    """C2: only if consentToToShareInfoWithOthers is true."""
    shared = created().invitations[1]
    kept = created(replace(DRAFT, consent=Consent())).invitations[1]
    assert [contact.email for contact in shared.customer.team] == ["cara@relecloud.com"]
    assert kept.customer.team == ()


@pytest.mark.parametrize(("country", "location"), [("KR", "seoul"), ("GB", "london"), ("BR", "london")])
def test_an_invitation_goes_to_the_location_in_the_customers_country_else_the_first(
    country: str, location: str
) -> None:
    """P2: unless it names one."""
    customer = replace(DRAFT.customer, name="Somebody", address=AddressDraft(country=country))
    assert created(replace(DRAFT, customer=customer)).invitations[1].location == location
    named = replace(DRAFT, customer=customer, invitations=(replace(INVITED, target="london"),))
    assert created(named).invitations[1].location == "london"


def profile_of(country: str, place: str, *emails: str, active: bool = True) -> Profile:
    contacts = tuple(a_contact(email) for email in emails)
    location = ProfileLocation(id=LocationId(place), name=place, contacts=contacts)
    return Profile(organization_id=FABRIKAM.id, country=country, active=active, locations=(location,))


@pytest.mark.parametrize(
    ("profile", "asked"),
    [
        (profile_of("KR", "seoul", "kim@fabrikam.com"), ["kim@fabrikam.com"]),
        (profile_of("KR", "seoul", "kim@fabrikam.com", active=False), []),
        (profile_of("KR", "busan", "kim@fabrikam.com"), []),
        (profile_of("GB", "seoul", "kim@fabrikam.com"), []),
        (
            profile_of("KR", "seoul", *(f"{number}@fabrikam.com" for number in range(12))),
            [f"{number}@fabrikam.com" for number in range(MAX_PROFILE_CONTACTS)],
        ),
    ],
)
def test_an_invitation_keeps_the_contacts_of_its_location_as_those_who_are_asked(
    profile: Profile, asked: list[str]
) -> None:
    """M1, V4: of the profile of the location's country, if it is active; Microsoft's has none."""
    catalogue = replace(CATALOGUE, profiles={(FABRIKAM.id, profile.country): profile})
    change = create_deal(DRAFT, catalogue, IDS, context(), timedelta(days=14))
    microsofts, fabrikams = change.invitations
    assert [each.email for each in fabrikams.asked or ()] == asked
    assert (change.after.asked, microsofts.asked) == (None, ())


def test_an_invitation_arrives_new_and_is_announced() -> None:
    change = created()
    received = receive_invitation(change.invitations[1], change.after, context())
    assert (received.after, received.entry.kind) == (change.invitations[1], "received")
    assert [state.task for state in received.work.tasks] == [Notify(message="invited", audience="invitee")]
    assert (received.entry.actor.organization_id, received.entry.actor.name) == ("contoso", None)


@pytest.mark.parametrize(
    ("outcome", "index", "arrives"),
    [
        ("Won", 1, "Closed/Expired"),
        ("Lost", 1, "Closed/Expired"),
        ("Lost", 0, "Closed/Expired"),
        ("Won", 0, "New/Pending"),
    ],
)
def test_an_invitation_of_a_deal_that_closed_meanwhile_arrives_closed_and_untold(
    outcome: str, index: int, arrives: str
) -> None:
    """L8: Microsoft's stays answerable after Won."""
    closed = creators(status="Closed", substatus=outcome, closed_at=NOW)
    received = receive_invitation(created().invitations[index], closed, context())
    assert received.after.state == arrives
    assert (received.work is None) == (arrives == "Closed/Expired")
    assert (received.after.version, received.after.sequence, received.entry.sequence) == (1, 1, 1)


@pytest.mark.parametrize(
    ("value", "currency", "code"),
    [
        ("0", "USD", "outOfRange"),
        ("-1", "USD", "outOfRange"),
        ("0.01", "USD", None),
        ("0.001", "USD", "invalidValue"),
        ("10.5", "KRW", "invalidValue"),
        ("10", "KRW", None),
        ("1.123", "BHD", "invalidValue"),
        ("999999999999.99", "USD", None),
        ("1000000000000", "USD", "outOfRange"),
        ("1E+400", "USD", "outOfRange"),
        ("1E-400", "USD", "invalidValue"),
    ],
)
def test_an_amount_has_bounds_and_the_decimals_of_its_currency(
    value: str, currency: str, code: str | None
) -> None:
    """C6: positive, at most two decimals or the currency's own number where that is smaller."""
    draft = replace(DRAFT, terms=replace(TERMS, deal_value=Decimal(value), currency=currency))
    assert faults(draft) == ({"/details/dealValue": code} if code else {})


@pytest.mark.parametrize(("days", "faulty"), [(-1, True), (0, False), (1, False)])
def test_a_close_date_is_today_or_later(days: int, faulty: bool) -> None:
    """C6: today is the UTC date."""
    draft = replace(DRAFT, terms=replace(TERMS, closing_at=NOW.replace(hour=0) + timedelta(days=days)))
    assert bool(faults(draft)) is faulty


def test_a_solution_that_is_not_co_sell_ready_is_refused() -> None:
    """T6: a partner's solutions must be."""
    assert faults(replace(DRAFT, terms=replace(TERMS, solutions=("RAW", "GONE")))) == {
        "/details/requirements/solutions/0/id": "notAllowed",
        "/details/requirements/solutions/1/id": "notInCatalogue",
    }


@pytest.mark.parametrize(
    ("draft", "at"),
    [
        (replace(DRAFT, invitations=()), "/inviteContext/assistanceRequestCode"),
        (
            replace(DRAFT, help_code=None, invitations=(INVITED, InvitationDraft(organization_id="msft"))),
            "/invitations/1/organizationId",
        ),
    ],
    ids=["by the answer", "by an entry"],
)
def test_microsoft_is_invited_only_by_a_partner_with_a_co_sell_ready_solution(
    draft: DealDraft, at: str
) -> None:
    """T3: the fault is where Microsoft is invited, and says what is missing."""
    not_ready = replace(CATALOGUE, co_sell_ready=False)
    found = {f.target: f for f in faults_of_deal(draft, not_ready, NOW.date())}
    assert set(found) == {at}
    assert found[at].code == "notAllowed"
    assert "Contoso has no co-sell-ready solution of its own" in found[at].message
    assert faults(draft) == {}
    without = replace(DRAFT, help_code=None)
    assert faults_of_deal(without, not_ready, NOW.date()) == ()


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"co_sell_ready": True}, True),
        ({}, False),
        ({"co_sell_ready": True, "owner": OrganizationId("fabrikam")}, False),
        ({"co_sell_ready": True, "assessment": True}, False),
    ],
)
def test_which_solutions_make_a_partner_co_sell_ready(fields: dict[str, object], counts: bool) -> None:
    """T3: its own that are co-sell ready; an assessment type is no solution of a partner's."""
    solution = replace(CatalogueSolution(id="X", name="X", owner=CONTOSO.id), **fields)
    assert solution.is_co_sell_ready_of(CONTOSO.id) == counts


def entity(number: str, country: str = "US") -> CustomerEntity:
    ids = (ProfileId(profile_type="Duns", id=number),)
    return CustomerEntity(name="Adventure Works", address=Address(country=country), ids=ids)


@pytest.mark.parametrize(
    ("city", "settled"), [("Seattle", "Seattle"), ("Redmond", "invalidValue"), (None, "invalidValue")]
)
def test_of_several_namesakes_one_without_a_number_is_meant_by_its_address(
    city: str | None, settled: str
) -> None:
    """C7: so that a hit of a look-up creates a deal as it is."""
    numbered = entity("1")
    addresses = [Address(country="US", city=each) for each in ("Seattle", "Boston")]
    plain = [replace(numbered, ids=(), address=each) for each in addresses]
    elsewhere = replace(numbered, address=Address(country="US", city="Redmond"))
    draft = CustomerDraft(name="Adventure Works", address=AddressDraft(country="US", city=city))
    found = match_customer(draft, (numbered, elsewhere, *plain))
    assert (found.faults[0].code if found.faults else found.entity and found.entity.address.city) == settled
    assert len(found.candidates) == (4 if settled == "invalidValue" else 0)


@pytest.mark.parametrize(
    ("number", "country", "entities", "settled"),
    [
        (None, "US", [], None),
        (None, "US", ["1"], "1"),
        (None, "US", ["1", "2"], "invalidValue"),
        ("2", "US", ["1", "2"], "2"),
        ("3", "US", ["1", "2"], None),
        ("1", "DE", ["1"], "invalidValue"),
        ("1", None, ["1"], "1"),
    ],
)
def test_which_company_a_customer_is(
    number: str | None, country: str | None, entities: list[str], settled: str | None
) -> None:
    """C7: a known number decides; a single namesake does; several do not."""
    ids = (ProfileId(profile_type="Duns", id=number),) if number else ()
    draft = CustomerDraft(name="ADVENTURE  works", address=AddressDraft(country=country), ids=ids)
    found = match_customer(draft, tuple(entity(each) for each in entities))
    assert (found.faults[0].code if found.faults else found.entity and found.entity.duns) == settled
    assert len(found.candidates) == (2 if settled == "invalidValue" and country == "US" else 0)
