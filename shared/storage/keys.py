"""Tables, partition keys and row keys: where everything is kept.

Ids are UUIDv7; an inverted id is its bitwise complement, so that an ascending range reads newest first.
docs/architecture.md has the table of what each key serves.
"""

from datetime import datetime
from typing import Literal, get_args
from urllib.parse import quote

from shared.domain.ids import (
    InquiryId,
    LocationId,
    OrganizationId,
    PersonId,
    ReferralId,
    RegistrationId,
    digest,
    inverted,
)
from shared.domain.vocabulary import Status

REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY = "referrals", "engagements", "intents", "mail", "directory"
REVIEWS, STATUS = "reviews", "status"
CLAIMS = "claims"
"""Which deployment slot a storage account belongs to: in the tables' account and in the task hub's."""
TABLES = (REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY, REVIEWS, STATUS)


def partition_of(organization_id: OrganizationId, referral_id: ReferralId) -> str:
    """The partition of an organization's records. Every organization has one shard so far: the id decides nothing."""
    del referral_id
    return organization_id


def document(referral_id: ReferralId) -> str:
    """The referral itself."""
    return f"d:{referral_id}"


ALL, UPDATED_LAST, UPDATED_FIRST, OLDEST = "n:", "u:", "c:", "d:"
"""What list rows of a whole organization start with: newest first, latest change first, earliest change first; and
the documents themselves, which come oldest first."""
PARTNER_LED = "v:"
"""What the rows start with that show partner-led deals to Microsoft's sellers, in Microsoft's partition."""

REGISTRATIONS = "g:"
"""What the rows of registrations start with, before the deal's id."""
ROUNDS = "h:"
"""What the rows of their rounds start with, before the registration's id."""
NO_DEAL = ReferralId("alone")
"""In place of a deal's id, for registrations of deals that were never co-sold (G8)."""
ANSWERS = "a:"
"""What the rows start with that keep how long answers took."""

Tab = Literal["in", "out", "lead", "qlead"]
TABS: tuple[Tab, ...] = get_args(Tab)


