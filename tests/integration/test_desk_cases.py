"""What the desk finds opens cases by the charter's rules: once, under one name, told when worse."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import RiskRule
from community.monitoring import queries, visits
from community.monitoring.cases import Raised, close, watch
from community.monitoring.measures import measure_rules, replay
from community.monitoring.models import (
    CaseOutcome,
    Purpose,
    RiskCase,
    RiskEvent,
    RiskEventPerson,
    Visit,
)
from community.risk.desk import search_due, watch_desk
from community.risk.models import RiskRun
from community.risk.signals import ALL_FINDERS
from community.savings.service import withdraw
from tests.campaign_life import Hamlets
from tests.hamlet import Hamlet, yuan
from tests.monitoring_life import Watched, watched

OFF: dict[str, Any] = {
    f"risk_{severity}_rules": [] for severity in ("low", "medium", "high", "critical")
} | {"risk_leader_rules": []}
DESK: dict[str, Any] = OFF | {
    "risk_medium_rules": ["unusual_pattern", "concentration"],
    "risk_high_rules": ["cluster_alert", "self_dealing", "invented_ring"],
    "risk_circle_worst_bps": [5_000, 9_500],
    "risk_circle_expected_bps": [2_000],
    "risk_concentration_bps": 10_000,
    "risk_hhi_by": [],
    "circle_members_min": 2,
    "circle_members_max": 10,
    "hub_share_bps_max": 10_000,
    "failure_bps": [1_000, 2_000, 3_000, 4_000, 10_000],
    "fail_together_bps": 5_000,
    "assessed_pays_bps": 5_000,
    "self_dealing_bps": 9_000,
    "newcomer_days": 100,
    "newcomer_trust_bps": 2_000,
    "invented_ring_min": 3,
    "inflow_days": 90,
    "inflow_below_min": 6,
    "inflow_alike_bps": 5_000,
    "inflow_payout_bps": 3_000,
    "risk_grown_bps": 5_000,
}


def evening(hamlet: Hamlet) -> Raised:
    """What a day's close does for the desk, in its two units."""
    place = {"community_id": hamlet.community.id, **hamlet.when}
    hamlet.do(search_due, **place)
    return hamlet.do(watch_desk, **place)


def events(hamlet: Hamlet) -> list[tuple[str, str, str]]:
    rows = hamlet.session.scalars(select(RiskEvent).order_by(RiskEvent.id))
    return [(row.rule.value, row.severity.value, row.finding.partition("/")[2]) for row in rows]


def subjects(hamlet: Hamlet) -> list[str]:
    rows = hamlet.session.scalars(select(RiskCase).order_by(RiskCase.id))
    return [str(row.subject).partition("/")[0] for row in rows]


def a_ring_that_covers_itself(session: Session, pool: int = 220_00, **rules: Any) -> Watched:
    """Three who back each other with assessments alone, and Eve who is backed by nobody of them."""
    hamlet = Watched(session, rules=DESK | rules)
    # All that there is to lend is lent in what follows.
    hamlet.fund(pool)
    ring = ["ana", "bea", "cai"]
    for name in ring:
        # Less than each of them promises the next.
        hamlet.person(name, assessed=42_00)
    for voucher, borrower in zip(ring, [*ring[1:], ring[0]], strict=True):
        hamlet.vouch(voucher, borrower, 100_00)
    hamlet.person("eve", stake=100_00, assessed=100_00)
    return hamlet


