"""What a directory document may say of people, applications and tenants (V7)."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.storage.directory import Directory
from shared.storage.memory_tables import MemoryTables
from tests.doubles.small_world import application, person

PORTAL = OrganizationId("portal")


def document(**changes: Any) -> DirectoryDocument:
    own = {"id": "portal", "name": "Portal", "kind": "application", "tenantId": "TENANT-Portal", **changes}
    return DirectoryDocument.model_validate({"organizations": [own]})


async def test_ids_are_stored_in_lower_case() -> None:
    tables = MemoryTables()
    rae, web = person("portal", "rae@x.example"), application("web", "LeadIntake")
    await import_directory(
        tables, document(people=[{**rae, "oid": "RAE"}], applications=[{**web, "oid": "Web"}])
    )
    directory = Directory(tables)
    assert await directory.organization_of_tenant("tenant-portal") == PORTAL
    found = (
        await directory.person(PORTAL, PersonId("rae")),
        await directory.application(PORTAL, ApplicationId("web")),
    )
    assert [each and each.id for each in found] == ["rae", "web"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"people": [{**person("portal", "web@x.example"), "roles": ["LeadIntake"]}]},
            "move this entry to `appl",
        ),
        ({"applications": [application("web"), application("WEB")]}, "web is in it twice"),
        (
            {"applications": [application("Rae")], "people": [person("portal", "rae@x.example")]},
            "rae is in it tw",
        ),
        ({"applications": [{**application("web"), "expiresDateTime": None}]}, "expiresDateTime"),
        ({"applications": [{**application("web"), "expiresDateTime": "2030-01-01T00:00:00"}]}, "timezone"),
        (
            {"applications": [{k: v for k, v in application("web").items() if k != "expiresDateTime"}]},
            "required",
        ),
        ({"applications": [{**application("web"), "email": "web@x.example"}]}, "email"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_the_reason(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        document(**changes)
