"""What the desk shows: runs, circles, how they changed in a week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, aliased, defer

from community.communities.models import Charter
from community.loans.models import Loan
from community.members.models import Member
from community.risk.errors import CircleNotFound, RiskRunNotFound
from community.risk.models import (
    CircleName,
    RiskCircle,
    RiskCircleMember,
    RiskRun,
    StressCall,
    StressDraw,
    StressMember,
    StressTest,
)
from community.risk.service import last_run
from community.trust.snapshot import parts

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different from the last run a week or more before."""

    since_run: RiskRun
    # None: the circle had no such name then.
    before: RiskCircle | None
    joined: tuple[int, ...]
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CircleFile:
    """One circle at one run, with its members and its change."""

    run: RiskRun
    charter_version: int
    name: CircleName
    circle: RiskCircle
    members: tuple[RiskCircleMember, ...]
    people: dict[int, Member]
    change: Change | None


def get_last_run(session: Session, community_id: int) -> RiskRun:
    """The latest search. Raises RiskRunNotFound."""
    run = last_run(session, community_id)
    if run is None:
        raise RiskRunNotFound("Nobody has looked for circles here yet.")
    return run


def get_run(session: Session, public_id: str) -> RiskRun:
    """The search of this public id. Raises RiskRunNotFound."""
    run = session.scalar(select(RiskRun).where(RiskRun.public_id == public_id))
    if run is None:
        raise RiskRunNotFound()
    return run


def runs_of(community_id: int) -> Select[RiskRun]:
    """All searches of a community."""
    return select(RiskRun).where(RiskRun.community_id == community_id)


def get_name(session: Session, public_id: str) -> CircleName:
    """The circle's name of this public id. Raises CircleNotFound."""
    name = session.scalar(select(CircleName).where(CircleName.public_id == public_id))
    if name is None:
        raise CircleNotFound()
    return name


def charter_version(session: Session, run: RiskRun) -> int:
    """The version of the charter by which a search was made."""
    return version_of(session, run.charter_id)


def circles_of(
    session: Session, run: RiskRun, *, least_rank: int = 0, limit: int
) -> list[tuple[RiskCircle, CircleName]]:
    """Circles of a run from the most costly on."""
    rows = session.execute(
        select(RiskCircle, CircleName)
        .join(CircleName, CircleName.id == RiskCircle.name_id)
        .where(RiskCircle.run_id == run.id, RiskCircle.rank > least_rank)
        .order_by(RiskCircle.rank)
        .limit(limit)
    )
    return [(circle, name) for circle, name in rows]


def circle_file(session: Session, name: CircleName, run: RiskRun | None = None) -> CircleFile:
    """A circle as the given run saw it, or the last that did. Raises CircleNotFound."""
    query = (
        select(RiskCircle, RiskRun)
        .join(RiskRun, RiskRun.id == RiskCircle.run_id)
        .where(RiskCircle.name_id == name.id)
        .order_by(RiskRun.number.desc())
        .limit(1)
    )
    if run is not None:
        query = query.where(RiskCircle.run_id == run.id)
    found = session.execute(query).first()
    if found is None:
        raise CircleNotFound()
    circle, seen = found
    members = members_of(session, [circle.id])[circle.id]
    change = changes_since(session, seen, [(circle, members)])[circle.id]
    named = {member.member_id for member in members} | named_in(circle)
    if change is not None:
        named |= {*change.joined, *change.left}
    return CircleFile(
        seen,
        charter_version(session, seen),
        name,
        circle,
        tuple(members),
        people(session, named),
        change,
    )


def members_of(session: Session, circle_ids: Sequence[int]) -> dict[int, list[RiskCircleMember]]:
    """The members of circles, those who would pay most first."""
    found: dict[int, list[RiskCircleMember]] = {circle_id: [] for circle_id in circle_ids}
    for part in parts(circle_ids):
        rows = session.scalars(
            select(RiskCircleMember)
            .where(RiskCircleMember.circle_id.in_(part))
            .order_by(
                RiskCircleMember.circle_id,
                RiskCircleMember.worst_paid_minor.desc(),
                RiskCircleMember.member_id,
            )
        )
        for row in rows:
            found[row.circle_id].append(row)
    return found


def changes_since(
    session: Session,
    run: RiskRun,
    circles: Sequence[tuple[RiskCircle, Sequence[RiskCircleMember]]],
) -> dict[int, Change | None]:
    """By circle: what is different from the last run at least a week older; None without one."""
    old = session.scalar(
        select(RiskRun)
        .where(
            RiskRun.community_id == run.community_id,
            RiskRun.number < run.number,
            RiskRun.on_day <= run.on_day - WEEK,
        )
        .order_by(RiskRun.number.desc())
        .limit(1)
    )
    if old is None:
        return {circle.id: None for circle, _ in circles}
    rows = session.scalars(
        select(RiskCircle).where(
            RiskCircle.run_id == old.id,
            RiskCircle.name_id.in_([circle.name_id for circle, _ in circles]),
        )
    )
    before = {row.name_id: row for row in rows}
    had = members_of(session, [row.id for row in before.values()])
    found: dict[int, Change | None] = {}
    for circle, members in circles:
        then = before.get(circle.name_id)
        now_in = {member.member_id for member in members}
        was_in = set() if then is None else {member.member_id for member in had[then.id]}
        found[circle.id] = Change(
            old,
            then,
            tuple(sorted(now_in - was_in)) if then is not None else (),
            tuple(sorted(was_in - now_in)),
        )
    return found


