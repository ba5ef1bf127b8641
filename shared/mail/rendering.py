"""Rendering of mails: subject, plain text and HTML in one language (rules M5, M7).

Each language is a folder of `templates/`: `words.toml` (labels and date patterns), two layouts and a pair of
templates for each kind. A new folder adds a language; the code only names the fallback.

Names in the facts are untrusted input. Line breaks and characters that nobody sees are removed here; the templates
escape them, and right-to-left names are isolated from the surrounding text.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from shared.domain.messages import (
    REGISTRATION_MAILS,
    REVIEWER_MAILS,
    AnyFacts,
    CustomerFacts,
    CustomerOutcome,
    CustomerSummaryFacts,
    MailFacts,
    MailKind,
    OutcomeFact,
    PartnerMailKind,
    PersonFact,
    RegistrationFacts,
)
from shared.domain.vocabulary import NO_HELP
from shared.reference.names import names
from shared.visible_text import without_unseen

TEXT_WIDTH = 76
"""Columns of the plain text, so that quoting it in a reply stays within 80."""
SUBJECT_NAME_LENGTH = 80
"""The maximum length of a name in a subject; the body has the full name."""
MOST_OUTCOMES = 50
"""How many requests with one outcome a summary lists, so that it fits into its record; the others are counted."""

MOST_OF_A_TEAM = 5
"""How many people of a team a mail names; the others are counted."""

_TEMPLATES = Path(__file__).parent / "templates"
_FALLBACK = "en"
_LABEL_WIDTH = 18
_BREAKING = " \t\n\r\f\v"
_BREAKS = re.compile(rf"[{_BREAKING}]+")  # not the no-break space
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_FACTS_SHOWN: dict[PartnerMailKind, tuple[str, ...]] = {
    "invited": ("customer", "contact", "team", "value", "closing", "solutions", "help", "deadline"),
    "reminder": ("customer", "value", "closing", "solutions", "help", "deadline"),
    "accepted": ("customer", "team", "value", "closing", "solutions"),
    "declined": ("customer", "reason"),
    "expired": ("customer", "deadline_passed"),
    "withdrawn": ("customer",),
    "won": ("customer", "value", "closing"),
    "lost": ("customer", "reason"),
    "newMessages": ("customer",),
    "registrationEligible": ("customer", "value", "solutions"),
    "leadReceived": ("customer", "contact", "needs", "solutions", "deadline"),
    "hotLead": ("customer", "contact", "needs", "solutions", "deadline"),
    "leadReminder": ("customer", "contact", "needs", "solutions", "deadline"),
    **dict.fromkeys(REGISTRATION_MAILS, ("customer", "contract_value", "solution", "submitted")),
}
_OUTCOME_LABELS: dict[CustomerOutcome, str] = {
    "customerDeclined": "company_declined",
    "customerExpired": "company_expired",
}
_ASKS_FOR_CORRECTIONS: frozenset[PartnerMailKind] = frozenset({"actionRequired", "actionReminder"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMail:
    """A rendered mail: a subject of one line, a complete plain text, and the same content as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The labels, phrases and CLDR date patterns of a language. The names of codes are in `shared.reference`."""

    language: str
    date_pattern: str
    moment_pattern: str
    labels: dict[str, str]
    phrases: dict[str, str]


@dataclass(frozen=True, slots=True)
class FactRow:
    """One row of the table of facts; each value is on its own line."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction of one field of a registration: the field's display name, and the reviewer's sentence."""

    field: str
    sentence: str


def render(facts: AnyFacts, locale: str) -> RenderedMail:
    """Render a mail in the language for `locale` (BCP 47). The same facts always give the same bytes.

    Raises `KeyError` if the language has no name for a code or a field, `jinja2.UndefinedError` if a template uses an
    unknown fact, or a mail about a registration has none: no mail is better than an incomplete one.
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
    """The available language for a locale, or English (M5)."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in available_languages() else _FALLBACK


@cache
def available_languages() -> frozenset[str]:
    """The languages of the templates: the folders of `templates/`."""
    return frozenset(path.parent.name for path in _TEMPLATES.glob("*/words.toml"))


def one_line(value: str) -> str:
    """Untrusted text on one line, without characters that nobody sees."""
    return " ".join(without_unseen(value).split())


def isolated(value: str) -> str:
    """A right-to-left name in an isolate (UAX 9), so that it does not reorder the text around it."""
    is_right_to_left = any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in value)
    return f"\u2068{value}\u2069" if is_right_to_left else value


def person_name(first_name: str, last_name: str) -> str:
    """A person's name in the order of its script: in Hangul or Han, the family name comes first."""
    letters = [c for c in first_name + last_name if c.isalpha()]
    if letters and all(_is_east_asian(c) for c in letters):
        return f"{last_name}{first_name}"
    return f"{first_name} {last_name}".strip()


