"""The facts of a message, from the records that it is about (rules M1 to M4, M7)."""

from datetime import UTC

from shared.domain.eligibility import unregistered
from shared.domain.messages import (
    LEAD_MAILS,
    REVIEWER_MAILS,
    CustomerFacts,
    CustomerOutcome,
    MailFacts,
    OutcomeFact,
    PartnerMailKind,
    PersonFact,
    RegistrationFacts,
)
from shared.domain.referral import Contact, Referral
from shared.domain.registration import Registration
from shared.domain.vocabulary import MICROSOFT
from shared.mail.message_context import MessageContext
from shared.storage.engagements import Message

MOST_QUOTED, LONGEST_QUOTE = 5, 1_000
"""How many messages a mail shows, the latest, and how many characters of each."""


MOST_CONTACTS = 5


def customer_facts(
    outcome: CustomerOutcome,
    lead: Referral,
    alternatives: tuple[str, ...] = (),
    link: str | None = None,
) -> CustomerFacts:
    """The facts for the customer of a lead: nothing that the request, or the company's answer, contains (M7)."""
    fact = OutcomeFact(
        outcome=outcome,
        company=lead.organization_name,
        requested_on=lead.created_at.astimezone(UTC).date(),
        from_microsoft=lead.invite_context.invited_by == MICROSOFT,
    )
    return CustomerFacts(fact=fact, alternatives=alternatives, link=link)


def partner_facts(
    kind: PartnerMailKind,
    context: MessageContext,
    portal_url: str,
    *,
    never_notified: bool = False,
    last_reminder: bool = False,
    reminder: bool = False,
) -> MailFacts:
    """The facts for the reader: its own terms, and the organization that acted (M7)."""
    subject, reader, entry = context.subject, context.reader, context.entry
    kind = kind_of(kind, subject)
    if context.registration:
        return _facts_of_registration(kind, context.registration, subject, portal_url)
    is_invitation = kind in {"invited", "reminder", "withdrawn"}
    invite_context = subject.invite_context
    terms = subject.terms if kind == "accepted" else reader.terms
    return MailFacts(
        kind=kind,
        deal_name=reader.name,
        customer_name=subject.customer.name,
        customer_country=subject.customer.address.country,
        actor_organization=(is_invitation and invite_context.invited_by_name) or subject.organization_name,
        recipient_organization=reader.organization_name,
        deal_value=terms.deal_value,
        currency=terms.currency,
        closing_date=terms.closing_at.date() if terms.closing_at else None,
        expires_at=subject.expires_at,
        reason=entry.reason if entry and kind in {"declined", "lost"} else None,
        notes=_notes(kind, context),
        solutions=tuple(
            each.name
            for each in (unregistered(reader) if kind == "registrationEligible" else terms.solutions)
        ),
        help_code=invite_context.help_code if is_invitation else None,
        from_microsoft=invite_context.invited_by == MICROSOFT,
        team=tuple(map(_person, _team(kind, subject))),
        contacts=tuple(map(_person, _contacts(kind, subject))),
        needs=(*subject.industries, *subject.products, *subject.services),
        never_notified=never_notified,
        last_reminder=last_reminder,
        reminder=reminder,
        link=f"{portal_url}/referrals/{reader.id}",
    )


def _facts_of_registration(
    kind: PartnerMailKind, registration: Registration, deal: Referral, portal_url: str
) -> MailFacts:
    form, latest = registration.submitted_form, registration.latest
    to_reviewers = kind in REVIEWER_MAILS
    parties = (registration.organization_name, "Microsoft")
    actor, recipient = parties if to_reviewers else parties[::-1]
    own = "" if to_reviewers else f"/referrals/{deal.id}"
    return MailFacts(
        kind=kind,
        deal_name=deal.name,
        customer_name=form.customer.name or deal.customer.name,
        customer_country=form.customer.country or deal.customer.address.country,
        actor_organization=actor,
        recipient_organization=recipient,
        deal_value=form.contract.value,
        currency=form.contract.currency,
        registration=RegistrationFacts(
            solution=registration.solution_name,
            submitted_on=latest.submitted_at.date() if latest else None,
            round=max(1, registration.rounds),
            reason=latest.reason if latest else None,
            errors=tuple((error.target, error.message) for error in registration.errors),
        ),
        link=f"{portal_url}{own}/registrations/{registration.id}",
    )


def kind_of(message: PartnerMailKind, subject: Referral) -> PartnerMailKind:
    """The kind of mail: a reminder about a lead has its own kind, about the customer instead of an inviter."""
    return "leadReminder" if message == "reminder" and subject.inquiry else message


def _contacts(kind: PartnerMailKind, subject: Referral) -> tuple[Contact, ...]:
    """The customer's contacts, which an invitation has if they may be shared (C2)."""
    return subject.customer.team[:MOST_CONTACTS] if kind in LEAD_MAILS or kind == "invited" else ()


def _team(kind: PartnerMailKind, subject: Referral) -> tuple[Contact, ...]:
    """The people of the organization that acted: who accepted, or whom the inviter named in the invitation (C2)."""
    if kind == "invited":
        return subject.invite_context.team
    return subject.team if kind == "accepted" else ()


def _notes(kind: PartnerMailKind, context: MessageContext) -> str | None:
    """The notes for the reader: of an invitation or a decline (L3); those of won and lost are private (M7)."""
    if kind in {"invited", "reminder"} or kind in LEAD_MAILS:
        return context.subject.invite_context.notes
    if kind == "newMessages":
        return "\n\n".join(map(_quoted, context.messages[:MOST_QUOTED][::-1]))
    if kind == "declined" and context.entry:
        return context.entry.details.get("notes")
    return None


def _quoted(message: Message) -> str:
    """A message with its author, as much of it as a mail shows."""
    text = message.text
    shown = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE].rstrip()}…"
    return f"{message.author}:\n{shown}"


def _person(contact: Contact) -> PersonFact:
    return PersonFact(
        first_name=contact.first_name,
        last_name=contact.last_name,
        phone_number=contact.phone_number,
        email=contact.email,
    )
