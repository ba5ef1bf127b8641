"""Why a benchmark cannot run. Each text is for the person at the terminal and says what to do next."""


class BenchError(Exception):
    """Base class."""


class CheckoutError(BenchError):
    """The other commit cannot be checked out."""


class MeasurementError(BenchError):
    """A service did not do what was measured, or not in time."""
