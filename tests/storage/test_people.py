"""An organization's people on the twin and on Azurite: one admin always remains (V7)."""

import asyncio
from dataclasses import replace

import pytest

from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, PersonId
from shared.domain.refusals import NotAllowed
from shared.storage.directory import Directory
from shared.storage.people import ETagMismatch, People
from shared.storage.tables import Tables


def person(organization: str, name: str, *roles: str) -> Person:
    return Person(
        id=PersonId(name),
        organization_id=OrganizationId(organization),
        email=f"{name}@contoso.com",
        first_name=name,
        last_name=name,
        roles=frozenset(roles),
    )


async def test_of_two_admins_who_demote_each_other_at_once_one_remains(
    tables: Tables, partition: str
) -> None:
    people = People(tables, Directory(tables))
    first, second = (person(partition, name, "MpnPartnerAdmin") for name in ("ana", "bea"))
    tags = [(await people.put(each, None)).etag for each in (first, second)]
    demoted = [person(partition, name, "ReferralsUser") for name in ("ana", "bea")]
    outcomes = await asyncio.gather(
        *(people.put(each, tag) for each, tag in zip(demoted, tags, strict=True)), return_exceptions=True
    )
    assert sum(isinstance(outcome, NotAllowed) for outcome in outcomes) == 1
    admins = [
        each for each in await people.all(first.organization_id) if "MpnPartnerAdmin" in each.person.roles
    ]
    assert len(admins) == 1


async def test_the_first_person_of_an_organization_is_an_admin(tables: Tables, partition: str) -> None:
    with pytest.raises(NotAllowed):
        await People(tables, Directory(tables)).put(person(partition, "ulf", "ReferralsUser"), None)


async def test_a_person_is_changed_as_read_or_not_at_all(tables: Tables, partition: str) -> None:
    people = People(tables, Directory(tables))
    ana = person(partition, "ana", "MpnPartnerAdmin")
    stored = await people.put(ana, None)
    for known in (None, "another"):
        with pytest.raises(ETagMismatch) as stale:
            await people.put(ana, known)
        assert stale.value.etag == stored.etag
    with pytest.raises(ETagMismatch):
        await people.remove(ana.organization_id, PersonId("nobody"), stored.etag)
    with pytest.raises(NotAllowed):
        await people.remove(ana.organization_id, ana.id, stored.etag)


async def test_the_directory_sees_a_change_at_once(tables: Tables, partition: str) -> None:
    directory = Directory(tables)
    people = People(tables, directory)
    ana = person(partition, "ana", "MpnPartnerAdmin")
    stored = await people.put(ana, None)
    assert await directory.person(ana.organization_id, ana.id) == ana
    assert await directory.people(ana.organization_id) == (ana,)
    await people.put(person(partition, "ana", "MpnPartnerAdmin", "ReferralsAdmin"), stored.etag)
    found = await directory.person(ana.organization_id, ana.id)
    assert found
    assert found.roles == {"MpnPartnerAdmin", "ReferralsAdmin"}
    assert await directory.people(ana.organization_id) == (found,)


async def test_preferences_are_changed_in_the_version_that_was_read(tables: Tables, partition: str) -> None:
    """V8: whatever an admin changed meanwhile stays, and a stale version is refused."""
    people = People(tables, Directory(tables))
    ana = person(partition, "ana", "MpnPartnerAdmin")
    first = await people.put(ana, None)
    renamed = await people.put(replace(ana, first_name="Anna"), first.etag)
    with pytest.raises(ETagMismatch):
        await people.prefer(ana, first.etag, locale="ko-KR")
    changed = await people.prefer(ana, renamed.etag, locale="ko-KR")
    assert (changed.person.first_name, changed.person.locale) == ("Anna", "ko-KR")
    again = await people.prefer(ana, None, disable_notifications=True)
    assert (again.person.locale, again.person.disable_notifications) == ("ko-KR", True)
    await people.put(person(partition, "bea", "MpnPartnerAdmin"), None)
    await people.remove(ana.organization_id, ana.id, again.etag)
    with pytest.raises(ETagMismatch):
        await people.prefer(ana, None, locale="en-US")
