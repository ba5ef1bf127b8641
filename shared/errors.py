"""What can go wrong outside the rules. The rules' own refusals are in `shared.domain.refusals`.

ServiceError
├── StoreConflict       a conditional write was refused: something else was there first
├── StoreUnavailable    storage did not answer, or not intelligibly; a write's outcome is unknown
├── RecordTooLarge      a record would not fit into a row
├── RecordUnreadable    a row does not hold what it should: it is damaged, or of another version
├── DiskFull            hardly any space is left on the disk that the service fills
├── Contended           a record kept changing under our hands; try again shortly
├── EngineUnavailable   the durable engine did not answer
├── MailUnavailable     the mail service cannot take a message now; says when to try again
│   ├── MailPaused        nobody sends for now, so nothing was tried
│   └── MailServiceDown   the mail service does not answer, or fails whatever it is sent
├── MailRefused         the mail service will never take this message
├── OutOfTime           a run has no time left for the rest of its work; the next run goes on
├── Unauthenticated     a token is missing or proves nothing
└── ConfigurationError  a setting is missing or malformed
    └── ClaimedByAnotherSlot  storage belongs to another deployment slot
"""

from datetime import timedelta


class ServiceError(Exception):
    """Base of everything that this service raises about the world around its rules."""


class StoreConflict(ServiceError):
    """A conditional write was refused; nothing of the transaction has been stored."""


class StoreUnavailable(ServiceError):
    """Storage failed to answer. A read can be repeated; after a write, look what is there before you repeat it."""


class RecordTooLarge(ServiceError):
    """A record exceeds what a row holds: shorten its texts or lists."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The record would take {size:,} bytes and may take {limit:,}: shorten its texts or lists."
        )
        self.size = size
        self.limit = limit


class RecordUnreadable(ServiceError):
    """A row does not hold what it should. `row` is its table, partition and key; `why` tells no value of it.

    Time alone does not heal it: docs/operations.md, Damaged rows, says what an operator does.
    """

    def __init__(self, row: str, why: str) -> None:
        super().__init__(f"The row {row} cannot be read ({why}). See docs/operations.md, Damaged rows.")
        self.row = row
        self.why = why


class DiskFull(ServiceError):
    """Hardly any space is left on the watched disk: commands are refused, so that what was begun can go on."""

    def __init__(self, free: int, least: int) -> None:
        """In bytes: what is free, and what a command needs."""
        super().__init__(
            f"The disk of this service has {free // 1_000_000:,} MB left, and commands need "
            f"{least // 1_000_000:,} MB: free some space there, and ask again."
        )


class Contended(ServiceError):
    """A record changed at every attempt to decide about it; nothing has been stored. Try again shortly."""


class EngineUnavailable(ServiceError):
    """The durable engine failed to answer; what it should know stands in the tables, and the sweep tells it again."""


class MailUnavailable(ServiceError):
    """The mail service cannot take a message now. `retry_after` is what it asks for, if it says so."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MailPaused(MailUnavailable):
    """Nobody sends mail until `retry_after` from now. Nothing was tried, so it is no failed attempt."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message, retry_after)
        self.retry_after: timedelta = retry_after


class MailServiceDown(MailUnavailable):
    """The mail service does not answer, or fails in a way that no message is the reason of."""


class MailRefused(ServiceError):
    """The mail service refuses a message for good; `reason` is its error code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The mail service refuses this message for good: {reason}")
        self.reason = reason


class OutOfTime(ServiceError):
    """A run over work has used up its time before it tried everything; what is left is due at once."""


class Unauthenticated(ServiceError):
    """A request's token is missing or proves nothing; the text says which, never what the token held."""


class ConfigurationError(ServiceError):
    """A setting is missing or malformed; the text names it and what it should hold."""


class ClaimedByAnotherSlot(ConfigurationError):
    """Storage belongs to another deployment slot. `resource` says which, `setting` what names its account."""

    def __init__(self, *, resource: str, setting: str, slot: str, owner: str, row: str) -> None:
        super().__init__(
            f"This is the deployment slot {slot}, and {resource} (in the account of {setting}) belongs to the slot "
            f"{owner}. Give this slot a storage account of its own, in slot settings that stay with it when slots "
            f"are swapped. If this account is meant for {slot}, or is a copy of another one: make sure that the slot "
            f"{owner} does not use it, and delete the row {row} there. "
            "See docs/operations.md, Slots."
        )
        self.slot = slot
        self.owner = owner
