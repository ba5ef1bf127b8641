"""The sample world keeps its promises: who is who, what fits the directory, and that nothing in it is real.

And the demo says what went wrong. That it plays to its end is shown against the running service.
"""

import io
import re
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from samples import customers
from samples.demo import deal
from samples.demo.__main__ import main
from samples.demo.screen import Screen
from samples.demo.service import Service, UnexpectedAnswer
from samples.world import SampleDirectory, application, load, person, stable_id
from shared.admin.directory_import import DirectoryDocument
from shared.domain.vocabulary import CustomerSize

ROLES = {
    "sam@microsoft.com": ("msft", "MicrosoftSeller", True, ()),
    "dee@microsoft.com": ("msft", "DealReviewer", True, ()),
    "ana@contoso.com": ("contoso", "MpnPartnerAdmin", True, ()),
    "rae@contoso.com": ("contoso", "ReferralsAdmin", True, ()),
    "mia@contoso.com": ("contoso", "ReferralsAdmin", False, ("contoso-munich",)),
    "ulf@contoso.com": ("contoso", "ReferralsUser", False, ("contoso-seattle",)),
    "kim@fabrikam.com": ("fabrikam", "ReferralsAdmin", True, ()),
    "lee@fabrikam.com": ("fabrikam", "ReferralsUser", False, ("fabrikam-seoul",)),
    "nia@northwindtraders.com": ("northwind", "ReferralsAdmin", True, ()),
    "tom@tailspintoys.com": ("tailspin", "ReferralsAdmin", True, ()),
    "hana@microsoft.com": ("msft", "MicrosoftSeller", True, ()),
    "ops@microsoft.com": ("msft", "RoutingAdmin", True, ()),
    "vera@microsoft.com": ("msft", "DealReviewer", True, ()),
    "lou@litwareinc.com": ("litware", "ReferralsAdmin", True, ()),
}
PROFILE_CONTACTS = {
    "contoso": "rae@contoso.com",
    "fabrikam": "kim@fabrikam.com",
    "northwind": "nia@northwindtraders.com",
    "tailspin": "tom@tailspintoys.com",
    "litware": "lou@litwareinc.com",
}
INCENTIVES = {
    "SOL-CONTOSO-ERP": {"AzureIpCoSell", "IsvConnect"},
    "SOL-CONTOSO-CRM": {"BizAppsPremium"},
    "SOL-CONTOSO-PLAIN": set(),
    "SOL-FABRIKAM-IOT": {"AzureIpCoSell"},
    "SOL-NORTHWIND-LOGISTICS": set(),
    "SOL-MS-AZURE": set(),
    "SOL-MS-D365": set(),
    "SA-CLOUD-MIGRATION": set(),
    "SA-DATA-ESTATE": set(),
}
NUMBERS_OF_FICTION = re.compile(
    r"\+1-206-555-01\d\d|\+49-89-99998-\d{3}|\+61-2-5550-\d{4}"  # reserved in the US, Germany, Australia
)


@pytest.fixture(scope="module")
def world() -> SampleDirectory:
    return load()


def people_of(world: SampleDirectory) -> list[tuple[str, dict[str, Any]]]:
    return [(each["id"], one) for each in world["organizations"] for one in each["people"]]


def profiles_of(world: SampleDirectory) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(each, profile) for each in world["organizations"] for profile in each["profiles"]]


def named(world: SampleDirectory, name: str) -> list[dict[str, Any]]:
    return [customer for customer in world["customers"] if customer["name"] == name]


def duns(customer: dict[str, Any]) -> str:
    (number,) = (each["id"] for each in customer["ids"] if each["profileType"] == "Duns")
    return number


def test_the_directory_import_takes_the_whole_world(world: SampleDirectory) -> None:
    assert str(DirectoryDocument.model_validate(world)) == (
        "7 organizations, 14 people, 1 applications, 9 solutions, 200 customers"
    )


def test_every_person_has_the_one_role_and_the_scope_that_the_scenarios_need(
    world: SampleDirectory,
) -> None:
    found = {
        one["email"]: (organization, *one["roles"], one["global"], tuple(one["locations"]))
        for organization, one in people_of(world)
    }
    assert found == ROLES


def test_the_web_site_is_an_application_that_submits_leads(world: SampleDirectory) -> None:
    """V7: LeadIntake is for applications alone; this one must not expire while the samples are in use."""
    found = {
        one["name"]: (each["id"], one["roles"], one["expiresDateTime"] > "2090")
        for each in world["organizations"]
        for one in each.get("applications", ())
    }
    assert found == {"Solution Providers web site": ("solutionproviders", ["LeadIntake"], True)}
    known = application("Solution Providers web site")
    assert (known.organization_id, known.tenant_id) == ("solutionproviders", stable_id("solutionproviders"))
    with pytest.raises(KeyError):
        application("Another")


