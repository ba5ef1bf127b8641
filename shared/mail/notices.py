"""Notices: one message to one audience. Who reads it is resolved once, then frozen in mail records.

What is told and to whom follows from the tables (rules M1 to M4); the words are `rendering`'s.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from shared.domain.due import reminders_of
from shared.domain.ids import OperationId, OrganizationId, derived_operation
from shared.domain.messages import (
    OF_LEADS,
    TO_CUSTOMERS,
    TO_REVIEWERS,
    MailFacts,
    MailKind,
    PersonFact,
    RegistrationFacts,
)
from shared.domain.recipients import Readers, Recipient, recipients_of
from shared.domain.referral import Contact, Party, Referral
from shared.domain.registration import Registration
from shared.domain.review_due import what_is_due
from shared.domain.timeline import Entry
from shared.domain.vocabulary import MICROSOFT, RegistrationStatus
from shared.domain.work import Audience, Notify
from shared.errors import MailUnavailable, StoreConflict
from shared.mail.delivery import PART, Delivery
from shared.mail.rendering import render, resolve_locale
from shared.reference.holidays import holidays
from shared.storage.directory import Directory
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.profiles import Profiles
from shared.storage.provider_search import ProviderSearch
from shared.storage.referrals import Referrals, Stored
from shared.storage.registrations import Registrations
from shared.storage.routing import Routing

logger = logging.getLogger(__name__)

MOST_RECIPIENTS = 50
"""Of one mail, by the mail service's limit."""


