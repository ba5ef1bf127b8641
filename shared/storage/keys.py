"""Tables, partition keys and row keys: where everything is kept.

Ids are UUIDv7; an inverted id is its bitwise complement, so that an ascending range reads newest first.
docs/architecture.md has the table of what each key serves.
"""

from urllib.parse import quote

from shared.domain.ids import LocationId, OrganizationId, ReferralId, digest, inverted

REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY = "referrals", "engagements", "intents", "mail", "directory"
TABLES = (REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY)


def partition_of(organization_id: OrganizationId, referral_id: ReferralId) -> str:
    """The partition of an organization's records. Every organization has one shard so far: the id decides nothing."""
    del referral_id
    return organization_id


def document(referral_id: ReferralId) -> str:
    """The referral itself."""
    return f"d:{referral_id}"


def newest(referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, newest first."""
    return f"n:{inverted(referral_id)}"


def of_location(location_id: LocationId, referral_id: ReferralId) -> str:
    """List row: a location's referrals, newest first."""
    return f"{location_prefix(location_id)}{inverted(referral_id)}"


def location_prefix(location_id: LocationId) -> str:
    """What all list rows of a location start with."""
    return f"l:{safe(location_id)}:"


def of_member(email: str, referral_id: ReferralId) -> str:
    """List row: the referrals whose team has this email, newest first."""
    return f"{member_prefix(email)}{inverted(referral_id)}"


def member_prefix(email: str) -> str:
    """What all list rows of a team member start with."""
    return f"m:{digest(email.casefold())[:32]}:"


def entry(referral_id: ReferralId, sequence: int) -> str:
    """A timeline entry."""
    return f"t:{referral_id}:{sequence:06d}"


def work(referral_id: ReferralId, label: str) -> str:
    """Open work."""
    return f"w:{referral_id}:{label}"


def invitation(referral_id: ReferralId, invitee: ReferralId) -> str:
    """An invitation that a deal's creator sent."""
    return f"i:{referral_id}:{invitee}"


def idempotency(key_hash: str) -> str:
    """A request that was carried out under this key."""
    return f"k:{key_hash}"


def children(kind: str, referral_id: ReferralId) -> tuple[str, str]:
    """The range of a referral's rows of one kind (t, w, i)."""
    return starting_with(f"{kind}:{referral_id}:")


def starting_with(prefix: str) -> tuple[str, str]:
    """The range of all keys that start with a prefix."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def safe(text: str) -> str:
    """Text as part of a key: without the characters that keys must not hold, and without our separator."""
    return quote(text, safe=" !$&'()*+,;=@").replace("_", "%5F").replace("%", "_")


def next_after(prefix: str, referral_id: ReferralId) -> str:
    """The first key of a list that comes after a referral's own row: where the next page starts."""
    return f"{prefix}{inverted(referral_id)}-"
