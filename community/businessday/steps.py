"""The steps of a business day, in their order. A further step is one line in `STEPS`.

A step works in portions, up the ids of its rows; each portion is one unit of work. It has to be
repeatable: a day that was kept open is worked through again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees.failure import advance_loan, loans_to_advance
from community.ledger.service import close_through
from community.loans.accrual import accrue
from community.loans.models import Loan
from community.trust.service import expire_vouches
from community.trust.standings import expire_assessments


@dataclass(frozen=True, slots=True)
class Task:
    """What a step is to work on next: at most `limit` rows after `after_id`."""

    community_id: int
    on: date
    now: datetime
    after_id: int
    limit: int


@dataclass(frozen=True, slots=True)
class Portion:
    """What was done: up to which row (None: nothing is left), and what came of it."""

    last_id: int | None = None
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    work: Callable[[Session, Task], Portion]


CLOSE = "close"


def _expire_vouches(session: Session, task: Task) -> Portion:
    count = expire_vouches(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"vouches expired": count})


def _expire_assessments(session: Session, task: Task) -> Portion:
    count = expire_assessments(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"assessments expired": count})


def _accrue(session: Session, task: Task) -> Portion:
    done = accrue(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        after_id=task.after_id,
        limit=task.limit,
    )
    return Portion(
        done.last_id,
        {"loans looked at": done.looked_at, "loans with interest booked": done.lines}
        | {f"interest earned {currency}": minor for currency, minor in done.earned_minor.items()}
        | {
            f"interest taken back {currency}": minor
            for currency, minor in done.taken_back_minor.items()
        },
    )


def _advance(session: Session, task: Task) -> Portion:
    """One loan a portion: its guarantors' money moves, under locks of their own."""
    found = loans_to_advance(
        session, community_id=task.community_id, on=task.on, after_id=task.after_id, limit=1
    )
    if not found:
        return Portion()
    [loan_id] = found
    before = session.scalars(select(Loan.status).where(Loan.id == loan_id)).one()
    after = advance_loan(session, loan_id=loan_id, on=task.on, now=task.now)
    counts = {"late loans looked at": 1}
    if after is not before:
        counts[f"loans now {after.value.replace('_', ' ')}"] = 1
    return Portion(loan_id, counts)


def _close(session: Session, task: Task) -> Portion:
    close_through(session, community_id=task.community_id, on=task.on)
    return Portion()


STEPS: tuple[Step, ...] = (
    Step("expire vouches", _expire_vouches),
    Step("expire assessments", _expire_assessments),
    # Before calls: what a failing loan owes is then in the books when it is called.
    Step("accrue", _accrue),
    Step("advance", _advance),
    Step(CLOSE, _close),
)