def test_a_circle_that_deals_with_itself_is_one_case_however_often_it_is_found(
    db_session: Session,
) -> None:
    hamlet = a_ring_that_covers_itself(db_session)
    hamlet.lend("eve", 100_00)
    hamlet.lend("ana", 60_00)
    hamlet.lend("bea", 60_00)
    raised = evening(hamlet)
    # 120 of the 220 that are out hang on the ring: above the first step, below the second.
    assert (len(raised.events), raised.opened, raised.joined) == (2, 1, 1)
    assert {event.rule for event in raised.events} == {
        RiskRule.CLUSTER_ALERT,
        RiskRule.SELF_DEALING,
    }
    [case] = db_session.scalars(select(RiskCase))
    assert case.member_id is None
    assert case.group_id is None
    who = set(db_session.scalars(select(RiskEventPerson.member_id)))
    assert who == {hamlet.people[name].id for name in ("ana", "bea", "cai")}
    # The same night again, and the next one: nothing new.
    assert evening(hamlet) == Raised()
    hamlet.day += timedelta(days=1)
    assert evening(hamlet) == Raised()
    assert db_session.query(RiskRun).count() == 2
    hamlet.check_own()


def test_a_worse_circle_is_told_on_its_case_and_a_closed_case_is_not_opened_by_the_same(
    db_session: Session,
) -> None:
    hamlet = a_ring_that_covers_itself(
        db_session,
        pool=126_00,
        risk_high_rules=["invented_ring"],
        risk_low_rules=["cluster_alert"],
    )
    # 70 of the 126 that there are to lend: above the first step, below the second.
    hamlet.lend("ana", 70_00)
    evening(hamlet)
    [case] = db_session.scalars(select(RiskCase))
    due = case.due_on
    officer = hamlet.person("officer")
    # With Bea's loan it is 120 of them.
    hamlet.lend("bea", 50_00)
    hamlet.day += timedelta(days=1)
    raised = evening(hamlet)
    assert (raised.opened, raised.joined) == (0, 1)
    assert [row[:2] for row in events(hamlet)] == [
        ("cluster_alert", "low"),
        ("cluster_alert", "medium"),
    ]
    db_session.refresh(case)
    assert case.severity.value == "medium"
    assert case.due_on < due
    hamlet.do(
        close,
        case_id=case.id,
        outcome=CaseOutcome.CONFIRMED,
        text="seen",
        actor_id=officer.id,
        **hamlet.when,
    )
    hamlet.day += timedelta(days=1)
    assert evening(hamlet) == Raised()
    measured = {
        row.rule: row
        for row in measure_rules(db_session, community_id=hamlet.community.id, on=hamlet.day)
    }
    assert measured[RiskRule.CLUSTER_ALERT].right == 2


def test_a_round_that_no_search_names_is_a_case_of_its_own(db_session: Session) -> None:
    """Five in a round, in a circle of seven that is too large, without a pair or a short ring."""
    hamlet = Watched(db_session, rules=DESK | {"circle_members_max": 5, "circle_ring_max": 4})
    hamlet.fund(500_00)
    ring = ["ana", "bea", "cai", "dai", "fay"]
    # One of them could keep her promise, and a neighbour has a word for them.
    for name in ring:
        hamlet.person(name, assessed=110_00 if name == "bea" else 42_00)
    for voucher, borrower in zip(ring, [*ring[1:], ring[0]], strict=True):
        hamlet.vouch(voucher, borrower, 100_00)
    for name in ("gao", "han"):
        hamlet.person(name, assessed=5_00)
    for voucher, borrower in (("fay", "gao"), ("gao", "han"), ("han", "cai")):
        hamlet.vouch(voucher, borrower, 1_00)
    hamlet.lend("ana", 70_00)
    evening(hamlet)
    assert subjects(hamlet) == []
    # 140 of the 278 that they have is owed: 50.3 %.
    hamlet.lend("cai", 70_00)
    hamlet.day += timedelta(days=1)
    assert evening(hamlet).opened == 1
    assert [row[:2] for row in events(hamlet)] == [("self_dealing", "high")]
    assert subjects(hamlet) == ["closed"]
    who = set(db_session.scalars(select(RiskEventPerson.member_id)))
    assert who == {hamlet.people[name].id for name in ring}
    hamlet.day += timedelta(days=1)
    assert evening(hamlet) == Raised()
    hamlet.check_own()


def ring_of(hamlet: Hamlet, *names: str) -> None:
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            hamlet.vouch(one, other, 5)
            hamlet.vouch(other, one, 5)


