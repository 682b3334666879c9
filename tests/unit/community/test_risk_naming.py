"""Names and circles as properties: nothing hangs on order, names go on by one stated rule."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from community.risk.finding import CircleKind, find_circles, find_hubs
from community.risk.naming import match_names
from graph.arrays import from_rows


@st.composite
def partitions(draw: st.DrawFn) -> list[list[int]]:
    """Disjoint circles of some of thirty members."""
    labels = draw(st.lists(st.integers(0, 6), min_size=30, max_size=30))
    groups: dict[int, list[int]] = {}
    for member, label in enumerate(labels):
        if label:
            groups.setdefault(label, []).append(member)
    return list(groups.values())


@settings(max_examples=150, deadline=None)
@given(partitions(), partitions(), st.randoms(use_true_random=False))
def test_a_name_goes_on_exactly_by_the_stated_rule(before, after, rng) -> None:  # type: ignore[no-untyped-def]
    had = {10 + place: members for place, members in enumerate(before)}
    kept = match_names(had, after)
    given_names = [name for name in kept if name is not None]
    assert len(given_names) == len(set(given_names))
    for place, members in enumerate(after):
        shares = {name: len(set(was) & set(members)) for name, was in had.items()}
        claims = [name for name, n in shares.items() if 2 * n > len(had[name])]
        # The larger overlap, then the older name; new only where nobody's majority is here.
        best = min(claims, key=lambda name: (-shares[name], name), default=None)
        assert kept[place] == best
    order = list(range(len(after)))
    rng.shuffle(order)
    again = match_names(had, [list(reversed(after[place])) for place in order])
    assert again == [kept[place] for place in order]


@given(partitions())
def test_circles_that_stay_keep_their_names(circles: list[list[int]]) -> None:
    had = {place: members for place, members in enumerate(circles)}  # noqa: C416
    assert match_names(had, circles) == list(range(len(circles)))


def test_a_circle_that_falls_in_two_halves_ends() -> None:
    assert match_names({1: [1, 2, 3, 4]}, [[1, 2], [3, 4]]) == [None, None]
    assert match_names({1: [1, 2, 3, 4, 5]}, [[1, 2], [3, 4, 5]]) == [None, 1]
    # Two grow together: the larger overlap wins, then the older name.
    assert match_names({1: [1, 2], 2: [3, 4, 5]}, [[1, 2, 3, 4, 5]]) == [2]
    assert match_names({4: [1, 2], 3: [3, 4]}, [[1, 2, 3, 4]]) == [3]


EDGES = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 14)).filter(lambda e: e[0] != e[1]),
    min_size=1,
    max_size=60,
)


def _closed(edges: set[tuple[int, int]], members: tuple[int, ...]) -> bool:
    """Whether from each member every other is reached, within the whole network."""
    reach = {m: {m} for m in range(15)}
    for _ in range(15):
        for a, b in edges:
            reach[a] |= reach[b]
    return all(b in reach[a] for a, b in itertools.permutations(members, 2))


@settings(max_examples=80, deadline=None)
@given(EDGES, st.integers(2, 6))
def test_circles_are_disjoint_bounded_and_closed(edges: list[tuple[int, int]], most: int) -> None:
    tails, heads = np.array([a for a, _ in edges]), np.array([b for _, b in edges])
    network = from_rows(tails, heads, ids=np.arange(15))
    found = find_circles(network, least=2, most=most, longest=4)
    seen: set[int] = set()
    for circle in found.circles:
        assert 2 <= len(circle.members) <= most
        assert not seen & set(circle.members)
        seen |= set(circle.members)
        assert _closed(set(edges), circle.members)
    back = from_rows(tails[::-1].copy(), heads[::-1].copy(), ids=np.arange(15))
    assert find_circles(back, least=2, most=most, longest=4) == found
    # Who promised each other is in a circle, unless cut off from it by its size.
    pairs = {frozenset(e) for e in edges if (e[1], e[0]) in edges}
    if most >= 6 and found.largest_component <= most:
        assert all(any(pair <= set(c.members) for c in found.circles) for pair in pairs)


def test_the_steps_one_after_another() -> None:
    def kinds(edges: list[tuple[int, int]], most: int) -> list[tuple[CircleKind, tuple[int, ...]]]:
        network = from_rows(np.array([a for a, _ in edges]), np.array([b for _, b in edges]))
        found = find_circles(network, least=2, most=most, longest=4)
        return [(circle.kind, circle.members) for circle in found.circles]

    ring = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 1)]
    assert kinds(ring, 7) == [(CircleKind.CIRCLE, (1, 2, 3, 4, 5, 6, 7))]
    # Too large as a whole, and no ring of four promises in it: nothing is bound closely.
    assert kinds(ring, 5) == []
    # 1 ⇄ 2, and 8 closes a triangle over the pair; 4 → 5 → 9 → 4 is a ring.
    more = [*ring, (2, 1), (1, 8), (8, 2), (5, 9), (9, 4)]
    assert kinds(more, 5) == [(CircleKind.MUTUAL, (1, 2, 8)), (CircleKind.RING, (4, 5, 9))]


def test_hubs_by_hand() -> None:
    vouchers, borrowers = np.array([1, 1, 2, 3]), np.array([2, 3, 3, 1])
    reserved = np.array([40, 20, 30, 0])
    [hub] = find_hubs(vouchers, borrowers, reserved, book_minor=100, share_bps=5_999)
    assert (hub.hub, hub.members) == (1, (1, 2, 3))
    assert find_hubs(vouchers, borrowers, reserved, book_minor=100, share_bps=6_000) == ()
    assert find_hubs(vouchers, borrowers, reserved, book_minor=0, share_bps=1) == ()
