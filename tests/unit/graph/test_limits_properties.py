"""What must hold for the credit limit on every network."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from graph.limits import Promise, check_certificate, cover_limit, cover_limits_all, reserve_cover

amounts = st.integers(0, 20)


@st.composite
def networks(draw, members=6):
    standings = {m: draw(amounts) for m in range(members)}
    pairs = st.tuples(st.integers(0, members - 1), st.integers(0, members - 1))
    chosen = draw(st.lists(pairs.filter(lambda p: p[0] != p[1]), max_size=18))
    promises = [
        Promise(f"p{i}", u, v, draw(amounts), draw(st.integers(0, 3)))
        for i, (u, v) in enumerate(chosen)
    ]
    return standings, promises


@given(networks())
@settings(max_examples=150, deadline=None)
def test_a_wider_circle_never_lowers_the_limit(network):
    standings, promises = network
    limits = [cover_limit(0, standings, promises, circle=k) for k in (0, 1, 2, 3, None)]
    optima = [limit.optimum for limit in limits]
    assert optima == sorted(optima)
    for limit in limits:
        assert check_certificate(limit, standings, promises)


@given(networks(), st.integers(0, 5), st.integers(0, 5), amounts)
@settings(max_examples=150, deadline=None)
def test_one_more_promise_never_lowers_a_limit(network, u, v, room):
    standings, promises = network
    if u == v:
        return
    before = cover_limits_all(standings, promises)
    after = cover_limits_all(standings, [*promises, Promise("more", u, v, room)])
    assert all(after[member] >= before[member] for member in before)


@given(networks(), st.permutations(range(6)), st.data())
@settings(max_examples=150, deadline=None)
def test_renaming_members_changes_no_amount(network, names, data):
    standings, promises = network
    renamed = {f"name {names[m]}": x for m, x in standings.items()}
    moved = [
        replace(p, voucher=f"name {names[p.voucher]}", borrower=f"name {names[p.borrower]}")
        for p in promises
    ]
    borrower = f"name {names[0]}"
    limit = cover_limit(0, standings, promises)
    again = cover_limit(borrower, renamed, moved)
    assert (again.value, again.own, again.direct, again.second) == (
        limit.value,
        limit.own,
        limit.direct,
        limit.second,
    )
    assert sorted(r.gain for r in again.raises(5)) == sorted(r.gain for r in limit.raises(5))
    amount = data.draw(st.integers(0, limit.value))
    lengths = [
        sorted((len(p.promises), p.amount) for p in reserve_cover(b, s, ps, amount))
        for b, s, ps in ((0, standings, promises), (borrower, renamed, moved))
    ]
    totals = [
        [sum(amount for n, amount in each if n == length) for length in (0, 1, 2)]
        for each in lengths
    ]
    assert totals[0] == totals[1]


@given(networks(), st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_reserved_fits_and_leaves_the_rest_of_the_limit(network, data):
    standings, promises = network
    limit = cover_limit(0, standings, promises)
    amount = data.draw(st.integers(0, limit.value))
    left, rest = _after(standings, promises, reserve_cover(0, standings, promises, amount))
    # Room below zero would be refused on the way.
    assert cover_limit(0, left, rest).value <= limit.value - amount


@given(networks(members=4), st.lists(amounts, min_size=2, max_size=4), st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_invented_members_behind_one_voucher_get_no_more_than_that_voucher_could(
    network, rooms, praise
):
    standings, promises = network
    ring = [f"invented {i}" for i in range(len(rooms))]
    promises = [
        *promises,
        *(Promise(("in", m), 0, m, room) for m, room in zip(ring, rooms, strict=True)),
        *(Promise(("ring", a, b), a, b, praise) for a in ring for b in ring if a != b),
    ]
    outside = min(sum(rooms), cover_limit(0, standings, promises, circle=None).value)
    taken = 0
    for _ in range(2):
        for member in ring:
            known = {**standings, member: 0}
            limit = cover_limit(member, known, promises).value
            paths = reserve_cover(member, known, promises, limit)
            standings, promises = _after(standings, promises, paths)
            taken += limit
    assert taken <= outside


def _after(standings, promises, paths):
    """Standings and promises once these paths are reserved."""
    left = dict(standings)
    rooms = {p.id: p.room for p in promises}
    for path in paths:
        left[path.standing_of] -= path.amount
        for id_ in path.promises:
            rooms[id_] -= path.amount
    return left, [replace(p, room=rooms[p.id]) for p in promises]
