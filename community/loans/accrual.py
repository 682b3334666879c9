"""Booking interest as it is earned: a day's work over many loans, set by set.

What is booked is a difference: each loan's receivable is brought to what the day's end says it
should be, so a day done twice books nothing the second time, and a day left out is made up for.
One entry a product and currency, with a line for each loan that sums to it.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from community.bulk import table_of
from community.ledger import rules
from community.ledger import service as ledger
from community.loans.models import AccrualLine, LoanPosition
from community.loans.positions import lock_book, receivable_by, roll
from community.products.models import Product

EARNED = "interest.accrued"
TAKEN_BACK = "interest.taken_back"

_positions = table_of(LoanPosition)
_lines = table_of(AccrualLine)


@dataclass(frozen=True, slots=True)
class Accrued:
    """What was booked on a stretch of loans: how many it has, how many moved, amounts."""

    last_id: int | None  # None: no loan is left behind them
    looked_at: int
    lines: int
    earned_minor: dict[str, int]  # by currency
    taken_back_minor: dict[str, int]


def accrue(
    session: Session, *, community_id: int, on: date, now: datetime, after_id: int, limit: int
) -> Accrued:
    """Bring the receivable interest of the next `limit` loans of a community to a day's end.

    Goes up in the order of loans' ids, from the one after `after_id`. Locks the book; posts one
    entry a product and currency and direction. A fixed number of statements, plus some a product.
    Raises DayClosed when the day takes no more postings.
    """
    p = _positions.c
    stretch = (
        select(p.loan_id)
        .where(p.community_id == community_id, p.loan_id > after_id)
        .order_by(p.loan_id)
        .limit(limit)
        .subquery()
    )
    last_id, looked_at = session.execute(
        select(func.max(stretch.c.loan_id), func.count()).select_from(stretch)
    ).one()
    if last_id is None:
        return Accrued(None, 0, 0, {}, {})
    lock_book(session, community_id)
    here = and_(p.community_id == community_id, p.loan_id > after_id, p.loan_id <= last_id)
    roll(session, here, on=on)
    lines, amounts = 0, {EARNED: dict[str, int](), TAKEN_BACK: dict[str, int]()}
    change = receivable_by(on) - p.receivable_minor
    sums = session.execute(_sums(change, here)).all()
    for kind, moves in ((EARNED, change > 0), (TAKEN_BACK, change < 0)):
        entries = {}
        for row in sums:
            # PostgreSQL's sums are decimals.
            amount = int(row.earned if kind == EARNED else row.taken_back)
            if not amount:
                continue
            entries[row.product_id, row.currency] = ledger.post(
                session,
                community_id=community_id,
                currency=row.currency,
                kind=kind,
                legs=rules.interest_accrued(amount)
                if kind == EARNED
                else rules.interest_taken_back(-amount),
                on=on,
                now=now,
                reference=row.public_id,
            )
            amounts[kind][row.currency] = amounts[kind].get(row.currency, 0) + abs(amount)
        if entries:
            lines += _write_lines(session, entries, change, and_(here, moves))
    if lines:
        session.connection().execute(
            update(_positions)
            .where(here, change != literal_column("0"))
            .values(receivable_minor=receivable_by(on))
        )
    if any(row.ended for row in sums):
        # What has ended, and has nothing receivable now, is no longer the day's business.
        session.connection().execute(
            delete(_positions).where(here, ~p.is_live, p.receivable_minor == literal_column("0"))
        )
    is_last = looked_at < limit
    return Accrued(
        None if is_last else last_id, looked_at, lines, amounts[EARNED], amounts[TAKEN_BACK]
    )


def _sums(
    change: ColumnElement[int], here: ColumnElement[bool]
) -> Select[int, str, str, int, int, int]:
    """By product and currency: what is to be booked, each way, and how many loans have ended."""
    p = _positions.c
    nothing = literal_column("0", Integer)
    return (
        select(
            p.product_id,
            p.currency,
            Product.public_id,
            func.sum(case((change > nothing, change), else_=nothing)).label("earned"),
            func.sum(case((change < nothing, change), else_=nothing)).label("taken_back"),
            func.sum(case((p.is_live, nothing), else_=literal_column("1", Integer))).label("ended"),
        )
        .join(Product, Product.id == p.product_id)
        .where(here)
        .group_by(p.product_id, p.currency, Product.public_id)
        .order_by(p.product_id, p.currency)
    )


def _write_lines(
    session: Session,
    entries: dict[tuple[int, str], int],
    change: ColumnElement[int],
    moving: ColumnElement[bool],
) -> int:
    p = _positions.c
    entry_id = case(
        *(
            (and_(p.product_id == product_id, p.currency == currency), literal(found))
            for (product_id, currency), found in entries.items()
        )
    )
    written = session.connection().execute(
        insert(_lines).from_select(
            ["entry_id", "loan_id", "amount_minor"],
            select(entry_id.cast(_lines.c.entry_id.type), p.loan_id, change)
            .where(moving)
            .order_by(p.loan_id),
        ),
        # Else it is only kept of updates and deletes.
        execution_options={"preserve_rowcount": True},
    )
    return written.rowcount
