"""Why a rule says no.

Refusal
├── Invalid        the request breaks rules about its fields; carries every fault at once
├── NotAllowed     the state, the direction or the type forbids it
└── TerminalState  the referral is closed for good (L5)
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
    """One fault of a request. `target` is a JSON Pointer into what was sent; `message` says what to do."""

    code: FaultCode
    target: str
    message: str


class Refusal(Exception):
    """A rule refuses what was asked; nothing has been stored for it."""


class Invalid(Refusal):
    """One or more fields break the rules.

    `candidates` are the directory's customers between which the request does not decide (C7), if that is a fault.
    """

    def __init__(self, faults: tuple[Fault, ...], candidates: tuple[object, ...] = ()) -> None:
        super().__init__("; ".join(f"{fault.target}: {fault.message}" for fault in faults))
        self.faults = faults
        self.candidates = candidates


class NotAllowed(Refusal):
    """The referral's state, direction or type forbids the operation."""


class TerminalState(Refusal):
    """The referral, or the deal it belongs to, is closed; `reason` names why where one was kept."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