def old_village(session: Session, **rules: Any) -> Watched:
    hamlet = Watched(session, rules=DESK | rules)
    names = ["an", "bo", "dai", "fu"]
    for name in names:
        hamlet.person(name)
    ring_of(hamlet, *names)
    hamlet.day += timedelta(days=200)
    return hamlet


def test_a_ring_of_invented_members_that_grows_stays_one_case(db_session: Session) -> None:
    hamlet = old_village(db_session)
    assert evening(hamlet) == Raised()
    for name in ("x1", "x2", "x3", "x4"):
        hamlet.person(name)
    ring_of(hamlet, "x1", "x2", "x3")
    assert evening(hamlet).opened == 1
    # A fourth is a third more: no news. A fifth and a sixth are.
    ring_of(hamlet, "x3", "x4")
    hamlet.day += timedelta(days=1)
    assert evening(hamlet) == Raised()
    for name in ("x5", "x6"):
        hamlet.person(name)
        ring_of(hamlet, "x4", name)
    hamlet.day += timedelta(days=1)
    raised = evening(hamlet)
    assert (raised.opened, raised.joined) == (0, 1)
    assert raised.events[0].severity.value == "critical"
    # The first of them has become known: the rest is still the same ring.
    hamlet.day += timedelta(days=99)
    assert evening(hamlet) == Raised()
    assert subjects(hamlet) == ["ring"]
    hamlet.check_own()


def test_a_pyramid_is_told_and_whoever_is_in_it_does_not_see_the_case(db_session: Session) -> None:
    hamlet = old_village(db_session)
    below = {"an": ["p1", "p2", "p3"], "p1": ["q1", "q2"], "p2": ["q3"], "p3": ["q4"]}
    for top, names in below.items():
        for name in names:
            hamlet.day += timedelta(days=1)
            hamlet.person(name)
            hamlet.vouch(top, name, 1)
            hamlet.save(name, 1_000)
    assert evening(hamlet) == Raised()
    hamlet.save("an", 3_000)
    hamlet.do(
        withdraw,
        community_id=hamlet.community.id,
        member_id=hamlet.people["an"].id,
        amount=yuan(2_500),
        actor_id=None,
        **hamlet.when,
    )
    assert evening(hamlet).opened == 1
    assert evening(hamlet) == Raised()
    [event] = db_session.scalars(select(RiskEvent))
    assert (event.rule, event.facts["below"]) == (RiskRule.UNUSUAL_PATTERN, 7)
    assert event.facts["first"] == hamlet.people["an"].public_id
    readers = {
        name: len(
            db_session.scalars(
                queries.list_cases(hamlet.community.id, reader_id=hamlet.people[name].id)
            ).all()
        )
        for name in ("an", "q4", "bo")
    }
    assert readers == {"an": 0, "q4": 0, "bo": 1}


def test_what_is_lent_together_is_told_once_a_step(db_session: Session) -> None:
    hamlet = a_ring_that_covers_itself(
        db_session,
        risk_high_rules=[],
        risk_medium_rules=["concentration"],
        risk_hhi_by=["region"],
        risk_hhi_bps=[5_000, 9_000],
    )
    hamlet.lend("ana", 60_00)
    hamlet.lend("bea", 60_00)
    assert evening(hamlet).opened == 1
    assert events(hamlet) == [("concentration", "high", "region/2026/2")]
    assert evening(hamlet) == Raised()


def test_desk_rules_are_replayed_on_the_past(db_session: Session) -> None:
    hamlet = old_village(db_session)
    first = hamlet.day
    hamlet.day += timedelta(days=3)
    for name in ("x1", "x2", "x3"):
        hamlet.person(name)
    ring_of(hamlet, "x1", "x2", "x3")
    began = hamlet.day
    hamlet.day += timedelta(days=5)
    span = {
        "community": hamlet.community,
        "rule": RiskRule.INVENTED_RING,
        "from_on": first,
        "until_on": hamlet.day,
        "today": hamlet.day,
        "finders": ALL_FINDERS,
    }
    done = replay(db_session, **span)
    assert [(row.on, len(row.people)) for row in done.found] == [(began, 3)]
    larger = replay(db_session, **span, changes={"invented_ring_min": 4})
    assert larger.found == ()


