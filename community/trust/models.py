"""Standings, assessments and vouches: the rows of the trust graph."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Minor,
    MinorUnits,
    UtcTime,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class AssessmentKind(StrEnum):
    STANDING = "standing"  # what somebody could pay beyond their stake, if called
    REPAYMENT_CAPACITY = "repayment_capacity"  # the most that somebody can owe and repay


class Standing(Base):
    """What a member can really pay in a community if called, and how much of it is reserved."""

    __tablename__ = "standings"
    __table_args__ = (
        UniqueConstraint("community_id", "member_id"),
        CheckConstraint("stake_minor >= 0", name="stake_not_negative"),
        CheckConstraint("assessed_minor >= 0", name="assessed_not_negative"),
        # Law 2: no standing is spent twice.
        CheckConstraint(
            "reserved_minor >= 0 AND reserved_minor <= stake_minor + assessed_minor",
            name="reserved_within_standing",
        ),
        Index("ix_standings_member_id", "member_id"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # Equal to the member's stake account in the community's book.
    stake_minor: Mapped[Minor] = mapped_column(default=0)
    # Equal to what is left of the member's live standing assessment.
    assessed_minor: Mapped[Minor] = mapped_column(default=0)
    # After this day the assessed part backs nothing new; what is reserved runs on.
    assessed_until_on: Mapped[date | None]
    reserved_minor: Mapped[Minor] = mapped_column(default=0)
    # While something of theirs is overdue, a member backs nothing new.
    overdue_since_on: Mapped[date | None]


class Assessment(Base):
    """An amount granted to a member, dated, with its evidence and its expiry."""

    __tablename__ = "assessments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "used_minor >= 0 AND used_minor <= amount_minor", name="used_within_amount"
        ),
        Index(
            "uq_assessments_live",
            "community_id",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_assessments_expiry",
            "community_id",
            "expires_on",
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("ass")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[AssessmentKind] = mapped_column(choice(AssessmentKind))
    amount_minor: Mapped[Minor]
    # What was paid by hand on calls comes off: it can not be paid a second time.
    used_minor: Mapped[Minor] = mapped_column(default=0)
    evidence: Mapped[str] = mapped_column(String(500))
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    granted_at: Mapped[Instant]
    expires_on: Mapped[date]
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class VouchKind(StrEnum):
    PERSONAL = "personal"
    GROUP = "group"


class VouchSide(StrEnum):
    VOUCHER = "voucher"
    BORROWER = "borrower"


class VouchStatus(StrEnum):
    OFFERED = "offered"  # one side has spoken
    LIVE = "live"  # both sides have
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"  # backs nothing new; what is reserved runs on
    EXPIRED = "expired"  # the same, by date
    REPLACED = "replaced"  # an accepted offer whose amount went into the live vouch


class Vouch(Base):
    """`voucher` stands behind `borrower` up to a limit, once both sides have accepted."""

    __tablename__ = "vouches"
    __table_args__ = (
        CheckConstraint("voucher_id <> borrower_id", name="for_somebody_else"),
        CheckConstraint("(kind = 'group') = (group_id IS NOT NULL)", name="group_kind_has_group"),
        # Law 2: no promise is spent twice. What was paid on it stays spent.
        CheckConstraint(
            "reserved_minor >= 0 AND spent_minor >= 0"
            " AND reserved_minor + spent_minor <= limit_minor",
            name="reserved_within_limit",
        ),
        CheckConstraint("status <> 'offered' OR reserved_minor = 0", name="offers_back_nothing"),
        Index(
            "uq_vouches_live",
            "community_id",
            "voucher_id",
            "borrower_id",
            "kind",
            # Two people may stand in two groups, each for a product of its own.
            text("coalesce(group_id, 0)"),
            unique=True,
            postgresql_where=text("status = 'live'"),
            sqlite_where=text("status = 'live'"),
        ),
        # Each side may have one offer on the table.
        Index(
            "uq_vouches_offered",
            "community_id",
            "voucher_id",
            "borrower_id",
            "offered_by",
            unique=True,
            postgresql_where=text("status = 'offered'"),
            sqlite_where=text("status = 'offered'"),
        ),
        Index("ix_vouches_borrower", "borrower_id", "community_id", "status"),
        Index("ix_vouches_voucher", "voucher_id", "community_id", "status"),
        Index("ix_vouches_group_id", "group_id"),
        Index("ix_vouches_expiry", "community_id", "status", "expires_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("vch")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    kind: Mapped[VouchKind] = mapped_column(choice(VouchKind))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    voucher_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    offered_by: Mapped[VouchSide] = mapped_column(choice(VouchSide))
    limit_minor: Mapped[Minor]
    reserved_minor: Mapped[Minor] = mapped_column(default=0)
    # Paid on calls along this vouch: what was signed for can be asked for once.
    spent_minor: Mapped[Minor] = mapped_column(default=0)
    status: Mapped[VouchStatus] = mapped_column(choice(VouchStatus))
    offered_at: Mapped[Instant]
    accepted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    expires_on: Mapped[date]
    version: Mapped[int] = mapped_column(default=1)


class PromiseCheck(Base):
    """What a member promised for others in all when a promise was made or raised; never changed.

    Copies of the charter's figures stand beside, so that the database itself holds the caps.
    """

    __tablename__ = "promise_checks"
    __table_args__ = (
        CheckConstraint("count_after >= 0 AND count_after <= count_max", name="count_within_cap"),
        CheckConstraint(
            "promised_minor >= 0 AND base_minor >= 0"
            " AND (allowed_minor IS NULL OR promised_minor <= allowed_minor)",
            name="promised_within_cap",
        ),
        CheckConstraint(
            "vouch_id IS NOT NULL OR group_id IS NOT NULL", name="for_a_vouch_or_a_group"
        ),
        Index("ix_promise_checks_member", "community_id", "member_id", "id"),
        Index("ix_promise_checks_vouch_id", "vouch_id"),
        Index("ix_promise_checks_group_id", "group_id"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    vouch_id: Mapped[int | None] = mapped_column(ForeignKey("vouches.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    count_after: Mapped[int]
    count_max: Mapped[int]
    promised_minor: Mapped[Minor]
    base_minor: Mapped[Minor]
    # None: the charter caps no ratio.
    allowed_minor: Mapped[int | None] = mapped_column(MinorUnits)
    checked_on: Mapped[date]
    checked_at: Mapped[Instant]


class VoucherBound(Base):
    """What a member's record as a voucher admitted when a promise was made; never changed.

    Beside the check of the caps, where the charter has such a bound.
    """

    __tablename__ = "voucher_bounds"
    __table_args__ = (
        CheckConstraint(
            "promised_minor >= 0 AND promised_minor <= allowed_minor", name="promised_within_bound"
        ),
        CheckConstraint("base_minor >= 0 AND bound_bps > 0", name="bound_is_set"),
        CheckConstraint("lower_ppm BETWEEN 0 AND 1000000", name="lower_is_a_share"),
        CheckConstraint("good_cases_micro >= 0 AND bad_cases_micro >= 0", name="cases_count_up"),
    )

    check_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("promise_checks.id"), primary_key=True, autoincrement=False
    )
    promised_minor: Mapped[Minor]
    base_minor: Mapped[Minor]
    bound_bps: Mapped[int]
    lower_ppm: Mapped[int]
    allowed_minor: Mapped[Minor]
    # In millionths of a case.
    good_cases_micro: Mapped[int] = mapped_column(BigId)
    bad_cases_micro: Mapped[int] = mapped_column(BigId)


class NetworkBuild(Base):
    """The network file that is in force for a community; its changes since are `TrustChange`s."""

    __tablename__ = "network_builds"

    community_id: Mapped[int] = mapped_column(
        ForeignKey("communities.id"), primary_key=True, autoincrement=False
    )
    # None until the first file is written: from then on changes are noted.
    version: Mapped[str | None] = mapped_column(String(60))
    # Rooms and standings in the file are those of this day.
    day_on: Mapped[date | None]
    built_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TrustChange(Base):
    """A member whose standing, or a promise of whose, was written since the network file.

    Written by triggers, and taken away by the build that has read the rows after it.
    """

    __tablename__ = "trust_changes"
    __table_args__ = (Index("ix_trust_changes_community_id", "community_id"),)

    id: Mapped[Key]
    # Plain numbers: a key into other tables would be checked for every row that is noted.
    community_id: Mapped[int] = mapped_column(BigId)
    member_id: Mapped[int] = mapped_column(BigId)


keep_history(Base.metadata.tables[PromiseCheck.__tablename__])
keep_history(Base.metadata.tables[VoucherBound.__tablename__])
