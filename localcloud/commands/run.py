"""`dev.py run`: the service until someone ends it."""

from argparse import Namespace
from threading import Event

from localcloud.commands.bootstrap import deployed_environment
from localcloud.errors import InterruptedStartError
from localcloud.process.foreground import tell
from localcloud.process.waiting import interruption
from localcloud.stack.hosts import Devhost, Func, Host
from localcloud.stack.stack import Stack

_LOOK_EVERY = 0.2


def run(options: Namespace, host: Host | None = None) -> int:
    """Run the service until SIGINT or SIGTERM: 0.

    Raises MemberError if a part of it ends on its own, InstallError if the host that was asked for is not here.
    """
    host = host or chosen_host(options.host)
    with interruption() as asked:
        stack = Stack(
            options.data,
            port=options.port,
            samples=not options.no_samples,
            host=host,
            report=tell,
            interrupted=asked,
        )
        try:
            with stack:
                print(_welcome(stack), flush=True)
                _supervise(stack, asked)
        except InterruptedStartError:
            tell("Stopped before everything was started.")
    return 0


def chosen_host(name: str | None) -> Host:
    """The host of this name: `func`, or devhost. Raises InstallError."""
    return Func.found(deployed_environment) if name == "func" else Devhost()


def _supervise(stack: Stack, asked: Event) -> None:
    while not asked.wait(_LOOK_EVERY):
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
