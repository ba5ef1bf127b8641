"""The settings that the app runs with on this machine."""

from collections.abc import Mapping

from localcloud.azurite import connection_string
from localcloud.issuer import AUDIENCE, ISSUER, JWKS_PATH
from localcloud.mail.signatures import access_key
from localcloud.mail.webhook import events_key
from localcloud.stack.data_directory import Addresses, DataDirectory

LARGEST_BODY = str(100 * 1024 * 1024)
"""The platform's own default, in bytes: beyond it the host refuses without words, and the app takes far less."""
THREADS = "10"
"""As many orchestrators as host.json runs at once: they are the app's only functions that need a thread."""
MAIL_SENDER = "no-reply@referrals.example"
# Where the app takes events of its mails. On Azure the Event Grid subscription names it, with the secret as `key`.
MAIL_EVENTS_PATH = "/v1.0/mail-events"


def app_environment(
    data: DataDirectory, addresses: Addresses, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return `inherited` with the app's settings on top.

    The same for the host, for the loader of the samples, and for what an operator runs beside the service.
    """
    storage = connection_string(data.path, addresses.azurite)
    return {
        **inherited,
        "AzureWebJobsStorage": storage,
        "TABLES_CONNECTION_STRING": storage,
        **service_settings(data, addresses.mail_url),
        # One process sends: a send whose process died holds no lease against the next one.
        "MAIL_LEASE": "PT0S",
        "PORTAL_URL": f"{addresses.url}/portal",
        "CLOCK_OFFSET_FILE": str(data.clock_offset),
        "WATCHED_DISK": str(data.path),
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": LARGEST_BODY,
        "PYTHON_THREADPOOL_THREAD_COUNT": THREADS,
        "PYTHONUNBUFFERED": "1",
    }


def service_settings(data: DataDirectory, server_url: str) -> dict[str, str]:
    """Return the settings that name the mail service and the issuer at `server_url`."""
    return {
        "MAIL_ENDPOINT": server_url,
        "MAIL_ACCESS_KEY": access_key(data.path),
        "MAIL_SENDER": MAIL_SENDER,
        "MAIL_EVENTS_KEY": events_key(data.path),
        "AUTH_ISSUER": ISSUER,
        "AUTH_AUDIENCE": AUDIENCE,
        "AUTH_JWKS_URL": server_url + JWKS_PATH,
    }
