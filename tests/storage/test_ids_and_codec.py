"""Ids, keys and stored forms: properties that the tables rely on."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import EntryDraft, created
from shared.domain.ids import (
    InquiryId,
    LocationId,
    PersonId,
    ReferralId,
    inverted,
    is_operation_within,
    is_uuid,
    leading_bits,
    operation_within,
    reverted,
    uuid7,
)
from shared.domain.referral import Referral
from shared.domain.timeline import Entry
from shared.domain.work import Invite, NoOp, Notify, UpdateParties, Withdraw, Work, work_of
from shared.errors import RecordTooLarge
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import MAX_KEY_LENGTH, StoredRow
from tests.examples.referrals import CREATOR, NOW, contact, context, referral

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ENTROPY = st.binary(min_size=16, max_size=16)
TEXT = st.text(st.characters(codec="utf-8"), max_size=300)


@given(MOMENTS, ENTROPY)
def test_ids_are_uuids_of_version_seven(now: datetime, entropy: bytes) -> None:
    made = UUID(uuid7(now, entropy))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(now.timestamp() * 1000)


@given(MOMENTS, MOMENTS, ENTROPY, ENTROPY)
def test_ids_sort_as_they_were_drawn_and_inverted_ids_the_other_way(
    a: datetime, b: datetime, x: bytes, y: bytes
) -> None:
    if abs(a - b) >= timedelta(milliseconds=1):
        first, second = uuid7(min(a, b), x), uuid7(max(a, b), y)
        assert first < second
        assert inverted(first) > inverted(second)


@given(st.uuids())
def test_inverting_twice_gives_the_id_back(identifier: UUID) -> None:
    assert reverted(inverted(str(identifier))) == str(identifier)
    assert is_uuid(str(identifier))
    assert not is_uuid(str(identifier).upper().replace("-", ""))


@given(MOMENTS, ENTROPY, TEXT, TEXT)
def test_an_operation_within_a_record_is_a_uuid_of_version_eight_that_begins_as_the_records(
    now: datetime, entropy: bytes, a: str, b: str
) -> None:
    record = uuid7(now, entropy)
    made = operation_within(record, a)
    assert (UUID(made).version, UUID(made).variant) == (8, "specified in RFC 4122")
    assert UUID(made).int >> 80 == UUID(record).int >> 80
    assert made[15:18] == record[15:18]
    assert leading_bits(made) == leading_bits(record)
    assert is_operation_within(made)
    assert not is_operation_within(record)
    assert not is_operation_within(made.upper().replace("-", ""))
    assert (made == operation_within(record, b)) == (a == b)


@given(MOMENTS, ENTROPY, ENTROPY)
def test_records_that_begin_alike_have_operations_of_their_own(now: datetime, x: bytes, y: bytes) -> None:
    """Their leading bits are the same if chance wants it; then the digest differs."""
    one, other = uuid7(now, x), uuid7(now, x[:8] + y[8:])
    assert leading_bits(one) == leading_bits(other)
    assert (operation_within(one, "a") == operation_within(other, "a")) == (one == other)


@given(TEXT, TEXT)
def test_safe_text_holds_nothing_that_keys_may_not_and_stays_distinct(a: str, b: str) -> None:
    assert not set(keys.safe(a)) & set("/\\#?%:\t\n\r")
    assert keys.safe(a).isascii()
    assert (keys.safe(a) == keys.safe(b)) == (a == b)


@given(TEXT, TEXT)
def test_a_bounded_part_fits_and_stays_distinct(a: str, b: str) -> None:
    assert len(keys.bounded(a)) <= keys.MAX_PART_LENGTH
    assert (keys.bounded(a) == keys.bounded(b)) == (a == b)
    assert keys.bounded(a) == keys.safe(a) or len(keys.safe(a)) > keys.MAX_PART_LENGTH


@pytest.mark.parametrize("text", ["x" * 400, "/" * 200, "é" * 200, "한" * 200, "🙂" * 200, "ab_%한🙂" * 50])
@pytest.mark.parametrize("shift", range(4))
def test_a_head_ends_with_a_whole_character_and_starts_all_that_start_so(text: str, shift: int) -> None:
    text = "a" * shift + text
    assert keys.head(text) in {keys.safe(text[:length]) for length in range(len(text))}
    for length in range(1, len(text) + 1):
        assert keys.bounded(text).startswith(keys.head(text[:length]))
    widest = keys.MAX_PART_LENGTH - len("~") - 32
    assert widest - len(keys.safe("🙂")) < len(keys.head(text)) <= widest


def test_two_bounded_parts_and_what_separates_them_fit_into_a_key() -> None:
    assert len(2 * keys.bounded("한" * 255) + "  ") * len("x".encode("utf-16-le")) < 1024


@given(TEXT, TEXT)
def test_the_head_of_a_start_starts_the_bounded_whole(start: str, rest: str) -> None:
    assert keys.bounded(start + rest).startswith(keys.head(start))


@given(st.text("abc:", min_size=1, max_size=5), st.text("abc:~", max_size=6))
def test_a_prefix_range_holds_just_what_starts_with_it(prefix: str, key: str) -> None:
    start, end = keys.starting_with(prefix)
    assert (start <= key < end) == key.startswith(prefix)


def back(codec: Codec, record: object) -> object:
    row = codec.row("key", record)
    assert all(len(str(value).encode("utf-16-le")) <= 64 * 1024 for value in row.values.values())
    return codec.read(StoredRow(row.key, row.values, "etag", "partition", "table"))


@given(TEXT, TEXT, st.integers(0, 40))
def test_a_referral_comes_back_as_it_was_stored(name: str, notes: str, people: int) -> None:
    team = tuple(contact(f"{index}@example.com", first_name=name) for index in range(people))
    record = referral(name=name, notes=notes * 20, team=team)
    assert back(Codec[Referral](Referral), record) == record


@given(TEXT)
def test_entries_and_work_come_back_as_they_were_stored(text: str) -> None:
    change = created(referral(), (EntryDraft(kind="received"),), context(name=text), ())
    assert back(Codec[Entry](Entry), change.entry) == change.entry
    tasks = (
        Invite(parties=(CREATOR,)),
        Withdraw(parties=()),
        UpdateParties(parties=(CREATOR,)),
        Notify(message="won", audience="party", party=CREATOR),
        NoOp(),
    )
    work = work_of(referral().id, "000001", context().operation_id, tasks)
    assert back(Codec[Work](Work), work) == work
    assert work.is_due(NOW)


def test_a_record_over_the_limit_is_refused() -> None:
    with pytest.raises(RecordTooLarge) as refused:
        Codec[Referral](Referral).row("key", referral(notes="가" * 20_000))
    assert refused.value.size > refused.value.limit


ANY_TEXT = st.text(st.characters(), max_size=400)
"""Lone surrogates too."""


@given(ANY_TEXT, st.integers(0, 60))
def test_any_text_fits_into_a_key_with_what_is_beside_it(text: str, beside: int) -> None:
    part = keys.safe(text, beside=beside)
    assert len(part) + beside <= MAX_KEY_LENGTH
    assert part.isascii()
    assert set(part).isdisjoint("/\\#?:")
    assert part.isprintable()


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_parts(a: str, b: str) -> None:
    for one, other in ((a, b), (a * 9, b * 9), (a, keys.safe(b * 9))):
        assert (keys.safe(one) == keys.safe(other)) == (one == other)


@pytest.mark.parametrize("long", ["é" * 300, "x" * 600])
def test_a_text_that_looks_like_a_cut_one_is_another(long: str) -> None:
    cut = keys.safe(long)
    assert len(cut) <= MAX_KEY_LENGTH
    assert keys.safe(cut) != cut
    assert keys.safe(long[:-1] + "è")[:400] == cut[:400], "their heads are the same"
    assert keys.safe(long[:-1] + "è") != cut


def test_what_fitted_into_a_key_has_the_same_key_as_ever() -> None:
    """Rows that earlier versions stored are found: the longest, too."""
    person = PersonId("é" * 85)
    assert keys.person(person) == "p:" + "_C3_A9" * 85
    longest = PersonId("x" * 477)
    assert keys.favorite_prefix(longest) == f"f:{longest}:"
    assert keys.safe("x" * 512) == "x" * 512
    assert keys.location_prefix(LocationId("a b/c_d")) == "l:a b_2Fc_5Fd:"


@given(st.integers(1, 999_999), st.integers(1, 999_999))
def test_messages_sort_by_their_sequence_the_latest_first(a: int, b: int) -> None:
    assert keys.sequence_of(keys.message(a)) == a
    assert (keys.message(a) < keys.message(b)) == (a > b)


@given(MOMENTS, ENTROPY, MOMENTS)
def test_requests_and_inviting_steps_lie_in_the_range_of_their_time(
    now: datetime, entropy: bytes, other: datetime
) -> None:
    end = max(now, other) + timedelta(milliseconds=1)
    for begin in (min(now, other), now):
        start, stop = keys.inquiries_between(begin, end)
        assert start <= keys.inquiry(InquiryId(uuid7(now, entropy))) < stop
        start, stop = keys.inviting_between(begin, end)
        assert start <= (key := keys.inviting_step(now, ReferralId(uuid7(now, entropy)), 7, 20)) < stop
        assert keys.invitations_in(key) == 20
    later = now + timedelta(milliseconds=1)
    assert not keys.inquiries_between(later, end)[0] <= keys.inquiry(InquiryId(uuid7(now, entropy)))
    assert not keys.inviting_between(later, end)[0] <= keys.inviting_step(now, ReferralId("r"), 1, 1)
