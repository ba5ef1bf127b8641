"""The settings, from the environment. No secret has a default. README.md has the table."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import isodate

from shared.errors import ConfigurationError

_DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
# The well-known account of the local storage emulators; the Tables SDK does not expand the shortcut itself.
_DEVELOPMENT_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)
_DURABLE_TASK = "AzureFunctionsJobHost__extensions__durableTask__"
HUB_SETTING = f"{_DURABLE_TASK}hubName"
"""The setting that overrides the task hub name of host.json. The host ignores its case."""
DEFAULT_HUB = "cosellreferrals"
"""The name of the task hub in host.json."""
PROVIDER_SETTING = f"{_DURABLE_TASK}storageProvider__type"
PARTITIONS_SETTING = f"{_DURABLE_TASK}storageProvider__partitionCount"
AZURE_STORAGE, DEFAULT_PARTITIONS = "AzureStorage", 4
"""The storage provider and the number of control queues that host.json sets."""
MOST_PARTITIONS = 16
PRODUCTION = "Production"
"""The name that the platform gives to the production slot."""
EVERY_TEN_SECONDS = "*/10 * * * * *"
_FIELD = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/0*[1-9]\d?)?", re.ASCII)
_FIELD_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAccount:
    """A storage account: a connection string, or an endpoint that the app's identity can use.

    `setting` is the name of the setting it comes from. `queue_endpoint` is the address of the account's queues; it is
    only set for the task hub, and only without a connection string.
    """

    setting: str = field(compare=False)
    connection_string: str | None = None
    endpoint: str | None = None
    queue_endpoint: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one client may use (docs/security.md); 0 means no limit.

    Requests count per minute and process; the others are counted in storage, by the domain clock.
    """

    requests_per_person: int
    requests_per_organization: int
    requests_per_address: int
    invitations_per_day: int
    inquiries_per_day: int
    messages_per_hour: int
    messages_per_deal: int
    customer_mails_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of the app.

    Storage and mail use a connection string or key if one is set, and the app's identity otherwise.
    Without `mail_events_key` delivery reports are refused.
    `auth_issuer` contains `{tid}` in place of the token's tenant.
    `hub` is the account of the task hub `hub_name`; None if no setting names one, and then the app does not start.
    `hub_partitions` is the number of control queues; None if the hub is not in Azure Storage, as with devhost.
    `slot` is the deployment slot that the app runs in.
    `watched_disk` is a folder on the disk to watch, None to watch none.
    """

    tables: TableAccount
    hub: TableAccount | None
    hub_name: str
    hub_partitions: int | None
    slot: str
    sweep_schedule: str
    mail_endpoint: str
    mail_access_key: str | None
    mail_sender: str
    mail_events_key: str | None
    mail_lease: timedelta
    auth_issuer: str
    auth_audience: str
    auth_jwks_url: str
    portal_url: str
    public_url: str
    response_window: timedelta
    retention: timedelta
    limits: Limits
    watched_disk: str | None = None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises `ConfigurationError`, naming what is missing or malformed."""
    source = os.environ if environment is None else environment
    return Settings(
        tables=_tables(source),
        hub=_hub(source),
        hub_name=_host_setting(source, HUB_SETTING, DEFAULT_HUB),
        hub_partitions=_hub_partitions(source),
        slot=source.get("WEBSITE_SLOT_NAME") or PRODUCTION,
        sweep_schedule=read_sweep_schedule(source),
        mail_endpoint=_required(source, "MAIL_ENDPOINT", "the address of the mail service").rstrip("/"),
        mail_access_key=source.get("MAIL_ACCESS_KEY"),
        mail_sender=_required(source, "MAIL_SENDER", "the address that mails come from"),
        mail_events_key=source.get("MAIL_EVENTS_KEY"),
        mail_lease=_duration(source, "MAIL_LEASE", "PT2M"),
        auth_issuer=source.get("AUTH_ISSUER", "https://login.microsoftonline.com/{tid}/v2.0"),
        auth_audience=_required(source, "AUTH_AUDIENCE", "this API's application id or id URI"),
        auth_jwks_url=source.get(
            "AUTH_JWKS_URL", "https://login.microsoftonline.com/common/discovery/v2.0/keys"
        ),
        portal_url=_required(source, "PORTAL_URL", "the address of the portal that mails link to").rstrip(
            "/"
        ),
        public_url=_required(source, "PUBLIC_URL", "the address of this API that its links lead to").rstrip(
            "/"
        ),
        response_window=_duration(source, "REFERRAL_RESPONSE_WINDOW", "P14D"),
        retention=_duration(source, "REFERRAL_RETENTION", "P2557D"),
        limits=read_limits(source),
        watched_disk=source.get("WATCHED_DISK") or None,
    )


def read_tables(environment: Mapping[str, str] | None = None) -> TableAccount:
    """The account of the records, for operator tools that need no other setting. Raises `ConfigurationError`."""
    return _tables(os.environ if environment is None else environment)


