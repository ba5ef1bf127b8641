"""The terminal output of the demo: steps, states before and after, mails with their virtual time."""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TextIO

from samples.demo.service import Mail

_WIDTH = 96
_BOLD, _DIM, _GREEN, _CYAN, _YELLOW = "1", "2", "32", "36", "33"
_NAME_WIDTH = 20
_STATE_WIDTH = 18
_NOTHING = "–"  # noqa: RUF001 - a dash for "no referral yet"


class Screen:
    """Writes in colour if the output is a terminal and `NO_COLOR` is not set (no-color.org)."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._steps = 0

    def title(self, text: str) -> None:
        """Print the title of a scene."""
        self._steps = 0
        self._line(self._paint(_BOLD, text))

    def step(self, what: str) -> None:
        """Print the headline of a step."""
        self._steps += 1
        self._line()
        self._line(self._paint(_BOLD, f"{self._steps:>2}  {what}"))

    def call(self, request: str, body: str = "") -> None:
        """Print a request, and a summary of its body."""
        self._line(f"    {self._paint(_CYAN, request)}")
        for line in textwrap.wrap(body, _WIDTH - 6):
            self._line(self._paint(_DIM, f"      {line}"))

    def states(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Print the state of each party, before and after."""
        self._line()
        for name, state in after.items():
            old = before.get(name, _NOTHING)
            row = f"    {name:<{_NAME_WIDTH}} {old:<{_STATE_WIDTH}} → {state}"
            self._line(self._paint(_GREEN, row) if old != state else self._paint(_DIM, row))

    def mails(self, mails: Sequence[Mail]) -> None:
        """Print the mails of a step: time, recipients, subject, and the first paragraph."""
        self._line()
        if not mails:
            self._line(self._paint(_DIM, "    No mail."))
        for mail in mails:
            self._line(
                f"    {self._paint(_YELLOW, 'Mail')}  {_virtual(mail.received)}  to {', '.join(mail.to)}"
            )
            self._line(f"          {self._paint(_BOLD, mail.subject)}")
            for line in mail.text.partition("\n\n")[0].splitlines():
                self._line(f"          {line}")

    def entry(self, moment: datetime, kind: str, actor: str) -> None:
        """Print an entry of a timeline."""
        self._line(f"      {_virtual(moment)}  {kind:<12} {actor}")

    def note(self, text: str) -> None:
        """Print a remark about a response."""
        for line in textwrap.wrap(text, _WIDTH - 6):
            self._line(f"      {line}")

    def time(self, now: datetime) -> None:
        """Print the virtual time."""
        self._line(self._paint(_DIM, f"    It is {_virtual(now)}."))

    def closing(self, *lines: str) -> None:
        """Print closing lines."""
        self._line()
        for line in lines:
            self._line(line)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)


def _virtual(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
