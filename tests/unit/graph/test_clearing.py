"""Clearing vectors: two forms that agree, fixed points, the greatest, and what moves them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_array

from graph.arrays import from_edges
from graph.clearing import check_clearing, clearing_vector, fictitious_default
from graph.debts import debts_of
from graph.errors import (
    BadAmount,
    BadCapacity,
    BadCertificate,
    BadParameter,
    NoConvergence,
    SelfLoop,
    UnknownNode,
)
from tests.unit.graph.webs import costs_of, debts_and_assets, mapped

SEEDS = st.integers(0, 100_000)
NEAR = {"rtol": 1e-9, "atol": 1e-9}


def test_a_chain_worked_by_hand():
    # 0 owes 8 and has 4: pays half. 1 owes 6, has 1 and gets 4: pays 5. 2 gets 5.
    done = clearing_vector([[0, 8, 0], [0, 0, 6], [0, 0, 0]], [4, 1, 0])
    assert done.payments == {0: 4, 1: 5, 2: 0}
    assert done.equities == {0: 0, 1: 0, 2: 5}
    assert done.obligations == {0: 8, 1: 6, 2: 0}
    assert done.rounds == ((0,), (1,))
    assert done.defaulted == (0, 1)


def test_a_ring_of_three_with_half_the_cash_that_is_due():
    # 0 owes 1 two and 2 one, 1 owes 0 two and 2 one, 2 owes nobody; 1 has 1.
    # 0 gets 2 for 3; then 1 falls short. p0 = 2/3 p1, p1 = 1 + 2/3 p0: p1 = 9/5, p0 = 6/5.
    done = fictitious_default([[0, 2, 1], [2, 0, 1], [0, 0, 0]], [0, 1, 0], exact=True)
    assert done.payments == {0: Fraction(6, 5), 1: Fraction(9, 5), 2: 0}
    assert done.rounds == ((0,), (1,))


def test_a_ring_without_any_cash_pays_all_that_it_owes():
    for form in (clearing_vector, fictitious_default):
        done = form([[0, 1], [1, 0]], [0, 0])
        assert done.payments == {0: 1, 1: 1}
        assert done.rounds == ()
        check_clearing(done)
        # Half of it would clear as well, and so would nothing; neither is the greatest.
        for less in (0.5, 0.0):
            with pytest.raises(BadCertificate, match="could pay more"):
                check_clearing(replace(done, pay=np.full(2, less)))


def test_default_costs_make_a_break_even_debtor_matter():
    # 0 is short of one and loses half of its assets; 1 would have been paid in full.
    web = ([[0, 10], [0, 0]], [9, 0])
    assert clearing_vector(*web).payments[0] == 9
    assert clearing_vector(*web, alpha=0.5).payments[0] == 4.5
    assert clearing_vector(web[0], [10, 0], alpha=0.5).payments[0] == 10


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_both_forms_agree_and_are_a_fixed_point_between_nothing_and_what_is_owed(seed):
    matrix, assets = debts_and_assets(seed)
    alpha, beta = costs_of(seed)
    exact = fictitious_default(matrix, assets, alpha=alpha, beta=beta, exact=True)
    pay = list(exact.payments.values())
    assert mapped(matrix, assets, pay, alpha, beta) == pay
    assert all(0 <= p <= sum(row) for p, row in zip(pay, matrix, strict=True))
    assert all(p == 0 for p, row in zip(pay, matrix, strict=True) if not sum(row))
    for form in (clearing_vector, fictitious_default):
        done = form(matrix, assets, alpha=alpha, beta=beta)
        assert done.rounds == exact.rounds
        np.testing.assert_allclose(done.pay, exact.pay, **NEAR)
        np.testing.assert_allclose(done.equity, exact.equity, **NEAR)
        check_clearing(done)
    check_clearing(exact)
    if (alpha, beta) == (1, 1):
        assert sum(exact.equities.values()) == pytest.approx(sum(assets))


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_without_costs_it_is_the_largest_sum_that_a_linear_programme_finds(seed):
    matrix, assets = debts_and_assets(seed)
    owed = np.array(matrix, float).sum(axis=1)
    shares = np.divide(
        matrix, owed[:, None], out=np.zeros_like(matrix, float), where=owed[:, None] > 0
    )
    found = linprog(
        -np.ones(len(assets)),
        A_ub=np.eye(len(assets)) - shares.T,
        b_ub=assets,
        bounds=[(0, p) for p in owed],
    )
    assert found.status == 0
    assert clearing_vector(matrix, assets).pay.sum() == pytest.approx(-found.fun, abs=1e-7)


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_no_other_fixed_point_is_above_it(seed):
    matrix, assets = debts_and_assets(seed, 5)
    alpha, beta = costs_of(seed)
    done = fictitious_default(matrix, assets, alpha=alpha, beta=beta, exact=True)
    greatest = list(done.payments.values())
    # Every set of defaults, tried by iteration from nothing paid and from everything paid.
    for start in ([Fraction(0)] * len(matrix), [Fraction(sum(row)) for row in matrix]):
        pay = start
        for _ in range(60):
            pay = [
                Fraction(x).limit_denominator(10**12)
                for x in mapped(matrix, assets, pay, alpha, beta)
            ]
        again = mapped(matrix, assets, pay, alpha, beta)
        if max((abs(a - b) for a, b in zip(again, pay, strict=True)), default=0) < 1e-9:
            assert all(p <= g + Fraction(1, 10**6) for p, g in zip(pay, greatest, strict=True))


@given(SEEDS, st.integers(0, 7), st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_more_assets_never_lower_and_costs_never_raise_a_payment(seed, who, more):
    matrix, assets = debts_and_assets(seed)
    alpha, beta = costs_of(seed)
    before = clearing_vector(matrix, assets, alpha=alpha, beta=beta)
    richer = list(assets)
    richer[who % len(assets)] += more
    assert np.all(clearing_vector(matrix, richer, alpha=alpha, beta=beta).pay >= before.pay - 1e-9)
    assert np.all(clearing_vector(matrix, assets).pay >= before.pay - 1e-9)


@given(SEEDS, st.sampled_from([Fraction(1, 8), 3, 1000]), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_names_order_and_the_unit_of_money_change_nothing(seed, factor, rng):
    matrix, assets = debts_and_assets(seed)
    n = len(assets)
    alpha, beta = costs_of(seed)
    plain = fictitious_default(matrix, assets, alpha=alpha, beta=beta, exact=True)
    order = list(range(n))
    rng.shuffle(order)
    moved = clearing_vector(
        [[matrix[i][j] * factor for j in order] for i in order],
        [assets[i] * factor for i in order],
        alpha=alpha,
        beta=beta,
    )
    np.testing.assert_allclose(moved.pay, plain.pay[order] * float(factor), **NEAR)
    assert {order[int(str(i))] for i in moved.defaulted} == set(plain.defaulted)
    edges = [(f"m{i}", f"m{j}", matrix[i][j]) for i in range(n) for j in range(n) if matrix[i][j]]
    rng.shuffle(edges)
    named = clearing_vector(
        from_edges(edges, nodes=[f"m{i}" for i in range(n)]),
        {f"m{i}": assets[i] for i in order},
        alpha=alpha,
        beta=beta,
    )
    np.testing.assert_allclose(list(named.payments.values()), plain.pay, **NEAR)


def test_every_form_of_input_says_the_same_and_is_not_changed():
    matrix = np.array([[0, 3, 0, 5], [2, 0, 6, 0], [4, 0, 0, 1], [0, 0, 2, 0]])
    before = matrix.copy()
    assets = np.array([2.0, 1.0, 1.0, 3.0])
    graph = nx.DiGraph()
    for i, j in zip(*np.nonzero(matrix), strict=True):
        graph.add_edge(int(i), int(j), room=int(matrix[i, j]))
    edges = sorted(graph.edges(data="room"))
    wanted = clearing_vector(matrix, assets).pay
    for form in (matrix.tolist(), csr_array(matrix), graph, debts_of(matrix), matrix.astype(float)):
        np.testing.assert_allclose(clearing_vector(form, assets).pay, wanted, **NEAR)
        np.testing.assert_allclose(fictitious_default(form, assets, exact=True).pay, wanted, **NEAR)
    assert (matrix == before).all()
    assert sorted(graph.edges(data="room")) == edges
    assert wanted.tolist() == pytest.approx([200 / 29, 104 / 29, 5, 2])


def test_an_edge_without_an_amount_and_a_web_without_members():
    done = clearing_vector(from_edges([("a", "b", 0), ("b", "c", 2)]), {"b": 1})
    assert done.payments == {"a": 0, "b": 1, "c": 0}
    check_clearing(done)
    for form in (clearing_vector, fictitious_default):
        assert form([], []).payments == {}
        assert form([], []).rounds == ()


def big_web(seed=3, n=400, degree=8):
    rng = np.random.default_rng(seed)
    matrix = np.zeros((n, n))
    for _ in range(n * degree):
        i, j = rng.integers(0, n, 2)
        if i != j:
            matrix[i, j] += rng.integers(1, 100)
    need = np.maximum(matrix.sum(1) - matrix.sum(0), 10)
    return matrix, need * rng.uniform(0.3, 1.3, n)


@pytest.mark.parametrize("costs", [(1, 1), (0.9, 0.95)])
def test_many_defaults_at_once_and_sparse_systems(costs, monkeypatch):
    # So many that payments are swept and not passed on one by one.
    matrix, assets = big_web()
    fallen = clearing_vector(matrix, assets, alpha=costs[0], beta=costs[1])
    assert len(fallen.defaulted) > 100
    check_clearing(fallen)
    solved = fictitious_default(matrix, assets, alpha=costs[0], beta=costs[1])
    monkeypatch.setattr("graph.clearing._DENSE", 10)
    sparse = fictitious_default(matrix, assets, alpha=costs[0], beta=costs[1])
    for done in (solved, sparse):
        assert done.rounds == fallen.rounds
        np.testing.assert_allclose(done.pay, fallen.pay, **NEAR)


def test_a_long_chain_defaults_one_by_one():
    n = 300
    edges = [(i, i + 1, 10) for i in range(n)]
    done = clearing_vector(from_edges(edges), {0: 9})
    assert done.rounds == tuple((i,) for i in range(n))
    assert done.pay.tolist() == [9.0] * n + [0.0]
    check_clearing(done)


def test_a_certificate_that_is_wrong_is_seen():
    matrix, assets = [[0, 8, 0], [0, 0, 6], [0, 0, 0]], [4, 1, 0]
    done = clearing_vector(matrix, assets)
    for pay in ([4, 6, 0], [4, 4, 0], [8, 6, 0], [3, 4, 0]):
        with pytest.raises(BadCertificate, match="does not pay"):
            check_clearing(replace(done, pay=np.array(pay, float)))
    for pay in ([9, 5, 0], [-1, 0, 0], [float("nan"), 5, 0]):
        with pytest.raises(BadCertificate, match="below 0 or above"):
            check_clearing(replace(done, pay=np.array(pay, float)))
    # With costs both default or neither does; the second is the greatest.
    pair = clearing_vector([[0, 10], [10, 0]], [1, 1], alpha=0.5, beta=0.5)
    assert pair.payments == {0: 10, 1: 10}
    check_clearing(pair)
    with pytest.raises(BadCertificate, match="could pay in full"):
        check_clearing(replace(pair, pay=np.array([1.0, 1.0])))


@pytest.mark.parametrize("form", [clearing_vector, fictitious_default])
def test_webs_that_make_no_sense_are_refused(form):
    for bad in (-1, float("nan"), float("inf"), True, "1", None):
        with pytest.raises(BadAmount):
            form([[0, bad], [0, 0]], [0, 0])
        with pytest.raises(BadAmount):
            form([[0, 1], [0, 0]], [bad, 0])
        with pytest.raises(BadAmount):
            form([[0, 1], [0, 0]], [0, 0], alpha=bad)
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(BadAmount):
            form(np.array([[0, bad], [0, 0]]), [0, 0])
        with pytest.raises(BadAmount):
            form(csr_array(np.array([[0, bad], [0, 0]])), [0, 0])
        with pytest.raises(BadAmount):
            form([[0, 1], [0, 0]], np.array([bad, 0]))
    graph = nx.DiGraph()
    graph.add_edge("a", "b", room=1.5)
    with pytest.raises(BadCapacity):
        form(graph, {})
    with pytest.raises(SelfLoop):
        form([[1]], [0])
    with pytest.raises(UnknownNode):
        form([[0, 1], [0, 0]], {7: 1})
    for shape in ([[0, 1]], [[0, 1], [0]], np.zeros((2, 3)), np.zeros(3), csr_array((2, 3))):
        with pytest.raises(BadParameter, match="square"):
            form(shape, [0, 0])
    for assets in ([0], np.zeros(3), np.zeros((2, 1))):
        with pytest.raises(BadParameter, match="members"):
            form([[0, 1], [0, 0]], assets)
    with pytest.raises(BadParameter, match="from 0 to 1"):
        form([[0, 1], [0, 0]], [0, 0], beta=1.5)


def test_what_takes_too_long_says_so():
    # All but a thousandth of each payment comes back.
    near_ring = [[0, 999, 1], [1000, 0, 0], [0, 0, 0]]
    with pytest.raises(NoConvergence):
        clearing_vector(near_ring, [0, 0, 0], max_passes=3)
    assert fictitious_default(near_ring, [0, 0, 0]).payments == {0: 0, 1: 0, 2: 0}
    n = 130
    with pytest.raises(BadParameter, match="too many for fractions"):
        fictitious_default(from_edges([(i, n, 1) for i in range(n)]), {}, exact=True)
    with pytest.raises(BadParameter):
        clearing_vector(near_ring, [0, 0, 0], max_passes=0)