def test_visits_missed_in_a_row_are_told_and_late_ones_within_the_grace_are_not(
    db_session: Session,
) -> None:
    hamlet = watched(
        db_session,
        OFF
        | {
            "risk_medium_rules": ["missed_visits"],
            "risk_leader_rules": ["missed_visits"],
            "risk_visits_missed": 2,
            "risk_visit_grace_days": 2,
        },
    )
    hamlet.person("dou")
    group = hamlet.group("ada", "ben", "cai", "dou")
    began = hamlet.day
    for _ in range(2):
        drawn = hamlet.do(
            visits.draw_round,
            group_id=group.id,
            purpose=Purpose.CROP,
            seed=7,
            due_on=hamlet.day + timedelta(days=3),
            actor_id=hamlet.people["ada"].id,
            **hamlet.when,
        )
        hamlet.evening(4)
        # In the days of grace everybody comes but Ben.
        for visit in db_session.scalars(select(Visit).where(Visit.round_id == drawn.id)):
            if visit.visitor_id != hamlet.people["ben"].id:
                hamlet.do(
                    visits.answer,
                    visit_id=visit.id,
                    answers={"met": True, "planted": True, "healthy": True, "trouble": False},
                    note="",
                    place=None,
                    seen_at=None,
                    actor_id=visit.visitor_id,
                    **hamlet.when,
                )
        assert hamlet.evening(1)["risk events"] == 0
    assert hamlet.evening(1)["risk events"] == 1
    assert hamlet.evening(1)["risk events"] == 0
    [case] = hamlet.cases()
    assert case.member_id == hamlet.people["ben"].id
    assert case.owner_role.value == "leader"
    span = {"community": hamlet.community, "from_on": began, "until_on": hamlet.day}
    done = replay(db_session, **span, rule=RiskRule.MISSED_VISITS, today=hamlet.day)
    assert [row.on for row in done.found] == [case.opened_on]


def test_a_conflict_in_a_review_is_a_case_that_the_reviewers_do_not_see(
    db_session: Session,
) -> None:
    rules = OFF | {"risk_medium_rules": ["review_conflict"], "risk_review_members_min": 1}
    village = Hamlets(db_session, rules=rules | {"campaign_household_minor_max": 5_000_00})
    campaign = village.drawn()
    wild = next(
        village.name_of(one.reviewer_id)
        for one in village.assignments(campaign)
        if village.home_of(one.household_id) == "h0"
    )
    village.answer(campaign, lambda who, home: 2_000_00 if (who, home) == (wild, "h0") else 400_00)
    village.close(campaign)
    [finding] = village.findings(campaign)
    hamlet = village.hamlet
    place = {"community_id": hamlet.community.id, "limit": 10, **hamlet.when}
    done = hamlet.do(watch, **place)
    assert (len(done.raised.events), done.raised.opened) == (1, 1)
    assert hamlet.do(watch, **place).raised.events == ()
    [case] = db_session.scalars(select(RiskCase))
    assert case.subject == f"review/{finding.public_id}"
    seen = [
        db_session.scalars(
            queries.list_cases(hamlet.community.id, reader_id=village.id(name))
        ).all()
        for name in (wild, "h0")
    ]
    assert seen == [[], [case]]
    span = {"community": hamlet.community, "from_on": hamlet.day, "until_on": hamlet.day}
    tried = {"rule": RiskRule.REVIEW_CONFLICT, "today": hamlet.day}
    assert len(replay(db_session, **span, **tried).found) == 1
    # If the charter asks for two, one who is odd alone is none.
    two = {"changes": {"risk_review_members_min": 2}}
    assert replay(db_session, **span, **tried, **two).found == ()
