"""A registration as rows: the record, and each round of its review, of which there may be any number (G5)."""

from shared.domain.ids import ReferralId
from shared.domain.registration import Registration, ReviewRound
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Upsert

REGISTRATIONS = Codec[Registration](Registration, limit=160 * 1024)
ROUNDS = Codec[ReviewRound](ReviewRound, limit=96 * 1024)
"""The fields of a form and of a review have limits of their own, which together stay below these."""


def registration_operations(deal_id: ReferralId, registration: Registration) -> list[Upsert]:
    """What stores a registration as it is now; a step changes no round but the latest."""
    record = REGISTRATIONS.row(keys.registration(deal_id, registration.id), registration)
    latest = registration.latest
    if latest is None:
        return [Upsert(record)]
    return [
        Upsert(record),
        Upsert(ROUNDS.row(keys.review_round(registration.id, latest.number), latest)),
    ]
