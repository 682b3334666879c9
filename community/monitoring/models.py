"""Risk events, the cases that they open or join, and what was done about them."""

import secrets
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.bulk import table_of
from community.communities.charter import RiskRule, Severity
from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Text500,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class CaseRole(StrEnum):
    """Who has to answer a case; when a deadline is missed, the next one has to."""

    LEADER = "leader"
    OFFICER = "officer"
    OPERATOR = "operator"


class CaseStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class CaseOutcome(StrEnum):
    CONFIRMED = "confirmed"  # it was so, and stands
    RESOLVED = "resolved"  # it was so, and was put right
    FALSE_ALARM = "false_alarm"
    UNDECIDED = "undecided"  # nobody could find out: it counts for no rule's precision


# Outcomes that say that whatever opened the case was right.
RIGHT = (CaseOutcome.CONFIRMED, CaseOutcome.RESOLVED)


class ActionKind(StrEnum):
    OPENED = "opened"
    JOINED = "joined"  # another event
    ESCALATED = "escalated"
    TAKEN = "taken"
    CLOSED = "closed"
    # What people do.
    TALK = "talk"
    REMINDER = "reminder"
    VISIT = "visit"
    AGREEMENT = "agreement"
    NOTE = "note"


# What somebody may enter; the rest comes about by itself.
BY_HAND = (
    ActionKind.TALK,
    ActionKind.REMINDER,
    ActionKind.VISIT,
    ActionKind.AGREEMENT,
    ActionKind.NOTE,
)


def new_list_key() -> int:
    """A place in lists that tells nothing about when a row came to be. 53 bits: exact anywhere."""
    return secrets.randbits(53)


class RiskCase(Base):
    """Something that needs an answer by a deadline (风险个案).

    What members reported is kept apart from what rules found: a confidential case is never joined
    by a rule's event nor shown to a leader, and its days are those of whole weeks.
    """

    __tablename__ = "risk_cases"
    __table_args__ = (
        CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL)"
            " AND (status = 'closed') = (closed_on IS NOT NULL)",
            name="closed_with_its_outcome",
        ),
        CheckConstraint("due_on >= opened_on", name="due_after_it_opened"),
        CheckConstraint(
            "NOT is_confidential OR owner_role <> 'leader'", name="confidential_is_for_officers"
        ),
        CheckConstraint("owner_role <> 'leader' OR group_id IS NOT NULL", name="leaders_of_groups"),
        # One open case about a member: what comes later joins it.
        Index(
            "uq_risk_cases_open",
            "community_id",
            text("coalesce(member_id, 0)"),
            "is_confidential",
            unique=True,
            postgresql_where=text("status = 'open'"),
            sqlite_where=text("status = 'open'"),
        ),
        Index("ix_risk_cases_due", "community_id", "status", "due_on"),
        Index("ix_risk_cases_group_id", "group_id", "status"),
        Index("ix_risk_cases_member_id", "member_id", "status"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cas")
    )
    list_key: Mapped[int] = mapped_column(BigId, unique=True, default=new_list_key)
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    # Whom it is about; null: the community itself.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # The group that the member stands in, whose leader is asked first.
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    is_confidential: Mapped[bool]
    status: Mapped[CaseStatus] = mapped_column(choice(CaseStatus))
    severity: Mapped[Severity] = mapped_column(choice(Severity))
    owner_role: Mapped[CaseRole] = mapped_column(choice(CaseRole))
    # Who has taken it; null: whoever has the role.
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    opened_on: Mapped[date]
    due_on: Mapped[date]
    outcome: Mapped[CaseOutcome | None] = mapped_column(choice(CaseOutcome))
    closed_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class RiskEvent(Base):
    """What a rule of the charter found, once. Never changed; its case says what became of it."""

    __tablename__ = "risk_events"
    __table_args__ = (
        # Law 6 for the day: however often it is worked through, a finding is one event.
        UniqueConstraint("community_id", "rule", "finding"),
        Index("ix_risk_events_case_id", "case_id"),
        Index("ix_risk_events_member_id", "member_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rsk")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    rule: Mapped[RiskRule] = mapped_column(choice(RiskRule))
    # What the rule found, by its own name: the loan and since when, the promise, the meeting.
    finding: Mapped[str] = mapped_column(String(160))
    severity: Mapped[Severity] = mapped_column(choice(Severity))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))
    found_on: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    # The charter that the rule and its numbers stand in.
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("risk_cases.id"))
    recorded_at: Mapped[Instant]


class CaseAction(Base):
    """What was done about a case: when, by whom, what. Never changed."""

    __tablename__ = "case_actions"
    __table_args__ = (UniqueConstraint("case_id", "number"),)

    id: Mapped[Key]
    case_id: Mapped[int] = mapped_column(ForeignKey("risk_cases.id"))
    number: Mapped[int]
    kind: Mapped[ActionKind] = mapped_column(choice(ActionKind))
    acted_on: Mapped[date]
    text: Mapped[Text500]
    # Null: the business day.
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


for _model in (RiskEvent, CaseAction):
    keep_history(table_of(_model))
