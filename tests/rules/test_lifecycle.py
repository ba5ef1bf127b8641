"""The life of a referral as pure rules (L1 to L9): every verb in every state, and no way out of the allowed graph."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.actions import allowed_actions
from shared.domain.change import Change, ChangeBuilder
from shared.domain.lifecycle import (
    Acceptance,
    ClosingStatement,
    accept,
    apply_party_change,
    decline,
    expire,
    is_overdue,
    lose,
    win,
    withdraw,
    withdraws_invitation,
)
from shared.domain.referral import Contact, Referral
from shared.domain.refusals import NotAllowed, Refusal, TerminalState
from shared.domain.work import Notify, TouchParties, UpdateParties, Withdraw
from tests.examples.referrals import CREATOR, NOW, contact, context, creators, invited, referral

STATEMENT = ClosingStatement(reason="TimelineTooShort", notes="Too soon.")
VERBS = {
    "accept": lambda r, a: accept(r, Acceptance(), a, creator=creators()),
    "decline": lambda r, a: decline(r, STATEMENT, a),
    "win": lambda r, a: win(ChangeBuilder.of(r), None, a),
    "lose": lambda r, a: lose(ChangeBuilder.of(r), STATEMENT, a),
}
STATES = {
    "New": referral(),
    "Active": referral(status="Active", substatus="Accepted", accepted_at=NOW),
    **{
        name: referral(status="Closed", substatus=name, closed_at=NOW)
        for name in ("Won", "Lost", "Declined", "Expired")
    },
}
TABLE = """
         accept           decline          win           lose
New      Active/Accepted  Closed/Declined  NotAllowed    NotAllowed
Active   NotAllowed       NotAllowed       Closed/Won    Closed/Lost
Won      TerminalState    TerminalState    TerminalState TerminalState
Lost     TerminalState    TerminalState    TerminalState TerminalState
Declined TerminalState    TerminalState    TerminalState TerminalState
Expired  TerminalState    TerminalState    TerminalState TerminalState
"""
HEAD, *LINES = TABLE.strip().splitlines()
CELLS = [
    (state, verb, outcome)
    for line in LINES
    for state, *outcomes in [line.split()]
    for verb, outcome in zip(HEAD.split(), outcomes, strict=True)
]


@pytest.mark.parametrize(("state", "verb", "outcome"), CELLS)
def test_every_verb_in_every_state(state: str, verb: str, outcome: str) -> None:
    """L1, L5, L6: the table is the rule."""
    try:
        reached = VERBS[verb](STATES[state], context()).after.state
    except Refusal as refused:
        reached = type(refused).__name__
    assert reached == outcome
    allowed = verb in allowed_actions(STATES[state], NOW)
    assert allowed == ("/" in outcome)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=1), timedelta(days=300)])
def test_a_command_after_the_deadline_makes_the_expiry_and_is_refused(verb: str, late: timedelta) -> None:
    """L4: the deadline is the record's."""
    change = VERBS[verb](referral(), context(NOW + timedelta(days=14) + late))
    assert (change.after.state, change.entry.kind) == ("Closed/Expired", "expired")
    assert isinstance(change.refusal, TerminalState)
    assert change.entry.actor.name is None


def test_the_last_moment_before_the_deadline_still_counts() -> None:
    """L4: the deadline is the record's."""
    moment = NOW + timedelta(days=14) - timedelta(microseconds=1)
    assert not is_overdue(referral(), moment)
    assert VERBS["accept"](referral(), context(moment)).after.state == "Active/Accepted"


def test_an_acceptance_keeps_what_the_invitation_said_unless_it_says_otherwise() -> None:
    """L2: pre-filled."""
    invited = referral()
    kept = accept(invited, Acceptance(), context(), creator=creators()).after
    assert (kept.name, kept.terms, kept.team, kept.sales_stage) == (
        invited.name,
        invited.terms,
        (),
        "Accepted",
    )
    team = (contact("kim@fabrikam.com"),)
    said = Acceptance(
        name="Ours", deal_value=invited.terms.deal_value * 2, team=team, external_reference_id="CRM-2"
    )
    changed = accept(invited, said, context(), creator=creators())
    after = changed.after
    assert (after.name, after.team, after.external_reference_id) == ("Ours", team, "CRM-2")
    assert after.terms == replace(invited.terms, deal_value=invited.terms.deal_value * 2)
    assert set(changed.entry.changed) >= {
        "name",
        "team",
        "terms.deal_value",
        "status",
        "substatus",
        "sales_stage",
    }
    assert "terms.currency" not in changed.entry.changed


