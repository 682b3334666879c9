"""Classes, provisions and reports of a large portfolio on PostgreSQL, against one SQL statement.

The peer classes and provides for all loans by days overdue in a single INSERT … SELECT: without
history, reasons, watch, members' other loans, books or chunks. It is the floor, not a rival.
"""

import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community
from community.engine import make_engine, session_factory
from community.portfolio.at_risk import Grouping, portfolio_at_risk
from community.portfolio.queries import class_report
from community.portfolio.rolls import roll_rates
from community.portfolio.service import classify_loans, loan_ranges, provide
from community.portfolio.vintages import vintages
from tests.databases import make_tables
from tests.portfolio_life import lending_hamlet
from tests.servers import fresh_database, postgres_server

LOANS = 100_000
CHUNK = 10_000
REPEATS = 3
START = date(2026, 1, 5)
# All first dues have passed; every twentieth loan stopped paying at some time.
DAY = date(2026, 9, 1)

FILL = (
    """
    INSERT INTO members (public_id, kind, name, version, created_at)
    SELECT 'mem_' || n, 'person', 'member ' || n, 1, now()
      FROM generate_series(1, CAST(:loans AS integer) / 2) n
    """,
    """
    INSERT INTO loans (public_id, community_id, borrower_id, product_version_id, charter_id, terms,
                       principal_minor, disbursed_minor, cover_short_minor, restructure_count,
                       outstanding_minor, written_off_minor, purpose, status,
                       disbursed_on, version, created_at)
    SELECT 'lon_' || n, :community, first + n % (CAST(:loans AS integer) / 2), :version, :charter,
           terms, 120000, 120000, 0, 0, 120000 - 10000 * paid, 0, 'x', 'current', out_on, paid,
           now()
      FROM (SELECT n, out_on, CASE WHEN n % 20 = 0 THEN n % 5
                                   ELSE (CAST(:day AS date) - out_on) / 31 END AS paid
              FROM (SELECT n, CAST(:start AS date) + n % 180 AS out_on
                      FROM generate_series(1, CAST(:loans AS integer)) n) days) p,
           (SELECT min(id) AS first FROM members WHERE name LIKE 'member %') m,
           (SELECT terms FROM loans ORDER BY id LIMIT 1) l
    """,
    """
    INSERT INTO instalments (loan_id, number, from_on, due_on, principal_minor, interest_minor,
                             fee_minor, penalty_minor, paid_principal_minor, paid_interest_minor,
                             paid_fee_minor, paid_penalty_minor)
    SELECT l.id, k, l.disbursed_on + 31 * (k - 1), l.disbursed_on + 31 * k, 10000, 0, 0, 0,
           CASE WHEN k <= l.version THEN 10000 ELSE 0 END, 0, 0, 0
      FROM loans l, generate_series(1, 12) k WHERE l.purpose = 'x'
    """,
    """
    INSERT INTO repayments (public_id, loan_id, payer_id, source, amount_minor, offered_minor,
                            is_payoff, principal_minor, interest_minor, fee_minor, penalty_minor,
                            recovered_minor, recourse_minor, overpaid_minor,
                            received_on, recorded_at)
    SELECT 'rcp_' || l.id || '_' || k, l.id, l.borrower_id, 'borrower', 10000, 10000, false,
           10000, 0, 0, 0, 0, 0, 0,
           l.disbursed_on + 31 * k, now()
      FROM loans l, generate_series(1, 12) k WHERE k <= l.version AND l.purpose = 'x'
    """,
    """
    INSERT INTO loan_positions (loan_id, community_id, product_id, currency, is_live, accrues,
                                outstanding_minor, paid_interest_minor, earned_before_minor,
                                running_from_on, running_days, running_interest_minor,
                                receivable_minor, oldest_due_on)
    SELECT l.id, l.community_id, v.product_id, 'CNY', true, true, l.outstanding_minor, 0, 0,
           l.disbursed_on, 1, 0, 0, l.disbursed_on + 31 * (l.version + 1)
      FROM loans l JOIN product_versions v ON v.id = l.product_version_id WHERE l.purpose = 'x'
    """,
)
FLOOR = """
CREATE TEMPORARY TABLE floor ON COMMIT DROP AS
SELECT l.id, CASE WHEN d.days >= 361 THEN 'loss' WHEN d.days >= 271 THEN 'doubtful'
                  WHEN d.days >= 91 THEN 'substandard' WHEN d.days >= 1 THEN 'special_mention'
                  ELSE 'normal' END AS risk_class,
       l.outstanding_minor / 100 AS provision_minor
  FROM loans l LEFT JOIN (
       SELECT loan_id, CAST(:day AS date) - min(due_on) AS days FROM instalments
        WHERE due_on < :day AND paid_principal_minor < principal_minor GROUP BY loan_id
  ) d ON d.loan_id = l.id
 WHERE l.status IN ('current', 'overdue', 'called')
"""


