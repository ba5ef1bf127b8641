"""Notices: one message to one audience. Who reads it is resolved once, then frozen in mail records.

What is told and to whom follows from the tables (rules M1 to M4); the words are `rendering`'s.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from shared.domain.due import reminders_of
from shared.domain.ids import OperationId, derived_operation
from shared.domain.messages import OF_LEADS, TO_CUSTOMERS, MailFacts, MailKind, PersonFact
from shared.domain.recipients import Readers, Recipient, recipients_of
from shared.domain.referral import Contact, Party, Referral
from shared.domain.timeline import Entry
from shared.domain.vocabulary import MICROSOFT
from shared.domain.work import Notify
from shared.errors import MailUnavailable, StoreConflict
from shared.mail.delivery import PART, Delivery
from shared.mail.rendering import render, resolve_locale
from shared.storage.directory import Directory
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.profiles import Profiles
from shared.storage.provider_search import ProviderSearch
from shared.storage.referrals import Referrals, Stored
from shared.storage.routing import Routing

logger = logging.getLogger(__name__)

MOST_RECIPIENTS = 50
"""Of one mail, by the mail service's limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """A mail that the service refuses for good (M6), and whose timeline tells of it. A customer's has no address."""

    operation_id: OperationId
    reader: Party
    message: MailKind
    address: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a message is about: the record it happened to, the reader's own record, and the entry, if there is one."""

    subject: Referral
    reader: Referral
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Plans and sends messages. `portal_url` is where links lead."""

    referrals: Referrals
    directory: Directory
    profiles: Profiles
    providers: ProviderSearch
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
        return Scene(subject=subject.value, reader=reader.value, entry=entry)

    async def _records(self, scene: Scene, prefix: str, task: Notify, now: datetime) -> list[MailRecord]:
        people = recipients_of(task.audience, scene.reader, await self._readers(scene.reader))
        if not people:
            return []
        facts = facts_of(task, scene, self.portal_url, await self._alternatives(task, scene.subject, now))
        return [
            MailRecord(
                referral_id=scene.subject.id,
                key=f"{prefix}{group}",
                operation_id=derived_operation("mail", scene.subject.id, prefix, group),
                message=facts.kind,
                reader=scene.reader.party,
                private=task.audience == "customer",
                recipients=tuple(recipient.email for recipient in readers),
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                planned_at=now,
            )
            for group, locale, readers in _groups(people)
            for mail in [render(facts, locale)]
        ]

    async def _readers(self, reader: Referral) -> Readers:
        return Readers(
            people=await self.directory.people(reader.organization_id),
            contacts=await self._profile_contacts(reader),
            team=await self._routed_team(reader),
        )

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

    async def _alternatives(self, task: Notify, lead: Referral, now: datetime) -> tuple[str, ...]:
        """The partners that a customer is offered instead (R4)."""
        if task.message not in TO_CUSTOMERS:
            return ()
        return tuple(provider.name for provider in await self.providers.instead_of(lead, now))


def is_pointless(task: Notify, scene: Scene, label: str, now: datetime) -> bool:
    """Whether a message has lost its point by the time it would be sent (M1, M3, L7, L8).

    A reminder has, once the referral is answered or the next reminder is due; an alert, once the lead is answered;
    the news of a lead, once the lead is closed.
    """
    match task.message:
        case "reminder":
            due = [reminder.label for reminder in reminders_of(scene.subject) if reminder.at <= now]
            return scene.subject.status != "New" or label not in due[-1:]
        case "invited":
            return scene.subject.substatus == "Expired"
        case "leadReceived":
            return scene.subject.is_closed
        case "hotLead":
            return scene.subject.status != "New"
        case "won" | "lost":
            return scene.reader.substatus in {"Declined", "Expired"}
        case _:
            return False


def facts_of(task: Notify, scene: Scene, portal_url: str, alternatives: tuple[str, ...] = ()) -> MailFacts:
    """The facts that the reader is told: its own terms, and whoever acted (M7)."""
    subject, reader, entry = scene.subject, scene.reader, scene.entry
    kind = kind_of(task, subject)
    inviting = kind in {"invited", "reminder", "withdrawn"}
    context = subject.invite_context
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
        address=None if record.private else ", ".join(record.recipients),
        reason=record.reason or "refused",
    )
