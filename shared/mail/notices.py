"""Notices: one message to one audience. Recipients and content are resolved once and stored in mail records.

Rules M1 to M4 say who gets which message.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Literal

from shared.domain.choices import first_request, without_companies
from shared.domain.due import is_first_to_register, is_last_reminder
from shared.domain.ids import OperationId, ReferralId, operation_within
from shared.domain.lifecycle import never_notified_operation
from shared.domain.messages import ARRIVAL_MAILS, CustomerFacts, MailFacts, MailKind
from shared.domain.recipients import Recipient, recipients_of
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Audience, Notify
from shared.errors import MailHeld, MailPaused, MailUnavailable, OutOfTime, StoreConflict
from shared.mail.delivery import PART_SEPARATOR, Attempt, Delivery
from shared.mail.facts import customer_facts, partner_facts
from shared.mail.message_context import MessageContext
from shared.mail.pointless import is_pointless
from shared.mail.readers import REVIEW_TEAM, MailReaders
from shared.mail.rendering import render, resolve_locale
from shared.storage.choices import Choices
from shared.storage.codec import Stored
from shared.storage.engagements import Message
from shared.storage.known_referrals import KnownReferrals
from shared.storage.mail import MailRecord, MailRecords, SummaryLine
from shared.storage.provider_search import ProviderSearch
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations

logger = logging.getLogger(__name__)

MAX_MAIL_RECIPIENTS = 50
"""The mail service's limit for one mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """A mail that the service permanently rejects (M6), to be recorded in the reader's timeline."""

    operation_id: OperationId
    reader: ReferralKey
    message: MailKind
    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Plans and sends messages. `portal_url` is the base URL of links."""

    referrals: Referrals
    readers: MailReaders
    providers: ProviderSearch
    choices: Choices
    registrations: Registrations
    records: MailRecords
    delivery: Delivery
    portal_url: str

    async def send(
        self,
        record: ReferralKey,
        label: str,
        task: Notify,
        now: datetime,
        *,
        has_time: Callable[[], bool] = lambda: True,
        known: KnownReferrals | None = None,
        planned_before: bool = False,
        messages: Sequence[Message] = (),
    ) -> list[Undeliverable]:
        """Try each mail of a message once; return those that the service permanently rejects.

        At least one mail is tried; the others only while `has_time()`. `planned_before` says that the mails are
        probably planned, and only makes that cheaper. `messages` are those that it tells of. Raises `MailUnavailable`
        if a mail must be retried later (`MailPaused` if none was tried), or `OutOfTime` if there was no time for all;
        a mail that is held until tomorrow delays none of the others.
        """
        context = await self._context(record, label, task, known or KnownReferrals(self.referrals))
        if context is None:
            return []
        context = replace(context, messages=tuple(messages))
        pointless = is_pointless(task, context, label, now)
        pending = deque(
            await self._attempts(
                context, label, task, now, pointless=pointless, planned_before=planned_before
            )
        )
        deferred: list[MailUnavailable] = []
        refused: list[Undeliverable] = []
        attempts = 0
        while pending and (not attempts or has_time()):
            attempts += 1
            try:
                mail = await pending.popleft()()
            except MailUnavailable as error:
                deferred.append(error)
                continue
            if mail.state == "split":
                parts = await self.records.list_for_message(mail.referral_id, mail.key + PART_SEPARATOR)
                pending.extend(self.delivery.attempts(parts, now, pointless=pointless))
            if mail.state == "refused" and mail.is_failure_recorded:
                refused.append(_undeliverable(mail))
            elif mail.state == "refused":
                logger.warning(
                    "mail_of_reviewers_failed operation=%s reason=%s", mail.operation_id, mail.reason
                )
        if failed := _first_to_retry(deferred, more=bool(pending)):
            raise failed
        if pending:
            raise OutOfTime(f"{len(pending)} mails of a message are left for the next run.")
        return refused

    async def was_never_notified(
        self, record: ReferralKey, label: str, task: Notify, now: datetime, known: KnownReferrals
    ) -> bool:
        """Whether no mail notified an organization of the referral that has expired (M8).

        `label` and `task` are those of the mail about the expiry: after it is planned, the result is always False;
        also if the organization has nobody to mail (M5). Unless a mail may have arrived, the mails that the service
        has not accepted are skipped here, so that the result stays true; also those that another run is about to
        plan. Raises `MailUnavailable` while the service cannot say whether it has accepted one of them.
        """
        expired = await known.get(record)
        mails = await self.records.list_for_referral(record.referral_id)
        if expired is None or any(stored.value.key.startswith(_prefix(label, task)) for stored in mails):
            return False
        arrival_mails = [stored for stored in mails if _is_of_arrival(stored)]
        if any(stored.value.may_have_arrived for stored in arrival_mails):
            return False
        settled = [await self.delivery.attempt(stored, now, pointless=True) for stored in arrival_mails]
        if any(mail.may_have_arrived for mail in settled):
            return False
        await self._skip_unplanned(expired.value, {mail.key for mail in settled}, now)
        return bool(arrival_mails) or await self._has_readers(expired.value)

    async def _skip_unplanned(self, referral: Referral, planned: Collection[str], now: datetime) -> None:
        """Skip the messages of the arrival that are not planned yet. Raises `MailUnavailable` if one is just now."""
        for row in await self.referrals.work(referral.key):
            for task in (state.task for state in row.value.tasks):
                if not isinstance(task, Notify) or task.message not in ARRIVAL_MAILS:
                    continue
                prefix = _prefix(row.value.label, task)
                if any(key.startswith(prefix) for key in planned):
                    continue
                try:
                    await self.records.insert([_skipped(referral, prefix, task, now)])
                except StoreConflict as conflict:
                    raise MailUnavailable("A mail about the arrival is being sent.") from conflict

    async def _has_readers(self, referral: Referral) -> bool:
        """Whether the invitation mail of a referral has any recipient."""
        task = Notify(message="invited", audience="invitee")
        context = MessageContext(subject=referral, reader=referral, entry=None)
        return bool(recipients_of(task.audience, referral, await self.readers.of(task, context)))

    async def _attempts(
        self,
        context: MessageContext,
        label: str,
        task: Notify,
        now: datetime,
        *,
        pointless: bool,
        planned_before: bool,
    ) -> list[Attempt]:
        """An attempt for each mail of a message, which is planned unless that was done before.

        A new message is inserted without a look at what is there, since the insertion conflicts if it is planned.
        """
        subject, prefix = context.subject, _prefix(label, task)
        if pointless or planned_before:
            planned = await self._planned(subject.id, prefix)
            if planned or pointless:
                return self.delivery.attempts(planned, now, pointless=pointless)
        records = await self._records(context, label, task, now)
        if not records:
            logger.warning("mail_without_recipient referral=%s message=%s", subject.id, task.message)
            return []
        try:
            return await self.delivery.insert(records, now)
        except StoreConflict:
            logger.info("mail_already_planned referral=%s message=%s", subject.id, prefix)
        return self.delivery.attempts(await self._planned(subject.id, prefix), now)

    async def _planned(self, referral_id: ReferralId, prefix: str) -> list[Stored[MailRecord]]:
        """The mails of a message as they were planned; the parts of a split mail are tried with it."""
        planned = await self.records.list_for_message(referral_id, prefix)
        return [stored for stored in planned if PART_SEPARATOR not in stored.value.key.removeprefix(prefix)]

    async def _context(
        self, record: ReferralKey, label: str, task: Notify, known: KnownReferrals
    ) -> MessageContext | None:
        subject = await known.get(record)
        reader = await known.get(task.party) if task.party else subject
        if subject is None or reader is None:
            return None
        entry = await known.entry(record, int(label)) if label.isdigit() else None
        registration = await self.registrations.get(record, task.registration) if task.registration else None
        return MessageContext(
            subject=subject.value,
            reader=reader.value,
            entry=entry,
            registration=registration,
            round=task.round,
        )

    async def _records(
        self, context: MessageContext, label: str, task: Notify, now: datetime
    ) -> list[MailRecord]:
        prefix = _prefix(label, task)
        people = recipients_of(task.audience, context.reader, await self.readers.of(task, context))
        if not people:
            return []
        match task.message:
            case "customerDeclined" | "customerExpired" as outcome:
                chosen = await self.choices.chosen(first_request(context.subject))
                lead = without_companies(context.subject, chosen)
                alternatives = await self.providers.find_alternatives(lead, now)
                can_choose = task.choice and any(each.fitting for each in alternatives)
                facts = customer_facts(
                    outcome,
                    context.subject,
                    tuple(each.provider.name for each in alternatives),
                    link=f"{self.portal_url}/choices/{task.choice}" if can_choose else None,
                )
                return _Message(context=context, prefix=prefix, now=now).to_customers(facts, people)
            case "customerSummary":
                raise ValueError("A summary is planned by its mailbox and not by a task.")
            case message:
                never_notified = await self._never_notified(task, context)
                told = partner_facts(
                    message,
                    context,
                    self.portal_url,
                    never_notified=never_notified,
                    last_reminder=is_last_reminder(context.subject, label),
                    reminder=not is_first_to_register(label),
                )
                return _Message(context=context, prefix=prefix, now=now).to_partners(
                    told, people, task.audience
                )

    async def _never_notified(self, task: Notify, context: MessageContext) -> bool:
        """Whether the reader's timeline says that nobody was notified; the mail about the expiry repeats it (M8)."""
        if task.message != "expired":
            return False
        operation_id = never_notified_operation(context.subject.id)
        entries = await self.referrals.entries(context.reader.key)
        return any(entry.operation_id == operation_id for entry in entries)


