"""An organization's applications in memory and on Azurite: an id is a person's or an application's (V7)."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.directory import Application, Person
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.domain.refusals import NotAllowed
from shared.storage.applications import Applications
from shared.storage.directory import Directory
from shared.storage.members import ETagMismatch
from shared.storage.people import People
from shared.storage.tables import Tables
from tests.doubles.small_world import application as imported_application
from tests.doubles.small_world import person as imported_person


def application(organization: str, name: str, *roles: str) -> Application:
    return Application(
        id=ApplicationId(name),
        organization_id=OrganizationId(organization),
        name=name,
        roles=frozenset(roles),
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def person(organization: str, name: str, *roles: str) -> Person:
    return Person(
        id=PersonId(name),
        organization_id=OrganizationId(organization),
        email=f"{name}@contoso.com",
        first_name=name,
        last_name=name,
        roles=frozenset(roles),
    )


class Members:
    """The people and applications of an organization, which has an admin."""

    def __init__(self, tables: Tables, organization: str) -> None:
        self.organization = OrganizationId(organization)
        self.directory = Directory(tables)
        self.people, self.applications = People(tables, self.directory), Applications(tables, self.directory)

    async def begun(self) -> "Members":
        await self.people.put(person(self.organization, "ana", "MpnPartnerAdmin"), None)
        return self


@pytest.fixture
async def members(tables: Tables, partition: str) -> Members:
    return await Members(tables, partition).begun()


async def test_an_application_is_changed_as_read_or_not_at_all(members: Members) -> None:
    crm = application(members.organization, "crm", "ReferralsAdmin")
    stored = await members.applications.put(crm, None)
    assert await members.applications.get(crm.organization_id, crm.id) == stored
    for known in (None, "another"):
        with pytest.raises(ETagMismatch) as stale:
            await members.applications.put(crm, known)
        assert stale.value.etag == stored.etag
        with pytest.raises(ETagMismatch):
            await members.applications.remove(crm.organization_id, crm.id, known or "")
    changed = await members.applications.put(replace(crm, name="CRM"), stored.etag)
    assert changed.etag != stored.etag
    assert await members.applications.all(crm.organization_id) == [changed]
    await members.applications.remove(crm.organization_id, crm.id, changed.etag)
    assert await members.applications.all(crm.organization_id) == []


async def test_the_directory_sees_a_change_of_an_application_at_once(members: Members) -> None:
    crm = application(members.organization, "crm", "ReferralsAdmin")
    stored = await members.applications.put(crm, None)
    assert await members.directory.application(crm.organization_id, crm.id) == crm
    stored = await members.applications.put(replace(crm, roles=frozenset()), stored.etag)
    assert await members.directory.application(crm.organization_id, crm.id) == stored.application
    await members.applications.remove(crm.organization_id, crm.id, stored.etag)
    assert await members.directory.application(crm.organization_id, crm.id) is None


async def test_an_application_is_no_person_and_no_admin(members: Members) -> None:
    """No mail and no last admin: both are decided on the organization's people."""
    own = members.organization
    await members.applications.put(application(own, "crm", "MpnPartnerAdmin"), None)
    assert [each.id for each in await members.directory.people(own)] == ["ana"]
    (ana,) = await members.people.all(own)
    with pytest.raises(NotAllowed):
        await members.people.remove(own, ana.person.id, ana.etag)
    with pytest.raises(NotAllowed):
        await members.people.put(replace(ana.person, roles=frozenset()), ana.etag)


async def test_an_id_is_a_persons_or_an_applications(members: Members) -> None:
    own = members.organization
    with pytest.raises(NotAllowed, match="id of a person"):
        await members.applications.put(application(own, "ana"), None)
    crm = await members.applications.put(application(own, "crm"), None)
    with pytest.raises(NotAllowed, match="id of an application"):
        await members.people.put(person(own, "crm"), None)
    await members.applications.remove(own, crm.application.id, crm.etag)
    await members.people.put(person(own, "crm"), None)


async def test_of_a_person_and_an_application_that_are_entered_at_once_one_is(members: Members) -> None:
    own = members.organization
    outcomes = await asyncio.gather(
        members.people.put(person(own, "both"), None),
        members.applications.put(application(own, "both"), None),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, NotAllowed) for outcome in outcomes) == 1
    entered = (
        await members.people.get(own, PersonId("both")),
        await members.applications.get(own, ApplicationId("both")),
    )
    assert sum(each is not None for each in entered) == 1


async def test_an_import_makes_a_person_an_application_and_an_application_a_person(members: Members) -> None:
    """Data of earlier versions has applications as people."""
    own, tables = members.organization, members.people._tables
    for kind in ("applications", "people", "applications"):
        entry = (
            imported_person(own, "web@x.example")
            if kind == "people"
            else imported_application("Web", "LeadIntake")
        )
        organization = {"id": own, "name": own, "kind": "partner", "tenantId": own, kind: [entry]}
        await import_directory(tables, DirectoryDocument.model_validate({"organizations": [organization]}))
        found = (
            await Directory(tables).person(own, PersonId("web")),
            await Directory(tables).application(own, ApplicationId("web")),
        )
        assert [each is not None for each in found] == [kind == "people", kind == "applications"]
