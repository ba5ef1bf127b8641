"""Authentication of callers: from a token to a person or an application of the directory (V7)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.auth.tokens import Identity, TokenVerifier
from shared.domain.directory import Application, Member, Organization
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.domain.permissions import Caller
from shared.errors import AccessDenied
from shared.storage.directory import Directory


@dataclass(frozen=True, slots=True)
class Callers:
    """Authenticates callers. `clock` gives the domain clock's time, by which entries of applications expire."""

    verifier: TokenVerifier
    directory: Directory
    clock: Callable[[], datetime]

    async def identify(self, authorization: str | None) -> Identity:
        """Who sent a request, by its Authorization header. Raises `Unauthenticated`, `KeysUnavailable`."""
        return await self.verifier.identify(authorization)

    async def organization_of(self, identity: Identity) -> Organization:
        """The organization of the caller's tenant.

        Raises `AccessDenied`, also if the token does not open this API, and as `Directory` does.
        """
        if identity.refusal:
            raise AccessDenied(identity.refusal)
        organization_id = await self.directory.organization_of_tenant(identity.tenant_id)
        organization = await self.directory.organization(organization_id) if organization_id else None
        if organization is None:
            raise AccessDenied(
                f"No organization in the directory has your tenant, {identity.tenant_id}; "
                "the service's operator can add it."
            )
        return organization

    async def caller(self, identity: Identity, organization: Organization) -> Caller:
        """The caller's entry in the directory. Raises `AccessDenied`, and as `Directory` does."""
        member = await self._member(organization.id, identity)
        if member is None:
            who, whom = ("This application is", "it") if identity.is_application else ("You are", "you")
            raise AccessDenied(
                f"{who} not in the directory of {organization.name}; {_keeper(organization)} can add {whom}."
            )
        if isinstance(member, Application) and self.clock() >= member.expires_at:
            raise AccessDenied(
                f"The entry of the application {member.name} in the directory of {organization.name} expired on "
                f"{member.expires_at:%Y-%m-%d}; {_keeper(organization)} can renew it."
            )
        return Caller(organization=organization, member=member)

    async def _member(self, organization_id: OrganizationId, identity: Identity) -> Member | None:
        """The entry of the token's own kind: an application that was entered as a person has no expiry."""
        if identity.is_application:
            return await self.directory.application(organization_id, ApplicationId(identity.object_id))
        return await self.directory.person(organization_id, PersonId(identity.object_id))


def _keeper(organization: Organization) -> str:
    """Who maintains an organization's entries (V7)."""
    if organization.kind == "partner":
        return f"an MPN partner admin of {organization.name}"
    return "the service's operator"
