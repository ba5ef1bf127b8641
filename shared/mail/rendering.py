"""A message as a reader sees it: subject, plain text and HTML in one language (rules M5, M7).

Each language is a folder of `templates/`: `words.toml` (labels, the words for codes, date patterns), two layouts
and a pair of templates per kind. A new folder is a new language; nothing here names one but the fallback.

Names in the facts were typed by strangers. Here they lose line breaks, control characters and bidirectional
overrides; the templates escape them, and names written from right to left are isolated from the text around them.
"""

import textwrap
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from shared.domain.messages import MailFacts, MailKind
from shared.domain.vocabulary import NO_HELP

TEXT_WIDTH = 76
"""Columns of the plain text, so that a reply can quote it within 80."""
SUBJECT_NAME_LENGTH = 80
"""Characters of one name in a subject; the whole name stands in the body."""

_TEMPLATES = Path(__file__).parent / "templates"
_FALLBACK = "en"
_LABEL_WIDTH = 18
_INVISIBLE = frozenset({"Cc", "Cs"})
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_FACTS_SHOWN: dict[MailKind, tuple[str, ...]] = {
    "invited": ("customer", "value", "closing", "solutions", "help", "deadline"),
    "reminder": ("customer", "value", "closing", "solutions", "help", "deadline"),
    "accepted": ("customer", "value", "closing", "solutions"),
    "declined": ("customer", "reason"),
    "expired": ("customer", "deadline_passed"),
    "withdrawn": ("customer",),
    "won": ("customer", "value", "closing"),
    "lost": ("customer", "reason"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """One message: a subject of one line, a plain text that is complete in itself, and the same as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a language calls things. Keys are fact names and wire codes; patterns are those of CLDR."""

    language: str
    date_pattern: str
    moment_pattern: str
    labels: dict[str, str]
    reasons: dict[str, str]
    help: dict[str, str]


@dataclass(frozen=True, slots=True)
class FactRow:
    """One line of the table of facts; `values` are shown below each other."""

    label: str
    values: tuple[str, ...]


def render(facts: MailFacts, locale: str) -> RenderedMail:
    """Write a message in the language nearest to `locale` (BCP 47). The same facts give the same bytes.

    A code that the language has no word for raises KeyError, a template that asks for an unknown fact
    jinja2.UndefinedError: both are faults of the templates, and no message is better than a maimed one.
    """
    words = _words(resolve_locale(locale))
    text = _template(words, facts.kind, "txt")
    html = _template(words, facts.kind, "html")
    subject = _subject(text, _values(facts, words, _in_subject))
    return RenderedMail(
        subject=subject,
        text=text.render(_values(facts, words, isolated)).strip() + "\n",
        html=html.render(_values(facts, words, _in_html), subject=subject).strip() + "\n",
    )


def resolve_locale(locale: str) -> str:
    """Name the available language for a wished one: its own folder, or English (M5)."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in available_languages() else _FALLBACK


@cache
def available_languages() -> frozenset[str]:
    """Name the languages that messages are written in: the folders of `templates/`."""
    return frozenset(path.parent.name for path in _TEMPLATES.glob("*/words.toml"))


def one_line(value: str) -> str:
    """Make a stranger's text harmless in one line: no breaks, no control characters, no direction overrides."""
    visible = (c for c in value if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    return " ".join("".join(c for c in visible if c not in _BIDI_CONTROLS).split())


def isolated(value: str) -> str:
    """Keep a right-to-left name from reordering the plain text around it (UAX 9: first strong isolate)."""
    foreign = any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in value)
    return f"\u2068{value}\u2069" if foreign else value


def wrapped(text: str, indent: str = "") -> str:
    """Wrap one paragraph of plain text; addresses and other long words stay whole."""
    return textwrap.fill(
        text.strip(),
        TEXT_WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def columns(row: FactRow) -> str:
    """Set a fact in plain text: the label, and its values below each other in a second column."""
    margin = " " * _LABEL_WIDTH
    lines = "\n".join(wrapped(isolated(value), margin) for value in row.values)
    return f"{row.label + ':':<{_LABEL_WIDTH}}" + lines.removeprefix(margin)


def _subject(template: Template, values: dict[str, object]) -> str:
    block = template.blocks["subject"]
    return " ".join("".join(block(template.new_context(values))).split())


def _values(facts: MailFacts, words: Words, show: Callable[[str], str]) -> dict[str, object]:
    """Everything that a template may name. `show` makes a name fit for where it stands."""
    return {
        "language": words.language,
        "deal": show(one_line(facts.deal_name)),
        "customer": show(one_line(facts.customer_name)),
        "actor": show(one_line(facts.actor_organization)),
        "recipient": show(one_line(facts.recipient_organization)),
        "deadline": _moment(facts.expires_at, words),
        "days_left": facts.days_left,
        "rows": _rows(facts, words),
        "notes": _paragraphs(facts.notes),
        "link": facts.link,
    }


def _rows(facts: MailFacts, words: Words) -> tuple[FactRow, ...]:
    known = _known_facts(facts, words)
    shown = (name for name in _FACTS_SHOWN[facts.kind] if any(known[name]))
    return tuple(FactRow(words.labels[name], tuple(filter(None, known[name]))) for name in shown)


def _known_facts(facts: MailFacts, words: Words) -> dict[str, tuple[str | None, ...]]:
    deadline = _moment(facts.expires_at, words)
    return {
        "customer": (one_line(facts.customer_name), _country(facts.customer_country, words)),
        "value": (_money(facts, words),),
        "closing": (_day(facts.closing_date, words),),
        "solutions": tuple(one_line(solution) for solution in facts.solutions),
        "help": (words.help[facts.help_code] if facts.help_code not in {None, NO_HELP} else None,),
        "deadline": (deadline,),
        "deadline_passed": (deadline,),
        "reason": (words.reasons[facts.reason] if facts.reason else None,),
    }


def _country(code: str, words: Words) -> str:
    return str(Locale.parse(words.language).territories.get(code.upper(), one_line(code)))


def _money(facts: MailFacts, words: Words) -> str | None:
    """The currency as its code: a dollar sign would leave open whose dollars."""
    if facts.deal_value is None or facts.currency is None:
        return None
    return format_currency(facts.deal_value, facts.currency, "¤¤\xa0#,##0.00", locale=words.language)


def _day(day: date | None, words: Words) -> str | None:
    return format_date(day, words.date_pattern, locale=words.language) if day else None


def _moment(moment: datetime | None, words: Words) -> str | None:
    return (
        format_datetime(moment, words.moment_pattern, tzinfo=UTC, locale=words.language) if moment else None
    )


def _paragraphs(notes: str | None) -> tuple[tuple[str, ...], ...]:
    """Notes as their author broke them: paragraphs of lines."""
    lines = [one_line(line) for line in (notes or "").splitlines()]
    paragraphs = "\n".join(lines).split("\n\n")
    return tuple(tuple(p.strip("\n").split("\n")) for p in paragraphs if p.strip("\n"))


def _in_subject(name: str) -> str:
    short = name if len(name) <= SUBJECT_NAME_LENGTH else name[: SUBJECT_NAME_LENGTH - 1].rstrip() + "…"
    return isolated(short)


def _in_html(name: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(name)


def _template(words: Words, kind: MailKind, form: str) -> Template:
    return _environment().get_template(f"{words.language}/{kind}.{form}.j2")


@cache
def _words(language: str) -> Words:
    stated = tomllib.loads((_TEMPLATES / language / "words.toml").read_text(encoding="utf-8"))
    return Words(language=language, **stated)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"wrapped": wrapped, "columns": columns})
    return environment
