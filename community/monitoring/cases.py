"""From finding to answer: events open or join cases, deadlines pass, outcomes are told.

Locks: the members that events are about, then their cases, so that of two who find something about
one member at the same time the second joins the first one's case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities import queries as communities
from community.communities.charter import (
    REPORT_RULES,
    CharterRules,
    RiskRule,
    Severity,
    severity_of,
)
from community.communities.models import Community
from community.communities.queries import CharterInForce
from community.errors import Invalid
from community.groups import queries as groups
from community.groups.models import Group, GroupMember, GroupStatus
from community.ledger.events import record_event
from community.locks import lock, lock_one, lock_where
from community.members.models import Member
from community.monitoring.errors import CaseClosed, NotTheCaseOfficer, ReporterCannotJudge
from community.monitoring.models import (
    BY_HAND,
    ActionKind,
    CaseAction,
    CaseOutcome,
    CaseRole,
    CaseStatus,
    PeerReport,
    RiskCase,
    RiskEvent,
    RiskEventPerson,
)
from community.monitoring.signals import FINDERS, Looking, Signal, find_signals

_LADDER = tuple(CaseRole)
_STEPS = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of findings: new events, the cases that they opened, and how many are left."""

    events: tuple[RiskEvent, ...] = ()
    opened: int = 0
    joined: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """What one portion of a day's watch did."""

    raised: Raised = Raised()
    escalated: int = 0
    is_done: bool = True


def switched_on(rules: CharterRules) -> frozenset[RiskRule]:
    """The rules that stand under a severity."""
    return frozenset(rule for rule in RiskRule if severity_of(rules, rule) is not None)


def watch(session: Session, *, community_id: int, on: date, now: datetime, limit: int) -> Watched:
    """A portion of the day's watch: what the rules find becomes events, missed deadlines escalate.

    Repeatable: a finding that is an event already, and a deadline that has moved, change nothing.
    """
    charter_row = communities.find_charter(session, community_id, on)
    if charter_row is None:
        return Watched()
    charter = communities.charter_on(session, community_id, on)
    community = communities.get_community_by_id(session, community_id)
    looking = Looking(session, community, charter.rules, on, today=True)
    signals = find_signals(looking, switched_on(charter.rules) & FINDERS.keys())
    raised = raise_events(
        session,
        community_id=community_id,
        signals=signals,
        charter=charter,
        on=on,
        now=now,
        limit=limit,
    )
    if raised.left:
        return Watched(raised, is_done=False)
    late = _past_deadline(session, community_id, on, limit)
    escalated = _escalate(session, late, charter.rules, on, now)
    return Watched(raised, escalated, is_done=len(late) < limit)


def raise_events(
    session: Session,
    *,
    community_id: int,
    signals: Sequence[Signal],
    charter: CharterInForce,
    on: date,
    now: datetime,
    limit: int | None = None,
) -> Raised:
    """Findings of rules that are on become events, once each, and open or join cases.

    The door for rooms above too: a signal of theirs with a name of its own. Locks the members and
    their open cases. At most `limit` are dealt with; the rest is counted.
    """
    signals = [s for s in signals if severity_of(charter.rules, s.rule) or s.rule in REPORT_RULES]
    known = _known(session, community_id, signals)
    fresh = list({(s.rule, s.finding): s for s in signals}.values())
    fresh = [s for s in fresh if (s.rule, s.finding) not in known]
    now_dealt, left = fresh[:limit], len(fresh[limit:]) if limit is not None else 0
    if not now_dealt:
        return Raised()
    about = {s.member_id for s in now_dealt}
    people = {member_id for s in now_dealt for member_id in s.people}
    lock(session, Member, [member_id for member_id in about | people if member_id is not None])
    if any(s.subject for s in now_dealt):
        # Subjects are no rows: of two who find the same, the second waits here.
        lock_one(session, Community, community_id)
    # Somebody else may have found the same before we held the members.
    known = _known(session, community_id, now_dealt)
    now_dealt = [s for s in now_dealt if (s.rule, s.finding) not in known]
    subjects = {s.subject for s in now_dealt if s.subject is not None}
    open_cases = _open_cases(session, community_id, about, subjects)
    places = _groups_of(session, community_id, about)
    numbers = _action_counts(session, [case.id for case in open_cases.values()])
    events, opened, joined = [], 0, 0
    for signal in now_dealt:
        secret = signal.rule in REPORT_RULES
        severity = _worse(severity_of(charter.rules, signal.rule) or Severity.HIGH, signal.worse)
        found_on, written_at = (week_of(on), _coarse(on)) if secret else (signal.on, now)
        place = (signal.member_id or 0, secret, signal.subject)
        case = open_cases.get(place)
        if case is None:
            case = _open(
                session,
                community_id,
                signal,
                severity,
                None if secret else places.get(signal.member_id or 0),
                charter.rules,
                found_on,
                written_at,
            )
            open_cases[place] = case
            numbers[case.id] = 0
            opened += 1
            kind = ActionKind.OPENED
        else:
            _join(case, signal, severity, charter.rules, found_on)
            joined += 1
            kind = ActionKind.JOINED
        events.append(
            RiskEvent(
                community_id=community_id,
                rule=signal.rule,
                finding=signal.finding,
                severity=severity,
                member_id=signal.member_id,
                loan_id=signal.loan_id,
                found_on=found_on,
                facts=signal.facts,
                charter_id=charter.charter_id,
                case_id=case.id,
                recorded_at=written_at,
            )
        )
        numbers[case.id] += 1
        session.add(
            CaseAction(
                case_id=case.id,
                number=numbers[case.id],
                kind=kind,
                acted_on=found_on,
                text=signal.rule.value,
                actor_id=None,
                recorded_at=written_at,
            )
        )
        if kind is ActionKind.OPENED and not secret:
            # What members reported is not chained when it comes: the hour would tell who.
            _record(session, case, "case.opened", None, now, {"rule": signal.rule.value})
    session.add_all(events)
    session.flush()  # the constraint on findings has the last word
    session.add_all(
        RiskEventPerson(event_id=event.id, member_id=member_id)
        for event, signal in zip(events, now_dealt, strict=True)
        for member_id in sorted(set(signal.people))
    )
    session.flush()  # whoever reads next has to see whom they are about
    return Raised(tuple(events), opened, joined, left)


