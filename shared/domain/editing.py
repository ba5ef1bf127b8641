"""Editing an Active referral (rules E): fields, Q1 and Q2, and the stage change together or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from shared.domain.catalogue import Catalogue
from shared.domain.change import ChangeBuilder, EntryDraft
from shared.domain.draft import ContactDraft, DealDraft, TermsDraft
from shared.domain.field_rules import (
    faults_of_currency,
    faults_of_date,
    faults_of_size,
    faults_of_solutions,
    faults_of_team,
    faults_of_value,
)
from shared.domain.invitation_rules import faults_of_microsofts_needs
from shared.domain.inviting import chosen_solution, update_deal_type
from shared.domain.referral import Contact, Referral, Solution
from shared.domain.refusals import Fault
from shared.domain.vocabulary import NO_HELP

MAX_REMOVED = 25
"""How many people one edit can remove from a team: their list rows share its transaction, which keeps room for five
rows more than any step needs (100 operations)."""
_EDITABLE = (
    *("name", "external_reference_id", "campaign_id", "notes", "team", "customer", "terms"),
    *("consent", "invite_context"),
)


def apply_draft(before: Referral, draft: DealDraft, catalogue: Catalogue) -> Referral:
    """The record with the fields of a draft without faults. Q1 and Q2 are not among them."""
    return replace(
        before,
        name=draft.name or before.name,
        external_reference_id=draft.external_reference_id,
        campaign_id=draft.campaign_id,
        notes=draft.notes,
        team=tuple(contact.complete() for contact in draft.team),
        customer=replace(before.customer, team=tuple(each.complete() for each in draft.customer.team)),
        invite_context=replace(before.invite_context, notes=draft.invite_notes),
        consent=replace(
            before.consent, share_contact=draft.consent.share_contact, contact=draft.consent.contact
        ),
        terms=replace(
            before.terms,
            deal_value=draft.terms.deal_value or before.terms.deal_value,
            currency=draft.terms.currency or before.terms.currency,
            closing_at=draft.terms.closing_at or before.terms.closing_at,
            solutions=tuple(_solution(each, before, catalogue) for each in draft.terms.solutions),
        ),
    )


def apply_edit(builder: ChangeBuilder, edited: Referral) -> ChangeBuilder:
    """Add the edited fields to a change; add nothing if no field differs (E1)."""
    new: dict[str, Any] = {
        name: getattr(edited, name)
        for name in _EDITABLE
        if getattr(edited, name) != getattr(builder.after, name)
    }
    return update_deal_type(builder.then(EntryDraft(kind="edited"), **new)) if new else builder


def share_with_microsoft(builder: ChangeBuilder) -> ChangeBuilder:
    """Add the creator's yes to Q2: Microsoft's sellers can see the deal (T2, E4)."""
    deal = builder.after
    answered = replace(deal, consent=replace(deal.consent, microsoft_may_view=True))
    return update_deal_type(replace(builder, after=answered))


def faults_of_edit(
    before: Referral, draft: DealDraft, catalogue: Catalogue, today: date
) -> tuple[Fault, ...]:
    """All faults of the fields that an edit changes; unchanged fields are not checked again (C6, E1)."""
    return (
        *_faults_of_terms(before, draft.terms, catalogue, today),
        *_faults_of_team(before.team, draft.team),
        *_faults_of_customer(before, draft),
    )


def _faults_of_terms(
    before: Referral, terms: TermsDraft, catalogue: Catalogue, today: date
) -> Iterator[Fault]:
    old = before.terms
    value = old.deal_value if terms.deal_value is None else terms.deal_value
    currency = terms.currency or old.currency
    if (value, currency) != (old.deal_value, old.currency):
        yield from faults_of_value(value, currency, catalogue.decimals, "/details/dealValue")
    if currency != old.currency:
        yield from faults_of_currency(currency, catalogue.decimals, "/details/currency")
    if terms.closing_at != old.closing_at:
        yield from faults_of_date(terms.closing_at, today, "/details/closingDateTime")
    unchanged = {solution.id for solution in old.solutions}
    new = tuple(None if solution in unchanged else solution for solution in terms.solutions)
    yield from faults_of_solutions(new, catalogue.solutions, "/details/requirements/solutions")


def _faults_of_team(before: tuple[Contact, ...], after: tuple[ContactDraft, ...]) -> Iterator[Fault]:
    if before and not after:
        yield Fault(
            "required", "/team", "Keep at least one member: the last member of a team cannot be removed."
        )
    yield from faults_of_removals(before, after)
    if drafts_of(before) != after:
        yield from faults_of_team(after, "/team")


def _faults_of_customer(before: Referral, draft: DealDraft) -> Iterator[Fault]:
    """A deal that invites Microsoft has, and keeps, what an invitation of Microsoft requires (rules C)."""
    invites_microsoft = draft.microsoft_code != NO_HELP
    changed = drafts_of(before.customer.team) != draft.customer.team
    if (
        before.belongs_to_creator
        and invites_microsoft
        and (changed or before.invite_context.help_code == NO_HELP)
    ):
        yield from faults_of_microsofts_needs(draft.customer.team, draft.consent.share_contact)
    elif changed:
        yield from faults_of_size(draft.customer.team, "/customerProfile/team")


def faults_of_removals(
    before: tuple[Contact, ...], after: tuple[ContactDraft, ...], most: int = MAX_REMOVED
) -> Iterator[Fault]:
    """One request can remove at most so many people from a team."""
    removed = {contact.email.casefold() for contact in before} - {(c.email or "").casefold() for c in after}
    if len(removed) > most:
        yield Fault("tooLong", "/team", f"Remove at most {most} people from the team in this request.")


def drafts_of(contacts: tuple[Contact, ...]) -> tuple[ContactDraft, ...]:
    """Contacts as drafts, to compare them with a request."""
    return tuple(
        ContactDraft(
            first_name=contact.first_name or None,
            last_name=contact.last_name or None,
            phone_number=contact.phone_number or None,
            email=contact.email or None,
            title=contact.title,
            locale=contact.locale,
            disable_notifications=contact.disable_notifications,
        )
        for contact in contacts
    )


def _solution(solution_id: str | None, before: Referral, catalogue: Catalogue) -> Solution:
    """A solution that the deal already has stays as stored; a new one comes from the catalogue."""
    existing = next((solution for solution in before.terms.solutions if solution.id == solution_id), None)
    if existing:
        return existing
    chosen = catalogue.solutions[solution_id or ""]
    return chosen_solution(chosen, before.organization_id)
