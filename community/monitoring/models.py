"""Risk events, the cases that they open or join, and what was done about them."""

import secrets
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.bulk import table_of
from community.communities.charter import MotionSubject, Purpose, RiskRule, Severity
from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Minor,
    Text120,
    Text500,
    UtcTime,
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
        # What is about several people is nobody's own case, nor any group's.
        CheckConstraint(
            "subject IS NULL OR (member_id IS NULL AND group_id IS NULL AND NOT is_confidential)",
            name="subjects_are_nobodys_own",
        ),
        # One open case about a member, or about a circle, a ring: what comes later joins it.
        Index(
            "uq_risk_cases_open",
            "community_id",
            text("coalesce(member_id, 0)"),
            "is_confidential",
            text("coalesce(subject, '')"),
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
    # What it is about, where that is several people, or one who must not be warned: the circle's
    # name, the ring's first member. Who they are, its events say.
    subject: Mapped[str | None] = mapped_column(String(80))
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


class RiskEventPerson(Base):
    """Somebody whom an event is about, where it is about several. Never changed."""

    __tablename__ = "risk_event_people"
    __table_args__ = (Index("ix_risk_event_people_member_id", "member_id"),)

    event_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("risk_events.id"), primary_key=True, autoincrement=False
    )
    member_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("members.id"), primary_key=True, autoincrement=False
    )


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


class AttendanceKind(StrEnum):
    PRESENT = "present"
    PROXY = "proxy"  # somebody who was there spoke for them
    EXCUSED = "excused"
    ABSENT = "absent"


class MeetingStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Ballot(StrEnum):
    OPEN = "open"
    SECRET = "secret"


class MotionStatus(StrEnum):
    OPEN = "open"
    CARRIED = "carried"
    REJECTED = "rejected"
    VOID = "void"  # too few were there


class Choice(StrEnum):
    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


class MeetingPlan(Base):
    """When and where a group meets: every so many days from a first one on."""

    __tablename__ = "meeting_plans"
    __table_args__ = (
        UniqueConstraint("group_id"),
        CheckConstraint("every_days >= 1 AND every_days <= 366", name="comes_again"),
    )

    id: Mapped[Key]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    first_on: Mapped[date]
    every_days: Mapped[int]
    place: Mapped[Text120]
    set_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    set_at: Mapped[Instant]


