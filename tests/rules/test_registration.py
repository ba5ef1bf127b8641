"""A registration's states: whatever is asked of it in which order, it goes only where G4 to G6 let it go."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.deal_registration import delete_draft, record_registrations, status_of
from shared.domain.refusals import NotAllowed, Refusal, TerminalState
from shared.domain.registration import (
    CLOSED,
    Contract,
    FieldError,
    RegisteredCustomer,
    Registration,
    RegistrationContact,
    RegistrationForm,
    ReviewRound,
    Verdict,
    recall,
    require_deletable,
    review,
    save,
    submit,
)
from shared.domain.vocabulary import (
    ConsumptionTenant,
    ContractTerm,
    ContractType,
    Deployment,
    RegistrationKind,
    RegistrationStatus,
    ReviewDecision,
)
from shared.domain.work import FollowReview, Notify
from shared.storage.codec import Codec
from shared.storage.tables import StoredRow
from tests.examples.referrals import CREATOR, NOW, context, creators
from tests.examples.registrations import (
    APPROVAL,
    ASKED,
    FORM,
    REJECTION,
    REQUEST,
    draft,
    in_review,
    sent_back,
)

ALLOWED: dict[RegistrationKind, dict[RegistrationStatus, set[RegistrationStatus]]] = {
    "IpCoSell": {
        "Draft": {"Draft", "ReviewPending"},
        "ReviewPending": {"Draft", "Approved", "Rejected", "ActionRequired"},
        "ActionRequired": {"ActionRequired", "ReviewPending"},
        "Approved": set(),
        "Rejected": set(),
    },
    "IsvConnect": {"Draft": {"Draft", "Submitted"}, "Submitted": set()},
}
"""Where one event can lead (G4)."""
STATUSES: tuple[RegistrationStatus, ...] = get_args(RegistrationStatus)
VERDICTS = {"approve": APPROVAL, "reject": REJECTION, "requestAction": REQUEST}
ERRORS = st.lists(st.sampled_from([*ASKED, FieldError(target="/solutionValue", message="Too high.")]))
FORMS = st.sampled_from([FORM, RegistrationForm(), replace(FORM, solution_value=Decimal(1))])


class Life(RuleBasedStateMachine):
    """Partner, reviewers and clock do as they like; a refusal changes nothing."""

    @initialize(kind=st.sampled_from(["IpCoSell", "IsvConnect"]))
    def begin(self, kind: RegistrationKind) -> None:
        self.now = NOW
        self.faults: tuple[FieldError, ...] = ()
        self.asked: tuple[FieldError, ...] = ()
        self.record = draft(kind=kind)
        self.seen = [self.record]

    @rule(form=FORMS)
    def submit(self, form: RegistrationForm) -> None:
        before = self.record
        self.take(lambda: submit(before, form, self.now), {"Draft", "ActionRequired"})
        if self.record is not before:
            assert (self.record.form, self.record.submitted_at) == (form, self.now)

    @rule(form=FORMS, errors=ERRORS)
    def save(self, form: RegistrationForm, errors: list[FieldError]) -> None:
        before = self.record
        self.take(lambda: save(before, form, tuple(errors), self.now), {"Draft", "ActionRequired"})
        if self.record is not before:
            assert (self.record.form, self.record.status) == (form, before.status)
            self.faults = tuple(errors)

    @rule(decision=st.sampled_from(sorted(VERDICTS)))
    def review(self, decision: str) -> None:
        before = self.record
        self.take(lambda: review(before, VERDICTS[decision], self.now), {"ReviewPending"})
        if self.record is not before:
            self.asked = VERDICTS[decision].errors
            assert self.record.form == before.form, "a review changes nothing of what was sent"

    @rule()
    def recall(self) -> None:
        before = self.record
        self.take(lambda: recall(before, self.now), {"ReviewPending"})
        if self.record is not before:
            assert (self.record.form, self.record.status) == (before.form, "Draft")
            self.faults = ()

    @rule()
    def ask_what_can_be_deleted(self) -> None:
        """G4: a draft, and nothing else; see `test_a_deleted_draft_is_gone_from_its_deal`."""
        if self.record.status == "Draft":
            require_deletable(self.record)
        else:
            with pytest.raises(NotAllowed, match=self.record.status):
                require_deletable(self.record)

    @rule(hours=st.integers(1, 1000))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    def take(self, step: Callable[[], Registration], from_: set[RegistrationStatus]) -> None:
        """Take a step that is possible from these states alone."""
        before = self.record
        if before.status in CLOSED:
            with pytest.raises(TerminalState, match=before.status):
                step()
            return
        if before.status not in from_:
            with pytest.raises(NotAllowed):
                step()
            return
        after = self.record = step()
        assert after.status in ALLOWED[before.kind][before.status]
        assert (after.version, after.updated_at) == (before.version + 1, self.now)
        self.keeps_its_rounds(before, after)
        assert _identity(before) == _identity(after)
        self.seen.append(after)

    @staticmethod
    def keeps_its_rounds(before: Registration, after: Registration) -> None:
        begun, ended = after.rounds > before.rounds, after.status != before.status == "ReviewPending"
        if begun:
            assert after.rounds == before.rounds + 1
        elif ended:
            assert before.latest
            assert after.latest
            assert _as_handed_in(after.latest) == before.latest
        else:
            assert after.latest == before.latest, "what was decided stays"

    @invariant()
    def errors_are_there_while_something_is_to_be_corrected(self) -> None:
        expected = {"Draft": self.faults, "ActionRequired": self.asked}.get(self.record.status, ())
        assert self.record.errors == expected

    @invariant()
    def each_round_but_one_in_review_says_what_was_decided_or_when_it_was_recalled(self) -> None:
        record = self.record
        latest = record.latest
        earlier = {each.rounds: each.latest for each in self.seen if each.rounds < record.rounds}
        assert set(earlier) >= set(range(1, record.rounds))
        for each in (last for number, last in earlier.items() if number):
            assert each
            ended = each.decided_at or each.recalled_at
            assert ended
            assert each.submitted_at <= ended
            decided = ("requestAction", True, "Dee") if each.recalled_at is None else (None, False, None)
            assert (each.decision, bool(each.errors), each.reviewer) == decided
        if record.status in {"Draft", "ReviewPending", "Submitted"}:
            assert record.decided_at is None
            recalled_at = latest.recalled_at if latest else None
            assert bool(recalled_at) == (latest is not None and record.status == "Draft")
            assert latest is None or latest == replace(_as_handed_in(latest), recalled_at=recalled_at)
        else:
            assert latest
            assert latest.decided_at
            assert VERDICTS[latest.decision].reason == latest.reason
            assert {"Approved": "approve", "Rejected": "reject", "ActionRequired": "requestAction"}[
                record.status
            ] == latest.decision

    @invariant()
    def only_what_is_decided_for_good_or_complete_is_closed(self) -> None:
        assert self.record.closed == (self.record.status in {"Submitted", "Approved", "Rejected"})
        assert self.record.closed == (not ALLOWED[self.record.kind][self.record.status])

    @invariant()
    def the_deal_shows_what_the_record_says(self) -> None:
        shown, record = self.record.summary, self.record
        assert (shown.id, shown.kind, shown.solution_id) == (record.id, record.kind, record.solution_id)
        assert shown.status == record.status

    @invariant()
    def reviewers_see_what_was_handed_in(self) -> None:
        if self.record.status in {"ReviewPending", "Approved", "Rejected", "Submitted"}:
            assert self.record.submitted_form == self.record.form

    @invariant()
    def it_comes_back_as_it_was_stored(self) -> None:
        assert _back(self.record) == self.record

    @precondition(lambda self: self.record.closed)
    @rule(form=FORMS)
    def nothing_whatever_changes_it_any_more(self, form: RegistrationForm) -> None:
        for step in (
            lambda: submit(self.record, form, self.now),
            lambda: save(self.record, form, (), self.now),
            lambda: review(self.record, APPROVAL, self.now),
            lambda: recall(self.record, self.now),
            lambda: require_deletable(self.record),
        ):
            with pytest.raises(Refusal):
                step()


def _as_handed_in(latest: ReviewRound) -> ReviewRound:
    return ReviewRound(number=latest.number, form=latest.form, submitted_at=latest.submitted_at)


def _identity(record: Registration) -> tuple[object, ...]:
    changing = {"form", "status", "errors", "latest", "updated_at", "version"}
    return tuple(getattr(record, each.name) for each in fields(record) if each.name not in changing)


def _back(record: Registration) -> Registration:
    codec = Codec[Registration](Registration)
    row = codec.row("key", record)
    return codec.read(StoredRow(row.key, row.values, "etag", "partition", "table"))


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)

TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=60)
AMOUNT = st.none() | st.decimals(0, 10**12, places=2)
MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _one_of(type_: object) -> st.SearchStrategy[object]:
    return st.none() | st.sampled_from(get_args(type_))


FIELD_ERRORS = st.lists(
    st.builds(FieldError, target=st.text(max_size=30), message=st.text(max_size=30)), max_size=3
).map(tuple)
STORED = st.builds(
    draft,
    kind=st.sampled_from(get_args(RegistrationKind)),
    referral=st.sampled_from([CREATOR, None]),
    status=st.sampled_from(STATUSES),
    form=st.builds(
        RegistrationForm,
        solution_id=TEXT,
        contract_type=_one_of(ContractType),
        contract=st.builds(
            Contract,
            value=AMOUNT,
            currency=TEXT,
            signed_at=st.none() | MOMENT,
            starts_at=st.none() | MOMENT,
            ends_at=st.none() | MOMENT,
            term=_one_of(ContractTerm),
        ),
        solution_value=AMOUNT,
        deployed_on=_one_of(Deployment),
        consumption_tenant=_one_of(ConsumptionTenant),
        customer=st.builds(RegisteredCustomer, name=TEXT, country=TEXT, city=TEXT, state=TEXT),
        contact=st.builds(
            RegistrationContact, first_name=TEXT, last_name=TEXT, phone_number=TEXT, email=TEXT
        ),
        contract_names_both=st.booleans(),
    ),
    errors=FIELD_ERRORS,
    latest=st.none()
    | st.builds(
        ReviewRound,
        number=st.integers(1, 10**4),
        form=FORMS,
        submitted_at=MOMENT,
        decision=_one_of(ReviewDecision),
        decided_at=st.none() | MOMENT,
        reviewer=TEXT,
        reason=TEXT,
        errors=FIELD_ERRORS,
        recalled_at=st.none() | MOMENT,
    ),
    created_at=MOMENT,
    updated_at=MOMENT,
    version=st.integers(0, 10**6),
)


@given(STORED)
def test_any_registration_comes_back_as_it_was_stored(record: Registration) -> None:
    assert _back(record) == record


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_record_in_review_is_decided(status: RegistrationStatus) -> None:
    """G5."""
    record = replace(in_review(), status=status)
    if status == "ReviewPending":
        assert review(record, APPROVAL, NOW).status == "Approved"
        return
    with pytest.raises(TerminalState if status in CLOSED else NotAllowed):
        review(record, APPROVAL, NOW)


def test_an_isv_connect_record_is_complete_at_once_and_never_reviewed() -> None:
    """G4, G5."""
    record = submit(draft(kind="IsvConnect"), FORM, NOW)
    assert (record.status, record.closed, record.version) == ("Submitted", True, 1)
    with pytest.raises(TerminalState):
        review(record, APPROVAL, NOW)


def test_a_correction_kept_for_later_neither_loses_what_was_asked_for_nor_begins_a_round() -> None:
    before = sent_back()
    after = save(before, RegistrationForm(), (FieldError(target="/solutionValue", message="Missing."),), NOW)
    assert (after.status, after.errors, after.latest) == ("ActionRequired", ASKED, before.latest)


def test_every_round_is_kept_with_what_was_decided_by_whom_and_why() -> None:
    later = NOW + timedelta(days=3)
    again = submit(sent_back(), FORM, later)
    done = review(again, REJECTION, later + timedelta(days=1))
    assert sent_back().latest == ReviewRound(
        number=1,
        form=FORM,
        submitted_at=NOW,
        decision="requestAction",
        decided_at=NOW,
        reviewer="Dee",
        errors=ASKED,
    )
    assert done.latest == ReviewRound(
        number=2,
        form=FORM,
        submitted_at=later,
        decision="reject",
        decided_at=later + timedelta(days=1),
        reviewer="Dee",
        reason=REJECTION.reason,
    )


TOLD = {
    "ReviewPending": Notify(
        message="registrationSubmitted", audience="reviewers", registration=draft().id, round=1
    ),
    "ActionRequired": Notify(
        message="actionRequired", audience="registrants", registration=draft().id, round=1
    ),
    "Approved": Notify(
        message="registrationApproved", audience="registrants", registration=draft().id, round=1
    ),
    "Rejected": Notify(
        message="registrationRejected", audience="registrants", registration=draft().id, round=1
    ),
}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, save(draft(), FORM, (), NOW), None),
        (None, submit(draft(kind="IsvConnect"), FORM, NOW), None),
        (None, in_review(), "ReviewPending"),
        (draft(), in_review(), "ReviewPending"),
        (draft(), save(draft(), FORM, (), NOW), None),
        (in_review(), sent_back(), "ActionRequired"),
        (sent_back(), submit(sent_back(), FORM, NOW), "ReviewPending"),
        (sent_back(), save(sent_back(), FORM, (), NOW), None),
        (in_review(), review(in_review(), APPROVAL, NOW), "Approved"),
        (in_review(), review(in_review(), REJECTION, NOW), "Rejected"),
        (in_review(), recall(in_review(), NOW), None),
        (recall(in_review(), NOW), submit(recall(in_review(), NOW), FORM, NOW), "ReviewPending"),
    ],
)
def test_each_change_is_told_once_in_the_timeline_and_a_new_state_by_mail(
    before: Registration | None, after: Registration, told: str | None
) -> None:
    """G6, M4: the mail goes with the state, not with every change."""
    deal = creators(registrations=(before.summary,) if before else ())
    change = record_registrations(deal, (after,), context(), "because")
    (entry,) = change.entries
    assert (entry.kind, entry.reason) == ("registrationChanged", "because")
    assert (entry.from_state, entry.to_state) == (before.status if before else None, after.status)
    assert entry.details == {"registrationId": after.id, "kind": after.kind, "solution": "Solution"}
    assert change.after.registrations == (after.summary,)
    assert (change.registrations, change.after.version) == ((after,), deal.version + 1)
    assert change.work
    follow, *mails = [state.task for state in change.work.tasks]
    assert follow == FollowReview(registration=after.id)
    assert mails == ([replace(TOLD[told], round=after.rounds)] if told else [])


def test_two_records_of_one_request_are_one_step_with_an_entry_each() -> None:
    """G4."""
    isv = submit(draft(kind="IsvConnect", id="a"), FORM, NOW)
    ip = in_review(id="b")
    change = record_registrations(creators(), (ip, isv), context())
    assert [entry.to_state for entry in change.entries] == ["ReviewPending", "Submitted"]
    assert change.after.registrations == (isv.summary, ip.summary)
    assert change.registrations == (ip, isv)


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_record_in_review_is_recalled(status: RegistrationStatus) -> None:
    """G5."""
    record = replace(in_review(), status=status)
    if status == "ReviewPending":
        after = recall(record, NOW + timedelta(hours=1))
        assert (after.status, after.errors, after.form) == ("Draft", (), record.form)
        assert record.latest
        assert after.latest == replace(record.latest, recalled_at=NOW + timedelta(hours=1))
        return
    with pytest.raises(TerminalState if status in CLOSED else NotAllowed, match=status):
        recall(record, NOW)


def test_what_was_recalled_and_is_submitted_again_opens_the_next_round() -> None:
    """G5: whatever the reviewers asked for before."""
    again = submit(sent_back(), FORM, NOW)
    third = submit(recall(again, NOW), RegistrationForm(), NOW + timedelta(days=1))
    assert third.latest == ReviewRound(
        number=3, form=RegistrationForm(), submitted_at=NOW + timedelta(days=1)
    )
    assert review(third, APPROVAL, NOW + timedelta(days=2)).status == "Approved"


@pytest.mark.parametrize("before", [save(draft(), FORM, (), NOW), recall(in_review(), NOW)])
def test_a_deleted_draft_is_gone_from_its_deal_and_the_timeline_says_so(before: Registration) -> None:
    """G4."""
    other = submit(draft(kind="IsvConnect", id="other"), FORM, NOW)
    deal = creators(registrations=(before.summary, other.summary))
    change = delete_draft(deal, before, context())
    assert change.after.registrations == (other.summary,)
    assert (change.registrations, change.deleted_registrations) == ((), (before.id,))
    assert change.after.version == deal.version + 1
    (entry,) = change.entries
    assert (entry.kind, entry.from_state, entry.to_state) == ("registrationChanged", "Draft", "Deleted")
    assert entry.details == {"registrationId": before.id, "kind": before.kind, "solution": "Solution"}
    assert change.work
    assert [state.task for state in change.work.tasks] == [FollowReview(registration=before.id)]


@pytest.mark.parametrize("status", sorted({*STATUSES} - {"Draft"}))
def test_only_a_draft_is_deleted(status: RegistrationStatus) -> None:
    """G4."""
    record = replace(in_review(), status=status)
    with pytest.raises(NotAllowed, match=status):
        delete_draft(creators(registrations=(record.summary,)), record, context())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (in_review(), None),
        (review(in_review(), REJECTION, NOW), REJECTION.reason),
        (review(in_review(), replace(REQUEST, reason="See the fields."), NOW), "See the fields."),
        (submit(review(in_review(), replace(REQUEST, reason="See."), NOW), FORM, NOW), None),
        (review(in_review(), replace(APPROVAL, reason="Well done."), NOW), None),
    ],
)
def test_the_reviewers_reason_stands_while_it_is_rejected_or_sent_back(
    record: Registration, reason: str | None
) -> None:
    """G6."""
    assert record.reason == reason


WORST = ["ActionRequired", "ReviewPending", "Rejected", "Approved", "Submitted"]


@given(st.lists(st.sampled_from(STATUSES), max_size=5), st.booleans())
def test_a_deal_shows_the_worst_of_its_registrations_else_whether_it_can_be_registered(
    statuses: list[RegistrationStatus], eligible: bool
) -> None:
    """G2; drafts are nobody's milestone."""
    deal = creators(registrations=tuple(replace(draft().summary, status=each) for each in statuses))
    expected = next((each for each in WORST if each in statuses), "Eligible" if eligible else None)
    assert status_of(deal, eligible=eligible) == expected


def test_a_verdict_leaves_no_trace_of_an_earlier_one() -> None:
    done = review(submit(sent_back(), FORM, NOW), Verdict(decision="approve", reviewer="Roy"), NOW)
    assert (done.errors, done.latest.errors, done.latest.reason) == ((), (), None)
