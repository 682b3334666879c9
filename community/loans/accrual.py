"""Booking interest as it is earned: a day's work over many loans, set by set.

What is booked is a difference: each loan's receivable is brought to what the day's end says it
should be, so a day done twice books nothing the second time, and a day left out is made up for.
One entry a product and currency, with a line for each loan that sums to it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Delete,
    Insert,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from community.bulk import table_of
from community.ledger import rules
from community.ledger import service as ledger
from community.loans.models import AccrualLine, LoanPosition
from community.loans.positions import lock_book, receivable_by, rolling
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
    place = {"community": community_id, "after": after_id}
    last_id, looked_at = session.execute(_statements().stretch, place | {"most": limit}).one()
    if last_id is None:
        return Accrued(None, 0, 0, {}, {})
    lock_book(session, community_id)
    here = place | {"last": last_id, "day": on}
    connection = session.connection()
    connection.execute(_statements().roll, here)
    sums = connection.execute(_statements().sums, here).all()
    lines, amounts = 0, {EARNED: dict[str, int](), TAKEN_BACK: dict[str, int]()}
    for kind, minor_of in ((EARNED, "earned"), (TAKEN_BACK, "taken_back")):
        entries = []
        for row in sums:
            # PostgreSQL's sums are decimals.
            amount = int(getattr(row, minor_of))
            if not amount:
                continue
            entry_id = ledger.post(
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
            entries.append((row.product_id, row.currency, entry_id))
            amounts[kind][row.currency] = amounts[kind].get(row.currency, 0) + abs(amount)
        if entries:
            names = {
                f"{name}_{number}": value
                for number, entry in enumerate(entries)
                for name, value in zip(("product", "currency", "entry"), entry, strict=True)
            }
            written = connection.execute(
                _writing(kind == EARNED, len(entries)),
                here | names,
                # Else it is only kept of updates and deletes.
                execution_options={"preserve_rowcount": True},
            )
            lines += written.rowcount
    if lines:
        connection.execute(_statements().settle, here)
    if any(row.ended for row in sums):
        # What has ended, and has nothing receivable now, is no longer the day's business.
        connection.execute(_statements().drop, here)
    is_last = looked_at < limit
    return Accrued(
        None if is_last else last_id, looked_at, lines, amounts[EARNED], amounts[TAKEN_BACK]
    )


@dataclass(frozen=True, slots=True)
class _Statements:
    stretch: Select[Any, int]
    roll: Update
    sums: Select[int, str, str, int, int, int]
    settle: Update
    drop: Delete


# The place that a statement works on, and its day, as parameters: spelling statements like these
# anew takes as long as the database takes to run them on some hundred loans.
_COMMUNITY = bindparam("community", type_=BigInteger)
_AFTER = bindparam("after", type_=BigInteger)
_LAST = bindparam("last", type_=BigInteger)
_DAY: ColumnElement[date] = bindparam("day", type_=Date)


def _here() -> ColumnElement[bool]:
    p = _positions.c
    return and_(p.community_id == _COMMUNITY, p.loan_id > _AFTER, p.loan_id <= _LAST)


def _change() -> ColumnElement[int]:
    return receivable_by(_DAY) - _positions.c.receivable_minor


@cache
def _statements() -> _Statements:
    p = _positions.c
    stretch = (
        select(p.loan_id)
        .where(p.community_id == _COMMUNITY, p.loan_id > _AFTER)
        .order_by(p.loan_id)
        .limit(bindparam("most", type_=BigInteger))
        .subquery()
    )
    return _Statements(
        stretch=select(func.max(stretch.c.loan_id), func.count()).select_from(stretch),
        roll=rolling(_here(), _DAY),
        sums=_sums(),
        settle=update(_positions)
        .where(_here(), _change() != literal_column("0"))
        .values(receivable_minor=receivable_by(_DAY)),
        drop=delete(_positions).where(
            _here(), ~p.is_live, p.receivable_minor == literal_column("0")
        ),
    )


def _sums() -> Select[int, str, str, int, int, int]:
    """By product and currency: what is to be booked, each way, and how many loans have ended."""
    p = _positions.c
    nothing = literal_column("0", Integer)
    # Worked out once a loan, then summed both ways.
    moves = (
        select(p.product_id, p.currency, p.is_live, _change().label("change"))
        .where(_here())
        .subquery("moves")
    )
    m = moves.c
    return (
        select(
            m.product_id,
            m.currency,
            Product.public_id,
            func.sum(case((m.change > nothing, m.change), else_=nothing)).label("earned"),
            func.sum(case((m.change < nothing, m.change), else_=nothing)).label("taken_back"),
            func.sum(case((m.is_live, nothing), else_=literal_column("1", Integer))).label("ended"),
        )
        .select_from(moves)
        .join(Product, Product.id == m.product_id)
        .group_by(m.product_id, m.currency, Product.public_id)
        .order_by(m.product_id, m.currency)
    )


@cache
def _writing(is_earned: bool, entries: int) -> Insert:
    """Writes the lines of so many entries, by the product and currency of each."""
    p = _positions.c
    entry_id = case(
        *(
            (
                and_(
                    p.product_id == bindparam(f"product_{number}", type_=BigInteger),
                    p.currency == bindparam(f"currency_{number}", type_=p.currency.type),
                ),
                bindparam(f"entry_{number}", type_=BigInteger),
            )
            for number in range(entries)
        )
    )
    nothing = literal_column("0", Integer)
    moving = _change() > nothing if is_earned else _change() < nothing
    return insert(_lines).from_select(
        ["entry_id", "loan_id", "amount_minor"],
        select(entry_id, p.loan_id, _change()).where(_here(), moving).order_by(p.loan_id),
    )
