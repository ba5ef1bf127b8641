"""The links by which customers choose again, found by the hash of their secret, which is not stored here (R8)."""

import hashlib
from dataclasses import dataclass, replace

from shared.domain.choices import CHOICE_LASTS, Choice
from shared.domain.ids import InquiryId, OrganizationId, uuid7
from shared.domain.referral import Referral
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.tables import Insert, Replace, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A company that was chosen, and the request that the link made."""

    organization_id: OrganizationId
    inquiry: InquiryId


_CHOICES, _CLAIMS = Codec[Choice](Choice), Codec[Claim](Claim)
_LONGEST_SECRET = 100


class Choices:
    """The repository of choices. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def offer(self, secret: str, lead: Referral) -> None:
        """Store what a link leads to, 30 days from when the lead was closed; idempotent."""
        since, digest = lead.closed_at or lead.updated_at, _digest(secret)
        choice = Choice(
            lead=lead.key,
            inquiry=InquiryId(uuid7(since, digest[:16])),
            expires_at=since + CHOICE_LASTS,
        )
        row = _CHOICES.row(keys.CHOICE, choice)
        try:
            await self._tables.write(keys.CHOICES, digest.hex(), [Insert(row)])
        except StoreConflict:
            return

    async def get(self, secret: str) -> Stored[Choice] | None:
        """What a link leads to, used and over or not; None of a secret that nobody was given."""
        if not secret.isascii() or len(secret) > _LONGEST_SECRET:
            return None
        row = await self._tables.get(keys.CHOICES, _digest(secret).hex(), keys.CHOICE)
        return Stored(_CHOICES.read(row), row.etag) if row else None

    async def chosen(self, first: InquiryId | None) -> dict[OrganizationId, InquiryId]:
        """The companies that were chosen by links of a customer's request, and which request each link made."""
        if first is None:
            return {}
        rows = await self._tables.between(keys.CHOICES, keys.chosen_of(first), "", "\x7f")
        claims = _CLAIMS.each_readable(rows)
        return {each.organization_id: each.inquiry for each in claims}

    async def claim(
        self, first: InquiryId | None, organization_id: OrganizationId, inquiry: InquiryId
    ) -> bool:
        """Choose a company for the request of a link; False if another link of the request has it.

        A link that was cut off and chooses the same company again has it.
        """
        if first is None:
            return True
        claim = Claim(organization_id=organization_id, inquiry=inquiry)
        row = _CLAIMS.row(keys.safe(organization_id), claim)
        try:
            await self._tables.write(keys.CHOICES, keys.chosen_of(first), [Insert(row)])
        except StoreConflict:
            return (await self.chosen(first)).get(organization_id) == inquiry
        return True

    async def use_up(self, secret: str, choice: Stored[Choice]) -> None:
        """Store that a company was chosen; idempotent."""
        row = _CHOICES.row(keys.CHOICE, replace(choice.value, used=True))
        try:
            await self._tables.write(keys.CHOICES, _digest(secret).hex(), [Replace(row, choice.etag)])
        except StoreConflict:
            return


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