def read_sweep_schedule(source: Mapping[str, str]) -> str:
    """When the sweep runs: an NCRONTAB expression of six fields. Raises `ConfigurationError`.

    Names of months and days are refused although the host accepts them, because other hosts may not.
    """
    text = source.get("SWEEP_SCHEDULE") or EVERY_TEN_SECONDS
    fields = text.split()
    if len(fields) != len(_FIELD_RANGES) or not all(map(_is_field, fields, _FIELD_RANGES)):
        raise ConfigurationError(
            "Set SWEEP_SCHEDULE to an NCRONTAB expression of six fields (second, minute, hour, day, month, day of "
            f"the week) in digits and * , - /, such as {EVERY_TEN_SECONDS!r} for every ten seconds."
        )
    return " ".join(fields)


def _is_field(text: str, limits: tuple[int, int]) -> bool:
    low, high = limits
    for part in text.split(","):
        match = _FIELD.fullmatch(part)
        if match is None:
            return False
        first, last = int(match[1] or low), int(match[2] or match[1] or high)
        if not low <= first <= last <= high:
            return False
    return True


def _tables(source: Mapping[str, str]) -> TableAccount:
    if endpoint := source.get("TABLES_ENDPOINT"):
        return TableAccount(setting="TABLES_ENDPOINT", endpoint=endpoint)
    for setting in ("TABLES_CONNECTION_STRING", "AzureWebJobsStorage"):
        if text := source.get(setting):
            return _by_connection_string(setting, text)
    raise ConfigurationError(
        "Set TABLES_ENDPOINT (with the app's identity), TABLES_CONNECTION_STRING or AzureWebJobsStorage."
    )


def _hub(source: Mapping[str, str]) -> TableAccount | None:
    setting = "AzureWebJobsStorage"
    if text := source.get(setting):
        return _by_connection_string(setting, text)
    tables, queues = (
        source.get(f"{setting}__{kind}ServiceUri") or _address(source.get(f"{setting}__accountName"), kind)
        for kind in ("table", "queue")
    )
    return TableAccount(setting=setting, endpoint=tables, queue_endpoint=queues) if tables else None


def _address(account: str | None, kind: str) -> str | None:
    return f"https://{account}.{kind}.core.windows.net" if account else None


def _hub_partitions(source: Mapping[str, str]) -> int | None:
    if _host_setting(source, PROVIDER_SETTING, AZURE_STORAGE).casefold() != AZURE_STORAGE.casefold():
        return None
    text = _host_setting(source, PARTITIONS_SETTING, str(DEFAULT_PARTITIONS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PARTITIONS):
        raise ConfigurationError(f"Set {PARTITIONS_SETTING} to a number from 1 to {MOST_PARTITIONS}.")
    return int(text)


def _host_setting(source: Mapping[str, str], setting: str, default: str) -> str:
    """A setting of host.json: the override in the environment if there is one, else `default`."""
    names = {name.casefold(): name for name in source}
    name = names.get(setting.casefold())
    return (source[name] if name else "") or default


def _by_connection_string(setting: str, text: str) -> TableAccount:
    development = text.strip().rstrip(";") == _DEVELOPMENT_STORAGE
    return TableAccount(setting=setting, connection_string=_DEVELOPMENT_ACCOUNT if development else text)


def _required(source: Mapping[str, str], name: str, meaning: str) -> str:
    value = source.get(name)
    if not value:
        raise ConfigurationError(f"Set {name} to {meaning}.")
    return value


def read_limits(environment: Mapping[str, str] | None = None) -> Limits:
    """The limits alone, for what is served without the other settings. Raises `ConfigurationError`."""
    source = os.environ if environment is None else environment
    return Limits(
        requests_per_person=_limit(source, "LIMIT_REQUESTS_PER_PERSON", 600),
        requests_per_organization=_limit(source, "LIMIT_REQUESTS_PER_ORGANIZATION", 3000),
        requests_per_address=_limit(source, "LIMIT_REQUESTS_PER_ADDRESS", 60),
        invitations_per_day=_limit(source, "LIMIT_INVITATIONS_PER_DAY", 500),
        inquiries_per_day=_limit(source, "LIMIT_INQUIRIES_PER_DAY", 2000),
        messages_per_hour=_limit(source, "LIMIT_MESSAGES_PER_HOUR", 60),
        messages_per_deal=_limit(source, "LIMIT_MESSAGES_PER_DEAL", 200),
        customer_mails_per_day=_limit(source, "LIMIT_CUSTOMER_MAILS_PER_DAY", 10),
    )


def _limit(source: Mapping[str, str], name: str, default: int) -> int:
    text = source.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigurationError(f"Set {name} to a whole number, such as {default}, or to 0 for no limit.")
    return int(text)


def _duration(source: Mapping[str, str], name: str, default: str) -> timedelta:
    text = source.get(name, default)
    try:
        value: object = isodate.parse_duration(text)  # type: ignore[no-untyped-call] # the library has no types
    except isodate.ISO8601Error as malformed:
        raise ConfigurationError(f"Set {name} to an ISO 8601 duration such as {default}.") from malformed
    if not isinstance(value, timedelta) or value < timedelta():
        raise ConfigurationError(
            f"Set {name} to a duration of days, hours, minutes or seconds, such as {default}."
        )
    return value
