"""Declared events, their steps, and what each did to which loan."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Minor, UtcTime, choice, new_public_id


class EventKind(StrEnum):
    FLOOD = "flood"
    DROUGHT = "drought"
    STORM = "storm"
    PEST = "pest"
    DISEASE = "disease"
    PRICE_COLLAPSE = "price_collapse"
    OTHER = "other"


class EventStatus(StrEnum):
    DRAFT = "draft"
    PREVIEWED = "previewed"
    APPLYING = "applying"  # some loans are changed, the rest follows
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"


class DeclaredEvent(Base):
    """What happened to a crop in a region, and what it does to the dues of a window of days."""

    __tablename__ = "declared_events"
    __table_args__ = (
        CheckConstraint(
            "happened_on <= dues_from AND dues_from <= dues_until", name="days_in_order"
        ),
        CheckConstraint(
            "status = 'draft' OR (preview IS NOT NULL AND digest IS NOT NULL)",
            name="looked_at_before_applied",
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("dev")
    )
    # The region: this community and all that nest in it.
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"), index=True)
    # The rules that it was declared under.
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    kind: Mapped[EventKind] = mapped_column(choice(EventKind))
    # None: every crop that a loan follows.
    crop: Mapped[str | None] = mapped_column(String(120))
    happened_on: Mapped[date]
    dues_from: Mapped[date]
    dues_until: Mapped[date]
    # `seasons.effects.Effect` as a document.
    effect: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500))
    status: Mapped[EventStatus] = mapped_column(choice(EventStatus))
    declared_on: Mapped[date]
    # What the last preview found, and a hash of all that it looked at.
    preview: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    digest: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[Instant]


class DeclaredEventStep(Base):
    """One step of an event's life: what it became, when, by whom, why."""

    __tablename__ = "declared_event_steps"

    id: Mapped[Key]
    event_id: Mapped[int] = mapped_column(ForeignKey("declared_events.id"), index=True)
    status: Mapped[EventStatus] = mapped_column(choice(EventStatus))
    on: Mapped[date] = mapped_column("stepped_on")
    reason: Mapped[str] = mapped_column(String(500), default="")
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class EventLoanStatus(StrEnum):
    PLANNED = "planned"
    REFUSED = "refused"
    APPLIED = "applied"
    UNDONE = "undone"
    KEPT = "kept"  # the event was undone, this loan keeps the changed plan


class DeclaredEventLoan(Base):
    """What an event does, or did, to one loan; its plan before and after."""

    __tablename__ = "declared_event_loans"
    __table_args__ = (
        # Whatever is repeated, an event changes a loan at most once.
        UniqueConstraint("event_id", "loan_id"),
        UniqueConstraint("change_id"),
        CheckConstraint(
            "(status IN ('applied', 'undone', 'kept')) = (change_id IS NOT NULL)",
            name="changed_has_its_change",
        ),
        Index("ix_declared_event_loans_work", "event_id", "status", "loan_id"),
    )

    id: Mapped[Key]
    event_id: Mapped[int] = mapped_column(ForeignKey("declared_events.id"))
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    status: Mapped[EventLoanStatus] = mapped_column(choice(EventLoanStatus))
    # Why it was refused or kept: a code, see docs/seasons.md.
    reason: Mapped[str] = mapped_column(String(40), default="")
    # A hash of what the preview saw of the loan.
    fingerprint: Mapped[str] = mapped_column(String(64))
    # The change of the loan's plan that it is, or was.
    change_id: Mapped[int | None] = mapped_column(ForeignKey("loan_changes.id"))
    # The plan when the event met it and when it had changed it, as rows of
    # `seasons.effects.PlanRow`. What became of it since is in the loan's history.
    before: Mapped[list[list[Any]]] = mapped_column(JSON)
    after: Mapped[list[list[Any]]] = mapped_column(JSON)
    # What is unpaid in all.
    before_minor: Mapped[Minor]
    after_minor: Mapped[Minor]
    deferral_days: Mapped[int]
    applied_at: Mapped[datetime | None] = mapped_column(UtcTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcTime)
