"""What an orchestration hands to an activity: ids and times as text, by name."""

from typing import Dict  # noqa: UP035 - see below

# An annotation that the platform's indexer takes: it refuses `dict[str, str]`, and with it the whole app.
Step = Dict[str, str]  # noqa: UP006
