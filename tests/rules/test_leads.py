"""Who gets a lead, how it stands out, and whom its customer is offered instead (rules R, P4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.actions import allowed_actions
from shared.domain.directory import Location, Organization, Profile, ProfileLocation
from shared.domain.ids import InquiryId, LocationId, OrganizationId
from shared.domain.lead import HOT_DURATION, Undelivered, contact_alert, mark_contacted, resolve_location
from shared.domain.providers import Criteria, Provider, match_alternatives, match_profiles, rank
from shared.domain.referral import Address, Customer, Inquiry, Referral
from shared.domain.refusals import NotAllowed, TerminalState
from shared.domain.response_speed import MIN_ANSWERS, minutes_to_answer, response_speed
from shared.domain.timeline import EntryKind
from tests.examples.referrals import NOW, begun, context, creators, referral, step

SMALL, LARGE = "1to9employees", "1001to5000employees"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CONTOSO = Organization(
    id=OrganizationId("contoso"),
    name="Contoso",
    kind="partner",
    locations=tuple(
        Location(id=LocationId(place), name=place, country=country)
        for place, country in (("seattle", "US"), ("austin", "US"), ("munich", "DE"))
    ),
)


def place(name: str, *sizes: Any, **fields: Any) -> ProfileLocation:
    return ProfileLocation(id=LocationId(name), name=name, customer_sizes=sizes, **fields)


def profile(
    *places: ProfileLocation, active: bool = True, who: str = "contoso", country: str = "US"
) -> Profile:
    return Profile(organization_id=OrganizationId(who), country=country, active=active, locations=places)


def lead(**fields: Any) -> Referral:
    inquiry = Inquiry(id=InquiryId("q"), recipients=(OrganizationId("contoso"),), alternatives=2)
    values = {"deal_type": "Lead", "inquiry": inquiry, "customer_requested_contact": True}
    return referral(**(values | fields))


HOME = profile(place("seattle", SMALL), place("austin", LARGE))
GERMAN = profile(place("munich"), country="DE")
CASES = [
    ("the first location that wants the size", None, HOME, None, LARGE, "austin"),
    ("a location that names no sizes wants all", None, profile(place("seattle")), None, LARGE, "seattle"),
    ("no location wants the size", None, HOME, None, "51to250employees", "customerSizeNotWanted"),
    ("the addressed location", "austin", HOME, HOME, LARGE, "austin"),
    ("the addressed location wants others", "austin", HOME, HOME, SMALL, "customerSizeNotWanted"),
    ("a location in another country", "munich", HOME, GERMAN, SMALL, "munich"),
    ("one whose profile sleeps", "munich", HOME, replace(GERMAN, active=False), SMALL, "noActiveProfile"),
    ("one in no profile", "munich", HOME, None, SMALL, "noActiveProfile"),
    ("another's location", "mars", HOME, None, SMALL, "unknownRecipient"),
    ("no profile at home", None, None, None, SMALL, "noActiveProfile"),
    ("none at home, one elsewhere", "munich", None, GERMAN, SMALL, "noActiveProfile"),
    (
        "one asleep at home, one elsewhere",
        "munich",
        replace(HOME, active=False),
        GERMAN,
        SMALL,
        "noActiveProfile",
    ),
    ("a profile that sleeps", None, replace(HOME, active=False), None, SMALL, "noActiveProfile"),
    ("a profile without locations", None, profile(), None, SMALL, "noActiveProfile"),
]


@pytest.mark.parametrize(
    ("target", "home", "of_target", "size", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_lead_goes_to_a_location_that_wants_it_or_nowhere(
    target: str | None, home: Profile | None, of_target: Profile | None, size: str, expected: str
) -> None:
    """R3, R6: case by case."""
    found = resolve_location(CONTOSO, target, home, of_target, size)
    assert (found.reason if isinstance(found, Undelivered) else found) == expected


@pytest.mark.parametrize(
    ("record", "after", "alert"),
    [
        (lead(), HOT_DURATION - MINUTE, "hot"),
        (lead(), HOT_DURATION, "overdue"),
        (lead(status="Active"), MINUTE, "hot"),
        (lead(status="Active"), 9 * DAY, "overdue"),
        (lead(status="Closed"), MINUTE, None),
        (lead(contacted_at=NOW), MINUTE, None),
        (lead(status="Active", contacted_at=NOW), 9 * DAY, None),
        (lead(customer_requested_contact=False), MINUTE, None),
        (referral(customer_requested_contact=True), MINUTE, None),
    ],
)
def test_a_wish_to_be_contacted_is_hot_for_72_hours_then_overdue_until_the_end(
    record: Referral, after: timedelta, alert: str | None
) -> None:
    """R5: on leads."""
    assert contact_alert(record, NOW + after) == alert


@pytest.mark.parametrize("status", ["New", "Active"])
@pytest.mark.parametrize("after", [MINUTE, 4 * DAY])
def test_a_contact_settles_the_alert_and_leaves_the_rest_as_it_was(status: str, after: timedelta) -> None:
    """R5: hot or overdue, before the answer or after it; once."""
    open_lead, later = lead(status=status), context(NOW + after)
    assert "contacted" in allowed_actions(open_lead, later.now)
    change = mark_contacted(open_lead, later)
    assert (change.entry.kind, change.entry.changed, change.work) == ("contacted", ("contacted_at",), None)
    settled = change.after
    assert (settled.contacted_at, settled.version) == (later.now, open_lead.version + 1)
    assert (settled.status, settled.terms, settled.team) == (status, open_lead.terms, open_lead.team)
    assert contact_alert(settled, later.now) is None
    assert "contacted" not in allowed_actions(settled, later.now)
    with pytest.raises(NotAllowed, match="contacted already"):
        mark_contacted(settled, later)


def test_there_is_nothing_to_settle_where_nobody_asked_or_all_is_over() -> None:
    """R5, L5, L4."""
    for record in (lead(customer_requested_contact=False), referral(customer_requested_contact=True)):
        with pytest.raises(NotAllowed, match="did not ask"):
            mark_contacted(record, context())
        assert "contacted" not in allowed_actions(record, NOW)
    with pytest.raises(TerminalState):
        mark_contacted(lead(status="Closed", substatus="Won"), context())
    late = mark_contacted(lead(), context(NOW + timedelta(days=14)))
    assert (late.after.state, type(late.refusal)) == ("Closed/Expired", TerminalState)


def test_a_search_finds_active_profiles_with_one_location_that_meets_everything() -> None:
    """P4: case does not matter; two locations do not add up."""
    both = place("a", industries=("Retail",), keywords=("ERP",))
    apart = (place("b", industries=("Retail",)), place("c", keywords=("ERP",)))
    profiles = (
        profile(both, who="both"),
        profile(*apart, who="apart"),
        profile(both, who="asleep", active=False),
    )
    found = match_profiles(profiles, Criteria(country="US", industry="retail", keyword="erp"))
    assert [match.profile.organization_id for match in found] == ["both"]
    assert found[0].words == ("retail", "erp")
    assert len(match_profiles(profiles, Criteria(country="US"))) == 2


def test_a_customer_is_offered_those_that_fit_most_and_nobody_it_asked() -> None:
    """R4: of its size, and meeting at least one of its needs if it named some."""
    profiles = (
        profile(place("a", industries=("Retail",)), who="one"),
        profile(place("b", industries=("Retail",), products=("Azure",)), who="two"),
        profile(place("c", industries=("Retail",), products=("Azure",)), who="contoso"),
        profile(place("d", SMALL, industries=("Retail",)), who="small"),
        profile(place("e", industries=("Fishing",)), who="none"),
        profile(place("f", industries=("Retail",)), who="asleep", active=False),
    )
    customer = Customer(name="R", address=Address(country="US"), size=LARGE)
    needy = lead(customer=customer, industries=("retail",), products=("Azure",))
    found = match_alternatives(profiles, needy)
    assert [match.profile.organization_id for match in found] == ["two", "one"]
    without = match_alternatives(profiles, lead(customer=customer))
    assert {match.profile.organization_id for match in without} == {"one", "two", "none"}


def test_ranking_goes_by_words_then_speed_then_name() -> None:
    """P4: whoever is new ranks before those who are known to be slow."""

    def provider(name: str, speed: Any, *words: str) -> Provider:
        return Provider(
            organization_id=OrganizationId(name), name=name, locations=(), words=words, speed=speed
        )

    order = (
        provider("zz", "slower", "a", "b"),
        provider("d", "withinADay", "a"),
        provider("b", "withinThreeDays", "a"),
        provider("a", "notMeasured", "a"),
        provider("c", "notMeasured", "a"),
        provider("e", "slower", "a"),
    )
    assert rank(reversed(order)) == order


@pytest.mark.parametrize(
    ("minutes", "band"),
    [
        ([], "notMeasured"),
        ([1] * (MIN_ANSWERS - 1), "notMeasured"),
        ([1, 1440, 99999], "withinADay"),
        ([1, 1441, 99999], "withinThreeDays"),
        ([1, 4320, 99999], "withinThreeDays"),
        ([1, 4321, 99999], "slower"),
    ],
)
def test_the_band_is_that_of_the_median_answer(minutes: list[int], band: str) -> None:
    assert response_speed(minutes) == band


@pytest.mark.parametrize(
    ("record", "kind", "minutes"),
    [
        (referral(), "accepted", 90),
        (referral(), "declined", 90),
        (referral(), "expired", 90),
        (referral(), "withdrawn", None),
        (referral(), "edited", None),
        (creators(), "accepted", None),
    ],
)
def test_what_counts_as_an_answer_is_the_receivers_own(
    record: Referral, kind: EntryKind, minutes: int | None
) -> None:
    assert minutes_to_answer(step(record, kind, context(NOW + timedelta(minutes=90)))) == minutes
    assert minutes_to_answer(begun(record)) is None
