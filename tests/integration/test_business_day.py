"""Whose turn it is, days in their order, two workers at once, the report and the schedule."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, event, func, select

from app import create_app
from app.businessday.running import close_days, is_gone, new_worker
from app.businessday.schedule import Schedule, day_to_close
from app.extensions import db
from app.transaction import run_unit
from community.businessday.errors import DayPassed, DayTakenOver, DayUnderWay
from community.businessday.models import DayRun, DayState, DayStep
from community.businessday.queries import communities_behind
from community.businessday.service import Turn, Unit, Worker, take_turn, work_on
from community.businessday.steps import STEPS
from community.communities.models import CommunityKind
from community.communities.service import create_community
from community.engine import session_factory
from community.guarantees.service import record_repayment
from community.ledger.errors import DayClosed
from community.ledger.models import Book, JournalEntry
from community.ledger.service import close_through
from community.loans.models import AccrualLine, Repayment
from community.risk.models import RiskRun
from community.verification import verify
from config.settings import Settings
from tests.hamlet import Hamlet, yuan
from tests.keys import KEYS

DAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 11, 0, 30, tzinfo=UTC)
LEASE = timedelta(minutes=5)
TERMS = {"rate_method": "declining_balance", "yearly_rate_ppm": 120_000}
FIRST_UNIT = ["expire vouches", "expire assessments", "expire holds", "accrue"]
ONE = Worker("one", LEASE, lambda name: False)
TWO = Worker("two", LEASE, lambda name: False)


@pytest.fixture
def hamlet(engine: Engine) -> Iterator[Hamlet]:
    """A hamlet in which Ben borrowed on Uma's word on 2 March, due a month later."""
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, terms=TERMS)
        hamlet.fund(10_000_00)
        hamlet.person("ben")
        hamlet.person("uma", stake=500_00)
        hamlet.vouch("uma", "ben", 500_00)
        hamlet.lend("ben", 310_00)
        yield hamlet


@pytest.fixture
def app(engine: Engine, hamlet: Hamlet, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            database_durable=False,
            business_timezone=Settings().business_timezone,
            day_close_at=time(0, 30),
            fixed_now=NOW,
            log_level="CRITICAL",
            secret_key="of no use outside of this test suite",
            var_dir=tmp_path,
            **KEYS,
        )
    )
    yield app
    with app.app_context():
        db.engine.dispose()


def test_the_first_day_is_the_one_that_is_asked_for_and_days_follow(hamlet: Hamlet) -> None:
    assert _days(hamlet, DAY) == [DAY]
    assert _days(hamlet, DAY) == []
    assert _days(hamlet, DAY + timedelta(days=3)) == [DAY + timedelta(days=n) for n in (1, 2, 3)]
    # 310.00 at 12 % is 3.10 over the 31 days of March: ten cents a day, from the first close on.
    lines = hamlet.session.execute(
        select(JournalEntry.business_on, AccrualLine.amount_minor)
        .join(JournalEntry, JournalEntry.id == AccrualLine.entry_id)
        .order_by(JournalEntry.business_on)
    ).all()
    assert lines == [(DAY, 80), *((DAY + timedelta(days=n), 10) for n in (1, 2, 3))]
    hamlet.check()


def test_a_closed_day_takes_no_more_postings(hamlet: Hamlet) -> None:
    _days(hamlet, DAY)
    hamlet.day = DAY
    with pytest.raises(DayClosed):
        hamlet.fund(1)


def test_a_day_kept_open_is_worked_through_again(hamlet: Hamlet) -> None:
    assert _days(hamlet, DAY, keep_open=True) == [DAY]
    assert hamlet.session.scalars(select(DayRun.state)).one() is DayState.WORKED
    hamlet.day = DAY
    hamlet.fund(1)
    hamlet.lend("ben", 5_00)
    assert _days(hamlet, DAY) == [DAY]
    assert hamlet.session.scalars(select(DayRun.state)).one() is DayState.CLOSED
    hamlet.check()


