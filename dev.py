#!/usr/bin/env python3
"""The one entry for people: python3 dev.py run | test | lint | demo | bench | token | mail | check | directory.

Needs Python 3.11 or newer and nothing else: it makes the virtual environment and continues inside it.
Older versions must still be able to read this file, to be told so.
"""

import os
import sys


def main() -> int:
    """Run a subcommand and return the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the sentence is for those who have an older one
        sys.stderr.write("dev.py needs Python 3.11 or newer; this is %d.%d.\n" % sys.version_info[:2])  # noqa: UP031
        return 2
    if os.name != "posix":
        sys.stderr.write("dev.py runs on Linux and macOS; on Windows use the Windows Subsystem for Linux.\n")
        return 2
    return _run()


def _run() -> int:
    from localcloud.commands.bootstrap import enter_environment  # noqa: PLC0415 - newer Pythons only, from here on
    from localcloud.commands.parser import parse  # noqa: PLC0415
    from localcloud.errors import InstallError  # noqa: PLC0415

    options = parse(sys.argv[1:])
    try:
        enter_environment(on_deployed=bool(getattr(options, "python", None)))
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    from localcloud.commands.dispatch import dispatch  # noqa: PLC0415 - its packages are installed only now

    return dispatch(options)


if __name__ == "__main__":
    sys.exit(main())
