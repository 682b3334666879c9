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
    EXPELLED = "expelled"


class AgreementBasis(StrEnum):
    SIGNED = "signed"  # every member in it has signed it
    DEPARTURE = "departure"  # the one before, less somebody who left: nobody owes more by it


class AmendmentStatus(StrEnum):
    SIGNING = "signing"  # everybody, who is in and who is to join, understands and signs
    COOLING_OFF = "cooling_off"  # all have signed; anybody may still refuse
    IN_FORCE = "in_force"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"  # not signed, or not put into force, in time; or somebody left meanwhile


class ExpulsionStatus(StrEnum):
    VOTING = "voting"
    EFFECTED = "effected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class Settlement(StrEnum):
    """What becomes of what the expelled member owes."""

    REPAID = "repaid"  # it is repaid before they go
    TAKEN_OVER = "taken_over"  # the others' promises for it run on, each consenting to their part


class Group(Base):
    """A joint-liability group (联保小组) inside one community."""

    __tablename__ = "groups"
    __table_args__ = (
        CheckConstraint("pair_cap_minor > 0", name="cap_is_positive"),
        # An active group may be without a leader: one who was recalled, or left.
        CheckConstraint(
            "status NOT IN ('signing', 'cooling_off') OR leader_id IS NOT NULL",
            name="led_once_formed",
        ),
        CheckConstraint(
            "(leader_until_on IS NULL) = (leader_id IS NULL)", name="leaders_have_a_term"
        ),
        CheckConstraint(
            "(product_id IS NULL) = (product_name IS NULL)", name="product_has_its_name"
        ),
        CheckConstraint("leader_acts_until_on >= leader_until_on", name="leaders_act_their_term"),
        CheckConstraint(
            "(short_since_on IS NULL) = (whole_by_on IS NULL) AND whole_by_on >= short_since_on",
            name="short_has_its_days",
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
    # For whose loans the group borrows; null: of any product. The table lives in a higher room.
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    product_name: Mapped[str | None] = mapped_column(String(120))
    founder_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    leader_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    leader_until_on: Mapped[date | None]
    # Past the term the leader acts on, until a successor is elected or until this day.
    leader_acts_until_on: Mapped[date | None]
    # Since when an election is open in the active group: called, or due by the end of a term.
    election_since_on: Mapped[date | None]
    # Since when it has fewer members than the charter asks for, and when it has to be whole again.
    short_since_on: Mapped[date | None]
    whole_by_on: Mapped[date | None]
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
        # A member stands in one living group of a community at a time; where the charter admits
        # more, in one for each product.
        Index(
            "uq_group_members_living",
            "community_id",
            "member_id",
            text("coalesce(product_id, 0)"),
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
    # The group's, so that the index can see it.
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    status: Mapped[GroupMemberStatus] = mapped_column(choice(GroupMemberStatus))
    vote_for_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # Whether this member would have the leader go at once; secret, like the vote.
    recalls_leader: Mapped[bool] = mapped_column(default=False)
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


class GroupAgreement(Base):
    """An agreement that was or is in force in a group. Rows are added, never changed."""

    __tablename__ = "group_agreements"
    __table_args__ = (
        UniqueConstraint("group_id", "version"),
        UniqueConstraint("group_id", "agreement_hash"),
        CheckConstraint("version >= 1", name="versions_count_up"),
    )

    id: Mapped[Key]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    version: Mapped[int]
    basis: Mapped[AgreementBasis] = mapped_column(choice(AgreementBasis))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    agreement_hash: Mapped[str] = mapped_column(String(64))
    bound_at: Mapped[Instant]


class GroupSignature(Base):
    """One member's signature on one agreement, with what they were shown. Never changed."""

    __tablename__ = "group_signatures"
    __table_args__ = (
        UniqueConstraint("group_member_id", "agreement_hash"),
        CheckConstraint(
            "exposure_minor >= 0 AND elsewhere_minor >= 0", name="exposures_not_negative"
        ),
        Index("ix_group_signatures_agreement_hash", "agreement_hash"),
    )

    id: Mapped[Key]
    group_member_id: Mapped[int] = mapped_column(ForeignKey("group_members.id"))
    agreement_hash: Mapped[str] = mapped_column(String(64))
    # The most that they could have to pay under the agreement, and what they stood for besides.
    exposure_minor: Mapped[Minor]
    elsewhere_minor: Mapped[Minor]
    signed_at: Mapped[Instant]


class GroupAmendment(Base):
    """Other terms or more members for an active group: proposed to all, in force when all signed.

    Until then, and if it comes to nothing, the agreement in force is untouched.
    """

    __tablename__ = "group_amendments"
    __table_args__ = (
        CheckConstraint("pair_cap_minor > 0", name="cap_is_positive"),
        CheckConstraint(
            "status <> 'in_force' OR cooling_off_until IS NOT NULL", name="in_force_after_thinking"
        ),
        CheckConstraint(
            "(status IN ('signing', 'cooling_off')) = (ended_at IS NULL)", name="ends_once"
        ),
        # One proposal at a time: people sign what they can compare with what is.
        Index(
            "uq_group_amendments_open",
            "group_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_group_amendments_group_id", "group_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("gam")
    )
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    status: Mapped[AmendmentStatus] = mapped_column(choice(AmendmentStatus))
    pair_cap_minor: Mapped[Minor]
    vouch_expires_on: Mapped[date]
    # The agreement that it changes.
    base_hash: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    agreement_hash: Mapped[str] = mapped_column(String(64))
    charter_version: Mapped[int]
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    proposed_at: Mapped[Instant]
    # The last day to sign; once all have signed, the last day to put it into force.
    lapses_on: Mapped[date]
    cooling_off_until: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class GroupExpulsion(Base):
    """Whether a member has to go: every other member has to consent."""

    __tablename__ = "group_expulsions"
    __table_args__ = (
        CheckConstraint("(status = 'voting') = (ended_at IS NULL)", name="ends_once"),
        Index(
            "uq_group_expulsions_open",
            "group_id",
            "member_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index("ix_group_expulsions_group_id", "group_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("gex")
    )
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    settlement: Mapped[Settlement] = mapped_column(choice(Settlement))
    status: Mapped[ExpulsionStatus] = mapped_column(choice(ExpulsionStatus))
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    proposed_at: Mapped[Instant]
    lapses_on: Mapped[date]
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ExpulsionConsent(Base):
    """One member's consent to an expulsion, with what they take over of what is owed."""

    __tablename__ = "expulsion_consents"
    __table_args__ = (
        UniqueConstraint("expulsion_id", "member_id"),
        CheckConstraint("takes_over_minor >= 0", name="takes_over_not_negative"),
    )

    id: Mapped[Key]
    expulsion_id: Mapped[int] = mapped_column(ForeignKey("group_expulsions.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    takes_over_minor: Mapped[Minor]
    given_at: Mapped[Instant]