@pytest.mark.parametrize(
    ("outcome", "organization", "open_"),
    [("Won", "fabrikam", False), ("Lost", "fabrikam", False), ("Lost", "msft", False), ("Won", "msft", True)],
)
def test_a_closed_deal_takes_no_new_party_but_microsoft_after_won(
    outcome: str, organization: str, open_: bool
) -> None:
    """L8: open invitations end with the deal."""
    closed = creators(status="Closed", substatus=outcome, closed_at=NOW)
    assert withdraws_invitation(closed, organization) is not open_
    invited = referral(organization_id=organization)
    if open_:
        assert accept(invited, Acceptance(), context(), creator=closed).after.status == "Active"
    else:
        with pytest.raises(TerminalState) as refused:
            accept(invited, Acceptance(), context(), creator=closed)
        assert refused.value.reason == "DealClosed"


KIM = contact("kim@fabrikam.com", first_name="Kim")
LEE = contact("lee@fabrikam.com")


@pytest.mark.parametrize(
    ("own", "sent", "by", "team"),
    [
        ((), (), KIM, (KIM,)),
        ((), (LEE,), KIM, (LEE,)),
        ((LEE,), (), KIM, (LEE,)),
        ((), (), None, ()),
    ],
)
def test_who_accepts_with_an_empty_team_becomes_its_first_member(
    own: tuple, sent: tuple, by: Contact | None, team: tuple
) -> None:
    """L2: unless the request or the referral names a team; an application (None) is on none."""
    accepted = accept(referral(team=own), Acceptance(team=sent, by=by), context(), creator=creators())
    assert accepted.after.team == team
    assert ("team" in accepted.entry.changed) is (team != own)


@pytest.mark.parametrize(
    ("asked", "phone"),
    [
        ((contact("KIM@fabrikam.com", phone_number="+82 2 000 0100"),), "+82 2 000 0100"),
        ((LEE,), ""),
        (None, ""),
    ],
)
def test_a_first_member_without_a_phone_in_the_directory_has_the_one_it_was_asked_at(
    asked: tuple | None, phone: str
) -> None:
    """L2: if there is none either, an answer is not refused for it."""
    by = replace(KIM, phone_number="")
    accepted = accept(referral(asked=asked), Acceptance(by=by), context(), creator=creators())
    assert accepted.after.team == (replace(KIM, phone_number=phone),)


INVITED = (referral(), referral(id="msft-1", organization_id="msft", organization_name="Microsoft"))
PARTIES = tuple(each.key for each in INVITED)


@pytest.mark.parametrize(("verb", "withdrawn"), [("win", PARTIES[:1]), ("lose", PARTIES)])
def test_the_creators_outcome_withdraws_informs_and_tells(verb: str, withdrawn: tuple) -> None:
    """L7, L8, M4: in this order."""
    deal = ChangeBuilder.of(creators(invited=invited(*INVITED)))
    close = {
        "win": lambda: win(deal, "Private.", context()),
        "lose": lambda: lose(deal, STATEMENT, context()),
    }
    change = close[verb]()
    message = "won" if verb == "win" else "lost"
    tasks = [state.task for state in change.work.tasks]
    assert tasks == [
        Withdraw(parties=withdrawn),
        UpdateParties(parties=PARTIES),
        *[Notify(message=message, audience="party", party=party) for party in PARTIES],
    ]


def test_an_invited_partys_outcome_closes_nobody_else() -> None:
    """L7: each party reports its own."""
    change = VERBS["win"](STATES["Active"], context())
    assert [state.task for state in change.work.tasks] == [
        UpdateParties(parties=(CREATOR,)),
        TouchParties(creator=False),
    ]


