"""The command line of dev.py. Standard library only: it is parsed before any package is installed."""

import argparse
from pathlib import Path

from localcloud import PROJECT
from localcloud.platform.installed import DEPLOYED

DEFAULT_PORT = 7071
DEFAULT_MAIL_PORT = 7072
_FORWARDING = frozenset({"test", "bench", "check", "migrate"})


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options; `rest` has the arguments for the called program. Exits with code 2 on a mistake."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command not in _FORWARDING:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description="Run, test and inspect the referral service on this machine.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_service(commands)
    _add_checks(commands)
    _add_operations(commands)
    return parser


def _add_service(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run", help="start the service and keep it running until Ctrl-C", allow_abbrev=False
    )
    run.add_argument("--port", type=_port, default=DEFAULT_PORT, metavar="N", help="default: %(default)s")
    run.add_argument("--no-samples", action="store_true", help="do not load the sample world")
    _add_host(run)
    demo = commands.add_parser("demo", help="play the demo scenario against the service", allow_abbrev=False)
    demo.add_argument("--url", help="a running service; default: the one on the data directory")
    _add_host(demo)
    demo.add_argument(
        "--controls", metavar="URL", help="the base URL for the clock and the mails of that service"
    )
    mail = commands.add_parser(
        "mail", help="run the mail sink and the token issuer alone", allow_abbrev=False
    )
    mail.add_argument(
        "--port", type=_port, default=DEFAULT_MAIL_PORT, metavar="N", help="default: %(default)s"
    )
    mail.add_argument(
        "--mail-events-url", metavar="URL", help="where the function app receives delivery reports"
    )
    gallery = commands.add_parser(
        "gallery",
        help="send every kind of mail in every language to the running service's mail sink",
        allow_abbrev=False,
    )
    token = commands.add_parser(
        "token", help="print a bearer token of a sample person or application", allow_abbrev=False
    )
    token.add_argument(
        "--as",
        dest="caller",
        required=True,
        metavar="CALLER",
        help="a person's email, an application's name, or TENANT_ID/OBJECT_ID",
    )
    token.add_argument(
        "--application",
        action="store_true",
        help="TENANT_ID/OBJECT_ID is an application, which samples/world.json does not have",
    )
    for command in (run, demo, mail, gallery, token):
        _add_data(command)


def _add_checks(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    test = commands.add_parser(
        "test",
        help="run the tests, one worker a core (-n 0: none); further arguments go to pytest",
        add_help=False,
        allow_abbrev=False,
    )
    test.add_argument("--python", choices=(DEPLOYED,), help="run them on the Python version of production")
    commands.add_parser(
        "bench",
        help="run the benchmarks; further arguments go to the benchmarks",
        add_help=False,
        allow_abbrev=False,
    )
    commands.add_parser("lint", help="run ruff, mypy and import-linter", allow_abbrev=False)


def _add_operations(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser(
        "check",
        help="inspect the running service's records; further arguments go to the check",
        allow_abbrev=False,
    )
    _add_data(check)
    migrate = commands.add_parser(
        "migrate",
        help="bring the stored data of a stopped service to the version of this code; further arguments go to it",
        allow_abbrev=False,
    )
    _add_data(migrate)
    directory = commands.add_parser("directory", help="maintain organizations and people", allow_abbrev=False)
    actions = directory.add_subparsers(dest="action", required=True, metavar="ACTION")
    importing = actions.add_parser("import", help="import a directory file", allow_abbrev=False)
    importing.add_argument("file", type=_file, metavar="FILE")
    importing.add_argument("--dry-run", action="store_true", help="show what would change, change nothing")
    _add_data(importing)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        default=PROJECT / ".data",
        metavar="DIR",
        help="the data directory; default: %(default)s",
    )


def _add_host(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--host",
        choices=("devhost", "func"),
        help="the embedded host (default), or the Functions Core Tools with the real engine",
    )


def _port(text: str) -> int:
    if not (text.isdigit() and 0 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(
            f"{text} is not a port; give a number from 1 to 65535, or 0 for a free one"
        )
    return int(text)


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path