def newest(referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, newest first."""
    return f"{ALL}{inverted(referral_id)}"


def updated_last(updated_at: datetime, referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, the latest change first."""
    return f"{UPDATED_LAST}{_LATEST - _milliseconds(updated_at):012x}:{inverted(referral_id)}"


def updated_first(updated_at: datetime, referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, the earliest change first."""
    return f"{UPDATED_FIRST}{_milliseconds(updated_at):012x}:{referral_id}"


def place_since(moment: datetime) -> str:
    """Where, earliest change first, the changes of a moment begin."""
    return f"{_milliseconds(moment):012x}"


def in_tab(tab: Tab, status: Status, referral_id: ReferralId) -> str:
    """List row: a tab's referrals of one status, newest first (N1)."""
    return f"{tab_prefix(tab, status)}{inverted(referral_id)}"


def tab_prefix(tab: Tab, status: str) -> str:
    """What all list rows of a tab and a status start with."""
    return f"s:{tab}:{status}:"


def of_location(location_id: LocationId, referral_id: ReferralId) -> str:
    """List row: a location's referrals, newest first."""
    return f"{location_prefix(location_id)}{inverted(referral_id)}"


def location_prefix(location_id: LocationId) -> str:
    """What all list rows of a location start with."""
    return f"l:{safe(location_id)}:"


def of_seller_team(team: str, referral_id: ReferralId) -> str:
    """List row: what was routed to a team of Microsoft's sellers, newest first (P3)."""
    return f"{seller_team_prefix(team)}{inverted(referral_id)}"


def seller_team_prefix(team: str) -> str:
    """What all list rows of a seller team start with."""
    return f"r:{safe(team)}:"


def of_member(email: str, referral_id: ReferralId) -> str:
    """List row: the referrals whose team has this email, newest first."""
    return f"{member_prefix(email)}{inverted(referral_id)}"


def member_prefix(email: str) -> str:
    """What all list rows of a team member start with."""
    return f"m:{digest(email.casefold())[:32]}:"


def favorite(person_id: PersonId, referral_id: ReferralId) -> str:
    """A person's mark on a referral (N2), newest referral first."""
    return f"{favorite_prefix(person_id)}{inverted(referral_id)}"


def favorite_prefix(person_id: PersonId) -> str:
    """What all marks of a person start with."""
    return f"f:{safe(person_id)}:"


def partner_led(referral_id: ReferralId) -> str:
    """The row that shows a partner-led deal to Microsoft's sellers, newest first (V3)."""
    return f"{PARTNER_LED}{inverted(referral_id)}"


def entry(referral_id: ReferralId, sequence: int) -> str:
    """A timeline entry."""
    return f"t:{referral_id}:{sequence:06d}"


def work(referral_id: ReferralId, label: str) -> str:
    """Open work."""
    return f"w:{referral_id}:{label}"


def invitation(referral_id: ReferralId, invitee: ReferralId) -> str:
    """An invitation that a deal's creator sent."""
    return f"i:{referral_id}:{invitee}"


def inquiry(inquiry_id: InquiryId) -> str:
    """A request for information that an application took in."""
    return f"q:{inquiry_id}"


def answer(referral_id: ReferralId) -> str:
    """How long an organization took to answer a referral, newest referral first."""
    return f"{ANSWERS}{inverted(referral_id)}"


def registration(referral_id: ReferralId, registration_id: RegistrationId) -> str:
    """A registration, with the deal that it belongs to."""
    return f"{REGISTRATIONS}{referral_id}:{registration_id}"


def review_round(registration_id: RegistrationId, number: int) -> str:
    """A round of a registration's review."""
    return f"{ROUNDS}{registration_id}:{number:06d}"


ALL_INTENTS = "intents"
"""The one partition of table `intents`: one query finds what is due, in order. It takes 2,000 rows a second, which
is hundreds of deals a second."""


def intent(due: datetime, identifier: str) -> str:
    """What has to be looked at, the earliest first."""
    return f"{_milliseconds(due):012x}:{identifier}"


def intents_after(moment: datetime) -> str:
    """Where those begin that are due after a moment."""
    return f"{_milliseconds(moment) + 1:012x}"


def claimed_tables() -> str:
    """The claim of all tables."""
    return "tables"


def claimed_hub(hub: str) -> str:
    """The claim of a task hub, whose name has the same meaning in any case."""
    return f"hub:{safe(hub.casefold())}"


def idempotency(key_hash: str) -> str:
    """A request that was carried out under this key."""
    return f"k:{key_hash}"


def children(kind: str, referral_id: ReferralId) -> tuple[str, str]:
    """The range of a referral's rows of one kind (t, w, i)."""
    return starting_with(f"{kind}:{referral_id}:")


def starting_with(prefix: str) -> tuple[str, str]:
    """The range of all keys that start with a prefix."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def every_mail() -> tuple[str, str]:
    """The range of all mails about a referral: the labels of work begin with a digit or a letter."""
    return "0", chr(ord("z") + 1)


def safe(text: str) -> str:
    """Text as part of a key: without the characters that keys must not hold, and without our separator."""
    return quote(text, safe=" !$&'()*+,;=@").replace("_", "%5F").replace("%", "_")


MAX_PART_LENGTH = 250
"""Characters of a bounded part, at most: two of them and what separates them stay below the 512 UTF-16 units that are
a key's 1 KiB."""
_DIGEST = 32
_LONGEST_HEAD = MAX_PART_LENGTH - _DIGEST - len("~")


def bounded(text: str) -> str:
    """Text of any length as part of a key: safe, and what is longer than `MAX_PART_LENGTH` as its head and a digest."""
    whole = safe(text)
    return whole if len(whole) <= MAX_PART_LENGTH else f"{head(text)}~{digest(text)[:_DIGEST]}"


END_OF_NAME = "  "
"""Separates name and id in the keys of search rows: no name contains it, and it sorts before every continuation of
a longer name."""


def without_names(key: str) -> str:
    """A key as it can be logged: of one on a shelf, which begins with somebody's name, the id alone."""
    return key.rpartition(END_OF_NAME)[2]


def head(text: str) -> str:
    """What the bounded form of every text that starts so starts with: whole characters, as many as always fit."""
    size = 0
    for count, character in enumerate(text):
        size += len(safe(character))
        if size > _LONGEST_HEAD:
            return safe(text[:count])
    return safe(text)


def after(key: str) -> str:
    """The first key that comes after another one of the same range: where the next page starts."""
    return f"{key}-"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


_LATEST = (1 << 48) - 1
