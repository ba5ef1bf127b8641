"""The signing key of one data directory and its public half as a JSON Web Key Set."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from localcloud.errors import DamagedFileError
from localcloud.private_files import read_or_create


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its id, the RFC 7638 thumbprint."""

    private: RSAPrivateKey
    kid: str

    def jwks(self) -> dict[str, Any]:
        """Return `{"keys": [one public key]}` (RFC 7517)."""
        return {"keys": [{**_public(self.private), "use": "sig", "alg": "RS256", "kid": self.kid}]}


def signing_key(data: Path) -> SigningKey:
    """Return the key of the data directory; the first call makes it (mode 0600).

    Raises DamagedFileError if the file is not an RSA key in PEM.
    """
    path = data / "issuer" / "signing-key.pem"
    try:
        private = load_pem_private_key(read_or_create(path, _new_key), password=None)
    except ValueError as error:
        raise DamagedFileError(f"{path} is not a private key. Delete it and ask for new tokens.") from error
    if not isinstance(private, RSAPrivateKey):
        raise DamagedFileError(f"{path} is not an RSA key. Delete it and ask for new tokens.")
    return SigningKey(private, _thumbprint(private))


def _new_key() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: RSAPrivateKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: public[name] for name in ("kty", "n", "e")}


def _thumbprint(key: RSAPrivateKey) -> str:
    canonical = dumps(_public(key), sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(sha256(canonical.encode()).digest()).rstrip(b"=").decode()
