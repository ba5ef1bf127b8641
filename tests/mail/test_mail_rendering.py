"""What readers get: every kind of mail, whole with few facts, harmless with hostile ones (rules M5, M7)."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from samples.world import load
from shared.domain.messages import (
    CUSTOMER_OUTCOMES,
    LEAD_MAILS,
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
from shared.domain.registration_rules import FIELDS
from shared.domain.vocabulary import CLOSING_REASONS, HELP_CODES, NO_HELP
from shared.mail.rendering import (
    MOST_OUTCOMES,
    TEXT_WIDTH,
    RenderedMail,
    available_languages,
    display_width,
    person_name,
    render,
    resolve_locale,
)
from shared.reference.names import names

KINDS: tuple[PartnerMailKind, ...] = get_args(PartnerMailKind)
ALL_KINDS: tuple[MailKind, ...] = get_args(MailKind)
OF_DEALS = [kind for kind in KINDS if kind not in LEAD_MAILS | REGISTRATION_MAILS]
WITH_NOTES = [*OF_DEALS, *sorted(LEAD_MAILS)]
OF_CORRECTIONS: tuple[MailKind, ...] = ("actionRequired", "actionReminder")
LANGUAGES = ("en-US", "ko-KR")
TODAY = date(2026, 11, 20)
LINK = "https://portal.example.com/referrals/0190c9a2-7b7e-7cc0-9d4e-000000000001?tab=in&from=mail"
WORLD = load()
ORGANIZATIONS = {each["id"]: each["name"] for each in WORLD["organizations"]}
SOLUTIONS = {each["id"]: each["name"] for each in WORLD["solutions"]}
CUSTOMER = WORLD["customers"][0]

FACTS = MailFacts(
    kind="invited",
    deal_name="ERP renewal 2026",
    customer_name=CUSTOMER["name"],
    customer_country=CUSTOMER["address"]["country"],
    actor_organization=ORGANIZATIONS["contoso"],
    recipient_organization=ORGANIZATIONS["fabrikam"],
    deal_value=Decimal("250000.5"),
    currency="USD",
    closing_date=date(2027, 3, 31),
    expires_at=datetime(2026, 12, 5, 9, 0, tzinfo=UTC),
    reason="ChoseAnotherVendor",
    notes="Two lines\nof a paragraph.\n\nAnd another one.",
    solutions=(SOLUTIONS["SOL-CONTOSO-ERP"], SOLUTIONS["SOL-FABRIKAM-IOT"]),
    help_code="ProofOfConceptOrDemo",
    team=(
        PersonFact(first_name="Kim", last_name="Han", phone_number="", email="kim@fabrikam.com"),
        *(
            PersonFact(first_name="Lee", last_name="Ho", phone_number="", email=f"lee{number}@fabrikam.com")
            for number in range(6)
        ),
    ),
    contacts=(
        PersonFact(
            first_name="하나", last_name="서", phone_number="+82-2-000-0199", email="hana@relecloud.com"
        ),
        PersonFact(first_name="Cara", last_name="Cole", phone_number="", email="cara@relecloud.com"),
    ),
    needs=("Manufacturing", "Azure"),
    registration=RegistrationFacts(
        solution=SOLUTIONS["SOL-CONTOSO-CRM"],
        submitted_on=TODAY,
        reason="The contract was signed\nbefore the deal.\n\nIt cannot be registered.",
        errors=(
            ("/contract/value", "The contract says 240,000."),
            ("/customer/city", "The city is missing."),
        ),
    ),
    link=LINK,
)
BARE = MailFacts(
    kind="invited",
    deal_name="ERP renewal 2026",
    customer_name="Relecloud",
    customer_country="US",
    actor_organization="Contoso",
    recipient_organization="Fabrikam",
    registration=RegistrationFacts(solution="Contoso CRM"),
    link=LINK,
)
DECLINED = OutcomeFact(
    outcome="customerDeclined", company=ORGANIZATIONS["contoso"], requested_on=date(2026, 11, 30)
)
EXPIRED = replace(DECLINED, outcome="customerExpired", company=ORGANIZATIONS["fabrikam"])
TO_CUSTOMER = CustomerFacts(fact=DECLINED, alternatives=("Litware", "Tailspin Toys"))
SUMMARY = CustomerSummaryFacts(facts=(DECLINED, EXPIRED, replace(EXPIRED, requested_on=date(2026, 11, 29))))
SAYS = {
    "invited": "invites",
    "reminder": "reminder",
    "accepted": "accepted",
    "declined": "declined",
    "expired": "did not answer",
    "withdrawn": "withdrew",
    "won": "won",
    "lost": "lost",
    "newMessages": "wrote",
    "registrationEligible": "register",
    "leadReceived": "new request",
    "hotLead": "now",
    "leadReminder": "reminder",
    "registrationSubmitted": "review",
    "registrationEscalated": "waiting for a decision",
    "actionRequired": "action required",
    "actionReminder": "reminder",
    "registrationApproved": "approved",
    "registrationRejected": "rejected",
}
"""What a reader must see in the subject alone."""
SHOWN = {  # beside the names and the notes
    "invited": {"contact", "team", "value", "closing", "solutions", "help", "deadline"},
    "reminder": {"value", "closing", "solutions", "help", "deadline"},
    "accepted": {"value", "closing", "solutions", "team"},
    "declined": {"reason"},
    "expired": {"deadline"},
    "withdrawn": set(),
    "won": {"value", "closing"},
    "lost": {"reason"},
    "newMessages": set(),
    "registrationEligible": {"value", "solutions"},
    "leadReceived": {"contact", "needs", "solutions", "deadline"},
    "hotLead": {"contact", "needs", "solutions", "deadline"},
    "leadReminder": {"contact", "needs", "solutions", "deadline"},
    "registrationSubmitted": {"value", "solution", "submitted"},
    "registrationEscalated": {"value", "solution", "submitted"},
    "actionRequired": {"value", "solution", "submitted", "field", "error", "words"},
    "actionReminder": {"value", "solution", "submitted", "field", "error", "words"},
    "registrationApproved": {"value", "solution", "submitted", "words"},
    "registrationRejected": {"value", "solution", "submitted", "words"},
}
AS_WORDS = {
    "value": "USD\xa0250,000.50",
    "closing": "March 31, 2027",
    "solutions": "Fabrikam IoT Platform",
    "help": "Proof of concept or demo",
    "deadline": "December 5, 2026 at 09:00 UTC",
    "reason": "The customer chose another vendor",
    "contact": "cara@relecloud.com",
    "team": "kim@fabrikam.com",
    "needs": "Manufacturing",
    "solution": "Contoso CRM",
    "submitted": "November 20, 2026",
    "field": "Customer's city",
    "error": "The contract says 240,000.",
    "words": "It cannot be registered.",
}
NAMED = dict.fromkeys(
    OF_DEALS, ("Contoso", "Fabrikam", "ERP renewal 2026", "Adventure Works", "United States")
)
NAMED |= dict.fromkeys(LEAD_MAILS, ("Fabrikam", "ERP renewal 2026", "Adventure Works", "United States"))
NAMED |= dict.fromkeys(
    REGISTRATION_MAILS, ("Fabrikam", "ERP renewal 2026", "Adventure Works", "United States")
)
NAMED |= dict.fromkeys(REVIEWER_MAILS, ("Contoso", "ERP renewal 2026", "Adventure Works", "United States"))
SECTIONS = Counter([*WITH_NOTES, *OF_CORRECTIONS, *(REGISTRATION_MAILS - REVIEWER_MAILS)])
VOID = frozenset({"meta", "br"})


class Page(HTMLParser):
    """The elements of a mail in order, its links, and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return flat("".join(self.words))

    def attributes(self, name: str) -> Iterator[str]:
        return (attributes[name] or "" for _, attributes in self.elements if name in attributes)


