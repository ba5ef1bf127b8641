"""Import organizations, people, applications, solutions and customers into the directory from a JSON document.

`python -m shared.admin.directory_import FILE [--dry-run]`. The format is that of samples/world.json;
docs/directory.md describes it. An import adds and replaces records, but deletes none.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from shared.domain.directory import (
    MAX_PROFILE_CONTACTS,
    Application,
    CatalogueSolution,
    CustomerEntity,
    Location,
    Organization,
    Person,
    Profile,
    ProfileLocation,
)
from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId, object_id
from shared.domain.referral import Address, Contact, ProfileId
from shared.domain.routing import RoutingRule, RoutingTable, SellerTeam
from shared.domain.vocabulary import CustomerSize, OrganizationKind, Role
from shared.errors import ConfigurationError
from shared.settings import read_settings
from shared.storage.azure_tables import AzureTables
from shared.storage.directory import Directory
from shared.storage.profiles import Profiles
from shared.storage.routing import Routing
from shared.storage.schema import prepare_storage
from shared.storage.tables import Tables
from shared.wiring import table_service


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _Location(_Part):
    id: str
    name: str
    country: str


class _Person(_Part):
    oid: str
    email: str
    first_name: str
    last_name: str
    phone_number: str | None = None
    title: str | None = None
    roles: frozenset[Role]
    everywhere: Annotated[bool, Field(alias="global")] = False
    locations: frozenset[str] = frozenset()
    locale: str = "en-US"
    disable_notifications: bool = False

    @field_validator("roles")
    @classmethod
    def _only_of_people(cls, roles: frozenset[Role]) -> frozenset[Role]:
        if "LeadIntake" in roles:
            raise ValueError("LeadIntake is a role of applications: move this entry to `applications`.")
        return roles


class _Application(_Part):
    oid: str
    name: str
    roles: frozenset[Role]
    everywhere: Annotated[bool, Field(alias="global")] = False
    locations: frozenset[str] = frozenset()
    expires_at: Annotated[AwareDatetime, Field(alias="expiresDateTime")]


class _ProfileContact(_Part):
    first_name: str
    last_name: str
    email: str
    phone_number: str
    locale: str | None = None


class _ProfileLocation(_Part):
    id: str
    name: str
    contacts: Annotated[tuple[_ProfileContact, ...], Field(max_length=MAX_PROFILE_CONTACTS)] = ()
    languages: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    customer_sizes: tuple[CustomerSize, ...] = ()


class _Profile(_Part):
    country: str
    active: bool
    locations: tuple[_ProfileLocation, ...] = ()


class _Organization(_Part):
    id: str
    name: str
    kind: OrganizationKind
    tenant_id: str
    transacting: bool = False
    vetted_for_assessments: bool = False
    default_location: str | None = None
    review_lead: str | None = None
    locations: tuple[_Location, ...] = ()
    people: tuple[_Person, ...] = ()
    applications: tuple[_Application, ...] = ()
    profiles: tuple[_Profile, ...] = ()

    @model_validator(mode="after")
    def _each_oid_once(self) -> Self:
        oids = (*(person.oid for person in self.people), *(each.oid for each in self.applications))
        counts = Counter(map(object_id, oids))
        if repeated := [oid for oid, count in counts.items() if count > 1]:
            raise ValueError(f"Each oid is one person or one application, but {repeated[0]} is in it twice.")
        return self


class _Solution(_Part):
    id: str
    name: str
    owner: str
    assessment: bool = False
    co_sell_ready: bool = False
    incentives: tuple[str, ...] = ()


class _Address(_Part):
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str
    region: str | None = None


class _ProfileId(_Part):
    profile_type: str
    id: str


class _Customer(_Part):
    name: str
    address: _Address
    size: CustomerSize | None = None
    ids: tuple[_ProfileId, ...] = ()


class _SellerTeam(_Part):
    id: str
    name: str
    members: tuple[str, ...] = ()


class _RoutingRule(_Part):
    id: str
    team: str
    countries: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()


class _Routing(_Part):
    teams: tuple[_SellerTeam, ...]
    rules: tuple[_RoutingRule, ...] = ()
    default_team: str


class DirectoryDocument(_Part):
    """The whole document."""

    organizations: tuple[_Organization, ...] = ()
    solutions: tuple[_Solution, ...] = ()
    customers: tuple[_Customer, ...] = ()
    routing: _Routing | None = None

    def __str__(self) -> str:
        """The numbers of records."""
        people = sum(len(organization.people) for organization in self.organizations)
        applications = sum(len(organization.applications) for organization in self.organizations)
        return (
            f"{len(self.organizations)} organizations, {people} people, {applications} applications, "
            f"{len(self.solutions)} solutions, {len(self.customers)} customers"
        )


async def import_directory(tables: Tables, document: DirectoryDocument) -> None:
    """Write a document into the directory. Idempotent; raises as `Tables` does."""
    directory, profiles = Directory(tables), Profiles(tables)
    for organization in document.organizations:
        await _put_organization(directory, profiles, organization)
    await directory.put_solutions(
        CatalogueSolution(**{**each.model_dump(), "owner": OrganizationId(each.owner)})
        for each in document.solutions
    )
    await directory.put_customers(_customer(each) for each in document.customers)
    if document.routing:
        await Routing(tables).overwrite(_routing(document.routing))


async def _put_organization(directory: Directory, profiles: Profiles, given: _Organization) -> None:
    organization_id = OrganizationId(given.id)
    organization = Organization(
        id=organization_id,
        name=given.name,
        kind=given.kind,
        transacting=given.transacting,
        vetted_for_assessments=given.vetted_for_assessments,
        review_lead=given.review_lead,
        default_location=LocationId(given.default_location) if given.default_location else None,
        locations=tuple(
            Location(id=LocationId(p.id), name=p.name, country=p.country) for p in given.locations
        ),
    )
    people = [_person(organization_id, person) for person in given.people]
    applications = [_application(organization_id, application) for application in given.applications]
    await directory.put_organization(organization, given.tenant_id, people, applications)
    await profiles.overwrite(_profile(organization_id, profile) for profile in given.profiles)


def _person(organization_id: OrganizationId, given: _Person) -> Person:
    return Person(
        id=PersonId(object_id(given.oid)),
        organization_id=organization_id,
        locations=frozenset(LocationId(place) for place in given.locations),
        **given.model_dump(exclude={"oid", "locations"}),
    )


def _application(organization_id: OrganizationId, given: _Application) -> Application:
    return Application(
        id=ApplicationId(object_id(given.oid)),
        organization_id=organization_id,
        name=given.name,
        roles=given.roles,
        expires_at=given.expires_at.astimezone(UTC),
        everywhere=given.everywhere,
        locations=frozenset(LocationId(place) for place in given.locations),
    )


def _profile(organization_id: OrganizationId, given: _Profile) -> Profile:
    return Profile(
        organization_id=organization_id,
        country=given.country,
        active=given.active,
        locations=tuple(
            ProfileLocation(
                id=LocationId(place.id),
                contacts=tuple(Contact(**contact.model_dump()) for contact in place.contacts),
                **place.model_dump(exclude={"id", "contacts"}),
            )
            for place in given.locations
        ),
    )


def _routing(given: _Routing) -> RoutingTable:
    return RoutingTable(
        teams=tuple(SellerTeam(**team.model_dump()) for team in given.teams),
        rules=tuple(RoutingRule(**rule.model_dump()) for rule in given.rules),
        default_team=given.default_team,
        version=1,
    )


def _customer(given: _Customer) -> CustomerEntity:
    return CustomerEntity(
        name=given.name,
        address=Address(**given.address.model_dump()),
        size=given.size,
        ids=tuple(ProfileId(**each.model_dump()) for each in given.ids),
    )


async def open_directory() -> tuple[AzureTables, Directory]:
    """Open the directory in the environment's storage, and create missing tables. The caller closes the tables.

    Raises `ConfigurationError`, `DataOfAnotherVersion`, `StoreUnavailable`.
    """
    tables = AzureTables(table_service(read_settings()))
    try:
        await prepare_storage(tables)
    except BaseException:
        await tables.close()
        raise
    return tables, Directory(tables)


async def _run(document: DirectoryDocument) -> None:
    tables, _ = await open_directory()
    try:
        await import_directory(tables, document)
    finally:
        await tables.close()


def main() -> int:
    """Check a document, and import it unless this is a dry run; 2 if a setting or the data's version is wrong."""
    parser = argparse.ArgumentParser(prog="directory import", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--dry-run", action="store_true", help="check the document and write nothing")
    arguments = parser.parse_args()
    document = DirectoryDocument.model_validate(json.loads(arguments.file.read_text(encoding="utf-8")))
    if not arguments.dry_run:
        try:
            asyncio.run(_run(document))
        except ConfigurationError as wrong:
            print(wrong, file=sys.stderr)  # noqa: T201 - the command's output
            return 2
    print(f"{'Checked' if arguments.dry_run else 'Imported'}: {document}.")  # noqa: T201 - the command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
