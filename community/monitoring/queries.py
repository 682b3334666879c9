"""Reading cases: each list is for one kind of reader, and none of them is a list of debtors."""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from community.communities.charter import RiskRule, Severity
from community.monitoring.errors import CaseNotFound
from community.monitoring.models import (
    CaseAction,
    CaseStatus,
    RiskCase,
    RiskEvent,
    RiskEventPerson,
)


def get_case(session: Session, public_id: str) -> RiskCase:
    """The case of this public id. Raises CaseNotFound."""
    case = session.scalar(select(RiskCase).where(RiskCase.public_id == public_id))
    if case is None:
        raise CaseNotFound()
    return case


def list_cases(
    community_id: int, *, reader_id: int, status: CaseStatus | None = None
) -> Select[RiskCase]:
    """A community's cases for who looks after it, but for what was reported about the reader.

    Page by RiskCase.list_key: their order tells nothing about when they came.
    """
    query = select(RiskCase).where(
        RiskCase.community_id == community_id, _may_be_known_to(reader_id)
    )
    return query if status is None else query.where(RiskCase.status == status)


def narrowed(
    query: Select[RiskCase],
    *,
    severity: Severity | None = None,
    rule: RiskRule | None = None,
    past_on: date | None = None,
    owner_id: int | None = None,
) -> Select[RiskCase]:
    """A list of cases narrowed down: past their deadline on a day, taken by somebody, by a rule."""
    if severity is not None:
        query = query.where(RiskCase.severity == severity)
    if rule is not None:
        found = select(RiskEvent.case_id).where(RiskEvent.rule == rule)
        query = query.where(RiskCase.id.in_(found))
    if past_on is not None:
        query = query.where(RiskCase.status == CaseStatus.OPEN, RiskCase.due_on < past_on)
    if owner_id is not None:
        query = query.where(RiskCase.owner_id == owner_id)
    return query


def most_urgent_first(query: Select[RiskCase]) -> Select[RiskCase]:
    """Open ones first, the gravest, then those whose day comes first; else in no telling order."""
    gravity = case({each: at for at, each in enumerate(Severity)}, value=RiskCase.severity)
    return query.order_by(
        RiskCase.status.desc(), gravity.desc(), RiskCase.due_on, RiskCase.list_key
    )


def count_open_cases(
    session: Session, community_ids: Iterable[int], *, reader_id: int
) -> dict[int, int]:
    """By community: how many cases its list would show as open to this reader."""
    counts: dict[int, int] = dict(
        session.execute(
            select(RiskCase.community_id, func.count())
            .where(
                RiskCase.community_id.in_(list(community_ids)),
                RiskCase.status == CaseStatus.OPEN,
                _may_be_known_to(reader_id),
            )
            .group_by(RiskCase.community_id)
        ).all()
    )
    return counts


def _may_be_known_to(reader_id: int) -> ColumnElement[bool]:
    """Nobody learns, not even by a count, that something was reported about them."""
    return and_(
        or_(
            RiskCase.is_confidential.is_(False),
            RiskCase.member_id.is_(None),
            RiskCase.member_id != reader_id,
        ),
        # What is about several people is not for those who are among them.
        RiskCase.id.not_in(
            select(RiskEvent.case_id)
            .join(RiskEventPerson, RiskEventPerson.event_id == RiskEvent.id)
            .where(RiskEventPerson.member_id == reader_id)
        ),
    )


def list_group_cases(
    group_id: int, *, reader_id: int, status: CaseStatus | None = None
) -> Select[RiskCase]:
    """What a group's leader has to answer, or had to: nothing about themselves or reported."""
    query = select(RiskCase).where(
        RiskCase.group_id == group_id,
        RiskCase.is_confidential.is_(False),
        RiskCase.member_id != reader_id,
    )
    return query if status is None else query.where(RiskCase.status == status)


def list_own_cases(member_id: int) -> Select[RiskCase]:
    """What rules found about oneself."""
    return select(RiskCase).where(
        RiskCase.member_id == member_id, RiskCase.is_confidential.is_(False)
    )


def events_of(session: Session, case_ids: Iterable[int]) -> Sequence[RiskEvent]:
    """The events of cases, oldest first."""
    return session.scalars(
        select(RiskEvent).where(RiskEvent.case_id.in_(list(case_ids))).order_by(RiskEvent.id)
    ).all()


def rules_in(session: Session, case_ids: Iterable[int]) -> dict[int, list[RiskRule]]:
    """By case: the rules that found something, in the order in which they did."""
    found: dict[int, list[RiskRule]] = {}
    for event in events_of(session, case_ids):
        known = found.setdefault(event.case_id, [])
        if event.rule not in known:
            known.append(event.rule)
    return found


def people_in(session: Session, case_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Whom cases are about that are about several people: the members that their events name."""
    found: dict[int, set[int]] = {}
    rows = session.execute(
        select(RiskEvent.case_id, RiskEventPerson.member_id)
        .join(RiskEvent, RiskEvent.id == RiskEventPerson.event_id)
        .where(RiskEvent.case_id.in_(list(case_ids)))
    )
    for case_id, member_id in rows:
        found.setdefault(case_id, set()).add(member_id)
    return {case_id: frozenset(people) for case_id, people in found.items()}


def actions_of(session: Session, case_ids: Iterable[int]) -> Sequence[CaseAction]:
    """What was done about cases, in order."""
    return session.scalars(
        select(CaseAction)
        .where(CaseAction.case_id.in_(list(case_ids)))
        .order_by(CaseAction.case_id, CaseAction.number)
    ).all()
