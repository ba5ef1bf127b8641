"""The settings of the app on this machine."""

from collections.abc import Mapping

from localcloud.azurite import connection_string
from localcloud.issuer import AUDIENCE, ISSUER, JWKS_PATH
from localcloud.mail.signatures import access_key
from localcloud.mail.webhook import events_key
from localcloud.stack.data_directory import Addresses, DataDirectory

LARGEST_BODY = str(100 * 1024 * 1024)
"""The platform's default, in bytes. The app's own limit is far lower and explained in its response."""
THREADS = "10"
"""One per concurrent orchestrator in host.json: orchestrators are the app's only functions that need a thread."""
NO_LIMITS = {
    f"LIMIT_{name}": "0"
    for name in (
        "REQUESTS_PER_PERSON",
        "REQUESTS_PER_ORGANIZATION",
        "REQUESTS_PER_ADDRESS",
        "INVITATIONS_PER_DAY",
        "INQUIRIES_PER_DAY",
        "MESSAGES_PER_HOUR",
        "MESSAGES_PER_DEAL",
        "CUSTOMER_MAILS_PER_DAY",
    )
}
"""Switches off all limits on use, for benchmarks, the demo and tests of other things."""
MAIL_SENDER = "no-reply@referrals.example"
# Where the app receives mail events. On Azure it is the URL of the Event Grid subscription, with the secret as `key`.
MAIL_EVENTS_PATH = "/v1.0/mail-events"


def app_environment(
    data: DataDirectory, addresses: Addresses, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return `inherited` with the app's settings added.

    The host, the loader of the samples and operator commands all run with it.
    """
    storage = connection_string(data.path, addresses.azurite)
    return {
        **inherited,
        "AzureWebJobsStorage": storage,
        "TABLES_CONNECTION_STRING": storage,
        **service_settings(data, addresses.mail_url),
        # Only one process sends, so after a crash the next start need not wait for the lease of a send.
        "MAIL_LEASE": "PT0S",
        "PUBLIC_URL": addresses.url,
        "PORTAL_URL": f"{addresses.url}/portal",
        "CLOCK_OFFSET_FILE": str(data.clock_offset),
        "WATCHED_DISK": str(data.path),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": LARGEST_BODY,
        "PYTHON_THREADPOOL_THREAD_COUNT": THREADS,
        "PYTHONUNBUFFERED": "1",
    }


def service_settings(data: DataDirectory, server_url: str) -> dict[str, str]:
    """Return the settings for the mail service and the issuer at `server_url`."""
    return {
        "MAIL_ENDPOINT": server_url,
        "MAIL_ACCESS_KEY": access_key(data.path),
        "MAIL_SENDER": MAIL_SENDER,
        "MAIL_EVENTS_KEY": events_key(data.path),
        "AUTH_ISSUER": ISSUER,
        "AUTH_AUDIENCE": AUDIENCE,
        "AUTH_JWKS_URL": server_url + JWKS_PATH,
    }