def test_a_day_before_the_last_one_is_passed(hamlet: Hamlet) -> None:
    _days(hamlet, DAY)
    with pytest.raises(DayPassed, match="was never worked through"):
        _days(hamlet, DAY - timedelta(days=1))
    assert _days(hamlet, DAY + timedelta(days=1))
    assert _days(hamlet, DAY) == []


def test_books_that_were_closed_otherwise_are_not_opened(hamlet: Hamlet) -> None:
    hamlet.do(close_through, community_id=hamlet.community.id, on=DAY)
    with pytest.raises(DayPassed, match="closed through"):
        _days(hamlet, DAY)
    assert _days(hamlet, DAY + timedelta(days=2)) == [DAY + timedelta(days=2)]


def test_a_lease_keeps_others_away_until_it_runs_out(hamlet: Hamlet) -> None:
    turn = _turn(hamlet, ONE, NOW)
    with pytest.raises(DayUnderWay, match="worked on by one, whose lease runs until"):
        _turn(hamlet, TWO, NOW + timedelta(minutes=4))
    _work(hamlet, turn, ONE, NOW + timedelta(minutes=4))  # and so it runs until minute nine
    with pytest.raises(DayUnderWay):
        _turn(hamlet, TWO, NOW + timedelta(minutes=8))
    taken = _turn(hamlet, TWO, NOW + timedelta(minutes=9))
    assert taken == turn
    # The first was only slow. It cannot write any more, in whatever it was about to do.
    with pytest.raises(DayTakenOver):
        _work(hamlet, turn, ONE, NOW + timedelta(minutes=9))
    while not _work(hamlet, taken, TWO, NOW + timedelta(minutes=9)).is_finished:
        pass
    with pytest.raises(DayTakenOver):
        _work(hamlet, turn, ONE, NOW + timedelta(minutes=9))
    hamlet.check()


def test_the_lease_of_a_dead_worker_is_not_waited_for(hamlet: Hamlet) -> None:
    _turn(hamlet, ONE, NOW)
    heir = Worker("heir", LEASE, lambda name: name == "one")
    assert _turn(hamlet, heir, NOW)


def test_a_process_of_this_host_that_is_not_there_is_gone() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    host = socket.gethostname()
    assert is_gone(f"{host}/{child}/0a1b")
    assert not is_gone(f"elsewhere/{child}/0a1b")
    assert not is_gone(f"{host}/{os.getppid()}/0a1b")
    # Our own number under another name is a life before this one.
    assert is_gone(f"{host}/{os.getpid()}/0a1b")


def test_two_workers_at_once_do_the_day_once(app: Flask, hamlet: Hamlet, engine: Engine) -> None:
    """Both begin together, many times over; every step is done by one of them."""
    hamlet.session.rollback()
    gate, outcomes = threading.Barrier(2), []

    def work(name: str) -> None:
        with app.app_context():
            worker = Worker(name, LEASE, lambda other: False)
            for days in range(5):
                gate.wait()
                outcomes.append(
                    close_days(
                        db.session(),
                        communities=[hamlet.community.id],
                        on=DAY + timedelta(days=days),
                        worker=worker,
                    )
                )
                # Whoever was turned away waits for the other here, and both go on.
                gate.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 10
    with session_factory(engine)() as session:
        runs = session.scalars(select(DayRun)).all()
        assert [run.state for run in runs] == [DayState.CLOSED] * 5
        assert session.scalar(select(func.count()).select_from(DayStep)) == 5 * len(STEPS)
        assert session.scalars(
            select(AccrualLine.amount_minor).order_by(AccrualLine.entry_id)
        ).all() == [80, 10, 10, 10, 10]
    hamlet.check()