def test_tenants_and_people_have_ids_that_follow_from_their_names(world: SampleDirectory) -> None:
    assert all(each["tenantId"] == stable_id(each["id"]) for each in world["organizations"])
    assert all(one["oid"] == stable_id(one["email"]) for _, one in people_of(world))


def test_only_contoso_is_vetted_for_assessments_and_only_tailspin_is_a_partner_that_does_not_transact(
    world: SampleDirectory,
) -> None:
    partners = [each for each in world["organizations"] if each["kind"] == "partner"]
    assert [each["id"] for each in partners if each["vettedForAssessments"]] == ["contoso"]
    assert [each["id"] for each in partners if not each["transacting"]] == ["tailspin"]


def test_microsoft_has_no_location_and_no_profile(world: SampleDirectory) -> None:
    (microsoft,) = (each for each in world["organizations"] if each["kind"] == "microsoft")
    assert (microsoft["id"], microsoft["locations"], microsoft["profiles"]) == ("msft", [], [])


def test_every_location_stands_in_the_active_profile_of_its_country(world: SampleDirectory) -> None:
    for each in world["organizations"]:
        stated = {(place["country"], place["id"]) for place in each["locations"]}
        profiled = {
            (profile["country"], place["id"])
            for profile in each["profiles"]
            for place in profile["locations"]
        }
        assert profiled == stated
        assert all(profile["active"] for profile in each["profiles"])


def test_a_profile_has_at_most_five_locations_and_there_is_one_profile_per_country_p1(
    world: SampleDirectory,
) -> None:
    assert all(1 <= len(profile["locations"]) <= 5 for _, profile in profiles_of(world))
    countries = Counter((each["id"], profile["country"]) for each, profile in profiles_of(world))
    assert set(countries.values()) == {1}


def test_profiles_name_their_organizations_contact_and_all_but_litware_want_customers_of_every_size_r3_r6(
    world: SampleDirectory,
) -> None:
    for each, profile in profiles_of(world):
        for place in profile["locations"]:
            assert [contact["email"] for contact in place["contacts"]] == [PROFILE_CONTACTS[each["id"]]]
            every = list(get_args(CustomerSize))
            assert place["customerSizes"] == (every[3:6] if each["id"] == "litware" else every)


def test_every_rule_of_the_routing_table_leads_to_a_team_of_sellers_p3(world: SampleDirectory) -> None:
    sellers = {one["email"] for _, one in people_of(world) if "MicrosoftSeller" in one["roles"]}
    teams = {team["id"]: set(team["members"]) for team in world["routing"]["teams"]}
    assert {rule["team"] for rule in world["routing"]["rules"]} <= teams.keys()
    assert world["routing"]["defaultTeam"] in teams
    assert set().union(*teams.values()) <= sellers
    assert all(teams.values())


def test_scopes_and_default_locations_name_locations_of_the_organization(world: SampleDirectory) -> None:
    for each in world["organizations"]:
        own = {place["id"] for place in each["locations"]}
        assert each["defaultLocation"] in (own or {None})
        assert all(own.issuperset(one["locations"]) for one in each["people"])


def test_kim_reads_korean(world: SampleDirectory) -> None:
    locales = {one["email"]: one["locale"] for _, one in people_of(world)}
    assert locales["kim@fabrikam.com"] == "ko-KR"


def test_solutions_carry_the_incentives_that_registration_tells_apart_t7(world: SampleDirectory) -> None:
    assert {each["id"]: set(each["incentives"]) for each in world["solutions"]} == INCENTIVES


def test_solutions_belong_to_sample_organizations_and_only_microsoft_owns_assessment_types_t6(
    world: SampleDirectory,
) -> None:
    organizations = {each["id"] for each in world["organizations"]}
    assert {each["owner"] for each in world["solutions"]} <= organizations
    assessments = {each["id"] for each in world["solutions"] if each["assessment"]}
    assert assessments == {"SA-CLOUD-MIGRATION", "SA-DATA-ESTATE"}
    assert {each["owner"] for each in world["solutions"] if each["assessment"]} == {"msft"}


def test_the_committed_customers_are_those_that_the_generator_writes(world: SampleDirectory) -> None:
    assert world["customers"] == customers.generate()


def test_there_are_two_hundred_customers_in_ten_countries(world: SampleDirectory) -> None:
    countries = Counter(customer["address"]["country"] for customer in world["customers"])
    assert (sum(countries.values()), len(countries)) == (200, 10)
    assert min(countries.values()) >= 19


