"""Tables, partition keys and row keys. Private to `shared.storage`.

Ids are UUIDv7; an inverted id is its bitwise complement, so that an ascending range reads newest first.
docs/architecture.md has the table of all keys.
"""

from datetime import datetime
from typing import Literal, get_args
from urllib.parse import quote
from uuid import UUID

from shared.domain.ids import (
    ApplicationId,
    InquiryId,
    LocationId,
    OperationId,
    OrganizationId,
    PersonId,
    ReferralId,
    RegistrationId,
    digest,
    inverted,
    leading_bits,
    reverted,
)
from shared.domain.vocabulary import Status
from shared.storage.tables import MAX_KEY_LENGTH

REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY = "referrals", "engagements", "intents", "mail", "directory"
REVIEWS, STATUS = "reviews", "status"
CLAIMS = "claims"
"""Which deployment slot owns a storage account; in the account of the tables and in that of the task hub."""
CHOICES, CHOICE = "choices", "choice"
"""The links of customers: each is the one row of a partition, which is the hash of its secret (R8)."""
TABLES = (REFERRALS, ENGAGEMENTS, INTENTS, MAIL, DIRECTORY, REVIEWS, STATUS, CHOICES)
_INVERTED_ID = 32
"""The length of an inverted id."""


def chosen_of(first: InquiryId) -> str:
    """The partition of the companies that were chosen by links of a customer's request."""
    return f"chosen:{first}"


def partition_of(organization_id: OrganizationId) -> str:
    """The partition of an organization's records."""
    return organization_id


def document(referral_id: ReferralId) -> str:
    """The row of the referral itself."""
    return f"d:{referral_id}"


ALL, UPDATED_LAST, UPDATED_FIRST, OLDEST = "n:", "u:", "c:", "d:"
"""Prefixes of the list rows of a whole organization: newest first, last update first, first update first; and of the
documents, which are sorted oldest first."""
WORDS = "z:"
"""Prefix of the rows by which referrals are found by a word."""
PARTNER_LED = "v:"
"""Prefix of the rows, in Microsoft's partition, that list partner-led deals for its sellers."""

REGISTRATIONS = "g:"
"""Prefix of the rows of registrations, before the deal's id."""
ROUNDS = "h:"
"""Prefix of the rows of review rounds, before the registration's id."""
NO_DEAL = ReferralId("alone")
"""Instead of a deal's id, for registrations of deals that were never co-sold (G8)."""
ANSWERS = "a:"
"""Prefix of the rows of response times."""
ORGANIZATION = "o"
"""The row of an organization with its locations, in its partition of the directory."""
PEOPLE, APPLICATIONS = "p:", "a:"
"""Prefixes of the rows of an organization's people and applications, in the directory."""

Tab = Literal["in", "out", "lead", "qlead"]
TABS: tuple[Tab, ...] = get_args(Tab)


