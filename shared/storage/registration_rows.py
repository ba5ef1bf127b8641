"""The rows of a registration: the record, and one row for each review round (G5)."""

from shared.domain.ids import ReferralId
from shared.domain.registration import Registration, ReviewRound
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Upsert

REGISTRATIONS = Codec[Registration](Registration, limit=160 * 1024)
ROUNDS = Codec[ReviewRound](ReviewRound, limit=96 * 1024)
"""The fields of forms and reviews have their own limits, whose sum is below these."""


def registration_operations(deal_id: ReferralId, registration: Registration) -> list[Upsert]:
    """The operations that store a registration; only its latest round can have changed."""
    record = REGISTRATIONS.row(keys.registration(deal_id, registration.id), registration)
    latest = registration.latest
    if latest is None:
        return [Upsert(record)]
    return [
        Upsert(record),
        Upsert(ROUNDS.row(keys.review_round(registration.id, latest.number), latest)),
    ]
