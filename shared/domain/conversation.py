"""How much of a deal's conversation somebody has not read (rule N8)."""

from shared.domain.referral import Referral


def unread_messages(deal: Referral, read_until: int) -> int:
    """How many messages there are after the one up to which somebody has read; none before they may read any (E3)."""
    return max(0, deal.last_message - read_until) if deal.accepted_at else 0
