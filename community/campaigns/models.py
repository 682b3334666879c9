"""Campaigns of whole-village credit: who reviews whom, what they say, what comes of it.

While a round is open an answer stands on its assignment, where only its reviewer changes it. When
the round closes, answers are copied into a table that the database lets nobody change.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from community.campaigns.findings import FindingKind, Verdict
from community.database import (
    Base,
    Document,
    Instant,
    Key,
    Minor,
    MinorUnits,
    Text120,
    Text500,
    UtcTime,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class CampaignStatus(StrEnum):
    OPEN = "open"  # its households stand; reviewers are not drawn yet
    REVIEWING = "reviewing"  # a round is open
    CHECKING = "checking"  # rounds are closed: findings are decided, households visited
    PUBLISHED = "published"  # objections may be raised, then answered
    GRANTING = "granting"  # the run has begun; it may be run again until nothing is left
    GRANTED = "granted"
    CANCELLED = "cancelled"


class HouseholdStatus(StrEnum):
    REVIEWED = "reviewed"  # under review, no outcome yet
    PROPOSED = "proposed"
    WITHHELD = "withheld"  # the answers gave no proposal
    REFUSED = "refused"  # a visit or an objection stopped it
    GRANTED = "granted"
    LAPSED = "lapsed"  # it could not be granted: the holder left
    REVOKED = "revoked"
    EXPIRED = "expired"


class Debts(StrEnum):
    """What a reviewer knows of a household's debts elsewhere."""

    NONE = "none"
    SOME = "some"
    HEAVY = "heavy"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    EXCLUDE = "exclude"  # the reviewers' answers are set aside
    KEEP = "keep"


class VisitResult(StrEnum):
    CONFIRMED = "confirmed"
    CHANGED = "changed"
    REFUSED = "refused"


class ObjectionStatus(StrEnum):
    OPEN = "open"
    REJECTED = "rejected"
    CHANGED = "changed"  # upheld: another amount
    STOPPED = "stopped"  # upheld: no grant


