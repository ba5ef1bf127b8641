"""The referrals that invitations and leads become in the partitions of those who receive them.

Each is the same whenever it is computed, so that it can be announced before the deal is stored, and inserted once.
"""

from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.creation import receive_invitation
from shared.domain.ids import OrganizationId, derived_operation
from shared.domain.lead import receive_lead
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral


def arrival_of_invitation(invitation: Referral, deal: Referral, now: datetime) -> Change:
    """The creation of an invitee's referral; `deal` is the creator's referral."""
    return receive_invitation(invitation, deal, _context("invite", invitation, now))


def arrival_of_lead(lead: Referral, by: OrganizationId, now: datetime) -> Change:
    """The creation of a lead; `by` is the application that submitted the request for information."""
    return receive_lead(lead, by, _context("lead", lead, now))


def _context(kind: str, record: Referral, now: datetime) -> CommandContext:
    return CommandContext(actor=SYSTEM_ACTOR, now=now, operation_id=derived_operation(kind, record.id))