def mail(facts: MailFacts = FACTS, **changes: object) -> RenderedMail:
    return render(replace(facts, **changes), "en-US")


def facts_of(kind: MailKind) -> AnyFacts:
    """The facts of any kind of mail."""
    match kind:
        case "customerDeclined" | "customerExpired":
            return replace(TO_CUSTOMER, fact=replace(DECLINED, outcome=kind))
        case "customerSummary":
            return SUMMARY
        case _:
            return replace(FACTS, kind=kind)


def test_an_acceptance_names_the_first_of_the_team_and_counts_the_others() -> None:
    """L2, M2: so the mail stays short, whatever the team."""
    text = mail(kind="accepted").text
    assert "Kim Han" in text
    assert "lee3@fabrikam.com" in text
    assert "lee4@fabrikam.com" not in text
    assert "and 2 more" in text
    assert "more" not in mail(kind="accepted", team=FACTS.team[:5]).text


def flat(text: str) -> str:
    """The words of a text, however it is wrapped; what cannot wrap stays whole."""
    return " ".join(text.replace("\n> ", "\n").split(" ")).replace("\n", " ")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_in_its_subject_what_happened_to_which_deal(kind: MailKind) -> None:
    subject = mail(kind=kind).subject
    assert "“ERP renewal 2026”" in subject
    assert SAYS[kind] in subject.casefold()


