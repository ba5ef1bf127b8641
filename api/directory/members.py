"""What people and applications have in common: who manages them, their ids, roles and locations (V7)."""

from collections.abc import Iterable
from typing import Literal

from api.directory.organizations import require_own
from api.http.problems import Forbidden, NotFound
from api.http.request import Request
from shared.domain.directory import Organization
from shared.domain.ids import OrganizationId, object_id
from shared.domain.permissions import may_manage_members, may_read_members
from shared.domain.refusals import Fault

PartnerRole = Literal["MpnPartnerAdmin", "ReferralsAdmin", "ReferralsUser"]
"""The roles that a partner's admins can give, none of which exceeds their own; operators give all others."""
_MAX_ID_LENGTH = 100


def require_members_reader(request: Request) -> OrganizationId:
    """The caller's organization. Raises `NotFound` for another one (V5), `Forbidden` unless they are an admin."""
    organization_id = require_own(request)
    if not may_read_members(request.caller):
        raise Forbidden(
            "Only your organization's partner admins can see and change its people and applications."
        )
    return organization_id


def require_members_manager(request: Request) -> OrganizationId:
    """As `require_members_reader`; raises `Forbidden` for applications too."""
    organization_id = require_members_reader(request)
    if not may_manage_members(request.caller):
        raise Forbidden(
            "An application cannot change people or applications: one of your partner admins can."
        )
    return organization_id


def oid_of(request: Request, kind: str) -> str:
    """The object id of the route in lower case. Raises `NotFound` if nobody can have it; `kind` is for the text."""
    oid = request.route_param("oid")
    if not (oid.isascii() and oid.isprintable() and len(oid) <= _MAX_ID_LENGTH):
        raise NotFound(f"There is no such {kind}.")
    return object_id(oid)


def foreign_locations(locations: Iterable[str] | None, organization: Organization) -> tuple[Fault, ...]:
    """A fault for each of the field `locations` that is not the organization's own."""
    known = ", ".join(place.id for place in organization.locations)
    return tuple(
        Fault("notInCatalogue", f"/locations/{index}", f"Use locations of your organization: {known}.")
        for index, place in enumerate(locations or ())
        if organization.location(place) is None
    )