class Campaign(Base):
    """Every household of a community, reviewed blind by its neighbours, for credit."""

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("round >= 0", name="rounds_count_up"),
        CheckConstraint(
            "(published_on IS NULL) = (objections_until_on IS NULL)", name="published_for_days"
        ),
        CheckConstraint(
            "status NOT IN ('published', 'granting', 'granted') OR published_on IS NOT NULL",
            name="published_on_a_day",
        ),
        CheckConstraint(
            "(status IN ('granting', 'granted')) = (grants_until_on IS NOT NULL)",
            name="granted_until_a_day",
        ),
        # One at a time: two would grant each other's households anew.
        Index(
            "uq_campaigns_running",
            "community_id",
            unique=True,
            postgresql_where=text("status NOT IN ('granted', 'cancelled')"),
            sqlite_where=text("status NOT IN ('granted', 'cancelled')"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cmp")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    name: Mapped[Text120]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[CampaignStatus] = mapped_column(choice(CampaignStatus))
    # The charter of the day it was opened counts to its end.
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    # A credit line of the community on which the granted get sub-limits.
    line_id: Mapped[int | None] = mapped_column(ForeignKey("credit_lines.id"))
    # Whoever has it can draw the reviewers and the visits again.
    seed: Mapped[str] = mapped_column(String(64))
    # Pairs of members known to be kin; fixed with the seed, before anything is drawn.
    kin: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    round: Mapped[int] = mapped_column(default=0)
    opened_on: Mapped[date]
    published_on: Mapped[date | None]
    objections_until_on: Mapped[date | None]
    # The day on which granting began, and until when everything granted runs.
    granting_on: Mapped[date | None]
    grants_until_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class CampaignRound(Base):
    """What a round was drawn from; never changed itself."""

    __tablename__ = "campaign_rounds"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)

    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    number: Mapped[int]
    # `draw.DrawInputs`: with the campaign's seed it gives every assignment of the round.
    inputs: Mapped[Document]
    drawn_on: Mapped[date]
    drawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    drawn_at: Mapped[Instant]


class CampaignHousehold(Base):
    """A household in a campaign: what its neighbours' answers came to, and what became of it."""

    __tablename__ = "campaign_households"
    __table_args__ = (
        UniqueConstraint("campaign_id", "household_id"),
        CheckConstraint("proposed_minor >= 0 AND amount_minor >= 0", name="amounts_not_negative"),
        CheckConstraint(
            "status NOT IN ('granted', 'revoked', 'expired') OR (amount_minor > 0"
            " AND granted_on IS NOT NULL AND expires_on IS NOT NULL"
            " AND assessment_id IS NOT NULL)",
            name="granted_with_its_assessment",
        ),
        CheckConstraint(
            "status NOT IN ('withheld', 'refused', 'lapsed') OR amount_minor = 0",
            name="nothing_where_nothing_is_granted",
        ),
        CheckConstraint(
            "(visited_on IS NULL) = (visit_result IS NULL)", name="a_visit_has_its_result"
        ),
        CheckConstraint(
            "(visit_minor IS NOT NULL) = (visit_result IS NOT NULL AND visit_result = 'changed')",
            name="a_visit_changes_to_an_amount",
        ),
        CheckConstraint("(status = 'revoked') = (revoked_on IS NOT NULL)", name="revoked_on_a_day"),
        Index("ix_campaign_households_household_id", "household_id"),
        Index(
            "ix_campaign_households_expiry",
            "expires_on",
            postgresql_where=text("status = 'granted'"),
            sqlite_where=text("status = 'granted'"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("chh")
    )
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"))
    # Who gets the standing and the sub-limit for the household.
    holder_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    status: Mapped[HouseholdStatus] = mapped_column(choice(HouseholdStatus))
    verdict: Mapped[Verdict | None] = mapped_column(choice(Verdict))
    # What the verdict follows from: answers, centre, spread, in whole numbers.
    grounds: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    proposed_minor: Mapped[Minor] = mapped_column(default=0)
    # After the visit and the objections; what is granted.
    amount_minor: Mapped[Minor] = mapped_column(default=0)
    is_sampled: Mapped[bool] = mapped_column(default=False)
    visit_result: Mapped[VisitResult | None] = mapped_column(choice(VisitResult))
    visit_minor: Mapped[int | None] = mapped_column(MinorUnits)
    visit_note: Mapped[str | None] = mapped_column(String(500))
    visited_on: Mapped[date | None]
    visited_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("assessments.id"))
    granted_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    # Why it could not be granted yet, or no more.
    hindrance: Mapped[str | None] = mapped_column(String(80))
    revoked_on: Mapped[date | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(500))
    version: Mapped[int] = mapped_column(default=1)


class CampaignReviewer(Base):
    """Somebody who may be drawn, with the household that counted as theirs."""

    __tablename__ = "campaign_reviewers"
    __table_args__ = (
        UniqueConstraint("campaign_id", "member_id"),
        UniqueConstraint("campaign_id", "member_id", "household_id"),
        CheckConstraint("(excluded_on IS NULL) = (excluded_reason IS NULL)", name="said_why"),
    )

    id: Mapped[Key]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"))
    excluded_on: Mapped[date | None]
    excluded_reason: Mapped[str | None] = mapped_column(String(500))
    excluded_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))