def _first_to_retry(deferred: Sequence[MailUnavailable], *, more: bool) -> MailUnavailable | None:
    """The failure that says when to retry a message; None if there is none, or `more` mails can be tried at once.

    A mail that was tried and failed comes before those that a pause held back, and a short pause before a long one.
    """
    tried = [error for error in deferred if not isinstance(error, MailPaused)]
    if tried:
        return tried[0]
    paused = [error for error in deferred if isinstance(error, MailPaused)]
    if more and all(isinstance(error, MailHeld) for error in paused):
        return None
    return min(paused, key=lambda error: error.retry_after, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What the mails of a message share: what it is about, the prefix of their keys, and when it is planned."""

    context: MessageContext
    prefix: str
    now: datetime

    def to_partners(
        self, facts: MailFacts, people: Iterable[Recipient], audience: Audience
    ) -> list[MailRecord]:
        """One mail for each group of readers with one language."""
        private_of: Literal["reviewTeam"] | None = "reviewTeam" if audience in REVIEW_TEAM else None
        return [
            replace(
                self._mail(facts, locale, number),
                recipients=tuple(recipient.email for recipient in readers),
                private_of=private_of,
            )
            for number, (locale, readers) in enumerate(_groups(people))
        ]

    def to_customers(self, facts: CustomerFacts, people: Iterable[Recipient]) -> list[MailRecord]:
        """One mail for each address: a stranger may have named them, and none of them learns of the others (M9)."""
        return [
            replace(
                self._mail(facts, recipient.locale, number),
                recipients=(recipient.email,),
                private_of="customer",
                line=SummaryLine(fact=facts.fact, language=resolve_locale(recipient.locale)),
            )
            for number, recipient in enumerate(people)
        ]

    def _mail(self, facts: MailFacts | CustomerFacts, locale: str, number: int) -> MailRecord:
        """A mail before it has recipients."""
        mail = render(facts, locale)
        return MailRecord(
            referral_id=self.context.subject.id,
            key=_key(self.prefix, number),
            operation_id=operation_within(self.context.subject.id, "mail", self.prefix, str(number)),
            message=facts.kind,
            reader=self.context.reader.key,
            recipients=(),
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            planned_at=self.now,
        )


def _skipped(referral: Referral, prefix: str, task: Notify, now: datetime) -> MailRecord:
    """The record of a message that is never composed: its key is that of the message's first mail."""
    return MailRecord(
        referral_id=referral.id,
        key=_key(prefix, 0),
        operation_id=operation_within(referral.id, "mail", prefix, "0"),
        message=task.message,
        reader=referral.key,
        recipients=(),
        subject="",
        text="",
        html="",
        planned_at=now,
        state="skipped",
        reason="pointless",
    )


def _key(prefix: str, number: int) -> str:
    """The key of a mail of a message; `number` counts from 0."""
    return f"{prefix}{number:02d}"


def _is_of_arrival(stored: Stored[MailRecord]) -> bool:
    return stored.value.message in ARRIVAL_MAILS


def _prefix(label: str, task: Notify) -> str:
    reader = task.party.referral_id if task.party else "own"
    return f"{label}:{task.audience}:{reader}:"


def _groups(people: Iterable[Recipient]) -> Iterator[tuple[str, Sequence[Recipient]]]:
    """Group recipients by language, at most `MAX_MAIL_RECIPIENTS` each. Yields locale and recipients."""
    ordered = sorted(people, key=lambda recipient: resolve_locale(recipient.locale))
    for locale, group in groupby(ordered, key=lambda recipient: resolve_locale(recipient.locale)):
        readers = list(group)
        for start in range(0, len(readers), MAX_MAIL_RECIPIENTS):
            yield locale, readers[start : start + MAX_MAIL_RECIPIENTS]


def _undeliverable(record: MailRecord) -> Undeliverable:
    return Undeliverable(
        operation_id=record.operation_id,
        reader=record.reader,
        message=record.message,
        address=record.private_of or ", ".join(record.recipients),
        reason=record.reason or "refused",
    )
