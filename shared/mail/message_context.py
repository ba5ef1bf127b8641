"""The records that a message is about, read when it is planned and again at each attempt."""

from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContext:
    """The records that a message is about.

    `subject` is the referral that caused it, `reader` the reader's own referral; `entry` is the entry that caused it,
    None for a reminder or an escalation. `registration` and `round` are set if it is about a registration.
    """

    subject: Referral
    reader: Referral
    entry: Entry | None
    registration: Registration | None = None
    round: int | None = None
