"""Joint-liability groups and the way of each member into them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import (
    Base,
    Instant,
    Key,
    Minor,
    MinorUnits,
    Text120,
    UtcTime,
    choice,
    new_public_id,
)


class GroupStatus(StrEnum):
    FORMING = "forming"  # members are invited, accept, elect a leader
    SIGNING = "signing"  # the agreement is fixed; members understand and sign it
    COOLING_OFF = "cooling_off"  # all have signed; anybody may still step back
    ACTIVE = "active"
    DISSOLVED = "dissolved"


class GroupMemberStatus(StrEnum):
    INVITED = "invited"
    ACCEPTED = "accepted"
    SIGNED = "signed"
    DECLINED = "declined"
    LEFT = "left"


class Group(Base):
    """A joint-liability group (联保小组) inside one community."""

    __tablename__ = "groups"
    __table_args__ = (
        CheckConstraint("pair_cap_minor > 0", name="cap_is_positive"),
        CheckConstraint(
            "status NOT IN ('signing', 'cooling_off', 'active') OR leader_id IS NOT NULL",
            name="led_once_formed",
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("grp")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"), index=True)
    name: Mapped[Text120]
    status: Mapped[GroupStatus] = mapped_column(choice(GroupStatus))
    # What each member stands for behind each other member: the cap of the mutual vouches.
    pair_cap_minor: Mapped[Minor]
    vouch_expires_on: Mapped[date]
    founder_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    leader_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    leader_until_on: Mapped[date | None]
    # The agreement as shown to everybody who signs, and the charter version it rests on.
    agreement: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    agreement_hash: Mapped[str | None] = mapped_column(String(64))
    charter_version: Mapped[int | None]
    cooling_off_until: Mapped[datetime | None] = mapped_column(UtcTime)
    activated_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class GroupMember(Base):
    """One member's way into a group: invited, accepted, understood, signed."""

    __tablename__ = "group_members"
    __table_args__ = (
        UniqueConstraint("group_id", "member_id"),
        # A member stands in one living group of a community at a time.
        Index(
            "uq_group_members_living",
            "community_id",
            "member_id",
            unique=True,
            postgresql_where=text("status IN ('accepted', 'signed')"),
            sqlite_where=text("status IN ('accepted', 'signed')"),
        ),
        Index(
            "uq_group_members_household",
            "group_id",
            "household_id",
            unique=True,
            postgresql_where=text("status IN ('accepted', 'signed') AND household_id IS NOT NULL"),
            sqlite_where=text("status IN ('accepted', 'signed') AND household_id IS NOT NULL"),
        ),
        CheckConstraint(
            "status <> 'signed' OR (signed_at IS NOT NULL AND understood_at IS NOT NULL)",
            name="signed_after_understanding",
        ),
    )

    id: Mapped[Key]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"), index=True)
    household_id: Mapped[int | None] = mapped_column(ForeignKey("households.id"))
    status: Mapped[GroupMemberStatus] = mapped_column(choice(GroupMemberStatus))
    vote_for_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # The most that this member could have to pay under the agreement that they sign.
    exposure_minor: Mapped[int | None] = mapped_column(MinorUnits)
    understood_at: Mapped[datetime | None] = mapped_column(UtcTime)
    signed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    invited_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    invited_at: Mapped[Instant]


class UnderstandingAttempt(Base):
    """What somebody answered on their own exposure, kept as proof of understanding."""

    __tablename__ = "understanding_attempts"

    id: Mapped[Key]
    group_member_id: Mapped[int] = mapped_column(ForeignKey("group_members.id"), index=True)
    agreement_hash: Mapped[str] = mapped_column(String(64))
    questions: Mapped[dict[str, Any]] = mapped_column(JSON)
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    passed: Mapped[bool]
    answered_at: Mapped[Instant]