def run(loans: int = LOANS) -> None:
    """Print loans a second of a first and of an ordinary day, and the time of each report."""
    with postgres_server() as server, fresh_database(server) as url:
        make_tables(url)
        engine = make_engine(url, durable=False, statement_timeout_ms=0)
        try:
            _measure(engine, loans)
        finally:
            engine.dispose()


def _measure(engine: Engine, loans: int) -> None:
    community_id = _fill(engine, loans)
    floor = statistics.median(_timed(lambda: _floor(engine)) for _ in range(REPEATS))
    print(f"   {loans:,} loans of 12 dues; floor: one statement over all, {floor:.2f} s")
    for name, day in (("first day", DAY), ("next day", DAY + timedelta(days=1))):
        classed = _timed(lambda day=day: _each(engine, classify_loans, community_id, day))
        provided = _timed(lambda day=day: _each(engine, provide, community_id, day))
        both = classed + provided
        print(
            f"   {name}: classes {classed:.2f} s, provisions {provided:.2f} s: "
            f"{loans / both:,.0f} loans/s, {both / floor:.1f} × the floor"
        )
    today = DAY + timedelta(days=1)
    with session_factory(engine)() as session:
        community = session.get_one(Community, community_id)
        here: dict[str, Any] = {"community": community, "today": today}
        for name, report in {
            "PAR today by officer": lambda: portfolio_at_risk(
                session, on=today, by=Grouping.OFFICER, **here
            ),
            "PAR a month ago": lambda: portfolio_at_risk(
                session, on=today - timedelta(days=30), **here
            ),
            "classes": lambda: class_report(session, community=community),
            "vintages of a year": lambda: vintages(session, until=today, months=12, **here),
            "roll rates": lambda: roll_rates(session, month="2026-08", **here),
        }.items():
            seconds = statistics.median(_timed(report) for _ in range(REPEATS))
            print(f"   {name}: {1000 * seconds:,.0f} ms")


def _each(engine: Engine, work: Callable[..., Any], community_id: int, day: date) -> None:
    with session_factory(engine)() as session:
        parts = loan_ranges(session, community_id=community_id, size=CHUNK)
        now = session.get_one(Community, community_id).created_at
        session.rollback()
        for loan_ids in parts:
            run_unit(session, work, community_id=community_id, on=day, now=now, loan_ids=loan_ids)


def _floor(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(FLOOR), {"day": DAY})


def _fill(engine: Engine, loans: int) -> int:
    with session_factory(engine)() as session:
        hamlet = lending_hamlet(session, "ana", day=START)
        pattern = hamlet.lend("ana", 1_200, 12)
        facts = {
            "loans": loans,
            "community": pattern.community_id,
            "version": pattern.product_version_id,
            "charter": pattern.charter_id,
            "start": START,
            "day": DAY,
        }
        for statement in FILL:
            session.execute(text(statement), facts)
        session.commit()
        _analyse(session)
        return pattern.community_id


def _analyse(session: Session) -> None:
    session.execute(text("ANALYZE"))
    session.commit()


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