def newest(referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, newest first."""
    return f"{ALL}{inverted(referral_id)}"


def newest_place(moment: datetime) -> str:
    """The place in the order of `newest` of what was created at a moment: what comes after it is older."""
    return inverted(f"{_milliseconds(moment):012x}")


def updated_last(updated_at: datetime, referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, last update first."""
    return f"{UPDATED_LAST}{_LATEST - _milliseconds(updated_at):012x}:{inverted(referral_id)}"


def updated_first(updated_at: datetime, referral_id: ReferralId) -> str:
    """List row: all of an organization's referrals, first update first."""
    return f"{UPDATED_FIRST}{_milliseconds(updated_at):012x}:{referral_id}"


def place_since(moment: datetime) -> str:
    """The first position of updates at a moment, in the order of `updated_first`."""
    return f"{_milliseconds(moment):012x}"


def in_tab(tab: Tab, status: Status, referral_id: ReferralId) -> str:
    """List row: a tab's referrals of one status, newest first (N1)."""
    return f"{tab_prefix(tab, status)}{inverted(referral_id)}"


def tab_prefix(tab: Tab, status: str) -> str:
    """The prefix of the list rows of a tab and a status."""
    return f"s:{tab}:{status}:"


def of_word(word: str, referral_id: ReferralId) -> str:
    """Search row, key only: the referrals that a word finds, newest first (N4)."""
    return f"{words_starting_with(word)}:{inverted(referral_id)}"


def words_starting_with(start: str) -> str:
    """The prefix of the search rows of all words with a start."""
    return f"{WORDS}{safe(start, beside=len(WORDS) + len(':') + _INVERTED_ID)}"


def referral_of_word(key: str) -> ReferralId:
    """The referral of a search row."""
    return ReferralId(reverted(key.rpartition(":")[2]))


def of_location(location_id: LocationId, referral_id: ReferralId) -> str:
    """List row: a location's referrals, newest first."""
    return f"{location_prefix(location_id)}{inverted(referral_id)}"


def location_prefix(location_id: LocationId) -> str:
    """The prefix of the list rows of a location."""
    return f"l:{safe(location_id, beside=len('l::') + _INVERTED_ID)}:"


def of_seller_team(team: str, referral_id: ReferralId) -> str:
    """List row: the referrals routed to a team of Microsoft's sellers, newest first (P3)."""
    return f"{seller_team_prefix(team)}{inverted(referral_id)}"


def seller_team_prefix(team: str) -> str:
    """The prefix of the list rows of a seller team."""
    return f"r:{safe(team, beside=len('r::') + _INVERTED_ID)}:"


def of_member(email: str, referral_id: ReferralId) -> str:
    """List row: the referrals with this email in the team, or that it is asked to answer, newest first."""
    return f"{member_prefix(email)}{inverted(referral_id)}"


def member_prefix(email: str) -> str:
    """The prefix of the list rows of a person, by email."""
    return f"m:{digest(email.casefold())[:32]}:"


def favorite(member_id: PersonId | ApplicationId, referral_id: ReferralId) -> str:
    """A favorite of a person or an application (N2), newest referral first."""
    return f"{favorite_prefix(member_id)}{inverted(referral_id)}"


def read_mark(member_id: PersonId | ApplicationId, referral_id: ReferralId) -> str:
    """Up to which message a person or an application has read the conversation of a deal (N8)."""
    return f"{read_mark_prefix(member_id)}{inverted(referral_id)}"


def read_mark_prefix(member_id: PersonId | ApplicationId) -> str:
    """The prefix of what a person or an application has read."""
    return f"b:{safe(member_id, beside=len('b::') + _INVERTED_ID)}:"


def favorite_prefix(member_id: PersonId | ApplicationId) -> str:
    """The prefix of the favorites of a person or an application."""
    return f"f:{safe(member_id, beside=len('f::') + _INVERTED_ID)}:"


def person(person_id: PersonId) -> str:
    """A person of an organization, in the directory."""
    return f"{PEOPLE}{safe(person_id, beside=len(PEOPLE))}"


EMAILS = "emails"
"""The partition of the directory with the addresses of people."""


def emails_prefix(email: str) -> str:
    """The prefix of the rows that say where an address is in the directory, in whatever case it is written."""
    return f"{digest(email.casefold())[:32]}:"


def email(address: str, organization_id: OrganizationId, person_id: PersonId) -> str:
    """The row that says that a person of an organization has an address, or had it."""
    return f"{emails_prefix(address)}{digest(organization_id, person_id)[:32]}"


def application(application_id: ApplicationId) -> str:
    """An application of an organization, in the directory."""
    return f"{APPLICATIONS}{safe(application_id, beside=len(APPLICATIONS))}"


def partner_led(referral_id: ReferralId) -> str:
    """The row that lists a partner-led deal for Microsoft's sellers, newest first (V3)."""
    return f"{PARTNER_LED}{inverted(referral_id)}"


def entry(referral_id: ReferralId, sequence: int) -> str:
    """A timeline entry."""
    return f"t:{referral_id}:{sequence:06d}"


def work(referral_id: ReferralId, label: str) -> str:
    """A row of work."""
    return f"w:{referral_id}:{label}"


def invitation(referral_id: ReferralId, invitee: ReferralId) -> str:
    """An invitation, in the partition of the deal's creator."""
    return f"i:{referral_id}:{invitee}"


def inquiry(inquiry_id: InquiryId) -> str:
    """A request for information, in the partition of the application."""
    return f"q:{inquiry_id}"


def inquiries_between(start: datetime, end: datetime) -> tuple[str, str]:
    """The range of an application's requests for information that were sent from one moment to before another."""
    return inquiry(_leading_part(start)), inquiry(_leading_part(end))


def _leading_part(moment: datetime) -> InquiryId:
    """What a UUIDv7 of this moment begins with."""
    milliseconds = f"{_milliseconds(moment):012x}"
    return InquiryId(f"{milliseconds[:8]}-{milliseconds[8:]}")


def inviting_step(moment: datetime, referral_id: ReferralId, sequence: int, number: int) -> str:
    """The row that counts the invitations of one step, which has the timeline entry `sequence`."""
    return f"{_inviting_since(moment)}:{referral_id}:{sequence:06d}:{number}"


def inviting_between(start: datetime, end: datetime) -> tuple[str, str]:
    """The range of the steps that invited from one moment to before another."""
    return _inviting_since(start), _inviting_since(end)


def invitations_in(key: str) -> int:
    """The number of invitations that the row of an inviting step counts."""
    return int(key.rpartition(":")[2])


def _inviting_since(moment: datetime) -> str:
    return f"x:{_milliseconds(moment):012x}"


MESSAGES = "n:"
"""Prefix of the messages of a conversation, newest first."""


def message(sequence: int) -> str:
    """A message of a conversation; the complement of its sequence sorts newest first."""
    return f"{MESSAGES}{inverted(f'{sequence:06d}')}"


def sequence_of(key: str) -> int:
    """The sequence of the message with this key."""
    return int(inverted(key.removeprefix(MESSAGES)))


def message_of_party(organization_id: OrganizationId, moment: datetime, sequence: int) -> str:
    """The row that counts a message for its party."""
    return f"{messages_of_party_since(organization_id, moment)}:{sequence:06d}"


def messages_of_party(organization_id: OrganizationId) -> tuple[str, str]:
    """The range of the rows that count a party's messages, oldest first."""
    return starting_with(_party_prefix(organization_id))


def messages_of_party_since(organization_id: OrganizationId, moment: datetime) -> str:
    """The first key of the rows that count a party's messages of a moment and later."""
    return f"{_party_prefix(organization_id)}{_milliseconds(moment):012x}"


def _party_prefix(organization_id: OrganizationId) -> str:
    return f"a:{safe(organization_id, beside=len('a::000000000000:000000'))}:"


def answer(referral_id: ReferralId) -> str:
    """The response time of an organization for a referral, newest referral first."""
    return f"{ANSWERS}{inverted(referral_id)}"


def registration(referral_id: ReferralId, registration_id: RegistrationId) -> str:
    """A registration, stored with its deal."""
    return f"{REGISTRATIONS}{referral_id}:{registration_id}"


def review_round(registration_id: RegistrationId, number: int) -> str:
    """A round of a registration's review."""
    return f"{ROUNDS}{registration_id}:{number:06d}"


ALL_INTENTS = "intents"
"""The only partition of table `intents`, so that one query finds the due ones in order. It takes 2,000 rows a second,
which is hundreds of deals a second."""


def intent(due: datetime, identifier: str) -> str:
    """An intent, the earliest due first."""
    return f"{_milliseconds(due):012x}:{identifier}"


def intents_after(moment: datetime) -> str:
    """The first key of intents that are due after a moment."""
    return f"{_milliseconds(moment) + 1:012x}"


def claimed_tables() -> str:
    """The claim of all tables."""
    return "tables"


def claimed_hub(hub: str) -> str:
    """The claim of a task hub; its name is case-insensitive."""
    return f"hub:{safe(hub.casefold(), beside=len('hub:'))}"


def idempotency(key_hash: str) -> str:
    """The idempotency record of a key."""
    return f"k:{key_hash}"


def children(kind: str, referral_id: ReferralId) -> tuple[str, str]:
    """The range of a referral's rows of one kind (t, w, i)."""
    return starting_with(f"{kind}:{referral_id}:")


def starting_with(prefix: str) -> tuple[str, str]:
    """The range of all keys with a prefix: start (inclusive) and end (exclusive)."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def mail_partition(identifier: str) -> str:
    """The partition of the mails about a referral, from its id or from the operation id of one of its mails."""
    return leading_bits(identifier)


def mail(referral_id: ReferralId, key: str) -> str:
    """A mail record. The few referrals that share a partition are told apart by their ids."""
    return f"{referral_id}:{key}"


def mails_of(referral_id: ReferralId, prefix: str = "") -> tuple[str, str]:
    """The range of the mail records of a referral whose own keys have a prefix."""
    return starting_with(mail(referral_id, prefix))


def every_mail() -> tuple[str, str]:
    """The range of all mail records of a partition: their keys start with a UUID's first digit."""
    return "0", "g"


def mailbox(address: str) -> ReferralId:
    """The id of an email address, in the form of a referral's: it names the partition of what is sent to it in all.

    Letter case does not matter. Operations within it are recognized by their ids as those of a referral are.
    """
    return ReferralId(str(UUID(digest(address.casefold())[:_DIGEST])))


def mailbox_state(mailbox_id: ReferralId) -> str:
    """What was sent to an address today, and which summary comes next. Sorts after all mail records."""
    return f"mailbox:{mailbox_id}"


def waiting_mail(mailbox_id: ReferralId, summary: int, operation_id: OperationId) -> str:
    """A mail that waits for a summary."""
    return f"waiting:{mailbox_id}:{summary:06d}:{operation_id}"


def waiting_mails(mailbox_id: ReferralId, summary: int) -> tuple[str, str]:
    """The range of the mails that wait for a summary."""
    return starting_with(f"waiting:{mailbox_id}:{summary:06d}:")


_DIGEST = 32
_CUT = "_~"
"""Comes before the digest of a part that is cut. It is in no other part: there two digits follow each `_`."""


def safe(text: str, *, beside: int = 0) -> str:
    """Any text as part of a key, of which the rest has `beside` characters.

    The part has no characters that are not allowed in keys, and not our separator `:`. Text that would make the key
    too long for storage is cut, and ends with a digest of the whole: so different texts have different keys, and
    whatever text a client sends as an id, a look-up of it finds nothing instead of being refused by storage.
    """
    whole, longest = _escaped(text), MAX_KEY_LENGTH - beside
    if len(whole) <= longest:
        return whole
    return f"{_head(text, longest - _DIGEST - len(_CUT))}{_CUT}{digest(text)[:_DIGEST]}"


def _escaped(text: str) -> str:
    """Text without characters that are not allowed in keys, each replaced by `_` and the two digits of its bytes.

    A lone surrogate is no character, but JSON and URLs can contain it; it becomes three bytes that no text has.
    """
    escaped = quote(text, safe=" !$&'()*+,;=@", errors="surrogatepass")
    return escaped.replace("_", "%5F").replace("%", "_")


MAX_PART_LENGTH = 250
"""The maximum length of a bounded part: two parts and a separator fit into a key."""
_LONGEST_HEAD = MAX_PART_LENGTH - _DIGEST - len("~")


def bounded(text: str) -> str:
    """Text as part of a key with another such part: safe, and above `MAX_PART_LENGTH` as its head and a digest."""
    whole = _escaped(text)
    return whole if len(whole) <= MAX_PART_LENGTH else f"{head(text)}~{digest(text)[:_DIGEST]}"


END_OF_NAME = "  "
"""Separates name and id in the keys of search rows: no name contains it, and it sorts before every continuation of
a longer name."""


def without_names(key: str) -> str:
    """A key without personal data, for logs: of a search row, which starts with a name, only the id."""
    return key.rpartition(END_OF_NAME)[2]


def head(text: str) -> str:
    """The longest common prefix of the bounded forms of all texts that start with this one."""
    return _head(text, _LONGEST_HEAD)


def _head(text: str, longest: int) -> str:
    """The start of an escaped text, cut at a whole character."""
    size = 0
    for count, character in enumerate(text):
        size += len(_escaped(character))
        if size > longest:
            return _escaped(text[:count])
    return _escaped(text)


def after(key: str) -> str:
    """The first possible key after another one of the same range: the start of the next page."""
    return f"{key}-" if len(key) < MAX_KEY_LENGTH else f"{key[:-1]}{chr(ord(key[-1]) + 1)}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


_LATEST = (1 << 48) - 1
