"""Who gets which mail: one pure function of audience, the reader's record and the directory (rules M1 to M5)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from shared.domain.directory import Person
from shared.domain.ids import LocationId
from shared.domain.referral import Contact, Referral
from shared.domain.vocabulary import MICROSOFT, Role
from shared.domain.work import Audience

DEFAULT_LOCALE = "en-US"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One address, and the language its mail is wished in (BCP 47)."""

    email: str
    name: str
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What the directory knows about an organization's readers, with their preferences.

    `people` are all its people; `contacts` those of the addressed profile location, none if it has no profile;
    `team` the addresses of the sellers that the referral was routed to. Of a registration, `registrant` is the
    contact of its form; of the review team, `reviewers` are the addresses of whoever it was assigned to or leads it.
    """

    people: tuple[Person, ...]
    contacts: tuple[Contact, ...] = ()
    team: tuple[str, ...] = ()
    registrant: tuple[Contact, ...] = ()
    reviewers: tuple[str, ...] = ()


def recipients_of(audience: Audience, referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """Whom a mail goes to. `referral` is the reader's own record; each address gets one mail."""
    match audience:
        case "invitee":
            found = _invitees(referral, readers)
        case "answerers":
            found = _answerers(referral, readers)
        case "alerted":
            found = (*_invitees(referral, readers), *_answerers(referral, readers))
        case "inviter" | "party":
            found = _deal_team(referral, readers)
        case "customer":
            found = _contacts(referral.customer.team, Readers(people=()))
        case "reviewers" | "reviewLead":
            found = _reviewers(readers)
        case "registrants":
            found = _registrants(referral, readers)
        case _:
            assert_never(audience)
    return _distinct(found)


def _invitees(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """Whom a new inbound referral is announced to (M1).

    The contacts of the addressed profile location; else the referrals admins whose scope covers the location;
    else the MPN partner admins. For Microsoft the routed team.
    """
    return _contacts(readers.contacts, readers) or _answerers(referral, readers)


def _answerers(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """Whom a reminder goes to: those who can answer (M3).

    The referrals admins whose scope covers the location; where there is none, the MPN partner admins. For
    Microsoft the sellers of the routed team; all sellers where it has none.
    """
    if referral.organization_id == MICROSOFT:
        sellers = _having("MicrosoftSeller", readers)
        return _people(_named(readers.team, sellers) or sellers)
    admins = [p for p in _having("ReferralsAdmin", readers) if _covers(p, referral.location)]
    return _people(admins) or _people(_having("MpnPartnerAdmin", readers))


def _deal_team(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """The team of a referral (M2, M4); where it is empty, those whom the referral was announced to (L2)."""
    return _contacts(referral.team, readers) or (() if referral.team else _invitees(referral, readers))


def _reviewers(readers: Readers) -> tuple[Recipient, ...]:
    """The deal reviewers who are named; all of them where none is, or none of these wants mail (G5, G7)."""
    reviewers = _having("DealReviewer", readers)
    return _people(_named(readers.reviewers, reviewers)) or _people(reviewers)


def _registrants(referral: Referral, readers: Readers) -> tuple[Recipient, ...]:
    """The contact of a registration and the deal's team (M4), where a contact may have said that it wants no mail."""
    silent = {contact.email.casefold() for contact in referral.team if contact.disable_notifications}
    wanted = [contact for contact in readers.registrant if contact.email.casefold() not in silent]
    return (*_contacts(wanted, readers), *_deal_team(referral, readers))


def _named(addresses: Iterable[str], people: Iterable[Person]) -> list[Person]:
    named = {address.casefold() for address in addresses}
    return [person for person in people if person.email.casefold() in named]


def _having(role: Role, readers: Readers) -> list[Person]:
    return [person for person in readers.people if role in person.roles]


def _covers(person: Person, location: LocationId | None) -> bool:
    return person.everywhere or location in person.locations


def _people(people: Iterable[Person]) -> tuple[Recipient, ...]:
    wanted = (
        Recipient(email=p.email, name=p.name, locale=p.locale) for p in people if not p.disable_notifications
    )
    return _distinct(wanted)


def _contacts(contacts: Iterable[Contact], readers: Readers) -> tuple[Recipient, ...]:
    """Contacts as recipients; what the directory knows of a person's mail settings completes the contact's (V7)."""
    known = {person.email.casefold(): person for person in readers.people}
    return _distinct(
        _recipient(contact, known.get(contact.email.casefold()))
        for contact in contacts
        if _wants_mail(contact, known.get(contact.email.casefold()))
    )


def _wants_mail(contact: Contact, person: Person | None) -> bool:
    return not contact.disable_notifications and not (person and person.disable_notifications)


def _recipient(contact: Contact, person: Person | None) -> Recipient:
    locale = contact.locale or (person.locale if person else DEFAULT_LOCALE)
    return Recipient(
        email=contact.email, name=f"{contact.first_name} {contact.last_name}".strip(), locale=locale
    )


def _distinct(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """One mail for one address, whatever its case."""
    return tuple({recipient.email.casefold(): recipient for recipient in recipients}.values())
