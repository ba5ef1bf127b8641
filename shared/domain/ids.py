"""Identifiers. Ids of records are UUIDv7 (RFC 9562) with the time of the domain clock, so they sort by creation."""

import hashlib
from datetime import datetime
from typing import NewType
from uuid import UUID, uuid5

OrganizationId = NewType("OrganizationId", str)
LocationId = NewType("LocationId", str)
PersonId = NewType("PersonId", str)
"""A person's object id (`oid`) in its organization's tenant, in lower case: see `object_id`."""
ApplicationId = NewType("ApplicationId", str)
"""The object id (`oid`) of an application's service principal in its organization's tenant, in lower case."""
ReferralId = NewType("ReferralId", str)
EngagementId = NewType("EngagementId", str)
InquiryId = NewType("InquiryId", str)
RegistrationId = NewType("RegistrationId", str)
OperationId = NewType("OperationId", str)

_NAMESPACE = UUID("6f0f3a52-6a5e-5d0b-9a41-0d6f5f1c8a77")
_COMPLEMENT = str.maketrans("0123456789abcdef", "fedcba9876543210")
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)
_DERIVED_WITHIN = 8
"""The UUID version of operations that carry the leading bits of their record."""


def object_id(text: str) -> str:
    """An object id (`oid`) in the one form in which ids are stored and compared: GUIDs have no letter case."""
    return text.lower()


def tenant_id(text: str) -> str:
    """A tenant id in the one form in which ids are stored and compared: GUIDs have no letter case."""
    return text.lower()


def uuid7(now: datetime, entropy: bytes) -> str:
    """A UUIDv7 of `now` (aware) with 16 bytes of randomness, as lower-case text with dashes."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(entropy, "big") & _RANDOM_BITS
    return str(UUID(int=(milliseconds << 80) | _VERSION_AND_VARIANT | random))


def inverted(identifier: str) -> str:
    """The bitwise complement of a UUID as 32 hexadecimal digits: sorts newest first."""
    return identifier.replace("-", "").translate(_COMPLEMENT)


def reverted(inverse: str) -> str:
    """The UUID whose `inverted` form this is."""
    return str(UUID(inverse.translate(_COMPLEMENT)))


def is_uuid(text: str) -> bool:
    """Whether text is a UUID in canonical lower-case form, the only form that keys use."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def derived_operation(*parts: str) -> OperationId:
    """The operation id of something that must happen only once: the same parts always give the same id."""
    return OperationId(str(uuid5(_NAMESPACE, "\x1f".join(parts))))


def operation_within(record: str, *parts: str) -> OperationId:
    """As `derived_operation`, but recognizable as an operation of a record, whose id is a UUIDv7.

    It is a UUIDv8 (RFC 9562, custom): all that the record's id has before its variant, then 62 bits that are derived
    from the record's id and the parts. So whoever has only the operation's id knows the record's `leading_bits`.
    """
    version = 0xF << 12
    leading = (UUID(record).int >> 64) & ~version | (_DERIVED_WITHIN << 12)
    following = UUID(derived_operation(record, *parts)).int & ((1 << 64) - 1)
    return OperationId(str(UUID(int=(leading << 64) | following)))


def is_operation_within(identifier: str) -> bool:
    """Whether `operation_within` made it, so that its `leading_bits` are those of its record."""
    return is_uuid(identifier) and UUID(identifier).version == _DERIVED_WITHIN


def leading_bits(identifier: str) -> str:
    """The 60 bits of a UUID before its variant, without its version, as 15 hexadecimal digits.

    Of a UUIDv7 they are its milliseconds and 12 random bits, so few records share them.
    """
    digits = identifier.replace("-", "")
    return digits[:12] + digits[13:16]


def digest(*parts: str) -> str:
    """SHA-256 of the parts as hexadecimal digits; a separator keeps ('ab', 'c') apart from ('a', 'bc').

    Lone surrogates have bytes of their own, so no text raises an error.
    """
    return hashlib.sha256("\x1f".join(parts).encode(errors="surrogatepass")).hexdigest()
