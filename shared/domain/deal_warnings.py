"""Warnings about a deal or lead: it is allowed as it is, but its owner may expect something else (G1, R7, C3)."""

from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.domain.vocabulary import MICROSOFT, WarningCode


@dataclass(frozen=True, slots=True)
class DealWarning:
    """One warning; `target` is the JSON Pointer of the field that it is about, None if it is about the whole deal."""

    code: WarningCode
    target: str | None = None


DEFAULT_LOCATION = DealWarning("defaultLocation", "/location")
"""The request named no location, so the organization's default one was taken (rules C)."""


def registration_warnings(deal: Referral) -> tuple[DealWarning, ...]:
    """Why a deal with an IP incentive could not be registered once it is won, unless something is done before (G1).

    A private deal cannot be registered, nor can a lead that was not converted (R7).
    """
    if not any(solution.has_ip_incentive for solution in deal.terms.solutions):
        return ()
    if deal.deal_type == "Private":
        return (DealWarning("privateNotRegistrable"),)
    return (DealWarning("convertBeforeWon"),) if deal.is_lead and deal.status == "Active" else ()


def warnings_about(deal: Referral) -> tuple[DealWarning, ...]:
    """All warnings that the record itself shows."""
    hidden = (DealWarning("notesNotShared", "/details/notes"),) if _hides_notes(deal) else ()
    return (*registration_warnings(deal), *hidden)


def not_kept(paths: tuple[str, ...]) -> tuple[DealWarning, ...]:
    """Documented fields that were sent, by their JSON Pointers, but are not stored."""
    return tuple(DealWarning("notKept", path) for path in paths)


def _hides_notes(deal: Referral) -> bool:
    """Whether Microsoft is invited without a word although the deal has notes, which only its owner sees (V1).

    A converted lead keeps the customer's words in place of those that Microsoft got, so its record does not show it.
    """
    invited = any(each.party.organization_id == MICROSOFT for each in deal.invited)
    return invited and bool(deal.notes) and not deal.invite_context.notes and deal.inquiry is None
