"""Networks as arrays: the same edges both ways, whatever order they came in, never changed."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.arrays import ArrayNetwork, as_arrays, from_edges, from_networkx, from_rows
from graph.errors import BadCapacity, BadParameter, DuplicateId, GraphError, SelfLoop, UnknownNode
from graph.overlay import in_rows_of, overlaid

members = st.integers(0, 9)
edge_lists = st.lists(
    st.tuples(members, members, st.integers(0, 50)).filter(lambda e: e[0] != e[1]), max_size=40
)
standing_tables = st.dictionaries(members, st.integers(0, 50), max_size=8)


def rooms_in(edges: list[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    """What the rows say, the slow way."""
    found: dict[tuple[int, int], int] = {}
    for tail, head, room in edges:
        found[tail, head] = found.get((tail, head), 0) + room
    return found


def out_rows(network: ArrayNetwork) -> dict[tuple[object, object], int]:
    return {
        (network.id_of(t), network.id_of(int(network.out_head[e]))): int(network.out_room[e])
        for t in range(network.n)
        for e in range(int(network.out_start[t]), int(network.out_start[t + 1]))
    }


def rows_into(network: ArrayNetwork) -> dict[tuple[object, object], int]:
    return {
        (network.id_of(int(network.in_tail[e])), network.id_of(h)): int(network.in_room[e])
        for h in range(network.n)
        for e in range(int(network.in_start[h]), int(network.in_start[h + 1]))
    }


def same(a: ArrayNetwork, b: ArrayNetwork) -> bool:
    return list(a.ids_of(range(a.n))) == list(b.ids_of(range(b.n))) and all(
        np.array_equal(a.arrays()[name], b.arrays()[name]) for name in a.arrays()
    )


@given(edge_lists, standing_tables)
def test_both_directions_hold_what_the_rows_say(edges, standings):
    network = from_edges(edges, standings)
    wanted = rooms_in(edges)
    assert out_rows(network) == wanted
    assert rows_into(network) == wanted
    assert network.m == len(wanted)
    held = {network.id_of(i): int(network.standing[i]) for i in range(network.n)}
    assert held == {m: standings.get(m, 0) for m in {*standings, *(i for p in wanted for i in p)}}
    # Each place in the rows by borrower names the same edge in the rows by voucher.
    assert np.array_equal(network.out_room[network.in_edge], network.in_room)
    assert np.array_equal(network.tails[network.in_edge], network.in_tail)
    for start, ends in ((network.out_start, network.out_head), (network.in_start, network.in_tail)):
        for i in range(network.n):
            row = ends[start[i] : start[i + 1]].tolist()
            assert row == sorted(set(row))


@given(edge_lists, standing_tables, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_way_in_change_nothing(edges, standings, random):
    network = from_edges(edges, standings)
    shuffled = list(edges)
    random.shuffle(shuffled)
    assert same(from_edges(shuffled, standings), network)
    assert same(from_networkx(network.to_networkx()), network)
    columns = np.array([*edges, (0, 1, 0)], np.int64)[:-1].T
    ids = sorted({*standings, *(i for t, h, _ in edges for i in (t, h))}, reverse=True)
    held = [standings.get(i, 0) for i in ids]
    assert same(from_rows(*columns, ids=ids, standings=held), network)


@given(edge_lists, st.permutations(range(10)))
def test_names_are_only_names(edges, named):
    # Names that sort like the numbers they stand for leave every array as it was.
    words = from_edges([(f"m{t}", f"m{h}", room) for t, h, room in edges])
    numbers = from_edges(edges)
    assert all(
        np.array_equal(words.arrays()[k], a) for k, a in numbers.arrays().items() if k != "ids"
    )
    renamed = from_edges([(named[t], named[h], room) for t, h, room in edges])
    assert out_rows(renamed) == {(named[t], named[h]): r for (t, h), r in rooms_in(edges).items()}


@given(edge_lists, standing_tables, edge_lists, standing_tables)
def test_an_overlay_reads_as_the_network_that_it_describes(edges, standings, later, granted):
    network = from_edges(edges, standings)
    before = {name: array.copy() for name, array in network.arrays().items()}
    changes = {(t, h): room for t, h, room in later}
    half = len(later) // 2
    first = {(t, h): room for t, h, room in later[:half]}
    second = {(t, h): room for t, h, room in later[half:]}
    at_once = overlaid(network, changes, granted)
    in_two = overlaid(overlaid(network, first), second, granted)

    now = {pair: room for pair, room in {**rooms_in(edges), **changes}.items() if room}
    now_standing = {**standings, **granted}
    for overlay in (at_once, in_two):
        rows = in_rows_of(overlay)
        found = {}
        replaced = {int(place): i for i, place in enumerate(rows.changed)}
        for head in range(overlay.n):
            if head in replaced:
                begin, end = rows.changed_start[replaced[head] : replaced[head] + 2]
                tails, rooms = rows.changed_tail[begin:end], rows.changed_room[begin:end]
            elif head < network.n:
                begin, end = rows.start[head : head + 2]
                tails, rooms = rows.tail[begin:end], rows.room[begin:end]
            else:
                continue
            for tail, room in zip(tails.tolist(), rooms.tolist(), strict=True):
                if room:
                    found[overlay.id_of(tail), overlay.id_of(head)] = room
        assert found == now
    merged = at_once.merged()
    # A room of 0 that was there before may stay as an edge without room; nothing else may differ.
    assert {pair: room for pair, room in out_rows(merged).items() if room} == now
    held = {merged.id_of(i): int(merged.standing[i]) for i in range(merged.n)}
    assert {m: v for m, v in held.items() if v} == {m: v for m, v in now_standing.items() if v}
    assert all(np.array_equal(network.arrays()[name], array) for name, array in before.items())


def test_a_network_cannot_be_written_to():
    network = from_edges([("a", "b", 3)])
    with pytest.raises(ValueError, match="read-only"):
        network.out_room[0] = 9


def test_columns_that_change_later_do_not_change_the_network():
    rooms = np.array([4, 5])
    ids = np.array([1, 2, 3])
    network = from_rows([1, 2], [2, 3], rooms, ids=ids)
    rooms[0], ids[0] = 99, 77
    assert network.room(1, 2) == 4
    assert ids[0] == 77


def test_members_without_an_edge_and_nobody_at_all():
    assert from_rows([], [], ids=[4, 2]).ids_of([0, 1]) == [2, 4]
    empty = from_edges([])
    assert (empty.n, empty.m) == (0, 0)
    with pytest.raises(UnknownNode):
        empty.place("a")


def test_far_apart_numbers_find_their_places():
    network = from_rows([-(2**62), 5], [2**62, -(2**62)], [1, 2])
    assert network.room(5, -(2**62)) == 2
    assert network.places(np.array([2**62, 5])).tolist() == [2, 1]
    for stranger in (6, 2**63, -(2**63) - 1, "5", 5.0, True):
        with pytest.raises(UnknownNode):
            network.place(stranger)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: from_rows([1], [1]), SelfLoop),
        (lambda: from_rows([1, 2], [2]), BadParameter),
        (lambda: from_rows([1.0], [2.0]), BadParameter),
        (lambda: from_rows([[1]], [[2]]), BadParameter),
        (lambda: from_rows([True], [False]), BadParameter),
        (lambda: from_rows(np.array([2**63], np.uint64), [2]), BadParameter),
        (lambda: from_rows([1], [2], [0.5]), BadCapacity),
        (lambda: from_rows([1], [2], [float("nan")]), BadCapacity),
        (lambda: from_rows([1], [2], [-1]), BadCapacity),
        (lambda: from_rows([1], [2], [2**52 + 1]), BadCapacity),
        (lambda: from_rows([1, 1], [2, 2], [2**52, 2**52]), BadCapacity),
        (lambda: from_rows([1], [2], [1, 2]), BadParameter),
        (lambda: from_rows([1], [2], standings=[1, 2]), BadParameter),
        (lambda: from_rows([1], [2], ids=[1, 2], standings=[1]), BadParameter),
        (lambda: from_rows([1], [2], ids=[1, 2], standings=[1, -2]), BadCapacity),
        (lambda: from_rows([1], [2], ids=[1, 2, 2]), DuplicateId),
        (lambda: from_rows([1], [3], ids=[1, 2]), UnknownNode),
        (lambda: from_rows([1], [2], ids=[1, 50_000]), UnknownNode),
        (lambda: from_rows([1], [2], ids=[]), UnknownNode),
        (lambda: from_edges([("a", "a", 1)]), SelfLoop),
        (lambda: from_edges([("a", "b", 1.5)]), BadCapacity),
        (lambda: from_edges([("a", "b", 2**60)]), BadCapacity),
        (lambda: from_edges([("a", "b", 1)], {"a": None}), BadCapacity),
        (lambda: from_networkx(nx.path_graph(3)), BadCapacity),
        (lambda: as_arrays({"a": 1}), BadParameter),
        (lambda: overlaid(from_edges([("a", "b", 1)]), {("a", "a"): 1}), SelfLoop),
        (lambda: overlaid(from_edges([("a", "b", 1)]), {("a", "b"): -1}), BadCapacity),
        (lambda: overlaid(from_edges([("a", "b", 1)]), {}, {"a": 0.5}), BadCapacity),
    ],
)
def test_what_cannot_be_a_network_is_refused_by_name(make, error):
    with pytest.raises(error) as caught:
        make()
    assert isinstance(caught.value, GraphError)
    assert str(caught.value)
