"""The refusals that rules raise.

Refusal
├── Invalid        fields of the request are invalid; has all faults at once
├── NotAllowed     the state, direction or type does not allow the command
└── TerminalState  the referral is closed, which is final (L5)
"""

from dataclasses import dataclass
from typing import Literal

FaultCode = Literal[
    "required",
    "unknownField",
    "invalidType",
    "invalidFormat",
    "invalidValue",
    "outOfRange",
    "tooLong",
    "notInCatalogue",
    "notEditable",
    "notAllowed",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request. `target` is a JSON Pointer into the request; `message` says what to do."""

    code: FaultCode
    target: str
    message: str


class Refusal(Exception):
    """A rule refuses a command; nothing has been stored."""


class Invalid(Refusal):
    """One or more fields are invalid.

    If the customer is ambiguous, `candidates` are the customers of the directory that match (C7).
    """

    def __init__(self, faults: tuple[Fault, ...], candidates: tuple[object, ...] = ()) -> None:
        super().__init__("; ".join(f"{fault.target}: {fault.message}" for fault in faults))
        self.faults = faults
        self.candidates = candidates


class NotAllowed(Refusal):
    """The referral's state, direction or type does not allow the command."""


class TerminalState(Refusal):
    """The referral, or its deal, is closed; `reason` is the code of the reason, if one is stored."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