def act(
    session: Session,
    *,
    case_id: int,
    kind: ActionKind,
    text: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> RiskCase:
    """Somebody writes down what they did. Raises CaseClosed, NotTheCaseOfficer, Invalid."""
    if kind not in BY_HAND:
        raise Invalid("Choose what people do: " + ", ".join(BY_HAND) + ".", field="kind")
    case = _locked_open(session, case_id)
    _only_its_officer(case, actor_id)
    _add_action(session, case, kind, text, on, now, actor_id)
    case.version += 1
    return case


def take(session: Session, *, case_id: int, on: date, now: datetime, actor_id: int) -> RiskCase:
    """An officer or operator makes a case their own, from whoever had it. Raises CaseClosed."""
    case = _locked_open(session, case_id)
    if case.owner_id == actor_id:
        return case
    if case.is_confidential and _has_reported(session, case, actor_id):
        raise ReporterCannotJudge()
    case.owner_id = actor_id
    if case.owner_role is CaseRole.LEADER:
        case.owner_role = CaseRole.OFFICER
    case.version += 1
    _add_action(session, case, ActionKind.TAKEN, "", on, now, actor_id)
    _record(session, case, "case.taken", actor_id, now, {})
    return case


def close(
    session: Session,
    *,
    case_id: int,
    outcome: CaseOutcome,
    text: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> RiskCase:
    """What it was in the end; every rule that found it is measured by this. Raises CaseClosed."""
    case = _locked_open(session, case_id)
    _only_its_officer(case, actor_id)
    case.status, case.outcome, case.closed_on = CaseStatus.CLOSED, outcome, on
    case.version += 1
    _add_action(session, case, ActionKind.CLOSED, text, on, now, actor_id)
    _record(session, case, "case.closed", actor_id, now, {"outcome": outcome.value})
    return case


def _open(
    session: Session,
    community_id: int,
    signal: Signal,
    severity: Severity,
    group: Group | None,
    rules: CharterRules,
    on: date,
    now: datetime,
) -> RiskCase:
    secret = signal.rule in REPORT_RULES
    leader = None if group is None else groups.is_led_by(group, on)
    by_leader = signal.rule in rules.risk_leader_rules and leader not in (None, signal.member_id)
    case = RiskCase(
        community_id=community_id,
        member_id=signal.member_id,
        subject=signal.subject,
        group_id=None if group is None else group.id,
        is_confidential=secret,
        status=CaseStatus.OPEN,
        severity=severity,
        owner_role=CaseRole.LEADER if by_leader else CaseRole.OFFICER,
        opened_on=on,
        due_on=_deadline(on, severity, rules, secret),
        version=1,
        created_at=now,
    )
    session.add(case)
    session.flush()  # its events and actions name it
    return case


def _join(
    case: RiskCase, signal: Signal, severity: Severity, rules: CharterRules, on: date
) -> None:
    """A worse event makes the case worse, and its deadline earlier, never later."""
    if _STEPS.index(severity) > _STEPS.index(case.severity):
        case.severity = severity
        sooner = _deadline(on, severity, rules, case.is_confidential)
        case.due_on = min(case.due_on, sooner)
    if case.owner_role is CaseRole.LEADER and signal.rule not in rules.risk_leader_rules:
        case.owner_role = CaseRole.OFFICER
    case.version += 1


def _escalate(
    session: Session, late: Sequence[int], rules: CharterRules, on: date, now: datetime
) -> int:
    cases = lock(session, RiskCase, late)
    done = 0
    for case in cases.values():
        if case.status is not CaseStatus.OPEN or case.due_on >= on:
            continue
        above = _LADDER[_LADDER.index(case.owner_role) + 1]
        case.owner_role, case.owner_id = above, None
        case.due_on = on + timedelta(days=_days(case.severity, rules))
        case.version += 1
        _add_action(session, case, ActionKind.ESCALATED, above.value, on, now, None)
        _record(session, case, "case.escalated", None, now, {"to": above.value})
        done += 1
    return done


def _past_deadline(session: Session, community_id: int, on: date, limit: int) -> list[int]:
    """Open cases whose day has passed and above whom somebody else is still to be asked."""
    return list(
        session.scalars(
            select(RiskCase.id)
            .where(
                RiskCase.community_id == community_id,
                RiskCase.status == CaseStatus.OPEN,
                RiskCase.due_on < on,
                RiskCase.owner_role != _LADDER[-1],
            )
            .order_by(RiskCase.id)
            .limit(limit)
        )
    )


def _deadline(on: date, severity: Severity, rules: CharterRules, secret: bool) -> date:
    # A confidential case's day is a week's Monday: its days to answer begin when the week is over.
    return on + timedelta(days=_days(severity, rules) + (7 if secret else 0))


def _days(severity: Severity, rules: CharterRules) -> int:
    return rules.risk_case_days[_STEPS.index(severity)]


def _worse(severity: Severity, steps: int) -> Severity:
    return _STEPS[min(_STEPS.index(severity) + steps, len(_STEPS) - 1)]


def week_of(on: date) -> date:
    """The Monday of a day's week: the only time that a report has."""
    return on - timedelta(days=on.weekday())


def _coarse(on: date) -> datetime:
    return datetime.combine(week_of(on), time(), UTC)


def _known(
    session: Session, community_id: int, signals: Iterable[Signal]
) -> set[tuple[RiskRule, str]]:
    rows = select_by(
        session,
        select(RiskEvent.rule, RiskEvent.finding).where(RiskEvent.community_id == community_id),
        RiskEvent.finding,
        {signal.finding for signal in signals},
    )
    return {(rule, finding) for rule, finding in rows}


def _open_cases(
    session: Session,
    community_id: int,
    member_ids: Iterable[int | None],
    subjects: Iterable[str],
) -> dict[tuple[int, bool, str | None], RiskCase]:
    about = {member_id or 0 for member_id in member_ids}
    rows = lock_where(
        session,
        RiskCase,
        (RiskCase.community_id == community_id)
        & (RiskCase.status == CaseStatus.OPEN)
        & or_(
            RiskCase.subject.is_(None) & func.coalesce(RiskCase.member_id, 0).in_(sorted(about)),
            RiskCase.subject.in_(sorted(subjects)),
        ),
    )
    return {
        (case.member_id or 0, case.is_confidential, case.subject): case for case in rows.values()
    }


def _groups_of(
    session: Session, community_id: int, member_ids: Iterable[int | None]
) -> dict[int, Group]:
    """The active group in which each member stands, the oldest if there are two."""
    rows = session.execute(
        select(GroupMember.member_id, Group)
        .join(Group, Group.id == GroupMember.group_id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            GroupMember.status.in_(groups.LIVING),
            GroupMember.member_id.in_(sorted(m for m in member_ids if m is not None)),
        )
        .order_by(Group.id.desc())
    )
    return {row[0]: row[1] for row in rows}


def _action_counts(session: Session, case_ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(CaseAction.case_id, func.max(CaseAction.number))
        .where(CaseAction.case_id.in_(case_ids))
        .group_by(CaseAction.case_id)
    )
    return dict.fromkeys(case_ids, 0) | {row[0]: row[1] for row in rows}


def _only_its_officer(case: RiskCase, actor_id: int) -> None:
    """What members reported is dealt with by who has taken it, and by nobody else."""
    if case.is_confidential and case.owner_id != actor_id:
        raise NotTheCaseOfficer()


def _has_reported(session: Session, case: RiskCase, member_id: int) -> bool:
    found = session.scalar(
        select(PeerReport.id)
        .join(RiskEvent, RiskEvent.id == PeerReport.event_id)
        .where(RiskEvent.case_id == case.id, PeerReport.reporter_id == member_id)
        .limit(1)
    )
    return found is not None


def _locked_open(session: Session, case_id: int) -> RiskCase:
    case = lock_one(session, RiskCase, case_id)
    if case.status is CaseStatus.CLOSED:
        raise CaseClosed(outcome=case.outcome.value if case.outcome else None)
    return case


def _add_action(
    session: Session,
    case: RiskCase,
    kind: ActionKind,
    text: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    number = _action_counts(session, [case.id])[case.id] + 1
    session.add(
        CaseAction(
            case_id=case.id,
            number=number,
            kind=kind,
            acted_on=on,
            text=text,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    session.flush()  # the next one counts it


def _record(
    session: Session,
    case: RiskCase,
    kind: str,
    actor_id: int | None,
    now: datetime,
    facts: dict[str, str],
) -> None:
    record_event(
        session,
        community_id=case.community_id,
        kind=kind,
        subject=case.public_id,
        actor_id=actor_id,
        now=now,
        facts={"severity": case.severity.value, **facts},
    )
