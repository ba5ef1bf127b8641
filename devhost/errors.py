"""The errors of devhost.

DevhostError
├── StartError             the app or the machine does not allow a start; the command line exits with 2
├── OrchestrationError     fails one instance; its text becomes the instance's output
│   ├── NonDeterminismError
│   ├── UnsupportedActionError
│   └── InvalidOrchestratorError
├── ManagementError        a request to the durable HTTP API that cannot be served; carries the HTTP status
└── ClockError             a request to move the clock that cannot be served; carries the HTTP status
"""


class DevhostError(Exception):
    """Base class."""


class StartError(DevhostError):
    """The app, its settings or the machine do not allow a start; the text says what to change."""


class OrchestrationError(DevhostError):
    """One instance cannot go on; the text becomes its output."""


class NonDeterminismError(OrchestrationError):
    """The replayed orchestrator scheduled something other than what its history recorded."""


class UnsupportedActionError(OrchestrationError):
    """The orchestrator scheduled an action that devhost does not support."""


class InvalidOrchestratorError(OrchestrationError):
    """The orchestrator did something that no durable host can run."""


class _StatusError(DevhostError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ManagementError(_StatusError):
    """A refused request to the durable HTTP API.

    `kind` is the exception type that the real extension reports; callers may check it.
    """

    def __init__(self, status: int, message: str, kind: str = "System.InvalidOperationException") -> None:
        super().__init__(status, message)
        self.kind = kind


class ClockError(_StatusError):
    """A refused or abandoned request to move the clock."""
