"""Errors that come from outside the rules. A rule's own refusals are in `shared.domain.refusals`.

ServiceError
├── StoreConflict       a conditional write failed: the row had changed
├── StoreUnavailable    storage did not answer, or its answer was unusable; the outcome of a write is unknown
├── RecordTooLarge      a record does not fit into a row
├── RecordUnreadable    a row cannot be parsed: it is damaged, or another version wrote it
├── DiskFull            the watched disk is almost full
├── Contended           a record kept changing during every attempt; try again shortly
├── EngineUnavailable   the durable engine did not answer
├── MailUnavailable     the mail service cannot accept a message now; may say when to try again
│   ├── MailPaused        sending is paused, so nothing was tried
│   │   └── MailHeld        one mail's address gets no more mails today
│   └── MailServiceDown   the mail service does not answer, or fails every request
├── MailRefused         the mail service permanently rejects this message
├── OutOfTime           a run is out of time; the next run continues
├── Unauthenticated     a token is missing or invalid
├── AccessDenied        a token is valid, but its bearer may not use the service
└── ConfigurationError  a setting is missing or malformed
    ├── ClaimedByAnotherSlot  storage belongs to another deployment slot
    └── DataOfAnotherVersion  the stored data is of a version that this code does not know
"""

from datetime import timedelta


class ServiceError(Exception):
    """Base class of all errors that are not a refusal by a rule."""


class StoreConflict(ServiceError):
    """A conditional write failed; nothing of the transaction has been stored."""


class StoreUnavailable(ServiceError):
    """Storage failed to answer. A read can be repeated; after a write, read first: it may have succeeded."""


class RecordTooLarge(ServiceError):
    """A record or a transaction exceeds its size limit. `size` and `limit` are bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The record needs {size:,} bytes, and the limit is {limit:,}: shorten its texts or lists."
        )
        self.size = size
        self.limit = limit


class RecordUnreadable(ServiceError):
    """A row cannot be parsed. `row` is its table, partition and key; `why` contains no stored value.

    Retrying does not help: see docs/operations.md, Damaged rows.
    """

    def __init__(self, row: str, why: str) -> None:
        super().__init__(f"The row {row} cannot be read ({why}). See docs/operations.md, Damaged rows.")
        self.row = row
        self.why = why


class DiskFull(ServiceError):
    """The watched disk is almost full: commands are refused, so that work in progress can finish."""

    def __init__(self, free: int, least: int) -> None:
        """`free` and `least` are bytes: the space that is free, and the space that commands need."""
        super().__init__(
            f"The disk of this service has {free // 1_000_000:,} MB left, and commands need "
            f"{least // 1_000_000:,} MB: free some space there, then repeat the request."
        )


class Contended(ServiceError):
    """A record changed during every attempt to update it; nothing has been stored. Try again shortly."""


class EngineUnavailable(ServiceError):
    """The durable engine failed to answer. The tables hold what it missed, and the sweep notifies it again."""


class MailUnavailable(ServiceError):
    """The mail service cannot accept a message now. `retry_after` is the delay it asks for, if any."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MailPaused(MailUnavailable):
    """Sending is paused for `retry_after`. Nothing was tried, so this does not count as a failed attempt."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message, retry_after)
        self.retry_after: timedelta = retry_after


class MailHeld(MailPaused):
    """A mail has no place among those of the day to its address (M9); other mails are sent."""


class MailServiceDown(MailUnavailable):
    """The mail service does not answer, or fails for a reason that is not the message."""


class MailRefused(ServiceError):
    """The mail service permanently rejects a message; `reason` is its error code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The mail service permanently rejects this message: {reason}")
        self.reason = reason


class OutOfTime(ServiceError):
    """A run has used up its time before it tried all of its work; the rest is due at once."""


class Unauthenticated(ServiceError):
    """A request's token is missing or invalid; the text says which, and never quotes the token."""


class AccessDenied(ServiceError):
    """A token is valid, but its bearer may not use the service at all; the text says who can change that."""


class ConfigurationError(ServiceError):
    """A setting is missing or malformed; the text names it and what it should hold."""


class ClaimedByAnotherSlot(ConfigurationError):
    """Storage belongs to another deployment slot. `resource` describes it, `setting` names its account."""

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


class DataOfAnotherVersion(ConfigurationError):
    """The stored data is older or newer than what this code reads and writes; both are version numbers."""

    def __init__(self, *, stored: int, known: int) -> None:
        what_to_do = (
            "Stop the app, run `python3 dev.py migrate` on its storage, and start the app again."
            if stored < known
            else "Deploy the version of the service that wrote it, or a later one."
        )
        super().__init__(
            f"The stored data is of version {stored}, and this version of the service needs version {known}. "
            f"{what_to_do} See docs/operations.md, Version of the stored data."
        )
        self.stored = stored
        self.known = known
