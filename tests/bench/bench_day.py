"""The business day on PostgreSQL, against hand-written SQL that touches the same rows.

LOANS active loans (default 100,000) of twelve monthly rows in 100 communities, made by bulk SQL in
the real schema, constraints and fsync on. Two days are closed by the command, as a process of its
own: the 2nd of a month, when half of the loans begin their next instalment, and the 3rd, when one
in fifty does. The floor books the same on a copy of the table: one INSERT … SELECT of the lines
and one UPDATE (… FROM instalments, where rows begin), plain rounding, one commit.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date

import psycopg
from sqlalchemy import make_url, select, true
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.models import Community, CommunityKind
from community.communities.queries import find_charter
from community.engine import make_engine, session_factory
from community.loans import positions
from community.loans.service import quote
from config.settings import ROOT
from tests.databases import make_tables
from tests.hamlet import Hamlet, yuan
from tests.keys import ENVIRON
from tests.servers import fresh_database, postgres_server

LOANS = int(os.environ.get("LOANS", "100000"))
COMMUNITIES = 100
COMMAND = [sys.executable, "-m", "flask", "--app", "wsgi", "day", "close", "--json"]
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
}
TERMS = {
    "rate_method": "declining_balance",
    "yearly_rate_ppm": 120_000,
    "liability_mode": "none",
    "cover_ratio_bps": 0,
}

MEMBERS = """
INSERT INTO members (public_id, kind, name, version, created_at)
SELECT 'mem_bench' || n, 'person', 'Member ' || n, 1, now() FROM generate_series(1, %(loans)s / 4) n
"""
# Odd loans fall due on the 1st, even ones on the other days, each in its own month of its year.
LOAN_ROWS = """
INSERT INTO loans (public_id, community_id, borrower_id, product_version_id, charter_id, terms,
                   principal_minor, disbursed_minor, cover_short_minor, restructure_count,
                   outstanding_minor, written_off_minor, purpose, status,
                   disbursed_on, worked_out_on, version, created_at)
SELECT 'lon_bench' || n, 1 + n %% %(communities)s, %(member)s + n / 4, 1, 1, %(terms)s,
       1200000, 1200000, 0, 0, 1200000 - 100000 * (
         SELECT count(*) FROM generate_series(1, 12) k
          WHERE due + make_interval(months => k) <= date '2026-06-03'
            AND NOT (due + make_interval(months => k) = date '2026-06-01' AND (n + 1) %% 1000 = 0)
            AND NOT (due + make_interval(months => k) = date '2026-06-02' AND (n + 1) %% 50 = 1)),
       0, 'seed', 'current', due, due, 1, now()
  FROM generate_series(0, %(loans)s - 1) n,
       LATERAL (SELECT (date '2025-07-01' + make_interval(months => n %% 11) + make_interval(
         days => CASE WHEN n %% 2 = 1 THEN 0 ELSE 1 + n / 2 %% 27 END))::date AS due) d
"""
DISBURSEMENTS = """
INSERT INTO disbursements (loan_id, number, amount_minor, paid_out_on, recorded_at)
SELECT id, 1, principal_minor, disbursed_on, now() FROM loans
"""
# Everybody has paid to the 3rd of June, but for a few of those due on the 1st and on the 2nd.
INSTALMENTS = """
INSERT INTO instalments (loan_id, number, from_on, due_on, principal_minor, interest_minor,
                         fee_minor, penalty_minor, paid_principal_minor, paid_interest_minor,
                         paid_fee_minor, paid_penalty_minor)
SELECT loan_id, number, from_on, due_on, 100000, interest, 0, 0, paid * 100000, paid * interest,
       0, 0
  FROM (SELECT l.id AS loan_id, k AS number, due_on, (13 - k) * 987 AS interest,
               (l.disbursed_on + make_interval(months => k - 1))::date AS from_on,
               CASE WHEN due_on <= date '2026-06-03'
                     AND NOT (due_on = date '2026-06-01' AND l.id %% 1000 = 0)
                     AND NOT (due_on = date '2026-06-02' AND l.id %% 50 = 1)
                    THEN 1 ELSE 0 END AS paid
          FROM loans l, generate_series(1, 12) k,
               LATERAL (SELECT (l.disbursed_on + make_interval(months => k))::date AS due_on) d) r
