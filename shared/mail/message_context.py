"""What a message is about, read when it is planned and again whenever it is tried."""

from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContext:
    """What a message is about: the record it happened to, the reader's own, and an entry or a registration."""

    subject: Referral
    reader: Referral
    entry: Entry | None
    registration: Registration | None = None
    round: int | None = None
