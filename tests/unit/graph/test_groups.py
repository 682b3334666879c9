"""Groups: within the rules, as good as every way looked through, and bounded honestly."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges
from graph.errors import (
    BadCapacity,
    BadCertificate,
    BadParameter,
    DuplicateId,
    SelfLoop,
    UnknownNode,
)
from graph.groups import GroupRules, check_grouping, form_groups


def hamlet(seed, least=2, most=12):
    """Edges one way and both, rules and what they need; any of them at times missing."""
    rng = random.Random(seed)
    n = rng.randint(least, most)
    top = rng.choice([1, 9, 10**6])
    edges = []
    for i, j in combinations(range(n), 2):
        if rng.random() < rng.choice([0.3, 0.6, 1.0]):
            edges.append((i, j, rng.randint(1, top)))
            if rng.random() < 0.8:
                edges.append((j, i, rng.randint(1, top)))
    smallest = rng.randint(1, min(5, n))
    households = correlations = None
    rules = GroupRules(smallest, smallest + rng.choice([0, 0, 0, 1, 2]))
    if rng.random() < 0.5:
        households = {i: rng.randrange(max(2, n - 3)) for i in range(n) if rng.random() < 0.9}
        rules = replace(rules, per_household=rng.choice([1, 1, 2]))
    if rng.random() < 0.5:
        correlations = {(i, j): rng.choice([-0.2, 0.5, 0.8]) for i, j in combinations(range(n), 2)}
        rules = replace(rules, risk_limit=0.5, risky_pairs=rng.choice([0, 1, 2]))
    return n, edges, rules, {"households": households, "correlations": correlations}


def confirmed(edges):
    """w(i, j) by definition, from one end only where asked for i < j."""
    rooms = {}
    for tail, head, room in edges:
        rooms[tail, head] = rooms.get((tail, head), 0) + room
    return {pair: min(room, rooms.get(pair[::-1], 0)) for pair, room in rooms.items()}


def allowed(part, rules, households=None, correlations=None):
    homes = [(households or {}).get(i, ("alone", i)) for i in part]
    if rules.per_household and max(map(homes.count, homes)) > rules.per_household:
        return False
    if rules.risk_limit is None:
        return True
    risky = sum(correlations[pair] > rules.risk_limit for pair in combinations(sorted(part), 2))
    return risky <= rules.risky_pairs


def best_by_looking(n, edges, rules, given):
    """(placed, trust) of the best of all ways, formed one member after the other."""
    w = confirmed(edges)
    sums = {}

    def trust(part):
        if part not in sums:
            sums[part] = (
                sum(w.get(pair, 0) for pair in combinations(part, 2))
                if allowed(part, rules, **given)
                else None
            )
        return sums[part]

    def ways(left):
        if not left:
            yield 0, 0
            return
        for placed, inside in ways(left[1:]):
            yield placed, inside
        for size in range(rules.least, rules.most + 1):
            for others in combinations(left[1:], size - 1):
                part = (left[0], *others)
                if trust(part) is not None:
                    rest = tuple(i for i in left if i not in part)
                    for placed, inside in ways(rest):
                        yield placed + size, inside + trust(part)

    return max(ways(tuple(range(n))))


def check_by_hand(found, n, edges, rules, given):
    w = confirmed(edges)
    assert sorted([i for g in found.groups for i in g.members] + list(found.left_over)) == [
        *range(n)
    ]
    for group in found.groups:
        assert rules.least <= len(group.members) <= rules.most
        assert allowed(group.members, rules, **given)
        pairs = {pair: w.get(pair, 0) for pair in combinations(group.members, 2)}
        assert group.trust == sum(pairs.values())
        if pairs:
            assert group.weakest is not None
            assert group.weakest[2] == pairs[group.weakest[:2]] == min(pairs.values())
    assert found.trust == sum(group.trust for group in found.groups) <= found.bound
    assert sum(found.because.values()) == len(found.left_over)
    check_grouping(found, from_edges(edges, nodes=range(n)), rules, **given)


@pytest.mark.parametrize("seed", range(40))
def test_few_members_get_the_best_of_all_ways(seed):
    n, edges, rules, given = hamlet(seed, most=7)
    found = form_groups(from_edges(edges, nodes=range(n)), rules, **given)
    placed, trust = best_by_looking(n, edges, rules, given)
    assert found.exact
    assert (n - len(found.left_over), found.trust) == (placed, trust)
    check_by_hand(found, n, edges, rules, given)


@pytest.mark.parametrize("seed", range(150))
def test_the_search_comes_within_5_per_cent_of_the_best(seed):
    n, edges, rules, given = hamlet(seed, 9, 12)
    network = from_edges(edges, nodes=range(n))
    best = form_groups(network, rules, **given)
    found = form_groups(network, rules, exact_up_to=0, **given)
    check_by_hand(found, n, edges, rules, given)
    assert len(found.left_over) == len(best.left_over)
    assert 0.95 * best.trust <= found.trust <= best.trust <= found.bound


@pytest.mark.parametrize("seed", range(12))
def test_the_search_among_more_than_it_can_deal_out_at_once(seed):
    n, edges, rules, given = hamlet(seed, 14, 14)
    rules, given["correlations"] = replace(rules, risk_limit=None), None
    network = from_edges(edges, nodes=range(n))
    best = form_groups(network, rules, **given)
    found = form_groups(network, rules, exact_up_to=0, **given)
    check_by_hand(found, n, edges, rules, given)
    assert len(found.left_over) == len(best.left_over)
    assert 0.95 * best.trust <= found.trust <= best.trust


@pytest.mark.parametrize("seed", range(30))
def test_the_prices_pay_for_every_group_that_could_be(seed):
    n, edges, rules, given = hamlet(seed, 6, 9)
    found = form_groups(from_edges(edges, nodes=range(n)), rules, exact_up_to=0, **given)
    w = confirmed(edges)
    for size in range(rules.least, min(rules.most, n) + 1):
        for part in combinations(range(n), size):
            if found.prices and found.groups and allowed(part, rules, **given):
                trust = sum(w.get(pair, 0) for pair in combinations(part, 2))
                assert 2 * trust <= sum(found.prices[i] for i in part)
    assert found.bound == sum(found.prices.values()) // 2


def village(seed, n=120):
    rng = random.Random(seed)
    edges = []
    for i in range(n):
        for j in {(i + rng.randint(1, 8)) % n for _ in range(4)}:
            edges += [(i, j, rng.randint(1, 50)), (j, i, rng.randint(1, 50))]
    households = {i: i // 3 for i in range(n)}
    correlations = {
        pair: rng.uniform(-0.5, 1) for pair in combinations(range(n), 2) if rng.random() < 0.3
    }
    return edges, households, correlations


@pytest.mark.parametrize("seed", range(3))
def test_a_village_keeps_its_rules_and_its_promises(seed):
    edges, households, correlations = village(seed)
    correlations = {**dict.fromkeys(combinations(range(120), 2), 0.0), **correlations}
    rules = GroupRules(5, 5, per_household=1, risk_limit=0.6, risky_pairs=1)
    given = {"households": households, "correlations": correlations}
    found = form_groups(from_edges(edges), rules, **given)
    check_by_hand(found, 120, edges, rules, given)
    assert found.complete
    assert found.bound < sum(confirmed(edges).values()) // 2
    # Never less than the same village under a rule more.
    free = form_groups(from_edges(edges), GroupRules(5, 5), seed=seed)
    assert free.trust >= found.trust


def test_the_order_of_rows_changes_nothing_and_an_order_of_names_neither():
    edges, households, _ = village(7, 60)
    rules = GroupRules(4, 6, per_household=1)
    one = form_groups(from_edges(edges), rules, households=households, seed=3)
    backwards = dict(reversed(households.items()))
    assert form_groups(from_edges(edges[::-1]), rules, households=backwards, seed=3) == one
    name = {i: f"m{i:03}" for i in range(60)}
    other = form_groups(
        from_edges((name[i], name[j], room) for i, j, room in edges),
        rules,
        households={name[i]: f"h{home}" for i, home in households.items()},
        seed=3,
    )
    assert other.trust == one.trust
    assert other.bound == one.bound
    assert [g.members for g in other.groups] == [
        tuple(name[i] for i in g.members) for g in one.groups
    ]


def test_a_networkx_graph_is_read_and_not_changed():
    g = nx.DiGraph()
    g.add_edge("a", "b", room=5)
    g.add_edge("b", "a", room=3)
    g.add_edge("c", "a", room=9)
    before = nx.to_dict_of_dicts(g)
    found = form_groups(g, GroupRules(2, 2))
    assert nx.to_dict_of_dicts(g) == before
    assert [(x.members, x.trust, x.weakest) for x in found.groups] == [
        (("a", "b"), 3, ("a", "b", 3))
    ]
    assert found.left_over == ("c",)
    assert found.because == {"size": 1}
    once = form_groups(nx.Graph([("a", "b", {"room": 4})]), GroupRules(2, 2))
    assert once.trust == 4


def test_who_is_left_over_and_why():
    network = from_edges([], nodes=range(7))
    found = form_groups(network, GroupRules(3, 3))
    assert (len(found.left_over), found.because, found.complete) == (1, {"size": 1}, False)
    # Five of seven in one household, two apart: only two groups of two can have one of each.
    homes = dict.fromkeys(range(5), "full")
    rules = GroupRules(2, 2, per_household=1)
    for up_to in (0, 14):
        found = form_groups(network, rules, households=homes, exact_up_to=up_to)
        assert found.because == {"size": 1, "household": 2}
        assert set(found.left_over) < set(range(5))
    risky = dict.fromkeys(combinations(range(7), 2), 0.9)
    for up_to in (0, 14):
        found = form_groups(
            network, GroupRules(2, 3, risk_limit=0.5), correlations=risky, exact_up_to=up_to
        )
        assert found.groups == ()
        assert found.left_over == tuple(range(7))
        assert found.because == {"risk": 7}
    assert form_groups(network, GroupRules(8, 9)).because == {"size": 7}
    nobody = form_groups(from_edges([]), GroupRules(2, 3))
    assert (nobody.groups, nobody.left_over, nobody.trust) == ((), (), 0)
    assert form_groups(from_edges([]), GroupRules(2, 3), exact_up_to=0).complete
    alone = form_groups(network, GroupRules(1, 1), exact_up_to=0)
    assert (len(alone.groups), alone.trust, alone.gap, alone.exact) == (7, 0, 0.0, True)


def test_only_those_named_are_placed():
    edges, households, _ = village(1, 40)
    found = form_groups(
        from_edges(edges),
        GroupRules(3, 3, per_household=1),
        members=range(0, 40, 2),
        households=households,
    )
    named = {i for g in found.groups for i in g.members} | set(found.left_over)
    assert named == set(range(0, 40, 2))
    whole = form_groups(from_edges(edges), GroupRules(3, 3), members=[5, 3, 4])
    assert whole.groups[0].members == (3, 4, 5)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"rules": GroupRules(2, 2, per_household=1)}, BadParameter),
        ({"households": {1: 1}}, BadParameter),
        ({"correlations": {(1, 2): 0.5}}, BadParameter),
        ({"rules": GroupRules(2, 2, risk_limit=0.5)}, BadParameter),
        ({"members": [1, 1]}, DuplicateId),
        ({"members": [9]}, UnknownNode),
        ({"seed": -1}, BadParameter),
        ({"effort": 0}, BadParameter),
        ({"exact_up_to": 21}, BadParameter),
        ({"exact_up_to": True}, BadParameter),
        ({"network": nx.Graph([(1, 1, {"room": 3})])}, SelfLoop),
        ({"network": nx.Graph([(1, 2, {"room": 2.5})])}, BadCapacity),
        ({"network": nx.Graph([(1, 2, {"room": -2})])}, BadCapacity),
        ({"network": nx.complete_graph(300)}, BadCapacity),
    ],
)
def test_what_cannot_be_worked_with_is_refused(wrong, error):
    given = {"network": from_edges([(1, 2, 3), (2, 1, 3)]), "rules": GroupRules(2, 2), **wrong}
    with pytest.raises(error):
        form_groups(given.pop("network"), given.pop("rules"), **given)


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ({(1, 2): float("nan")}, BadParameter),
        ({(1, 2): 1.5}, BadParameter),
        ({(1, 2): "0.5"}, BadParameter),
        ({(1, 2): True}, BadParameter),
        ({(1, 1): 0.5}, SelfLoop),
        ({(1, 7): 0.5}, UnknownNode),
        ({(1, 2): 0.5, (2, 1): 0.6}, BadParameter),
    ],
)
def test_a_correlation_has_to_be_one(pairs, error):
    network = from_edges([(1, 2, 3), (2, 1, 3)])
    with pytest.raises(error):
        form_groups(network, GroupRules(2, 2, risk_limit=0.5), correlations=pairs)
    with pytest.raises(UnknownNode):
        form_groups(network, GroupRules(2, 2, per_household=1), households={7: 1})


@pytest.mark.parametrize(
    "wrong",
    [
        (0, 1),
        (2, 1),
        (2.0, 2),
        (True, 2),
        (1, 2, 0),
        (1, 2, 1.5),
        (1, 2, None, float("nan")),
        (1, 2, None, 0.5, -1),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(wrong):
    with pytest.raises(BadParameter):
        GroupRules(*wrong)


def test_trust_beyond_any_sum_is_refused():
    edges = [(i, j, 2**52) for i in range(30) for j in range(30) if i != j]
    with pytest.raises(BadParameter, match="2\\*\\*60"):
        form_groups(from_edges(edges), GroupRules(2, 2))


def test_a_grouping_that_was_tampered_with_is_found_out():
    edges, households, _ = village(2, 30)
    rules = GroupRules(5, 5, per_household=1)
    network = from_edges(edges)
    found = form_groups(network, rules, households=households)
    first, second, *rest = found.groups
    swapped = replace(first, members=(*first.members[:-1], second.members[-1]))
    for wrong in (
        replace(found, trust=found.trust + 1),
        replace(found, bound=found.bound - 1),
        replace(found, bound=found.trust - 1, prices={}),
        replace(found, groups=found.groups[1:]),
        replace(found, groups=(replace(first, trust=first.trust + 1), second, *rest)),
        replace(found, groups=(swapped, second, *rest)),
        replace(found, prices=dict.fromkeys(found.prices, 0)),
        replace(found, because={"size": 1}),
    ):
        with pytest.raises(BadCertificate):
            check_grouping(wrong, network, rules, households=households)
    with pytest.raises(BadCertificate):
        check_grouping(found, network, GroupRules(4, 4, per_household=1), households=households)
    crowded = dict.fromkeys(households, "one house")
    with pytest.raises(BadCertificate, match="household"):
        check_grouping(found, network, rules, households=crowded)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_more_confirmed_trust_never_makes_the_best_worse(seed):
    n, edges, rules, given = hamlet(seed, 3, 9)
    rng = random.Random(seed)
    i, j = rng.sample(range(n), 2)
    before = form_groups(from_edges(edges, nodes=range(n)), rules, **given)
    more = [*edges, (i, j, 5), (j, i, 5)]
    after = form_groups(from_edges(more, nodes=range(n)), rules, **given)
    assert before.trust <= after.trust <= before.trust + 5
    # A vouch that is not returned is not confirmed.
    w = confirmed(edges)
    if w.get((i, j), 0) == w.get((j, i), 0) == 0 and not any(e[:2] == (j, i) for e in edges):
        once = form_groups(from_edges([*edges, (i, j, 5)], nodes=range(n)), rules, **given)
        assert once.trust == before.trust


def test_the_numbers_of_numpy_are_numbers():
    correlations = {(1, 2): np.float64(0.7)}
    found = form_groups(
        from_edges([(1, 2, 3), (2, 1, 3)]),
        GroupRules(2, 2, risk_limit=np.float64(0.5), risky_pairs=1),
        correlations=correlations,
    )
    assert found.groups[0].risky == ((1, 2),)
