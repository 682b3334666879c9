"""Row locks, always taken in one order and always with the row's present values.

Two units of work that lock the same rows in the same order cannot wait for each other in a
circle. The order is: tables by their `LOCK_RANK`, then ids upwards. A lock is taken on what is
about to be decided on, and the row is read again under it (a plain re-select would hand back the
old values that the session already holds).

A lock keeps others from changing the row or deciding on it, not from naming it: rows that refer to
it by a foreign key may be written meanwhile. Else the day, which holds a book and writes a line for
every loan, and a payment, which holds a loan and waits for the book, would wait for each other.
"""

import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, event, select
from sqlalchemy.orm import Session

from community.database import Base

Row = TypeVar("Row", bound=Base)

# Lowest first. A feature's tables stand where its units of work need them: money last.
LOCK_RANK: dict[str, int] = {
    name: rank
    for rank, name in enumerate(
        [
            "members",
            "communities",
            "campaigns",
            "campaign_assignments",
            "campaign_reviewers",
            "campaign_findings",
            "campaign_households",
            "campaign_objections",
            "memberships",
            "groups",
            "group_members",
            "collections",
            "bank_lines",
            "seasons",
            "declared_events",
            "meetings",
            "motions",
            "visit_rounds",
            "visits",
            "risk_cases",
            "feedback_subjects",
            "feedback_themes",
            "feedback_polls",
            "feedback_items",
            "feedback_complaints",
            "member_messages",
            "group_loans",
            "loans",
            "calls",
            "guarantee_payments",
            "claims",
            "claim_settlements",
            "record_consents",
            "record_keys",
            "assessments",
            "standings",
            "vouches",
            "credit_lines",
            "credit_line_shares",
            "webhook_subscriptions",
            "webhook_deliveries",
            "books",
        ]
    )
}


class LockOrderWarning(RuntimeWarning):
    """A unit of work takes a lock that sorts before one it already holds: a deadlock in waiting."""


def lock(session: Session, model: type[Row], ids: Iterable[int]) -> dict[int, Row]:
    """Lock the rows of these ids, in id order, and return them as they are now.

    Ids that do not exist are simply absent from the answer. Rows that the unit of work holds
    already may be locked again at any time.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    _note(session, model, wanted)
    key: Any = model.__mapper__.primary_key[0]
    return _take(session, model, key.in_(wanted))


def lock_where(
    session: Session, model: type[Row], condition: ColumnElement[bool]
) -> dict[int, Row]:
    """Lock the rows under a condition, in id order, and return them as they are now.

    One statement where ids would first have to be read. A row that somebody else takes out of the
    condition while we wait for it is left out.
    """
    rows = _take(session, model, condition)
    _note(session, model, sorted(rows))
    return rows


def _take(session: Session, model: type[Row], condition: ColumnElement[bool]) -> dict[int, Row]:
    # Pending changes of these rows must not be overwritten by the fresh read.
    session.flush()
    key: Any = model.__mapper__.primary_key[0]
    rows = session.scalars(
        select(model)
        .where(condition)
        .order_by(key)
        .with_for_update(of=model, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    return {row.__mapper__.primary_key_from_instance(row)[0]: row for row in rows}


def _note(session: Session, model: type[Row], row_ids: list[int]) -> None:
    held: set[tuple[int, int]] = session.info.setdefault("held_locks", set())
    rank = LOCK_RANK[model.__tablename__]
    fresh = [(rank, row_id) for row_id in row_ids if (rank, row_id) not in held]
    if fresh and held and fresh[0] < max(held):
        warnings.warn(
            f"lock on {model.__tablename__} {fresh[0][1]} taken after {max(held)}",
            LockOrderWarning,
            stacklevel=3,
        )
    held.update(fresh)


def holds_locks(session: Session) -> bool:
    """Whether the unit of work holds a lock, behind which lower ones cannot be taken any more."""
    return bool(session.info.get("held_locks"))


def lock_one(session: Session, model: type[Row], row_id: int) -> Row:
    """Lock one row that is known to exist."""
    return lock(session, model, [row_id])[row_id]


@event.listens_for(Session, "after_transaction_end")
def _forget_locks(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop("held_locks", None)