"""
POSITIONS = """
INSERT INTO loan_positions (loan_id, community_id, product_id, currency, is_live, accrues,
  outstanding_minor, paid_interest_minor, earned_before_minor, running_from_on, running_days,
  running_interest_minor, receivable_minor)
SELECT id, community_id, 1, 'CNY', true, true, 0, 0, 0, disbursed_on, 1, 0, 0 FROM loans
"""
# The copy that the floor works on, with the constraints and indexes of the original.
FLOOR_TABLES = """
DROP TABLE IF EXISTS floor_positions, floor_lines;
CREATE TABLE floor_positions (LIKE loan_positions INCLUDING ALL) WITH (fillfactor = 70);
INSERT INTO floor_positions SELECT * FROM loan_positions ORDER BY loan_id;
ALTER TABLE floor_positions ADD FOREIGN KEY (loan_id) REFERENCES loans,
  ADD FOREIGN KEY (community_id) REFERENCES communities,
  ADD FOREIGN KEY (product_id) REFERENCES products;
CREATE TABLE floor_lines (LIKE accrual_lines INCLUDING ALL);
ALTER TABLE floor_lines ADD FOREIGN KEY (loan_id) REFERENCES loans,
  ADD FOREIGN KEY (entry_id) REFERENCES journal_entries;
"""
FLOOR_EARNED = """
greatest(0, {p}earned_before_minor + {p}running_interest_minor
  * (date '{on}' - {p}running_from_on) / {p}running_days - {p}paid_interest_minor)
"""
FLOOR_ROLL = """
UPDATE floor_positions p
   SET earned_before_minor = p.earned_before_minor + p.running_interest_minor,
       running_from_on = p.running_until_on, running_until_on = i.due_on,
       running_days = i.due_on - p.running_until_on, running_interest_minor = i.interest_minor
  FROM instalments ended JOIN instalments i
    ON i.loan_id = ended.loan_id AND i.number = ended.number + 1
 WHERE p.running_until_on < date '{on}' AND ended.loan_id = p.loan_id
   AND ended.due_on = p.running_until_on
