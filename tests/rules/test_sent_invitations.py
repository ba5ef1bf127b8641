"""What the creator of a deal sent, looked up later (C2, C3): who sent it, and of what kind its solutions are."""

from datetime import timedelta

from shared.domain.directory import CatalogueSolution
from shared.domain.ids import OrganizationId
from shared.domain.inviting import sender_of, solutions_for
from shared.domain.referral import Solution
from shared.domain.timeline import Actor, Entry, EntryKind
from tests.examples.referrals import NOW, referral

OWNERS = {"ERP": "contoso", "IOT": "fabrikam", "CLOUD": "msft"}
CATALOGUE = {
    each: CatalogueSolution(id=each, name=each, owner=OrganizationId(owner)) for each, owner in OWNERS.items()
}


def entry(sequence: int, kind: EntryKind, name: str, invited: str = "", hours: int = 0) -> Entry:
    return Entry(
        sequence=sequence,
        at=NOW + timedelta(hours=hours),
        actor=Actor(organization_id=OrganizationId("contoso"), name=name),
        kind=kind,
        operation_id="op",
        details={"invited": invited} if invited else {},
    )


def test_the_sender_is_who_made_the_entry_of_that_time_that_names_the_invited_organization() -> None:
    timeline = [
        entry(1, "created", "Rae Rivers", "Northwind Traders"),
        entry(2, "edited", "Mia Moore", hours=1),
        entry(3, "invited", "Mia Moore", "Microsoft", hours=1),
        entry(4, "invited", "Lou Lane", "Fabrikam, Northwind Traders", hours=1),
        entry(5, "invited", "Rae Rivers", "Fabrikam", hours=9),
    ]
    invitation = referral(created_at=NOW + timedelta(hours=1))
    assert invitation.organization_name == "Fabrikam"
    assert sender_of(invitation, timeline) == "Lou Lane"
    assert sender_of(referral(created_at=NOW + timedelta(hours=9)), timeline) == "Rae Rivers"


def test_an_entry_that_cannot_be_read_leaves_the_sender_open() -> None:
    assert sender_of(referral(), [entry(2, "edited", "Mia Moore")]) is None


def test_solutions_have_the_kinds_that_they_have_for_the_sender() -> None:
    """T6: what is the invited partner's own is a third party's for the inviter."""
    sent = tuple(Solution(id=each, name=each, kind="MyCompany") for each in (*OWNERS, "WITHDRAWN"))
    kinds = {each.id: each.kind for each in solutions_for(OrganizationId("contoso"), sent, CATALOGUE)}
    assert kinds == {
        "ERP": "MyCompany",
        "IOT": "ThirdParty",
        "CLOUD": "Microsoft",
        "WITHDRAWN": "MyCompany",
    }
