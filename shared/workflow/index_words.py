"""Write the rows by which a record is found by words, which its step had no room for (N4)."""

from collections.abc import Iterable

from shared.domain.referral import ReferralKey
from shared.domain.search_words import words_of
from shared.errors import Contended
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals

ATTEMPTS = 5


async def index_words(
    referrals: Referrals, known: KnownReferrals, record: ReferralKey, earlier: Iterable[str]
) -> None:
    """Index the words of the record as it is now, and again if it has others by the time they are written.

    `earlier` are words that it was found by before. Raises `Contended`, `StoreUnavailable`.
    """
    stale, stored = set(earlier), await known.read(record)
    for _ in range(ATTEMPTS):
        if stored is None:
            return
        words = words_of(stored.value)
        await referrals.index_words(stored.value, stale)
        stale, stored = stale | words, await known.read(record)
        if stored and words_of(stored.value) == words:
            return
    raise Contended(f"The words of referral {record.referral_id} kept changing; they are written later.")
