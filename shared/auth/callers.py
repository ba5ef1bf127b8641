"""Authentication of callers: from a token to a person of the directory (V7)."""

from dataclasses import dataclass

from shared.auth.tokens import TokenVerifier
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

    async def authenticate(self, authorization: str | None) -> Caller:
        """The caller of a request, by its Authorization header.

        Raises `Unauthenticated`, `UnknownPerson`, `KeysUnavailable`, `StoreUnavailable`.
        """
        identity = await self.verifier.identify(authorization)
        organization_id = await self.directory.organization_of_tenant(identity.tenant_id)
        if organization_id is None:
            raise UnknownPerson(
                "Your organization is not in the directory; ask the service's operator to add it."
            )
        organization = await self.directory.organization(organization_id)
        person = await self.directory.person(organization_id, PersonId(identity.object_id))
        if organization is None or person is None:
            raise UnknownPerson(
                "You are not in your organization's directory; ask its partner admin to add you."
            )
        return Caller(organization=organization, person=person)
