"""Many shocks at once give what each would give alone, however far they run."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.clearing import clearing_vector
from graph.errors import BadAmount, BadParameter, NoConvergence, UnknownNode
from graph.shocks import clear_shocks
from tests.unit.graph.test_clearing import big_web
from tests.unit.graph.webs import costs_of, debts_and_assets

NEAR = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(params=["alone", "side by side"])
def how(request, monkeypatch):
    """Whether shocks stay within what is passed on one by one, or none does."""
    budget = {"alone": 10**9, "side by side": -(10**9)}[request.param]
    monkeypatch.setattr("graph.shocks._LOCAL", budget)
    return request.param


def agree(matrix, assets, shocks, alpha, beta):
    batch = clear_shocks(matrix, assets, shocks, alpha=alpha, beta=beta, least=0)
    assert len(batch) == len(shocks)
    for k, shock in enumerate(shocks):
        left = list(assets)
        for member, rest in shock.items() if isinstance(shock, dict) else [(shock, 0)]:
            left[member] = rest
        alone = clearing_vector(matrix, left, alpha=alpha, beta=beta)
        np.testing.assert_allclose(batch.pay(k), alone.pay, **NEAR)
        assert {*batch.baseline.defaulted, *batch.defaulted(k)} == set(alone.defaulted)
        assert batch.new_defaults[k] == len(batch.defaulted(k))
        assert batch.unpaid[k] == pytest.approx((batch.baseline.pay - alone.pay).sum(), abs=1e-8)
        fallen = (batch.baseline.equity - alone.equity).sum()
        assert batch.equity_lost[k] == pytest.approx(fallen, abs=1e-8)
        if (alpha, beta) == (1, 1):
            assert batch.equity_lost[k] == pytest.approx(sum(assets) - sum(left), abs=1e-8)
        changed = batch.changed[batch.start[k] : batch.start[k + 1]]
        assert (np.diff(changed) > 0).all()
        for member, pay in batch.payments(k).items():
            assert pay == batch.pay(k)[member] < batch.baseline.pay[member]
    return batch


@given(seed=st.integers(0, 100_000))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_shock_gives_what_clearing_from_the_start_gives(how, seed):
    matrix, assets = debts_and_assets(seed)
    rng = random.Random(seed)
    shocks = [*range(len(assets)), {}, {i: a * rng.random() for i, a in enumerate(assets)}]
    shocks += [{i: rng.choice([0, a]) for i, a in enumerate(assets)} for _ in range(5)]
    batch = agree(matrix, assets, shocks, *costs_of(seed))
    # The empty shock is the baseline.
    assert (batch.new_defaults[len(assets)], batch.unpaid[len(assets)]) == (0, 0)


@pytest.mark.parametrize("costs", [(1, 1), (0.8, 0.9)])
def test_shocks_that_run_far_and_those_that_do_not(how, costs):
    matrix, assets = big_web(n=120)
    batch = agree(matrix, assets.tolist(), list(range(0, 120, 5)), *costs)
    assert batch.new_defaults.max() > 0
    assert len(batch.payments(int(np.argmax(batch.unpaid)))) > 30


def test_alone_and_side_by_side_in_one_call(monkeypatch):
    matrix, assets = big_web(n=120)
    monkeypatch.setattr("graph.shocks._LOCAL", 10**9)
    alone = clear_shocks(matrix, assets, range(120))
    monkeypatch.setattr("graph.shocks._LOCAL", 20)
    mixed = clear_shocks(matrix, assets, range(120))
    for k in range(120):
        np.testing.assert_allclose(alone.pay(k), mixed.pay(k), rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(alone.unpaid, mixed.unpaid, **NEAR)
    assert (alone.new_defaults == mixed.new_defaults).all()


def test_a_chain_falls_to_its_end(how):
    n = 200
    matrix = np.zeros((n + 1, n + 1))
    matrix[np.arange(n), np.arange(1, n + 1)] = 10
    batch = clear_shocks(matrix, {0: 12, 5: 3}, [0, 5, {0: 11}, {0: 9, 5: 3}])
    # 0 and 5 keep 5 of the chain alive: it breaks at once, or behind 5, which has 3 to spare.
    assert batch.new_defaults.tolist() == [n, 0, 0, 5]
    assert batch.payments(0) == {**dict.fromkeys(range(5), 0.0), **dict.fromkeys(range(5, n), 3.0)}
    assert batch.equity_lost.tolist() == [12, 3, 1, 3]


def test_small_falls_are_counted_and_not_listed(how):
    web = [[0, 100, 0], [0, 0, 100], [0, 0, 0]]
    batch = clear_shocks(web, [50, 0, 0], [{0: 50 - 1e-3}, {0: 40}], least=1e-4)
    assert batch.payments(0) == {}
    assert batch.unpaid == pytest.approx([2e-3, 20])
    assert batch.payments(1) == pytest.approx({0: 40, 1: 40})


def test_shocks_that_make_no_sense_are_refused():
    web = ([[0, 8], [0, 0]], [4, 1])
    with pytest.raises(BadParameter, match="only lower"):
        clear_shocks(*web, [{0: 5}])
    with pytest.raises(UnknownNode):
        clear_shocks(*web, [7])
    with pytest.raises(UnknownNode):
        clear_shocks(*web, [{"x": 0}])
    for bad in (-1, float("nan"), True):
        with pytest.raises(BadAmount):
            clear_shocks(*web, [{0: bad}])
        with pytest.raises(BadAmount):
            clear_shocks(*web, [], least=bad)
    with pytest.raises(IndexError):
        clear_shocks(*web, [0]).payments(1)
    assert len(clear_shocks(*web, [])) == 0
    assert len(clear_shocks([], [], [{}])) == 1


def test_what_takes_too_long_says_so(monkeypatch):
    monkeypatch.setattr("graph.shocks._LOCAL", -(10**9))
    # Nobody fails before; then all but a thousandth of each payment comes back.
    near_ring = [[0, 999, 1], [1000, 0, 0], [0, 0, 0]]
    with pytest.raises(NoConvergence, match="shock 0, or beside it"):
        clear_shocks(near_ring, [1, 0, 0], [{}, 0], max_passes=3)


def test_rounding_makes_nobody_short_who_owes_nothing(how):
    # What 1 gets falls in thirteenths and twelfths to nothing; a remainder below it is not a debt.
    web = [[0] * 6, [0] * 6, [12, 13, 0, 0, 0, 0], [0, 0, 2, 0, 0, 0], [0, 0, 3, 12, 0, 0]]
    batch = agree([*web, [0, 0, 1, 0, 0, 0]], [0, 0, 0, 0, 0, 14], [5], 0.9, 1)
    assert batch.defaulted(0) == (5,)
