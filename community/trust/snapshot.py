"""Rows of the trust graph → plain values for `graph.limits`, fresh from the database."""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.locks import lock as lock_table
from community.trust.models import Standing, Vouch, VouchStatus
from community.trust.worth import StandingFacts, VouchFacts
from graph.limits import CoverPath, Promise

# Databases bound the number of parameters of a statement; longer lists go in parts.
_PART = 5_000


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Who can stand behind a borrower, through whom, and how much room is left.

    `standings` (by member) and `promises` are what `graph.limits` takes; a promise has its
    vouch's id, also as its age. `borrower_id` and `circle` are None for a whole community.
    """

    community_id: int
    borrower_id: int | None
    circle: int | None
    standings: Mapping[Hashable, int]
    promises: tuple[Promise, ...]
    standing_rows: Mapping[int, StandingFacts]  # by member
    vouch_rows: Mapping[int, VouchFacts]  # by vouch

    @property
    def standing_ids(self) -> dict[int, int]:
        """The standing's id of every member who has one."""
        return {member: row.id for member, row in self.standing_rows.items()}

    def within(self, member_ids: Collection[int], vouch_ids: Collection[int]) -> "Neighbourhood":
        """Only these members' standings and these vouches: what a unit of work has locked."""
        return replace(
            self,
            standings={m: amount for m, amount in self.standings.items() if m in member_ids},
            promises=tuple(p for p in self.promises if p.id in vouch_ids),
        )

    def without(self, paths: Iterable[CoverPath]) -> "Neighbourhood":
        """The same with these paths reserved too: what is left for the next share of a loan."""
        standing_used, vouch_used = usage(paths)
        return replace(
            self,
            standings={
                member: amount - standing_used.get(_int(member), 0)
                for member, amount in self.standings.items()
            },
            promises=tuple(
                replace(promise, room=promise.room - vouch_used.get(_int(promise.id), 0))
                for promise in self.promises
            ),
        )


def usage(paths: Iterable[CoverPath]) -> tuple[dict[int, int], dict[int, int]]:
    """What paths take from each member's standing and from each vouch."""
    standing_used: dict[int, int] = {}
    vouch_used: dict[int, int] = {}
    for path in paths:
        member, amount = _int(path.standing_of), int(path.amount)
        standing_used[member] = standing_used.get(member, 0) + amount
        for promise_id in path.promises:
            vouch_id = _int(promise_id)
            vouch_used[vouch_id] = vouch_used.get(vouch_id, 0) + amount
    return standing_used, vouch_used


def neighbourhood(
    session: Session,
    *,
    community_id: int,
    borrower_id: int,
    on: date,
    circle: int = 2,
    pledge_only: bool = False,
    extra_vouchers: Collection[int] = (),
) -> Neighbourhood:
    """The part of the trust graph from which the borrower is at most `circle` vouches away.

    One statement a step of the circle and one for the standings. `extra_vouchers` are treated
    as if they stood directly behind the borrower ("what if").
    """
    vouches = _vouches_towards(session, community_id, borrower_id, on, circle, extra_vouchers)
    members = {borrower_id, *extra_vouchers, *(vouch.voucher_id for vouch in vouches)}
    standings = read_standings(session, community_id, members)
    return _build(
        community_id, standings, vouches, on, borrower_id, circle, pledge_only, members=members
    )


def locked_neighbourhoods(
    session: Session,
    *,
    community_id: int,
    borrower_ids: Collection[int],
    on: date,
    circle: int = 2,
    pledge_only: bool = False,
) -> dict[int, Neighbourhood]:
    """The neighbourhoods of borrowers, held until the unit of work ends: nobody can change them.

    What somebody promises after the look around that chose the rows to lock is left out.
    """

    def look(borrower_id: int) -> Neighbourhood:
        return neighbourhood(
            session,
            community_id=community_id,
            borrower_id=borrower_id,
            on=on,
            circle=circle,
            pledge_only=pledge_only,
        )

    seen = [look(borrower_id) for borrower_id in sorted(borrower_ids)]
    members = {_int(member) for around in seen for member in around.standings}
    vouches = {vouch_id for around in seen for vouch_id in around.vouch_rows}
    lock_rows(session, community_id, members, vouches)
    return {
        borrower_id: look(borrower_id).within(members, vouches)
        for borrower_id in sorted(borrower_ids)
    }


def whole_community(
    session: Session, *, community_id: int, on: date, pledge_only: bool = False
) -> Neighbourhood:
    """All standings and live vouches of a community: for reading limits in bulk and ceilings."""
    vouches = _read_vouches(session, community_id, on, None)
    standings = read_standings(session, community_id, None)
    return _build(community_id, standings, vouches, on, None, None, pledge_only, members=())


