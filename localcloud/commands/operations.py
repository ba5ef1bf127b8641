"""`dev.py check`, `directory`, `gallery` and `demo` run against a running service, `migrate` on a stopped one."""

import os
from argparse import Namespace
from collections.abc import Sequence

from localcloud.commands.serve import chosen_host
from localcloud.errors import NotRunningError
from localcloud.process.foreground import print_progress, run_module
from localcloud.process.locks import is_held
from localcloud.process.waiting import interruption
from localcloud.stack.data_directory import Addresses, DataDirectory
from localcloud.stack.environment import app_environment
from localcloud.stack.stack import Stack, storage_alone


def check(options: Namespace) -> int:
    """Check the records of the service that the environment configures, else of the running one."""
    if _is_configured():
        return run_module("shared.admin.check", options.rest)
    return _run_with_service("shared.admin.check", options.rest, options)


def migrate(options: Namespace) -> int:
    """Migrate the data of the service that the environment configures, else those of the data directory.

    Raises DataDirectoryBusyError while a service runs on the data directory, MemberError.
    """
    if _is_configured():
        return run_module("shared.admin.migrate", options.rest)
    if not options.data.is_dir():
        raise NotRunningError(f"There is no data directory {options.data}. Give the right one with --data.")
    # Nothing else runs on the directory, so there is no silence to wait for.
    with storage_alone(options.data, print_progress) as storage:
        environment = {**os.environ, "TABLES_CONNECTION_STRING": storage.connection_string}
        return run_module("shared.admin.migrate", ["--stopped", *options.rest], environment)


def directory(options: Namespace) -> int:
    """Import a directory file into the running service."""
    dry_run = ["--dry-run"] if options.dry_run else []
    return _run_with_service(
        "shared.admin.directory_import", [str(options.file.resolve()), *dry_run], options
    )


def gallery(options: Namespace) -> int:
    """Send every kind of mail in every language to the running service's mail sink."""
    return _run_with_service("samples.mail_gallery", [], options)


def demo(options: Namespace) -> int:
    """Play the demo against the given service, else the running one, else one that is started for the demo."""
    if options.url is not None:
        return _play(options.url, options.controls or options.url, DataDirectory(options.data.resolve()))
    data, running = _running(options)
    if running is not None:
        if options.host is not None:
            data.claim_for(options.host)
        return _play(running.url, running.controls, data)
    host = chosen_host(options.host)
    with (
        interruption() as interrupted,
        Stack(options.data, host=host, samples=True, report=print_progress, interrupted=interrupted) as stack,
    ):
        return _play(stack.url, stack.controls, stack.data)


def _play(url: str, controls: str, data: DataDirectory) -> int:
    return run_module("samples.demo", ["--url", url, "--controls", controls, "--data", str(data.path)])


def _is_configured() -> bool:
    return any(os.environ.get(name) for name in ("TABLES_ENDPOINT", "TABLES_CONNECTION_STRING"))


def _run_with_service(module: str, arguments: Sequence[str], options: Namespace) -> int:
    data, running = _running(options)
    if running is None:
        raise NotRunningError(
            f"No service runs on {data.path}. Start it with: python3 dev.py run --data {data.path}"
        )
    return run_module(module, arguments, app_environment(data, running, os.environ))


def _running(options: Namespace) -> tuple[DataDirectory, Addresses | None]:
    data = DataDirectory(options.data.resolve())
    return data, Addresses.read(data.addresses) if is_held(data.lock) else None
