"""Who the caller is, and what people decide about themselves: `/v1.0/me` (V8)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from api.common.response_parts import LocationFound
from api.http.body import Body, read
from api.http.etags import refuse_stale_version
from api.http.fields import Flag, Locale
from api.http.operation import IF_MATCH, operation
from api.http.problems import Forbidden, NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import DateTime, View
from shared.domain import permissions
from shared.domain.directory import Application, Organization, Person
from shared.domain.permissions import Caller
from shared.domain.vocabulary import OrganizationKind, Role
from shared.storage.members import ETagMismatch
from shared.storage.people import StoredPerson

ME_ROUTE = "v1.0/me"
Right = Literal[
    "useReferrals",
    "registerDeals",
    "reportClosedDeals",
    "reviewRegistrations",
    "configure",
    "keepLocations",
    "readMembers",
    "manageMembers",
    "readRouting",
    "manageRouting",
    "submitLeads",
]
_RIGHTS: Mapping[Right, Callable[[Caller], bool]] = {
    "useReferrals": permissions.may_use_referrals,
    "registerDeals": permissions.may_write_registrations,
    "reportClosedDeals": permissions.may_report_deals,
    "reviewRegistrations": permissions.may_review,
    "configure": permissions.may_configure,
    "keepLocations": permissions.may_keep_locations,
    "readMembers": permissions.may_read_members,
    "manageMembers": permissions.may_manage_members,
    "readRouting": permissions.may_read_routing,
    "manageRouting": permissions.may_manage_routing,
    "submitLeads": permissions.may_submit_leads,
}
"""What a caller may do at all, so that a client shows only what works; each request is checked anyway."""


class OwnOrganizationView(View):
    id: str
    name: str
    kind: OrganizationKind
    default_location: str | None
    vetted_for_assessments: bool


class MeView(View):
    """The caller. What only people have is null for an application, and `expiresDateTime` for a person."""

    oid: str
    kind: Literal["person", "application"]
    name: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone_number: str | None
    title: str | None
    locale: str | None
    disable_notifications: bool | None
    expires_date_time: DateTime | None
    roles: list[Role]
    global_: Annotated[bool, Field(alias="global")]
    locations: list[LocationFound]
    rights: list[Right]
    organization: OwnOrganizationView
    e_tag: Annotated[str | None, Field(alias="eTag")]


class MeBody(Body):
    """`PATCH /v1.0/me`; what is left out stays."""

    locale: Locale | None = None
    disable_notifications: Flag | None = None


@operation("GET", ME_ROUTE, returns=MeView)
async def get_me(request: Request) -> Response:
    """Get the caller: who it is, its roles and where they apply, its organization, and what it may do at all."""
    member = request.caller.member
    if isinstance(member, Application):
        return Response(body=_application_view(request.caller, member))
    stored = await request.service.people.get(member.organization_id, member.id)
    if stored is None:
        raise NotFound("You were removed from the directory; ask your partner admin.")
    return _response(request.caller, stored)


@operation("PATCH", ME_ROUTE, body=MeBody, returns=MeView, headers=IF_MATCH)
async def patch_me(request: Request) -> Response:
    """Change one's own language and whether one gets mail; `If-Match` is optional.

    Everything else is changed by the organization's partner admins.
    """
    member = request.caller.member
    if not isinstance(member, Person):
        raise Forbidden("An application gets no mail, so it has nothing to change here.")
    parsed = read(MeBody, request.body)
    before = await request.service.people.get(member.organization_id, member.id)
    refuse_stale_version(request, before.etag if before else "")
    parsed.require_valid()
    has_if_match = request.header("If-Match") is not None
    try:
        stored = await request.service.people.prefer(
            member,
            before.etag if before and has_if_match else None,
            locale=parsed.body.locale,
            disable_notifications=parsed.body.disable_notifications,
        )
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return _response(request.caller, stored)


def _response(caller: Caller, stored: StoredPerson) -> Response:
    view = _person_view(Caller(organization=caller.organization, member=stored.person), stored)
    return Response(body=view, headers={"ETag": stored.etag})


def _person_view(caller: Caller, stored: StoredPerson) -> MeView:
    return MeView.from_domain(
        stored.person,
        oid=stored.person.id,
        kind="person",
        expires_date_time=None,
        e_tag=stored.etag,
        **_rights_and_places(caller),
    )


def _application_view(caller: Caller, application: Application) -> MeView:
    unknown = ("first_name", "last_name", "email", "phone_number", "title", "locale", "disable_notifications")
    return MeView.from_domain(
        application,
        oid=application.id,
        kind="application",
        expires_date_time=application.expires_at,
        e_tag=None,
        **dict.fromkeys(unknown),
        **_rights_and_places(caller),
    )


def _rights_and_places(caller: Caller) -> dict[str, object]:
    organization, member = caller.organization, caller.member
    return {
        "roles": sorted(member.roles),
        "global_": member.everywhere,
        "locations": _places(organization, member.locations),
        "rights": [right for right, may in _RIGHTS.items() if may(caller)],
        "organization": OwnOrganizationView.from_domain(organization),
    }


def _places(organization: Organization, ids: frozenset[str]) -> list[LocationFound]:
    """The locations of a scope, as far as the organization still has them."""
    return [LocationFound.from_domain(each) for each in organization.locations if each.id in ids]
