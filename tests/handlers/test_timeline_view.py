"""Who acted, as a timeline shows it: people and applications of other organizations remain unnamed (V1, V7)."""

import pytest

from api.referrals.mapping import timeline_entry
from shared.domain.directory import Organization, Person
from shared.domain.ids import OperationId, OrganizationId, PersonId
from shared.domain.permissions import Caller
from shared.domain.timeline import Actor, Entry
from tests.examples.referrals import NOW


def caller(organization_id: str) -> Caller:
    own = OrganizationId(organization_id)
    return Caller(
        organization=Organization(id=own, name=organization_id, kind="partner"),
        member=Person(
            id=PersonId("rae"),
            organization_id=own,
            email="rae@x.example",
            first_name="Rae",
            last_name="R",
            roles=frozenset(),
        ),
    )


@pytest.mark.parametrize(
    ("reader", "is_application", "name", "details"),
    [
        ("contoso", True, "CRM", {"why": "x", "actor": "application"}),
        ("contoso", False, "CRM", {"why": "x"}),
        ("fabrikam", True, None, {"why": "x"}),
        ("fabrikam", False, None, {"why": "x"}),
    ],
)
def test_an_application_is_told_from_a_person_in_its_own_organization_alone(
    reader: str, is_application: bool, name: str | None, details: dict[str, str]
) -> None:
    entry = Entry(
        sequence=1,
        at=NOW,
        actor=Actor(organization_id=OrganizationId("contoso"), name="CRM", is_application=is_application),
        kind="accepted",
        operation_id=OperationId("o"),
        details={"why": "x"},
    )
    view = timeline_entry(entry, caller(reader)).document()
    assert view["actor"] == {"organizationId": "contoso", "name": name}
    assert view["details"] == details
