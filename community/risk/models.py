"""What the desk found, when, and from what: runs, circles with their names, stress tests."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, BigId, Instant, Key, Minor, UtcTime, choice, new_public_id
from community.guarantees.models import CallGround
from community.risk.finding import CircleKind


class RiskRun(Base):
    """One search for circles in a community: what was read, by which charter. Never changed."""

    __tablename__ = "risk_runs"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("number >= 1", name="runs_count_up"),
        CheckConstraint("outstanding_minor >= 0", name="outstanding_not_negative"),
        Index("ix_risk_runs_day", "community_id", "on_day", "number"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rrn")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    number: Mapped[int]
    on_day: Mapped[date]
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    # Says whether two runs read the same rows, to the unit.
    network_version: Mapped[str] = mapped_column(String(64))
    members: Mapped[int]
    vouches: Mapped[int]
    outstanding_minor: Mapped[Minor]
    largest_component: Mapped[int]
    # Whether every ring was looked for; else what was left was cut into parts.
    is_complete: Mapped[bool]
    circles: Mapped[int]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class CircleName(Base):
    """The name that a circle keeps while it keeps most of its members; never given twice."""

    __tablename__ = "risk_circle_names"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("number >= 1", name="names_count_up"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cir")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    number: Mapped[int]
    first_run_id: Mapped[int] = mapped_column(ForeignKey("risk_runs.id"))


class RiskCircle(Base):
    """A circle as one run saw it."""

    __tablename__ = "risk_circles"
    __table_args__ = (
        UniqueConstraint("run_id", "name_id"),
        UniqueConstraint("run_id", "rank"),
        CheckConstraint("size >= 2 AND rank >= 1", name="somebody_is_in_it"),
        CheckConstraint("(kind = 'hub') = (hub_id IS NOT NULL)", name="hubs_have_one"),
        CheckConstraint(
            "exposure_minor >= 0 AND expected_pool_minor >= 0 AND expected_members_minor >= 0"
            " AND worst_pool_minor >= 0 AND worst_members_minor >= 0",
            name="losses_not_negative",
        ),
        # What the pool loses and what others pay for the borrowers is no more than they owe.
        CheckConstraint(
            "worst_pool_minor + worst_members_minor <= exposure_minor", name="worst_within_exposure"
        ),
        Index("ix_risk_circles_name_id", "name_id"),
    )

    id: Mapped[Key]
    run_id: Mapped[int] = mapped_column(ForeignKey("risk_runs.id"))
    name_id: Mapped[int] = mapped_column(ForeignKey("risk_circle_names.id"))
    kind: Mapped[CircleKind] = mapped_column(choice(CircleKind))
    hub_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    rank: Mapped[int]
    size: Mapped[int]
    borrowers: Mapped[int]
    exposure_minor: Mapped[Minor]
    expected_pool_minor: Mapped[Minor]
    expected_members_minor: Mapped[Minor]
    worst_pool_minor: Mapped[Minor]
    worst_members_minor: Mapped[Minor]
    # Lists of {code, …}: why it is one, and what would shrink it; `words` says them.
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    actions: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class RiskCircleMember(Base):
    """One member of a circle at one run."""

    __tablename__ = "risk_circle_members"
    __table_args__ = (
        CheckConstraint(
            "owed_minor >= 0 AND guaranteed_minor >= 0 AND worst_paid_minor >= 0",
            name="amounts_not_negative",
        ),
        Index("ix_risk_circle_members_member_id", "member_id"),
    )

    circle_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("risk_circles.id"), primary_key=True, autoincrement=False
    )
    member_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("members.id"), primary_key=True, autoincrement=False
    )
    owed_minor: Mapped[Minor]
    # What they stand for on others' loans: all promises that bind.
    guaranteed_minor: Mapped[Minor]
    # Of 10,000: own debt and promises by what they can really pay; None: nothing to pay it with.
    contingent_bps: Mapped[int | None] = mapped_column(BigId)
    core: Mapped[int]
    is_articulation: Mapped[bool]
    worst_paid_minor: Mapped[Minor]


class ShockKind(StrEnum):
    """What a stress test supposes."""

    MEMBER = "member"  # these members fail
    VILLAGE = "village"  # members of a community fail
    CROP = "crop"  # who borrowed for a crop fails
    PRICE = "price"  # a crop brings less: its loans are short by as much
    COMMON_FACTOR = "common_factor"  # everybody by their class, with one cause in common


class StressStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StressTest(Base):
    """A stress test: what is supposed, from which seed, on what; and how far it is."""

    __tablename__ = "risk_stress_tests"
    __table_args__ = (
        CheckConstraint("draws >= 1 AND done_draws >= 0 AND done_draws <= draws", name="draws"),
        CheckConstraint("seed >= 0", name="seed_not_negative"),
        CheckConstraint(
            "status <> 'done' OR (done_draws = draws AND finished_at IS NOT NULL"
            " AND network_version IS NOT NULL)",
            name="done_is_whole",
        ),
        CheckConstraint("(status = 'running') = (worker IS NOT NULL)", name="somebody_runs_it"),
        CheckConstraint("(worker IS NULL) = (lease_until IS NULL)", name="leases_have_a_worker"),
        Index("ix_risk_stress_tests_community", "community_id", "id"),
        Index(
            "ix_risk_stress_tests_work",
            "status",
            "id",
            postgresql_where=text("status IN ('queued', 'running')"),
            sqlite_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("str")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    shock: Mapped[ShockKind] = mapped_column(choice(ShockKind))
    # What the kind of shock needs: see `stress.Shock`.
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    draws: Mapped[int]
    seed: Mapped[int] = mapped_column(BigId)
    on_day: Mapped[date]
    status: Mapped[StressStatus] = mapped_column(choice(StressStatus))
    done_draws: Mapped[int] = mapped_column(default=0)
    # How often it was begun anew, because its worker was gone.
    restarts: Mapped[int] = mapped_column(default=0)
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    network_version: Mapped[str | None] = mapped_column(String(64))
    worker: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    # Means, tails, quantiles; see `stress.summed_up`.
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    failure: Mapped[str | None] = mapped_column(String(500))
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)


class StressDraw(Base):
    """What one draw came to."""

    __tablename__ = "risk_stress_draws"
    __table_args__ = (
        CheckConstraint(
            "pool_minor >= 0 AND reserve_minor >= 0 AND members_minor >= 0"
            " AND failed >= 0 AND ruined >= 0 AND calls >= 0",
            name="nothing_negative",
        ),
    )

    test_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("risk_stress_tests.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    failed: Mapped[int]
    calls: Mapped[int]
    ruined: Mapped[int]
    # What the pool loses after the reserve fund stood in, and what the fund gave.
    pool_minor: Mapped[Minor]
    reserve_minor: Mapped[Minor]
    members_minor: Mapped[Minor]


class StressMember(Base):
    """What a stress test came to for one member, over all draws; nobody who was not touched."""

    __tablename__ = "risk_stress_members"
    __table_args__ = (
        CheckConstraint(
            "paid_sum_minor >= 0 AND paid_worst_minor >= 0 AND paid_worst_minor <= paid_sum_minor"
            " AND failed_draws >= 0 AND called_draws >= 0 AND ruined_draws >= 0",
            name="nothing_negative",
        ),
    )

    test_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("risk_stress_tests.id"), primary_key=True, autoincrement=False
    )
    member_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("members.id"), primary_key=True, autoincrement=False
    )
    failed_draws: Mapped[int]
    called_draws: Mapped[int]
    ruined_draws: Mapped[int]
    paid_sum_minor: Mapped[Minor]
    paid_worst_minor: Mapped[Minor]


class StressCall(Base):
    """A call that the worst draw would make."""

    __tablename__ = "risk_stress_calls"
    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 AND paid_minor >= 0 AND paid_minor <= amount_minor",
            name="paid_within_call",
        ),
    )

    test_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("risk_stress_tests.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    guarantor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    for_guarantor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    ground: Mapped[CallGround] = mapped_column(choice(CallGround))
    amount_minor: Mapped[Minor]
    paid_minor: Mapped[Minor]
