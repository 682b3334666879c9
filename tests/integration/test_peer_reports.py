"""Peer reports: heard at once, nobody can tell from whom, believed as far as they proved right."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import DateTime, Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities import queries as communities
from community.communities.charter import RiskRule
from community.communities.errors import NotAMember
from community.database import UtcTime
from community.engine import session_factory
from community.errors import Invalid
from community.ledger.models import Event
from community.members import service as members
from community.members.errors import MemberNotFound
from community.members.models import MemberKind
from community.models import metadata
from community.monitoring import cases, reports
from community.monitoring.errors import NotTheCaseOfficer, ReporterCannotJudge, ReportsExhausted
from community.monitoring.models import CaseOutcome, CaseRole, PeerReport, RiskCase, RiskEvent
from tests.monitoring_life import Watched, watched

RULES = {"reports_per_span_max": 3, "report_span_days": 30, "report_prior": [2, 1]}


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = watched(db_session, RULES)
    place.group("ada", "ben", "cai")
    yield place
    place.check_own()


def _report(
    hamlet: Watched, by: str, about: str, kind: RiskRule = RiskRule.MISUSE, text: str = "x"
) -> None:
    hamlet.do(
        reports.report,
        community_id=hamlet.community.id,
        reporter_id=hamlet.people[by].id,
        member_id=hamlet.people[about].id,
        kind=kind,
        text=text,
        **hamlet.when,
    )


def _close(hamlet: Watched, case: RiskCase, outcome: CaseOutcome) -> None:
    act = {"case_id": case.id, "actor_id": hamlet.officer.id, **hamlet.when}
    hamlet.do(cases.take, **act)
    hamlet.do(cases.close, outcome=outcome, text="seen", **act)


def test_a_report_is_a_case_of_the_officers_at_once(hamlet: Watched) -> None:
    hamlet.day = date(2026, 3, 5)  # a Thursday
    _report(hamlet, "ben", "cai")
    [case] = hamlet.cases()
    assert (case.is_confidential, case.owner_role, case.group_id) == (
        True,
        CaseRole.OFFICER,
        None,
    )
    # High: three days, from the end of the week that began on the second.
    assert (case.opened_on, case.due_on) == (date(2026, 3, 2), date(2026, 3, 12))
    _report(hamlet, "ada", "cai", RiskRule.COERCION)
    [case] = hamlet.cases()
    assert case.due_on == date(2026, 3, 10)
    assert hamlet.actions(case) == ["opened", "joined"]


def test_no_row_has_the_time_of_a_report(hamlet: Watched) -> None:
    hamlet.day = date(2026, 3, 6)
    before = _instants(hamlet, hamlet.now)
    chained = len(hamlet.session.scalars(select(Event.id)).all())
    _report(hamlet, "ben", "cai")
    assert _instants(hamlet, hamlet.now) == before
    assert len(hamlet.session.scalars(select(Event.id)).all()) == chained
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert hamlet.session.scalars(select(RiskEvent.recorded_at)).all() == [monday]
    # Reported on a Monday or on a Sunday: the rows are the same but for random names.
    rows = []
    for day, by in ((date(2026, 3, 9), "ben"), (date(2026, 3, 15), "ada")):
        hamlet.day = day
        _report(hamlet, by, "cai")
        last = hamlet.session.scalars(select(RiskEvent).order_by(RiskEvent.id.desc())).first()
        rows.append((last.found_on, last.recorded_at, last.severity, last.facts))
    assert rows[0] == rows[1]


def _instants(hamlet: Watched, at: datetime) -> int:
    """How many cells of any table have exactly this time."""
    found = 0
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, (DateTime, UtcTime)):
                rows = hamlet.session.execute(select(column).where(column == at)).all()
                found += len(rows)
    return found


def test_flooding_is_bounded(hamlet: Watched) -> None:
    for _ in range(3):
        _report(hamlet, "ben", "cai")
    with pytest.raises(ReportsExhausted):
        _report(hamlet, "ben", "ada")
    _report(hamlet, "ada", "cai")  # another's bound is another's
    # Thirty days before the 7th of April is the 8th of March, still in the week of the reports.
    hamlet.day = date(2026, 4, 7)
    with pytest.raises(ReportsExhausted):
        _report(hamlet, "ben", "ada")
    hamlet.day = date(2026, 4, 8)
    _report(hamlet, "ben", "ada")
    assert len(hamlet.session.scalars(select(PeerReport)).all()) == 5


def test_who_may_report_whom(hamlet: Watched) -> None:
    with pytest.raises(Invalid):
        _report(hamlet, "ben", "ben")
    with pytest.raises(Invalid):
        _report(hamlet, "ben", "cai", RiskRule.LATE)
    outsider = _outsider(hamlet)
    with pytest.raises(NotAMember):
        _report(hamlet, outsider, "ben")
    with pytest.raises(MemberNotFound):
        _report(hamlet, "ben", outsider)
    assert hamlet.cases() == []


def _outsider(hamlet: Watched) -> str:
    hamlet.people["zed"] = hamlet.do(
        members.register_member, kind=MemberKind.PERSON, name="zed", now=hamlet.now
    )
    return "zed"


def test_only_who_has_taken_the_case_reads_who_it_was(hamlet: Watched) -> None:
    _report(hamlet, "ben", "cai", text="he sold the seed")
    _report(hamlet, "ada", "cai", RiskRule.DISTRESS)
    [case] = hamlet.cases()
    read = {"case_id": case.id, **hamlet.when}
    for who in (hamlet.officer.id, hamlet.people["ben"].id):
        with pytest.raises(NotTheCaseOfficer):
            hamlet.do(reports.read_reports, actor_id=who, **read)
        with pytest.raises(NotTheCaseOfficer):
            hamlet.do(cases.close, outcome=CaseOutcome.CONFIRMED, text="", actor_id=who, **read)
    with pytest.raises(ReporterCannotJudge):
        hamlet.do(cases.take, actor_id=hamlet.people["ben"].id, **read)
    hamlet.do(cases.take, actor_id=hamlet.officer.id, **read)
    reading = hamlet.do(reports.read_reports, actor_id=hamlet.officer.id, **read)
    names = [heard.report.public_id for heard in reading.reports]
    assert names == sorted(names)
    assert {heard.report.reporter_id for heard in reading.reports} == {
        hamlet.people["ada"].id,
        hamlet.people["ben"].id,
    }
    # Two of three for each: both are wrong in one case of nine, a little more by rounding.
    assert reading.believed_bps == 10_000 - 3_334 * 3_334 // 10_000 == 8_889
    kinds = hamlet.session.scalars(select(Event.kind).where(Event.subject == case.public_id))
    assert kinds.all() == ["case.taken", "case.reports_read"]
    # Not answered in time, it is somebody else's, and so is what is in it.
    hamlet.day = case.due_on
    hamlet.evening()
    hamlet.evening(1)
    with pytest.raises(NotTheCaseOfficer):
        hamlet.do(reports.read_reports, actor_id=hamlet.officer.id, **read)


def test_a_reporter_is_believed_as_far_as_they_proved_right(hamlet: Watched) -> None:
    rules = communities.charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules
    assert [reports.believed_bps(*known, rules) for known in ((0, 0), (1, 0), (0, 3), (7, 0))] == [
        6_666,
        7_500,
        3_333,
        9_000,
    ]
    outcomes = (CaseOutcome.CONFIRMED, CaseOutcome.FALSE_ALARM, CaseOutcome.UNDECIDED)
    for outcome in outcomes:
        _report(hamlet, "ben", "cai")
        _close(hamlet, hamlet.cases()[-1], outcome)
    ben = hamlet.people["ben"].id
    found = reports.reliability(hamlet.session, hamlet.community.id, ben, rules)
    assert found == reports.Reliability(1, 1, 6_000)
    ada = reports.reliability(hamlet.session, hamlet.community.id, hamlet.people["ada"].id, rules)
    assert ada == reports.Reliability(0, 0, 6_666)


def test_what_rules_found_and_what_was_reported_are_two_cases(hamlet: Watched) -> None:
    hamlet.lend("cai", 100_00)
    _report(hamlet, "ben", "cai")
    hamlet.day = date(2026, 4, 3)
    hamlet.evening()
    about = [(case.member_id, case.is_confidential) for case in hamlet.cases()]
    assert about == [(hamlet.people["cai"].id, True), (hamlet.people["cai"].id, False)]


def test_reports_at_the_same_time_are_one_case(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = watched(session, RULES)
        people = {name: hamlet.people[name].id for name in ("ada", "ben", "cai")}
        gate, faults = threading.Barrier(2), []

        def send(name: str) -> None:
            with session_factory(engine)() as own:
                gate.wait()
                try:
                    run_unit(
                        own,
                        reports.report,
                        community_id=hamlet.community.id,
                        reporter_id=people[name],
                        member_id=people["cai"],
                        kind=RiskRule.MISUSE,
                        text="x",
                        **hamlet.when,
                    )
                except Exception as fault:  # noqa: BLE001  told by the test
                    faults.append(fault)

        threads = [threading.Thread(target=send, args=(name,)) for name in ("ada", "ben")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        [case] = hamlet.cases()
        assert hamlet.actions(case) == ["opened", "joined"]
        hamlet.check()
