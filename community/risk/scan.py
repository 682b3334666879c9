"""From a book and a charter to circles, ranked, with reasons and suggestions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from community.communities.charter import CharterRules
from community.risk.actions import Action, suggest
from community.risk.ahead import Book
from community.risk.book import Desk
from community.risk.columns import Columns
from community.risk.finding import Circle, CircleKind, find_circles, find_hubs
from community.risk.losses import Cost, Loss, Reckoner, failure_bps, one_by_one
from graph.arrays import Ints, from_rows
from graph.cycles import bounded_cycles
from graph.robustness import core_numbers, weak_points
from graph.structure import mutual_pairs

Facts = dict[str, Any]

# More losses than this are worth loading the compiled loops for.
_ONE_BY_ONE_MAX = 3_000


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """One member of a circle."""

    member_id: int
    owed_minor: int
    guaranteed_minor: int
    contingent_bps: int | None
    core: int
    is_articulation: bool
    worst_paid_minor: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A circle with what it can cost, most costly first."""

    circle: Circle
    borrowers: int
    exposure_minor: int
    cost: Cost
    reasons: tuple[Facts, ...]
    actions: tuple[Action, ...]
    members: tuple[MemberFacts, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """All circles of a community."""

    found: tuple[Ranked, ...]
    is_complete: bool
    largest_component: int
    members: int
    vouches: int


def scan(desk: Desk, rules: CharterRules, *, threads: int = 1) -> Scan:
    """Find the circles of a book and rank them by expected, then by worst loss.

    The same book and charter always give the same answer, however many threads work on it.
    """
    network = desk.network
    search = find_circles(
        network,
        least=rules.circle_members_min,
        most=rules.circle_members_max,
        longest=rules.circle_ring_max,
    )
    hubs = find_hubs(
        desk.vouchers,
        desk.borrowers,
        desk.reserved,
        book_minor=desk.outstanding_minor,
        share_bps=rules.hub_share_bps_max,
    )
    circles = [*search.circles, *hubs]
    reckoner = Reckoner(
        desk.book,
        failure_bps(desk.book, desk.traits, rules),
        rules.fail_together_bps,
        rules.assessed_pays_bps,
    )
    reckoner.prepare((circle.members for circle in circles), partial(_reckon, rules, threads))
    shape = _Shape(desk, circles)
    costs = [reckoner.cost(circle.members) for circle in circles]
    order = sorted(
        range(len(circles)),
        key=lambda at: (
            -costs[at].expected_minor,
            -costs[at].worst_minor,
            circles[at].members,
            circles[at].kind,
        ),
    )
    found = []
    for rank, at in enumerate(order):
        circle, cost = circles[at], costs[at]
        advised = rank < rules.circles_advised_max and cost.worst_minor > 0
        members = shape.members(circle, cost)
        found.append(
            Ranked(
                circle,
                len(reckoner.borrowers(circle.members)),
                sum(member.owed_minor for member in members),
                cost,
                tuple(
                    _reasons(
                        desk,
                        rules,
                        shape,
                        at,
                        circle,
                        members,
                        search.largest_component if circle.kind is CircleKind.PART else 0,
                        advised,
                    )
                ),
                tuple(suggest(reckoner, circle.members)) if advised else (),
                members,
            )
        )
    return Scan(
        tuple(found), search.complete, search.largest_component, network.n, int(desk.vouch_ids.size)
    )


def _reckon(
    rules: CharterRules, threads: int, book: Book, failing: Sequence[frozenset[int]]
) -> list[Loss]:
    """One by one while they are few, compiled where they are many: the two say the same."""
    if len(failing) <= _ONE_BY_ONE_MAX:
        return one_by_one(book, failing, rules.assessed_pays_bps)
    return Columns(book, rules.assessed_pays_bps).losses(failing, threads)


class _Shape:
    """What the whole network says of members and of what lies inside each circle."""

    def __init__(self, desk: Desk, circles: Sequence[Circle]) -> None:
        network = desk.network
        self.network = network
        self.ids = np.array(network.ids_of(range(network.n)), np.int64)
        self.core = core_numbers(network).number
        weak = weak_points(network)
        self.is_articulation = weak.is_articulation
        # Hubs may overlap with anything: only circles are labels.
        label = np.full(network.n, -1, np.int64)
        for at, circle in enumerate(circles):
            if circle.kind is not CircleKind.HUB:
                label[network.places(np.array(circle.members, np.int64))] = at
        size = len(circles)
        self.pairs = _counted(label, *_ends(mutual_pairs(network)), size)
        self.bridges = _counted(label, *_ends(weak.bridges), size)
        self.inside = _counted(label, network.tails, network.out_head, size)
        self.guaranteed = np.zeros(network.n, np.int64)
        np.add.at(self.guaranteed, network.tails, network.out_room)
        self.purses = desk.book.purses
        self.owed: dict[int, int] = {}
        for loan in desk.book.loans:
            self.owed[loan.borrower_id] = self.owed.get(loan.borrower_id, 0) + loan.owed_minor

    def members(self, circle: Circle, cost: Cost) -> tuple[MemberFacts, ...]:
        found = []
        places = self.network.places(np.array(circle.members, np.int64)).tolist()
        for member, place in zip(circle.members, places, strict=True):
            purse = self.purses.get(member)
            owed = self.owed.get(member, 0)
            guaranteed = int(self.guaranteed[place])
            means = 0 if purse is None else purse.stake_minor + purse.assessed_minor
            ratio = (owed + guaranteed) * 10_000 // means if means else None
            found.append(
                MemberFacts(
                    member,
                    owed,
                    guaranteed,
                    0 if owed + guaranteed == 0 else ratio,
                    int(self.core[place]),
                    bool(self.is_articulation[place]),
                    cost.worst_paid.get(member, 0),
                )
            )
        return tuple(found)


def _ends(pairs: Any) -> tuple[Ints, Ints]:
    return pairs.first, pairs.second


def _counted(label: Ints, firsts: Any, seconds: Any, size: int) -> Ints:
    """How many pairs lie inside each circle."""
    one, other = label[firsts], label[seconds]
    return np.bincount(one[(one == other) & (one >= 0)], minlength=size)


def _reasons(
    desk: Desk,
    rules: CharterRules,
    shape: _Shape,
    at: int,
    circle: Circle,
    members: Sequence[MemberFacts],
    largest: int,
    in_full: bool,
) -> list[Facts]:
    """Why it is one, as facts; the most telling first. Rings are counted where it is `in_full`."""
    inside = frozenset(circle.members)
    found: list[Facts] = []
    if circle.hub is not None:
        rests = int(desk.reserved[desk.vouchers == circle.hub].sum())
        found.append(
            {
                "code": "hub",
                "member_id": circle.hub,
                "amount_minor": rests,
                "share_bps": rests * 10_000 // desk.outstanding_minor,
                "limit_bps": rules.hub_share_bps_max,
            }
        )
    if circle.kind is CircleKind.PART:
        found.append({"code": "part", "largest": largest})
    pairs = int(shape.pairs[at])
    if pairs:
        found.append({"code": "mutual_pairs", "pairs": pairs})
    elif in_full and circle.kind is not CircleKind.HUB:
        found.append({"code": "rings", **_shortest_ring(desk, circle)})
    found += _cover_reasons(desk, inside)
    borrowers = sum(member.owed_minor > 0 for member in members)
    if borrowers > 1:
        found.append({"code": "borrow_together", "borrowers": borrowers, "members": len(members)})
    late = sum(
        (purse := desk.book.purses.get(member)) is not None and purse.is_overdue
        for member in circle.members
    )
    if late:
        found.append({"code": "late", "members": late})
    limit = rules.contingent_bps_max
    heavy = [m for m in members if m.contingent_bps is None or m.contingent_bps > limit]
    if heavy:
        worst = max(
            heavy, key=lambda m: (m.contingent_bps is None, m.contingent_bps or 0, -m.member_id)
        )
        found.append(
            {
                "code": "contingent",
                "members": len(heavy),
                "member_id": worst.member_id,
                "ratio_bps": worst.contingent_bps,
                "limit_bps": limit,
            }
        )
    key = [member.member_id for member in members if member.is_articulation]
    if key and circle.kind is not CircleKind.HUB:
        found.append(
            {
                "code": "weak_points",
                "members": len(key),
                "member_id": key[0],
                "bridges": int(shape.bridges[at]),
            }
        )
    found.append({"code": "core", "core": max(member.core for member in members)})
    return found


def _shortest_ring(desk: Desk, circle: Circle) -> Facts:
    network = desk.network
    places = network.places(np.array(circle.members, np.int64))
    inside = np.zeros(network.n, bool)
    inside[places] = True
    edges = np.concatenate(
        [np.arange(network.out_start[p], network.out_start[p + 1]) for p in places.tolist()]
    )
    edges = edges[inside[network.out_head[edges]]]
    if not edges.size:
        return {"rings": 0, "shortest": 0}
    sub = from_rows(network.tails[edges], network.out_head[edges])
    rings = bounded_cycles(sub, min(6, len(circle.members)), most=0, steps=1_000_000).by_length
    by_length = {length: number for length, number in rings.items() if number}
    return {"rings": sum(by_length.values()), "shortest": min(by_length, default=0)}


def _cover_reasons(desk: Desk, inside: frozenset[int]) -> list[Facts]:
    """Where the cover of the circle's loans comes from, and from what."""
    whole = within = bare = 0
    crops: dict[str, int] = {}
    owed = 0
    seen: dict[int, int] = {}
    for member in sorted(inside):
        for loan in desk.book.loans_of.get(member, ()):
            owed += loan.owed_minor
            crop = desk.traits[loan.loan_id].crop
            if crop is not None:
                crops[crop] = crops.get(crop, 0) + loan.owed_minor
            for line in loan.lines:
                held = line.held.held_minor
                whole += held
                if line.held.owner_id in inside:
                    within += held
                    seen[line.held.owner_id] = seen.get(line.held.owner_id, 0) + held
    for member, held in seen.items():
        purse = desk.book.purses.get(member)
        bare += max(held - (0 if purse is None else purse.stake_minor), 0)
    found: list[Facts] = []
    if whole and within:
        found.append(
            {"code": "cover_inside", "amount_minor": within, "share_bps": within * 10_000 // whole}
        )
    if bare:
        found.append(
            {"code": "assessed_only", "amount_minor": bare, "share_bps": bare * 10_000 // whole}
        )
    if crops and len(inside) > 1:
        crop, amount = max(crops.items(), key=lambda item: (item[1], item[0]))
        if amount * 2 > owed:
            found.append({"code": "one_crop", "crop": crop, "share_bps": amount * 10_000 // owed})
    return found


def actions_as_rows(actions: Sequence[Action], public: Mapping[int, str]) -> list[Facts]:
    """Suggestions as they are stored."""
    return [
        {
            "code": action.kind.value,
            "amount_minor": action.amount_minor,
            "vouch_id": action.vouch_id,
            "vouch": public.get(action.vouch_id) if action.vouch_id is not None else None,
            "member_id": action.member_id,
            "expected_change_bps": action.expected_change_bps,
            "pool_change_bps": action.pool_change_bps,
            "worst_change_bps": action.worst_change_bps,
            "moved_minor": action.moved_minor,
            "after": {
                "expected_pool_minor": action.after.expected_pool_minor,
                "expected_members_minor": action.after.expected_members_minor,
                "worst_pool_minor": action.after.worst_pool_minor,
                "worst_members_minor": action.after.worst_members_minor,
            },
        }
        for action in actions
    ]