class CampaignAssignment(Base):
    """One reviewer's look at one household; while its round is open, with the answer so far."""

    __tablename__ = "campaign_assignments"
    __table_args__ = (
        UniqueConstraint("campaign_id", "household_id", "reviewer_id"),
        # Whose household the reviewer's is, the database asks the reviewer's row.
        ForeignKeyConstraint(
            ["campaign_id", "reviewer_id", "reviewer_household_id"],
            [
                "campaign_reviewers.campaign_id",
                "campaign_reviewers.member_id",
                "campaign_reviewers.household_id",
            ],
            name="fk_campaign_assignments_reviewer",
        ),
        ForeignKeyConstraint(
            ["campaign_id", "household_id"],
            ["campaign_households.campaign_id", "campaign_households.household_id"],
            name="fk_campaign_assignments_household",
        ),
        CheckConstraint("reviewer_household_id <> household_id", name="nobody_reviews_their_own"),
        CheckConstraint("reputation IS NULL OR reputation BETWEEN 1 AND 5", name="one_to_five"),
        CheckConstraint("limit_minor IS NULL OR limit_minor >= 0", name="limit_not_negative"),
        CheckConstraint(
            "answered_at IS NULL OR knows IS NOT NULL", name="an_answer_says_who_is_known"
        ),
        CheckConstraint(
            "NOT knows OR (limit_minor IS NOT NULL AND reputation IS NOT NULL)",
            name="who_knows_says_how_much",
        ),
        Index("ix_campaign_assignments_reviewer_id", "reviewer_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cas")
    )
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    round: Mapped[int]
    reviewer_id: Mapped[int]
    reviewer_household_id: Mapped[int]
    household_id: Mapped[int]
    is_closed: Mapped[bool] = mapped_column(default=False)
    knows: Mapped[bool | None]
    reputation: Mapped[int | None]
    debts: Mapped[Debts | None] = mapped_column(choice(Debts))
    limit_minor: Mapped[int | None] = mapped_column(MinorUnits)
    against: Mapped[str | None] = mapped_column(String(500))
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)


class CampaignAnswer(Base):
    """An answer as it stood when its round closed; never changed itself."""

    __tablename__ = "campaign_answers"

    id: Mapped[Key]
    assignment_id: Mapped[int] = mapped_column(ForeignKey("campaign_assignments.id"), unique=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), index=True)
    round: Mapped[int]
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"))
    knows: Mapped[bool]
    reputation: Mapped[int | None]
    debts: Mapped[Debts] = mapped_column(choice(Debts))
    limit_minor: Mapped[int | None] = mapped_column(MinorUnits)
    against: Mapped[str | None] = mapped_column(String(500))
    answered_at: Mapped[Instant]


class CampaignFinding(Base):
    """Something odd in the answers, and what an officer decided on it."""

    __tablename__ = "campaign_findings"
    __table_args__ = (
        CheckConstraint(
            "(decision IS NULL) = (decided_reason IS NULL)", name="decided_with_a_reason"
        ),
        Index("ix_campaign_findings_campaign_id", "campaign_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cfi")
    )
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    kind: Mapped[FindingKind] = mapped_column(choice(FindingKind))
    # Members by id.
    reviewers: Mapped[list[int]] = mapped_column(JSON)
    # The rule of the charter and what it was applied to.
    rule: Mapped[str] = mapped_column(String(64))
    facts: Mapped[Document]
    found_on: Mapped[date]
    needs_decision: Mapped[bool]
    decision: Mapped[Decision | None] = mapped_column(choice(Decision))
    decided_reason: Mapped[str | None] = mapped_column(String(500))
    decided_on: Mapped[date | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))


class CampaignObjection(Base):
    """What somebody holds against a proposed grant, and the answer."""

    __tablename__ = "campaign_objections"
    __table_args__ = (
        CheckConstraint("(status = 'open') = (answer IS NULL)", name="closed_with_an_answer"),
        CheckConstraint("(status = 'open') = (answered_on IS NULL)", name="answered_on_a_day"),
        CheckConstraint(
            "(status = 'changed') = (amount_minor IS NOT NULL)", name="a_change_has_its_amount"
        ),
        # Somebody raises one thing at a time.
        Index(
            "uq_campaign_objections_open",
            "campaign_household_id",
            "objector_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
            sqlite_where=text("status = 'open'"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cob")
    )
    campaign_household_id: Mapped[int] = mapped_column(ForeignKey("campaign_households.id"))
    objector_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    reason: Mapped[Text500]
    raised_on: Mapped[date]
    status: Mapped[ObjectionStatus] = mapped_column(choice(ObjectionStatus))
    amount_minor: Mapped[int | None] = mapped_column(MinorUnits)
    answer: Mapped[str | None] = mapped_column(String(500))
    answered_on: Mapped[date | None]
    # The campaign's version that the answer made: of two, the later one counts.
    answered_as: Mapped[int | None]
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))


for _model in (CampaignRound, CampaignAnswer):
    keep_history(_model.metadata.tables[_model.__tablename__])
