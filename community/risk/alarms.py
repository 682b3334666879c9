"""Invented members, self-dealing, pyramids of deposits: findings with their facts, never a refusal.

`find_alarms` is what other rooms ask: monitoring makes cases of it. Nothing is stored here.

- **Newcomers**: trust walks from those who are known (members for longer than `newcomer_days`, and
  the first half of a young community's founders) over confirmed mutual promises
  (SybilRank). Who joined later and is reached by less than `newcomer_trust_bps` of what reaches the
  middle one of the known is hardly known.
- **Invented rings**: newcomers tied to each other, `invented_ring_min` of them or more for each of
  the known through whom they hang on to the others. A crowd of invented members can promise each
  other as much as it likes: it is known through whoever brought it in, and through nobody else.
- **Self-dealing**: a few who are promised hardly anything by others, and cover their own loans.
- **Inflow**: who brings in newcomers, who bring in newcomers, whose deposits are of one amount,
  while money is paid out above. Who brought somebody in is whose promise they took first.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from statistics import median, median_low
from typing import Any

import numpy as np
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.communities.models import Membership, MembershipStatus
from community.risk.book import read_cover
from community.risk.closed import Limits, closed_pools
from community.risk.finding import CircleKind
from community.risk.models import CircleName, RiskCircle, RiskCircleMember
from community.risk.service import last_run
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.trust.models import Vouch, VouchKind, VouchStatus
from graph.arrays import ArrayNetwork, from_rows
from graph.propagation import sybilrank
from graph.structure import mutual_pairs, weak_components


class AlarmKind(StrEnum):
    NEWCOMER = "newcomer"  # one member, hardly known
    INVENTED_RING = "invented_ring"
    SELF_DEALING = "self_dealing"
    PYRAMID = "pyramid"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that wants a look, whom it is about, and the facts that say so."""

    kind: AlarmKind
    member_ids: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def key(self) -> str:
        """The same for the same finding on another day, as long as it is about the same people."""
        return f"{self.kind.value}:{','.join(map(str, self.member_ids))}"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """How well a newcomer is known."""

    member_id: int
    joined_on: date
    # Of 10,000: trust per tie, of what reaches the middle one of the known. None: no tie at all.
    trust_bps: int | None
    ties: int
    ties_to_known: int


@dataclass(frozen=True, slots=True)
class Introduction:
    """Whose promise a newcomer took first, and when."""

    newcomer_id: int
    by_id: int
    on: date


def find_alarms(session: Session, *, community_id: int, on: date) -> list[Alarm]:
    """Everything that wants a look in a community on a day, by kind and then by member.

    Raises NoCharter.
    """
    rules = communities.charter_on(session, community_id, on).rules
    joined = _joined(session, community_id, on)
    network = _ties(session, community_id, on, joined)
    newcomers = newcomers_of(network, joined, on=on, rules=rules)
    found = [*invented_rings_of(network, newcomers, rules)]
    found += self_dealing(session, community_id=community_id, on=on, rules=rules)
    found += inflows(session, community_id=community_id, on=on, rules=rules)
    in_rings = {member for alarm in found for member in alarm.member_ids}
    found += [
        Alarm(AlarmKind.NEWCOMER, (newcomer.member_id,), newcomer_facts(newcomer, rules))
        for newcomer in newcomers
        if newcomer.ties and is_hardly_known(newcomer, rules)
        if newcomer.member_id not in in_rings
    ]
    return sorted(found, key=lambda alarm: (list(AlarmKind).index(alarm.kind), alarm.member_ids))


def invented_rings(
    session: Session, *, community_id: int, on: date, rules: CharterRules, past: bool = False
) -> list[Alarm]:
    """Rings of newcomers behind few doors; `past`: as promises stood on that day."""
    joined = _joined(session, community_id, on)
    network = _ties(session, community_id, on, joined, past=past)
    return invented_rings_of(network, newcomers_of(network, joined, on=on, rules=rules), rules)


def inflows(session: Session, *, community_id: int, on: date, rules: CharterRules) -> list[Alarm]:
    """Pyramids of deposits in the days up to one."""
    joined = _joined(session, community_id, on)
    return pyramids(
        _introductions(session, community_id, on, joined, rules),
        _moved(session, community_id, on, rules, SavingsMovementKind.DEPOSIT),
        _moved(session, community_id, on, rules, SavingsMovementKind.WITHDRAWAL),
        rules,
    )


