"""Recording events of consequence.

Events are buffered and chained just before the commit, when everything else of the unit of work
is done: the book's row is the lock that sorts last, and a unit that records early must not hold
it while it waits for other rows. A rollback forgets them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert
from sqlalchemy.orm import Session

from community.ledger.books import book_ids, lock_books
from community.ledger.chain import event_hash
from community.ledger.models import Event


def record_event(
    session: Session,
    *,
    community_id: int | None,
    kind: str,
    subject: str,
    actor_id: int | None,
    now: datetime,
    facts: dict[str, Any],
) -> None:
    """Note that something of consequence happened to `subject` (a public id).

    `facts` holds texts, whole numbers, booleans, lists and dicts of them: what a later reader
    needs to understand the step. It is written with the commit or not at all.
    """
    if not session.in_transaction():
        session.begin()  # else a rollback would have nothing to roll back, and not be noticed
    pending: list[dict[str, Any]] = session.info.setdefault("pending_events", [])
    pending.append(
        {
            "community_id": community_id,
            "kind": kind,
            "subject": subject,
            "actor_id": actor_id,
            "recorded_at": now,
            "facts": facts,
        }
    )


@sqlalchemy_event.listens_for(Session, "before_commit")
def _seal(session: Session) -> None:
    if session.in_nested_transaction():
        return
    pending: list[dict[str, Any]] = session.info.pop("pending_events", [])
    if not pending:
        return
    session.flush()
    by_community = book_ids(session, {item["community_id"] for item in pending})
    books = lock_books(session, by_community.values())
    heads = {book.id: (book.records, book.head_hash) for book in books.values()}
    rows = []
    for item in pending:
        book_id = by_community[item.pop("community_id")]
        records, head = heads[book_id]
        digest = event_hash(head, seq=records + 1, **item)
        rows.append(
            {**item, "book_id": book_id, "seq": records + 1, "prev_hash": head, "hash": digest}
        )
        heads[book_id] = (records + 1, digest)
    session.execute(insert(Event), rows)
    # A head moves to a record that is there: the database asks for it.
    for book in books.values():
        book.records, book.head_hash = heads[book.id]
    session.flush()


@sqlalchemy_event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous_transaction: Any) -> None:
    session.info.pop("pending_events", None)
