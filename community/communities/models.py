"""Communities, charters, memberships."""

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Text120, choice, new_public_id


class CommunityKind(StrEnum):
    REGION = "region"
    INDUSTRY = "industry"
    INTEREST = "interest"


class MembershipStatus(StrEnum):
    APPLIED = "applied"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Community(Base):
    """Members who share a region, an industry or an interest."""

    __tablename__ = "communities"
    __table_args__ = (CheckConstraint("parent_id <> id", name="not_in_itself"),)

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("com")
    )
    kind: Mapped[CommunityKind] = mapped_column(choice(CommunityKind))
    name: Mapped[Text120]
    # The name under which imports know it.
    reference: Mapped[str] = mapped_column(String(64), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"), index=True)
    # Ids from the root to this community, '/3/17/42/': whoever holds a role at one of them
    # holds it here.
    path: Mapped[str] = mapped_column(String(255), default="/")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]

    @property
    def path_ids(self) -> tuple[int, ...]:
        """This community's id and those of its ancestors."""
        return tuple(int(part) for part in self.path.split("/") if part)


class Charter(Base):
    """A community's rule set from a day on. Versions are added, never changed."""

    __tablename__ = "charters"
    __table_args__ = (
        UniqueConstraint("community_id", "version"),
        UniqueConstraint("community_id", "valid_from"),
        CheckConstraint("version >= 1", name="versions_count_up"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    version: Mapped[int]
    valid_from: Mapped[date]
    # Every rule of `communities.charter.CharterRules`, with its source beside its value.
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Who decided it and where that is written down.
    source: Mapped[str] = mapped_column(String(500))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class Membership(Base):
    """A member's place in a community, as it is now; its history is in MembershipChange."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("community_id", "member_id"),
        Index("ix_memberships_member_id", "member_id"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    status: Mapped[MembershipStatus] = mapped_column(choice(MembershipStatus))
    since_on: Mapped[date]
    version: Mapped[int] = mapped_column(default=1)


class MembershipChange(Base):
    """One step of a membership, with its date and reason."""

    __tablename__ = "membership_changes"

    id: Mapped[Key]
    membership_id: Mapped[int] = mapped_column(ForeignKey("memberships.id"), index=True)
    status: Mapped[MembershipStatus] = mapped_column(choice(MembershipStatus))
    changed_on: Mapped[date]
    reason: Mapped[str] = mapped_column(String(500))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]
