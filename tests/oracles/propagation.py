"""Oracle methods of trust handed on: EigenTrust, SybilRank, Advogato, ratings."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import fmean
from typing import Any

from graph.advogato import Accepted, advogato, check_accepted
from graph.arrays import ArrayNetwork, from_edges
from graph.propagation import eigentrust, sybilrank
from graph.ratings import Rating, fairness_goodness, rev2
from tests.oracles.registry import (
    Case,
    Malformed,
    by_node,
    in_whole_units,
    method,
    node,
    number,
    rows,
)
from tests.oracles.tables import id_of, table

# Rooms stay well within 64 bits even where a trust has many digits.
_FINEST = 10**9


@method("eigentrust_personalised_pagerank")
def personalised_pagerank(case: Case) -> None:
    given = next((v for k, v in case.input.items() if k.startswith("local_trust")), None)
    if not isinstance(given, list) or not all(isinstance(row, list) for row in given):
        raise Malformed("input has no matrix 'local_trust…'")
    members: list[Hashable] = list(range(len(given)))
    trust = [
        (i, j, max(number(c, f"trust of {i} in {j}"), Fraction(0)))
        for i, row in enumerate(given)
        for j, c in enumerate(row)
        if i != j
    ]
    scale: Fraction = Fraction(in_whole_units(c for *_, c in trust))
    largest = max((c for *_, c in trust), default=Fraction(0))
    if largest * scale > _FINEST**1.5:
        scale = _FINEST / largest
    network = from_edges([(i, j, round(c * scale)) for i, j, c in trust if c], nodes=members)
    home = by_node(case.need("pretrusted_p"), members, "pretrusted_p")
    found = eigentrust(
        network,
        {m: float(number(x, f"p of {m!r}")) for m, x in home.items()},
        restart=float(number(case.need("a_restart"), "a_restart")),
        tolerance=1e-13,
    )
    _per_member(case, "t", found.by_member())
    _ranking(case, "rank_best_first", found.by_member(), best_first=True)


@method("sybilrank")
def walk(case: Case) -> None:
    ties = [(node(a), node(b)) for a, b in rows(case.need("undirected_edges"), 2, "ties")]
    seeds = _nodes(case.need("seeds"), "seeds")
    n = case.input.get("n")
    named: list[Hashable] = list(range(n)) if isinstance(n, int) else []
    total, steps = case.input.get("total_trust"), case.input.get("iterations")
    network = from_edges([(a, b, 1) for a, b in ties], nodes=named)
    found = sybilrank(
        network,
        seeds,
        total=None if total is None else float(number(total, "total_trust")),
        steps=None if steps is None else int(number(steps, "iterations")),
    )
    _per_member(case, "degree_normalised_trust", found.by_member())
    _ranking(case, "least_trusted_first", found.by_member(), best_first=False)


@method("advogato_max_flow")
def max_flow(case: Case) -> None:
    edges = [(node(a), node(b)) for a, b in rows(case.need("edges"), 2, "edges")]
    seeds = _nodes(case.need("seeds"), "seeds")
    capacities = _capacities(case.need("capacities_by_distance_from_root"))
    named = [node(m) for m in case.input.get("nodes", [])]
    network = from_edges([(a, b, 1) for a, b in set(edges)], nodes=[*seeds, *named])
    found = advogato(network, seeds, capacities)
    check_accepted(found, network, seeds, capacities)
    _accepted_set(case, network, found)
    case.compare("accepted_count_without_root", found.count)


def _accepted_set(case: Case, network: ArrayNetwork, found: Accepted) -> None:
    """Which members a largest flow accepts is open: none but possible ones, all certain ones."""
    everybody = set(network.ids_of(range(network.n)))
    for key, turned_away in (("accepted", False), ("rejected", True)):
        if not case.wants(key):
            continue
        named = set(_nodes(case.expected[key], key))
        accepted = everybody - named if turned_away else named
        if len(accepted) != found.count:
            case.differences.append(f"{key}: expected {len(accepted)} accepted, got {found.count}")
        elif not found.certain <= accepted <= found.possible:
            case.differences.append(f"{key}: expected {sorted(named, key=str)}, which cannot be")


_LEVELS = {"observer": 0, "apprentice": 1, "journeyer": 2, "master": 3}


@method("advogato_max_flow.real")
def levels(case: Case) -> None:
    files = case.need("files") if "files" in case.input else [case.need("file")]
    if not isinstance(files, list) or not files:
        raise Malformed("files is not a list of names")
    certificates: dict[tuple[Hashable, Hashable], int] = {}
    for certifier, certified, level in table(
        case.path(files[0]), "certifier", "certified", "level"
    ):
        if level not in _LEVELS:
            raise Malformed(f"not a level: {level!r}")
        if certifier != certified:
            pair = (id_of(certifier), id_of(certified))
            certificates[pair] = max(certificates.get(pair, 0), _LEVELS[level])
    seeds = _nodes(case.need("seeds"), "seeds")
    capacities = _capacities(case.need("capacities"))
    network = from_edges(((*pair, level) for pair, level in certificates.items()), nodes=seeds)
    key = "accepted_without_root"
    if case.wants(key):
        got = {}
        for name in case.expected[key]:
            level = _LEVELS.get(name.split("_")[0])
            if level is None:
                raise Malformed(f"not a level: {name!r}")
            found = advogato(network, seeds, capacities, least=level)
            check_accepted(found, network, seeds, capacities, least=level)
            got[name] = found.count
        case.compare(key, got)
    # What the site says follows from settings that are not known; it is there to be read.
    case.wants("levels_published_by_the_site")


@method("fairness_goodness")
def fairness(case: Case) -> None:
    ratings = _ratings(case, "edges")
    found = fairness_goodness(ratings)
    _per_member(case, "fairness", found.fairness)
    _per_member(case, "goodness", found.goodness)
    key = "products_[u,v,f*g]"
    if case.wants(key):
        for row in rows(case.expected[key], 3, key):
            u, v = node(row[0]), node(row[1])
            case.compare(key, found.predicted(u, v), f"{key}[{u},{v}]", row[2])


@method("fairness_goodness.real")
def fairness_real(case: Case) -> None:
    weights = case.input.get("weights", "rating/10")
    told = re.fullmatch(r"\s*rating\s*(?:/\s*([0-9.]+))?\s*", str(weights))
    if not told:
        raise Malformed(f"weights are not understood: {weights!r}")
    by = float(told[1] or 1)
    ratings = [
        (id_of(rater), id_of(ratee), float(rating) / by)
        for rater, ratee, rating in table(case.path(case.need("file")), "rater", "ratee", "rating")
    ]
    found = fairness_goodness(ratings)
    case.compare("nodes", len(found.fairness))
    case.compare("edges", len(ratings))
    case.compare("mean_fairness", fmean(found.fairness.values()))
    case.compare("mean_goodness", fmean(found.goodness.values()))
    case.compare("sum_goodness", sum(found.goodness.values()))
    case.compare("sum_fairness", sum(found.fairness.values()))
    if case.wants("sample"):
        named = by_node(case.expected["sample"], found.fairness, "sample")
        for member, want in named.items():
            got = [found.fairness.get(member), found.goodness.get(member)]
            case.compare("sample", got, f"sample[{member}]", want)


@method("rev2")
def reliability(case: Case) -> None:
    given = case.input.get("parameters", {})
    known = {"alpha1", "beta1", "gamma1", "gamma2"}
    # Behaviour terms can only be read where they are off.
    if not isinstance(given, Mapping) or any(given[key] for key in given.keys() - known):
        raise Malformed(f"parameters are not understood: {given!r}")
    used = {key: float(number(given[key], key)) for key in known & given.keys()}
    found = rev2(_ratings(case, "ratings"), **used)
    _per_member(case, "fairness", found.fairness)
    _per_member(case, "goodness", found.goodness)
    case.compare("reliability", list(found.reliability))


def _ratings(case: Case, name: str) -> list[Rating]:
    given = next((v for k, v in case.input.items() if k.startswith(name)), None)
    return [
        (node(u), node(v), float(number(w, f"weight of {u!r} -> {v!r}")))
        for u, v, w in rows(given, 3, name)
    ]


def _nodes(given: Any, what: str) -> list[Hashable]:
    if not isinstance(given, list):
        raise Malformed(f"{what} is not a list")
    return [node(m) for m in given]


def _capacities(given: Any) -> Sequence[int]:
    if not isinstance(given, list):
        raise Malformed("capacities are not a list")
    return [int(number(c, "a capacity")) for c in given]


def _per_member(case: Case, key: str, got: Mapping[Hashable, float]) -> None:
    """A list in the order of the members, or an object by member."""
    if case.wants(key):
        want = case.expected[key]
        if isinstance(want, list):
            case.compare(key, list(got.values()))
        else:
            case.compare(key, dict(got), "", by_node(want, got, key))


def _ranking(case: Case, key: str, got: Mapping[Hashable, float], *, best_first: bool) -> None:
    """A list of members is right when their figures go one way, up to the tolerance."""
    if not case.wants(key):
        return
    order = _nodes(case.expected[key], key)
    if set(order) != set(got) or len(order) != len(got):
        case.differences.append(f"{key}: expected {order}, got other members")
        return
    figures = [got[m] if best_first else -got[m] for m in order]
    for place, (before, after) in enumerate(pairwise(figures)):
        if after - before > case.tolerance:
            case.differences.append(
                f"{key}[{place}]: expected {order[place]!r} before {order[place + 1]!r}"
            )
