"""Read from the tables who may read a mail; `shared.domain.recipients` picks its recipients among them (M1 to M4)."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.directory import Person
from shared.domain.ids import OrganizationId
from shared.domain.recipients import Readers
from shared.domain.referral import Contact, Referral
from shared.domain.registration import Registration
from shared.domain.vocabulary import MICROSOFT
from shared.domain.work import Audience, Notify
from shared.mail.message_context import MessageContext
from shared.storage.directory import Directory
from shared.storage.profiles import Profiles
from shared.storage.registrations import Registrations
from shared.storage.routing import Routing

REVIEW_TEAM: frozenset[Audience] = frozenset({"reviewers", "reviewLead"})
"""Audiences whose addresses no partner may see."""
_ASKED: frozenset[Audience] = frozenset({"invitee", "alerted", "answerers"})
"""Audiences who are asked for an answer; the others are the referral's team, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailReaders:
    """Finds the possible readers of a mail."""

    directory: Directory
    profiles: Profiles
    registrations: Registrations
    routing: Routing

    async def of(self, task: Notify, context: MessageContext) -> Readers:
        """Read those who may get a mail. Raises `StoreUnavailable`."""
        reader, registration = context.reader, context.registration
        if task.audience == "customer":
            return Readers(people=())  # its contacts are in the lead, and it is no organization of ours
        if registration and task.audience in REVIEW_TEAM:
            return await self._reviewers(task, registration)
        people = await self.directory.people(reader.organization_id)
        contacts = await self._contacts(task.audience, reader)
        registrant = _registrant(registration) if registration else ()
        return Readers(
            people=people,
            contacts=contacts,
            team=await self._routed_team(reader),
            registrant=registrant,
            foreign=await self._foreign(reader, people, (*contacts, *registrant)),
        )

    async def _foreign(
        self, reader: Referral, people: Iterable[Person], others: Iterable[Contact]
    ) -> frozenset[str]:
        """The addresses of contacts and team whom the directory has in other organizations alone (M11).

        One request for each address that the reader's organization does not have, and those are few.
        """
        own = {person.email.casefold() for person in people}
        unknown = {contact.email.casefold() for contact in (*reader.team, *others)} - own
        listed = await asyncio.gather(*map(self.directory.organizations_of_address, sorted(unknown)))
        return frozenset(
            address
            for address, organizations in zip(sorted(unknown), listed, strict=True)
            if organizations and reader.organization_id not in organizations
        )

    async def _reviewers(self, task: Notify, registration: Registration) -> Readers:
        microsoft = await self.directory.organization(MICROSOFT)
        lead = microsoft.review_lead if microsoft else None
        entry = await self.registrations.index_entry(registration.id)
        assigned_to = entry.assigned_to if entry else None
        reviewer = lead if task.audience == "reviewLead" else assigned_to
        people = await self.directory.people(OrganizationId(MICROSOFT))
        return Readers(people=people, reviewers=(reviewer,) if reviewer else ())

    async def _contacts(self, audience: Audience, reader: Referral) -> tuple[Contact, ...]:
        """Those whom the referral was sent to; without a team, news of it go to the contacts of its location now.

        A referral that arrived before it kept the former is sent to the latter, who cannot answer it.
        """
        if audience in _ASKED and reader.asked is not None:
            return reader.asked
        if audience == "answerers" or (audience not in _ASKED and reader.team):
            return ()
        return await self._profile_contacts(reader)

    async def _profile_contacts(self, reader: Referral) -> tuple[Contact, ...]:
        organization = await self.directory.organization(reader.organization_id)
        location = organization.location(reader.location) if organization else None
        profile = await self.profiles.get(reader.organization_id, location.country) if location else None
        return profile.contacts_of(reader.location) if profile and profile.active else ()

    async def _routed_team(self, reader: Referral) -> tuple[str, ...]:
        if reader.routed is None:
            return ()
        team = (await self.routing.get()).team(reader.routed.team)
        return team.members if team else ()


def _registrant(registration: Registration) -> tuple[Contact, ...]:
    contact = registration.submitted_form.contact
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
