"""Ratings and their published means, items, complaints, themes with their votes, messages."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.bulk import table_of
from community.communities.charter import ComplaintKind
from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Text120,
    UtcTime,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class SubjectKind(StrEnum):
    """What may be rated and commented on, by those whom it concerns."""

    PRODUCT = "product"  # one version of it
    MEETING = "meeting"
    MOTION = "motion"  # how it came out
    LOAN = "loan"  # the decision on it
    THEME = "theme"  # the decision on it


class FeedbackSubject(Base):
    """One thing that members rate and comment on."""

    __tablename__ = "feedback_subjects"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'product') = (product_version_id IS NOT NULL)"
            " AND (kind = 'meeting') = (meeting_id IS NOT NULL)"
            " AND (kind = 'motion') = (motion_id IS NOT NULL)"
            " AND (kind = 'loan') = (loan_id IS NOT NULL)"
            " AND (kind = 'theme') = (theme_id IS NOT NULL)",
            name="one_thing_of_its_kind",
        ),
        UniqueConstraint("product_version_id"),
        UniqueConstraint("meeting_id"),
        UniqueConstraint("motion_id"),
        UniqueConstraint("loan_id"),
        UniqueConstraint("theme_id"),
        Index("ix_feedback_subjects_community", "community_id", "id"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    kind: Mapped[SubjectKind] = mapped_column(choice(SubjectKind))
    product_version_id: Mapped[int | None] = mapped_column(ForeignKey("product_versions.id"))
    meeting_id: Mapped[int | None] = mapped_column(ForeignKey("meetings.id"))
    motion_id: Mapped[int | None] = mapped_column(ForeignKey("motions.id"))
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))
    theme_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_themes.id"))


class Rating(Base):
    """What a member thinks of a subject. The one with the highest number counts; none changes."""

    __tablename__ = "feedback_ratings"
    __table_args__ = (
        UniqueConstraint("subject_id", "member_id", "number"),
        CheckConstraint("stars >= 1 AND stars <= 5", name="one_to_five"),
        CheckConstraint("number >= 1", name="ratings_count_up"),
        Index("ix_feedback_ratings_subject", "subject_id", "id"),
        Index("ix_feedback_ratings_member", "member_id", "rated_on"),
    )

    id: Mapped[Key]
    subject_id: Mapped[int] = mapped_column(ForeignKey("feedback_subjects.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    number: Mapped[int]
    stars: Mapped[int]
    rated_on: Mapped[date]


class RatingRelease(Base):
    """A published mean: what the ratings up to one of them came to. Never changed."""

    __tablename__ = "feedback_releases"
    __table_args__ = (
        UniqueConstraint("subject_id", "number"),
        UniqueConstraint("subject_id", "week_on"),
        CheckConstraint("number >= 1", name="releases_count_up"),
        CheckConstraint("raters >= 3", name="nobody_stands_out"),
        # Everybody's very best or worst would tell what each of them said.
        CheckConstraint("half_stars >= 3 AND half_stars <= 9", name="never_unanimous"),
    )

    id: Mapped[Key]
    subject_id: Mapped[int] = mapped_column(ForeignKey("feedback_subjects.id"))
    number: Mapped[int]
    week_on: Mapped[date]
    through_id: Mapped[int] = mapped_column(ForeignKey("feedback_ratings.id"))
    raters: Mapped[int]
    half_stars: Mapped[int]
    # Many of those added were new, or closely tied to each other.
    is_burst: Mapped[bool]
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))


class ItemKind(StrEnum):
    COMMENT = "comment"  # on a subject
    SUGGESTION = "suggestion"
    COMPLAINT = "complaint"


class FeedbackItem(Base):
    """What one member said. Its place in a theme has a history of its own."""

    __tablename__ = "feedback_items"
    __table_args__ = (
        # The same words again are not another item.
        UniqueConstraint("community_id", "author_id", "fingerprint"),
        CheckConstraint(
            "kind <> 'comment' OR subject_id IS NOT NULL", name="comments_are_about_something"
        ),
        CheckConstraint(
            "(hidden_on IS NULL) = (hidden_by_id IS NULL)"
            " AND (hidden_on IS NULL) = (hidden_reason IS NULL)",
            name="hidden_by_somebody_with_a_reason",
        ),
        Index("ix_feedback_items_community", "community_id", "id"),
        Index("ix_feedback_items_theme_id", "theme_id"),
        Index("ix_feedback_items_author_id", "author_id", "community_id", "written_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("fbk")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[ItemKind] = mapped_column(choice(ItemKind))
    subject_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_subjects.id"))
    text: Mapped[str] = mapped_column(String(2000))
    fingerprint: Mapped[str] = mapped_column(String(64))
    theme_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_themes.id"))
    written_on: Mapped[date]
    hidden_on: Mapped[date | None]
    hidden_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    hidden_reason: Mapped[str | None] = mapped_column(String(500))


class PlacedBecause(StrEnum):
    GROUPED = "grouped"
    TAKEN_OUT = "taken_out"
    MERGED = "merged"  # its theme went into another one


class Placement(Base):
    """An item came into a theme, or out of it. Never changed: the trail that merging leaves."""

    __tablename__ = "feedback_placements"
    __table_args__ = (
        UniqueConstraint("item_id", "number"),
        CheckConstraint(
            "(because = 'taken_out') = (theme_id IS NULL)", name="taken_out_is_nowhere"
        ),
    )

    id: Mapped[Key]
    item_id: Mapped[int] = mapped_column(ForeignKey("feedback_items.id"))
    number: Mapped[int]
    theme_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_themes.id"))
    because: Mapped[PlacedBecause] = mapped_column(choice(PlacedBecause))
    placed_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    placed_on: Mapped[date]


class ThemeStatus(StrEnum):
    OPEN = "open"
    VOTING = "voting"
    VOTED = "voted"  # counted, and to be decided on
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SHIPPED = "shipped"
    MERGED = "merged"


DECIDED = (ThemeStatus.ACCEPTED, ThemeStatus.DECLINED, ThemeStatus.SHIPPED)


class Theme(Base):
    """What many ask for, in one sentence; voted on, decided, and perhaps shipped."""

    __tablename__ = "feedback_themes"
    __table_args__ = (
        CheckConstraint(
            "(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged_into_another"
        ),
        CheckConstraint("merged_into_id <> id", name="not_into_itself"),
        CheckConstraint(
            "(status IN ('accepted', 'declined', 'shipped')) = (decided_on IS NOT NULL)"
            " AND (decided_on IS NULL) = (decided_by_id IS NULL)"
            " AND (decided_on IS NULL) = (reason IS NULL)",
            name="decided_by_somebody_with_a_reason",
        ),
        CheckConstraint(
            "status NOT IN ('accepted', 'shipped') OR poll_number IS NOT NULL",
            name="accepted_by_vote",
        ),
        CheckConstraint(
            "(status = 'shipped') = (shipped_version_id IS NOT NULL)"
            " AND (shipped_version_id IS NULL) = (shipped_on IS NULL)",
            name="shipped_in_a_version",
        ),
        CheckConstraint("shipped_on >= decided_on", name="shipped_after_the_decision"),
        Index("ix_feedback_themes_community", "community_id", "id"),
        Index("ix_feedback_themes_shipped", "shipped_version_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("thm")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    title: Mapped[Text120]
    summary: Mapped[str] = mapped_column(String(2000))
    status: Mapped[ThemeStatus] = mapped_column(choice(ThemeStatus))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_themes.id"))
    # The number of the vote that the decision rests on.
    poll_number: Mapped[int | None]
    decided_on: Mapped[date | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    reason: Mapped[str | None] = mapped_column(String(500))
    shipped_version_id: Mapped[int | None] = mapped_column(ForeignKey("product_versions.id"))
    shipped_on: Mapped[date | None]
    created_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    created_on: Mapped[date]
    version: Mapped[int] = mapped_column(default=1)


class PollStatus(StrEnum):
    OPEN = "open"
    CARRIED = "carried"
    REJECTED = "rejected"
    VOID = "void"  # too few voted


class PollChoice(StrEnum):
    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


class Poll(Base):
    """A theme put to the vote of a community. Secret: only that somebody voted, and three sums."""

    __tablename__ = "feedback_polls"
    __table_args__ = (
        UniqueConstraint("theme_id", "number"),
        CheckConstraint("number >= 1", name="polls_count_up"),
        CheckConstraint("closes_on >= opens_on", name="closes_after_it_opens"),
        CheckConstraint("joined_by_on <= opens_on", name="voters_joined_before"),
        CheckConstraint(
            "yes_count >= 0 AND no_count >= 0 AND abstain_count >= 0 AND voters_count >= 0",
            name="counts_not_negative",
        ),
        CheckConstraint("(status = 'open') = (counted_on IS NULL)", name="counted_once"),
        CheckConstraint("counted_on > closes_on", name="counted_when_it_is_over"),
        CheckConstraint("quorum_bps >= 1 AND quorum_bps <= 10000", name="a_quorum_can_be_reached"),
        CheckConstraint(
            "majority_bps >= 0 AND majority_bps < 10000", name="a_majority_can_be_reached"
        ),
        Index(
            "uq_feedback_polls_open",
            "theme_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
            sqlite_where=text("status = 'open'"),
        ),
    )

    id: Mapped[Key]
    theme_id: Mapped[int] = mapped_column(ForeignKey("feedback_themes.id"))
    number: Mapped[int]
    opens_on: Mapped[date]
    closes_on: Mapped[date]
    # Who became a member later does not vote.
    joined_by_on: Mapped[date]
    # How many could vote when it was put.
    voters_count: Mapped[int]
    quorum_bps: Mapped[int]
    majority_bps: Mapped[int]
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    status: Mapped[PollStatus] = mapped_column(choice(PollStatus))
    yes_count: Mapped[int] = mapped_column(default=0)
    no_count: Mapped[int] = mapped_column(default=0)
    abstain_count: Mapped[int] = mapped_column(default=0)
    counted_on: Mapped[date | None]
    put_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))


class PollVoter(Base):
    """Somebody has voted: once. No number and no time that would tell in which order they came."""

    __tablename__ = "feedback_poll_voters"

    poll_id: Mapped[int] = mapped_column(BigId, ForeignKey("feedback_polls.id"), primary_key=True)
    member_id: Mapped[int] = mapped_column(BigId, ForeignKey("members.id"), primary_key=True)


class ComplaintRole(StrEnum):
    """Who has to answer; when the deadline is missed, the next one has to."""

    OFFICER = "officer"
    OPERATOR = "operator"


class ComplaintStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class ComplaintOutcome(StrEnum):
    UPHELD = "upheld"
    PARTLY = "partly"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class StepKind(StrEnum):
    FILED = "filed"
    REPLIED = "replied"
    ESCALATED = "escalated"  # nobody answered in time
    HANDED_OVER = "handed_over"  # its owner holds no office any more
    CLOSED = "closed"
    REOPENED = "reopened"


class Complaint(Base):
    """A complaint (投诉): a number, somebody who owns it, a day by which it is answered."""

    __tablename__ = "feedback_complaints"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        UniqueConstraint("item_id"),
        CheckConstraint("number >= 1", name="complaints_count_up"),
        CheckConstraint("owner_id <> against_id", name="not_owned_by_whom_it_is_against"),
        CheckConstraint("owner_id <> complainant_id", name="not_owned_by_who_complains"),
        CheckConstraint("against_id <> complainant_id", name="not_against_oneself"),
        CheckConstraint("due_on >= opened_on", name="due_after_it_opened"),
        CheckConstraint("reopened_count >= 0", name="reopened_counts"),
        CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL)"
            " AND (status = 'closed') = (closed_on IS NOT NULL)",
            name="closed_with_its_outcome",
        ),
        Index("ix_feedback_complaints_due", "community_id", "status", "due_on"),
        Index("ix_feedback_complaints_owner_id", "owner_id", "status"),
        Index("ix_feedback_complaints_complainant_id", "complainant_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cpl")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    number: Mapped[int]
    item_id: Mapped[int] = mapped_column(ForeignKey("feedback_items.id"))
    complainant_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[ComplaintKind] = mapped_column(choice(ComplaintKind))
    title: Mapped[Text120]
    against_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    owner_role: Mapped[ComplaintRole] = mapped_column(choice(ComplaintRole))
    # Null: nobody holds such an office, so whoever comes to hold the operator's reads it.
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    status: Mapped[ComplaintStatus] = mapped_column(choice(ComplaintStatus))
    opened_on: Mapped[date]
    due_on: Mapped[date]
    outcome: Mapped[ComplaintOutcome | None] = mapped_column(choice(ComplaintOutcome))
    closed_on: Mapped[date | None]
    reopened_count: Mapped[int] = mapped_column(default=0)
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class ComplaintStep(Base):
    """What happened to a complaint, in order. Never changed."""

    __tablename__ = "feedback_complaint_steps"
    __table_args__ = (
        UniqueConstraint("complaint_id", "number"),
        CheckConstraint("number >= 1", name="steps_count_up"),
    )

    id: Mapped[Key]
    complaint_id: Mapped[int] = mapped_column(ForeignKey("feedback_complaints.id"))
    number: Mapped[int]
    kind: Mapped[StepKind] = mapped_column(choice(StepKind))
    text: Mapped[str] = mapped_column(String(2000))
    # Who owns it from here on.
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    acted_on: Mapped[date]
    # Null: the business day.
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class MessageKind(StrEnum):
    THEME_ACCEPTED = "theme_accepted"
    THEME_DECLINED = "theme_declined"
    THEME_SHIPPED = "theme_shipped"
    COMPLAINT_REPLIED = "complaint_replied"
    COMPLAINT_ESCALATED = "complaint_escalated"
    COMPLAINT_CLOSED = "complaint_closed"
    COMPLAINT_ASSIGNED = "complaint_assigned"  # to its owner


class Message(Base):
    """What one member is told, for them alone. Written with what it tells, or not at all."""

    __tablename__ = "member_messages"
    __table_args__ = (
        # Law 6: told once.
        UniqueConstraint("member_id", "about"),
        CheckConstraint(
            "(theme_id IS NULL) <> (complaint_id IS NULL)", name="about_a_theme_or_a_complaint"
        ),
        CheckConstraint(
            "(kind = 'theme_shipped') = (product_version_id IS NOT NULL)",
            name="shipped_names_the_version",
        ),
        Index("ix_member_messages_member", "member_id", "id"),
        Index("ix_member_messages_theme_id", "theme_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("msg")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[MessageKind] = mapped_column(choice(MessageKind))
    about: Mapped[str] = mapped_column(String(120))
    theme_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_themes.id"))
    complaint_id: Mapped[int | None] = mapped_column(ForeignKey("feedback_complaints.id"))
    product_version_id: Mapped[int | None] = mapped_column(ForeignKey("product_versions.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    sent_on: Mapped[date]
    read_at: Mapped[datetime | None] = mapped_column(UtcTime)


for _kept in (Rating, RatingRelease, Placement, PollVoter, ComplaintStep):
    keep_history(table_of(_kept))