@pytest.mark.parametrize(
    "kind", sorted({*KINDS} - (REGISTRATION_MAILS - REVIEWER_MAILS) - {"registrationEligible"})
)
def test_every_kind_says_in_its_subject_who_did_it(kind: MailKind) -> None:
    """But for those about the reader's own registration, which Microsoft alone decides."""
    who = "Adventure Works" if kind in LEAD_MAILS else "Contoso"
    assert who in mail(kind=kind).subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_kinds_have_the_same_subject(language: str) -> None:
    subjects = {render(facts_of(kind), language).subject for kind in ALL_KINDS}
    assert len(subjects) == len(ALL_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_name_the_parties_the_deal_and_the_customer(kind: MailKind) -> None:
    message = mail(kind=kind)
    for part in (flat(message.text), Page(message.html).text):
        for name in NAMED[kind]:
            assert name in part


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_show_the_facts_that_belong_to_the_kind_and_no_others(kind: MailKind) -> None:
    message = mail(kind=kind)
    for part in (flat(message.text), Page(message.html).text):
        assert {fact for fact, words in AS_WORDS.items() if words in part} == SHOWN[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_hold_the_link(kind: MailKind) -> None:
    message = mail(kind=kind)
    assert f"\n{LINK}\n" in message.text
    assert list(Page(message.html).attributes("href")) == [LINK]


@pytest.mark.parametrize("kind", WITH_NOTES)
def test_both_parts_hold_the_notes(kind: MailKind) -> None:
    message = mail(kind=kind)
    headings = {**dict.fromkeys(LEAD_MAILS, "What the customer writes"), "newMessages": "The latest messages"}
    heading = headings.get(kind, "Notes from Contoso")
    assert f"{heading}:\n> Two lines\n> of a paragraph.\n>\n> And another one.\n" in message.text
    assert "Two lines<br>of a paragraph.</p>" in message.html


@pytest.mark.parametrize("kind", sorted(REGISTRATION_MAILS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_of_a_registration_has_none_of_the_deals_notes(kind: MailKind, language: str) -> None:
    """M7: a deal's notes were not written for the reviewers, and the partner knows its own."""
    message = render(replace(FACTS, kind=kind), language)
    for part in (message.text, message.html):
        assert "Two lines" not in part


@pytest.mark.parametrize("kind", sorted(REGISTRATION_MAILS - REVIEWER_MAILS))
def test_what_reviewers_wrote_to_a_decision_is_told_with_it(kind: MailKind) -> None:
    message, heading = mail(kind=kind), "Reason" if kind == "registrationRejected" else "Notes from Contoso"
    assert f"\n{heading}:\n> The contract was signed\n> before the deal.\n" in message.text
    assert FACTS.registration
    silent = replace(FACTS, registration=replace(FACTS.registration, reason=None))
    assert heading not in Page(mail(silent, kind=kind).html).text


def test_a_rejection_holds_the_reviewers_reason() -> None:
    message = mail(kind="registrationRejected")
    reason = "Reason:\n> The contract was signed\n> before the deal.\n>\n> It cannot be registered.\n"
    assert reason in message.text
    assert "The contract was signed<br>before the deal.</p>" in message.html
    assert "사유:\n> The contract" in render(replace(FACTS, kind="registrationRejected"), "ko").text


@pytest.mark.parametrize("kind", OF_CORRECTIONS)
def test_corrections_are_listed_with_the_names_of_their_fields(kind: MailKind) -> None:
    message = mail(kind=kind)
    listed = "- Contract value: The contract says 240,000.\n- Customer's city: The city is missing.\n"
    assert f"\n\nWhat to correct:\n{listed}\n" in message.text
    page = Page(message.html)
    assert [tag for tag, _ in page.elements].count("li") == 2
    assert "Contract value The contract says 240,000." in " ".join(page.text.split())


@pytest.mark.parametrize("target", FIELDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_that_is_to_be_corrected_is_named_in_words(target: str, language: str) -> None:
    asked = RegistrationFacts(solution="Contoso CRM", errors=((target, "Look again."),))
    message = render(replace(FACTS, kind="actionRequired", registration=asked), language)
    name = names()["registrationFields"][target][language[:2]]
    for part in (flat(message.text), Page(message.html).text):
        assert name in " ".join(part.split())
        assert target not in part.replace(LINK, "")


def test_an_unknown_field_is_an_error_and_not_a_mail() -> None:
    asked = RegistrationFacts(solution="Contoso CRM", errors=(("/contract/colour", "Blue."),))
    with pytest.raises(KeyError, match="colour"):
        mail(kind="actionRequired", registration=asked)


@pytest.mark.parametrize("kind", sorted(REGISTRATION_MAILS))
def test_a_mail_of_a_registration_without_one_is_an_error_and_not_a_mail(kind: MailKind) -> None:
    with pytest.raises(UndefinedError):
        mail(kind=kind, registration=None)


@pytest.mark.parametrize("kind", OF_CORRECTIONS)
def test_a_sentence_of_a_correction_stays_in_its_line_and_its_direction(kind: MailKind) -> None:
    sentence = "First\r\nBcc: everybody@example.com\u202e\u2028- Contract term: forged\x00"
    asked = RegistrationFacts(
        solution="Contoso CRM", errors=(("/contract/value", sentence), ("/contract/term", "خطأ في المدة"))
    )
    message = mail(kind=kind, registration=asked)
    told = "First Bcc: everybody@example.com - Contract term: forged"
    assert f"- Contract value: {told}" in flat(message.text).replace("  ", " ")
    assert "\nBcc:" not in message.text
    assert "\u202e" not in message.text + message.html
    assert "- Contract term: \u2068خطأ في المدة\u2069\n" in message.text
    assert '<bdi dir="auto">خطأ في المدة</bdi>' in message.html


def test_the_lead_of_the_reviewers_is_told_since_when_a_decision_is_missing() -> None:
    message = mail(kind="registrationEscalated")
    for part in (flat(message.text), Page(message.html).text):
        assert "has waited for a decision since November 20, 2026" in part


def test_a_registration_that_is_handed_in_again_says_so() -> None:
    again = RegistrationFacts(solution="Contoso CRM", round=2)
    message = mail(kind="registrationSubmitted", registration=again)
    assert "resubmitted" in message.subject
    assert "Round 2" in message.html
    assert "corrected" in message.text
    korean = render(replace(FACTS, kind="registrationSubmitted", registration=again), "ko")
    assert "다시 제출했습니다" in korean.subject
    assert "2차" in korean.html


@pytest.mark.parametrize("kind", sorted(REGISTRATION_MAILS))
def test_only_the_reviewers_are_told_that_they_review_registrations(kind: MailKind) -> None:
    for part in (flat(mail(kind=kind).text), Page(mail(kind=kind).html).text):
        assert ("because you review deal registrations" in part) == (kind in REVIEWER_MAILS)
        assert ("because you work on co-sell referrals" in part) == (kind not in REVIEWER_MAILS)
        assert ("partner administrator" in part) == (kind not in REVIEWER_MAILS)


@pytest.mark.parametrize("outcome", sorted(CUSTOMER_OUTCOMES))
@pytest.mark.parametrize(("language", "day"), [("en", "November 30, 2026"), ("ko", "2026년 11월 30일")])
def test_a_customer_reads_what_became_of_which_request_at_which_company(
    outcome: CustomerOutcome, language: str, day: str
) -> None:
    message = render(facts_of(outcome), language)
    for part in (message.subject, flat(message.text), Page(message.html).text):
        assert day in part
        assert "Contoso" in part
    for part in (flat(message.text), Page(message.html).text):
        assert "Tailspin Toys" in part
    assert list(Page(message.html).attributes("href")) == []


def test_the_subjects_of_customers_mails_say_it_all() -> None:
    assert render(facts_of("customerDeclined"), "en").subject == (
        "Your request of November 30, 2026: Contoso cannot take it up"
    )
    assert render(facts_of("customerExpired"), "en").subject == (
        "Your request of November 30, 2026: Contoso has not answered"
    )
    assert (
        render(facts_of("customerSummary"), "en").subject
        == "Summary: 2 companies will not be in touch with you"
    )
    assert (
        render(replace(SUMMARY, facts=(DECLINED,)), "en").subject
        == "Summary: 1 company will not be in touch with you"
    )


def test_a_customers_mail_has_no_place_for_what_anybody_typed_m7() -> None:
    """Who submits a request names the addresses, so whatever is typed would reach any mailbox."""
    told = {field.name for each in (CustomerFacts, CustomerSummaryFacts) for field in fields(each)}
    assert told == {"fact", "facts", "alternatives", "link"}
    assert {field.name for field in fields(OutcomeFact)} == {
        "outcome",
        "company",
        "requested_on",
        "from_microsoft",
    }


@pytest.mark.parametrize("kind", ["customerDeclined", "customerExpired", "customerSummary"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_customers_mail_has_room_for_a_link_of_its_own(kind: MailKind, language: str) -> None:
    facts = facts_of(kind)
    assert not isinstance(facts, MailFacts)
    message = render(replace(facts, link=LINK), language)
    assert f"\n{LINK}\n" in message.text
    assert list(Page(message.html).attributes("href")) == [LINK]


def test_a_summary_lists_each_request_with_its_day_once() -> None:
    text = render(replace(SUMMARY, facts=(*SUMMARY.facts, DECLINED)), "en").text
    assert "Declined:         Your request of November 30, 2026: Contoso\n" in text
    assert text.count("Your request of November 30, 2026: Contoso") == 1
    unanswered = text.partition("Not answered:")[2]
    assert unanswered.index("November 29, 2026") < unanswered.index("November 30, 2026")
    passed_on = render(replace(SUMMARY, facts=(replace(DECLINED, from_microsoft=True),)), "en").text
    assert "Passed on by Microsoft on November 30, 2026: Contoso" in passed_on


@pytest.mark.parametrize(("language", "rest"), [("en", "and 9950 more"), ("ko", "외 9950건")])
def test_a_summary_of_very_many_lists_some_and_counts_the_others(language: str, rest: str) -> None:
    """So that it always fits into its record."""
    many = tuple(
        replace(fact, company=f"{number} {'가' * 250}")
        for number in range(MOST_OUTCOMES + 9950)
        for fact in (DECLINED, EXPIRED)
    )
    message = render(CustomerSummaryFacts(facts=many), language)
    assert len(f"{message.subject}{message.text}{message.html}".encode()) < 200_000
    for part in (flat(message.text), Page(message.html).text):
        assert part.count(rest) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_is_whole_without_the_optional_facts(kind: MailKind, language: str) -> None:
    message = render(replace(BARE, kind=kind), language)
    page = Page(message.html)
    for part in (message.text, page.text):
        assert "None" not in part
        assert "Notes" not in part
        assert "Relecloud" in part
    facts = 2 if kind in REGISTRATION_MAILS else 1
    assert [tag for tag, _ in page.elements].count("th") == facts
    assert "h2" not in [tag for tag, _ in page.elements]
    assert "\n\n\n" not in message.text


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_the_same_facts_give_the_same_bytes(kind: MailKind) -> None:
    assert render(facts_of(kind), "en") == render(facts_of(kind), "en")


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_html_is_accessible_dark_when_wished_and_loads_nothing(kind: MailKind, language: str) -> None:
    html = render(facts_of(kind), language).html
    page = Page(html)
    assert page.open == []
    assert page.elements[0] == ("html", {"lang": language[:2], "dir": "ltr"})
    headings = ["h1", *["h2"] * SECTIONS[kind]]
    assert [tag for tag, _ in page.elements if tag in {"h1", "h2"}] == headings
    assert all(attributes["scope"] == "row" for tag, attributes in page.elements if tag == "th")
    assert {"name": "color-scheme", "content": "light dark"} in [
        attributes for _, attributes in page.elements
    ]
    assert "prefers-color-scheme: dark" in html
    assert not {"img", "script", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert "url(" not in html


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_plain_text_is_wrapped_and_keeps_the_link_whole(kind: MailKind, language: str) -> None:
    many = "many words 많은 낱말 " * 60
    told = RegistrationFacts(
        solution=many, reason=many, errors=tuple((target, many) for target in FIELDS), submitted_on=TODAY
    )
    text = render(replace(FACTS, kind=kind, notes=many, registration=told), language).text
    assert [line for line in text.splitlines() if display_width(line) > TEXT_WIDTH and line != LINK] == []


def test_an_address_in_the_notes_stays_whole() -> None:
    address = "https://example.com/" + "path-" * 30
    assert f"\n> {address}\n" in mail(notes=f"Read this: {address}").text


@pytest.mark.parametrize("kind", KINDS)
def test_markup_in_names_and_notes_is_shown_and_not_obeyed(kind: MailKind) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    page = Page(
        mail(
            kind=kind,
            deal_name=hostile,
            customer_name=hostile,
            actor_organization=hostile,
            recipient_organization=hostile,
            solutions=(hostile,),
            notes=hostile,
            registration=RegistrationFacts(
                solution=hostile, reason=hostile, errors=(("/contract/value", hostile),)
            ),
        ).html
    )
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert list(page.attributes("onerror")) == []
    assert hostile in page.text
    assert hostile in mail(kind=kind, deal_name=hostile).subject


@pytest.mark.parametrize("template", ["{{ 7 * 7 }}", "{% include 'layout.txt.j2' %}", "%(deal)s", "{deal}"])
def test_a_name_is_never_read_as_a_template(template: str) -> None:
    message = mail(deal_name=template)
    assert template in message.subject
    assert template in flat(message.text)


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\x1e"])
def test_a_line_break_in_a_name_reaches_neither_the_subject_nor_the_text(line_break: str) -> None:
    message = mail(
        deal_name=f"Deal{line_break}Bcc: everybody@example.com", actor_organization=f"Con{line_break}toso"
    )
    assert "Con toso invites you to the deal “Deal Bcc: everybody@example.com”" in message.subject
    assert "\nBcc:" not in message.text.replace(line_break, "\n")
    assert len(message.subject.splitlines()) == 1


def test_very_long_names_are_shortened_in_the_subject_and_whole_in_the_body() -> None:
    name = "W" * 255
    message = mail(deal_name=name, actor_organization=name)
    assert len(message.subject) < 200
    assert "W…”" in message.subject
    assert name in message.text
    assert name in Page(message.html).text


def test_right_to_left_names_are_isolated_from_the_sentence() -> None:
    message = mail(customer_name="شركة الأمل", actor_organization="חברת דוגמה")
    assert message.subject.startswith("\u2068חברת דוגמה\u2069 invites")
    assert "\u2068شركة الأمل\u2069" in message.text
    assert '<bdi dir="auto">شركة الأمل</bdi>' in message.html


def test_left_to_right_names_carry_no_invisible_characters() -> None:
    message = mail()
    assert message.subject.isprintable()
    assert "\u2068" not in message.text


@pytest.mark.parametrize(
    "control",
    [
        *(
            "\u202e",
            "\u202a",
            "\u2067",
            "\u200f",
            "\u061c",
            "\x00",
            "\x1b",
            "\x08",
            "\ud800",
            "\ue000",
            "\ufeff",
        ),
        *("\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\u2064", "\ufff9", "\U000e0041", "\ufe0f"),
        *("\u034f", "\u115f", "\u1160", "\u17b4", "\u180e", "\u2800", "\u3164", "\uffa0", "\U000e0fff"),
    ],
)
def test_characters_that_nobody_sees_are_dropped(control: str) -> None:
    message = mail(deal_name=f"ERP{control}fdp.exe", notes=f"see{control}this")
    for part in (message.subject, message.text, message.html):
        assert control not in part
    assert "ERPfdp.exe" in message.subject
    assert "> seethis" in message.text


def test_letters_of_any_script_survive() -> None:
    name = "계약 갱신 Überprüfung नमस्ते 👩‍🔧 క్‌ష می‌خواهم 葛󠄀城 ❤️ 1️⃣ e\u0301"
    message = mail(deal_name=name)
    assert name in message.subject
    assert name in Page(message.html).text


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        (Decimal("999999999999.99"), "USD", "USD\xa0999,999,999,999.99"),
        (Decimal("0.01"), "EUR", "EUR\xa00.01"),
        (Decimal(1500000), "KRW", "KRW\xa01,500,000"),
        (Decimal("12.345"), "BHD", "BHD\xa012.345"),
        (Decimal(10), "AUD", "AUD\xa010.00"),
    ],
)
def test_money_names_its_currency_and_has_the_currencys_own_decimals(
    value: Decimal, currency: str, shown: str
) -> None:
    message = mail(deal_value=value, currency=currency)
    for part in (message.text, message.html):
        assert re.search(rf"{re.escape(shown)}(?![\d.,])", part)


def test_times_are_told_in_utc_whatever_zone_they_come_in() -> None:
    seoul = timezone(timedelta(hours=9))
    assert "December 5, 2026 at 09:00 UTC" in flat(
        mail(expires_at=datetime(2026, 12, 5, 18, 0, tzinfo=seoul)).text
    )


@pytest.mark.parametrize("kind", ["reminder", "leadReminder"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reminder_tells_the_deadline_and_counts_no_days(kind: MailKind, language: str) -> None:
    """M3: the mail may go out long after it was written, when the mail service is back."""
    message = render(replace(FACTS, kind=kind), language)
    deadline = {"en-US": "December 5, 2026 at 09:00 UTC", "ko-KR": "2026년 12월 5일 오전 9:00 (UTC)"}[
        language
    ]
    for part in (flat(message.text), Page(message.html).text):
        assert part.count(deadline) == 2
    for part in (message.subject, message.text, Page(message.html).text):
        assert not re.search(r"\bleft\b|남음", part)


@pytest.mark.parametrize("kind", ["reminder", "leadReminder"])
@pytest.mark.parametrize(
    ("language", "label", "sentence"),
    [
        ("en-US", "Last reminder", "This is the last reminder."),
        ("ko-KR", "마지막 알림", "이번이 마지막 알림입니다."),
    ],
)
def test_the_last_reminder_says_that_it_is_the_last(
    kind: MailKind, language: str, label: str, sentence: str
) -> None:
    """M3: in the subject, in the text and in HTML; an earlier one does not."""
    last = render(replace(FACTS, kind=kind, last_reminder=True), language)
    earlier = render(replace(FACTS, kind=kind), language)
    assert last.subject.startswith(f"{label}: ")
    assert label not in earlier.subject
    assert label in Page(last.html).text
    for part, other in (
        (flat(last.text), flat(earlier.text)),
        (Page(last.html).text, Page(earlier.html).text),
    ):
        assert sentence in part
        assert sentence not in other


@pytest.mark.parametrize("code", CLOSING_REASONS)
@pytest.mark.parametrize("kind", ["declined", "lost"])
def test_every_reason_is_shown_as_words(code: str, kind: MailKind) -> None:
    message = mail(kind=kind, reason=code, notes=None)
    for part in (flat(message.text), Page(message.html).text):
        assert names()["closingReasons"][code]["en"] in part
        assert code not in part or code == "Other"


@pytest.mark.parametrize("code", [code for code in HELP_CODES if code != NO_HELP])
def test_every_kind_of_help_is_shown_as_words(code: str) -> None:
    message = mail(help_code=code)
    for part in (flat(message.text), Page(message.html).text):
        assert names()["assistanceRequestCodes"][code]["en"] in part
        assert code not in part


def test_no_help_required_is_not_mentioned() -> None:
    assert names()["assistanceRequestCodes"][NO_HELP]["en"] not in flat(mail(help_code=NO_HELP).text)
    assert mail(help_code=NO_HELP).text == mail(help_code=None).text


def test_an_unknown_code_is_an_error_and_not_a_mail() -> None:
    with pytest.raises(KeyError, match="Bankrupt"):
        mail(kind="lost", reason="Bankrupt")


def test_a_country_that_nobody_knows_is_shown_as_it_came() -> None:
    assert "ZQ" in mail(customer_country="ZQ").text


def test_korean_writes_dates_times_money_countries_and_codes_its_own_way() -> None:
    """M5: Korean is complete."""
    text = flat(render(FACTS, "ko-KR").text)
    assert "2026년 12월 5일 오전 9:00 (UTC)" in text
    assert "2027년 3월 31일" in text
    assert "USD\xa0250,000.50" in text
    assert "미국" in text
    assert "개념 증명 또는 데모" in text
    assert "고객이 다른 공급업체를 선택함" in render(replace(FACTS, kind="declined"), "ko").text


@pytest.mark.parametrize(
    ("kind", "never_notified"), [*((kind, False) for kind in ALL_KINDS), ("expired", True)]
)
# a link, contacts and needs are names as well
def test_a_korean_mail_has_no_english_words_beside_names(kind: MailKind, never_notified: bool) -> None:
    known = (
        "Contoso",
        "Fabrikam",
        "ERP renewal 2026",
        "Adventure Works",
        "Litware",
        "Tailspin Toys",
        "Microsoft",
    )
    told = RegistrationFacts(
        solution="솔루션", submitted_on=TODAY, reason="이유", errors=tuple((each, "틀림") for each in FIELDS)
    )
    facts = facts_of(kind)
    if isinstance(facts, MailFacts):
        bare = replace(facts, solutions=(), needs=(), notes=None, link=None, contacts=(), team=())
        facts = replace(bare, registration=told, never_notified=never_notified)
    message = render(facts, "ko")
    for part in (message.subject, message.text, Page(message.html).text):
        words = set(re.findall("[A-Za-z]{2,}", part.replace("Litware", "")))
        assert words <= {word for name in known for word in re.findall("[A-Za-z]{2,}", name)} | {"USD", "UTC"}


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("하나", "서", "서하나"),
        ("太郎", "山田", "山田太郎"),
        ("Hana", "Seo", "Hana Seo"),
        ("Madonna", "", "Madonna"),
    ],
)
def test_a_name_is_written_in_the_order_of_its_script(first: str, last: str, shown: str) -> None:
    assert person_name(first, last) == shown


def test_a_lead_of_microsofts_says_so() -> None:
    message = mail(kind="leadReceived", from_microsoft=True)
    for said in ("lead from Microsoft", "Adventure Works", "“ERP renewal 2026”"):
        assert said in message.subject
    assert "Notes from Microsoft" in message.text


UNTRUE_OF_MICROSOFTS = {
    "en-US": ("Your request", "your request", "request", "waits for your answer", "What the customer writes"),
    "ko-KR": ("요청", "응답을 기다리고", "고객 메모"),
}


@pytest.mark.parametrize(
    "kind", [*sorted(LEAD_MAILS), "customerDeclined", "customerExpired", "customerSummary"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_lead_from_microsoft_nobody_reads_that_the_customer_sent_a_request(
    kind: MailKind, language: str
) -> None:
    """R1: it was Microsoft that passed it on, and the mail says so."""
    messages = {}
    for passed_on in (True, False):
        facts = facts_of(kind)
        match facts:
            case MailFacts():
                facts = replace(facts, from_microsoft=passed_on, needs=())
            case CustomerFacts():
                facts = replace(facts, fact=replace(facts.fact, from_microsoft=passed_on), link=LINK)
            case CustomerSummaryFacts():
                facts = replace(facts, facts=(replace(DECLINED, from_microsoft=passed_on),))
        messages[passed_on] = render(facts, language)
    message = messages[True]
    for part in (message.subject, flat(message.text), Page(message.html).text):
        assert [words for words in UNTRUE_OF_MICROSOFTS[language] if words in part] == []
    assert "Microsoft" in message.text
    assert "Microsoft" in Page(message.html).text
    assert "Microsoft" not in messages[False].text


def test_korean_calls_needs_and_notes_by_their_usual_names() -> None:
    text = flat(render(replace(FACTS, kind="leadReminder"), "ko").text)
    for words in ("요청 사항:", "고객 메모:", "고객에게는 다른 파트너를 선택하도록 안내합니다"):
        assert words in text


@pytest.mark.parametrize("kind", sorted(CUSTOMER_OUTCOMES))
def test_a_customer_is_told_to_choose_a_different_partner(kind: CustomerOutcome) -> None:
    """R4: with others that fit, if there are any."""
    facts = facts_of(kind)
    assert isinstance(facts, CustomerFacts)
    assert "Please choose a different partner." in flat(render(facts, "en").text)
    assert "The partners below" in flat(render(facts, "en").text)
    assert "The partners below" not in flat(render(replace(facts, alternatives=()), "en").text)


UNTOLD = {
    "en": {"subject": "could not be told", "body": "could not deliver any mail", "never": "did not answer"},
    "ko": {"subject": "알리지 못했습니다", "body": "전달하지 못했", "never": "응답하지 않"},
}


@pytest.mark.parametrize("language", UNTOLD)
def test_of_an_expiry_that_nobody_was_told_of_no_reader_thinks_that_it_was_left_unanswered(
    language: str,
) -> None:
    """M8: subject, text and HTML say the one or the other."""
    said = UNTOLD[language]
    for untold in (True, False):
        message = render(replace(FACTS, kind="expired", never_notified=untold), language)
        text, page = flat(message.text), " ".join(Page(message.html).text.split())
        assert (said["subject"] in message.subject) == untold
        for part in (text, page):
            assert (said["body"] in part) == untold
            assert "Adventure Works" in part
        for part in (message.subject, text, page):
            assert "Contoso" in part
            assert not (untold and said["never"] in part)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "expired"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_other_mail_speaks_of_mails_that_were_not_delivered(kind: MailKind, language: str) -> None:
    facts = replace(FACTS, kind=kind)
    assert render(replace(facts, never_notified=True), language) == render(facts, language)


def test_the_facts_have_no_place_for_private_fields_m7() -> None:
    told = {field.name for field in (*fields(MailFacts), *fields(RegistrationFacts))}
    assert not {name for name in told if "crm" in name or "campaign" in name or "external" in name}


@pytest.mark.parametrize(
    ("wished", "found"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("EN_gb", "en"),
        ("de-DE", "en"),
        ("ko", "ko"),
        ("ko_KR", "ko"),
        ("", "en"),
        ("../en", "en"),
        ("x" * 99, "en"),
    ],
)
def test_a_language_is_found_or_falls_back_to_english_m5(wished: str, found: str) -> None:
    assert resolve_locale(wished) == found
    assert render(FACTS, wished) == render(FACTS, found)


def test_every_language_has_every_kind() -> None:
    assert available_languages() == {"en", "ko"}
    for language in available_languages():
        assert all(render(facts_of(kind), language).text for kind in ALL_KINDS)


def test_a_template_that_asks_for_an_unknown_fact_fails_loudly() -> None:
    from shared.mail import rendering

    template = rendering._environment().from_string("{{ campaign }}")
    with pytest.raises(UndefinedError):
        template.render(rendering._values(FACTS, rendering._words("en"), str))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_in_the_html_is_an_element_of_its_own_with_its_own_direction(
    kind: PartnerMailKind, language: str
) -> None:
    """So that no name turns around, or runs on into, the words beside it."""
    typed = {
        "deal_name": "Typed deal",
        "customer_name": "Typed customer",
        "actor_organization": "Typed actor",
        "recipient_organization": "Typed recipient",
        "solutions": ("Typed solution",),
        "needs": ("Typed need",),
        "contacts": (
            PersonFact(
                first_name="Typed", last_name="person", phone_number="Typed phone", email="Typed mail"
            ),
        ),
        "notes": "Typed notes",
        "registration": RegistrationFacts(
            solution="Typed product", reason="Typed reason", errors=(("/contract/value", "Typed error"),)
        ),
    }
    html = render(replace(FACTS, kind=kind, **typed), language).html  # type: ignore[arg-type]
    page = html.partition("</head>")[2]
    assert '<bdi dir="auto">Typed deal</bdi>' in page
    assert (
        re.sub(r'<bdi dir="auto">[^<]*</bdi>|<p class="ink" dir="auto"[^>]*>[^<]*</p>', "", page).count(
            "Typed"
        )
        == 0
    )


strangers_words = st.text(max_size=120)
strangers_facts = st.builds(
    replace,
    st.just(FACTS),
    kind=st.sampled_from(KINDS),
    never_notified=st.booleans(),
    deal_name=strangers_words,
    customer_name=strangers_words,
    actor_organization=strangers_words,
    notes=st.none() | strangers_words,
    solutions=st.lists(strangers_words, max_size=3).map(tuple),
    registration=st.builds(
        RegistrationFacts,
        solution=strangers_words,
        reason=st.none() | strangers_words,
        errors=st.lists(st.tuples(st.sampled_from(FIELDS), strangers_words), max_size=3).map(tuple),
    ),
)


@given(strangers_facts)
def test_whatever_strangers_type_the_mail_is_well_formed(facts: MailFacts) -> None:
    message = mail(facts)
    assert len(message.subject.splitlines()) == 1
    assert Page(message.html).open == []
    assert f"\n{LINK}\n" in message.text
    for part in (message.subject, message.text, message.html):
        part.encode("utf-8")
