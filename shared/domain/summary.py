"""Counts of referrals by tab and state, with the value that was won (rule N5)."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from shared.domain.referral import Referral
from shared.domain.vocabulary import Status, Substatus

TabName = Literal["inbound", "outbound", "favorites", "marketplaceLeads", "qualifiedLeads", "favoriteLeads"]
"""The tabs of opportunities and those of leads, with each kind's favorites (N1)."""


@dataclass(slots=True)
class TabSummary:
    """How many referrals of a tab are in each state, and the value of those won by currency (ISO 4217)."""

    counts: Counter[tuple[Status, Substatus]] = field(default_factory=Counter[tuple[Status, Substatus]])
    won: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, referral: Referral) -> None:
        """Count a referral."""
        self.counts[referral.status, referral.substatus] += 1
        value, currency = referral.terms.deal_value, referral.terms.currency
        if referral.substatus == "Won" and value is not None and currency is not None:
            self.won[currency] += value


def tabs_of(referral: Referral, *, favorite: bool) -> tuple[TabName, ...]:
    """The tabs that list a referral (N1, N2): its own, and the favorites of its kind."""
    tab: TabName
    if referral.is_lead:
        tab = "marketplaceLeads" if referral.qualification == "Direct" else "qualifiedLeads"
        return (tab, "favoriteLeads") if favorite else (tab,)
    tab = "inbound" if referral.direction == "Incoming" else "outbound"
    return (tab, "favorites") if favorite else (tab,)
