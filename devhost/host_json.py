"""The settings of host.json that devhost supports, with the overrides `AzureFunctionsJobHost__a__b`."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from devhost.errors import StartError

_OVERRIDE = "azurefunctionsjobhost__"
_HUB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")
_BODY_LIMIT = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
_TIME_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>[01]?\d|2[0-3]):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)(?:\.\d+)?"
)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The host's settings; `function_timeout` None means unlimited."""

    route_prefix: str = "api"
    function_timeout: timedelta | None = timedelta(minutes=30)
    hub_name: str = "DevhostHub"
    max_concurrent_activities: int = 10 * (os.cpu_count() or 1)
    max_concurrent_orchestrators: int = 256
    largest_body: int = 100 * 1024 * 1024
    replaces_running_instances: bool = False


def parse_time_span(text: str) -> timedelta:
    """Parse `[d.]hh:mm:ss`. Raises ValueError, also for 24 hours and more, which .NET reads as days."""
    found = _TIME_SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is not a time span; write it as hh:mm:ss or d.hh:mm:ss")
    return timedelta(**{unit: int(value) for unit, value in found.groupdict("0").items()})


def read_host_json(folder: Path, environment: Mapping[str, str] = os.environ) -> HostSettings:
    """Read `host.json` in the folder; a missing file means the defaults. Raises StartError."""
    file = folder / "host.json"
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig")) if file.exists() else {}
    except ValueError as failure:
        raise StartError(f"{file} is not valid JSON ({failure}); correct it and start again.") from failure
    if not isinstance(document, dict):
        raise StartError(f"{file} must hold a JSON object; correct it and start again.")
    return host_settings(document, environment)


def host_settings(document: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> HostSettings:
    """Read the settings from a host.json document. Raises StartError if a value is invalid."""
    settings = _Settings(document, environment)
    durable, default = "extensions.durabletask", HostSettings()
    try:
        return HostSettings(
            route_prefix=str(settings.get("extensions.http.routeprefix", default.route_prefix)).strip("/"),
            function_timeout=_timeout(settings.get("functiontimeout", "00:30:00")),
            hub_name=_hub_name(settings.get(f"{durable}.hubname", default.hub_name)),
            max_concurrent_activities=_count(
                settings.get(f"{durable}.maxconcurrentactivityfunctions", default.max_concurrent_activities)
            ),
            max_concurrent_orchestrators=_count(
                settings.get(
                    f"{durable}.maxconcurrentorchestratorfunctions", default.max_concurrent_orchestrators
                )
            ),
            largest_body=_count(environment.get(_BODY_LIMIT, default.largest_body)),
            replaces_running_instances=settings.get(f"{durable}.overridableexistinginstancestates", "")
            == "AnyState",
        )
    except ValueError as failure:
        raise StartError(f"host.json has a value that cannot be used: {failure}.") from failure


class _Settings:
    """Looks up members by their lower-cased dotted path, first in the environment."""

    def __init__(self, document: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._document = document
        self._overrides = {
            name.lower().removeprefix(_OVERRIDE).replace("__", "."): value
            for name, value in environment.items()
            if name.lower().startswith(_OVERRIDE)
        }

    def get(self, path: str, default: Any) -> Any:
        if path in self._overrides:
            return self._overrides[path]
        found: Any = self._document
        for step in path.split("."):
            if not isinstance(found, Mapping):
                raise ValueError(f"'{step}' is expected in something that is not an object")  # noqa: TRY004 - a setting
            found = {key.lower(): value for key, value in found.items()}.get(step)
            if found is None:
                return default
        return found


def _timeout(text: str) -> timedelta | None:
    return None if str(text) == "-1" else parse_time_span(str(text))


def _hub_name(value: Any) -> str:
    """The extension refuses other names at its start."""
    if not _HUB_NAME.fullmatch(str(value)):
        raise ValueError(
            f"the task hub's name '{value}' must have 3 to 45 letters and digits and begin with a letter"
        )
    return str(value)


def _count(value: Any) -> int:
    count = int(value)
    if count < 1:
        raise ValueError(f"a concurrency limit must be 1 at least, not {count}")
    return count
