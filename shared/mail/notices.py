"""Notices: one message to one audience. Who reads it is resolved once, then frozen in mail records.

What is told and to whom follows from the tables (rules M1 to M4); the words are `rendering`'s.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import assert_never

from shared.domain import recipients
from shared.domain.ids import OperationId, OrganizationId, derived_operation
from shared.domain.messages import MailFacts
from shared.domain.recipients import Readers, Recipient
from shared.domain.referral import Contact, Party, Referral
from shared.domain.timeline import Entry
from shared.domain.work import Notify
from shared.errors import MailUnavailable, StoreConflict
from shared.mail.delivery import Delivery
from shared.mail.rendering import render, resolve_locale
from shared.storage.directory import Directory
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.referrals import Referrals, Stored

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """A mail that the service refuses for good (M6)."""

    operation_id: OperationId
    addresses: tuple[str, ...]
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
    records: MailRecords
    delivery: Delivery
    portal_url: str

    async def send(self, party: Party, label: str, task: Notify, now: datetime) -> list[Undeliverable]:
        """Try each mail of a message once; gives those that are refused for good.

        Raises `MailUnavailable` when one has to be tried later, after all were tried.
        """
        planned = await self._planned(party, label, task, now)
        put_off: list[MailUnavailable] = []
        refused: list[Undeliverable] = []
        for stored in planned:
            try:
                record = await self.delivery.attempt(stored, now)
            except MailUnavailable as later:
                put_off.append(later)
                continue
            if record.state == "refused":
                refused.append(_undeliverable(record))
        if put_off:
            raise put_off[0]
        return refused

    async def _planned(
        self, party: Party, label: str, task: Notify, now: datetime
    ) -> list[Stored[MailRecord]]:
        prefix = _prefix(label, task)
        if found := await self.records.of_message(party.referral_id, prefix):
            return found
        scene = await self._scene(party, label, task)
        if scene is None or is_pointless(task, scene):
            return []
        records = await self._records(scene, prefix, task, now)
        if not records:
            logger.warning("mail_without_recipient referral=%s message=%s", party.referral_id, task.message)
            return []
        try:
            await self.records.plan(records)
        except StoreConflict:
            logger.info("mail_planned_already referral=%s message=%s", party.referral_id, prefix)
        return await self.records.of_message(party.referral_id, prefix)

    async def _scene(self, party: Party, label: str, task: Notify) -> Scene | None:
        subject = await self.referrals.get(party)
        reader = await self.referrals.get(task.party) if task.party else subject
        if subject is None or reader is None:
            return None
        entry = await self.referrals.entry(party, int(label)) if label.isdigit() else None
        return Scene(subject=subject.value, reader=reader.value, entry=entry)

    async def _records(self, scene: Scene, prefix: str, task: Notify, now: datetime) -> list[MailRecord]:
        facts = facts_of(task, scene, now, self.portal_url)
        people = await self._recipients(task, scene.reader)
        return [
            MailRecord(
                referral_id=scene.subject.id,
                key=f"{prefix}{locale}",
                operation_id=derived_operation("mail", scene.subject.id, prefix, locale),
                recipients=tuple(recipient.email for recipient in readers),
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                planned_at=now,
            )
            for locale, readers in _by_locale(people)
            for mail in [render(facts, locale)]
        ]

    async def _recipients(self, task: Notify, reader: Referral) -> tuple[Recipient, ...]:
        readers = Readers(
            people=await self.directory.people(reader.organization_id),
            contacts=await self._profile_contacts(reader),
        )
        match task.audience:
            case "invitee":
                return recipients.invitees(reader, readers)
            case "answerers":
                return recipients.answerers(reader, readers)
            case "inviter" | "party":
                return recipients.deal_team(reader, readers)
            case _:
                assert_never(task.audience)

    async def _profile_contacts(self, reader: Referral) -> tuple[Contact, ...]:
        organization = await self.directory.organization(OrganizationId(reader.organization_id))
        place = organization.location(reader.location) if organization else None
        profile = await self.directory.profile(reader.organization_id, place.country) if place else None
        return profile.contacts_of(reader.location) if profile and profile.active else ()


def is_pointless(task: Notify, scene: Scene) -> bool:
    """Whether a message has lost its point by the time it would be planned (M3, L7, L8)."""
    match task.message:
        case "reminder":
            return scene.subject.status != "New"
        case "invited":
            return scene.subject.substatus == "Expired"
        case "won" | "lost":
            return scene.reader.substatus in {"Declined", "Expired"}
        case _:
            return False


def facts_of(task: Notify, scene: Scene, now: datetime, portal_url: str) -> MailFacts:
    """The facts that the reader is told: its own terms, and whoever acted (M7)."""
    subject, reader, entry = scene.subject, scene.reader, scene.entry
    inviting = task.message in {"invited", "reminder", "withdrawn"}
    context = subject.invite_context
    left = reader.expires_at - now if reader.expires_at and task.message == "reminder" else None
    terms = subject.terms if task.message == "accepted" else reader.terms
    return MailFacts(
        kind=task.message,
        deal_name=reader.name,
        customer_name=subject.customer.name,
        customer_country=subject.customer.address.country,
        actor_organization=(inviting and context.invited_by_name) or subject.organization_name,
        recipient_organization=reader.organization_name,
        deal_value=terms.deal_value,
        currency=terms.currency,
        closing_date=terms.closing_at.date(),
        expires_at=subject.expires_at,
        days_left=max(1, round(left.total_seconds() / 86400)) if left else None,
        reason=entry.reason if entry and task.message in {"declined", "lost"} else None,
        notes=_notes(task, scene),
        solutions=tuple(solution.name for solution in terms.solutions),
        help_code=context.help_code if inviting else None,
        link=f"{portal_url}/referrals/{reader.id}",
    )


def _notes(task: Notify, scene: Scene) -> str | None:
    """The notes meant for the reader: an invitation's, a decline's (L3); those of won and lost are private (M7)."""
    if task.message in {"invited", "reminder"}:
        return scene.subject.invite_context.notes
    if task.message == "declined" and scene.entry:
        return scene.entry.details.get("notes")
    return None


def _prefix(label: str, task: Notify) -> str:
    reader = task.party.referral_id if task.party else "own"
    return f"{label}:{task.audience}:{reader}:"


def _by_locale(people: Iterable[Recipient]) -> Iterable[tuple[str, list[Recipient]]]:
    ordered = sorted(people, key=lambda recipient: resolve_locale(recipient.locale))
    return [
        (key, list(group))
        for key, group in groupby(ordered, key=lambda recipient: resolve_locale(recipient.locale))
    ]


def _undeliverable(record: MailRecord) -> Undeliverable:
    return Undeliverable(
        operation_id=record.operation_id, addresses=record.recipients, reason=record.reason or "refused"
    )
