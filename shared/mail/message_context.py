"""The records that a message is about, read when it is planned and again at each attempt."""

from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Entry
from shared.storage.engagements import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContext:
    """The records that a message is about.

    `subject` is the referral that caused it, `reader` the reader's own referral; `entry` is the entry that caused it,
    None for a reminder or an escalation. `registration` and `round` are set if it is about a registration,
    `messages`, newest first, if it tells of these.
    """

    subject: Referral
    reader: Referral
    entry: Entry | None
    registration: Registration | None = None
    round: int | None = None
    messages: tuple[Message, ...] = ()
