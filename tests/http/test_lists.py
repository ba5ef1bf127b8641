"""Lists over HTTP: filters, orders, pages, counts (rules N1 to N4)."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.live import REFERRALS, Person, Service, deal, invitation, private, replacing

RAE = {"firstName": "Rae", "lastName": "L", "phoneNumber": "+1 206 555 0102", "email": "rae@contoso.com"}
ZOE = {**RAE, "firstName": "Zoe", "email": "Zoe@Contoso.com"}


def ids(person: Person, query: str) -> list[str]:
    answer = person.get(f"{REFERRALS}?{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["value"]]


def walk(person: Person, query: str) -> list[str]:
    """Every item, page after page."""
    found: list[str] = []
    address = f"{REFERRALS}?{query}"
    while address:
        page = person.get(address).json()
        found += [each["id"] for each in page["value"]]
        address = page.get("@odata.nextLink", "")
    return found


@pytest.fixture(scope="module")
def deals(service: Service) -> dict[str, dict[str, Any]]:
    rae = service.rae
    co_sell = rae.create(deal("Lists co-sell", "fabrikam", campaignId="LISTS-1"))
    own = service.kim.referral_in(co_sell["engagementId"])
    won = rae.create(private("Lists won", externalReferenceId="LISTS-CRM", location="contoso-munich"))
    rae.act(won["id"], "win")
    german = private("Lists German", team=[RAE, ZOE], campaignId="LISTS-1")
    german["customerProfile"] = {"name": "Lists Maschinenbau", "address": {"country": "DE"}}
    german["details"] = {**german["details"], "requirements": {"solutions": [{"id": "SOL-MS-D365"}]}}
    return {
        "coSell": co_sell,
        "won": rae.read(won["id"]),
        "german": rae.create(german),
        "invited": own,
        "plain": rae.create(private("Lists plain")),
    }


FILTERS = {
    "campaignId eq 'LISTS-1'": {"coSell", "german"},
    "externalReferenceId eq 'LISTS-CRM'": {"won"},
    "customerProfile/address/country eq 'DE' and campaignId eq 'LISTS-1'": {"german"},
    "startswith(customerProfile/name,'lists  masch')": {"german"},
    "team/any(t:t/email eq 'zoe@contoso.com')": {"german"},
    "details/requirements/solutions/any(s:s/id eq 'SOL-MS-D365') and campaignId eq 'LISTS-1'": {"german"},
    "campaignId eq 'LISTS-1' and dealType eq 'CoSell'": {"coSell"},
    "campaignId eq 'LISTS-1' and not (dealType eq 'CoSell')": {"german"},
    "location eq 'contoso-munich' and status eq 'Closed' and externalReferenceId eq 'LISTS-CRM'": {"won"},
    "substatus eq 'Won' and externalReferenceId in ('LISTS-CRM','x')": {"won"},
    "externalReferenceId eq 'LISTS-CRM' or team/any(t:t/email eq 'ZOE@contoso.com')": {"won", "german"},
    "campaignId eq 'LISTS-1' and createdDateTime lt 2001-01-01T00:00:00Z": set(),
    "campaignId eq 'LISTS-1' and updatedDateTime ge 2001-01-01T00:00:00Z": {"coSell", "german"},
    "campaignId eq 'LISTS-1' and direction eq 'Incoming'": set(),
    "CAMPAIGNID EQ 'LISTS-1' AND DEALTYPE EQ 'private'": {"german"},
    "campaignId eq 'LISTS-1' and favorite eq true": set(),
    "campaignId eq 'LISTS-1' and direction eq 'Outgoing' and dealType ne 'Lead'": {"coSell", "german"},
}


@pytest.mark.parametrize("text", FILTERS)
def test_filters_find_what_they_say(service: Service, deals: dict[str, dict], text: str) -> None:
    """N4."""
    found = set(ids(service.rae, f"$filter={quote(text)}"))
    assert found == {deals[name]["id"] for name in FILTERS[text]}


def test_a_filter_by_engagement_finds_ones_own_part(service: Service, deals: dict[str, dict]) -> None:
    engagement = deals["coSell"]["engagementId"]
    assert ids(service.rae, f"$filter=engagementId eq '{engagement}'") == [deals["coSell"]["id"]]
    assert ids(service.kim, f"$filter=engagementId eq {engagement}") == [deals["invited"]["id"]]
    assert ids(service.nia, f"$filter=engagementId eq '{engagement}'") == []
    related = deals["coSell"]["links"]["relatedReferrals"]["uri"]
    assert len(service.rae.get(related).json()["value"]) == 1


def test_received_is_understood_in_filters(service: Service, deals: dict[str, dict]) -> None:
    """C2: clients of the wire format look for either."""
    for word in ("Pending", "Received"):
        assert deals["invited"]["id"] in ids(service.kim, f"$filter=substatus eq '{word}'")


def test_the_tabs_are_directions(service: Service, deals: dict[str, dict]) -> None:
    """N1: inbound and outbound, private deals among the latter."""
    kims = ids(service.kim, "$filter=direction eq 'Incoming'")
    assert deals["invited"]["id"] in kims
    raes = ids(service.rae, "$filter=direction eq 'Outgoing'")
    assert {deals[name]["id"] for name in ("coSell", "won", "german", "plain")} <= set(raes)


def test_a_favourite_is_ones_own_mark(service: Service, deals: dict[str, dict]) -> None:
    """N2: and moves no tag."""
    rae, path = service.rae, f"{REFERRALS}/{deals['plain']['id']}"
    for _ in range(2):
        assert rae.put(f"{path}/favorite").status_code == 204
    read = rae.get(path).json()
    assert (read["favorite"], read["eTag"]) == (True, deals["plain"]["eTag"])
    assert ids(rae, "$filter=favorite eq true") == [deals["plain"]["id"]]
    assert ids(service.ana, "$filter=favorite eq true") == []
    assert service.ana.get(path).json()["favorite"] is False
    assert deals["plain"]["id"] not in ids(rae, "$filter=favorite eq false")
    for _ in range(2):
        assert rae.call("DELETE", f"{path}/favorite").status_code == 204
    assert ids(rae, "$filter=favorite eq true") == []
    done = f"{REFERRALS}/{deals['won']['id']}/favorite"
    assert rae.put(done).status_code == rae.call("DELETE", done).status_code == 204


@pytest.mark.parametrize("field", ["createdDateTime", "updatedDateTime"])
def test_lists_come_in_the_order_asked(service: Service, deals: dict[str, dict], field: str) -> None:
    answer = service.rae.get(f"{REFERRALS}?$orderby={field} desc&$select=id,{field}").json()["value"]
    moments = [each[field] for each in answer]
    assert moments == sorted(moments, reverse=True)
    down = walk(service.rae, f"$orderby={field} desc&$top=7")
    up = walk(service.rae, f"$orderby={field}&$top=7")
    assert up == down[::-1]


def test_pages_stay_right_while_referrals_are_added_and_changed(service: Service, name: str) -> None:
    """N4: nothing twice, nothing left out."""
    rae, query = service.rae, f"$filter=campaignId eq '{name[-20:]}'&$orderby=updatedDateTime desc&$top=2"
    made = [rae.create(private(f"{name} {i}", campaignId=name[-20:])) for i in range(5)]
    page = rae.get(f"{REFERRALS}?{query}").json()
    seen = [each["id"] for each in page["value"]]
    assert seen == [made[4]["id"], made[3]["id"]]
    rae.create(private(f"{name} new", campaignId=name[-20:]))
    rae.patch(made[0], replacing("/name", "Changed meanwhile"))
    while "@odata.nextLink" in page:
        page = rae.get(page["@odata.nextLink"]).json()
        seen += [each["id"] for each in page["value"]]
    assert seen == [made[index]["id"] for index in (4, 3, 2, 1)]


def test_a_crm_reads_what_changed_since_it_looked_last(service: Service, name: str) -> None:
    """N4: updated since, oldest change first."""
    rae = service.rae
    first, second = (rae.create(private(f"{name} {i}")) for i in range(2))
    changed = rae.patch(first, replacing("/name", "Changed")).json()
    since = f"$filter=updatedDateTime ge {second['updatedDateTime']}&$orderby=updatedDateTime"
    assert ids(rae, since) == [second["id"], changed["id"]]
    after = f"$filter=updatedDateTime gt {changed['updatedDateTime']}&$orderby=updatedDateTime"
    assert ids(rae, after) == []


def test_a_list_can_be_counted_skipped_and_selected_from(service: Service, deals: dict[str, dict]) -> None:
    rae = service.rae
    query = "$filter=campaignId eq 'LISTS-1'"
    counted = rae.get(f"{REFERRALS}?{query}&$count=true&$top=1").json()
    assert (counted["@odata.count"], len(counted["value"])) == (2, 1)
    assert counted["@odata.context"].endswith("/v1.0/$metadata#referrals")
    assert "@odata.count" not in rae.get(f"{REFERRALS}?{query}").json()
    assert ids(rae, f"{query}&$skip=1") == [deals["coSell"]["id"]]
    selected = rae.get(f"{REFERRALS}?{query}&$select=ID,status,customerProfile").json()["value"]
    assert [set(each) for each in selected] == [{"id", "status", "customerProfile"}] * 2
    whole = len(walk(rae, "$top=100"))
    assert rae.get(f"{REFERRALS}?$count=true&$top=1").json()["@odata.count"] == whole
    assert walk(rae, "$top=3&$skip=2") == walk(rae, "$top=100")[2:]


def test_a_location_that_is_longer_than_any_key_is_nowhere(service: Service) -> None:
    assert ids(service.rae, f"$filter=location eq '{'_' * 4_000}'") == []
    assert ids(service.rae, f"$filter=location in ('contoso-munich','{'_' * 4_000}')") == ids(
        service.rae, "$filter=location eq 'contoso-munich'"
    )


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("$expand=team", "$expand"),
        ("$filter=details/notes eq 'x'", "details/notes"),
        ("$filter=length(name) gt 3", "length"),
        ("$filter=status eq", "cannot be read"),
        ("$filter=status eq 'Sleeping'", "Sleeping"),
        ("$orderby=notes", "$orderby"),
        ("$select=secret", "secret"),
        ("$top=0", "$top"),
        ("$skip=1001", "nextLink"),
        ("$skip=-1", "$skip"),
        ("$count=maybe", "$count"),
        ("$skiptoken=abc", "nextLink"),
        ("$filter=" + " or ".join(["status eq 'New'"] * 120), "100 conditions"),
    ],
)
def test_what_a_list_does_not_support_is_refused_by_name(service: Service, query: str, word: str) -> None:
    refused = service.rae.get(f"{REFERRALS}?{query}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalidRequest")
    assert word in refused.json()["error"]["message"]


def test_a_next_link_goes_with_its_own_filter(service: Service, deals: dict[str, dict]) -> None:
    link = service.rae.get(f"{REFERRALS}?$top=1").json()["@odata.nextLink"]
    assert service.rae.get(link).status_code == 200
    assert service.rae.get(f"{link}&$filter=status eq 'New'").status_code == 400


def test_after_a_decline_the_customers_contacts_are_no_longer_shown(service: Service, name: str) -> None:
    """N3."""
    made = service.rae.create(private(name, invitations=[invitation("fabrikam")]))
    own = service.kim.referral_in(made["engagementId"])
    assert own["customerProfile"]["team"]
    service.kim.act(own["id"], "decline", {"reason": "NotACustomer"})
    assert service.kim.read(own["id"])["customerProfile"]["team"] == []
