"""Limits on networks of arrays, against promises, NetworkX and their own proof."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.array_limits import limit_values, promises_near, whole_limit
from graph.arrays import from_edges, from_rows
from graph.cuts import CutFinder
from graph.errors import BadCapacity, BadParameter, UnknownNode
from graph.limits import (
    Promise,
    check_certificate,
    cover_limit,
    cover_limits_all,
    reserve_cover,
)
from graph.overlay import overlaid
from tests.unit.graph.samples import two_vouch_value

MEMBERS = 9
amounts = st.one_of(st.just(0), st.integers(1, 6), st.integers(1, 10**9))
pairs = st.tuples(st.integers(0, MEMBERS - 1), st.integers(0, MEMBERS - 1)).filter(
    lambda pair: pair[0] != pair[1]
)
room_tables = st.dictionaries(pairs, amounts, max_size=40)
standing_tables = st.dictionaries(st.integers(0, MEMBERS - 1), amounts, max_size=MEMBERS)
circles = st.sampled_from([0, 1, 2, None])


def build(rooms, standings, members=MEMBERS):
    edges = ((tail, head, room) for (tail, head), room in rooms.items())
    return from_edges(edges, standings, nodes=range(members))


def promises_of(rooms):
    return [Promise(pair, *pair, room) for pair, room in rooms.items()]


def whole_by_networkx(rooms, standings, borrowers, members=MEMBERS):
    net = nx.DiGraph()
    net.add_nodes_from(range(members))
    net.add_nodes_from(["pool", "end"])
    for (tail, head), room in rooms.items():
        net.add_edge(tail, head, capacity=room)
    for member, standing in standings.items():
        net.add_edge("pool", member, capacity=standing)
    for borrower in borrowers:
        net.add_edge(borrower, "end")
    return nx.maximum_flow_value(net, "pool", "end")


def is_cut(cut, rooms, standings, borrowers):
    """By definition: all that leads into the side, and every standing in it."""
    entering = {p: r for p, r in rooms.items() if r and p[0] not in cut.side and p[1] in cut.side}
    within = {m: s for m, s in standings.items() if s and m in cut.side}
    return (
        set(borrowers) <= cut.side
        and cut.pairs == entering
        and cut.standings == within
        and cut.value == sum(entering.values()) + sum(within.values())
    )


def is_flow(flow, rooms, standings, borrowers):
    arrives = dict(flow.drawn)
    assert all(0 < amount <= standings[m] for m, amount in flow.drawn.items())
    for (tail, head), amount in flow.vouches.items():
        assert 0 < amount <= rooms[tail, head]
        arrives[tail] = arrives.get(tail, 0) - amount
        arrives[head] = arrives.get(head, 0) + amount
    assert all(amount == 0 for m, amount in arrives.items() if m not in borrowers)
    return sum(arrives.get(b, 0) for b in borrowers)


@given(room_tables, standing_tables, circles)
def test_arrays_promises_and_networkx_agree(rooms, standings, circle):
    network = build(rooms, standings)
    held = {m: standings.get(m, 0) for m in range(MEMBERS)}
    promises = promises_of(rooms)
    found = cover_limits_all(network, circle=circle)
    assert found == cover_limits_all(held, promises, circle=circle)
    assert found == {b: cover_limit(b, network, circle=circle).value for b in range(MEMBERS)}
    if circle == 2:
        assert found == {b: two_vouch_value(b, held, promises) for b in range(MEMBERS)}
    if circle is None:
        assert found == {b: whole_by_networkx(rooms, held, [b]) for b in range(MEMBERS)}
        finder = CutFinder(network)
        assert found == {b: finder.value(b) for b in range(MEMBERS)}


@given(st.integers(0, 2**32))
def test_a_standing_that_many_want_goes_where_it_is_needed_most(seed):
    # Few members with little standing and much room: nearly every unit is wanted twice.
    random = np.random.default_rng(seed)
    n = 14
    tails, heads = random.integers(0, n, (2, 110))
    apart = tails != heads
    rooms = random.integers(0, 5, 110)
    standings = random.integers(0, 6, n) * (random.random(n) < 0.5)
    network = from_rows(
        tails[apart], heads[apart], rooms[apart], ids=np.arange(n), standings=standings
    )
    held, promises = promises_near(network, 0, 2)
    assert limit_values(network, [0]).tolist() == [two_vouch_value(0, held, promises)]


@given(room_tables, standing_tables, st.sets(st.integers(0, MEMBERS - 1), min_size=1, max_size=3))
def test_a_cut_and_a_flow_prove_each_other(rooms, standings, borrowers):
    finder = CutFinder(build(rooms, standings))
    cut, flow = finder.cut_and_flow(*borrowers)
    assert is_cut(cut, rooms, standings, borrowers)
    assert is_flow(flow, rooms, standings, borrowers) == cut.value == sum(flow.drawn.values())
    assert finder.cut(*borrowers) == cut
    assert cut.value == whole_by_networkx(rooms, standings, borrowers)
    # Nobody in the side of a smaller one: each member of the side can pass on one unit more.
    for member in cut.side - borrowers:
        assert (
            finder.overlaid(standings={member: standings.get(member, 0) + 1}).cut(*borrowers).value
            == cut.value + 1
        )


@given(room_tables, standing_tables, st.integers(0, MEMBERS - 1), st.integers(1, 7))
def test_certificates_and_what_would_raise_a_limit_are_those_of_the_promises(
    rooms, standings, borrower, by
):
    network = build(rooms, standings)
    held = {m: standings.get(m, 0) for m in range(MEMBERS)}
    promises = promises_of(rooms)
    for circle in (1, 2, 3, None):
        limit = cover_limit(borrower, network, circle=circle)
        slow = cover_limit(borrower, held, promises, circle=circle)
        assert check_certificate(limit, held, promises)
        assert limit.optimum == slow.optimum
        if circle != 3:
            assert (limit.own, limit.cut) == (slow.own, slow.cut)
        assert limit.raises(by) == slow.raises(by)
        assert limit.best_promise(by) == slow.best_promise(by)
    assert reserve_cover(borrower, network, (), limit.own) == reserve_cover(
        borrower, held, promises, limit.own
    )


@given(room_tables, standing_tables, room_tables, standing_tables, circles)
def test_an_overlay_answers_like_the_network_with_the_changes_in_it(
    rooms, standings, later, granted, circle
):
    network = build(rooms, standings, 6)
    # Built with six members: some of the nine come only with the changes.
    finder = CutFinder(network)
    half = dict(list(later.items())[: len(later) // 2])
    rest = {pair: room for pair, room in later.items() if pair not in half}
    now, now_held = {**rooms, **later}, {**standings, **granted}
    rebuilt = build(now, now_held, 6)
    members = rebuilt.ids_of(range(rebuilt.n))
    expected = cover_limits_all(rebuilt, circle=circle)
    changed = overlaid(overlaid(network, half), rest, granted)
    assert cover_limits_all(changed, circle=circle, borrowers=members) == expected
    assert cover_limits_all(changed, circle=circle) == expected
    if circle is None:
        in_two = finder.overlaid(half, granted).overlaid(rest)
        assert dict(zip(members, in_two.values(members).tolist(), strict=True)) == expected
        for member in members:
            assert is_cut(in_two.cut(member), now, now_held, [member])
            assert whole_limit(in_two, member).value == expected[member]
        # The finder below still answers for its own network, scratch arrays being shared.
        assert finder.values().tolist() == CutFinder(network).values().tolist()
    else:
        assert [cover_limit(m, changed, circle=circle).value for m in members] == list(
            expected.values()
        )


@given(room_tables, standing_tables, pairs, st.integers(1, 9))
def test_limits_grow_with_vouches_and_with_the_circle(rooms, standings, pair, more):
    network = build(rooms, standings)
    grown = overlaid(network, {pair: rooms.get(pair, 0) + more})
    before = None
    for circle in (0, 1, 2, 3, None):
        values = limit_values(network, circle=circle)
        assert (limit_values(grown, circle=circle) >= values).all()
        assert before is None or (values >= before).all()
        before = values


@given(room_tables, standing_tables, st.permutations(range(MEMBERS)), circles)
def test_names_are_only_names(rooms, standings, named, circle):
    renamed = build(
        {(named[t], named[h]): room for (t, h), room in reversed(rooms.items())},
        {named[m]: standing for m, standing in standings.items()},
    )
    values = limit_values(build(rooms, standings), circle=circle)
    assert limit_values(renamed, named, circle=circle).tolist() == values.tolist()
    side = CutFinder(build(rooms, standings)).cut(0).side
    assert CutFinder(renamed).cut(named[0]).side == {named[m] for m in side}


@given(
    room_tables,
    standing_tables,
    st.lists(st.integers(0, 2), min_size=60, max_size=60),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), amounts), max_size=6),
)
def test_a_stake_split_among_invented_members_borrows_no_more(rooms, standings, shares, invented):
    # Member 0 becomes three, who share the standing and every vouch unit by unit as they like,
    # and vouch for each other as much as they like.
    ring = [0, 100, 101]
    parts = iter(shares)
    split = {}
    for (tail, head), room in rooms.items():
        if 0 not in (tail, head):
            split[tail, head] = room
            continue
        first = room * next(parts, 1) // 2
        for part, amount in zip(ring, (first, room - first, 0), strict=True):
            split[part if tail == 0 else tail, part if head == 0 else head] = amount
    for one, other, room in invented:
        if one != other:
            split[ring[one], ring[other]] = room
    own = standings.get(0, 0)
    first = own * next(parts, 1) // 2
    held = {**standings, 0: first, 100: own - first, 101: 0}
    network = build(split, held)
    alone = build(rooms, standings)
    assert CutFinder(network).cut(*ring).value == CutFinder(alone).value(0)
    # One after the other on what is left, with at most two vouches.
    total = 0
    for borrower in ring:
        left = build(split, held)
        value = int(limit_values(left, [borrower])[0])
        for path in reserve_cover(borrower, left, (), value):
            held[path.standing_of] -= path.amount
            for pair in path.promises:
                split[pair] -= path.amount
        total += value
    assert total <= limit_values(alone, [0])[0]


def test_long_chains_wide_hubs_and_many_queries_use_the_same_arrays():
    # A chain with no way round, and a hub with more vouchers than the arrays hold at first.
    long, hub, beyond = 400, 10_000, 10_001
    rooms = {(i, i + 1): 10**6 - i for i in range(long)}
    rooms |= {(i, hub): 5 for i in range(2, long)}
    rooms |= {(i, hub): 1 for i in range(hub + 2, hub + 5000)}
    rooms[hub, beyond] = 7
    standings = {0: 10**9, 200: 1} | {i: i % 2 for i in range(hub + 2, hub + 5000)}
    network = build(rooms, standings, long + 1)
    finder = CutFinder(network)
    assert finder.value(long) == 10**6 - long + 1
    assert finder.value(hub) == 5 * (long - 2) + 2499
    assert finder.values([beyond, 200, 0, 201]).tolist() == [7, 999_802, 10**9, 999_800]
    assert is_cut(finder.cut(hub), rooms, standings, [hub])
    assert limit_values(network, [hub]).tolist() == [2499 + 1]
    dry = finder.overlaid({(0, 1): 0})
    assert (dry.value(long), dry.value(hub), finder.value(long)) == (1, 2500, 10**6 - long + 1)
    assert dry.cut(long).side == set(range(1, long + 1))
    with ThreadPoolExecutor(4) as threads:
        asked = list(range(0, long, 7)) * 2
        assert list(threads.map(finder.value, asked)) == finder.values(asked).tolist()


def test_what_is_asked_is_not_changed():
    network = build({(0, 1): 5, (2, 0): 4}, {0: 3, 2: 9})
    before = {name: array.copy() for name, array in network.arrays().items()}
    drawn = network.to_networkx()
    for given_network in (network, drawn, overlaid(network, {(2, 1): 1})):
        for circle in (2, 3, None):
            cover_limit(1, given_network, circle=circle).raises(2)
            limit_values(given_network, circle=circle)
        reserve_cover(1, given_network, (), 5)
    CutFinder(network).overlaid({(5, 6): 2}).cut(6, 1)
    assert all(np.array_equal(network.arrays()[name], array) for name, array in before.items())
    assert nx.utils.graphs_equal(drawn, network.to_networkx())


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda n: limit_values(n, [77]), UnknownNode),
        (lambda n: limit_values(n, circle=-1), BadParameter),
        (lambda n: limit_values(n, circle=1.0), BadParameter),
        (lambda n: limit_values({0: 1}), BadParameter),
        (lambda n: cover_limit(77, n), UnknownNode),
        (lambda n: cover_limit(77, n, circle=None), UnknownNode),
        (lambda n: cover_limit(1, n, [Promise(1, 0, 1, 5)]), BadParameter),
        (lambda n: cover_limit(1, n, overlay=[Promise(1, 0, 1, 5)]), BadParameter),
        (lambda n: cover_limits_all(n, [Promise(1, 0, 1, 5)]), BadParameter),
        (lambda n: cover_limits_all(n, borrowers=[1, 77]), UnknownNode),
        (lambda n: reserve_cover(1, n, [Promise(1, 0, 1, 5)], 1), BadParameter),
        (lambda n: promises_near(n, 1, -1), BadParameter),
        (lambda n: promises_near(n, "1", 2), UnknownNode),
        (lambda n: CutFinder(n).value(77), UnknownNode),
        (lambda n: CutFinder(n).cut(), BadParameter),
        (lambda n: CutFinder(n).cut(1, 77), UnknownNode),
        (lambda n: CutFinder(n).overlaid({(1, 2): -1}), BadCapacity),
        (lambda n: cover_limit(1, n, circle=None).raises(2**60), BadCapacity),
        (lambda n: cover_limit(1, n, circle=None).raises(0), BadParameter),
    ],
)
def test_questions_that_make_no_sense_are_refused(ask, error):
    with pytest.raises(error):
        ask(build({(0, 1): 5}, {0: 3}))
