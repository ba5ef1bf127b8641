"""`dev.py run`: the service until someone ends it."""

from argparse import Namespace
from collections.abc import Sequence
from threading import Event

from localcloud.commands.interruption import interruption
from localcloud.errors import InterruptedStartError
from localcloud.process.progress import tell
from localcloud.stack.stack import DEVHOST, Stack

_LOOK_EVERY = 0.2


def run(options: Namespace, host: Sequence[str] = DEVHOST) -> int:
    """Run the service until SIGINT or SIGTERM: 0. Raises MemberError if a part of it ends on its own."""
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


def _supervise(stack: Stack, asked: Event) -> None:
    while not asked.wait(_LOOK_EVERY):
        ended = stack.first_ended()
        if ended is not None:
            raise ended.failure(
                f"{ended.name} ended on its own ({ended.ending}). The data is kept; start again."
            )


def _welcome(stack: Stack) -> str:
    url = stack.url
    places = {
        "API": f"{url}/v1.0",
        "Functions": f"{url}/admin/functions",
        "Host page": f"{url}/admin/devhost",
        "Clock": f"{url}/admin/devhost/clock",
        "Mails": f"{url}/admin/devhost/mail/view",
        "Mails as JSON": f"{url}/admin/devhost/mail",
        "Data": f"{stack.data.path}",
        "Logs": f"{stack.data.logs}",
        "Sign in": "python3 dev.py token --as rae@contoso.com",
    }
    lines = [f"  {name:<14} {place}" for name, place in places.items()]
    return "\n".join(["", "The service runs. Ctrl-C ends it.", *lines, "", f"Ready: {url}"])
