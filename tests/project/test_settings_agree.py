"""`host.json`, the settings' code, the example and the documents say the same."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.platform import health
from devhost.host_json import parse_time_span
from localcloud import issuer
from localcloud.platform import engine_clock as local
from localcloud.stack import environment
from shared.auth import tokens
from shared.clock import OFFSET_FILE
from shared.errors import ConfigurationError
from shared.mail import service as mail
from shared.settings import (
    AZURE_STORAGE,
    DEFAULT_HUB,
    DEFAULT_PARTITIONS,
    HUB_SETTING,
    PARTITIONS_SETTING,
    PROVIDER_SETTING,
    read_settings,
)
from shared.storage.azure_errors import CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS
from shared.workflow import durable, perform
from shared.workflow.purge import LONGEST_RUN, MAX_PAGES, RETENTION
from shared.workflow.sweep import LONGEST_HANDLER

PROJECT = Path(__file__).parents[2]
HOST_JSON: dict[str, Any] = json.loads((PROJECT / "host.json").read_text(encoding="utf-8"))
DURABLE = HOST_JSON["extensions"]["durableTask"]
EXAMPLE: dict[str, str] = json.loads((PROJECT / "local.settings.example.json").read_text(encoding="utf-8"))[
    "Values"
]
README, OPERATIONS, ARCHITECTURE = (
    (PROJECT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/operations.md", "docs/architecture.md")
)
FUNCTION_TIMEOUT = parse_time_span(HOST_JSON["functionTimeout"])


def table(text: str, header: str) -> dict[str, str]:
    """The first and the last cell of a table's rows, by its header."""
    _, found, rest = text.partition(f"| {header} |\n|")
    assert found, header
    rows = [line.strip("|").split(" | ") for line in rest.partition("\n\n")[0].splitlines()[1:]]
    return {row[0].strip(" `"): row[-1].strip() for row in rows}


def says(document: str, figure: str, *words: str) -> bool:
    """Whether one sentence has this figure and these words, however it is put."""
    sentences = re.split(r"[.;|]\s", document)
    return any(all(each in sentence for each in (figure, *words)) for sentence in sentences)


DEFAULTS = table(README, "setting | meaning | default")
PLATFORM = {name: value.strip("`") for name, value in table(README, "setting | meaning | value").items()}
MANDATORY = {
    name: f"https://{name.lower()}.example" for name, value in DEFAULTS.items() if value == "mandatory"
}


