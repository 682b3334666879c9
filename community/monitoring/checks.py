"""Proving what monitoring promises: ballots sum, meetings are counted, reports are kept apart."""

from collections.abc import Iterator

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from community.communities.charter import REPORT_RULES
from community.ledger.checks import Breach
from community.loans.models import Loan, LoanUse
from community.monitoring.models import (
    Attendance,
    AttendanceKind,
    Ballot,
    Meeting,
    MeetingStatus,
    Motion,
    MotionVote,
    MotionVoter,
    PeerReport,
    RiskCase,
    RiskEvent,
    UseEvidence,
)


def check_monitoring(session: Session) -> Iterator[Breach]:
    """Every ballot, closed meeting and report is what its rows say."""
    yield from _ballots_sum(session)
    yield from _meetings_are_counted(session)
    yield from _reports_are_kept_apart(session)
    yield from _uses_sum(session)


def _ballots_sum(session: Session) -> Iterator[Breach]:
    """Law 6: each voter is one vote; a secret ballot has no row of one."""
    voters = (
        select(func.count())
        .select_from(MotionVoter)
        .where(MotionVoter.motion_id == Motion.id)
        .correlate(Motion)
        .scalar_subquery()
    )
    votes = (
        select(func.count())
        .select_from(MotionVote)
        .where(MotionVote.motion_id == Motion.id)
        .correlate(Motion)
        .scalar_subquery()
    )
    kept = case((Motion.ballot == Ballot.OPEN, voters), else_=0)
    sums = Motion.yes_count + Motion.no_count + Motion.abstain_count
    rows = session.execute(
        select(Motion.public_id, sums, voters, votes)
        .where(or_(sums != voters, votes != kept))
        .order_by(Motion.id)
    )
    for public_id, counted, who, kept_votes in rows:
        what = f"counts {counted} votes of {who} voters, with {kept_votes} on record"
        yield Breach(6, "motions", public_id, what)


def _meetings_are_counted(session: Session) -> Iterator[Breach]:
    """Law 7: what a closed meeting says of a quorum follows from its lines."""
    there = (
        select(func.count())
        .select_from(Attendance)
        .where(
            Attendance.meeting_id == Meeting.id,
            Attendance.kind.in_([AttendanceKind.PRESENT, AttendanceKind.PROXY]),
        )
        .correlate(Meeting)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Meeting.public_id, Meeting.spoken_for_count, there)
        .where(Meeting.status == MeetingStatus.CLOSED, Meeting.spoken_for_count != there)
        .order_by(Meeting.id)
    )
    for public_id, said, found in rows:
        yield Breach(
            7, "meetings", public_id, f"says that {said} were there, its lines say {found}"
        )


def _reports_are_kept_apart(session: Session) -> Iterator[Breach]:
    """Law 9, as far as rows show it: what was reported is in cases of its own, and only that."""
    is_report = RiskEvent.rule.in_(REPORT_RULES)
    rows = session.execute(
        select(RiskEvent.public_id, RiskEvent.rule, RiskCase.public_id)
        .join(RiskCase, RiskCase.id == RiskEvent.case_id)
        .outerjoin(PeerReport, PeerReport.event_id == RiskEvent.id)
        .where(
            or_(
                and_(is_report, RiskCase.is_confidential.is_(False)),
                and_(~is_report, RiskCase.is_confidential),
                is_report != PeerReport.id.is_not(None),
                func.coalesce(RiskEvent.member_id, 0) != func.coalesce(RiskCase.member_id, 0),
            )
        )
        .order_by(RiskEvent.id)
    )
    for event, rule, place in rows:
        yield Breach(9, "risk_events", event, f"{rule} does not belong in case {place}")


def _uses_sum(session: Session) -> Iterator[Breach]:
    """Law 5: what is shown of a use is its evidence; the uses of a loan are within the loan."""
    shown = (
        select(func.coalesce(func.sum(UseEvidence.amount_minor), 0))
        .where(UseEvidence.use_id == LoanUse.id)
        .correlate(LoanUse)
        .scalar_subquery()
    )
    rows = session.execute(
        select(LoanUse.public_id, LoanUse.verified_minor, shown)
        .where(LoanUse.verified_minor != shown)
        .order_by(LoanUse.id)
    )
    for public_id, said, found in rows:
        yield Breach(5, "loan_uses", public_id, f"says {said} is shown, its evidence {found}")
    stated = func.sum(LoanUse.amount_minor)
    over = session.execute(
        select(Loan.public_id, Loan.principal_minor, stated)
        .join(LoanUse, LoanUse.loan_id == Loan.id)
        .group_by(Loan.id, Loan.public_id, Loan.principal_minor)
        .having(stated > Loan.principal_minor)
        .order_by(Loan.id)
    )
    for public_id, principal, found in over:
        yield Breach(5, "loans", public_id, f"is of {principal}, its uses sum to {found}")
