"""What the forms of a portal look up (P4, T6, C4), and the lists of values."""

from tests.live import Service, private

RAE = {"firstName": "Rae", "lastName": "L", "phoneNumber": "+1 206 555 0102", "email": "rae@contoso.com"}


def test_customers_are_found_by_country_and_the_start_of_their_name(service: Service) -> None:
    """Several entities of one name are told apart by their D-U-N-S numbers; a hit creates a deal as it is."""
    found = service.kim.get("/v1.0/customers?country=us&name=%20ADVENTURE%20%20w").json()["value"]
    assert [each["name"] for each in found] == ["Adventure Works"] * 2
    assert len({each["ids"][0]["id"] for each in found}) == 2
    made = service.rae.create(private("Looked up", customerProfile={**found[1], "team": []}))
    assert made["customerProfile"]["ids"] == found[1]["ids"]
    assert service.rae.get("/v1.0/customers?country=DE&name=Adventure").json()["value"] == []


def test_a_search_gives_at_most_fifty_in_order_of_name(service: Service) -> None:
    found = service.rae.get("/v1.0/customers?country=US&name=br").json()["value"]
    names = [each["name"].casefold() for each in found]
    assert names == sorted(names)
    assert 0 < len(names) <= 50
    assert all(name.startswith("br") for name in names)


def test_partners_are_found_by_the_start_of_their_name_if_they_can_be_invited(service: Service) -> None:
    """C3, T3: transacting, and not oneself."""
    rae = service.rae
    (fabrikam,) = rae.get("/v1.0/partners?name=FAB").json()["value"]
    assert (fabrikam["id"], [place["id"] for place in fabrikam["locations"]]) == (
        *("fabrikam", ["fabrikam-seoul", "fabrikam-london"]),
    )
    for start in ("contoso", "tailspin", "microsoft", "nobody"):
        assert rae.get(f"/v1.0/partners?name={start}").json()["value"] == []
    assert service.kim.get("/v1.0/partners?name=conto").json()["value"][0]["id"] == "contoso"


def test_solutions_are_what_they_are_to_the_one_who_asks(service: Service) -> None:
    """T6: the kind follows from the owner."""
    kinds = {
        who: {
            each["id"]: each["kind"] for each in getattr(service, who).get("/v1.0/solutions").json()["value"]
        }
        for who in ("rae", "kim", "sam")
    }
    assert kinds["rae"]["SOL-CONTOSO-ERP"] == "MyCompany"
    assert kinds["kim"]["SOL-CONTOSO-ERP"] == kinds["sam"]["SOL-CONTOSO-ERP"] == "ThirdParty"
    assert {of["SOL-MS-AZURE"] for of in kinds.values()} == {"Microsoft"}
    assert kinds["rae"]["SA-DATA-ESTATE"] == "SolutionAssessment"
    assert "SA-DATA-ESTATE" not in {*kinds["kim"], *kinds["sam"]}, "offered to the vetted alone"
    one = service.rae.get("/v1.0/solutions?kind=mycompany&name=contoso%20e").json()["value"]
    assert one == [
        {
            "id": "SOL-CONTOSO-ERP",
            "name": "Contoso ERP Cloud",
            "kind": "MyCompany",
            "incentives": ["AzureIpCoSell", "IsvConnect"],
        }
    ]


def test_recent_contacts_are_those_of_the_latest_deals_that_one_sees(service: Service, name: str) -> None:
    """C4: each once, newest first."""
    zoe = {**RAE, "firstName": "Zoe", "email": f"zoe{abs(hash(name))}@contoso.com"}
    service.rae.create(private(name, team=[zoe, RAE]))
    service.rae.create(private(name, team=[RAE, {**zoe, "email": zoe["email"].upper()}]))
    emails = [each["email"].casefold() for each in service.ana.get("/v1.0/contacts/recent").json()["value"]]
    assert emails[:2] == ["rae@contoso.com", zoe["email"]]
    assert len(emails) == len(set(emails)) <= 20
    assert zoe["email"] not in str(service.mia.get("/v1.0/contacts/recent").json()).casefold()


def test_a_look_up_that_says_too_little_is_refused_with_what_it_needs(service: Service) -> None:
    for path, word in {
        "/v1.0/customers?name=adv": "country",
        "/v1.0/customers?country=XX&name=adv": "country",
        "/v1.0/customers?country=US&name=a": "2 letters",
        "/v1.0/partners": "2 letters",
        "/v1.0/partners?name=%20%20f%20": "2 letters",
        "/v1.0/solutions?kind=Mine": "MyCompany",
        "/v1.0/solutions?owner=x": "owner",
        "/v1.0/contacts/recent?$top=3": "$top",
    }.items():
        refused = service.rae.get(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalidRequest")
        assert word in refused.json()["error"]["message"]
    for odd in ("%00%00", "%2F%5C%23%3F", "%EC%95%88%EB%85%95", "~~", "%7F%7F"):
        assert service.rae.get(f"/v1.0/partners?name={odd}").json()["value"] == []


def test_reference_data_name_every_code_in_both_languages(service: Service) -> None:
    data = service.tom.get("/v1.0/reference-data").json()
    reasons = {each["code"]: each["name"]["ko"] for each in data["closingReasons"]}
    assert reasons["BudgetNotAdequate"] == "예산 부족"
    stages = {each["code"]: (each["percent"], each["of"]) for each in data["salesStages"]}
    assert stages["CollectData"] == (40, "solutionAssessment")
    won = {each["code"]: each["decimals"] for each in data["currencies"]}
    assert (won["KRW"], won["USD"], won["BHD"], "DEM" in won) == (0, 2, 2, False)
    korea = next(each for each in data["countries"] if each["code"] == "KR")
    assert korea["name"] == {"en": "South Korea", "ko": "대한민국"}
    assert service.http.get(f"{service.stack.url}/v1.0/reference-data").status_code == 401
