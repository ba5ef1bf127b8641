"""`dev.py run` and `dev.py mail`: the service, or the mail sink and the issuer alone, until Ctrl-C."""

import json
from argparse import Namespace
from threading import Event

from localcloud.__main__ import main as serve_local_cloud
from localcloud.commands.bootstrap import deployed_environment
from localcloud.errors import InterruptedStartError
from localcloud.process.foreground import print_progress
from localcloud.process.locks import DataLock
from localcloud.process.ports import HOST, free_ports, require_free
from localcloud.process.waiting import interruption
from localcloud.stack.data_directory import DataDirectory
from localcloud.stack.environment import service_settings
from localcloud.stack.hosts import Devhost, Func, Host
from localcloud.stack.stack import Stack

_POLL_INTERVAL = 0.2
_LOCK_TIMEOUT = 20.0


def run(options: Namespace, host: Host | None = None) -> int:
    """Run the service until SIGINT or SIGTERM.

    Raises MemberError if one of its processes ends, InstallError if the host is not installed.
    """
    host = host or chosen_host(options.host)
    with interruption() as interrupted:
        stack = Stack(
            options.data,
            port=options.port,
            samples=not options.no_samples,
            limits=True,
            host=host,
            report=print_progress,
            interrupted=interrupted,
        )
        try:
            with stack:
                print(_welcome(stack), flush=True)
                _supervise(stack, interrupted)
        except InterruptedStartError:
            print_progress("Stopped before everything was started.")
    return 0


def mail(options: Namespace) -> int:
    """Serve only the mail sink and the issuer, for a function app on another host."""
    data = DataDirectory.prepared(options.data)
    lock = DataLock(data.lock)
    lock.acquire(timeout=_LOCK_TIMEOUT, report=print_progress)
    try:
        port = options.port or free_ports(1)[0]
        require_free(port)
        url = f"http://{HOST}:{port}"
        print("Settings for local.settings.json:")
        print(json.dumps({"Values": service_settings(data, url)}, indent=2))
        print(f"Mails: {url}/admin/devhost/mail/view", flush=True)
        where = ["--data", str(data.path), "--port", str(port)]
        events = ["--mail-events-url", options.mail_events_url] if options.mail_events_url else []
        return serve_local_cloud([*where, "--clock-offset-file", str(data.clock_offset), *events])
    finally:
        lock.release()


def chosen_host(name: str | None) -> Host:
    """Return the host `func`, or devhost. Raises InstallError."""
    return Func.found(deployed_environment) if name == "func" else Devhost()


def _supervise(stack: Stack, interrupted: Event) -> None:
    while not interrupted.wait(_POLL_INTERVAL):
        ended = stack.first_ended()
        if ended is not None:
            raise ended.failure(
                f"{ended.name} ended on its own ({ended.ending}). The data is kept; start again."
            )


def _welcome(stack: Stack) -> str:
    url, controls = stack.url, stack.controls
    places = {
        "API": f"{url}/v1.0",
        "Functions": f"{url}/admin/functions",
        **({"Host page": f"{url}/admin/devhost"} if stack.host.name == "devhost" else {}),
        "Clock": f"{controls}/admin/devhost/clock",
        "Mails": f"{controls}/admin/devhost/mail/view",
        "Mails as JSON": f"{controls}/admin/devhost/mail",
        "Data": f"{stack.data.path}",
        "Logs": f"{stack.data.logs}",
        "Sign in": "python3 dev.py token --as rae@contoso.com",
    }
    lines = [f"  {name:<14} {place}" for name, place in places.items()]
    return "\n".join(["", "The service runs. Ctrl-C ends it.", *lines, "", f"Ready: {url}"])
