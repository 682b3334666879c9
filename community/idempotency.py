"""Once means once: the answers to money-moving requests, kept under their caller's keys.

The key's row is written in the same unit of work as the money, so either both are there or
neither. Whoever comes second with the same key waits for the first, then finds its answer.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from community.database import Base, Instant, Key
from community.errors import Conflict, Invalid, StaleSnapshot
from community.sealing import Bound, Sealed, is_sealed

# The status of a key whose unit of work is under way; no other unit ever sees it.
UNDER_WAY = 0


class IdempotencyKeyInvalid(Invalid):
    """Moving money needs the header Idempotency-Key: 8 to 80 letters, digits, or `. _ ~ -`.

    Make one up for each intended movement, and send the same again when you repeat the request.
    """

    code = "idempotency-key-invalid"
    title = "The Idempotency-Key is missing or malformed"


class IdempotencyMismatch(Conflict):
    """The key was used for something else; a new movement needs a new key."""

    code = "idempotency-mismatch"
    title = "This Idempotency-Key was used for another request"


class IdempotencyKey(Base):
    """One caller's key, what it was used for, and the answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        UniqueConstraint("member_id", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
        is_sealed("body"),
    )

    id: Mapped[Key]
    # The caller. The table lives in a higher room, so the reference goes by name.
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    key: Mapped[str] = mapped_column(String(80))
    # Method and path, so that a key for one loan does not answer for another.
    route: Mapped[str] = mapped_column(String(300))
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(default=UNDER_WAY)
    # Sealed, as answers repeat what is sealed elsewhere; null while the unit is under way.
    body: Mapped[str | None] = mapped_column(
        Sealed("idempotency_keys", "body", "key", is_long=True)
    )
    created_at: Mapped[Instant]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer to a request, word for word."""

    status: int
    body: str


def claim_key(
    session: Session, *, member_id: int, key: str, route: str, body_hash: str, now: datetime
) -> StoredAnswer | None:
    """Take a key for this unit of work: None, go ahead; or the answer that was given already.

    Waits while another unit of work holds the same key. Raises IdempotencyMismatch when the key
    stands for another route or body.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    claimed = session.execute(
        insert(IdempotencyKey)
        .values(
            member_id=member_id,
            key=key,
            route=route,
            body_hash=body_hash,
            status=UNDER_WAY,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["member_id", "key"])
        .returning(IdempotencyKey.id)
    ).scalar()
    if claimed is not None:
        return None
    kept = session.execute(
        select(
            IdempotencyKey.route,
            IdempotencyKey.body_hash,
            IdempotencyKey.status,
            IdempotencyKey.body,
        ).where(IdempotencyKey.member_id == member_id, IdempotencyKey.key == key)
    ).one_or_none()
    if kept is None:
        # It was cleared away between the two statements: the next run finds the key free.
        raise StaleSnapshot("The key has just been cleared away.")
    if (kept.route, kept.body_hash) != (route, body_hash):
        raise IdempotencyMismatch(
            "Another request was made with this Idempotency-Key; use a new one.", key=key
        )
    return StoredAnswer(kept.status, str(kept.body or ""))


def store_answer(session: Session, *, member_id: int, key: str, status: int, body: str) -> None:
    """Keep the answer of the unit of work that took the key."""
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.member_id == member_id, IdempotencyKey.key == key)
        .values(status=status, body=Bound(body, key))
        .execution_options(synchronize_session=False)
    )


def forget_keys(session: Session, *, before: datetime) -> int:
    """Clear away the keys from before an instant; returns how many there were."""
    result = session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < before))
    return int(getattr(result, "rowcount", 0))
