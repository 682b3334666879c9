"""Oracle methods ``group_formation.*``."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import factorial
from typing import Any

from graph.arrays import from_edges
from graph.assortative import assortative_matching, pair_payoffs
from graph.groups import GroupRules, check_grouping, form_groups
from tests.oracles.registry import Case, Malformed, method, number, scale_of

Pair = tuple[int, int]

# Beyond so many members sets are not enumerated; what then stands is the answer's own bound.
_ENUMERATED = 16
_OF_THE_OPTIMUM = Fraction(95, 100)


@method("group_formation.assortative_ghatak")
def assortative_ghatak(case: Case) -> None:
    given = case.need("success_probability")
    if not isinstance(given, list):
        raise Malformed("success_probability is not a list")
    success = {i: float(number(p, f"success of {i}")) for i, p in enumerate(given)}
    terms = [
        float(number(case.need(key), key))
        for key in ("expected_project_return", "repayment_r", "joint_liability_q")
    ]
    payoffs = pair_payoffs(success, *terms)
    case.compare("pair_payoff_U[i][j]_to_i", payoffs.tolist())
    found = assortative_matching(success, *terms)
    case.compare("best_total", found.best_total)
    case.compare("worst_total", found.worst_total)
    case.compare("cross_derivative", found.cross_derivative)
    for key, total in {
        "best_matching": found.best_total,
        "worst_matching": found.worst_total,
    }.items():
        if case.wants(key):
            # Several may be as good: one is right if it pairs everybody and pays as much.
            pairs = _parts(case.expected[key], list(success), key, 2)
            paid = sum(float(payoffs[i, j] + payoffs[j, i]) for i, j in pairs)
            case.compare(key, paid, f"payoff of {key}", total)


@method("group_formation.partition")
def partition(case: Case) -> None:
    trust = _matrix(case.need("trust"), "trust")
    n = len(trust)
    size = case.need("group_size")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= n or n % size:
        raise Malformed(f"group_size does not divide {n} members: {size!r}")
    amounts: dict[Pair, Fraction] = {}
    for i, j in combinations(range(n), 2):
        if trust[i][j] != trust[j][i]:
            raise Malformed(f"trust of {i} and {j} differs")
        amounts[i, j] = trust[i][j]
    scale = scale_of(amounts.values())
    network = from_edges(
        (
            (*way, round(amount * scale))
            for (i, j), amount in amounts.items()
            for way in ((i, j), (j, i))
        ),
        nodes=range(n),
    )
    correlations: dict[Any, float] | None = None
    rules = GroupRules(size, size)
    if case.input.get("risk_correlation") is not None:
        table = _matrix(case.input["risk_correlation"], "risk_correlation")
        correlations = {
            (i, j): float(max(table[i][j], table[j][i])) for i, j in combinations(range(n), 2)
        }
        limit = float(number(case.need("correlation_limit"), "correlation_limit"))
        allowed = case.need("max_pairs_above_limit_per_group")
        rules = GroupRules(size, size, risk_limit=limit, risky_pairs=allowed)
    found = form_groups(network, rules, correlations=correlations, exact_up_to=_ENUMERATED)
    check_grouping(found, network, rules, correlations=correlations)
    key = "optimum_internal_trust"
    if case.wants(key):
        want = case.expected[key]
        got: Fraction | None = found.trust / scale if found.complete else None
        if want is None or got is None or found.exact:
            case.compare(key, got)
        elif not _OF_THE_OPTIMUM * number(want, key) <= got <= want + case.tolerance:
            case.differences.append(f"{key}: expected within 5 % of {want}, got {got}")
    key = "one_optimal_partition"
    if case.wants(key) and case.expected[key] is not None:
        parts = _parts(case.expected[key], list(range(n)), key, size)
        inside = sum(amounts[i, j] for part in parts for i, j in combinations(sorted(part), 2))
        if found.exact:
            case.compare(key, inside, f"trust of {key}", float(found.trust / scale))
        for part in parts:
            if _risky(part, rules, correlations) > rules.risky_pairs:
                case.differences.append(f"{key}: {part} has too many risky pairs")
    number_of_groups = n // size
    case.compare(
        "partitions",
        factorial(n) // (factorial(size) ** number_of_groups * factorial(number_of_groups)),
    )
    # Any two members are together in the same share of all partitions.
    together = Fraction(size - 1, n - 1) if n > 1 else Fraction(0)
    case.compare("mean_over_all_partitions", sum(amounts.values(), Fraction(0)) * together)
    if case.wants("feasible") and n <= _ENUMERATED:
        case.compare("feasible", _feasible(n, size, rules, correlations))
    if case.wants("unconstrained_optimum"):
        free = form_groups(network, GroupRules(size, size), exact_up_to=_ENUMERATED)
        if free.exact:
            case.compare("unconstrained_optimum", free.trust / scale)


def _risky(part: Any, rules: GroupRules, correlations: Mapping[Any, float] | None) -> int:
    if correlations is None or rules.risk_limit is None:
        return 0
    return sum(correlations[pair] > rules.risk_limit for pair in combinations(sorted(part), 2))


def _feasible(
    n: int, size: int, rules: GroupRules, correlations: Mapping[Any, float] | None
) -> int:
    """How many of all partitions keep the rules."""

    @cache
    def ways(left: tuple[int, ...]) -> int:
        if not left:
            return 1
        total = 0
        for others in combinations(left[1:], size - 1):
            part = (left[0], *others)
            if _risky(part, rules, correlations) <= rules.risky_pairs:
                total += ways(tuple(i for i in left if i not in part))
        return total

    return ways(tuple(range(n)))


def _matrix(value: Any, what: str) -> list[list[Fraction]]:
    if not isinstance(value, list) or any(
        not isinstance(row, list) or len(row) != len(value) for row in value
    ):
        raise Malformed(f"{what} is not a square of numbers")
    return [[number(x, what) for x in row] for row in value]


def _parts(value: Any, members: list[int], what: str, size: int) -> list[tuple[int, ...]]:
    if not isinstance(value, list) or any(not isinstance(part, list) for part in value):
        raise Malformed(f"{what} is not a list of lists")
    if sorted(i for part in value for i in part) != members:
        raise Malformed(f"{what} does not hold every member once")
    if any(len(part) != size for part in value):
        raise Malformed(f"{what} has a part that is not of {size}")
    return [tuple(part) for part in value]
