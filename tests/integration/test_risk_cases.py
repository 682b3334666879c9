"""From a payment missed to the outcome of its case: rules, deadlines, escalation, measures."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from community.communities.charter import RiskRule, Severity
from community.guarantees.service import promise_call
from community.ledger.models import Event
from community.monitoring import cases
from community.monitoring.errors import BadSpan, CaseAtTheTop, CaseClosed
from community.monitoring.measures import Lead, RuleMeasure, measure_rules, replay
from community.monitoring.models import (
    ActionKind,
    CaseOutcome,
    CaseRole,
    CaseStatus,
    RiskCase,
    RiskEvent,
)
from community.trust.standings import release_stake
from tests.hamlet import Hamlet, yuan
from tests.monitoring_life import Watched, watched

# Only lateness, unless a test says otherwise: alone in a hamlet every borrower is a concentration.
LATE_ONLY = {
    "risk_low_rules": [],
    "risk_medium_rules": ["late"],
    "risk_high_rules": [],
    "risk_critical_rules": [],
    "risk_leader_rules": ["late"],
    "risk_case_days": [14, 7, 3, 1],
    "risk_late_days": [1, 5],
    "call_day": 8,
    "call_deadline_days": 1,
    "write_off_day": 12,
}
WEEKLY = {"period_unit": "week"}
FIRST = Hamlet.day


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = watched(db_session, LATE_ONLY, terms=WEEKLY)
    place.group("ada", "ben", "cai")
    yield place
    place.check_own()


def test_a_payment_missed_is_a_case_of_the_leader_on_the_same_evening(hamlet: Watched) -> None:
    hamlet.lend("ben", 100_00)  # due on 9 March
    hamlet.day = date(2026, 3, 8)
    assert hamlet.evening() == dict.fromkeys(COUNTS, 0)
    # On the due itself nothing is late yet; the evening after it is one day late.
    assert hamlet.evening(1) == dict.fromkeys(COUNTS, 0)
    assert hamlet.evening(1) == {
        "risk events": 1,
        "cases opened": 1,
        "cases joined": 0,
        "cases escalated": 0,
    }
    [case] = hamlet.cases()
    assert case.member_id == hamlet.people["ben"].id
    assert (case.severity, case.owner_role) == (Severity.MEDIUM, CaseRole.LEADER)
    assert (case.opened_on, case.due_on) == (date(2026, 3, 10), date(2026, 3, 17))
    [event] = hamlet.session.scalars(select(RiskEvent))
    assert event.facts == {"days_overdue": 1, "since": "2026-03-09", "rule_days": 1}
    chained = hamlet.session.scalars(select(Event.kind).where(Event.subject == case.public_id))
    assert chained.all() == ["case.opened"]


COUNTS = ("risk events", "cases opened", "cases joined", "cases escalated")


def test_a_day_watched_again_finds_nothing_twice(hamlet: Watched) -> None:
    hamlet.lend("ben", 100_00)
    hamlet.lend("cai", 100_00)
    hamlet.day = date(2026, 3, 10)
    # In portions of one, as a killed and resumed day would: the rest is left, not lost.
    place = {"community_id": hamlet.community.id, **hamlet.when, "limit": 1}
    first = hamlet.do(cases.watch, **place)
    assert (len(first.raised.events), first.raised.left, first.is_done) == (1, 1, False)
    assert len(hamlet.do(cases.watch, **place).raised.events) == 1
    for _ in range(2):
        assert hamlet.do(cases.watch, **place) == cases.Watched()
    assert len(hamlet.cases()) == 2


def test_a_case_is_handed_up_before_its_deadline(hamlet: Watched) -> None:
    hamlet.lend("ben", 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    [case] = hamlet.cases()
    up = {"case_id": case.id, "text": "not for me", "actor_id": hamlet.people["ada"].id}
    hamlet.do(cases.take, case_id=case.id, actor_id=hamlet.officer.id, **hamlet.when)
    hamlet.day += timedelta(days=2)
    hamlet.do(cases.escalate, **up, **hamlet.when)
    [case] = hamlet.cases()
    # From the officer who had taken it to the operator; seven days from now.
    assert (case.owner_role, case.owner_id) == (CaseRole.OPERATOR, None)
    assert case.due_on == date(2026, 3, 19)
    assert hamlet.actions(case) == ["opened", "taken", "escalated"]
    with pytest.raises(CaseAtTheTop):
        hamlet.do(cases.escalate, **up, **hamlet.when)
    kinds = hamlet.session.scalars(
        select(Event.kind).where(Event.subject == case.public_id).order_by(Event.id)
    )
    assert kinds.all() == ["case.opened", "case.taken", "case.escalated"]


def test_worse_lateness_joins_the_case_and_moves_it_up(hamlet: Watched) -> None:
    hamlet.lend("ben", 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    hamlet.evening(4)  # 14 March: five days late, worse by one step
    assert hamlet.events() == [("late", "medium", 8), ("late", "high", 12)]
    [case] = hamlet.cases()
    assert (case.severity, case.due_on) == (Severity.HIGH, date(2026, 3, 17))
    assert hamlet.actions(case) == ["opened", "joined"]
    # Nobody answered by the 17th: on the 18th it is the officer's, three days on.
    assert hamlet.evening(3)["cases escalated"] == 0
    assert hamlet.evening(1)["cases escalated"] == 1
    [case] = hamlet.cases()
    assert (case.owner_role, case.due_on) == (CaseRole.OFFICER, date(2026, 3, 21))
    hamlet.evening(4)
    [case] = hamlet.cases()
    assert (case.owner_role, case.due_on) == (CaseRole.OPERATOR, date(2026, 3, 25))
    hamlet.evening(5)  # above the operator there is nobody
    [case] = hamlet.cases()
    assert (case.owner_role, case.due_on) == (CaseRole.OPERATOR, date(2026, 3, 25))
    assert hamlet.actions(case) == ["opened", "joined", "escalated", "escalated"]


def test_the_leaders_own_lateness_is_the_officers_case(hamlet: Watched) -> None:
    hamlet.lend("ada", 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    [case] = hamlet.cases()
    assert case.owner_role is CaseRole.OFFICER
    assert case.group_id is not None


def test_a_case_is_answered_and_closed_once(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    [case] = hamlet.cases()
    act = {"case_id": case.id, **hamlet.when, "actor_id": hamlet.people["ada"].id}
    hamlet.do(cases.act, kind=ActionKind.TALK, text="his cow is ill", **act)
    hamlet.do(cases.take, **act | {"actor_id": hamlet.officer.id})
    assert (case.owner_role, case.owner_id) == (CaseRole.OFFICER, hamlet.officer.id)
    hamlet.do(cases.close, outcome=CaseOutcome.RESOLVED, text="paid", **act)
    for service, more in ((cases.act, {"kind": ActionKind.NOTE}), (cases.close, {"outcome": "x"})):
        with pytest.raises(CaseClosed):
            hamlet.do(service, text="late", **more, **act)
    assert hamlet.actions(case) == ["opened", "talk", "taken", "closed"]
    # A further event opens a new one.
    hamlet.evening(4)
    hamlet.check()
    assert [c.status for c in hamlet.cases()] == [CaseStatus.CLOSED, CaseStatus.OPEN]
    assert loan.public_id


def test_two_open_cases_of_one_member_and_changed_events_are_refused(hamlet: Watched) -> None:
    hamlet.lend("ben", 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    [case] = hamlet.cases()
    columns = {
        column.name: getattr(case, column.name)
        for column in RiskCase.__table__.columns
        if column.name not in ("id", "public_id", "list_key")
    }
    for attempt in (
        lambda: hamlet.session.add(RiskCase(**columns)),
        lambda: hamlet.session.execute(update(RiskEvent).values(severity=Severity.LOW)),
        lambda: hamlet.session.execute(delete(RiskEvent)),
        lambda: hamlet.session.execute(update(RiskCase).values(status=CaseStatus.CLOSED)),
    ):
        point = hamlet.session.begin_nested()
        with pytest.raises(DBAPIError):
            _attempt(hamlet, attempt)
        point.rollback()


def test_a_broken_promise_of_a_called_guarantor(db_session: Session) -> None:
    hamlet = watched(
        db_session,
        LATE_ONLY | {"risk_medium_rules": ["broken_promise"], "call_deadline_days": 9},
        terms=WEEKLY,
    )
    hamlet.person("dou", assessed=0)
    hamlet.vouch("ben", "dou", 100_00)
    loan = hamlet.lend("dou", 100_00)
    hamlet.day = date(2026, 3, 9)
    hamlet.wait(1, loan)
    hamlet.wait(8, loan)
    [call] = hamlet.calls(loan).values()
    promised = hamlet.day + timedelta(days=2)
    ben = hamlet.people["ben"].id
    hamlet.do(promise_call, call_id=call.id, member_id=ben, pay_on=promised, now=hamlet.now)
    hamlet.evening()
    # One day of grace after the promised one, and broken on the next.
    assert [hamlet.evening(1)["risk events"] for _ in range(5)] == [0, 0, 0, 1, 0]
    [case] = hamlet.cases()
    assert case.member_id == ben
    hamlet.check()


def test_a_promise_kept_in_time_is_no_event(db_session: Session) -> None:
    hamlet = watched(
        db_session,
        LATE_ONLY | {"risk_medium_rules": ["broken_promise"], "call_deadline_days": 9},
        terms=WEEKLY,
    )
    hamlet.person("dou", assessed=0)
    hamlet.vouch("ben", "dou", 100_00)
    loan = hamlet.lend("dou", 100_00)
    hamlet.day = date(2026, 3, 9)
    hamlet.wait(1, loan)
    hamlet.wait(8, loan)
    [call] = hamlet.calls(loan).values()
    promised = hamlet.day + timedelta(days=2)
    ben = hamlet.people["ben"].id
    hamlet.do(promise_call, call_id=call.id, member_id=ben, pay_on=promised, now=hamlet.now)
    hamlet.evening()
    hamlet.evening(2)
    # The day is closed: the money comes on the next, within the grace.
    hamlet.day += timedelta(days=1)
    hamlet.pay(call, 100_00)
    hamlet.evening()
    hamlet.evening(3)
    assert hamlet.events() == []


def test_stake_cover_and_concentration(db_session: Session) -> None:
    hamlet = watched(
        db_session,
        LATE_ONLY
        | {
            "risk_medium_rules": ["falling_stake", "expiring_cover", "concentration"],
            "risk_concentration_bps": 60,
            "risk_cover_days": 30,
            "risk_stake_fall_bps": 5_000,
        },
    )
    hamlet.person("eva", stake=100_00)
    hamlet.person("fei")
    hamlet.day += timedelta(days=40)
    hamlet.evening()
    for amount in (50_00, 1):
        hamlet.day += timedelta(days=1)
        hamlet.do(
            release_stake,
            community_id=hamlet.community.id,
            member_id=hamlet.people["eva"].id,
            amount=yuan(amount),
            actor_id=None,
            **hamlet.when,
        )
        hamlet.evening()
    # Half of it is not more than half; one cent more is.
    assert hamlet.events() == [("falling_stake", "medium", 42)]
    # 60.00 of the 10,000.00 to lend is not more than 0.6 %; a further cent is.
    hamlet.day += timedelta(days=1)
    hamlet.lend("ben", 60_00)
    hamlet.lend("cai", 40_00)
    hamlet.evening()
    assert len(hamlet.events()) == 1
    hamlet.day += timedelta(days=1)
    hamlet.lend("ben", 1)
    hamlet.evening()
    assert hamlet.events()[1:] == [("concentration", "medium", 44)]
    hamlet.check()


def test_a_promise_that_ends_soon(db_session: Session) -> None:
    hamlet = watched(
        db_session, LATE_ONLY | {"risk_low_rules": ["expiring_cover"], "risk_medium_rules": []}
    )
    hamlet.person("fei")
    hamlet.vouch("ben", "fei", 100_00)  # until 1 January 2028
    hamlet.lend("fei", 50_00, 30)
    hamlet.day = date(2027, 12, 1)
    place = {"community_id": hamlet.community.id, "limit": 9}
    assert hamlet.do(cases.watch, **place, **hamlet.when).raised.opened == 0
    hamlet.day = date(2027, 12, 2)
    assert hamlet.do(cases.watch, **place, **hamlet.when).raised.opened == 1
    hamlet.day = date(2027, 12, 3)
    assert hamlet.do(cases.watch, **place, **hamlet.when).raised.joined == 0


def test_rules_are_measured_by_outcomes_and_by_what_happened(hamlet: Watched) -> None:
    for name in ("ada", "ben", "cai"):
        hamlet.lend(name, 100_00)
    hamlet.day = date(2026, 3, 10)
    hamlet.evening()
    outcomes = (CaseOutcome.CONFIRMED, CaseOutcome.FALSE_ALARM, CaseOutcome.UNDECIDED)
    for case, outcome in zip(hamlet.cases(), outcomes, strict=True):
        act = {"case_id": case.id, **hamlet.when, "actor_id": hamlet.officer.id}
        hamlet.do(cases.close, outcome=outcome, text="seen", **act)
    late = _measure(hamlet, RiskRule.LATE)
    assert (late.events, late.open, late.right, late.false_alarms, late.undecided) == (
        3,
        0,
        1,
        1,
        1,
    )
    assert late.precision_bps == 5_000
    # That they fell late is what was found: it was not foretold.
    assert late.before_late == Lead(0, None)
    assert (late.before_loss, late.severity) == (Lead(0, None), Severity.MEDIUM)
    # Nobody pays; more than twelve days after the due the loans are written off, on the 22nd.
    hamlet.evening(12)
    late = _measure(hamlet, RiskRule.LATE)
    assert late.events == 6  # and five days late, each
    # Twelve days ahead from the 10th, eight from the 14th: three of each.
    assert late.before_loss == Lead(6, 10)
    assert _measure(hamlet, RiskRule.CONCENTRATION).severity is None


def test_the_past_replayed_is_what_the_days_found(hamlet: Watched) -> None:
    loan = hamlet.lend("ben", 100_00, 2)
    hamlet.day = date(2026, 3, 8)
    hamlet.evening()
    hamlet.evening(4)
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 50_00)
    hamlet.evening()
    hamlet.evening(16)
    found = {
        (event.finding, event.found_on, event.loan_id)
        for event in hamlet.session.scalars(select(RiskEvent))
    }
    assert len(found) == 3  # one day late on the first due; one and five on the second
    events = len(hamlet.events())
    again = replay(
        hamlet.session,
        community=hamlet.community,
        rule=RiskRule.LATE,
        from_on=FIRST,
        until_on=hamlet.day,
        today=hamlet.day,
    )
    assert [(row.on, row.loan_id) for row in again.found] == sorted((f[1], f[2]) for f in found)
    assert again.losses == 1
    assert again.losses_missed == 0
    # Before it is switched on: with other numbers it would have found it later, or never.
    slow = replay(
        hamlet.session,
        community=hamlet.community,
        rule=RiskRule.LATE,
        from_on=FIRST,
        until_on=hamlet.day,
        today=hamlet.day,
        changes={"risk_late_days": [300]},
    )
    assert (slow.found, slow.losses_missed) == ((), 1)
    assert len(hamlet.events()) == events
    for from_on, until_on, rule in (
        (FIRST, hamlet.day + timedelta(days=1), RiskRule.LATE),
        (hamlet.day, FIRST, RiskRule.LATE),
        (hamlet.day - timedelta(days=400), hamlet.day, RiskRule.LATE),
        (FIRST, FIRST, RiskRule.MISUSE),
    ):
        with pytest.raises(BadSpan):
            replay(
                hamlet.session,
                community=hamlet.community,
                rule=rule,
                from_on=from_on,
                until_on=until_on,
                today=hamlet.day,
            )


def _attempt(hamlet: Watched, attempt: Callable[[], object]) -> None:
    attempt()
    hamlet.session.flush()


def _measure(hamlet: Watched, rule: RiskRule) -> RuleMeasure:
    measures = measure_rules(hamlet.session, community_id=hamlet.community.id, on=hamlet.day)
    return next(measure for measure in measures if measure.rule is rule)
