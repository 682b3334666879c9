"""The steps of a business day, in their order. A further step is one line in `STEPS`.

A step works in portions, up the ids of its rows; each portion is one unit of work. It has to be
repeatable: a day that was kept open is worked through again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.guarantees.failure import advance_loan, loans_to_advance
from community.guarantees.group_life import groups_to_tend, tend_group
from community.ledger.holds import expire_holds
from community.ledger.service import close_through
from community.loans.accrual import accrue
from community.loans.models import Loan
from community.portfolio.service import classify_loans, follow_classes, provide
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


def _tend_groups(session: Session, task: Task) -> Portion:
    """One group a portion: it is locked with all its promises."""
    found = groups_to_tend(
        session, community_id=task.community_id, on=task.on, after_id=task.after_id, limit=1
    )
    if not found:
        return Portion()
    [group_id] = found
    done = tend_group(session, group_id=group_id, on=task.on, now=task.now)
    counts = {"group proposals lapsed": done.lapsed, "groups dissolved": int(done.dissolved)}
    return Portion(group_id, counts)


def _expire_holds(session: Session, task: Task) -> Portion:
    count = expire_holds(session, community_id=task.community_id, on=task.on, now=task.now)
    return Portion(counts={"holds expired": count})


def _classify(session: Session, task: Task) -> Portion:
    loan_ids = _next_loans(session, task)
    if loan_ids is None:
        return Portion()
    done = classify_loans(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        loan_ids=loan_ids,
    )
    stopped = follow_classes(session, community_id=task.community_id, on=task.on, loan_ids=loan_ids)
    return Portion(
        loan_ids[-1],
        {
            "loans in a better class": done.improved,
            "loans in a worse class": done.worsened,
            "loans whose interest counts otherwise": stopped,
        },
    )


def _provide(session: Session, task: Task) -> Portion:
    loan_ids = _next_loans(session, task)
    if loan_ids is None:
        return Portion()
    done = provide(
        session,
        community_id=task.community_id,
        on=task.on,
        now=task.now,
        loan_ids=loan_ids,
    )
    return Portion(
        loan_ids[-1],
        {
            "loans provided for anew": done.loans,
            "provisions raised": done.raised_minor,
            "provisions released": done.released_minor,
        },
    )


def _next_loans(session: Session, task: Task) -> range | None:
    """The ids of the next loans of the community; None when none are left."""
    ids = (
        select(Loan.id)
        .where(Loan.community_id == task.community_id, Loan.id > task.after_id)
        .order_by(Loan.id)
        .limit(task.limit)
        .subquery()
    )
    first, last = session.execute(select(func.min(ids.c.id), func.max(ids.c.id))).one()
    return None if first is None else range(first, last + 1)


def _close(session: Session, task: Task) -> Portion:
    close_through(session, community_id=task.community_id, on=task.on)
    return Portion()


STEPS: tuple[Step, ...] = (
    Step("expire vouches", _expire_vouches),
    Step("expire assessments", _expire_assessments),
    Step("expire holds", _expire_holds),
    # Before calls: what a failing loan owes is then in the books when it is called.
    Step("accrue", _accrue),
    Step("advance", _advance),
    # Nothing rests any more on a promise whose loan was paid by then.
    Step("tend groups", _tend_groups),
    # By where every loan stands now; what is set aside follows the class.
    Step("classify", _classify),
    Step("provide", _provide),
    Step(CLOSE, _close),
)