def wrapped(text: str, indent: str = "") -> str:
    """Wrap one paragraph of plain text; long words such as URLs are not broken."""
    lines: list[str] = []
    line = ""
    for word in _BREAKS.split(text.strip(_BREAKING)):
        longer = f"{line} {word}" if line else word
        if line and display_width(indent + longer) > TEXT_WIDTH:
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join(indent + each for each in (*lines, line))


def display_width(text: str) -> int:
    """The width of a text in columns: wide letters such as Hangul take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def columns(row: FactRow) -> str:
    """A fact in plain text: the label, and the values in a second column, each on its own line."""
    margin = " " * _LABEL_WIDTH
    lines = "\n".join(wrapped(isolated(value), margin) for value in row.values)
    label = f"{row.label}:"
    return label + " " * (_LABEL_WIDTH - display_width(label)) + lines.removeprefix(margin)


def list_item(correction: Correction) -> str:
    """A correction in plain text: a dash, the field's name and the sentence, with indented continuation lines."""
    margin = "  "
    text = wrapped(f"{correction.field}: {isolated(correction.sentence)}", margin)
    return "- " + text.removeprefix(margin)


def _subject(template: Template, values: dict[str, object]) -> str:
    block = template.blocks["subject"]
    return " ".join("".join(block(template.new_context(values))).split())


def _values(facts: AnyFacts, words: Words, show: Callable[[str], str]) -> dict[str, object]:
    """All variables of the templates. `show` formats a name for the output: subject, text or HTML."""
    match facts:
        case MailFacts():
            return _partner_values(facts, words, show)
        case CustomerFacts():
            return _customer_values(facts, words, show)
        case CustomerSummaryFacts():
            return _summary_values(facts, words)


def _partner_values(facts: MailFacts, words: Words, show: Callable[[str], str]) -> dict[str, object]:
    return {
        "language": words.language,
        "deal": show(one_line(facts.deal_name)),
        "customer": show(one_line(facts.customer_name)),
        "actor": show(one_line(facts.actor_organization)),
        "recipient": show(one_line(facts.recipient_organization)),
        "deadline": _moment(facts.expires_at, words),
        "rows": _rows(facts, words),
        "notes": _paragraphs(_notes(facts)),
        "from_microsoft": facts.from_microsoft,
        "never_notified": facts.never_notified,
        "last_reminder": facts.last_reminder,
        "reminder": facts.reminder,
        "link": facts.link,
        "corrections": _corrections(facts, words),
        **(_of_registration(facts.registration, words, show) if facts.registration else {}),
    }


def _customer_values(facts: CustomerFacts, words: Words, show: Callable[[str], str]) -> dict[str, object]:
    names_shown = tuple(one_line(name) for name in facts.alternatives)
    rows = (FactRow(words.labels["alternatives"], names_shown),) if names_shown else ()
    return {
        "language": words.language,
        "company": show(one_line(facts.fact.company)),
        "requested_on": _day(facts.fact.requested_on, words),
        "from_microsoft": facts.fact.from_microsoft,
        "alternatives": names_shown,
        "rows": rows,
        "notes": (),
        "corrections": (),
        "link": facts.link,
    }


def _summary_values(facts: CustomerSummaryFacts, words: Words) -> dict[str, object]:
    rows = (_outcome_row(outcome, facts.facts, words) for outcome in _OUTCOME_LABELS)
    return {
        "language": words.language,
        "companies": len({fact.company for fact in facts.facts}),
        "rows": tuple(row for row in rows if row.values),
        "notes": (),
        "corrections": (),
        "link": facts.link,
    }


def _outcome_row(outcome: CustomerOutcome, facts: Sequence[OutcomeFact], words: Words) -> FactRow:
    """The requests with one outcome, the oldest first; the number of those beyond `MOST_OUTCOMES`."""
    those = sorted({fact for fact in facts if fact.outcome == outcome}, key=_by_day_and_company)
    lines = [_outcome_line(fact, words) for fact in those[:MOST_OUTCOMES]]
    if len(those) > MOST_OUTCOMES:
        lines.append(words.phrases["others"].format(count=len(those) - MOST_OUTCOMES))
    return FactRow(words.labels[_OUTCOME_LABELS[outcome]], tuple(lines))


def _by_day_and_company(fact: OutcomeFact) -> tuple[date, str, bool]:
    return fact.requested_on, fact.company, fact.from_microsoft


