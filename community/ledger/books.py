"""Opening and locking books."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Integer, event, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from community.ledger.models import Book
from community.locks import lock

# Spelled as in the index, constant and all, so that both databases use it.
_community_key: ColumnElement[int] = literal_column("coalesce(books.community_id, 0)", Integer)


def book_ids(session: Session, community_ids: Iterable[int | None]) -> dict[int | None, int]:
    """The book of each community (None: the platform's), opened if it was not there."""
    wanted = set(community_ids)
    held = {book.community_id: book_id for book_id, book in _held(session).items()}
    if wanted <= held.keys():
        return {community_id: held[community_id] for community_id in wanted}
    found = _existing(session, wanted)
    missing = sorted(wanted - found.keys(), key=lambda c: c or 0)
    if missing:
        # Two units may open the same book at once: the loser's insert is dropped, then it reads.
        dialect = session.get_bind().dialect.name
        make = postgresql.insert if dialect == "postgresql" else sqlite.insert
        session.execute(make(Book).on_conflict_do_nothing(), [{"community_id": c} for c in missing])
        found = _existing(session, wanted)
    return found


def lock_books(session: Session, ids: Iterable[int]) -> dict[int, Book]:
    """Lock books for posting. Nothing else may be locked after them.

    A book that the unit of work holds already is not read again: only the unit itself can have
    moved its head since, and it does so on this very row.
    """
    wanted, held = set(ids), _held(session)
    if wanted <= held.keys():
        session.flush()  # as after any lock, what is read next are the rows as they are now
    else:
        held.update(lock(session, Book, wanted))
    return {book_id: held[book_id] for book_id in wanted & held.keys()}


def _held(session: Session) -> dict[int, Book]:
    books: dict[int, Book] = session.info.setdefault("held_books", {})
    return books


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop("held_books", None)


@event.listens_for(Session, "after_soft_rollback")
def _let_go(session: Session, _previous_transaction: Any) -> None:
    # Going back to a savepoint frees the locks that were taken since.
    session.info.pop("held_books", None)


def _existing(session: Session, wanted: set[int | None]) -> dict[int | None, int]:
    rows = session.execute(
        select(Book.community_id, Book.id).where(_community_key.in_([c or 0 for c in wanted]))
    )
    return {row.community_id: row.id for row in rows}
