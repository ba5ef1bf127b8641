"""What the demo shows in the terminal: steps, states before and after, mails with their virtual time."""

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
    """Writes to a terminal in colour, elsewhere without; `NO_COLOR` turns colour off (no-color.org)."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        self._steps = 0

    def title(self, text: str) -> None:
        """Say what is going to be played."""
        self._steps = 0
        self._line(self._paint(_BOLD, text))

    def step(self, what: str) -> None:
        """Begin a step."""
        self._steps += 1
        self._line()
        self._line(self._paint(_BOLD, f"{self._steps:>2}  {what}"))

    def call(self, request: str, body: str = "") -> None:
        """Show a request, and what matters of its body."""
        self._line(f"    {self._paint(_CYAN, request)}")
        for line in textwrap.wrap(body, _WIDTH - 6):
            self._line(self._paint(_DIM, f"      {line}"))

    def states(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Show how far each party is, and from where it came if that changed."""
        self._line()
        for name, state in after.items():
            old = before.get(name, _NOTHING)
            row = f"    {name:<{_NAME_WIDTH}} {old:<{_STATE_WIDTH}} → {state}"
            self._line(self._paint(_GREEN, row) if old != state else self._paint(_DIM, row))

    def mails(self, mails: Sequence[Mail]) -> None:
        """Show the mails of a step: when, to whom, what about, and how each begins."""
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
        """Show one line of a timeline."""
        self._line(f"      {_virtual(moment)}  {kind:<12} {actor}")

    def note(self, text: str) -> None:
        """Say what an answer held."""
        for line in textwrap.wrap(text, _WIDTH - 6):
            self._line(f"      {line}")

    def time(self, now: datetime) -> None:
        """Tell the virtual time."""
        self._line(self._paint(_DIM, f"    It is {_virtual(now)}."))

    def closing(self, *lines: str) -> None:
        """Say what came of it, and where to look further."""
        self._line()
        for line in lines:
            self._line(line)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)


def _virtual(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
