"""Opening and locking books."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Integer, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from community.ledger.models import Book
from community.locks import lock

# Spelled as in the index, constant and all, so that both databases use it.
_community_key: ColumnElement[int] = literal_column("coalesce(books.community_id, 0)", Integer)


def book_ids(session: Session, community_ids: Iterable[int | None]) -> dict[int | None, int]:
    """The book of each community (None: the platform's), opened if it was not there."""
    wanted = set(community_ids)
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
    """Lock books for posting. Nothing else may be locked after them."""
    return lock(session, Book, ids)


def _existing(session: Session, wanted: set[int | None]) -> dict[int | None, int]:
    rows = session.execute(
        select(Book.community_id, Book.id).where(_community_key.in_([c or 0 for c in wanted]))
    )
    return {row.community_id: row.id for row in rows}
