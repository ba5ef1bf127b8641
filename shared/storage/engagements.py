"""Which organizations take part in a deal, and where their referrals are. Membership only: nothing goes stale."""

from dataclasses import dataclass

from shared.domain.ids import EngagementId
from shared.domain.referral import Party, Referral
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The parties of an engagement: its creator, and whom it invited, in order of invitation."""

    creator: Party
    invited: tuple[Party, ...]


_PARTIES = Codec[Party](Party)
_CREATOR = "e"


class Engagements:
    """The repository of engagements. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, engagement_id: EngagementId) -> Membership | None:
        """The members of a deal, or None."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("e"))
        if not rows:
            return None
        invited = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("p:"))
        return Membership(
            creator=_PARTIES.read(rows[0]), invited=tuple(_PARTIES.read(row) for row in invited)
        )

    async def join(self, deal: Referral, invitations: list[Referral]) -> None:
        """Write down the creator and those it invited; to be repeated freely."""
        rows = [_PARTIES.row(_CREATOR, deal.party)]
        rows += [_PARTIES.row(f"p:{invitation.id}", invitation.party) for invitation in invitations]
        await self._tables.write(keys.ENGAGEMENTS, deal.engagement_id, [Upsert(row) for row in rows])
