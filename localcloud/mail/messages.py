"""The body of a send request and its validation rules (Email REST API, 2025-09-01)."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

MOST_RECIPIENTS = 50
_LANGUAGE = re.compile(
    r"""<html\b[^>]*?\slang\s*=\s*(?P<quote>["']?)(?P<tag>[a-z0-9-]+)(?P=quote)(?=[\s/>])""", re.IGNORECASE
)


def _valid_address(text: str) -> str:
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"not an email address: {error}") from error
    return text


Address = Annotated[str, AfterValidator(_valid_address)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


class Mailbox(_Part):
    address: Address
    display_name: str | None = None


class Recipients(_Part):
    to: tuple[Mailbox, ...] = Field(min_length=1)
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()

    def everyone(self) -> tuple[Mailbox, ...]:
        return (*self.to, *self.cc, *self.bcc)

    @model_validator(mode="after")
    def _not_too_many(self) -> "Recipients":
        if len(self.everyone()) > MOST_RECIPIENTS:
            raise ValueError(f"at most {MOST_RECIPIENTS} recipients per message")
        return self


class Content(_Part):
    subject: str = Field(min_length=1)
    plain_text: str | None = None
    html: str | None = None

    @model_validator(mode="after")
    def _has_a_body(self) -> "Content":
        if not (self.plain_text or self.html):
            raise ValueError("plainText or html is required")
        return self


class Attachment(_Part):
    name: str
    content_type: str
    content_in_base64: str = Field(alias="contentInBase64")


class EmailMessage(_Part):
    """One message as the client posted it."""

    sender_address: Address
    recipients: Recipients
    content: Content
    reply_to: tuple[Mailbox, ...] = ()
    headers: dict[str, str] = {}
    attachments: tuple[Attachment, ...] = ()

    @property
    def thread(self) -> str | None:
        """The thread of the mail: the ids of its References header, separated by single spaces."""
        found = (value for name, value in self.headers.items() if name.casefold() == "references")
        return " ".join(next(found, "").split()) or None

    @property
    def language(self) -> str:
        """The `lang` of the HTML part's html element; empty if it has none."""
        stated = _LANGUAGE.search(self.content.html or "")
        return stated["tag"] if stated else ""

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True)
