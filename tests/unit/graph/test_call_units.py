"""Calls over a whole web in whole units: exact, ended, and near what real numbers would give."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges
from graph.calls import (
    check_web_calls,
    joint_and_several,
    several_pro_rata,
    split_exact,
    web_calls,
)
from graph.errors import (
    BadCapacity,
    BadCertificate,
    BadParameter,
    NoConvergence,
    SelfLoop,
    UnknownNode,
)
from graph.kernels import calls as kernel
from tests.unit.graph.test_calls import random_web

MODES = ["several", "joint_and_several", "pledge_only"]
SEEDS = st.integers(0, 100_000)
RING = ([10, 10, 10], [4, 10, 12], [(1, 0, 6), (2, 1, 6), (0, 2, 6)])


def scaled(web, factor):
    debts, means, pledges = web
    return (
        [x * factor for x in debts],
        [x * factor for x in means],
        [(g, i, q * factor) for g, i, q in pledges],
    )


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12), st.data())
@settings(deadline=None)
def test_the_compiled_split_is_split_exact(weights, data):
    if not sum(weights):
        return
    total = data.draw(st.integers(0, sum(weights)))
    parts = np.empty(len(weights), np.int64)
    kernel.split(total, np.array(weights, np.int64), parts)
    assert parts.tolist() == split_exact(total, weights, capped=True)


@given(st.integers(1, 2**52), st.data())
@settings(deadline=None)
def test_a_part_is_exact_up_to_the_largest_amounts(whole, data):
    total, weight = (data.draw(st.integers(0, whole)) for _ in range(2))
    assert kernel.part_of(total, weight, whole) == total * weight // whole


def test_a_ring_worked_by_hand():
    # 0 lacks 6: 1 pays them and lacks 6: 2 pays them and lacks 4: 0 pays its last 4, for which
    # nobody answers.
    for mode in MODES[:2]:
        done = web_calls(*RING, mode)
        assert done.paid == {(1, 0): 6, (2, 1): 6, (0, 2): 4}
        assert done.shortfall == {0: 10, 1: 6, 2: 4}
        assert done.paid_total == {0: 4, 1: 6, 2: 6}
        assert done.loss == {0: 4, 1: 0, 2: 0}
    # What is set aside is not there for own debts, nor missed there.
    done = web_calls(*RING, "pledge_only")
    assert done.shortfall == {0: 6, 1: 0, 2: 0}
    assert done.paid == done.called == {(1, 0): 6}


def test_units_left_over_go_to_the_largest_pledge_then_the_lowest_id():
    web = ([10, 0, 0, 0], [0, 9, 9, 9], [(3, 0, 5), (2, 0, 5), (1, 0, 4)])
    # 10 over 4, 5, 5: 2.9, 3.6, 3.6.
    for mode in MODES:
        assert web_calls(*web, mode).paid == {(1, 0): 2, (2, 0): 4, (3, 0): 4}


def test_joint_asks_others_for_what_one_cannot_pay_and_several_does_not():
    web = ([10, 0, 0], [0, 2, 9], [(1, 0, 6), (2, 0, 6)])
    assert web_calls(*web).called == {(1, 0): 5, (2, 0): 5}
    assert web_calls(*web).paid == {(1, 0): 2, (2, 0): 5}
    assert web_calls(*web, "joint_and_several").paid == {(1, 0): 2, (2, 0): 6}


def test_pledge_only_takes_stakes_and_nothing_else():
    web = ([10, 0, 0], [0, 100, 100], [(1, 0, 6), (2, 0, 6)])
    done = web_calls(*web, "pledge_only", stakes={1: 3, 2: 50})
    assert done.called == {(1, 0): 5, (2, 0): 5}
    assert done.paid == {(1, 0): 3, (2, 0): 5}
    assert done.loss[0] == 2
    # One stake for two calls, of 6 and 3: 3.3 and 1.7; the unit left goes to the larger call.
    two = ([6, 3, 0], [0, 0, 0], [(2, 0, 6), (2, 1, 6)])
    assert web_calls(*two, "pledge_only", stakes=[0, 0, 5]).paid == {(2, 0): 4, (2, 1): 1}


# In these some guarantor keeps a unit from an earlier round, and others wait for theirs.
@example(20, "several", 997)
@example(209, "several", 10)
@example(209, "joint_and_several", 10)
@given(SEEDS, st.sampled_from(MODES), st.sampled_from([1, 10, 997, 10**6]))
@settings(max_examples=300, deadline=None)
def test_what_must_hold_for_every_web_and_unit(seed, mode, factor):
    web = scaled(random_web(seed), factor)
    done = web_calls(*web, mode)
    check_web_calls(done)
    debts, means, pledges = web
    for (g, i), paid in done.paid.items():
        assert 0 < paid <= done.called[g, i] <= sum(q for a, b, q in pledges if (a, b) == (g, i))
    for i, debt in enumerate(debts):
        got = sum(x for (_, b), x in done.paid.items() if b == i)
        seized = 0 if mode == "pledge_only" else done.paid_total[i]
        assert done.loss[i] == max(0, debt - (means[i] - seized)) - got >= 0
        if not any(b == i for _, b, _ in pledges):
            assert done.loss[i] == done.shortfall[i]


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_the_answer_nears_the_real_one_as_the_unit_shrinks(seed):
    web = random_web(seed)
    several, joint = several_pro_rata(*web), joint_and_several(*web)
    paid = {}
    for round_ in joint.rounds:
        for pair, amount in round_.items():
            paid[pair] = paid.get(pair, 0) + amount
    bound = len(web[0]) + len(web[2])
    for factor in (1, 100, 10**6):
        units = web_calls(*scaled(web, factor))
        for i, short in several.shortfall.items():
            assert abs(units.shortfall[i] - short * factor) <= bound
        for pair in units.paid.keys() | several.paid.keys():
            assert abs(units.paid.get(pair, 0) - several.paid.get(pair, 0) * factor) <= bound
        units = web_calls(*scaled(web, factor), "joint_and_several")
        for pair in units.paid.keys() | paid.keys():
            assert abs(units.paid.get(pair, 0) - paid.get(pair, 0) * factor) <= bound + 1e-3
        for i, short in joint.own_shortfall.items():
            assert abs(units.shortfall[i] - short * factor) <= bound + 1e-3


def with_slips(debts, means, pledges, slips):
    """The least fixed point of the real map when x_g is off by `slips` of g: floats."""
    pledged = [sum(q for _, b, q in pledges if b == i) for i in range(len(debts))]
    seized = [0.0] * len(debts)
    for _ in range(20_000):
        short = [max(0, d - w + x) for d, w, x in zip(debts, means, seized, strict=True)]
        asked = list(slips)
        for g, i, q in pledges:
            if q:
                asked[g] += q * min(1, short[i] / pledged[i])
        after = [min(w, max(0, a)) for w, a in zip(means, asked, strict=True)]
        if max(abs(a - b) for a, b in zip(after, seized, strict=True)) < 1e-12:
            return after
        seized = after
    return None


@given(SEEDS, st.sampled_from([1, 100, 10_000]))
@settings(max_examples=60, deadline=None)
def test_several_lies_between_the_bounds_that_are_proved(seed, factor):
    debts, means, pledges = scaled(random_web(seed), factor)
    backed = [sum(1 for _, b, q in pledges if b == i and q) for i in range(len(debts))]
    up, down = [0.0] * len(debts), [0.0] * len(debts)
    for g, i, q in pledges:
        if q:
            up[g] += 1
            down[g] -= backed[i]
    low, high = (with_slips(debts, means, pledges, slips) for slips in (down, up))
    done = web_calls(debts, means, pledges)
    for g, paid in done.paid_total.items():
        assert low is None or low[g] - 1e-6 <= paid
        assert high is None or paid <= high[g] + 1e-6


@given(SEEDS, st.sampled_from([1, 1000]))
@settings(max_examples=200, deadline=None)
def test_joint_liability_loses_no_more_than_several_but_for_rounding(seed, factor):
    web = scaled(random_web(seed), factor)
    joint, several = (sum(web_calls(*web, mode).loss.values()) for mode in MODES[1::-1])
    assert joint <= several + len(web[0])


@given(SEEDS, st.sampled_from(MODES), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_and_form_of_input_change_nothing(seed, mode, rng):
    debts, means, pledges = random_web(seed)
    plain = web_calls(debts, means, pledges, mode)
    mixed = web_calls(debts, means, rng.sample(pledges, len(pledges)), mode)
    assert (mixed.paid, mixed.loss) == (plain.paid, plain.loss)
    halves = [(g, i, part) for g, i, q in pledges for part in (q // 3, q - q // 3)]
    assert web_calls(debts, means, halves, mode).paid == plain.paid
    named = [(f"m{g}", f"m{i}", q) for g, i, q in pledges]
    by_name = web_calls(
        {f"m{i}": d for i, d in enumerate(debts)},
        {f"m{i}": w for i, w in enumerate(means)},
        named,
        mode,
    )
    assert by_name.paid == {(f"m{g}", f"m{i}"): x for (g, i), x in plain.paid.items()}
    network = from_edges(named, nodes=[f"m{i}" for i in range(len(debts))])
    for form in (network, network.to_networkx()):
        again = web_calls(np.array(debts), np.array(means), form, mode)
        assert (again.paid, again.loss) == (by_name.paid, by_name.loss)


def test_a_full_circle_with_nothing_to_spare_ends():
    # Each unit of 0's shortfall comes back to 0 until 1, who has 1,000, has nothing left.
    web = ([1001, 1000], [1000, 1000], [(1, 0, 5000), (0, 1, 5000)])
    for mode in MODES[:2]:
        done = web_calls(*web, mode)
        check_web_calls(done)
        assert sum(done.loss.values()) == 1
    with pytest.raises(NoConvergence):
        web_calls(*web, max_rounds=5)
    with pytest.raises(NoConvergence):
        web_calls(*web, "joint_and_several", max_rounds=5)


def test_one_unit_on_a_circle_does_not_always_fall_to_the_same_guarantor():
    # Per round and not in sum, the unit that does not divide would go to 1, the larger pledge,
    # and come back through the ring for ever; 2, who has enough, would never be asked.
    web = ([1000, 1000, 0], [900, 1000, 10**6], [(1, 0, 600), (2, 0, 400), (0, 1, 10**6)])
    for factor in (1, 1000):
        done = web_calls(*scaled(web, factor), "joint_and_several")
        assert sum(done.loss.values()) == 0
        assert abs(done.paid_total[2] - 100 * factor) <= 3
        assert done.rounds < 200


def test_without_pledges_and_without_members():
    for mode in MODES:
        assert web_calls([10, 3], [4, 5], [], mode).loss == {0: 6, 1: 0}
        assert web_calls([], [], [], mode).loss == {}
        assert web_calls([9], [2], [], mode).rounds == 0


@pytest.mark.parametrize("mode", MODES)
def test_webs_that_make_no_sense_are_refused(mode):
    for bad in (-1, 1.0, float("nan"), True, "1", None, 2**52 + 1):
        with pytest.raises(BadCapacity):
            web_calls([bad], [1], [], mode)
        with pytest.raises(BadCapacity):
            web_calls([1], [bad], [], mode)
        with pytest.raises(BadCapacity):
            web_calls([1, 1], [1, 1], [(0, 1, bad)], mode)
    for bad in (np.array([-1, 0]), np.array([2**52 + 1, 0]), np.array([0.5, 1])):
        with pytest.raises(BadCapacity):
            web_calls(bad, [1, 1], from_edges([(0, 1, 1)]), mode)
    with pytest.raises(BadCapacity, match="guarantor together"):
        web_calls([1, 1, 1], [1, 1, 1], [(0, 1, 2**52), (0, 2, 2**52)], mode)
    with pytest.raises(BadCapacity, match="borrower together"):
        web_calls([1, 1, 1], [1, 1, 1], [(1, 0, 2**52), (2, 0, 2**52)], mode)
    with pytest.raises(UnknownNode):
        web_calls([1, 1], [1, 1], [(0, 7, 1)], mode)
    with pytest.raises(UnknownNode):
        web_calls({7: 1}, {}, from_edges([(0, 1, 1)]), mode)
    with pytest.raises(SelfLoop):
        web_calls([1, 1], [1, 1], [(0, 0, 1)], mode)
    with pytest.raises(BadParameter, match="same members"):
        web_calls({"a": 1}, {"b": 1}, [], mode)
    with pytest.raises(BadParameter, match="members"):
        web_calls([1], [1, 1], from_edges([(0, 1, 1)]), mode)
    with pytest.raises(BadParameter):
        web_calls([1], [1], [], mode, max_rounds=0)
    if mode != "pledge_only":
        with pytest.raises(BadParameter, match="stakes"):
            web_calls([1], [1], [], mode, stakes=[1])
    with pytest.raises(BadParameter, match="mode"):
        web_calls([1], [1], [], "none")


def test_a_networkx_graph_is_not_changed():
    graph = nx.DiGraph()
    graph.add_edge("a", "b", room=5)
    assert web_calls({"b": 4}, {"a": 9}, graph).paid == {("a", "b"): 4}
    assert list(graph.edges(data=True)) == [("a", "b", {"room": 5})]


def test_an_answer_that_breaks_a_law_is_seen():
    rng = random.Random(1)
    seen = 0
    for seed in range(30):
        for mode in MODES:
            done = web_calls(*random_web(seed), mode)
            if not done.paid_at.any():
                continue
            wrong = done.paid_at.copy()
            wrong[rng.choice(np.flatnonzero(wrong))] += rng.choice([-1, 1])
            broken = type(done)(
                done.mode,
                done.pledges,
                done.due_at,
                done.means_at,
                done.stakes_at,
                done.called_at if mode != "joint_and_several" else wrong,
                wrong,
                done.rounds,
            )
            with pytest.raises(BadCertificate, match="not kept"):
                check_web_calls(broken)
            seen += 1
    assert seen > 50
