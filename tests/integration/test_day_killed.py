"""The business day is killed at any moment, again and again, and the books come out the same."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from community.businessday.models import DayRun, DayState
from community.communities.charter import ComplaintKind
from community.engine import make_engine, session_factory
from community.feedback import complaints, ratings
from community.feedback.models import ComplaintStep, RatingRelease, StepKind
from community.loans.models import Loan, LoanStatus
from community.members.principal import Role
from community.members.service import grant_role
from community.models import metadata
from community.monitoring.models import RiskEvent
from community.products import queries as products
from community.verification import verify
from config.settings import ROOT
from tests.databases import database_copy, database_like
from tests.hamlet import Hamlet
from tests.keys import ENVIRON
from tests.killing import commands

FIRST = date(2026, 3, 2)
LAST = FIRST + timedelta(days=24)
NOW = datetime.combine(LAST, time(20), UTC)
COMMAND = ["day", "close", "--date", LAST.isoformat(), "--portion", "2"]
# On each database, so over forty in all; a child gets at most so far, counting as it does.
KILLS = 20
STEPS_MAX = 1_300

# Rows of these are made by the day: their numbers may have gaps, and nobody else knows their ids.
MADE = {
    "accounts",
    "calls",
    "call_lines",
    "claims",
    "cover_lines",
    "day_runs",
    "guarantee_payments",
    "journal_entries",
    "risk_cases",
    "risk_circle_names",
    "risk_circles",
    "risk_events",
    "risk_runs",
    "repayments",
    "warning_runs",
}
UNSTEADY = {"id", "public_id", "list_key", "hash", "prev_hash", "head_hash"}
PUBLIC_ID = re.compile(r"\b([a-z]{3})_[0-9a-z]{16}\b")


@pytest.fixture
def village_url(template_url: str, tmp_path: Path) -> Iterator[str]:
    """A hamlet with loans of all fates, its first day closed by nobody yet."""
    with database_like(template_url, tmp_path) as url:
        engine = make_engine(url, durable=False)
        _found(engine)
        engine.dispose()
        yield url


def test_killed_at_any_moment_and_resumed_gives_the_same_books(
    village_url: str, tmp_path: Path
) -> None:
    dice = random.Random(25)
    with database_copy(village_url, tmp_path) as undisturbed:
        with commands(undisturbed, NOW, tmp_path) as run:
            assert run(COMMAND, None) == 0
        for _ in range(2):
            _kill_the_command(village_url, tmp_path, after_lines=dice.randint(1, 20))
        kills = 2
        with commands(village_url, NOW, tmp_path) as run:
            while run(COMMAND, dice.randint(1, STEPS_MAX)) == -signal.SIGKILL:
                kills += 1
        assert kills >= KILLS
        _assert_same_books(village_url, undisturbed)


def _kill_the_command(url: str, folder: Path, after_lines: int) -> None:
    """The command as an operator runs it, killed after it has told of so many portions."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", *COMMAND, "--lines"],
        cwd=ROOT,
        env={
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            **ENVIRON,
            "DATABASE_URL": url,
            "DATABASE_DURABLE": "0",
            "FIXED_NOW": NOW.isoformat(),
            "LOG_LEVEL": "ERROR",
            "VAR_DIR": str(folder),
        },
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for _ in range(after_lines):
        assert process.stderr.readline()
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def _found(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(
            session,
            day=FIRST,
            rules={"call_day": 3, "call_deadline_days": 2, "write_off_day": 12},
            terms={
                "rate_method": "declining_balance",
                "amortisation": "equal_instalment",
                "yearly_rate_ppm": 240_000,
                "day_count": "actual/365",
                "period_unit": "week",
                "liability_mode": "joint_and_several",
            },
        )
        hamlet.fund(5_000_00, reserve=50_00)
        names = ["ana", "ben", "cai", "dou", "eva"]
        for name in names:
            hamlet.person(name, stake=60_00, assessed=300_00)
        for voucher, borrower in zip(names, [*names[1:], names[0]], strict=True):
            hamlet.vouch(voucher, borrower, 400_00)
        for name, amount, parts in [
            ("ana", 310_00, 3),
            ("ben", 200_00, 8),
            ("cai", 333_33, 5),
            ("eva", 120_01, 2),
        ]:
            hamlet.lend(name, amount, parts)
        good = hamlet.lend("dou", 99_99, 12)
        hamlet.repay(good, 90_00)
        _speak_up(hamlet)
        # The day before the first: so that the days between are worked through one by one.
        session.add(
            DayRun(
                community_id=hamlet.community.id,
                on=FIRST - timedelta(days=1),
                state=DayState.CLOSED,
                started_at=hamlet.now,
                finished_at=hamlet.now,
            )
        )
        hamlet.check()


def _speak_up(hamlet: Hamlet) -> None:
    """A complaint that nobody answers, and ratings of which a mean may be shown."""
    ids = {name: member.id for name, member in hamlet.people.items()}
    for name, role in (("ben", Role.OFFICER), ("eva", Role.OPERATOR)):
        place = hamlet.community.id if role is Role.OFFICER else None
        hamlet.do(grant_role, member_id=ids[name], role=role, community_id=place, now=hamlet.now)
    hamlet.do(
        complaints.file,
        community_id=hamlet.community.id,
        complainant_id=ids["ana"],
        kind=ComplaintKind.MONEY,
        title="x",
        text="x",
        against_id=None,
        **hamlet.when,
    )
    terms = products.version_on(hamlet.session, hamlet.product_id, hamlet.day)
    for name, stars in zip(ids, (5, 4, 3, 2, 4), strict=True):
        hamlet.do(ratings.rate, thing=terms, member_id=ids[name], stars=stars, on=hamlet.day)


def _assert_same_books(url: str, other_url: str) -> None:
    books = [_books(place) for place in (url, other_url)]
    for table in books[0].keys() | books[1].keys():
        assert books[0].get(table) == books[1].get(table), table


def _books(url: str) -> dict[str, Counter[str]]:
    """All rows of all tables, but for what chance decides; proved to keep the laws."""
    engine = make_engine(url, durable=False)
    try:
        with session_factory(engine)() as session:
            assert verify(session).breaches == ()
            days = session.scalars(select(DayRun.on).order_by(DayRun.on)).all()
            assert days == [FIRST + timedelta(days=n) for n in range(-1, 25)]
            assert session.scalars(select(RiskEvent)).all()
            assert session.scalars(select(RatingRelease)).all()
            assert StepKind.ESCALATED in session.scalars(select(ComplaintStep.kind)).all()
            # It was a life: loans of several fates.
            fates = set(session.scalars(select(Loan.status)))
            assert fates >= {LoanStatus.CURRENT, LoanStatus.WRITTEN_OFF}, fates
            return {
                table.name: Counter(
                    _steady(row)
                    for row in session.execute(
                        select(*[column for column in table.columns if _is_steady(column)])
                    )
                )
                for table in metadata.sorted_tables
            } | {"postings in full": Counter(map(_steady, session.execute(_postings())))}
    finally:
        engine.dispose()


def _postings() -> Any:
    """Every posting with its entry and its account by what they are, not by their ids."""
    tables = metadata.tables
    entries, postings, accounts = (
        tables[name].c for name in ("journal_entries", "postings", "accounts")
    )
    return (
        select(
            entries.book_id,
            entries.seq,
            entries.kind,
            entries.business_on,
            accounts.kind,
            accounts.member_id,
            postings.amount_minor,
            postings.member_id,
            postings.loan_id,
        )
        .select_from(tables["postings"])
        .join(tables["journal_entries"], entries.id == postings.entry_id)
        .join(tables["accounts"], accounts.id == postings.account_id)
    )


def _is_steady(column: Any) -> bool:
    made = {key.column.table.name for key in column.foreign_keys} & MADE
    return column.name not in UNSTEADY and not made


def _steady(row: Any) -> str:
    return PUBLIC_ID.sub(r"\1", json.dumps(list(row), default=str, sort_keys=True))