def test_payments_and_the_day_do_not_cross(app: Flask, hamlet: Hamlet, engine: Engine) -> None:
    """Money comes in while interest is booked: no circle of waiting, all is booked once."""
    hamlet.day = DAY
    lent = [hamlet.lend("ben", 20_00, 4).id for _ in range(3)]
    hamlet.session.rollback()
    gate = threading.Barrier(2)

    def run(work: Callable[[], None]) -> None:
        with app.app_context():
            gate.wait()
            work()

    def days() -> None:
        for days in range(12):
            close_days(
                db.session(),
                communities=[hamlet.community.id],
                on=DAY + timedelta(days=days),
                keep_open=True,
                limit=2,
            )

    def payments() -> None:
        for number in range(24):
            run_unit(
                db.session(),
                record_repayment,
                loan_id=lent[number % 3],
                amount=yuan(7),
                on=DAY + timedelta(days=20),
                now=NOW,
            )

    with ThreadPoolExecutor(2) as pool:
        for running in [pool.submit(run, work) for work in (days, payments)]:
            running.result()
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()
        assert session.scalar(select(func.count()).select_from(Repayment)) == 24


def test_the_second_one_is_told_who_works_on_the_day(app: Flask, hamlet: Hamlet) -> None:
    _turn(hamlet, Worker("elsewhere/7/0a1b", LEASE, is_gone), NOW)
    result = app.test_cli_runner().invoke(args=["day", "close", "--date", DAY.isoformat()])
    assert result.exit_code == 1
    assert f"hamlet: The day {DAY} is being worked on by elsewhere/7/0a1b" in result.stderr


def test_the_report_says_what_came_of_the_day(app: Flask, hamlet: Hamlet) -> None:
    run = app.test_cli_runner()
    late = date(2026, 4, 14)  # twelve days after the due
    for day in (late - timedelta(days=2), late):
        result = run.invoke(args=["day", "close", "--json", "--date", day.isoformat()])
        assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["day"], report["state"], report["days_worked"]) == ("2026-04-14", "closed", 2)
    assert report["held_by_others"] == {}
    steps = report["steps"]
    assert set(steps) == {step.name for step in STEPS} == set(report["step_seconds"])
    # On the 13th Uma is called, and her stake pays the principal; the interest stays called.
    assert steps["advance"] == {"late loans looked at": 2, "loans now called": 1}
    told = run.invoke(args=["day", "close", "--date", "2026-04-15"])
    assert "2026-04-15 closed: 1 communities, 1 days worked" in told.stdout


def test_amounts_are_shown_in_the_currencys_decimals(app: Flask, hamlet: Hamlet) -> None:
    told = app.test_cli_runner().invoke(args=["day", "close", "--date", DAY.isoformat()])
    assert "interest earned CNY: 0.80" in told.stdout
    assert "loans with interest booked: 1" in told.stdout


def test_a_step_that_fails_leaves_the_day_where_it_was(hamlet: Hamlet) -> None:
    """Nothing of the failed unit stays, and whoever comes next begins with it."""
    turn = _turn(hamlet, ONE, NOW)
    assert [done.step for done in _work(hamlet, turn, ONE, NOW).portions] == FIRST_UNIT
    hamlet.do(close_through, community_id=hamlet.community.id, on=DAY)
    for _ in range(2):
        with pytest.raises(DayClosed):
            _work(hamlet, turn, ONE, NOW)
        rows = hamlet.session.scalars(select(DayStep)).all()
        assert {row.name for row in rows if row.is_done} == set(FIRST_UNIT)
    hamlet.check()


def test_where_nothing_is_to_do_a_day_is_one_commit(hamlet: Hamlet) -> None:
    idle = hamlet.do(
        create_community,
        kind=CommunityKind.REGION,
        name="Idle",
        reference="idle",
        currency="CNY",
        now=hamlet.now,
        actor_id=None,
    )
    turn = hamlet.do(take_turn, community_id=idle.id, on=DAY, worker=ONE, now=NOW)
    assert turn is not None
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(hamlet.session.get_bind(), "before_cursor_execute", count)
    unit = _work(hamlet, turn, ONE, NOW)
    event.remove(hamlet.session.get_bind(), "before_cursor_execute", count)
    assert unit.is_finished
    assert [done.step for done in unit.portions] == [step.name for step in STEPS]
    assert statements <= 19