_PRIVATE: dict[Audience, Literal["customer", "reviewTeam"]] = {
    "customer": "customer",
    "reviewers": "reviewTeam",
    "reviewLead": "reviewTeam",
}
"""Whose addresses the reader's organization does not see."""
_WHILE: dict[MailKind, RegistrationStatus] = {
    "registrationSubmitted": "ReviewPending",
    "actionRequired": "ActionRequired",
}
"""While what a message about a registration has a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """A mail that the service refuses for good (M6), and whose timeline tells of it."""

    operation_id: OperationId
    reader: Party
    message: MailKind
    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a message is about: the record it happened to, the reader's own, and an entry or a registration."""

    subject: Referral
    reader: Referral
    entry: Entry | None
    registration: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Plans and sends messages. `portal_url` is where links lead."""

    referrals: Referrals
    directory: Directory
    profiles: Profiles
    providers: ProviderSearch
    registrations: Registrations
    routing: Routing
    records: MailRecords
    delivery: Delivery
    portal_url: str

    async def send(self, party: Party, label: str, task: Notify, now: datetime) -> list[Undeliverable]:
        """Try each mail of a message once; gives those that are refused for good.

        Raises `MailUnavailable` when one has to be tried later, after all were tried.
        """
        scene = await self._scene(party, label, task)
        if scene is None:
            return []
        pointless = is_pointless(task, scene, label, now)
        pending = deque(await self._planned(scene, label, task, now, pointless=pointless))
        put_off: list[MailUnavailable] = []
        refused: list[Undeliverable] = []
        while pending:
            try:
                record = await self.delivery.attempt(pending.popleft(), now, pointless=pointless)
            except MailUnavailable as later:
                put_off.append(later)
                continue
            if record.state == "split":
                pending.extend(await self.records.of_message(record.referral_id, record.key + PART))
            if record.state == "refused":
                refused.append(_undeliverable(record))
        if put_off:
            raise put_off[0]
        return refused

    async def _planned(
        self, scene: Scene, label: str, task: Notify, now: datetime, *, pointless: bool
    ) -> list[Stored[MailRecord]]:
        subject, prefix = scene.subject, _prefix(label, task)
        if found := await self.records.of_message(subject.id, prefix):
            return [stored for stored in found if PART not in stored.value.key.removeprefix(prefix)]
        if pointless:
            return []
        records = await self._records(scene, prefix, task, now)
        if not records:
            logger.warning("mail_without_recipient referral=%s message=%s", subject.id, task.message)
            return []
        try:
            await self.records.plan(records)
        except StoreConflict:
            logger.info("mail_planned_already referral=%s message=%s", subject.id, prefix)
        return await self.records.of_message(subject.id, prefix)

    async def _scene(self, party: Party, label: str, task: Notify) -> Scene | None:
        subject = await self.referrals.get(party)
        reader = await self.referrals.get(task.party) if task.party else subject
        if subject is None or reader is None:
            return None
        entry = await self.referrals.entry(party, int(label)) if label.isdigit() else None
        registration = await self.registrations.get(party, task.registration) if task.registration else None
        return Scene(subject=subject.value, reader=reader.value, entry=entry, registration=registration)

    async def _records(self, scene: Scene, prefix: str, task: Notify, now: datetime) -> list[MailRecord]:
        people = recipients_of(task.audience, scene.reader, await self._readers(task, scene))
        if not people:
            return []
        facts = facts_of(task, scene, now, self.portal_url, await self._alternatives(task, scene.subject))
        return [
            MailRecord(
                referral_id=scene.subject.id,
                key=f"{prefix}{group}",
                operation_id=derived_operation("mail", scene.subject.id, prefix, group),
                message=facts.kind,
                reader=scene.reader.party,
                private_of=_PRIVATE.get(task.audience),
                recipients=tuple(recipient.email for recipient in readers),
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                planned_at=now,
            )
            for group, locale, readers in _groups(people)
            for mail in [render(facts, locale)]
        ]

    async def _readers(self, task: Notify, scene: Scene) -> Readers:
        reader, registration = scene.reader, scene.registration
        if registration and task.audience in {"reviewers", "reviewLead"}:
            return await self._reviewers(task, registration)
        return Readers(
            people=await self.directory.people(reader.organization_id),
            contacts=await self._profile_contacts(reader),
            team=await self._routed_team(reader),
            registrant=_registrant(registration) if registration else (),
        )

    async def _reviewers(self, task: Notify, registration: Registration) -> Readers:
        microsoft = await self.directory.organization(MICROSOFT)
        lead = microsoft.review_lead if microsoft else None
        named = lead if task.audience == "reviewLead" else registration.assigned_to
        people = await self.directory.people(OrganizationId(MICROSOFT))
        return Readers(people=people, reviewers=(named,) if named else ())

    async def _profile_contacts(self, reader: Referral) -> tuple[Contact, ...]:
        organization = await self.directory.organization(reader.organization_id)
        place = organization.location(reader.location) if organization else None
        profile = await self.profiles.get(reader.organization_id, place.country) if place else None
        return profile.contacts_of(reader.location) if profile and profile.active else ()

    async def _routed_team(self, reader: Referral) -> tuple[str, ...]:
        if reader.routed is None:
            return ()
        team = (await self.routing.get()).team(reader.routed.team)
        return team.members if team else ()

    async def _alternatives(self, task: Notify, lead: Referral) -> tuple[str, ...]:
        """The partners that a customer is offered instead (R4)."""
        if task.message not in TO_CUSTOMERS:
            return ()
        return tuple(provider.name for provider in await self.providers.instead_of(lead))


def is_pointless(task: Notify, scene: Scene, label: str, now: datetime) -> bool:
    """Whether a message has lost its point by the time it would be sent (M3, L7, L8).

    A reminder has, once the referral is answered or the next reminder is due.
    """
    match task.message:
        case "reminder":
            due = [reminder.label for reminder in reminders_of(scene.subject) if reminder.at <= now]
            return scene.subject.status != "New" or label not in due[-1:]
        case "invited" | "leadReceived" | "hotLead":
            return scene.subject.substatus == "Expired"
        case "won" | "lost":
            return scene.reader.substatus in {"Declined", "Expired"}
        case "registrationSubmitted" | "actionRequired":
            return scene.registration is None or scene.registration.status != _WHILE[task.message]
        case "registrationEscalated" | "actionReminder":
            return scene.registration is None or not _is_latest_nudge(scene.registration, label, now)
        case _:
            return False


def facts_of(
    task: Notify, scene: Scene, now: datetime, portal_url: str, alternatives: tuple[str, ...] = ()
) -> MailFacts:
    """The facts that the reader is told: its own terms, and whoever acted (M7)."""
    subject, reader, entry = scene.subject, scene.reader, scene.entry
    kind = kind_of(task, subject)
    if scene.registration:
        return _facts_of_registration(kind, scene.registration, subject, portal_url)
    inviting = kind in {"invited", "reminder", "withdrawn"}
    context = subject.invite_context
    left = reader.expires_at - now if reader.expires_at and task.message == "reminder" else None
    terms = subject.terms if kind == "accepted" else reader.terms
    return MailFacts(
        kind=kind,
        deal_name=reader.name,
        customer_name=subject.customer.name,
        customer_country=subject.customer.address.country,
        actor_organization=(inviting and context.invited_by_name) or subject.organization_name,
        recipient_organization=reader.customer.name if kind in TO_CUSTOMERS else reader.organization_name,
        deal_value=terms.deal_value,
        currency=terms.currency,
        closing_date=terms.closing_at.date() if terms.closing_at else None,
        expires_at=subject.expires_at,
        days_left=max(1, round(left.total_seconds() / 86400)) if left else None,
        reason=entry.reason if entry and kind in {"declined", "lost"} else None,
        notes=_notes(kind, scene),
        solutions=tuple(solution.name for solution in terms.solutions),
        help_code=context.help_code if inviting else None,
        from_microsoft=context.invited_by == MICROSOFT,
        contacts=tuple(_person(each) for each in subject.customer.team) if kind in OF_LEADS else (),
        needs=(*subject.industries, *subject.products, *subject.services),
        wants_contact=subject.customer_requested_contact,
        alternatives=alternatives,
        link=None if kind in TO_CUSTOMERS else f"{portal_url}/referrals/{reader.id}",
    )


def _facts_of_registration(
    kind: MailKind, registration: Registration, deal: Referral, portal_url: str
) -> MailFacts:
    form, to_reviewers = registration.form, kind in TO_REVIEWERS
    latest = registration.rounds[-1] if registration.rounds else None
    parties = (registration.organization_name, "Microsoft")
    actor, recipient = parties if to_reviewers else parties[::-1]
    own = "" if to_reviewers else f"/referrals/{deal.id}"
    return MailFacts(
        kind=kind,
        deal_name=deal.name,
        customer_name=deal.customer.name,
        customer_country=deal.customer.address.country,
        actor_organization=actor,
        recipient_organization=recipient,
        deal_value=form.contract.value,
        currency=form.contract.currency,
        registration=RegistrationFacts(
            solution=registration.solution_name,
            submitted_on=latest.submitted_at.date() if latest else None,
            round=max(1, len(registration.rounds)),
            reason=latest.reason if latest and kind == "registrationRejected" else None,
            errors=tuple((error.target, error.message) for error in registration.errors),
        ),
        link=f"{portal_url}{own}/registrations/{registration.id}",
    )


def _is_latest_nudge(registration: Registration, label: str, now: datetime) -> bool:
    due = what_is_due(registration, (), now, holidays())
    return due.nudge is not None and due.nudge.label == label


def _registrant(registration: Registration) -> tuple[Contact, ...]:
    contact = registration.form.contact
    if not contact.email:
        return ()
    return (
        Contact(
            first_name=contact.first_name or "",
            last_name=contact.last_name or "",
            phone_number=contact.phone_number or "",
            email=contact.email,
        ),
    )


def kind_of(task: Notify, subject: Referral) -> MailKind:
    """The kind of message: who is reminded of a lead hears of the customer, not of an inviter."""
    return "leadReminder" if task.message == "reminder" and subject.inquiry else task.message


def _notes(kind: MailKind, scene: Scene) -> str | None:
    """The notes meant for the reader: an invitation's, a decline's (L3); those of won and lost are private (M7)."""
    if kind in {"invited", "reminder"} or kind in OF_LEADS:
        return scene.subject.invite_context.notes
    if kind == "declined" and scene.entry:
        return scene.entry.details.get("notes")
    return None


def _person(contact: Contact) -> PersonFact:
    return PersonFact(
        first_name=contact.first_name,
        last_name=contact.last_name,
        phone_number=contact.phone_number,
        email=contact.email,
    )


def _prefix(label: str, task: Notify) -> str:
    reader = task.party.referral_id if task.party else "own"
    return f"{label}:{task.audience}:{reader}:"


def _groups(people: Iterable[Recipient]) -> Iterator[tuple[str, str, Sequence[Recipient]]]:
    """Who gets one mail together: readers of one language, no more than the service takes. Each group has a name."""
    ordered = sorted(people, key=lambda recipient: resolve_locale(recipient.locale))
    for locale, group in groupby(ordered, key=lambda recipient: resolve_locale(recipient.locale)):
        readers = list(group)
        for start in range(0, len(readers), MOST_RECIPIENTS):
            name = f"{locale}+{start}" if start else locale
            yield name, locale, readers[start : start + MOST_RECIPIENTS]


def _undeliverable(record: MailRecord) -> Undeliverable:
    return Undeliverable(
        operation_id=record.operation_id,
        reader=record.reader,
        message=record.message,
        address=record.private_of or ", ".join(record.recipients),
        reason=record.reason or "refused",
    )
