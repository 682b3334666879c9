"""Reading cases: each list is for one kind of reader, and none of them is a list of debtors."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

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
        RiskCase.community_id == community_id,
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
    return query if status is None else query.where(RiskCase.status == status)


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
