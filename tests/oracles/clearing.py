"""Oracle methods ``clearing.*`` and ``debtrank``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from graph.clearing import Clearing, check_clearing, clearing_vector, fictitious_default
from graph.contagion import debt_rank
from tests.oracles.registry import Case, Malformed, method, number, rows

# So many members in default are worked out in fractions.
_FRACTIONS = 100


def _matrix(case: Case, key: str) -> list[list[Fraction]]:
    given = case.need(key)
    if not isinstance(given, list):
        raise Malformed(f"{key} is not a list")
    given = rows(given, len(given), key)
    return [[number(x, key) for x in row] for row in given]


def _numbers(case: Case, key: str) -> list[Fraction]:
    given = case.need(key)
    if not isinstance(given, list):
        raise Malformed(f"{key} is not a list")
    return [number(x, key) for x in given]


def _cost(case: Case, key: str) -> Fraction:
    return number(case.input.get(key, 1), key)


def _clear(case: Case) -> None:
    debts = _matrix(case, "liabilities_L[i][j]_i_owes_j")
    assets = _numbers(case, "external_assets")
    alpha, beta = _cost(case, "alpha"), _cost(case, "beta")
    costs = {"alpha": alpha, "beta": beta}
    fallen = clearing_vector(debts, assets, **costs)
    solved = fictitious_default(debts, assets, **costs)
    few = len(fallen.defaulted) <= _FRACTIONS
    exact = fictitious_default(debts, assets, **costs, exact=True) if few else solved
    # Floats cannot tell the order of defaults where cents stand beside millions of millions.
    amounts = [x for row in (*debts, assets) for x in row if x]
    resolved = max(amounts, default=Fraction(1)) <= 10**12 * min(amounts, default=Fraction(1))
    for form in (exact, fallen, solved):
        check_clearing(form)
        if resolved and form.rounds != exact.rounds:
            case.differences.append(f"rounds of {form!r}: {form.rounds}, not {exact.rounds}")
        if not np.allclose(form.pay, exact.pay, rtol=1e-9, atol=case.tolerance):
            case.differences.append(f"{form!r} pays {form.pay}, not {exact.pay}")
    case.compare("obligations", list(exact.obligations.values()))
    case.compare("greatest_clearing_vector", list(exact.payments.values()))
    key = "as_fractions"
    if case.wants(key):
        wanted = case.expected[key]
        if not isinstance(wanted, list):
            raise Malformed(f"{key} is not a list")
        case.compare(key, list(exact.payments.values()), "", [Fraction(str(x)) for x in wanted])
    case.compare("default_rounds", [sorted(map(int, map(str, r))) for r in exact.rounds])
    case.compare("equity_after", list(exact.equities.values()))
    key = "least_clearing_vector_by_upward_iteration"
    if case.wants(key):
        # Not what the method is for; but it must clear, and must not lie above the greatest.
        least = [float(x) for x in case.expected[key]]
        case.compare(key, _upwards(exact))
        if any(x > y + max(case.tolerance, 1e-8) for x, y in zip(least, exact.pay, strict=True)):
            case.differences.append(f"{key}: expected {least}, above the greatest")


def _upwards(clearing: Clearing) -> list[float]:
    """From nothing paid up to where the map rests, by its definition."""
    debts = clearing.debts
    shares = np.zeros((debts.n, debts.n))
    shares[debts.debtor, debts.creditor] = debts.share
    pay = np.zeros(debts.n)
    for _ in range(1_000_000):
        has = clearing.outside + shares.T @ pay
        left = clearing.alpha * clearing.outside + clearing.beta * (shares.T @ pay)
        after = np.where(has >= debts.obligation, debts.obligation, left)
        if np.abs(after - pay).max(initial=0.0) <= 1e-14:
            break
        pay = after
    listed: list[float] = pay.tolist()
    return listed


@method("clearing.eisenberg_noe")
def eisenberg_noe(case: Case) -> None:
    _clear(case)


@method("clearing.rogers_veraart")
def rogers_veraart(case: Case) -> None:
    _clear(case)


@method("debtrank")
def debtrank(case: Case) -> None:
    claims = _matrix(case, "exposure_A[i][j]_claim_of_i_on_j")
    debts = [list(column) for column in zip(*claims, strict=True)]
    equity, shock = _numbers(case, "equity"), _numbers(case, "initial_loss_h1")
    weights: list[Fraction] | None = None
    if "weights" in case.input:
        weights = _numbers(case, "weights")
    for key, single_hit in (("differential_2015", False), ("single_hit_2012", True)):
        done = debt_rank(debts, equity, shock, weights=weights, single_hit=single_hit)
        case.compare(f"{key}_h_final", done.loss.tolist())
        case.compare(f"{key}_R", done.value)
        for first in [k for k in case.expected if k.startswith(f"{key}_rounds")]:
            for t, want in enumerate(case.expected[first]):
                part = debt_rank(
                    debts, equity, shock, weights=weights, single_hit=single_hit, rounds=t
                )
                got: Any = part.loss.tolist()
                case.compare(first, got, f"{first}[{t}]", want)
