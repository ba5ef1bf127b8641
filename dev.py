#!/usr/bin/env python3
"""The developers' command line.

python3 dev.py run | test | lint | demo | bench | token | mail | gallery | check | migrate | directory

It needs nothing but Python 3.11 or newer: it creates the virtual environment and continues inside it.
This file must also parse on older versions, to report the version that is needed.
"""

import os
import sys


def main() -> int:
    """Run a subcommand and return the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this message is for older versions
        sys.stderr.write("dev.py needs Python 3.11 or newer; this is %d.%d.\n" % sys.version_info[:2])  # noqa: UP031
        return 2
    if os.name != "posix":
        sys.stderr.write("dev.py runs on Linux and macOS; on Windows use the Windows Subsystem for Linux.\n")
        return 2
    return _run()


def _run() -> int:
    from localcloud.commands.bootstrap import enter_environment  # noqa: PLC0415 - does not parse on older versions
    from localcloud.commands.parser import parse  # noqa: PLC0415
    from localcloud.errors import InstallError  # noqa: PLC0415

    options = parse(sys.argv[1:])
    try:
        enter_environment(on_deployed=bool(getattr(options, "python", None)))
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    from localcloud.commands.dispatch import dispatch  # noqa: PLC0415 - needs packages of the virtual environment

    return dispatch(options)


if __name__ == "__main__":
    sys.exit(main())