def _outcome_line(fact: OutcomeFact, words: Words) -> str:
    """A line that begins with our own words: a name before them would decide in which direction it is read."""
    phrase = words.phrases["passed_on" if fact.from_microsoft else "requested"]
    return phrase.format(company=isolated(one_line(fact.company)), day=_day(fact.requested_on, words))


def _of_registration(
    registration: RegistrationFacts, words: Words, show: Callable[[str], str]
) -> dict[str, object]:
    return {
        "solution": show(one_line(registration.solution)),
        "submitted": _day(registration.submitted_on, words),
        "round": registration.round,
    }


def _notes(facts: MailFacts) -> str | None:
    """The notes to show: to the partner of a registration those of the reviewers (M7)."""
    if facts.registration and facts.kind in REGISTRATION_MAILS - REVIEWER_MAILS:
        return facts.registration.reason
    return None if facts.kind in REGISTRATION_MAILS else facts.notes


def _corrections(facts: MailFacts, words: Words) -> tuple[Correction, ...]:
    if facts.registration is None or facts.kind not in _ASKS_FOR_CORRECTIONS:
        return ()
    return tuple(
        Correction(names()["registrationFields"][target][words.language], one_line(sentence))
        for target, sentence in facts.registration.errors
    )


def _rows(facts: MailFacts, words: Words) -> tuple[FactRow, ...]:
    values = _fact_values(facts, words)
    names_shown = (name for name in _FACTS_SHOWN[facts.kind] if any(values[name]))
    return tuple(FactRow(words.labels[name], tuple(filter(None, values[name]))) for name in names_shown)


def _fact_values(facts: MailFacts, words: Words) -> dict[str, tuple[str | None, ...]]:
    deadline = _moment(facts.expires_at, words)
    registration = facts.registration
    return {
        "customer": (one_line(facts.customer_name), _country(facts.customer_country, words)),
        "value": (_money(facts, words),),
        "closing": (_day(facts.closing_date, words),),
        "solutions": tuple(one_line(solution) for solution in facts.solutions),
        "help": (
            _name("assistanceRequestCodes", facts.help_code, words) if facts.help_code != NO_HELP else None,
        ),
        "deadline": (deadline,),
        "deadline_passed": (deadline,),
        "team": _team(facts.team, words),
        "contact": tuple(line for person in facts.contacts for line in _contact(person)),
        "needs": tuple(one_line(need) for need in facts.needs),
        "reason": (_name("closingReasons", facts.reason, words),),
        "contract_value": (_money(facts, words),),
        "solution": (one_line(registration.solution) if registration else None,),
        "submitted": (_day(registration.submitted_on, words) if registration else None,),
    }


def _name(codes: str, code: str | None, words: Words) -> str | None:
    return names()[codes][code][words.language] if code else None


def _team(people: Sequence[PersonFact], words: Words) -> tuple[str, ...]:
    """The first people of a team, and the number of those beyond `MOST_OF_A_TEAM`."""
    lines = [line for person in people[:MOST_OF_A_TEAM] for line in _contact(person)]
    if len(people) > MOST_OF_A_TEAM:
        lines.append(words.phrases["other_people"].format(count=len(people) - MOST_OF_A_TEAM))
    return tuple(lines)


def _contact(person: PersonFact) -> tuple[str, ...]:
    name = person_name(person.first_name, person.last_name)
    return tuple(filter(None, map(one_line, (name, person.phone_number, person.email))))


def _country(code: str, words: Words) -> str:
    return str(Locale.parse(words.language).territories.get(code.upper(), one_line(code)))


def _money(facts: MailFacts, words: Words) -> str | None:
    """An amount with the currency code: a dollar sign would be ambiguous."""
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
    """Notes as paragraphs of lines, with the author's line breaks."""
    lines = [one_line(line) for line in (notes or "").splitlines()]
    paragraphs = "\n".join(lines).split("\n\n")
    return tuple(tuple(p.strip("\n").split("\n")) for p in paragraphs if p.strip("\n"))


def _is_east_asian(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("HANGUL", "CJK UNIFIED"))


def _in_subject(name: str) -> str:
    short = name if len(name) <= SUBJECT_NAME_LENGTH else name[: SUBJECT_NAME_LENGTH - 1].rstrip() + "…"
    return isolated(short)


def _in_html(name: str) -> Markup:
    return Markup('<bdi dir="auto">{}</bdi>').format(name)


def _template(words: Words, kind: MailKind, form: str) -> Template:
    return _environment().get_template(f"{words.language}/{kind}.{form}.j2")


@cache
def _words(language: str) -> Words:
    content = tomllib.loads((_TEMPLATES / language / "words.toml").read_text(encoding="utf-8"))
    return Words(language=language, **content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"wrapped": wrapped, "columns": columns, "list_item": list_item})
    return environment
