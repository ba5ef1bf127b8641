"""Data of before: people and tenants whose ids were stored with capital letters are found in lower case."""

from typing import Any

from shared.admin.migrate import migrate_data
from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, PersonId, ReferralId
from shared.domain.referral import ReferralKey
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.memory_tables import MemoryTables
from shared.storage.people import People
from shared.storage.referrals import Referrals
from shared.storage.schema import write_version
from shared.storage.tables import Insert, Row
from tests.doubles.small_world import WORLD, import_small_world
from tests.examples.referrals import NOW

CONTOSO = OrganizationId("contoso")
OID = "4D1B5EC2-D57B-5EB3-86DB-02BF1A430D3B"
DEAL = ReferralKey(organization_id=CONTOSO, referral_id=ReferralId("01a22bae-b680-7917-b2b4-dc0fc0c0f260"))


def person(oid: str, first_name: str, **fields: Any) -> Person:
    return Person(
        id=PersonId(oid),
        organization_id=CONTOSO,
        email="ann@contoso.com",
        first_name=first_name,
        last_name="Example",
        roles=frozenset({"MpnPartnerAdmin"}),
        **fields,
    )


async def data_of_version_2(tables: MemoryTables) -> Referrals:
    """The small world; besides, Ann and her tenant in capital letters, and her favorite."""
    await import_small_world(tables)
    await write_version(tables, 2)
    codec, referrals = Codec[Person](Person), Referrals(tables)
    await tables.write("directory", "contoso", [Insert(codec.row(f"p:{OID}", person(OID, "Ann")))])
    await tables.write("directory", "tenants", [Insert(Row("TENANT-A", {"json0": '"contoso"'}))])
    await referrals.mark_favorite(person(OID, "Ann"), DEAL)
    return referrals


async def test_people_tenants_and_favorites_are_found_after_the_migration() -> None:
    tables = MemoryTables()
    referrals = await data_of_version_2(tables)
    said: list[str] = []
    await migrate_data(tables, NOW, said.append, stopped=True)
    assert "3 rows have the ids of people and tenants in lower case." in said[0]
    people = People(tables, Directory(tables))
    stored = await people.get(CONTOSO, PersonId(OID.lower()))
    assert stored
    assert stored.person == person(OID.lower(), "Ann")
    own = {each.oid for org in WORLD.organizations if org.id == CONTOSO for each in org.people}
    assert {each.person.id for each in await people.all(CONTOSO)} == {*own, OID.lower()}, "and not twice"
    assert await Directory(tables).organization_of_tenant("tenant-a") == CONTOSO
    assert await referrals.favorites(stored.person) == {DEAL.referral_id}


async def test_an_entry_that_was_made_anew_meanwhile_stays() -> None:
    tables = MemoryTables()
    await data_of_version_2(tables)
    newer = person(OID.lower(), "Anna")
    await tables.write("directory", "contoso", [Insert(Codec[Person](Person).row(f"p:{newer.id}", newer))])
    await migrate_data(tables, NOW, lambda _: None, stopped=True)
    everybody = await People(tables, Directory(tables)).all(CONTOSO)
    assert [each.person.first_name for each in everybody if each.person.email == "ann@contoso.com"] == [
        "Anna"
    ]
