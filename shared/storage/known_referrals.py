"""The referrals that a request, or a run over its work, has read or written, so that none is read twice."""

from collections.abc import Iterable

from shared.domain.referral import Referral, ReferralKey
from shared.domain.timeline import Entry
from shared.storage.codec import Stored
from shared.storage.referrals import Referrals


class KnownReferrals:
    """Remembers referrals with their ETags, and new timeline entries. Methods that read raise as `Referrals` does.

    What is remembered may be outdated. A change based on it is refused then, since storage compares the ETag.

    It also knows which records were read before a step was committed, and were changed since by their own user alone:
    as long as their ETag is current, they cannot have an entry that the work of that step causes.
    """

    def __init__(self, referrals: Referrals) -> None:
        self._referrals = referrals
        self._records: dict[ReferralKey, Stored[Referral]] = {}
        self._entries: dict[tuple[ReferralKey, int], Entry] = {}
        self._moment = 0
        self._read_at: dict[ReferralKey, int] = {}

    @property
    def moment(self) -> int:
        """A number that grows with each read; taken right after a commit it is for `was_read_by`."""
        return self._moment

    def was_read_by(self, key: ReferralKey, moment: int | None) -> bool:
        """Whether the record as remembered was read by this moment; never without one."""
        return moment is not None and key in self._records and self._read_at[key] <= moment

    async def read(self, key: ReferralKey) -> Stored[Referral] | None:
        """A referral as it is stored now, or None."""
        stored = await self._referrals.get(key)
        self._records.pop(key, None)
        if stored is not None:
            self._remember(key, stored)
        return stored

    async def get(self, key: ReferralKey) -> Stored[Referral] | None:
        """A referral as remembered, else as stored; None if there is none."""
        return self._records.get(key) or await self.read(key)

    async def entry(self, key: ReferralKey, sequence: int) -> Entry | None:
        """A timeline entry as remembered, else as stored; see `Referrals.entry`."""
        return self._entries.get((key, sequence)) or await self._referrals.entry(key, sequence)

    def wrote(self, after: Referral, etag: str | None, entries: Iterable[Entry]) -> None:
        """Remember what was written; without its ETag, which storage did not say, the record is read again."""
        self._entries |= {(after.key, entry.sequence): entry for entry in entries}
        if etag is None:
            self._records.pop(after.key, None)
        elif after.key in self._records:
            self._records[after.key] = Stored(after, etag)
        else:
            self._remember(after.key, Stored(after, etag))

    def _remember(self, key: ReferralKey, stored: Stored[Referral]) -> None:
        self._moment += 1
        self._records[key], self._read_at[key] = stored, self._moment
