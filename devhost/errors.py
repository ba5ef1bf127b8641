"""What can go wrong, as one tree.

DevhostError
├── StartError             the app or the machine is not fit to start; the command line exits with 2
├── OrchestrationError     fails one instance; its text becomes the instance's output
│   ├── NonDeterminismError
│   ├── UnsupportedActionError
│   └── InvalidOrchestratorError
├── ManagementError        a request to the durable HTTP API that cannot be served; carries the HTTP status
└── ClockError             a request to move the clock that cannot be served; carries the HTTP status
"""


class DevhostError(Exception):
    """The base of all that devhost raises on purpose."""


class StartError(DevhostError):
    """The app, its settings or the machine do not allow a start; the text says what to change."""


class OrchestrationError(DevhostError):
    """One instance cannot go on; the text becomes its output."""


class NonDeterminismError(OrchestrationError):
    """The replayed orchestrator asked for something else than what its history recorded."""


class UnsupportedActionError(OrchestrationError):
    """The orchestrator asked for something that devhost leaves out."""


class InvalidOrchestratorError(OrchestrationError):
    """The orchestrator did what no durable host can carry out."""


class _Refusal(DevhostError):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ManagementError(_Refusal):
    """A refused request to the durable HTTP API.

    `kind` is the name of the exception type that the real extension reports, which callers may look at.
    """

    def __init__(self, status: int, message: str, kind: str = "System.InvalidOperationException") -> None:
        super().__init__(status, message)
        self.kind = kind


class ClockError(_Refusal):
    """A refused or abandoned request to move the clock."""
