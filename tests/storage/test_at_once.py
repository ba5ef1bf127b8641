"""What is decided on several rows holds when requests interleave (V7, E3)."""

import asyncio

import pytest

from shared.domain.directory import Profile
from shared.domain.ids import EngagementId, OrganizationId
from shared.domain.refusals import NotAllowed
from shared.errors import StoreConflict
from shared.storage.directory import Directory
from shared.storage.engagements import Engagements, Message
from shared.storage.people import People
from shared.storage.profiles import Profiles
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW
from tests.storage.test_people import person


async def test_of_two_admins_who_demote_each_other_one_remains() -> None:
    tables = YieldingTables()
    people = People(tables, Directory(tables))
    tags = [
        (await people.put(person("contoso", name, "MpnPartnerAdmin"), None)).etag for name in ("ana", "bea")
    ]
    outcomes = await asyncio.gather(
        *(
            people.put(person("contoso", name, "ReferralsUser"), tag)
            for name, tag in zip(("ana", "bea"), tags, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, NotAllowed) for outcome in outcomes) == 1


async def test_messages_written_at_once_are_numbered_without_gaps() -> None:
    engagements = Engagements(YieldingTables())
    deal = EngagementId("deal")
    said = Message(sequence=0, at=NOW, organization_id=OrganizationId("contoso"), author="Rae", text="Hi")
    written = await asyncio.gather(*(engagements.append(deal, said) for _ in range(6)))
    assert sorted(message.sequence for message in written if message) == [1, 2, 3, 4, 5, 6]


async def test_of_two_who_write_a_profiles_next_version_one_is_told_of_the_other() -> None:
    """P1: nobody's change is lost."""
    profiles = Profiles(YieldingTables())
    contoso = OrganizationId("contoso")
    for version in (1, 2):
        written = [
            Profile(organization_id=contoso, country="US", active=active, version=version)
            for active in (True, False)
        ]
        outcomes = await asyncio.gather(*map(profiles.put, written), return_exceptions=True)
        assert [type(each) for each in outcomes if each] == [StoreConflict]
        assert await profiles.get(contoso, "US") == written[outcomes.index(None)]
    with_a_stale_page = Profile(organization_id=contoso, country="US", active=True, version=2)
    with pytest.raises(StoreConflict):
        await profiles.put(with_a_stale_page)
