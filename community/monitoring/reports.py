"""Peer reports (同伴报告): heard in the same request, and nobody can tell from whom.

A report opens or joins a confidential case at once. What is kept of its time is the Monday of its
week: on the report, the event, the case and its actions alike. Nothing is chained when it comes.
How reliable a reporter is, is learnt from the outcomes of the cases that they reported to, and told
to the case's own officer alone.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import REPORT_RULES, CharterRules, RiskRule
from community.database import new_public_id
from community.errors import Invalid
from community.ledger.events import record_event
from community.locks import lock, lock_one
from community.members.errors import MemberNotFound
from community.members.models import Member
from community.monitoring import cases
from community.monitoring.errors import NotTheCaseOfficer, ReportsExhausted
from community.monitoring.models import RIGHT, CaseOutcome, PeerReport, RiskCase, RiskEvent
from community.monitoring.signals import Signal


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a reporter's earlier reports turned out, with the charter's prior."""

    right: int
    wrong: int
    # The mean of the beta distribution: (right + prior right) ÷ (all + both priors), rounded down.
    believed_bps: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One report as the case's own officer reads it."""

    report: PeerReport
    rule: RiskRule
    reliability: Reliability


@dataclass(frozen=True, slots=True)
class Reading:
    """All reports of a case, and how likely at least one of their reporters is right."""

    reports: tuple[Heard, ...]
    believed_bps: int


def report(
    session: Session,
    *,
    community_id: int,
    reporter_id: int,
    member_id: int,
    kind: RiskRule,
    text: str,
    on: date,
    now: datetime,
) -> None:
    """A member says what they see. Answers nothing: whoever reports learns nothing of the case.

    Locks both members. Raises NotAMember (the reporter), MemberNotFound (whoever it is about is not
    of this community), ReportsExhausted, Invalid.
    """
    if kind not in REPORT_RULES:
        raise Invalid("Choose what members report.", field="kind")
    if reporter_id == member_id:
        raise Invalid("Speak to an officer about yourself.", field="member")
    lock(session, Member, [reporter_id, member_id])
    communities.require_active(session, community_id=community_id, member_id=reporter_id)
    if communities.find_membership(session, community_id=community_id, member_id=member_id) is None:
        raise MemberNotFound()
    charter = communities.charter_on(session, community_id, on)
    _check_flood(session, community_id, reporter_id, charter.rules, on)
    public_id = new_public_id("rpt")
    raised = cases.raise_events(
        session,
        community_id=community_id,
        signals=[Signal(kind, on, public_id, member_id)],
        charter=charter,
        on=on,
        now=now,
    )
    session.add(
        PeerReport(
            public_id=public_id,
            community_id=community_id,
            reporter_id=reporter_id,
            member_id=member_id,
            text=text,
            week_on=cases.week_of(on),
            event_id=raised.events[0].id,
        )
    )


def read_reports(
    session: Session, *, case_id: int, on: date, now: datetime, actor_id: int
) -> Reading:
    """Who reported and what, for the officer who has taken the case; that they read it is chained.

    In the order of the reports' random names. Raises NotTheCaseOfficer.
    """
    case = lock_one(session, RiskCase, case_id)
    if case.owner_id != actor_id:
        raise NotTheCaseOfficer()
    rules = communities.charter_on(session, case.community_id, on).rules
    rows = session.execute(
        select(PeerReport, RiskEvent.rule)
        .join(RiskEvent, RiskEvent.id == PeerReport.event_id)
        .where(RiskEvent.case_id == case.id)
        .order_by(PeerReport.public_id)
    ).all()
    people = {row[0].reporter_id for row in rows}
    known = {person: reliability(session, case.community_id, person, rules) for person in people}
    record_event(
        session,
        community_id=case.community_id,
        kind="case.reports_read",
        subject=case.public_id,
        actor_id=actor_id,
        now=now,
        facts={"reports": len(rows)},
    )
    doubt = 10_000
    for one in known.values():
        # Exact in whole numbers, rounded down at each step: belief is never shown too small.
        doubt = doubt * (10_000 - one.believed_bps) // 10_000
    heard = tuple(Heard(row[0], row[1], known[row[0].reporter_id]) for row in rows)
    return Reading(heard, 10_000 - doubt if heard else 0)


def reliability(
    session: Session, community_id: int, reporter_id: int, rules: CharterRules
) -> Reliability:
    """How a reporter's reports turned out so far: each case counts once, undecided ones do not."""
    outcomes = dict(
        session.execute(
            select(RiskCase.outcome, func.count(RiskCase.id.distinct()))
            .join(RiskEvent, RiskEvent.case_id == RiskCase.id)
            .join(PeerReport, PeerReport.event_id == RiskEvent.id)
            .where(
                PeerReport.community_id == community_id,
                PeerReport.reporter_id == reporter_id,
                RiskCase.outcome.is_not(None),
            )
            .group_by(RiskCase.outcome)
        ).all()
    )
    right = sum(outcomes.get(outcome, 0) for outcome in RIGHT)
    wrong = outcomes.get(CaseOutcome.FALSE_ALARM, 0)
    return Reliability(right, wrong, believed_bps(right, wrong, rules))


def believed_bps(right: int, wrong: int, rules: CharterRules) -> int:
    """The mean of beta(prior right + right, prior wrong + wrong), in ten-thousandths, rounded down.

    With the template's prior of 2 and 1: two of three before anything is known.
    """
    prior_right, prior_wrong = rules.report_prior
    return (prior_right + right) * 10_000 // (prior_right + prior_wrong + right + wrong)


def _check_flood(
    session: Session, community_id: int, reporter_id: int, rules: CharterRules, on: date
) -> None:
    # By weeks, as reports have no other time: the span is at least the charter's.
    since = cases.week_of(on - timedelta(days=rules.report_span_days))
    sent = session.scalar(
        select(func.count())
        .select_from(PeerReport)
        .where(
            PeerReport.reporter_id == reporter_id,
            PeerReport.community_id == community_id,
            PeerReport.week_on >= since,
        )
    )
    if (sent or 0) >= rules.reports_per_span_max:
        raise ReportsExhausted(
            f"The charter admits {rules.reports_per_span_max} reports within "
            f"{rules.report_span_days} days.",
            reports_max=rules.reports_per_span_max,
            span_days=rules.report_span_days,
        )