def gate(session: Session, *, community_id: int, member_id: int, on: date) -> Alarm | None:
    """What to point out before somebody vouches for a member first, or admits them; None: nothing.

    A warning with its reasons, not a refusal: everybody was new once. Members of longer standing
    are not asked about. Raises NoCharter.
    """
    rules = communities.charter_on(session, community_id, on).rules
    joined = _joined(session, community_id, on)
    if member_id in joined and (on - joined[member_id]).days > rules.newcomer_days:
        return None
    joined.setdefault(member_id, on)
    network = _ties(session, community_id, on, joined)
    for newcomer in newcomers_of(network, joined, on=on, rules=rules):
        if newcomer.member_id == member_id and is_hardly_known(newcomer, rules):
            return Alarm(AlarmKind.NEWCOMER, (member_id,), newcomer_facts(newcomer, rules))
    return None


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Who is known in a community on a day, and which newcomers hardly are."""

    known: frozenset[int]
    hardly_known: dict[int, Newcomer]


def stand_of(session: Session, *, community_id: int, on: date, rules: CharterRules) -> Standpoint:
    """Who is known in a community, and which newcomers hardly are."""
    joined = _joined(session, community_id, on)
    known = frozenset(m for m, since in joined.items() if (on - since).days > rules.newcomer_days)
    network = _ties(session, community_id, on, joined)
    newcomers = newcomers_of(network, joined, on=on, rules=rules)
    return Standpoint(known, {n.member_id: n for n in newcomers if is_hardly_known(n, rules)})


def is_hardly_known(newcomer: Newcomer, rules: CharterRules) -> bool:
    """Whether less trust reaches them than the charter lets pass unremarked."""
    return newcomer.trust_bps is None or newcomer.trust_bps < rules.newcomer_trust_bps


def newcomer_facts(newcomer: Newcomer, rules: CharterRules) -> dict[str, Any]:
    """Why a newcomer is remarked."""
    return {
        "code": "newcomer",
        "joined_on": newcomer.joined_on.isoformat(),
        "trust_bps": newcomer.trust_bps,
        "limit_bps": rules.newcomer_trust_bps,
        "ties": newcomer.ties,
        "ties_to_known": newcomer.ties_to_known,
    }


def newcomers_of(
    network: ArrayNetwork, joined: Mapping[int, date], *, on: date, rules: CharterRules
) -> list[Newcomer]:
    """Everybody who joined within `newcomer_days`, by member, and how well each is known."""
    pairs = mutual_pairs(network).ids()
    ties: dict[int, set[int]] = {}
    for one, other in pairs:
        ties.setdefault(int(str(one)), set()).add(int(str(other)))
        ties.setdefault(int(str(other)), set()).add(int(str(one)))
    known = known_of(joined, on=on, rules=rules)
    seeds = sorted(known & ties.keys())
    trust: dict[int, float] = {}
    middle = 0.0
    if seeds:
        scores = sybilrank(network, seeds, mutual=True)
        trust = {member: scores.of(member) for member in ties}
        middle = median(trust[member] for member in seeds)
    found = []
    for member in sorted(joined.keys() - known):
        mine = ties.get(member, set())
        share = None
        if mine:
            share = int(10_000 * trust.get(member, 0.0) / middle) if middle else 0
        found.append(Newcomer(member, joined[member], share, len(mine), len(mine & known)))
    return found


def known_of(joined: Mapping[int, date], *, on: date, rules: CharterRules) -> set[int]:
    """Who is no newcomer: here for longer than `newcomer_days`, or from the beginning.

    Somebody has to be known from the first day: of those who came within the community's first
    `newcomer_days`, the half that was there first. No crowd that comes later changes that.
    """
    if not joined:
        return set()
    until = min(joined.values()) + timedelta(days=rules.newcomer_days)
    half = median_low(since for since in joined.values() if since <= until)
    return {
        member
        for member, since in joined.items()
        if since <= half or (on - since).days > rules.newcomer_days
    }


def pyramids(
    introduced: Collection[Introduction],
    deposits: Mapping[int, list[int]],
    payouts: Mapping[int, list[int]],
    rules: CharterRules,
) -> list[Alarm]:
    """Introducers with newcomers on two levels or more below, whose deposits are alike. Pure.

    Only the topmost of nested pyramids is told. Came in: all deposits of those below, of whoever
    brought in somebody themselves one ticket. Paid out above: to the introducer and to those below
    who brought in somebody.
    """
    below: dict[int, list[int]] = {}
    above: dict[int, int] = {}
    for each in introduced:
        below.setdefault(each.by_id, []).append(each.newcomer_id)
        above[each.newcomer_id] = each.by_id
    found = []
    told: set[int] = set()
    for top in sorted(below, key=lambda member: (member in above, member)):
        if top in told:
            continue
        levels, level, reached = 0, [top], {top}
        while level:
            level = [m for member in level for m in below.get(member, ()) if m not in reached]
            reached |= set(level)
            levels += bool(level)
        under = sorted(reached - {top})
        if levels < 2 or len(under) < rules.inflow_below_min:
            continue
        paying = Counter(amount for member in under for amount in set(deposits.get(member, ())))
        alike = {amount: count * 10_000 // len(under) for amount, count in paying.items()}
        # Everybody pays the entrance share: a ticket is the most that so many paid alike.
        ticket = max((a for a in alike if alike[a] >= rules.inflow_alike_bps), default=None)
        if ticket is None:
            continue
        # A seller below hands in the tickets of others: that money has come in once already.
        came_in = sum(
            min(ticket, sum(brought)) if member in below else sum(brought)
            for member in under
            for brought in [deposits.get(member, ())]
        )
        collectors = [member for member in reached if member in below]
        paid_out = sum(sum(payouts.get(member, ())) for member in collectors)
        if paid_out * 10_000 < rules.inflow_payout_bps * came_in:
            continue
        told |= reached
        found.append(
            Alarm(
                AlarmKind.PYRAMID,
                (top, *under),
                {
                    "code": "pyramid",
                    "member_id": top,
                    "levels": levels,
                    "below": len(under),
                    "ticket_minor": ticket,
                    "alike_bps": alike[ticket],
                    "came_in_minor": came_in,
                    "paid_out_minor": paid_out,
                    "days": rules.inflow_days,
                },
            )
        )
    return found


def invented_rings_of(
    network: ArrayNetwork, newcomers: Iterable[Newcomer], rules: CharterRules
) -> list[Alarm]:
    """Newcomers tied to each other who hang on to few of the known, or to nobody. Pure.

    Trust alone does not tell: three promises of one accomplice make a few invented members as well
    known as honest newcomers with one friend. That all of it comes through one door does.
    """
    new = {newcomer.member_id: newcomer for newcomer in newcomers if newcomer.ties}
    ends = [(int(str(a)), int(str(b))) for a, b in mutual_pairs(network).ids()]
    pairs = [(a, b) for a, b in ends if a in new and b in new]
    if not pairs:
        return []
    doors: dict[int, set[int]] = {}
    for one, other in ends:
        for inside, outside in ((one, other), (other, one)):
            if inside in new and outside not in new:
                doors.setdefault(inside, set()).add(outside)
    ties = from_rows(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    found = []
    for group in weak_components(ties).groups(rules.invented_ring_min):
        members = tuple(sorted(int(str(member)) for member in group))
        through = set[int]().union(*(doors.get(member, set()) for member in members))
        if len(members) < rules.invented_ring_min * len(through):
            continue
        inside = sum(a in members for a, _ in pairs)
        found.append(
            Alarm(
                AlarmKind.INVENTED_RING,
                members,
                {
                    "code": "invented_ring",
                    "members": len(members),
                    "ties_inside": inside,
                    "ties_to_known": sum(new[member].ties_to_known for member in members),
                    "known_through": len(through),
                    "first_joined_on": min(new[m].joined_on for m in members).isoformat(),
                    "last_joined_on": max(new[m].joined_on for m in members).isoformat(),
                },
            )
        )
    return found


def self_dealing(
    session: Session, *, community_id: int, on: date, rules: CharterRules
) -> list[Alarm]:
    """Closed pools, with the circle of the last search that most of them are in, if any.

    A round of a few in a village that is one circle may be in none: it is told all the same.

    By the cover that is held now: what was released since a past day is not told any more.
    """
    run = last_run(session, community_id, until=on)
    if run is None:
        return []
    purses, loans, promises = read_cover(session, community_id, on)
    limits = Limits(
        rules.circle_members_max,
        rules.self_dealing_bps,
        rules.self_dealing_promised_bps,
        rules.self_dealing_owed_bps,
    )
    pools = closed_pools(loans, purses, *promises, limits=limits)
    if not pools:
        return []
    circles: dict[int, tuple[CircleName, set[int]]] = {}
    for circle_id, name, member_id in session.execute(
        select(RiskCircle.id, CircleName, RiskCircleMember.member_id)
        .join(CircleName, CircleName.id == RiskCircle.name_id)
        .join(RiskCircleMember, RiskCircleMember.circle_id == RiskCircle.id)
        .where(RiskCircle.run_id == run.id, RiskCircle.kind != CircleKind.HUB)
        .order_by(RiskCircle.rank)
    ):
        circles.setdefault(circle_id, (name, set()))[1].add(member_id)
    found = []
    for pool in pools:
        inside = [
            (len(members & set(pool.members)), -at, name)
            for at, (name, members) in enumerate(circles.values())
            if len(members & set(pool.members)) >= 2
        ]
        within = max(inside, key=lambda one: one[:2])[2] if inside else None
        found.append(
            Alarm(
                AlarmKind.SELF_DEALING,
                pool.members,
                {
                    "code": "closed_circle" if pool.borrowers > 1 else "closed_circle_for_one",
                    **(
                        {}
                        if within is None
                        else {"circle": within.number, "circle_id": within.public_id}
                    ),
                    "members": len(pool.members),
                    "share_bps": pool.inside_bps,
                    "promised_bps": pool.promised_bps,
                    "owed_bps": pool.owed_bps,
                    "used_bps": pool.used_bps,
                    "assessed_bps": pool.assessed_bps,
                    "borrowers": pool.borrowers,
                    "amount_minor": pool.owed_minor,
                },
            )
        )
    return found


def _joined(session: Session, community_id: int, on: date) -> dict[int, date]:
    """Since when each active member is here who was by that day."""
    rows = session.execute(
        select(Membership.member_id, Membership.since_on).where(
            Membership.community_id == community_id,
            Membership.status == MembershipStatus.ACTIVE,
            Membership.since_on <= on,
        )
    )
    return {row.member_id: row.since_on for row in rows}


def _ties(
    session: Session,
    community_id: int,
    on: date,
    members: Collection[int],
    *,
    past: bool = False,
) -> ArrayNetwork:
    """Live promises between members; only confirmed mutual ones are ties."""
    live = Vouch.status == VouchStatus.LIVE
    if past:
        night = _night_after(on)
        live = and_(
            Vouch.accepted_at < night, or_(Vouch.ended_at.is_(None), Vouch.ended_at >= night)
        )
    rows = session.execute(
        select(Vouch.voucher_id, Vouch.borrower_id).where(
            Vouch.community_id == community_id, live, Vouch.expires_on >= on
        )
    ).all()
    ends = [(a, b) for a, b in rows if a in members and b in members]
    return from_rows(
        np.array([a for a, _ in ends], np.int64),
        np.array([b for _, b in ends], np.int64),
        ids=np.array(sorted(members), np.int64),
    )


def _introductions(
    session: Session,
    community_id: int,
    on: date,
    joined: Mapping[int, date],
    rules: CharterRules,
) -> list[Introduction]:
    """Whose promise each newcomer of these days took first."""
    since = on - timedelta(days=rules.inflow_days)
    rows = session.execute(
        select(Vouch.borrower_id, Vouch.voucher_id, Vouch.accepted_at)
        .where(
            Vouch.community_id == community_id,
            Vouch.kind == VouchKind.PERSONAL,
            Vouch.accepted_at.is_not(None),
            Vouch.accepted_at >= datetime.combine(since, time(), UTC),
            Vouch.accepted_at < _night_after(on),
        )
        .order_by(Vouch.accepted_at, Vouch.id)
    )
    found: dict[int, Introduction] = {}
    for newcomer, by, accepted_at in rows:
        assert accepted_at is not None  # asked for above
        is_new = newcomer in joined and joined[newcomer] >= since
        # Somebody who came later did not bring them in.
        if is_new and newcomer not in found and joined.get(by, on) <= joined[newcomer]:
            if by in found and found[by].by_id == newcomer:
                continue
            found[newcomer] = Introduction(newcomer, by, accepted_at.date())
    return list(found.values())


def _night_after(on: date) -> datetime:
    return datetime.combine(on + timedelta(days=1), time(), UTC)


def _moved(
    session: Session,
    community_id: int,
    on: date,
    rules: CharterRules,
    kind: SavingsMovementKind,
) -> dict[int, list[int]]:
    """Savings of these days by member, oldest first."""
    rows = session.execute(
        select(SavingsMovement.member_id, SavingsMovement.amount_minor)
        .where(
            SavingsMovement.community_id == community_id,
            SavingsMovement.kind == kind,
            SavingsMovement.on >= on - timedelta(days=rules.inflow_days),
            SavingsMovement.on <= on,
        )
        .order_by(SavingsMovement.id)
    )
    found: dict[int, list[int]] = {}
    for member, amount in rows:
        found.setdefault(member, []).append(amount)
    return found
