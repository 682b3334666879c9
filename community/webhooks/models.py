"""Who is told of what, how far each book is read for them, and every delivery."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Text500, UtcTime, choice, new_public_id

_WAITS = "state = 'waiting'"


class WebhookState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class WebhookSubscription(Base):
    """A receiver: where, of which kinds, of which community and those below it (None: of all)."""

    __tablename__ = "webhook_subscriptions"
    __table_args__ = (
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ends_once"),
        CheckConstraint("state = 'active' OR reason <> ''", name="stops_for_a_reason"),
        Index("ix_webhook_subscriptions_community_id", "community_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("whk")
    )
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"))
    url: Mapped[Text500]
    # Such as "loan.*" or "case.opened"; see `kinds`.
    kinds: Mapped[list[str]] = mapped_column(JSON)
    # Needed to sign, so it cannot be a hash; useless without a key of the settings.
    secret_sealed: Mapped[Text500]
    state: Mapped[WebhookState] = mapped_column(choice(WebhookState), default=WebhookState.ACTIVE)
    reason: Mapped[Text500] = mapped_column(default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class WebhookCursor(Base):
    """How far a book has been read for a subscription; no row: not at all."""

    __tablename__ = "webhook_cursors"
    __table_args__ = (CheckConstraint("after_seq >= 0", name="within_the_book"),)

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey("webhook_subscriptions.id"), primary_key=True, autoincrement=False
    )
    book_id: Mapped[int] = mapped_column(
        ForeignKey("books.id"), primary_key=True, autoincrement=False
    )
    after_seq: Mapped[int]


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class WebhookDelivery(Base):
    """One record of a book on its way to one receiver."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("subscription_id", "book_id", "seq"),
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        CheckConstraint(f"({_WAITS}) = (next_at IS NOT NULL)", name="waits_until"),
        CheckConstraint(f"({_WAITS}) = (settled_at IS NULL)", name="settles_once"),
        CheckConstraint(
            f"(lease_owner IS NULL) = (lease_until IS NULL) AND (lease_owner IS NULL OR {_WAITS})",
            name="leased_while_it_waits",
        ),
        CheckConstraint("state <> 'dead' OR fault <> ''", name="dies_of_something"),
        Index(
            "ix_webhook_deliveries_due",
            "next_at",
            "id",
            postgresql_where=text(_WAITS),
            sqlite_where=text(_WAITS),
        ),
        # Whether something earlier of the same subject waits still.
        Index(
            "ix_webhook_deliveries_order",
            "subscription_id",
            "subject",
            "id",
            postgresql_where=text(_WAITS),
            sqlite_where=text(_WAITS),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("whd")
    )
    subscription_id: Mapped[int] = mapped_column(ForeignKey("webhook_subscriptions.id"))
    # The record that it tells of, and what it says of itself.
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80))
    recorded_at: Mapped[Instant]
    state: Mapped[DeliveryState] = mapped_column(
        choice(DeliveryState), default=DeliveryState.WAITING
    )
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcTime)
    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    # What the receiver answered last, and why that was not enough.
    last_status: Mapped[int | None]
    fault: Mapped[Text500] = mapped_column(default="")
    created_at: Mapped[Instant]
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
