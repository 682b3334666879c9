"""Reading vouches, standings, assessments and what somebody stands behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from community.communities.queries import get_communities_by_id
from community.locks import lock_one
from community.members.queries import Named, names_of
from community.trust.errors import AssessmentNotFound, VouchNotFound
from community.trust.models import (
    Assessment,
    AssessmentKind,
    Standing,
    Vouch,
    VouchKind,
    VouchSide,
    VouchStatus,
)
from community.trust.snapshot import read_standings

_PART = 5_000


class Direction(StrEnum):
    GIVEN = "given"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class StandingView:
    """A member's standing in a community on a day, with what each part of it is."""

    currency: str
    stake_minor: int
    assessed_minor: int
    assessed_until_on: date | None
    reserved_minor: int
    overdue_since_on: date | None
    free_minor: int
    stake_free_minor: int


@dataclass(frozen=True, slots=True)
class VouchView:
    """A vouch with its two people, its place and what is left of it on a day."""

    public_id: str
    community: str
    currency: str
    kind: VouchKind
    voucher: Named
    borrower: Named
    offered_by: VouchSide
    status: VouchStatus
    limit_minor: int
    reserved_minor: int
    spent_minor: int
    room_minor: int
    offered_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    expires_on: date
    version: int


@dataclass(frozen=True, slots=True)
class ExposureLine:
    """One member behind whom somebody stands."""

    vouch: str
    kind: VouchKind
    status: VouchStatus
    borrower: Named
    currency: str
    now_minor: int
    most_minor: int
    paid_minor: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class Exposure:
    """If everyone I stand behind fails, I owe `now_minor`: what loans rest on today.

    `most_minor` is what it could come to if every promise were used in full.
    """

    currency: str
    now_minor: int
    most_minor: int
    lines: tuple[ExposureLine, ...]


def get_vouch(session: Session, public_id: str) -> Vouch:
    """The vouch of this public id. Raises VouchNotFound."""
    vouch = session.scalar(select(Vouch).where(Vouch.public_id == public_id))
    if vouch is None:
        raise VouchNotFound()
    return vouch


def get_vouch_for_update(session: Session, public_id: str) -> Vouch:
    """The vouch of this public id, locked. Raises VouchNotFound."""
    return lock_one(session, Vouch, get_vouch(session, public_id).id)


def get_assessment(session: Session, public_id: str) -> Assessment:
    """The assessment of this public id. Raises AssessmentNotFound."""
    assessment = session.scalar(select(Assessment).where(Assessment.public_id == public_id))
    if assessment is None:
        raise AssessmentNotFound()
    return assessment


def list_vouches(
    *,
    community_id: int,
    member_id: int,
    direction: Direction | None = None,
    status: VouchStatus | None = None,
) -> Select[Vouch]:
    """The vouches that a member gave or received in a community; page by Vouch.id."""
    sides = {Direction.GIVEN: Vouch.voucher_id, Direction.RECEIVED: Vouch.borrower_id}
    mine = [sides[direction]] if direction is not None else list(sides.values())
    statement = select(Vouch).where(
        Vouch.community_id == community_id, or_(*(side == member_id for side in mine))
    )
    return statement if status is None else statement.where(Vouch.status == status)


def view_vouches(session: Session, vouches: Iterable[Vouch], on: date) -> list[VouchView]:
    """Vouches with their people and places, in two statements."""
    listed = list(vouches)
    people = names_of(session, (i for v in listed for i in (v.voucher_id, v.borrower_id)))
    places = get_communities_by_id(session, (vouch.community_id for vouch in listed))
    return [
        VouchView(
            public_id=vouch.public_id,
            community=places[vouch.community_id].public_id,
            currency=places[vouch.community_id].currency,
            kind=vouch.kind,
            voucher=people[vouch.voucher_id],
            borrower=people[vouch.borrower_id],
            offered_by=vouch.offered_by,
            status=vouch.status,
            limit_minor=vouch.limit_minor,
            reserved_minor=vouch.reserved_minor,
            spent_minor=vouch.spent_minor,
            room_minor=_most(vouch, on) - vouch.reserved_minor,
            offered_at=vouch.offered_at,
            accepted_at=vouch.accepted_at,
            ended_at=vouch.ended_at,
            expires_on=vouch.expires_on,
            version=vouch.version,
        )
        for vouch in listed
    ]


def are_connected(session: Session, *, community_id: int, member_id: int, other_id: int) -> bool:
    """Whether one of the two stands behind the other here, or has offered or been asked to."""
    pair = or_(
        (Vouch.voucher_id == member_id) & (Vouch.borrower_id == other_id),
        (Vouch.voucher_id == other_id) & (Vouch.borrower_id == member_id),
    )
    return (
        session.scalar(
            select(Vouch.id)
            .where(
                Vouch.community_id == community_id,
                pair,
                Vouch.status.in_([VouchStatus.LIVE, VouchStatus.OFFERED]),
            )
            .limit(1)
        )
        is not None
    )


