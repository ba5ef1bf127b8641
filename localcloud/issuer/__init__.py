"""The development token issuer: tokens with the claims of Entra ID v2, signed with a key of this machine."""

from localcloud.issuer.tokens import AUDIENCE, ISSUER, token

__all__ = ["AUDIENCE", "ISSUER", "token"]
