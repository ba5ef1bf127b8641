"""Who sees and may do what on a deal (V1, V4, V5, V6), and lists in pages (N4)."""

import pytest

from tests.live import REFERRALS, Service, deal

RAES = {
    "firstName": "Rae",
    "lastName": "Rivers",
    "phoneNumber": "+1 206 555 0102",
    "email": "rae@contoso.com",
}
ULF = {**RAES, "firstName": "Ulf", "email": "ULF@contoso.com"}
SEES = {
    # who: (Seattle deal, Seattle deal with ulf on the team, Munich deal) of Contoso
    "ana": (True, True, True),
    "rae": (True, True, True),
    "mia": (False, False, True),
    "ulf": (False, True, False),
    "kim": (False, False, False),
    "nia": (False, False, False),
    "tom": (False, False, False),
    "sam": (False, False, False),
    "dee": (False, False, False),
}


@pytest.fixture(scope="module")
def deals(service: Service) -> list[dict]:
    rae = service.rae
    return [
        rae.create(deal("Visibility of Seattle")),
        rae.create(deal("Visibility of a team", team=[RAES, ULF])),
        rae.create(deal("Visibility of Munich", location="contoso-munich")),
    ]


@pytest.mark.parametrize("who", SEES)
def test_a_referral_that_one_may_not_see_reads_like_an_unknown_id(
    service: Service, deals: list[dict], who: str
) -> None:
    person = getattr(service, who)
    for made, visible in zip(deals, SEES[who], strict=True):
        path = f"{REFERRALS}/{made['id']}"
        reads = [person.get(path), person.get(f"{path}/timeline")]
        assert {answer.status_code for answer in reads} == {200 if visible else 404}
        engagement = person.get(f"/v1.0/engagements/{made['engagementId']}").status_code
        assert engagement == (200 if visible or who == "sam" else 404)
        if not visible:
            unknown = person.get(f"{REFERRALS}/00000000-0000-7000-8000-000000000000").json()
            assert reads[0].json() == unknown
            for verb in ("accept", "decline", "win", "lose"):
                assert person.act(made["id"], verb).status_code == 404


@pytest.mark.parametrize("who", SEES)
def test_lists_hold_what_one_may_see_and_nothing_else(service: Service, deals: list[dict], who: str) -> None:
    answer = getattr(service, who).get(REFERRALS)
    if who == "dee":
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "accessDenied")
        return
    listed = {each["id"] for each in answer.json()["value"]}
    assert [made["id"] in listed for made in deals] == list(SEES[who])


@pytest.mark.parametrize(
    "case",
    [
        ("ana", "contoso-seattle", [RAES], 201),
        ("mia", "contoso-munich", [RAES], 201),
        ("mia", "contoso-seattle", [RAES], 403),
        ("ulf", "contoso-seattle", [RAES, ULF], 201),
        ("ulf", "contoso-seattle", [RAES], 403),
        ("ulf", "contoso-munich", [RAES, ULF], 403),
        ("dee", "contoso-seattle", [RAES], 403),
        ("sam", "contoso-seattle", [RAES], 422),
    ],
)
def test_deals_are_created_only_where_ones_role_covers_it(service: Service, case: tuple) -> None:
    """V6: by role, location and team."""
    who, location, team, status = case
    body = deal(f"Created by {who} in {location}", location=location, team=team)
    assert getattr(service, who).post(REFERRALS, body).status_code == status


def test_pages_go_from_the_newest_to_the_oldest_and_stay_right_while_deals_are_added(
    service: Service,
) -> None:
    tom_like = service.mia
    for index in range(5):
        service.rae.create(deal(f"Page {index}", location="contoso-munich"))
    whole = [each["id"] for each in tom_like.get(REFERRALS).json()["value"]]
    assert whole == sorted(whole, reverse=True)
    page = tom_like.get(f"{REFERRALS}?$top=2").json()
    seen = [each["id"] for each in page["value"]]
    service.rae.create(deal("Page added", location="contoso-munich"))
    while "@odata.nextLink" in page:
        page = tom_like.get(page["@odata.nextLink"]).json()
        assert 0 < len(page["value"]) <= 2
        seen += [each["id"] for each in page["value"]]
    assert seen == whole


def test_a_timeline_comes_in_pages_without_gaps(service: Service, name: str) -> None:
    """L9: complete and in order."""
    made = service.rae.create(deal(name, "fabrikam", "northwind"))
    for person in (service.kim, service.nia, service.sam):
        person.act(person.referral_in(made["engagementId"])["id"], "accept")
    service.advance("PT0S")
    page = service.rae.get(f"{REFERRALS}/{made['id']}/timeline?$top=3").json()
    sequence = [entry["sequence"] for entry in page["value"]]
    page = service.rae.get(page["@odata.nextLink"]).json()
    assert sequence + [entry["sequence"] for entry in page["value"]] == [1, 2, 3, 4]
    assert page["value"][0]["actor"]["name"] is None


def test_an_unchanged_referral_is_not_sent_again(service: Service, name: str) -> None:
    made = service.rae.create(deal(name))
    again = service.rae.get(f"{REFERRALS}/{made['id']}", headers={"If-None-Match": made["eTag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", made["eTag"])