def standing_of(
    session: Session, *, community_id: int, member_id: int, currency: str, on: date
) -> StandingView:
    """What a member can be made to pay in a community, part by part; zeros without a row."""
    row = read_standings(session, community_id, [member_id]).get(member_id)
    if row is None:
        return StandingView(currency, 0, 0, None, 0, None, 0, 0)
    return StandingView(
        currency=currency,
        stake_minor=row.stake_minor,
        assessed_minor=row.assessed_on(on),
        assessed_until_on=row.assessed_until_on,
        reserved_minor=row.reserved_minor,
        overdue_since_on=row.overdue_since_on,
        free_minor=row.free_on(on),
        stake_free_minor=row.stake_free_minor,
    )


def overdue_members(session: Session, member_ids: Iterable[int]) -> set[int]:
    """Those of the members who have something overdue anywhere on the platform."""
    wanted = sorted(set(member_ids))
    found: set[int] = set()
    for start in range(0, len(wanted), _PART):
        found |= set(
            session.scalars(
                select(Standing.member_id).where(
                    Standing.member_id.in_(wanted[start : start + _PART]),
                    Standing.overdue_since_on.is_not(None),
                )
            )
        )
    return found


def overdue_since(session: Session, member_id: int) -> date | None:
    """Since when something of the member is overdue anywhere on the platform."""
    return session.scalar(
        select(func.min(Standing.overdue_since_on)).where(Standing.member_id == member_id)
    )


def list_assessments(*, community_id: int, member_id: int) -> Select[Assessment]:
    """What was granted to a member in a community, also what ended; page by Assessment.id."""
    return select(Assessment).where(
        Assessment.community_id == community_id, Assessment.member_id == member_id
    )


def capacities_on(
    session: Session, *, community_id: int, member_ids: Iterable[int] | None, on: date
) -> dict[int, Assessment]:
    """The live repayment-capacity assessments of members on a day. None: everybody's."""
    statement = select(Assessment).where(
        Assessment.community_id == community_id,
        Assessment.kind == AssessmentKind.REPAYMENT_CAPACITY,
        Assessment.ended_at.is_(None),
        Assessment.expires_on >= on,
    )
    if member_ids is not None:
        statement = statement.where(Assessment.member_id.in_(set(member_ids)))
    return {assessment.member_id: assessment for assessment in session.scalars(statement)}


def exposure_of(
    session: Session, *, community_id: int, member_id: int, currency: str, on: date
) -> Exposure:
    """What a member could have to pay for others in a community, person by person.

    A promise that has ended counts with what is still reserved on it.
    """
    vouches = session.scalars(
        select(Vouch)
        .where(
            Vouch.community_id == community_id,
            Vouch.voucher_id == member_id,
            or_(Vouch.status == VouchStatus.LIVE, Vouch.reserved_minor > 0),
        )
        .order_by(Vouch.id)
    ).all()
    people = names_of(session, (vouch.borrower_id for vouch in vouches))
    lines = tuple(
        ExposureLine(
            vouch=vouch.public_id,
            kind=vouch.kind,
            status=vouch.status,
            borrower=people[vouch.borrower_id],
            currency=currency,
            now_minor=vouch.reserved_minor,
            most_minor=_most(vouch, on),
            paid_minor=vouch.spent_minor,
            expires_on=vouch.expires_on,
        )
        for vouch in vouches
    )
    return Exposure(
        currency=currency,
        now_minor=sum(line.now_minor for line in lines),
        most_minor=sum(line.most_minor for line in lines),
        lines=lines,
    )


@dataclass(frozen=True, slots=True)
class Promised:
    """What a member could have to pay for others in one community, besides one group."""

    community_id: int
    currency: str
    personal_minor: int
    groups_minor: int

    @property
    def together_minor(self) -> int:
        return self.personal_minor + self.groups_minor


def promised_elsewhere(
    session: Session, *, member_id: int, on: date, besides_group: int
) -> tuple[Promised, ...]:
    """What a member stands for on the whole platform outside of a group, by community.

    A promise that has ended counts with what is still reserved on it.
    """
    vouches = session.scalars(
        select(Vouch).where(
            Vouch.voucher_id == member_id,
            or_(Vouch.status == VouchStatus.LIVE, Vouch.reserved_minor > 0),
            or_(Vouch.group_id.is_(None), Vouch.group_id != besides_group),
        )
    ).all()
    sums: dict[int, dict[VouchKind, int]] = {}
    for vouch in vouches:
        place = sums.setdefault(vouch.community_id, dict.fromkeys(VouchKind, 0))
        place[vouch.kind] += _most(vouch, on)
    places = get_communities_by_id(session, sums)
    return tuple(
        Promised(
            community_id,
            places[community_id].currency,
            sums[community_id][VouchKind.PERSONAL],
            sums[community_id][VouchKind.GROUP],
        )
        for community_id in sorted(sums)
    )


def _most(vouch: Vouch, on: date) -> int:
    if vouch.status is VouchStatus.LIVE and vouch.expires_on >= on:
        return vouch.limit_minor - vouch.spent_minor
    return vouch.reserved_minor
