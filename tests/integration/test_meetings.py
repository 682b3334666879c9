"""Meetings: the plan, attendance, quorum, motions and votes, and what a secret ballot leaves."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.charter import MotionSubject
from community.engine import session_factory
from community.errors import Invalid
from community.loans.models import Endorsement, LoanStatus
from community.models import metadata
from community.monitoring import meetings
from community.monitoring.errors import (
    AttendanceRefused,
    MeetingClosed,
    MeetingExists,
    MotionClosed,
    VoteRefused,
)
from community.monitoring.meetings import Present
from community.monitoring.models import (
    AttendanceKind,
    Ballot,
    Choice,
    Meeting,
    Motion,
    MotionStatus,
    MotionVote,
    MotionVoter,
)
from tests.monitoring_life import Watched, watched

FIVE = ("ada", "ben", "cai", "dou", "eva")
RULES = {
    "risk_low_rules": ["missed_meetings"],
    "risk_medium_rules": [],
    "risk_high_rules": [],
    "risk_critical_rules": [],
    "risk_meetings_missed": 2,
    "meeting_quorum_bps": 6_000,
    "meeting_proxies_max": 1,
    "motion_majority_bps": 5_000,
    "motion_unanimous": ["membership"],
}


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = _hamlet(db_session)
    yield place
    place.check_own()


def _hamlet(session: Session, **rules: Any) -> Watched:
    place = watched(session, RULES | rules)
    for name in ("dou", "eva", "fei"):
        place.person(name, assessed=1_000_00)
    place.circle = place.group(*FIVE)
    return place


def _line(hamlet: Watched, name: str, kind: str = "present", proxy: str | None = None) -> Present:
    proxy_id = hamlet.people[proxy].id if proxy else None
    return Present(hamlet.people[name].id, AttendanceKind(kind), proxy_id)


def _meet(hamlet: Watched, *lines: Present, client_id: str | None = None) -> Meeting:
    return hamlet.do(
        meetings.enter,
        group_id=hamlet.circle.id,
        held_on=hamlet.day,
        lines=lines,
        client_id=client_id,
        actor_id=hamlet.people["ada"].id,
        **hamlet.when,
    )


def _there(hamlet: Watched, *names: str) -> Meeting:
    return _meet(hamlet, *(_line(hamlet, name) for name in names))


def _close(hamlet: Watched, meeting: Meeting) -> Meeting:
    return hamlet.do(
        meetings.close, meeting_id=meeting.id, actor_id=hamlet.people["ada"].id, **hamlet.when
    )


def _put(hamlet: Watched, meeting: Meeting, **facts: Any) -> Motion:
    given = {"subject": MotionSubject.GENERAL, "ballot": Ballot.OPEN, "text": "a well"} | facts
    return hamlet.do(
        meetings.propose,
        meeting_id=meeting.id,
        now=hamlet.now,
        actor_id=hamlet.people["ben"].id,
        **given,
    )


def _vote(
    hamlet: Watched, motion: Motion, name: str, choice: str, by: str = "", **how: Any
) -> None:
    hamlet.do(
        meetings.vote,
        motion_id=motion.id,
        member_id=hamlet.people[name].id,
        choice=Choice(choice),
        actor_id=hamlet.people[by or name].id,
        **how,
    )


def _count(hamlet: Watched, motion: Motion) -> MotionStatus:
    act = {"actor_id": hamlet.people["ada"].id, **hamlet.when}
    return hamlet.do(meetings.count_motion, motion_id=motion.id, **act).status


def test_a_plan_comes_again(hamlet: Watched) -> None:
    for every in (7, 14):
        plan = hamlet.do(
            meetings.set_plan,
            group_id=hamlet.circle.id,
            first_on=date(2026, 3, 4),
            every_days=every,
            place="mill",
            now=hamlet.now,
            actor_id=hamlet.people["ada"].id,
        )
    days = [date(2026, 3, 4), date(2026, 3, 18)]
    assert meetings.planned(plan, on=date(2026, 1, 1), count=2) == days
    assert meetings.planned(plan, on=date(2026, 3, 4), count=2) == days
    assert meetings.planned(plan, on=date(2026, 3, 5), count=1) == days[1:]


def test_who_is_not_written_down_was_absent_and_a_quorum_is_counted(hamlet: Watched) -> None:
    # Sixty per cent of five are three: two there, and one of them speaks for a third.
    meeting = _meet(
        hamlet,
        _line(hamlet, "ada"),
        _line(hamlet, "ben"),
        _line(hamlet, "cai", "proxy", "ben"),
        _line(hamlet, "dou", "excused"),
    )
    _close(hamlet, meeting)
    assert (meeting.members_count, meeting.spoken_for_count, meeting.is_quorate) == (5, 3, True)
    kinds = {
        row.member_id: row.kind.value for row in meetings.attendance_of(hamlet.session, meeting.id)
    }
    assert list(kinds.values()) == ["present", "present", "proxy", "excused", "absent"]
    smaller = _there(hamlet, "ada", "ben")
    assert _close(hamlet, smaller).is_quorate is False
    assert _close(hamlet, smaller).version == 2  # closed once
    with pytest.raises(MeetingClosed):
        _put(hamlet, smaller)


def test_an_attendance_that_cannot_be_is_refused(hamlet: Watched) -> None:
    wrong: list[list[Any]] = [
        [("fei", "present", None)],  # of another group
        [("ada", "present", None), ("ada", "absent", None)],
        [("ada", "proxy", None)],
        [("ada", "present", "ben")],
        [("ada", "proxy", "ben")],  # who is not there
        [("ada", "present", None), ("ben", "proxy", "ada"), ("cai", "proxy", "ada")],  # two
    ]
    for lines in wrong:
        with pytest.raises(AttendanceRefused):
            _meet(hamlet, *(_line(hamlet, *line) for line in lines))
    assert hamlet.session.scalars(select(Meeting)).all() == []


def test_a_meeting_sent_again_is_found_even_when_it_is_closed(hamlet: Watched) -> None:
    lines = [_line(hamlet, "ada"), _line(hamlet, "ben")]
    first = _meet(hamlet, *lines, client_id="paper-1")
    assert _meet(hamlet, *lines, client_id="paper-1").id == first.id
    _close(hamlet, first)
    assert _meet(hamlet, *lines, client_id="paper-1").id == first.id
    with pytest.raises(MeetingExists):
        _meet(hamlet, *lines[:1], client_id="paper-1")
    with pytest.raises(Invalid):
        hamlet.do(
            meetings.enter,
            group_id=hamlet.circle.id,
            held_on=hamlet.day + timedelta(days=1),
            lines=lines,
            actor_id=1,
            **hamlet.when,
        )


def test_a_file_is_one_meeting() -> None:
    head = "meeting,held_on,member,attendance,proxy,note\n"
    name, day, lines = meetings.read_attendance(
        (head + "m-1,2026-03-02,mem_1,present,,\nm-1,2026-03-02,mem_2,proxy,mem_1,ill\n").encode()
    )
    assert (name, day) == ("m-1", date(2026, 3, 2))
    assert [(x.member, x.kind.value, x.proxy, x.note) for x in lines] == [
        ("mem_1", "present", None, ""),
        ("mem_2", "proxy", "mem_1", "ill"),
    ]
    for faulty in (
        "",
        head,
        "meeting,member\nm,mem_1\n",
        head + "m-1,2026-03-02,mem_1,there,,\n",
        head + "m-1,2026-03-02,mem_1,present,,\nm-2,2026-03-02,mem_2,present,,\n",
        head + "m 1,2026-03-02,mem_1,present,,\n",
        head + "m-1,2 March,mem_1,present,,\n",
        head + 'm-1,2026-03-02,mem_1,present,,"x\n',
    ):
        with pytest.raises(Invalid):
            meetings.read_attendance(faulty.encode())
    with pytest.raises(Invalid):
        meetings.read_attendance(b"\xff\xfe")


@pytest.mark.parametrize(
    ("majority_bps", "is_unanimous", "votes", "outcome"),
    [
        (5_000, False, "yyn", "carried"),
        (5_000, False, "yn", "rejected"),  # half is not more than half
        (6_666, False, "yyn", "carried"),
        (6_667, False, "yyn", "rejected"),
        (5_000, False, "yaa", "carried"),  # who abstains has not voted
        (5_000, False, "aaa", "rejected"),
        (5_000, True, "yyn", "rejected"),
        (5_000, True, "yya", "carried"),
        (5_000, True, "aaa", "rejected"),
    ],
)
def test_what_votes_amount_to(
    majority_bps: int, is_unanimous: bool, votes: str, outcome: str
) -> None:
    motion = Motion(
        majority_bps=majority_bps,
        is_unanimous=is_unanimous,
        yes_count=votes.count("y"),
        no_count=votes.count("n"),
    )
    assert meetings.outcome_of(motion, is_quorate=True).value == outcome
    assert meetings.outcome_of(motion, is_quorate=False) is MotionStatus.VOID


def test_what_a_motion_needs_stands_in_the_charter(hamlet: Watched) -> None:
    meeting = _there(hamlet, "ada", "ben", "cai")
    found = {}
    for subject in (MotionSubject.GENERAL, MotionSubject.MEMBERSHIP):
        motion = _put(hamlet, meeting, subject=subject)
        for name, choice in (("ada", "yes"), ("ben", "yes"), ("cai", "no")):
            _vote(hamlet, motion, name, choice)
        found[subject] = (motion.is_unanimous, _count(hamlet, motion).value)
    assert found == {
        MotionSubject.GENERAL: (False, "carried"),
        MotionSubject.MEMBERSHIP: (True, "rejected"),
    }


def test_without_a_quorum_a_motion_is_void(hamlet: Watched) -> None:
    meeting = _there(hamlet, "ada", "ben")
    motion = _put(hamlet, meeting)
    for name in ("ada", "ben"):
        _vote(hamlet, motion, name, "yes")
    # Also while nobody has been written down as absent yet.
    early = _put(hamlet, meeting)
    _vote(hamlet, early, "ada", "yes")
    assert _count(hamlet, early) is MotionStatus.VOID
    _close(hamlet, meeting)
    assert motion.status is MotionStatus.VOID
    with pytest.raises(MotionClosed):
        _count(hamlet, motion)
    with pytest.raises(MotionClosed):
        _vote(hamlet, motion, "ada", "yes")


def test_each_votes_once_and_for_themselves_or_by_proxy(hamlet: Watched) -> None:
    meeting = _meet(
        hamlet, _line(hamlet, "ada"), _line(hamlet, "ben"), _line(hamlet, "cai", "proxy", "ben")
    )
    motion = _put(hamlet, meeting, ballot=Ballot.SECRET)
    _vote(hamlet, motion, "ben", "yes")
    _vote(hamlet, motion, "cai", "no", by="ben")
    for name, by, how in (
        ("ben", "ben", {}),  # again
        ("dou", "dou", {}),  # was not there
        ("cai", "cai", {}),  # gave it away
        ("ada", "ben", {}),
        ("ada", "ben", {"by_leader": True}),  # nobody's hand is written down at a secret ballot
    ):
        with pytest.raises(VoteRefused):
            _vote(hamlet, motion, name, "yes", by=by, **how)
    hands = _put(hamlet, meeting)
    _vote(hamlet, hands, "ben", "no", by="ada", by_leader=True)
    assert [row.cast_by_id for row in meetings.votes_on(hamlet.session, hands.id)] == [
        hamlet.people["ada"].id
    ]
    with pytest.raises(AttendanceRefused):  # whoever has voted was there
        hamlet.do(
            meetings.change,
            meeting=meeting,
            lines=[_line(hamlet, "ada")],
            minutes="",
            on=hamlet.day,
        )


def test_no_row_tells_who_voted_what_in_a_secret_ballot(hamlet: Watched) -> None:
    """Two lives that differ only in who voted yes leave the very same rows, in every table."""
    people = ("ada", "ben", "cai")
    found = []
    for order in (("yes", "yes", "no"), ("no", "yes", "yes")):
        meeting = _there(hamlet, *people)
        motion = _put(hamlet, meeting, ballot=Ballot.SECRET)
        before = _rows(hamlet)
        for name, choice in zip(people, order, strict=True):
            _vote(hamlet, motion, name, choice)
        after = _rows(hamlet)
        assert hamlet.session.scalars(select(MotionVote)).all() == []
        changed = {table for table in after if after[table] != before[table]}
        assert changed == {"motions", "motion_voters"}
        new = sorted(
            row.replace(f"({motion.id},", "(motion,")
            for row in after["motion_voters"] - before["motion_voters"]
        )
        sums = (motion.yes_count, motion.no_count, motion.abstain_count)
        found.append((new, sums))
        assert _count(hamlet, motion) is MotionStatus.CARRIED
    assert found[0] == found[1]
    # And no column says when or in which order.
    assert [c.name for c in MotionVoter.__table__.columns] == ["motion_id", "member_id"]


def _rows(hamlet: Watched) -> dict[str, set[Any]]:
    return {
        table.name: {repr(tuple(row)) for row in rows}
        for table in metadata.sorted_tables
        for rows in [hamlet.session.execute(select(table)).all()]
    }


def test_a_carried_motion_is_the_endorsement_of_a_loan(db_session: Session) -> None:
    hamlet = _hamlet(db_session, endorsements_min=2)
    loan = hamlet.apply("eva", 50_00)
    meeting = _there(hamlet, "ada", "ben", "cai", "eva")
    motion = _put(hamlet, meeting, subject=MotionSubject.LOAN, loan_id=loan.id)
    for name, by in (("ada", "ada"), ("ben", "ada"), ("cai", "cai"), ("eva", "eva")):
        _vote(hamlet, motion, name, "yes", by=by, by_leader=by == "ada")
    assert loan.status is LoanStatus.SUBMITTED
    _close(hamlet, meeting)
    # Not Ben, whose hand was written down, and not Eva, whose loan it is.
    given = hamlet.session.scalars(select(Endorsement.endorser_id).order_by(Endorsement.id))
    assert given.all() == [hamlet.people["ada"].id, hamlet.people["cai"].id]
    assert loan.status is LoanStatus.ENDORSED
    hamlet.check()


def test_meetings_missed_in_a_row_are_one_event(hamlet: Watched) -> None:
    everybody = {name: _line(hamlet, name) for name in FIVE}
    plan = [
        {"eva": "absent", "dou": "absent"},
        {"eva": "absent", "dou": "excused"},  # the second in a row of Eva's
        {"eva": "absent", "dou": "present"},
        {"eva": "present", "dou": "absent"},
        {"eva": "absent", "dou": "absent"},  # the second in a row of Dou's
        {"eva": "absent", "dou": "present"},  # and of Eva's again
    ]
    events = []
    for was in plan:
        lines = everybody | {name: _line(hamlet, name, kind) for name, kind in was.items()}
        _close(hamlet, _meet(hamlet, *lines.values()))
        counted = hamlet.evening()
        events.append(counted["risk events"])
        hamlet.day += timedelta(days=1)
    assert events == [0, 1, 0, 0, 1, 1]
    about = {case.member_id for case in hamlet.cases()}
    assert about == {hamlet.people["eva"].id, hamlet.people["dou"].id}


def test_votes_cast_at_the_same_time_are_all_counted(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = _hamlet(session)
        meeting = _there(hamlet, *FIVE)
        motion = _put(hamlet, meeting, ballot=Ballot.SECRET)
        gate = threading.Barrier(len(FIVE))

        def cast(name: str) -> None:
            with session_factory(engine)() as own:
                gate.wait()
                run_unit(
                    own,
                    meetings.vote,
                    motion_id=motion.id,
                    member_id=people[name],
                    choice=Choice.YES,
                    actor_id=people[name],
                )

        people = {name: hamlet.people[name].id for name in FIVE}
        threads = [threading.Thread(target=cast, args=(name,)) for name in FIVE]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.expire_all()
        assert session.get_one(Motion, motion.id).yes_count == 5
        hamlet.check()