def test_what_takes_locks_is_a_unit_of_its_own(hamlet: Hamlet) -> None:
    """Grants are locked before promises, and the book after everything."""
    hamlet.vouch("ben", "uma", 100_00).expires_on = DAY
    hamlet.session.commit()
    late = date(2026, 4, 13)  # eleven days after the due: Uma is called
    turn = hamlet.do(take_turn, community_id=hamlet.community.id, on=late, worker=ONE, now=NOW)
    assert turn is not None
    units = [_work(hamlet, turn, ONE, NOW)]
    while not units[-1].is_finished:
        units.append(_work(hamlet, turn, ONE, NOW))
    assert [[done.step for done in unit.portions] for unit in units] == [
        ["expire vouches"],
        ["expire assessments", "expire holds", "accrue"],
        ["advance"],
        ["tend groups", "expire campaign grants", "classify", "provide", "score"],
        ["watch"],
        ["search circles"],
        ["watch desk", "escalate complaints", "count votes", "publish ratings", "close"],
    ]
    hamlet.check()


@pytest.mark.parametrize(
    ("clock", "day"),
    [("00:29", date(2026, 3, 9)), ("00:30", DAY), ("23:59", DAY)],
)
def test_a_day_is_over_at_its_time(clock: str, day: date) -> None:
    local = datetime.combine(date(2026, 3, 11), time.fromisoformat(clock))
    assert day_to_close(local, time(0, 30)) == day


def test_the_schedule_closes_what_is_over_once(app: Flask, hamlet: Hamlet) -> None:
    schedule: Schedule = app.extensions["business_day"]
    # 00:30 UTC is 08:30 in the business time zone: the 10th is over.
    assert communities_behind(hamlet.session, DAY) == [hamlet.community.id]
    outcome = schedule.tick()
    assert outcome is not None
    assert (outcome.on, outcome.report.runs) == (DAY, 1)
    assert schedule.tick() is None
    hamlet.session.rollback()  # SQLite would go on reading what it read before
    closed = hamlet.session.scalars(
        select(Book.closed_through).where(Book.community_id == hamlet.community.id)
    ).one()
    assert closed == DAY
    # When the day is closed, the risk desk has looked for circles, once.
    runs = hamlet.session.execute(select(RiskRun.number, RiskRun.on_day)).all()
    assert [tuple(run) for run in runs] == [(1, DAY)]


def test_without_a_time_nothing_is_scheduled(engine: Engine, tmp_path: Path) -> None:
    app = create_app(Settings(database_url="sqlite://", log_level="CRITICAL", var_dir=tmp_path))
    before = threading.active_count()
    app.extensions["business_day"].start()
    assert threading.active_count() == before
    result = app.test_cli_runner().invoke(args=["day", "schedule"])
    assert result.exit_code == 1
    assert "Set DAY_CLOSE_AT" in result.stderr


def test_workers_have_names_of_their_own() -> None:
    assert new_worker().name != new_worker().name
    assert not is_gone(f"{socket.gethostname()}/{os.getppid()}/00")


def _days(hamlet: Hamlet, on: date, *, keep_open: bool = False) -> list[date]:
    """Work through all that is due; the days that were."""
    days = []
    while turn := hamlet.do(
        take_turn, community_id=hamlet.community.id, on=on, worker=ONE, now=NOW
    ):
        days.append(turn.on)
        while not hamlet.do(
            work_on, turn=turn, worker=ONE, now=NOW, limit=10, keep_open=keep_open
        ).is_finished:
            pass
        if keep_open and turn.on == on:
            break
    return days


def _turn(hamlet: Hamlet, worker: Worker, now: datetime) -> Turn:
    turn = hamlet.do(take_turn, community_id=hamlet.community.id, on=DAY, worker=worker, now=now)
    assert turn is not None
    return turn


def _work(hamlet: Hamlet, turn: Turn, worker: Worker, now: datetime) -> Unit:
    return hamlet.do(work_on, turn=turn, worker=worker, now=now, limit=10)
