"""The risk map: the circles of a search, what is promised between them, and all the rest as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from community.members.models import Member
from community.risk.models import (
    CircleName,
    RiskCircle,
    RiskCircleMember,
    RiskRun,
)
from community.risk.queries import (
    Change,
    changes_since,
    circles_of,
    members_of,
    named_in,
    people,
)
from community.trust.models import Vouch, VouchStatus
from community.trust.snapshot import parts

# Ranks that stand for what is not drawn by itself: members of no circle, and all other circles.
OUTSIDE, OTHERS = 0, -1
LEVELS = 5


@dataclass(frozen=True, slots=True)
class MapCircle:
    """A circle on the map."""

    circle: RiskCircle
    name: CircleName
    change: Change | None
    members: tuple[RiskCircleMember, ...]
    level: int

    @property
    def expected_minor(self) -> int:
        return self.circle.expected_pool_minor + self.circle.expected_members_minor

    @property
    def worst_minor(self) -> int:
        return self.circle.worst_pool_minor + self.circle.worst_members_minor


@dataclass(frozen=True, slots=True)
class MapTie:
    """Promises from members of one circle to members of another, by rank."""

    source: int
    target: int
    vouches: int
    amount_minor: int
    reserved_minor: int


@dataclass(frozen=True, slots=True)
class RiskMap:
    """The map of a search; `steps` are the least expected losses of levels 2, 3 and 4."""

    run: RiskRun
    circles: tuple[MapCircle, ...]
    steps: tuple[int, int, int]
    ties: tuple[MapTie, ...]
    # The circles that are not drawn by themselves, together.
    others: int
    others_expected_minor: int
    others_worst_minor: int
    outside_members: int
    # Whether all members of the circles are among `people`, and the promises between them told.
    is_named: bool
    # Within circles: from whom to whom.
    promises: tuple[tuple[int, int], ...]
    people: Mapping[int, Member]


def steps_of(largest_minor: int) -> tuple[int, int, int]:
    """An eighth, a quarter and a half of the largest expected loss: where a level begins."""
    return tuple(largest_minor // part for part in (8, 4, 2))  # type: ignore[return-value]


def level_of(expected_minor: int, steps: Sequence[int]) -> int:
    """0: nothing is expected to be lost; 4: more than half of what the worst circle loses."""
    if not expected_minor:
        return 0
    return 1 + sum(expected_minor > step for step in steps)


def risk_map(session: Session, run: RiskRun, *, on: date, limit: int, named: int) -> RiskMap:
    """The `limit` most costly circles of a run, how they are tied, and the rest put together.

    Promises from member to member are read only where the drawn circles have at most `named`
    members together. A fixed number of statements.
    """
    found = circles_of(session, run, limit=limit)
    seats = members_of(session, [circle.id for circle, _ in found])
    changes = changes_since(session, run, [(circle, seats[circle.id]) for circle, _ in found])
    largest = max((_expected(circle) for circle, _ in found), default=0)
    steps = steps_of(largest)
    circles = tuple(
        MapCircle(
            circle,
            name,
            changes[circle.id],
            tuple(seats[circle.id]),
            level_of(_expected(circle), steps),
        )
        for circle, name in found
    )
    last = found[-1][0].rank if found else 0
    rest = session.execute(
        select(
            func.count(),
            func.coalesce(
                func.sum(RiskCircle.expected_pool_minor + RiskCircle.expected_members_minor), 0
            ),
            func.coalesce(
                func.sum(RiskCircle.worst_pool_minor + RiskCircle.worst_members_minor), 0
            ),
        ).where(RiskCircle.run_id == run.id, RiskCircle.rank > last)
    ).one()
    seated = session.scalar(
        select(func.count(func.distinct(RiskCircleMember.member_id)))
        .join(RiskCircle, RiskCircle.id == RiskCircleMember.circle_id)
        .where(RiskCircle.run_id == run.id)
    )
    inside = {seat.member_id for each in circles for seat in each.members}
    promises: tuple[tuple[int, int], ...] = ()
    is_named = sum(len(each.members) for each in circles) <= named
    if is_named:
        promises = _promises(session, run.community_id, inside, on)
    who = {member for each in circles for member in named_in(each.circle)}
    if is_named:
        who |= inside
    return RiskMap(
        run=run,
        circles=circles,
        steps=steps,
        ties=_ties(session, run, on, last),
        others=int(rest[0]),
        others_expected_minor=int(rest[1]),
        others_worst_minor=int(rest[2]),
        outside_members=max(run.members - int(seated or 0), 0),
        is_named=is_named,
        promises=promises,
        people=people(session, who),
    )


def binding(on: date) -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Which vouches bind on a day, and what each stands for."""
    live = and_(Vouch.status == VouchStatus.LIVE, Vouch.expires_on >= on)
    amount = case((live, Vouch.limit_minor - Vouch.spent_minor), else_=Vouch.reserved_minor)
    return or_(live, Vouch.reserved_minor > 0), amount


def _ties(session: Session, run: RiskRun, on: date, last: int) -> tuple[MapTie, ...]:
    """Promises between circles, summed in one statement; who is in two is in the more costly."""
    seat = (
        select(RiskCircleMember.member_id, func.min(RiskCircle.rank).label("rank"))
        .join(RiskCircle, RiskCircle.id == RiskCircleMember.circle_id)
        .where(RiskCircle.run_id == run.id)
        .group_by(RiskCircleMember.member_id)
        .cte("seats")
    )
    giver, taker = aliased(seat), aliased(seat)
    shown = [
        case((end.c.rank.is_(None), OUTSIDE), (end.c.rank > last, OTHERS), else_=end.c.rank)
        for end in (giver, taker)
    ]
    binds, amount = binding(on)
    rows = session.execute(
        select(
            shown[0].label("source"),
            shown[1].label("target"),
            func.count(),
            func.sum(amount),
            func.sum(Vouch.reserved_minor),
        )
        .select_from(Vouch)
        .outerjoin(giver, giver.c.member_id == Vouch.voucher_id)
        .outerjoin(taker, taker.c.member_id == Vouch.borrower_id)
        .where(Vouch.community_id == run.community_id, binds)
        .group_by("source", "target")
        .order_by("source", "target")
    )
    return tuple(MapTie(*(int(value) for value in row)) for row in rows)


def _promises(
    session: Session, community_id: int, inside: set[int], on: date
) -> tuple[tuple[int, int], ...]:
    binds, _ = binding(on)
    found = []
    for part in parts(inside):
        rows = session.execute(
            select(Vouch.voucher_id, Vouch.borrower_id)
            .where(Vouch.community_id == community_id, binds, Vouch.voucher_id.in_(part))
            .distinct()
        )
        found += [(giver, taker) for giver, taker in rows if taker in inside]
    return tuple(sorted(found))


def _expected(circle: RiskCircle) -> int:
    return circle.expected_pool_minor + circle.expected_members_minor
