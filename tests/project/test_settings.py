"""What the app reads from its environment (README, Settings)."""

import pytest

from api.platform import timers
from shared.errors import ConfigurationError
from shared.settings import (
    HUB_SETTING,
    PARTITIONS_SETTING,
    PROVIDER_SETTING,
    Settings,
    TableAccount,
    read_settings,
)

MANDATORY = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "MAIL_ENDPOINT": "http://127.0.0.1:7072",
    "MAIL_SENDER": "no-reply@referrals.example",
    "AUTH_AUDIENCE": "api://test",
    "PORTAL_URL": "http://portal.example",
    "PUBLIC_URL": "http://api.example",
}


def settings(**changes: str | None) -> Settings:
    environment = {**MANDATORY, **changes}
    return read_settings({name: value for name, value in environment.items() if value is not None})


@pytest.mark.parametrize(
    ("name", "slot"), [(None, "Production"), ("", "Production"), ("Production", "Production"), ("s", "s")]
)
def test_the_slot_is_what_the_platform_says_and_production_without_it(name: str | None, slot: str) -> None:
    assert settings(WEBSITE_SLOT_NAME=name).slot == slot


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "cosellreferrals"),
        ({HUB_SETTING: "another"}, "another"),
        ({"AzureFunctionsJobHost__Extensions__DurableTask__HubName": "another"}, "another"),
        ({HUB_SETTING: ""}, "cosellreferrals"),
    ],
)
def test_the_hubs_name_is_host_jsons_unless_the_environment_overrides_it(changes: dict, name: str) -> None:
    assert settings(**changes).hub_name == name


STORAGE, IDENTITY = "AzureWebJobsStorage", {"AzureWebJobsStorage": None, "TABLES_CONNECTION_STRING": "tables"}


@pytest.mark.parametrize(
    ("changes", "hub"),
    [
        ({STORAGE: "hub"}, TableAccount(setting=STORAGE, connection_string="hub")),
        (
            {**IDENTITY, f"{STORAGE}__accountName": "acme"},
            TableAccount(setting=STORAGE, endpoint="https://acme.table.core.windows.net"),
        ),
        (
            {
                **IDENTITY,
                f"{STORAGE}__accountName": "acme",
                f"{STORAGE}__tableServiceUri": "https://acme.example",
            },
            TableAccount(setting=STORAGE, endpoint="https://acme.example"),
        ),
        (IDENTITY, None),
    ],
    ids=["connection string", "account's name", "address", "not told"],
)
def test_the_hubs_account_is_the_hosts_storage(changes: dict, hub: TableAccount | None) -> None:
    assert settings(**changes).hub == hub


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({f"{STORAGE}__accountName": "acme"}, "https://acme.queue.core.windows.net"),
        (
            {f"{STORAGE}__accountName": "acme", f"{STORAGE}__queueServiceUri": "https://q.example"},
            "https://q.example",
        ),
        ({f"{STORAGE}__tableServiceUri": "https://t.example"}, None),
    ],
)
def test_the_hubs_queues_are_in_the_hosts_storage(changes: dict, address: str | None) -> None:
    hub = settings(**IDENTITY, **changes).hub
    assert hub
    assert hub.queue_endpoint == address


@pytest.mark.parametrize(
    ("changes", "partitions"),
    [
        ({}, 4),
        ({PARTITIONS_SETTING: "16"}, 16),
        ({PROVIDER_SETTING: "azurestorage", PARTITIONS_SETTING.upper(): "1"}, 1),
        ({PROVIDER_SETTING: "mssql"}, None),
    ],
)
def test_a_hub_in_azure_storage_has_as_many_control_queues_as_the_host_is_told(
    changes: dict, partitions: int | None
) -> None:
    assert settings(**changes).hub_partitions == partitions


@pytest.mark.parametrize("count", ["0", "17", "-1", "four", "4.5", "\uff14"])
def test_a_count_of_control_queues_that_the_engine_refuses_is_refused(count: str) -> None:
    with pytest.raises(ConfigurationError, match=PARTITIONS_SETTING):
        settings(**{PARTITIONS_SETTING: count})


@pytest.mark.parametrize(
    ("changes", "setting", "connection_string", "endpoint"),
    [
        ({STORAGE: "hub"}, STORAGE, "hub", None),
        ({"TABLES_CONNECTION_STRING": "own"}, "TABLES_CONNECTION_STRING", "own", None),
        (
            {"TABLES_CONNECTION_STRING": "own", "TABLES_ENDPOINT": "https://t.example"},
            "TABLES_ENDPOINT",
            None,
            "https://t.example",
        ),
    ],
)
def test_the_tables_are_where_the_most_particular_setting_says(
    changes: dict, setting: str, connection_string: str | None, endpoint: str | None
) -> None:
    found = settings(**changes).tables
    assert (found.setting, found.connection_string, found.endpoint) == (setting, connection_string, endpoint)


def test_tables_and_hub_of_one_account_are_known_to_be_the_same() -> None:
    same = settings(TABLES_CONNECTION_STRING="one", AzureWebJobsStorage="one")
    assert same.tables == same.hub
    apart = settings(TABLES_CONNECTION_STRING="one", AzureWebJobsStorage="two")
    assert apart.tables != apart.hub


@pytest.mark.parametrize("missing", [name for name in MANDATORY if name != STORAGE])
def test_a_mandatory_setting_that_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        settings(**{missing: None})


@pytest.mark.parametrize(
    "schedule",
    ["0 * * * * *", "*/30 * * * * *", "0 */5 8-18 * * 1-5", "0 0,30 * 1 1-6/2 0", "00 05 23 31 12 6"],
)
def test_the_sweep_runs_when_it_is_told(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(SWEEP_SCHEDULE=schedule).sweep_schedule == schedule
    monkeypatch.setenv("SWEEP_SCHEDULE", schedule)
    assert timers.schedule() == schedule


@pytest.mark.parametrize("unset", [None, ""])
def test_the_sweep_runs_every_ten_seconds_unless_it_is_told_otherwise(
    unset: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SWEEP_SCHEDULE", raising=False)
    assert settings(SWEEP_SCHEDULE=unset).sweep_schedule == "*/10 * * * * *"
    assert timers.schedule() == "*/10 * * * * *"


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0 * * * * * *",
        "00:01:00",
        "%SWEEP%",
        "@hourly",
        "60 * * * * *",
        "0 60 * * * *",
        "0 * 24 * * *",
        "0 * * 0 * *",
        "0 * * 32 * *",
        "0 * * * 13 *",
        "0 * * * * 7",
        "0 9-8 * * * *",
        "0 */0 * * * *",
        "0 -1 * * * *",
        "0 , * * * *",
        "0 * * * * MON",
        "0 * * L * *",
        "0 * * * * ?",
    ],
)
def test_a_schedule_that_the_host_might_not_take_is_refused_with_an_example(
    schedule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"Set SWEEP_SCHEDULE to .*'\*/10 \* \* \* \* \*'"):
        settings(SWEEP_SCHEDULE=schedule)
    monkeypatch.setenv("SWEEP_SCHEDULE", schedule)
    assert timers.schedule() == "*/10 * * * * *", "the app must have its functions, to say what is wrong"