def test_every_customer_has_a_duns_number_of_its_own(world: SampleDirectory) -> None:
    numbers = [duns(customer) for customer in world["customers"]]
    assert all(re.fullmatch(r"\d{9}", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_relecloud_and_lucerne_publishing_exist_once(world: SampleDirectory) -> None:
    assert [each["address"]["country"] for each in named(world, "Relecloud")] == ["US"]
    assert [each["address"]["country"] for each in named(world, "Lucerne Publishing")] == ["KR"]


def test_two_companies_in_redmond_are_called_adventure_works(world: SampleDirectory) -> None:
    one, other = named(world, "Adventure Works")
    for each in (one, other):
        assert (each["address"]["city"], each["address"]["country"]) == ("Redmond", "US")
    assert duns(one) != duns(other)


def test_no_other_name_occurs_twice(world: SampleDirectory) -> None:
    names = Counter(customer["name"] for customer in world["customers"])
    assert [name for name, times in names.items() if times > 1] == ["Adventure Works"]


def test_telephone_numbers_are_reserved_for_fiction(world: SampleDirectory) -> None:
    contacts = [
        c for _, profile in profiles_of(world) for place in profile["locations"] for c in place["contacts"]
    ]
    numbers = [one["phoneNumber"] for one in [*contacts, *(one for _, one in people_of(world))]]
    assert [number for number in numbers if not NUMBERS_OF_FICTION.fullmatch(number)] == []


def test_a_person_is_found_by_email() -> None:
    rae = person("rae@contoso.com")
    assert (rae.organization, rae.tenant_id, rae.first_name) == ("Contoso", stable_id("contoso"), "Rae")


def test_a_stranger_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match=r"nobody@contoso\.com"):
        person("nobody@contoso.com")


NOW = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)
RAE = person("rae@contoso.com")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Sink:
    """A service that only keeps mails, and refuses everything else with two faults."""

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []

    def receive(self, text: str) -> None:
        self.mails.append(
            {
                "id": str(len(self.mails) + 1),
                "to": [RAE.email],
                "subject": text,
                "text": text,
                "headers": {"References": text},
                "receivedDateTime": NOW.isoformat(),
            }
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/admin/devhost/mail":
            after = int(request.url.params["after"])
            return httpx.Response(
                200, json={"value": [mail for mail in self.mails if int(mail["id"]) > after]}
            )
        faults = [
            {"target": "/name", "message": "Give it a name."},
            {"target": "/team", "message": "Name a team."},
        ]
        return httpx.Response(422, json={"error": {"message": "Two faults.", "details": faults}})


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def service(sink: Sink, tmp_path: Path) -> Iterator[Service]:
    sink.receive("about d1, from an earlier run")
    with Service("http://service", "http://service", tmp_path, httpx.MockTransport(sink.answer)) as service:
        yield service


def test_the_demo_shows_only_mails_that_came_after_its_start_and_each_once(
    service: Service, sink: Sink
) -> None:
    assert service.new_mails({"d1"}) == []
    sink.receive("about d1")
    assert [mail.text for mail in service.new_mails({"d1"})] == ["about d1"]
    assert service.new_mails({"d1"}) == []


def test_the_demo_leaves_out_mails_of_other_deals(service: Service, sink: Sink) -> None:
    sink.receive("about d2")
    assert service.new_mails({"d1"}) == []


def test_the_demo_waits_once_for_a_service_that_limits_requests(tmp_path: Path) -> None:
    answers = [
        httpx.Response(200, json={"value": []}),
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(200, json={"now": "2026-12-01T00:00:00Z"}),
        *[httpx.Response(429, headers={"Retry-After": "999"}, json={"error": {"message": "Wait."}})] * 2,
    ]
    paused: list[float] = []
    answered = httpx.MockTransport(lambda _: answers.pop(0))
    with Service("http://service", "http://service", tmp_path, answered, paused.append) as limited:
        assert limited.now().year == 2026
        with pytest.raises(UnexpectedAnswer, match=r"429 instead of 200: Wait\."):
            limited.now()
    assert paused == [7, 60]


def test_a_refusal_is_told_with_every_fault(service: Service) -> None:
    with pytest.raises(
        UnexpectedAnswer, match=r"422 instead of 200: Two faults\. /name: .* /team: Name a team\."
    ):
        service.post(RAE, "/v1.0/engagements/referrals", {})


def test_the_demo_ends_with_a_sentence_and_exit_code_1_where_nothing_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["--url", url, "--data", str(tmp_path)]) == 1
    assert f"No response from {url}" in capsys.readouterr().err


def test_the_demo_is_coloured_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for out, coloured in ((Terminal(), True), (io.StringIO(), False)):
        Screen(out).states({"Contoso": "New/Pending"}, {"Contoso": "Active/Accepted"})
        assert ("\x1b[" in out.getvalue()) is coloured
        assert "New/Pending" in out.getvalue()


def test_no_color_turns_colour_off_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Screen(out).title("A deal")
    assert out.getvalue() == "A deal\n"


def test_the_demos_deal_names_one_adventure_works_by_number_and_closes_in_the_future(
    world: SampleDirectory,
) -> None:
    body = deal.creation(RAE, NOW)
    known = {duns(customer) for customer in named(world, "Adventure Works")}
    assert duns(body["customerProfile"]) in known
    assert datetime.fromisoformat(body["details"]["closingDateTime"]) > NOW
    assert [each["organizationId"] for each in body["invitations"]] == ["fabrikam", "northwind"]
