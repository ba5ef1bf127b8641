"""Which mails someone asks for, in the JSON list and on the pages alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from localcloud.mail.messages import EmailMessage


@dataclass(frozen=True)
class Selection:
    """The mails to an address (any letter case), of a thread (its References), or both; None selects nothing away."""

    to: str | None = None
    thread: str | None = None

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> Self:
        """Return what `?to=` and `?thread=` ask for."""
        return cls(query.get("to"), query.get("thread"))

    @property
    def everything(self) -> bool:
        return self == Selection()

    def holds(self, message: EmailMessage) -> bool:
        return self._holds_readers(message) and self.thread in (None, message.thread)

    def query(self, **more: object) -> str:
        """Return `?to=…` and so on, with `more` behind; empty if there is nothing to ask for."""
        asked = {"to": self.to, "thread": self.thread, **more}
        given = {name: value for name, value in asked.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""

    def _holds_readers(self, message: EmailMessage) -> bool:
        if self.to is None:
            return True
        return self.to.casefold() in {box.address.casefold() for box in message.recipients.to}