@pytest.mark.parametrize("verb", ["accept", "decline"])
def test_an_answer_is_told_to_the_inviter(verb: str) -> None:
    """L2, L3, M2: whoever invited hears of it."""
    change = VERBS[verb](referral(), context())
    message = {"accept": "accepted", "decline": "declined"}[verb]
    assert [state.task for state in change.work.tasks] == [
        UpdateParties(parties=(CREATOR,)),
        Notify(message=message, audience="inviter", party=CREATOR),
        TouchParties(creator=False),
    ]


def test_a_step_that_concerns_nobody_else_has_no_work() -> None:
    assert VERBS["win"](creators(), context()).work is None


def test_a_decline_keeps_reason_and_notes_and_an_expiry_has_none() -> None:
    """L3, L9: kept in the timeline."""
    declined = decline(referral(), STATEMENT, context())
    assert (declined.entry.reason, declined.entry.details) == ("TimelineTooShort", {"notes": "Too soon."})
    assert declined.after.status_reason.notes == "Too soon."
    assert expire(referral(), context(NOW + timedelta(days=14))).after.status_reason is None
    assert withdraw(referral(), context()).after.status_reason.code == "DealClosed"


@pytest.mark.parametrize("state", ["New", "Active"])
@pytest.mark.parametrize("end", [*VERBS, "expire", "withdraw"])
def test_only_a_party_that_takes_part_keeps_the_inviters_people(state: str, end: str) -> None:
    """V1, N3: who declined or let it expire has no more use for them."""
    invited = STATES[state]
    met = replace(invited, invite_context=replace(invited.invite_context, team=(contact("rae@contoso.com"),)))
    ends = {**VERBS, "expire": expire, "withdraw": withdraw}
    try:
        change = ends[end](met, context())
    except Refusal:
        return
    assert met.invite_context.invited_by == change.after.invite_context.invited_by == "contoso"
    takes_part = change.after.substatus not in {"Declined", "Expired"}
    assert bool(change.after.invite_context.team) == takes_part
    assert ("invite_context.team" in change.entry.changed) == (not takes_part)


def test_news_of_another_party_move_no_etag_and_open_no_work() -> None:
    """L7: each party reports its own."""
    news = apply_party_change(creators(), referral(), "Closed/Declined", context())
    assert (news.after.version, news.after.sequence, news.work) == (1, 2, None)
    assert (news.entry.kind, news.entry.to_state, news.entry.actor.name) == (
        "partyChanged",
        "Closed/Declined",
        None,
    )


STEPS = st.lists(
    st.tuples(st.sampled_from([*VERBS, "expire", "withdraw", "news"]), st.integers(0, 100)), max_size=12
)
EDGES = {
    ("New/Pending", "Active/Accepted"),
    *(("New/Pending", f"Closed/{end}") for end in ("Declined", "Expired")),
    *(("Active/Accepted", f"Closed/{end}") for end in ("Won", "Lost")),
}


@given(STEPS)
def test_no_sequence_of_commands_leaves_the_graph(steps: list[tuple[str, int]]) -> None:
    """L1, L4, L5, L6, L9: and the timeline has no gaps, and the version counts people's changes and expiry."""
    record, now = referral(), NOW
    for verb, hours in steps:
        now += timedelta(hours=hours)
        change = _tried(record, verb, now)
        if change is None:
            continue
        before, record = record, change.after
        assert change.entry.sequence == record.sequence == before.sequence + 1
        if change.entry.kind == "partyChanged":
            assert (record.state, record.version) == (before.state, before.version)
        else:
            assert (before.state, record.state) in EDGES
            assert record.version == before.version + 1
            assert record.is_closed == (record.closed_at is not None)


def _tried(record: Referral, verb: str, now) -> Change | None:
    try:
        if verb == "expire":
            return expire(record, context(now)) if is_overdue(record, now) else None
        if verb == "withdraw":
            return withdraw(record, context(now)) if record.status == "New" else None
        if verb == "news":
            return apply_party_change(record, creators(), "Closed/Won", context(now))
        return VERBS[verb](record, context(now))
    except (NotAllowed, TerminalState):
        return None