"""


def run(loans: int = LOANS) -> None:
    """Print loans per second, peak memory of the command, and the time in floors."""
    with (
        postgres_server(durable=True, settings=SETTINGS) as server,
        fresh_database(server) as url,
    ):
        make_tables(url)
        started = time.perf_counter()
        _fill(url, loans)
        print(f"   {loans:,} loans made in {time.perf_counter() - started:.0f} s", flush=True)
        _close(url, date(2026, 6, 1))
        for day, what in (
            (date(2026, 6, 2), "the 2nd: half of the loans begin a row"),
            (date(2026, 6, 3), "the 3rd: an ordinary day"),
        ):
            floor, lines = _floor(url, day)
            report, memory = _close(url, day)
            _tell(what, loans, report, memory, floor, lines)


def _tell(
    what: str, loans: int, report: dict[str, object], memory: int, floor: float, lines: int
) -> None:
    steps: dict[str, float] = report["step_seconds"]  # type: ignore[assignment]
    counts: dict[str, dict[str, int]] = report["steps"]  # type: ignore[assignment]
    booked = counts["accrue"]["loans with interest booked"]
    if booked != lines:
        raise RuntimeError(f"the floor wrote {lines} lines, the day {booked}")
    accrue, total = steps["accrue"], float(report["seconds"])  # type: ignore[arg-type]
    late = counts["advance"].get("loans now overdue", 0)
    rest = {name: seconds for name, seconds in steps.items() if name != "accrue"}
    rest["turns and report"] = total - sum(steps.values())
    where = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in rest.items())
    print(
        f"   {what}: accrual {loans / accrue:,.0f} loans/s ({accrue:.2f} s, {booked:,} lines), "
        f"{accrue / floor:.2f} × the floor ({floor:.2f} s); "
        f"whole day {loans / total:,.0f} loans/s ({total:.2f} s), {total / floor:.2f} × the floor; "
        f"peak memory {memory // 1024} MB\n"
        f"      the rest: {where}; {late} newly overdue; "
        f"{1000 * (total - accrue) / COMMUNITIES:.0f} ms a community",
        flush=True,
    )


def _fill(url: str, loans: int) -> None:
    engine = make_engine(url, statement_timeout_ms=0)
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, day=date(2025, 6, 1), terms=TERMS)
        terms = quote(
            session,
            community_id=hamlet.community.id,
            product_id=hamlet.product_id,
            principal=yuan(1_200_000),
            on=hamlet.day,
            instalments=12,
        ).terms.to_document()
        _found_communities(session, hamlet)
        given = {"loans": loans, "communities": COMMUNITIES, "terms": json.dumps(terms)}
        given["member"] = (
            session.connection().exec_driver_sql("SELECT max(id) + 1 FROM members").scalar_one()
        )
        # The rows refer to each other rightly; looking each up would take most of the time here.
        session.connection().exec_driver_sql("SET session_replication_role = replica")
        for statement in (MEMBERS, LOAN_ROWS, DISBURSEMENTS, INSTALMENTS, POSITIONS):
            session.connection().exec_driver_sql(statement, given)
            session.connection().exec_driver_sql("ANALYZE")
        positions.rederive(session, true(), on=date(2026, 5, 31))
        session.connection().exec_driver_sql("SET session_replication_role = DEFAULT")
        session.commit()
    engine.dispose()
    _outside(url, "VACUUM ANALYZE", "CHECKPOINT")


def _found_communities(session: Session, hamlet: Hamlet) -> None:
    for number in range(2, COMMUNITIES + 1):
        hamlet.do(
            communities.create_community,
            kind=CommunityKind.REGION,
            name=f"Village {number}",
            reference=f"v{number}",
            currency="CNY",
            now=hamlet.now,
            actor_id=None,
        )
    charter = find_charter(session, hamlet.community.id, hamlet.day)
    assert charter is not None
    rules = charter.rules
    for community_id in session.scalars(
        select(Community.id).where(Community.id != hamlet.community.id)
    ).all():
        hamlet.do(
            communities.adopt_charter,
            community_id=community_id,
            rules_document=rules,
            valid_from=hamlet.day,
            source="bench",
            now=hamlet.now,
            actor_id=None,
        )


def _close(url: str, on: date) -> tuple[dict[str, object], int]:
    """Close a day by the command; its report, and the peak of its memory in KB."""
    _outside(url, "CHECKPOINT")
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/out", "w+b") as out:
        process = subprocess.Popen(
            [*COMMAND, "--date", on.isoformat()],
            cwd=ROOT,
            env={"PATH": os.defpath, "DATABASE_URL": url, "VAR_DIR": folder, "HOME": folder}
            | ENVIRON,
            stdout=out,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"the day could not be closed ({process.returncode})")
        out.seek(0)
        return json.loads(out.read()), usage.ru_maxrss


def _floor(url: str, on: date) -> tuple[float, int]:
    """Seconds that the bare statements take on a copy, and how many lines they wrote."""
    _outside(url, *FLOOR_TABLES.split(";")[:-1], "VACUUM ANALYZE", "CHECKPOINT")
    target = FLOOR_EARNED.format(p="", on=on)
    with psycopg.connect(_plain(url)) as connection:
        started = time.perf_counter()
        connection.execute(FLOOR_ROLL.format(on=on))
        lines = connection.execute(
            f"INSERT INTO floor_lines SELECT (SELECT max(id) FROM journal_entries), loan_id, "
            f"{target} - receivable_minor FROM floor_positions WHERE {target} <> receivable_minor"
        ).rowcount
        connection.execute(
            f"UPDATE floor_positions SET receivable_minor = {target} "
            f"WHERE {target} <> receivable_minor"
        )
        connection.commit()
        return time.perf_counter() - started, lines


def _outside(url: str, *statements: str) -> None:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(False)
