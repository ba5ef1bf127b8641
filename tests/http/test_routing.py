"""Microsoft's invitations go to a team of sellers, and why is told (P3, M1)."""

from typing import Any

import pytest

from tests.live import REFERRALS, Service, deal

RULES = "/v1.0/routing-rules"
KIM = {
    "firstName": "민준",
    "lastName": "김",
    "phoneNumber": "+82 2 000 0000",
    "email": "k@lucerne.example.com",
}
LUCERNE = {"name": "Lucerne Publishing", "address": {"country": "KR"}, "team": [KIM]}
FACTORIES = {"id": "us-factories", "team": "factories", "countries": ["US"], "industries": ["Manufacturing"]}


def korean(name: str) -> dict[str, Any]:
    return deal(name, customerProfile=LUCERNE)


def ids(service: Service, who: str, text: str) -> set[str]:
    answer = getattr(service, who).get(REFERRALS, params={"$filter": text})
    assert answer.status_code == 200, answer.text
    return {each["engagementId"] for each in answer.json()["value"]}


def test_an_invitation_goes_to_the_team_of_the_customers_country(service: Service) -> None:
    """P3, M1: the decision is kept in the timeline; the other team hears nothing."""
    made = service.rae.create(korean("Routed to Korea"))
    own = service.hana.referral_in(made["engagementId"])
    assert own["sellerTeam"] == "korea"
    entries = service.hana.get(f"{REFERRALS}/{own['id']}/timeline").json()["value"]
    assert [each["kind"] for each in entries] == ["received", "routed"]
    assert entries[1]["details"] == {"team": "korea", "teamName": "Korea", "rule": "korea"}
    service.advance("PT0S")
    assert [mail["to"] for mail in service.mails("Routed to Korea")] == [["hana@microsoft.com"]]
    assert service.rae.read(made["id"])["sellerTeam"] is None


def test_sellers_see_their_teams_queue(service: Service) -> None:
    """P3: and, as before, everything of Microsoft's."""
    here = service.rae.create(korean("Queue of Korea"))["engagementId"]
    there = service.rae.create(deal("Queue of the Americas"))["engagementId"]
    both = {here, there}
    assert both & ids(service, "hana", "myTeam eq true and status eq 'New'") == {here}
    assert both & ids(service, "sam", "myTeam eq true") == {there}
    assert both & ids(service, "sam", "sellerTeam eq 'korea'") == {here}
    assert both & ids(service, "sam", "sellerTeam in ('korea','americas')") == both
    assert both & ids(service, "sam", "myTeam eq false") == {here}
    assert both & ids(service, "sam", "status eq 'New'") == both
    assert ids(service, "rae", "myTeam eq true") == set()


def test_a_table_is_replaced_under_its_tag_and_counts_from_then_on(service_of_its_own: Service) -> None:
    service = service_of_its_own
    before = service.ops.get(RULES)
    table = before.json()
    table["teams"].append({"id": "factories", "name": "Factories", "members": ["HANA@microsoft.com"]})
    table["rules"].insert(0, FACTORIES)
    assert service.ops.put(RULES, table).status_code == 428
    written = service.ops.put(RULES, table, headers={"If-Match": before.headers["ETag"]})
    assert (written.status_code, written.headers["ETag"]) == (200, '"2"')
    assert service.ops.put(RULES, table, headers={"If-Match": '"1"'}).status_code == 412
    body = deal("Factory deal")
    body["details"]["requirements"] |= {"industries": [{"id": "manufacturing"}]}
    made = service.rae.create(body)
    assert service.sam.referral_in(made["engagementId"])["sellerTeam"] == "factories"
    service.advance("PT0S")
    assert [mail["to"] for mail in service.mails("Factory deal")] == [["hana@microsoft.com"]]


def test_what_makes_no_sense_in_a_table_is_refused_at_its_field(service: Service) -> None:
    body = {
        "teams": [
            {
                "id": "a",
                "name": "A",
                "members": ["rae@contoso.com", "sam@microsoft.com", "ops@microsoft.com"],
            },
            {"id": "a", "name": ""},
        ],
        "rules": [{"id": "r", "team": "b", "countries": ["ZZ"]}, {"id": "r", "team": "a"}],
        "defaultTeam": "c",
    }
    answer = service.ops.put(RULES, body, headers={"If-Match": "*"})
    assert {each["target"]: each["code"] for each in answer.json()["error"]["details"]} == {
        "/teams/0/members/0": "notInCatalogue",
        "/teams/0/members/2": "notInCatalogue",
        "/teams/1/id": "invalidValue",
        "/teams/1/name": "required",
        "/rules/0/team": "notInCatalogue",
        "/rules/0/countries/0": "notInCatalogue",
        "/rules/1/id": "invalidValue",
        "/defaultTeam": "notInCatalogue",
    }


@pytest.mark.parametrize(
    ("customer", "team", "rule", "explanation"),
    [
        ({"country": "KR"}, "korea", "korea", "Rule korea is the first that fits, so Korea gets it."),
        ({"country": "US"}, "americas", "americas", "Rule americas is the first that fits, so Americas gets it."),
        ({"country": "DE"}, "worldwide", None, "No rule fits, so the default team Worldwide gets it."),
    ],
)  # fmt: skip
def test_a_dry_run_explains_which_rule_wins(
    service: Service, customer: dict[str, Any], team: str, rule: str | None, explanation: str
) -> None:
    answer = service.sam.post(f"{RULES}/evaluate", customer).json()
    assert (answer["team"], answer["rule"], answer["explanation"]) == (team, rule, explanation)
    assert [each["rule"] for each in answer["considered"]] == ["korea", "americas"]
    assert all(each["why"] for each in answer["considered"])


def test_a_dry_run_takes_a_table_that_is_not_stored(service: Service) -> None:
    table = {
        "teams": [{"id": "x", "name": "X"}],
        "rules": [{"id": "farms", "team": "x", "industries": ["Farming"]}],
        "defaultTeam": "x",
    }
    body = {"country": "US", "industries": ["farming"], "table": table}
    answer = service.ops.post(f"{RULES}/evaluate", body).json()
    assert (answer["team"], answer["rule"]) == ("x", "farms")
    assert service.ops.get(RULES).json()["teams"] != table["teams"]


def test_a_dry_run_refuses_the_tables_that_a_put_would_refuse(service: Service) -> None:
    """P3: whoever tries a table learns of its faults there and then."""
    table = {
        "teams": [{"id": "a", "name": "A", "members": ["rae@contoso.com"]}, {"id": "a", "name": ""}],
        "rules": [{"id": "r", "team": "b", "countries": ["ZZ"]}],
        "defaultTeam": "c",
    }
    answer = service.ops.post(f"{RULES}/evaluate", {"country": "XX", "table": table})
    assert answer.status_code == 422, answer.text
    assert {each["target"]: each["code"] for each in answer.json()["error"]["details"]} == {
        "/country": "notInCatalogue",
        "/table/teams/0/members/0": "notInCatalogue",
        "/table/teams/1/id": "invalidValue",
        "/table/teams/1/name": "required",
        "/table/rules/0/team": "notInCatalogue",
        "/table/rules/0/countries/0": "notInCatalogue",
        "/table/defaultTeam": "notInCatalogue",
    }