def lock_rows(
    session: Session, community_id: int, member_ids: Collection[int], vouch_ids: Iterable[int]
) -> dict[int, Vouch]:
    """Lock the standings of members in a community, then vouches; returns the vouches.

    The one way to lock the trust graph: standings sort before vouches.
    """
    ids: list[int] = []
    for part in parts(member_ids):
        ids.extend(
            session.scalars(
                select(Standing.id).where(
                    Standing.community_id == community_id, Standing.member_id.in_(part)
                )
            )
        )
    lock_table(session, Standing, ids)
    return lock_table(session, Vouch, vouch_ids)


def facts_of(standing: Standing) -> StandingFacts:
    """The facts of a standing that is at hand, as it is now."""
    return StandingFacts(
        id=standing.id,
        member_id=standing.member_id,
        stake_minor=standing.stake_minor,
        assessed_minor=standing.assessed_minor,
        assessed_until_on=standing.assessed_until_on,
        reserved_minor=standing.reserved_minor,
        overdue_since_on=standing.overdue_since_on,
    )


def read_standings(
    session: Session, community_id: int, member_ids: Collection[int] | None
) -> dict[int, StandingFacts]:
    """Standing rows by member, as they are now. None: everybody's."""
    statement = select(
        Standing.id,
        Standing.member_id,
        Standing.stake_minor,
        Standing.assessed_minor,
        Standing.assessed_until_on,
        Standing.reserved_minor,
        Standing.overdue_since_on,
    ).where(Standing.community_id == community_id)
    rows = []
    if member_ids is None:
        rows = list(session.execute(statement))
    else:
        for part in parts(member_ids):
            rows += session.execute(statement.where(Standing.member_id.in_(part)))
    return {row.member_id: StandingFacts(*row) for row in rows}


def _vouches_towards(
    session: Session,
    community_id: int,
    borrower_id: int,
    on: date,
    circle: int,
    extra_vouchers: Collection[int],
) -> list[VouchFacts]:
    found: dict[int, VouchFacts] = {}
    seen = {borrower_id}
    edge = {borrower_id}
    for step in range(circle):
        for vouch in _read_vouches(session, community_id, on, edge):
            if vouch.voucher_id != borrower_id:
                found[vouch.id] = vouch
        edge = {vouch.voucher_id for vouch in found.values()} - seen
        if step == 0:
            edge |= set(extra_vouchers) - seen
        seen |= edge
        if not edge:
            break
    return [found[vouch_id] for vouch_id in sorted(found)]


def live_vouches(community_id: int, on: date) -> Select[int, str, int, int, int, int, int]:
    """The facts of the vouches that back something on a day, for `VouchFacts`."""
    return select(
        Vouch.id,
        Vouch.public_id,
        Vouch.voucher_id,
        Vouch.borrower_id,
        Vouch.limit_minor,
        Vouch.reserved_minor,
        Vouch.spent_minor,
    ).where(
        Vouch.community_id == community_id,
        Vouch.status == VouchStatus.LIVE,
        Vouch.expires_on >= on,
    )


def _read_vouches(
    session: Session, community_id: int, on: date, borrower_ids: Collection[int] | None
) -> list[VouchFacts]:
    statement = live_vouches(community_id, on)
    if borrower_ids is None:
        return [VouchFacts(*row) for row in session.execute(statement.order_by(Vouch.id))]
    return [
        VouchFacts(*row)
        for part in parts(borrower_ids)
        for row in session.execute(statement.where(Vouch.borrower_id.in_(part)))
    ]


def _build(
    community_id: int,
    standings: Mapping[int, StandingFacts],
    vouches: Collection[VouchFacts],
    on: date,
    borrower_id: int | None,
    circle: int | None,
    pledge_only: bool,
    *,
    members: Collection[int],
) -> Neighbourhood:
    overdue = {m for m, row in standings.items() if row.overdue_since_on is not None}
    # Members without a row have nothing that could be called, but they can pass promises on.
    amounts: dict[Hashable, int] = dict.fromkeys(sorted(members), 0)
    for member, row in standings.items():
        amounts[member] = row.free_on(on, pledge_only=pledge_only)
    return Neighbourhood(
        community_id=community_id,
        borrower_id=borrower_id,
        circle=circle,
        standings=amounts,
        promises=tuple(
            Promise(
                vouch.id,
                vouch.voucher_id,
                vouch.borrower_id,
                vouch.room(voucher_overdue=vouch.voucher_id in overdue),
                vouch.id,
            )
            for vouch in vouches
        ),
        standing_rows=standings,
        vouch_rows={vouch.id: vouch for vouch in vouches},
    )


def parts(ids: Iterable[int]) -> Iterable[list[int]]:
    """Ids in lists that a statement can take as parameters."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _PART):
        yield ordered[start : start + _PART]


def _int(id_: Hashable) -> int:
    # Ids in our own networks are row ids.
    assert isinstance(id_, int)
    return id_
