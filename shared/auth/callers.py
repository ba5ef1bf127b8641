"""Authentication of callers: from a token to a person of the directory (V7)."""

from dataclasses import dataclass

from shared.auth.tokens import Identity, TokenVerifier
from shared.domain.directory import Organization
from shared.domain.ids import PersonId
from shared.domain.permissions import Caller
from shared.errors import ServiceError
from shared.storage.directory import Directory


class UnknownPerson(ServiceError):
    """The token is valid, but its tenant or person is not in the directory."""


@dataclass(frozen=True, slots=True)
class Callers:
    """Authenticates callers."""

    verifier: TokenVerifier
    directory: Directory

    async def identify(self, authorization: str | None) -> Identity:
        """Who sent a request, by its Authorization header. Raises `Unauthenticated`, `KeysUnavailable`."""
        return await self.verifier.identify(authorization)

    async def organization_of(self, identity: Identity) -> Organization:
        """The organization of the caller's tenant. Raises `UnknownPerson`, `StoreUnavailable`."""
        organization_id = await self.directory.organization_of_tenant(identity.tenant_id)
        organization = await self.directory.organization(organization_id) if organization_id else None
        if organization is None:
            raise UnknownPerson(
                "Your organization is not in the directory; ask the service's operator to add it."
            )
        return organization

    async def caller(self, identity: Identity, organization: Organization) -> Caller:
        """The caller's entry in the directory. Raises `UnknownPerson`, `StoreUnavailable`."""
        person = await self.directory.person(organization.id, PersonId(identity.object_id))
        if person is None:
            raise UnknownPerson(
                "You are not in your organization's directory; ask its partner admin to add you."
            )
        return Caller(organization=organization, person=person)