class Asked(Mapping[str, str]):
    """An environment that remembers what it is asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def read_by_the_code() -> set[str]:
    """All settings: some are looked for only where others are not set."""
    of_the_host = {HUB_SETTING: "hub", PROVIDER_SETTING: AZURE_STORAGE, PARTITIONS_SETTING: "1"}
    with_host_storage = Asked({**MANDATORY, **of_the_host})
    by_identity = Asked({**MANDATORY, "AzureWebJobsStorage": "", "TABLES_CONNECTION_STRING": "tables"})
    for asked in (with_host_storage, by_identity):
        read_settings(asked)
    return with_host_storage.names | by_identity.names


def test_the_readmes_table_has_every_setting_that_the_code_reads_and_no_other() -> None:
    assert set(DEFAULTS) == read_by_the_code() | {OFFSET_FILE}


@pytest.mark.parametrize("name", MANDATORY)
def test_what_the_readme_calls_mandatory_is_asked_for(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_settings({key: value for key, value in MANDATORY.items() if key != name})


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if value.startswith("`")])
def test_a_default_of_the_readme_is_the_codes(name: str) -> None:
    assert read_settings({**MANDATORY, name: DEFAULTS[name].strip("`")}) == read_settings(MANDATORY)
    assert read_settings(MANDATORY) != read_settings({**MANDATORY, name: OTHER.get(name, "another")})


OTHER = {
    PARTITIONS_SETTING: "1",
    "MAIL_LEASE": "PT1S",
    "REFERRAL_RESPONSE_WINDOW": "PT1S",
    "REFERRAL_RETENTION": "PT1S",
    "SWEEP_SCHEDULE": "1 * * * * *",
    **{name: "0" for name in DEFAULTS if name.startswith("LIMIT_")},
}
"""Values unlike any default, for settings that take no word."""


@pytest.mark.parametrize("name", [name for name, value in DEFAULTS.items() if value.startswith("as ")])
def test_a_default_that_is_another_settings_value_is_that(name: str) -> None:
    other = DEFAULTS[name].removeprefix("as ").strip("`")
    assert read_settings({**MANDATORY, name: MANDATORY[other]}) == read_settings(MANDATORY)


def test_the_development_issuers_tokens_carry_what_the_service_asks_for() -> None:
    assert (issuer.SCOPE, issuer.APPLICATION_ROLE) == (tokens.SCOPE, tokens.APPLICATION_ROLE)


def test_every_cell_of_the_readmes_defaults_is_tested() -> None:
    kinds = re.compile(r"mandatory|`[^`]+`|as `[^`]+`|")
    assert [value for value in DEFAULTS.values() if not kinds.fullmatch(value)] == []


def test_the_example_has_everything_mandatory_and_no_unknown_name() -> None:
    known = set(DEFAULTS) | set(PLATFORM)
    assert set(EXAMPLE) - known == set()
    assert (set(MANDATORY) | set(PLATFORM)) - set(EXAMPLE) == set()
    read_settings(EXAMPLE)


def test_the_example_repeats_the_defaults_that_it_shows() -> None:
    shown = {name: f"`{EXAMPLE[name]}`" for name in (HUB_SETTING, "SWEEP_SCHEDULE")}
    assert shown == {name: DEFAULTS[name] for name in shown}


def test_the_platforms_settings_are_the_same_everywhere() -> None:
    assert {name: EXAMPLE[name] for name in PLATFORM} == PLATFORM
    assert PLATFORM["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] == environment.LARGEST_BODY
    assert PLATFORM["PYTHON_THREADPOOL_THREAD_COUNT"] == environment.THREADS


def test_every_orchestrator_that_runs_at_once_has_a_thread() -> None:
    assert int(PLATFORM["PYTHON_THREADPOOL_THREAD_COUNT"]) == DURABLE["maxConcurrentOrchestratorFunctions"]


def test_the_hub_that_the_app_claims_is_the_hosts() -> None:
    assert DURABLE["hubName"] == DEFAULT_HUB == local.HUB
    assert local.HUB_SETTING == HUB_SETTING
    assert DURABLE["storageProvider"]["type"] == AZURE_STORAGE
    assert DURABLE["storageProvider"]["partitionCount"] == DEFAULT_PARTITIONS


def test_a_handler_ends_before_the_sweep_takes_it_for_dead() -> None:
    assert FUNCTION_TIMEOUT < LONGEST_HANDLER
    minutes = LONGEST_HANDLER // timedelta(minutes=1)
    assert says(OPERATIONS, f"{minutes} minutes", "handler")
    assert says(ARCHITECTURE, f"{minutes} minutes", "wall clock")


def test_a_function_outlives_a_storage_request_with_all_its_repetitions_and_the_purge() -> None:
    request = timedelta(seconds=2 * REQUEST_SECONDS)  # a write, and the look at what became of it
    assert request < FUNCTION_TIMEOUT
    assert LONGEST_RUN + request < FUNCTION_TIMEOUT


def test_a_call_to_the_mail_service_ends_well_before_its_lease() -> None:
    """One attempt asks whether the mail was taken, and sends it."""
    lease = read_settings(MANDATORY).mail_lease
    assert 2 * timedelta(seconds=mail.CALL_SECONDS) < lease < FUNCTION_TIMEOUT


def test_a_run_over_work_ends_before_the_platform_ends_its_worker() -> None:
    """It reads the row, does what it begins in its time, keeps the row and forgets the intent."""
    longest = perform.LONGEST_RUN + perform.LONGEST_TASK + 3 * timedelta(seconds=REQUEST_SECONDS)
    assert longest < FUNCTION_TIMEOUT
    assert says(OPERATIONS, f"{longest.total_seconds():.0f} s")


def test_the_page_of_operations_says_how_long_each_call_may_take() -> None:
    bounds = {
        "mail service": (mail.CONNECT_SECONDS, mail.READ_SECONDS, mail.CALL_SECONDS),
        "Table Storage": (CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS),
        "durable engine": (durable.CALL_SECONDS, 2 * durable.CALL_SECONDS),  # with a look at the status
        "signing keys": (tokens.CONNECT_SECONDS, tokens.FETCH_SECONDS),
        "/healthz": (health.TIMEOUT_SECONDS,),
    }
    for call, seconds in bounds.items():
        (row,) = re.findall(rf"^\| `?{call}.*\|$", OPERATIONS, re.MULTILINE)
        told = {float(each) for each in re.findall(r"\b([\d.]+) s\b", row)}
        assert {float(each) for each in seconds} <= told, row


def test_the_page_of_operations_says_what_the_purge_does() -> None:
    assert timedelta(days=1) == RETENTION
    assert says(OPERATIONS, "a day", "purge_finished")
    assert says(OPERATIONS, f"{100 * MAX_PAGES:,} instances")
    assert says(OPERATIONS, f"{LONGEST_RUN // timedelta(minutes=1)} minutes", "begins none")


def flat(document: dict[str, Any], path: str = "") -> dict[str, str]:
    """A document's values by their dotted paths, strings as they are and others as JSON."""
    found: dict[str, str] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{path}{name}."))
        else:
            found[f"{path}{name}"] = value if isinstance(value, str) and value else json.dumps(value)
    return found


def test_the_page_of_operations_has_every_setting_of_host_json_with_its_value() -> None:
    _, _, rest = OPERATIONS.partition("| setting | value | why |\n|")
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\S.*) \|$", rest.partition("\n\n")[0], re.MULTILINE)
    assert {name: value for name, value, _ in rows} == flat(HOST_JSON)


def test_the_page_of_operations_has_a_line_for_every_app_setting_in_production() -> None:
    assert set(table(OPERATIONS, "setting | why")) == (set(DEFAULTS) | set(PLATFORM)) - {OFFSET_FILE}


def test_polling_and_visibility_stay_within_what_was_measured() -> None:
    """Polling: 1 s costs 17,000 requests an hour, 30 s is 27 s late. Hidden work: 5 minutes by default."""
    storage = {name: value for name, value in DURABLE["storageProvider"].items() if ":" in str(value)}
    spans = {name: parse_time_span(value) for name, value in storage.items()}
    assert timedelta(seconds=1) <= spans.pop("maxQueuePollingInterval") <= timedelta(seconds=5)
    assert set(spans.values()) == {timedelta(minutes=1)}
    assert len(spans) == 2


def test_the_local_cloud_can_switch_off_every_limit() -> None:
    assert dict.fromkeys((n for n in DEFAULTS if n.startswith("LIMIT_")), "0") == environment.NO_LIMITS