class Meeting(Base):
    """A group's gathering: who came, what was written down, whether it could decide."""

    __tablename__ = "meetings"
    __table_args__ = (
        # The meeting's name in the hands of whoever writes it down, perhaps without a connection.
        UniqueConstraint("group_id", "client_id"),
        UniqueConstraint("collection_id"),
        CheckConstraint(
            "(status = 'closed') = (closed_on IS NOT NULL)"
            " AND (status = 'closed') = (members_count IS NOT NULL)"
            " AND (members_count IS NULL) = (spoken_for_count IS NULL)"
            " AND (members_count IS NULL) = (is_quorate IS NULL)",
            name="closed_is_counted",
        ),
        CheckConstraint(
            "spoken_for_count >= 0 AND spoken_for_count <= members_count", name="counts_of_members"
        ),
        Index("ix_meetings_closed", "community_id", "closed_on"),
        Index("ix_meetings_group_id", "group_id", "held_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("mtg")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    client_id: Mapped[str] = mapped_column(String(64))
    held_on: Mapped[date]
    place: Mapped[Text120]
    minutes: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[MeetingStatus] = mapped_column(choice(MeetingStatus))
    # The sheet of the money that came in there.
    collection_id: Mapped[int | None] = mapped_column(ForeignKey("collections.id"))
    # Counted when it is closed, by the charter of its day.
    members_count: Mapped[int | None]
    spoken_for_count: Mapped[int | None]
    is_quorate: Mapped[bool | None]
    closed_on: Mapped[date | None]
    entered_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class Attendance(Base):
    """How one member was at a meeting."""

    __tablename__ = "attendances"
    __table_args__ = (
        UniqueConstraint("meeting_id", "member_id"),
        CheckConstraint("(kind = 'proxy') = (proxy_id IS NOT NULL)", name="proxies_are_named"),
        CheckConstraint("proxy_id <> member_id", name="proxies_are_others"),
        Index("ix_attendances_member_id", "member_id"),
    )

    id: Mapped[Key]
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meetings.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[AttendanceKind] = mapped_column(choice(AttendanceKind))
    proxy_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    note: Mapped[Text120]


class Motion(Base):
    """What a meeting decides.

    A secret ballot leaves no row of a vote: only that somebody has voted, and three sums.
    """

    __tablename__ = "motions"
    __table_args__ = (
        CheckConstraint(
            "yes_count >= 0 AND no_count >= 0 AND abstain_count >= 0", name="counts_not_negative"
        ),
        CheckConstraint("(status = 'open') = (counted_on IS NULL)", name="counted_once"),
        CheckConstraint("loan_id IS NULL OR subject = 'loan'", name="loans_are_about_loans"),
        CheckConstraint(
            "majority_bps >= 0 AND majority_bps < 10000", name="a_majority_can_be_reached"
        ),
        Index("ix_motions_meeting_id", "meeting_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("mot")
    )
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meetings.id"))
    subject: Mapped[MotionSubject] = mapped_column(choice(MotionSubject))
    text: Mapped[Text500]
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))
    ballot: Mapped[Ballot] = mapped_column(choice(Ballot))
    status: Mapped[MotionStatus] = mapped_column(choice(MotionStatus))
    # By the charter when it was put; unanimous: nobody against.
    majority_bps: Mapped[int]
    is_unanimous: Mapped[bool]
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    yes_count: Mapped[int] = mapped_column(default=0)
    no_count: Mapped[int] = mapped_column(default=0)
    abstain_count: Mapped[int] = mapped_column(default=0)
    proposed_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    counted_on: Mapped[date | None]
    created_at: Mapped[Instant]


class MotionVoter(Base):
    """Somebody has voted on a motion: once. Which way, only if the ballot is open.

    The key is the pair itself: no number and no time that would tell in which order they came.
    """

    __tablename__ = "motion_voters"

    motion_id: Mapped[int] = mapped_column(BigId, ForeignKey("motions.id"), primary_key=True)
    member_id: Mapped[int] = mapped_column(BigId, ForeignKey("members.id"), primary_key=True)


class MotionVote(Base):
    """One vote of an open ballot, and whose hand it was."""

    __tablename__ = "motion_votes"

    motion_id: Mapped[int] = mapped_column(BigId, ForeignKey("motions.id"), primary_key=True)
    member_id: Mapped[int] = mapped_column(BigId, ForeignKey("members.id"), primary_key=True)
    choice: Mapped[Choice] = mapped_column(choice(Choice))
    cast_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))


