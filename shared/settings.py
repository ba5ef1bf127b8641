"""The settings, from the environment. No secret has a default. README.md has the table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import isodate

from shared.errors import ConfigurationError

_DEVELOPMENT_STORAGE = "UseDevelopmentStorage=true"
# The published account of every local storage emulator, which the Tables SDK does not spell out by itself.
_DEVELOPMENT_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the app is told by its environment.

    Storage and mail are reached by a connection string or key if one is given, else by the app's identity.
    Without `mail_events_key` no delivery reports are taken.
    `auth_issuer` holds `{tid}` where the token's tenant must stand.
    """

    tables_connection_string: str | None
    tables_endpoint: str | None
    mail_endpoint: str
    mail_access_key: str | None
    mail_sender: str
    mail_events_key: str | None
    mail_lease: timedelta
    auth_issuer: str
    auth_audience: str
    auth_jwks_url: str
    portal_url: str
    response_window: timedelta
    retention: timedelta


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises `ConfigurationError`, naming what is missing or malformed."""
    source = os.environ if environment is None else environment
    return Settings(
        tables_connection_string=_connection_string(source),
        tables_endpoint=source.get("TABLES_ENDPOINT"),
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
        response_window=_duration(source, "REFERRAL_RESPONSE_WINDOW", "P14D"),
        retention=_duration(source, "REFERRAL_RETENTION", "P2557D"),
    )


def _connection_string(source: Mapping[str, str]) -> str | None:
    if source.get("TABLES_ENDPOINT"):
        return None
    text = source.get("TABLES_CONNECTION_STRING") or source.get("AzureWebJobsStorage")
    if not text:
        raise ConfigurationError("Set TABLES_ENDPOINT (with the app's identity) or TABLES_CONNECTION_STRING.")
    return _DEVELOPMENT_ACCOUNT if text.strip().rstrip(";") == _DEVELOPMENT_STORAGE else text


def _required(source: Mapping[str, str], name: str, meaning: str) -> str:
    value = source.get(name)
    if not value:
        raise ConfigurationError(f"Set {name} to {meaning}.")
    return value


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