def history_of(
    session: Session, name: CircleName, *, limit: int
) -> list[tuple[RiskRun, RiskCircle]]:
    """A circle by week, newest first: as the last search of each week that knew it saw it."""
    rows = session.execute(
        select(RiskRun, RiskCircle)
        .join(RiskCircle, RiskCircle.run_id == RiskRun.id)
        .where(RiskCircle.name_id == name.id)
        .options(defer(RiskCircle.reasons), defer(RiskCircle.actions))
        .order_by(RiskRun.number.desc())
        # A search a day: weeks of seven.
        .limit(limit * 7)
    )
    weeks: dict[tuple[int, int], tuple[RiskRun, RiskCircle]] = {}
    for run, circle in rows:
        year, week, _ = run.on_day.isocalendar()
        weeks.setdefault((year, week), (run, circle))
    return list(weeks.values())[:limit]


def people(session: Session, ids: Iterable[int]) -> dict[int, Member]:
    """Members by id."""
    found: dict[int, Member] = {}
    for part in parts(ids):
        found |= {m.id: m for m in session.scalars(select(Member).where(Member.id.in_(part)))}
    return found


def ended_names(session: Session, run: RiskRun) -> list[CircleName]:
    """Names that the run before had and this one has not: circles that came apart or merged."""
    before = session.scalar(
        select(RiskRun.id).where(
            RiskRun.community_id == run.community_id, RiskRun.number == run.number - 1
        )
    )
    here = select(RiskCircle.name_id).where(RiskCircle.run_id == run.id)
    return list(
        session.scalars(
            select(CircleName)
            .join(
                RiskCircle,
                and_(RiskCircle.name_id == CircleName.id, RiskCircle.run_id == before),
            )
            .where(CircleName.id.not_in(here))
            .order_by(CircleName.number)
        )
    )


def new_names(session: Session, run: RiskRun) -> int:
    """How many circles a run saw for the first time."""
    return (
        session.scalar(
            select(func.count()).select_from(CircleName).where(CircleName.first_run_id == run.id)
        )
        or 0
    )


def named_in(circle: RiskCircle) -> set[int]:
    """Members whom a circle's reasons and suggestions name."""
    facts: list[dict[str, Any]] = [*circle.reasons, *circle.actions]
    return {fact["member_id"] for fact in facts if fact.get("member_id") is not None}


def version_of(session: Session, charter_id: int) -> int:
    """A charter's version."""
    return session.get_one(Charter, charter_id).version


def stress_tests_of(community_id: int) -> Select[StressTest]:
    """All stress tests of a community."""
    return select(StressTest).where(StressTest.community_id == community_id)


def stress_members(
    session: Session, test: StressTest, *, limit: int | None
) -> list[tuple[StressMember, Member]]:
    """Whom a test touches, those who would pay most first."""
    rows = session.execute(
        select(StressMember, Member)
        .join(Member, Member.id == StressMember.member_id)
        .where(StressMember.test_id == test.id)
        .order_by(
            StressMember.paid_sum_minor.desc(),
            StressMember.ruined_draws.desc(),
            StressMember.member_id,
        )
        .limit(limit)
    )
    return [(row, who) for row, who in rows]


def stress_draws(session: Session, test: StressTest) -> list[StressDraw]:
    """What every draw came to."""
    return list(
        session.scalars(
            select(StressDraw).where(StressDraw.test_id == test.id).order_by(StressDraw.number)
        )
    )


def stress_calls(
    session: Session, test: StressTest, *, after: int, limit: int
) -> tuple[list[tuple[StressCall, str, Member, Member | None]], bool]:
    """Calls of the worst draw from a number on, and whether more follow."""
    guarantor, other = aliased(Member), aliased(Member)
    rows = session.execute(
        select(StressCall, Loan.public_id, guarantor, other)
        .join(Loan, Loan.id == StressCall.loan_id)
        .join(guarantor, guarantor.id == StressCall.guarantor_id)
        .outerjoin(other, other.id == StressCall.for_guarantor_id)
        .where(StressCall.test_id == test.id, StressCall.number > after)
        .order_by(StressCall.number)
        .limit(limit + 1)
    ).all()
    return [(call, loan, who, whose) for call, loan, who, whose in rows[:limit]], len(rows) > limit