class PeerReport(Base):
    """What a member reported of another. Who it was is for the case's own officer to read.

    It has the Monday of its week and no other time.
    """

    __tablename__ = "peer_reports"
    __table_args__ = (
        UniqueConstraint("event_id"),
        CheckConstraint("reporter_id <> member_id", name="of_somebody_else"),
        Index("ix_peer_reports_reporter_id", "reporter_id", "community_id", "week_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rpt")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    reporter_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    text: Mapped[str] = mapped_column(String(2000))
    week_on: Mapped[date]
    event_id: Mapped[int] = mapped_column(ForeignKey("risk_events.id"))


class VisitStatus(StrEnum):
    ASSIGNED = "assigned"
    DONE = "done"


class VisitRound(Base):
    """One drawing of who visits whom in a group: from its seed and inputs it can be drawn again."""

    __tablename__ = "visit_rounds"
    __table_args__ = (
        UniqueConstraint("group_id", "number"),
        CheckConstraint("due_on >= drawn_on", name="due_after_it_is_drawn"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("vro")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    number: Mapped[int]
    purpose: Mapped[Purpose] = mapped_column(choice(Purpose))
    seed: Mapped[int] = mapped_column(BigId)
    # What it was drawn from: members with their households, and whom each visited last.
    inputs: Mapped[dict[str, Any]] = mapped_column(JSON)
    drawn_on: Mapped[date]
    due_on: Mapped[date]
    drawn_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class Visit(Base):
    """One member's visit to another (互查): what was asked, seen and answered."""

    __tablename__ = "visits"
    __table_args__ = (
        # In a round everybody goes to one and is gone to by one.
        UniqueConstraint("round_id", "visitor_id"),
        UniqueConstraint("round_id", "visited_id"),
        CheckConstraint("visitor_id <> visited_id", name="to_somebody_else"),
        CheckConstraint(
            "(status = 'done') = (done_on IS NOT NULL)"
            " AND (status = 'done') = (answers IS NOT NULL)",
            name="done_is_answered",
        ),
        CheckConstraint(
            "(latitude_micro IS NULL) = (longitude_micro IS NULL)"
            " AND latitude_micro BETWEEN -90000000 AND 90000000"
            " AND longitude_micro BETWEEN -180000000 AND 180000000",
            name="somewhere_on_earth",
        ),
        Index("ix_visits_visitor_id", "visitor_id", "status"),
        Index("ix_visits_visited_id", "visited_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("vis")
    )
    round_id: Mapped[int] = mapped_column(ForeignKey("visit_rounds.id"))
    visitor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    visited_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    status: Mapped[VisitStatus] = mapped_column(choice(VisitStatus))
    answers: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    note: Mapped[Text500]
    # If the visitor gives them: where, in millionths of a degree, and when.
    latitude_micro: Mapped[int | None]
    longitude_micro: Mapped[int | None]
    seen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    done_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)


class VisitPhoto(Base):
    """A photo of a visit, with the hash of its bytes. Never changed."""

    __tablename__ = "visit_photos"
    __table_args__ = (
        UniqueConstraint("visit_id", "number"),
        UniqueConstraint("visit_id", "sha256"),
        CheckConstraint("size_bytes > 0", name="is_something"),
        Index("ix_visit_photos_sha256", "sha256"),
    )

    id: Mapped[Key]
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"))
    number: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    # The same picture was there before, at another visit: worth a question.
    seen_before: Mapped[bool]
    added_at: Mapped[Instant]


class EvidenceKind(StrEnum):
    INVOICE = "invoice"
    PHOTO = "photo"
    VISIT = "visit"
    SEEN = "seen"


class UseEvidence(Base):
    """What shows that money was used as was said, and for how much of it. Never changed."""

    __tablename__ = "use_evidence"
    __table_args__ = (
        UniqueConstraint("use_id", "number"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint("(kind = 'visit') = (visit_id IS NOT NULL)", name="visits_are_named"),
    )

    id: Mapped[Key]
    use_id: Mapped[int] = mapped_column(ForeignKey("loan_uses.id"))
    number: Mapped[int]
    kind: Mapped[EvidenceKind] = mapped_column(choice(EvidenceKind))
    amount_minor: Mapped[Minor]
    # The invoice's number, the photo's hash, who was asked.
    reference: Mapped[Text120]
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visits.id"))
    verified_on: Mapped[date]
    verified_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class Promise(Base):
    """A borrower's word to pay so much by a day; receipts say if it was kept. Never changed."""

    __tablename__ = "promises"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint("promised_on >= made_on", name="promised_for_later"),
        Index("ix_promises_loan_id", "loan_id"),
        Index("ix_promises_promised_on", "community_id", "promised_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("prm")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    amount_minor: Mapped[Minor]
    promised_on: Mapped[date]
    made_on: Mapped[date]
    noted_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


KEPT: tuple[type[Base], ...] = (
    RiskEvent,
    RiskEventPerson,
    CaseAction,
    MotionVoter,
    MotionVote,
    PeerReport,
    VisitPhoto,
    UseEvidence,
    Promise,
)
# What may be taken out of the past when somebody is erased or its time is over: words and pictures.
MAY_BE_EMPTIED: dict[type[Base], str] = {
    CaseAction: "text",
    PeerReport: "text",
    VisitPhoto: "content",
}
for _model in KEPT:
    keep_history(table_of(_model), may_empty=MAY_BE_EMPTIED.get(_model, ""))
