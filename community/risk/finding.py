"""Guarantee circles in a network of promises, found in steps. Pure.

1. Members who stand behind each other along chains (strong components). Up to `most` members they
   are one circle.
2. In a larger one: members who promised each other (mutual pairs), with whoever closes a triangle
   over such a pair (a → c → b beside a ⇄ b). What hangs together by that is one circle.
3. Among the rest: rings of at most `longest` promises; rings that share a member are one circle.
4. What is larger than `most` in 2 and 3 is cut into parts where the fewest promises are cut.
5. Hubs: members who stand for a large share of the book, with all those they stand for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from graph.arrays import ArrayNetwork, Ints, from_rows
from graph.cycles import bounded_cycles
from graph.robustness import split_components
from graph.structure import mutual_pairs, strong_components, weak_components

# Vouches looked at while rings are searched: about a second.
SEARCH_STEPS = 50_000_000
_LISTED = 100_000


class CircleKind(StrEnum):
    CIRCLE = "circle"  # a whole strong component
    MUTUAL = "mutual"  # mutual pairs and the triangles over them, in a larger component
    RING = "ring"  # rings of a few promises, in a larger component
    PART = "part"  # cut out of something too large
    HUB = "hub"  # one who stands for a large share, and those stood for


@dataclass(frozen=True, slots=True)
class Circle:
    """Members bound to each other; ids ascending. `hub`: who holds a hub together."""

    kind: CircleKind
    members: tuple[int, ...]
    hub: int | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """All circles, no member in two; and whether every ring was looked for."""

    circles: tuple[Circle, ...]
    complete: bool
    largest_component: int


def find_circles(
    network: ArrayNetwork, *, least: int, most: int, longest: int, steps: int = SEARCH_STEPS
) -> Search:
    """Circles of `least` to `most` members; the answer does not hang on the order of anything.

    `complete` is False where the search for rings ran out of its budget: what is left is cut into
    parts instead, and nobody in a circle is missed by that.
    """
    whole = strong_components(network)
    found = list(_sized(whole.groups(2), CircleKind.CIRCLE, least, most))
    large = whole.size[whole.label] > most if network.n else np.zeros(0, bool)
    complete = True
    if large.any():
        inside = large[network.tails] & (
            whole.label[network.tails] == whole.label[network.out_head]
        )
        sub = _subnetwork(network, inside)
        bound = _bound_by_pairs(sub)
        found += _components(sub, bound, CircleKind.MUTUAL, least, most)
        in_pairs = np.zeros(sub.n, bool)
        in_pairs[bound[0]] = in_pairs[bound[1]] = True
        rest = _subnetwork(sub, ~(in_pairs[sub.tails] | in_pairs[sub.out_head]))
        again = strong_components(rest)
        found += _sized(again.groups(2), CircleKind.RING, least, most)
        wide = again.size[again.label] > most if rest.n else np.zeros(0, bool)
        if wide.any():
            kept = wide[rest.tails] & (again.label[rest.tails] == again.label[rest.out_head])
            wider = _subnetwork(rest, kept)
            rings, complete = _rings(wider, longest, steps)
            found += _components(wider, rings, CircleKind.RING, least, most)
    found.sort(key=lambda circle: circle.members)
    return Search(tuple(found), complete, whole.largest)


def find_hubs(
    vouchers: Ints, borrowers: Ints, reserved: Ints, *, book_minor: int, share_bps: int
) -> tuple[Circle, ...]:
    """Members on whose promises more than this share of what is lent rests, largest first."""
    if not book_minor:
        return ()
    live = reserved > 0
    who, at = np.unique(vouchers[live], return_inverse=True)
    sums = np.zeros(who.size, np.int64)
    np.add.at(sums, at, reserved[live])
    large = [
        (int(total), int(member))
        for member, total in zip(who.tolist(), sums.tolist(), strict=True)
        if total * 10_000 > share_bps * book_minor
    ]
    circles = []
    for _, member in sorted(large, key=lambda item: (-item[0], item[1])):
        stood_for = np.unique(borrowers[live & (vouchers == member)])
        members = tuple(sorted({member, *stood_for.tolist()}))
        circles.append(Circle(CircleKind.HUB, members, member))
    return tuple(circles)


def _sized(
    groups: Iterable[tuple[object, ...]], kind: CircleKind, least: int, most: int
) -> Iterable[Circle]:
    for group in groups:
        if least <= len(group) <= most:
            yield Circle(kind, tuple(sorted(int(str(member)) for member in group)))


def _subnetwork(
    network: ArrayNetwork, chosen: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> ArrayNetwork:
    ids = np.array(network.ids_of(range(network.n)), np.int64)
    tails, heads = ids[network.tails[chosen]], ids[network.out_head[chosen]]
    return from_rows(tails, heads, network.out_room[chosen])


def _bound_by_pairs(network: ArrayNetwork) -> tuple[Ints, Ints]:
    """Ties of step 2, by place: mutual pairs, and the third member of each triangle over one."""
    pairs = mutual_pairs(network)
    first, second = pairs.first.astype(np.int64), pairs.second.astype(np.int64)
    n = network.n
    keys = network.tails.astype(np.int64) * n + network.out_head  # ascending: rows are sorted
    starts, ends = [first, second], [second, first]
    ties = [(first, second)]
    for a, b in zip(starts, ends, strict=True):
        counts = network.out_start[a + 1] - network.out_start[a]
        which = np.repeat(np.arange(a.size), counts)
        offset = np.arange(which.size) - np.repeat(np.cumsum(counts) - counts, counts)
        third = network.out_head[network.out_start[a][which] + offset].astype(np.int64)
        wanted = third * n + b[which]
        at = np.minimum(np.searchsorted(keys, wanted), max(keys.size - 1, 0))
        closes = keys[at] == wanted if keys.size else np.zeros(0, bool)
        ties.append((a[which][closes], third[closes]))
    return (
        np.concatenate([one for one, _ in ties]),
        np.concatenate([other for _, other in ties]),
    )


def _rings(network: ArrayNetwork, longest: int, steps: int) -> tuple[tuple[Ints, Ints], bool]:
    """Ties of step 3, by place. Out of budget: every promise is one, to be cut into parts."""
    found = bounded_cycles(network, longest, most=_LISTED, steps=steps)
    if not found.complete or sum(found.by_length.values()) > len(found.cycles):
        return (network.tails.astype(np.int64), network.out_head.astype(np.int64)), False
    tails, heads = [], []
    for ring in found.cycles:
        places = network.places(list(ring)).tolist()
        tails += places[:-1]
        heads += places[1:]
    return (np.array(tails, np.int64), np.array(heads, np.int64)), True


def _components(
    network: ArrayNetwork, ties: tuple[Ints, Ints], kind: CircleKind, least: int, most: int
) -> list[Circle]:
    """What hangs together by these ties; cut into parts where it is too large."""
    if not ties[0].size:
        return []
    ids = np.array(network.ids_of(range(network.n)), np.int64)
    tied = from_rows(ids[ties[0]], ids[ties[1]])
    whole = weak_components(tied)
    found = list(_sized(whole.groups(2), kind, least, most))
    large = whole.size[whole.label] > most
    if large.any():
        parts = split_components(_subnetwork(tied, large[tied.tails]), most).parts
        found += _sized(parts.groups(2), CircleKind.PART, least, most)
    return found
