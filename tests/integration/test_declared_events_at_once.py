"""Declared events under fire: killed processes, two at once, payments in between."""

import random
import signal
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from app.transaction import run_unit
from community.engine import session_factory
from community.guarantees import service as guarantees
from community.loans import service as loans
from community.loans.models import Instalment, Loan, LoanChange, RepaymentSource
from community.members.models import Member
from community.seasons import service
from community.seasons.effects import read_rows
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    DeclaredEventStep,
    EventKind,
    EventLoanStatus,
    EventStatus,
)
from community.verification import verify
from tests.killing import Run, commands
from tests.lending import NOW, SEASONAL, TODAY, Village, cny, make_village, offer

LOANS = 24
# At least so often each way; a run gets at most so far, in the steps that killing.py counts.
KILLS = 4
STEPS_MAX = 400
FLOOD = date(2027, 4, 1)
SPLIT = {
    "kind": "split",
    "parts": 3,
    "step_unit": "month",
    "step_length": 1,
    "interest": "runs",
}


@pytest.fixture
def flooded(engine: Engine) -> tuple[str, int]:
    """A previewed event that splits the dues of many loans: its public and its inner id."""
    with session_factory(engine)() as session:
        village = make_village(session, {"endorsements_min": 0, "owed_per_member_minor_max": 10**9})
        terms = SEASONAL | {"cover_ratio_bps": 0}
        village.seasonal = offer(session, village.township, "bare", terms)
        session.commit()
        borrower = village.person()
        village.fund(LOANS * 2_000_00)
        for number in range(LOANS):
            lend(village, borrower, 1_000_00 + number)
        event = service.declare(
            session,
            community_id=village.township.id,
            kind=EventKind.FLOOD,
            crop="rice",
            happened_on=FLOOD,
            dues_from=FLOOD,
            dues_until=date(2027, 12, 31),
            effect_document=SPLIT,
            reason="the river came",
            on=FLOOD,
            now=NOW,
            actor_id=None,
        )
        session.commit()
        service.preview(session, event_id=event.id, on=FLOOD, now=NOW, actor_id=None)
        session.commit()
        return event.public_id, event.id


def lend(village: Village, borrower: Member, minor: int) -> Loan:
    facts = {"product_id": village.seasonal.id, "season_id": village.rice.id, "instalments": None}
    loan = village.applied(borrower, minor, **facts)
    village.approve(loan)
    loans.disburse(village.session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    village.session.commit()
    return loan


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_never_killed(
    engine: Engine, flooded: tuple[str, int], tmp_path: Path
) -> None:
    public_id, event_id = flooded
    before = raw_rows(engine)
    with session_factory(engine)() as session:
        records = session.scalars(select(DeclaredEventLoan)).all()
        expected = {record.loan_id: amounts(read_rows(record.after)) for record in records}
    url = engine.url.render_as_string(hide_password=False)
    now = datetime.combine(FLOOD, time(1), UTC)
    with commands(url, now, tmp_path) as run:
        kills = killed_until_done(run, ["seasons", "apply", public_id, "--portion", "1"])
        assert kills >= KILLS
        assert state(engine, event_id) == (EventStatus.APPLIED, {EventLoanStatus.APPLIED: LOANS})
        assert plans(engine) == expected
        undo = ["seasons", "undo", public_id, "--reason", "it dried up", "--portion", "1"]
        assert killed_until_done(run, undo) >= KILLS
    assert state(engine, event_id) == (EventStatus.UNDONE, {EventLoanStatus.UNDONE: LOANS})
    # To the same bytes, ids and all.
    assert raw_rows(engine) == before
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()


def test_two_at_once_with_payments_in_between_have_one_effect(
    engine: Engine, flooded: tuple[str, int]
) -> None:
    _, event_id = flooded
    with session_factory(engine)() as session:
        loan_ids = session.scalars(select(Loan.id).order_by(Loan.id)).all()
    failures: list[BaseException] = []
    gate = threading.Barrier(4)

    def work(job: Callable[[Any], None]) -> threading.Thread:
        def run() -> None:
            gate.wait()
            try:
                with session_factory(engine)() as session:
                    job(session)
            except BaseException as error:  # noqa: BLE001  told below, in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def apply(session: Any) -> None:
        act = {"event_id": event_id, "on": FLOOD, "now": NOW, "actor_id": None}
        run_unit(session, service.begin_applying, **act)
        while run_unit(session, service.apply_some, **act, limit=2):
            pass

    def pay(session: Any) -> None:
        for loan_id in loan_ids[::3]:
            run_unit(
                session,
                guarantees.record_repayment,
                loan_id=loan_id,
                amount=cny(100_00),
                payer_id=None,
                source=RepaymentSource.BORROWER,
                on=FLOOD,
                now=NOW,
                actor_id=None,
            )

    # The drift that the charter lets through is one in a hundred: payments begin afterwards.
    def pay_later(session: Any) -> None:
        while session.scalar(select(DeclaredEvent.status)) is EventStatus.PREVIEWED:
            session.rollback()
        session.rollback()
        pay(session)

    for thread in [work(apply), work(apply), work(apply), work(pay_later)]:
        thread.join(120)
    assert failures == []
    assert state(engine, event_id) == (EventStatus.APPLIED, {EventLoanStatus.APPLIED: LOANS})
    with session_factory(engine)() as session:
        steps = session.scalars(
            select(DeclaredEventStep.status).order_by(DeclaredEventStep.id)
        ).all()
        assert steps == ["draft", "previewed", "applying", "applied"]
        # One change a loan, and each is the one that its record names.
        made = session.scalars(select(LoanChange.id).order_by(LoanChange.id)).all()
        assert made == sorted(session.scalars(select(DeclaredEventLoan.change_id)).all())
        assert len(made) == LOANS
        # Two dues in three parts each.
        rows = dict(
            session.execute(
                select(Instalment.loan_id, func.count()).group_by(Instalment.loan_id)
            ).all()
        )
        assert set(rows.values()) == {6}
        assert verify(session).breaches == ()


def killed_until_done(run: Run, command: list[str]) -> int:
    """Run the command again and again, each time killed a little further on; how often it was."""
    dice = random.Random(24)
    kills = 0
    while status := run(command, dice.randint(1, STEPS_MAX)):
        assert status == -signal.SIGKILL
        kills += 1
    return kills


def done(engine: Engine, event_id: int, status: EventLoanStatus) -> int:
    with session_factory(engine)() as session:
        query = select(func.count()).where(
            DeclaredEventLoan.event_id == event_id, DeclaredEventLoan.status == status
        )
        return session.scalar(query) or 0


def state(engine: Engine, event_id: int) -> tuple[EventStatus, dict[EventLoanStatus, int]]:
    with session_factory(engine)() as session:
        counts = session.execute(
            select(DeclaredEventLoan.status, func.count()).group_by(DeclaredEventLoan.status)
        )
        return session.get_one(DeclaredEvent, event_id).status, dict(counts.all())


def plans(engine: Engine) -> dict[int, list[tuple[date, int, int]]]:
    found: dict[int, list[tuple[date, int, int]]] = {}
    with session_factory(engine)() as session:
        for row in session.scalars(
            select(Instalment).order_by(Instalment.loan_id, Instalment.number)
        ):
            found.setdefault(row.loan_id, []).append(
                (row.due_on, row.principal_minor, row.interest_minor)
            )
    return found


def amounts(rows: Any) -> list[tuple[date, int, int]]:
    return [(row.due_on, row.due.principal_minor, row.due.interest_minor) for row in rows]


def raw_rows(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM instalments ORDER BY id")).all()
