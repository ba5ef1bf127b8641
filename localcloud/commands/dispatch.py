"""Maps subcommands to functions, and errors to exit codes."""

import signal
import sys
from argparse import Namespace
from collections.abc import Callable

from localcloud.commands import checks, operations, serve, token
from localcloud.errors import LocalCloudError, UnknownCallerError, UnusableDataError

_COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "run": serve.run,
    "test": checks.test,
    "lint": checks.lint,
    "bench": checks.bench,
    "demo": operations.demo,
    "gallery": operations.gallery,
    "check": operations.check,
    "migrate": operations.migrate,
    "directory": operations.directory,
    "token": token.token,
    "mail": serve.mail,
}


def dispatch(options: Namespace) -> int:
    """Run the subcommand and return the exit code: 2 for a mistake in the arguments, 1 for other failures."""
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (UnknownCallerError, UnusableDataError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
