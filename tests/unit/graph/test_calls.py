"""Calls on guarantors: exact to the unit, and the two modes of liability over a web of debts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.calls import (
    Call,
    Line,
    joint_and_several,
    outward_calls,
    plan_calls,
    several_pro_rata,
    split_exact,
)
from graph.errors import (
    BadCapacity,
    BadParameter,
    DuplicateId,
    NoConvergence,
    SelfLoop,
    UnknownNode,
)

weights = st.dictionaries(st.integers(0, 9), st.integers(0, 50), max_size=8)


def test_the_remainder_goes_one_unit_each_to_the_largest_then_the_lowest_id():
    # 10 x 3/11 = 2.7, 10 x 5/11 = 4.5, 10 x 3/11 = 2.7: floors 2 4 2, two units are left.
    assert split_exact(10, {"c": 3, "b": 5, "a": 3}) == {"c": 2, "b": 5, "a": 3}
    assert split_exact(10, [3, 5, 3]) == [3, 5, 2]
    assert split_exact(0, {"a": 0}) == {"a": 0}
    assert split_exact(0, {}) == {}
    assert split_exact(7, {"a": 2, "b": 0}) == {"a": 7, "b": 0}


@given(st.integers(0, 10**12), weights)
def test_parts_sum_to_the_whole_and_are_the_share_rounded_down_or_one_more(total, shares):
    if total and not sum(shares.values()):
        with pytest.raises(BadParameter, match="nobody"):
            split_exact(total, shares)
        return
    parts = split_exact(total, shares)
    assert sum(parts.values()) == total
    for id_, part in parts.items():
        if total:
            assert part - total * shares[id_] // sum(shares.values()) in (0, 1)
        assert part == 0 or shares[id_] > 0


@given(weights, st.data())
def test_a_capped_part_is_never_above_its_weight(shares, data):
    total = data.draw(st.integers(0, sum(shares.values())))
    parts = split_exact(total, shares, capped=True)
    assert all(parts[id_] <= shares[id_] for id_ in shares)
    with pytest.raises(BadParameter, match="more than"):
        split_exact(sum(shares.values()) + 1, shares, capped=True)


@pytest.mark.parametrize("bad", [-1, 1.0, float("nan"), True, "1", None])
def test_what_is_no_whole_amount_is_not_split(bad):
    with pytest.raises(BadCapacity):
        split_exact(bad, {"a": 1})
    with pytest.raises(BadCapacity):
        split_exact(1, {"a": bad})
    with pytest.raises(BadCapacity):
        Line(1, "a", (), bad)
    with pytest.raises(BadCapacity):
        plan_calls([], bad)


# Ben owes. His own 10; Ana directly 60 and Cai through her 30; Dan directly 20; Eve through Dan 7.
LINES = (
    Line(1, "ben", (), 10),
    Line(2, "ana", ("a-b",), 60),
    Line(3, "cai", ("c-a", "a-b"), 30, "ana"),
    Line(4, "dan", ("d-b",), 20),
    Line(5, "eve", ("e-d", "d-b"), 7, "dan"),
)


def test_own_standing_goes_first_then_direct_guarantors_by_all_that_travels_over_them():
    # 100 - 10 = 90 over Ana 90 and Dan 27: 69.23 and 20.77; the unit left goes to Ana.
    # Ana's 70 over 60 and 30: 46.67 and 23.33. Dan's 20 over 20 and 7: 14.8 and 5.2.
    plan = plan_calls(LINES, 100)
    assert plan.set_off == {1: 10}
    assert plan.calls == (Call("ana", 70, {2: 47, 3: 23}), Call("dan", 20, {4: 15, 5: 5}))
    assert plan.uncovered == 0


def test_small_and_large_amounts():
    assert plan_calls(LINES, 0).calls == ()
    small = plan_calls(LINES, 4)
    assert (small.set_off, small.calls, small.uncovered) == ({1: 4}, (), 0)
    large = plan_calls(LINES, 1_000)
    assert large.uncovered == 1_000 - 127
    assert [call.amount for call in large.calls] == [90, 27]
    assert plan_calls([], 5).uncovered == 5


def test_what_a_guarantor_does_not_pay_moves_to_those_who_cover_them():
    out = outward_calls(LINES, "ana", 25)
    assert out.calls == (Call("cai", 25, {3: 25}),)
    assert outward_calls(LINES, "ana", 70).uncovered == 40
    assert outward_calls(LINES, "ben", 70).uncovered == 70


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 40)), max_size=9),
    st.integers(0, 300),
    st.randoms(use_true_random=False),
)
def test_every_plan_sums_exactly_stays_within_each_line_and_ignores_order(rows, amount, rng):
    lines = []
    for id_, (u, w, held) in enumerate(rows):
        if u == 0:
            lines.append(Line(id_, "borrower", (), held))
        elif u == w:
            lines.append(Line(id_, u, ("v",), held))
        else:
            lines.append(Line(id_, w, ("w", "v"), held, u))
    plan = plan_calls(lines, amount)
    by_line = dict(plan.set_off)
    for call in plan.calls:
        assert sum(call.lines.values()) == call.amount
        by_line.update(call.lines)
    assert sum(by_line.values()) + plan.uncovered == amount
    assert all(part <= lines[id_].held for id_, part in by_line.items())
    own = sum(line.held for line in lines if not line.promises)
    assert sum(plan.set_off.values()) == min(own, amount)
    assert plan_calls(rng.sample(lines, len(lines)), amount) == plan


def test_lines_that_contradict_themselves_are_refused():
    with pytest.raises(BadParameter, match="middle"):
        Line(1, "a", ("x", "y"), 5)
    with pytest.raises(BadParameter, match="middle"):
        Line(1, "a", ("x",), 5, "b")
    with pytest.raises(BadParameter, match="more than two"):
        Line(1, "a", ("x", "y", "z"), 5, "b")
    with pytest.raises(DuplicateId):
        plan_calls([LINES[0], LINES[0]], 5)


# --- a web of debts and pledges -------------------------------------------------------------


def test_several_a_chain_worked_by_hand():
    # B owes 10 and has 4: short of 6. A covers 8 for B, owes 5 and has 9: pays 6, has 3 left
    # for 5, short of 2. C covers 1 for A: pays 1, so A's lender loses 1.
    done = several_pro_rata(
        {"a": 5, "b": 10, "c": 0}, {"a": 9, "b": 4, "c": 3}, [("a", "b", 8), ("c", "a", 1)]
    )
    assert done.exact
    assert done.shortfall == {"a": 2, "b": 6, "c": 0}
    assert done.paid == {("a", "b"): 6, ("c", "a"): 1}
    assert done.paid_total == {"a": 6, "b": 0, "c": 1}
    assert done.loss == {"a": 1, "b": 0, "c": 0}
    assert done.defaulted == ("a", "b")
    assert done.rounds[:3] == ((0.0, 6.0, 0.0), (2.0, 6.0, 0.0), (2.0, 6.0, 0.0))


def test_several_calls_nobody_for_what_another_guarantor_fails_to_pay_and_joint_does():
    # Two pledges of 6 for a debt of 10 with nothing there: 5 each. G1 has 2, G2 has 9.
    web = ([10, 0, 0], [0, 2, 9], [(1, 0, 6), (2, 0, 6)])
    several = several_pro_rata(*web)
    assert several.called == {(1, 0): 5, (2, 0): 5}
    assert several.paid == {(1, 0): 2, (2, 0): 5}
    assert several.loss[0] == 3
    joint = joint_and_several(*web)
    # Round 1: 2 and 5; round 2: G2 the 1 that is left of its pledge.
    assert joint.rounds == ({(1, 0): 2.0, (2, 0): 5.0}, {(2, 0): 1.0})
    assert joint.loss[0] == 2
    assert joint.cash_left == {0: 0.0, 1: 0.0, 2: 3.0}


def test_without_pledges_everybody_loses_what_is_missing():
    for web in (several_pro_rata, joint_and_several):
        assert web([10, 3], [4, 5], []).loss == {0: 6, 1: 0}
        assert web([], [], []).loss == {}


def random_web(seed):
    rng = random.Random(seed)
    n = rng.randint(2, 7)
    pledges = [
        (g, i, rng.randint(0, 30))
        for g in range(n)
        for i in range(n)
        if g != i and rng.random() < 0.4
    ]
    return [rng.randint(0, 40) for _ in range(n)], [rng.randint(0, 40) for _ in range(n)], pledges


def test_what_must_hold_for_every_web():
    exact = 0
    for seed in range(150):
        debts, means, pledges = random_web(seed)
        several, joint = several_pro_rata(debts, means, pledges), None
        joint = joint_and_several(debts, means, pledges)
        exact += several.exact
        for g, i, cap in pledges:
            assert several.paid.get((g, i), 0) <= cap
            assert sum(r.get((g, i), 0.0) for r in joint.rounds) <= cap + 1e-9
        for g, has in enumerate(means):
            assert several.paid_total[g] <= has
            assert joint.cash_left[g] >= -1e-9
        for i, debt in enumerate(debts):
            paid = sum(x for (_, b), x in several.paid.items() if b == i)
            assert several.shortfall[i] == max(0, debt - (means[i] - several.paid_total[i]))
            assert several.loss[i] == several.shortfall[i] - paid
            assert -1e-9 <= several.loss[i] <= debt
        assert float(sum(joint.loss.values())) <= float(sum(several.loss.values())) + 1e-6
    assert exact == 150


def test_the_exact_several_answer_is_what_the_rounds_lead_to():
    for seed in range(60):
        done = several_pro_rata(*random_web(seed))
        assert [float(s) for s in done.shortfall.values()] == pytest.approx(
            done.rounds[-1], abs=1e-9
        )
        # From nobody called on, a shortfall never falls.
        for before, after in zip(done.rounds, done.rounds[1:], strict=False):
            assert all(b <= a + 1e-9 for b, a in zip(before, after, strict=True))


def test_the_order_of_pledges_and_the_kind_of_ids_change_nothing():
    debts, means, pledges = random_web(3)
    named = several_pro_rata(
        {f"m{i}": d for i, d in enumerate(debts)},
        {f"m{i}": w for i, w in enumerate(means)},
        [(f"m{g}", f"m{i}", q) for g, i, q in reversed(pledges)],
    )
    plain = several_pro_rata(debts, means, pledges)
    assert list(named.shortfall.values()) == list(plain.shortfall.values())


@pytest.mark.parametrize("ask", [several_pro_rata, joint_and_several])
def test_webs_that_make_no_sense_are_refused(ask):
    for bad in (-1, float("nan"), float("inf"), True, "1", None):
        with pytest.raises(BadCapacity):
            ask([bad], [1], [])
        with pytest.raises(BadCapacity):
            ask([1], [bad], [])
        with pytest.raises(BadCapacity):
            ask([1, 1], [1, 1], [(0, 1, bad)])
    with pytest.raises(UnknownNode):
        ask([1, 1], [1, 1], [(0, 7, 1)])
    with pytest.raises(SelfLoop):
        ask([1, 1], [1, 1], [(0, 0, 1)])
    with pytest.raises(BadParameter, match="same members"):
        ask({"a": 1}, {"b": 1}, [])
    with pytest.raises(NoConvergence):
        ask([10, 10, 10], [4, 10, 12], [(1, 0, 6), (2, 1, 6), (0, 2, 6)], max_rounds=1)
