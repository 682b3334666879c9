"""Oracle methods ``guarantee_circles``, ``communities`` and ``over_indebtedness``."""

from __future__ import annotations

import csv
import gzip
import io
import operator
import re
from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx

from graph.arrays import ArrayNetwork, from_edges
from graph.checks import id_key
from graph.communities import find_communities, modularity
from graph.cycles import bounded_cycles, triads
from graph.indebtedness import contingent_ratios
from graph.robustness import core_numbers, weak_points
from graph.structure import (
    longest_chain,
    mutual_pairs,
    stars,
    strong_components,
    weak_components,
)
from tests.oracles.registry import (
    Case,
    Malformed,
    by_node,
    method,
    node,
    number,
    rows,
    scale_of,
)

Pairs = list[tuple[Hashable, Hashable]]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
# Words of a filter or graph that say what is done here anyway, or later by the method.
_SAID_ANYWAY = {
    "all rows",
    "all edges",
    "self loops dropped",
    "self-loops dropped",
    "no self loops",
    "directed",
    "undirected",
    "unweighted",
    "",
}
# Where the ends of a tie may not be the first two columns.
_ENDS = (
    ("asker", "helper"),
    ("rater", "ratee"),
    ("debtor", "creditor"),
    ("certifier", "certified"),
    ("signer", "signed"),
    ("hh1", "hh2"),
    ("household_a", "household_b"),
    ("guarantor", "borrower"),
)
# Words that have an order of their own.
_ORDERED = {"observer": 0, "apprentice": 1, "journeyer": 2, "master": 3}


def read_pairs(path: Path, text: str) -> Pairs:
    """The first two columns of the rows of a table that a filter lets through, loops too."""
    raw = path.read_bytes()
    content = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    tests = []
    for part in re.split(r",|;|\band\b", text):
        clause = part.strip()
        if clause.lower() in _SAID_ANYWAY:
            continue
        found = re.fullmatch(r"(\w+)\s*(>=|<=|!=|==|=|>|<)\s*(\S+)", clause)
        if found is None:
            raise Malformed(f"filter {clause!r} is not understood")
        tests.append(found.groups())
    with io.StringIO(content, newline="") as lines:
        reader = csv.DictReader(lines)
        names = list(reader.fieldnames or ())
        if len(names) < 2:
            raise Malformed(f"{path.name} has no two columns")
        unknown = [column for column, *_ in tests if column not in names]
        if unknown:
            raise Malformed(f"{path.name} has no column {', '.join(unknown)}")
        tail, head = next((ends for ends in _ENDS if set(ends) <= set(names)), names[:2])
        return [
            (_id(row[tail]), _id(row[head]))
            for row in reader
            if all(_holds(row[column], sign, value) for column, sign, value in tests)
        ]


def _id(text: str) -> Hashable:
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _holds(have: str, sign: str, want: str) -> bool:
    compare = _COMPARE[sign]
    try:
        wanted = Fraction(want)
    except ValueError:
        word = want.strip("'\"")
        if word in _ORDERED and have in _ORDERED:
            return compare(_ORDERED[have], _ORDERED[word])
        return compare(have, word)
    try:
        return compare(Fraction(have), wanted)
    except ValueError:
        return False


def _network(pairs: Pairs, nodes: Iterable[Hashable] = ()) -> ArrayNetwork:
    return from_edges(((a, b, 1) for a, b in pairs if a != b), nodes=nodes)


@method("guarantee_circles")
def guarantee_circles(case: Case) -> None:
    name = next((key for key in case.input if key.startswith("edges")), None)
    given = case.need(name or "edges")
    pairs = [(node(row[0]), node(row[1])) for row in rows(given, 8, "edges", least=2)]
    nodes = case.input.get("nodes", [])
    if not isinstance(nodes, list):
        raise Malformed("nodes is not a list")
    _compare(case, _network(pairs, [node(n) for n in nodes]))


@method("guarantee_circles.real")
def real_circles(case: Case) -> None:
    pairs = read_pairs(case.path(case.need("file")), str(case.input.get("filter", "all rows")))
    network = _network(pairs)
    # Whether somebody with nothing but a loop is a member is not said: either reading will do.
    if case.expected.get("nodes") == len({member for pair in pairs for member in pair}):
        network = _network(pairs, (member for pair in pairs for member in pair))
    _compare(case, network)


def _compare(case: Case, network: ArrayNetwork) -> None:
    for key in case.expected:
        for pattern, check in _FIGURES:
            found = re.fullmatch(pattern, key)
            if found:
                check(case, key, network, found)
                break


def _same(case: Case, key: str, got: Iterable[Any], form: Callable[[Any], Any]) -> None:
    """A number, or a list whose order does not count."""
    have = list(got)
    if not case.wants(key):
        return
    want = case.expected[key]
    if not isinstance(want, list):
        case.compare(key, len(have))
        return
    wanted, found = [form(part) for part in want], [form(part) for part in have]
    for what, some, others in (("missing", wanted, found), ("too many", found, wanted)):
        known = set(others)
        left = [part for part in some if part not in known]
        if left:
            case.differences.append(f"{key}: {what} {left[:3]}")
    if len(wanted) != len(found):
        case.differences.append(f"{key}: expected {len(wanted)}, got {len(found)}")


def _set(part: Any) -> Any:
    return frozenset(node(member) for member in part)


def _row(part: Any) -> Any:
    return tuple(node(value) for value in part)


def _turned(part: Any) -> Any:
    """A cycle from its lowest member on."""
    cycle = [node(member) for member in part]
    at = cycle.index(min(cycle, key=id_key))
    return tuple(cycle[at:] + cycle[:at])


def _core(case: Case, key: str, network: ArrayNetwork, _: re.Match[str]) -> None:
    got = core_numbers(network).by_member()
    case.compare(key, got, "", by_node(case.expected[key], got, key))


def _cycles(case: Case, key: str, network: ArrayNetwork, _: re.Match[str]) -> None:
    longest = case.input.get("max_cycle_length", network.n)
    found = bounded_cycles(network, max(longest, 2), most=1_000_000, steps=10**9)
    if not found.complete:
        case.differences.append(f"{key}: the budget ran out")
    if key == "cycles_by_length":
        want = {int(length): number for length, number in case.expected[key].items() if number}
        case.compare(key, found.by_length, "", want)
    else:
        _same(case, key, found.cycles, _turned)


def _cycles_of(case: Case, key: str, network: ArrayNetwork, found: re.Match[str]) -> None:
    length = int(found[1])
    if length == 3:
        case.compare(key, triads(network).three_cycles)
        return
    cycles = bounded_cycles(network, length, most=0, steps=10**10)
    if not cycles.complete:
        case.differences.append(f"{key}: the budget ran out")
    case.compare(key, cycles.by_length.get(length, 0))


def _stars(case: Case, key: str, network: ArrayNetwork, found: re.Match[str]) -> None:
    got = stars(network, least=int(found[2] or 3))
    _same(case, key, got.guarantors if found[1] == "out" else got.borrowers, _row)


# What a case may expect, under the names that occur; each as a number or as a list.
_FIGURES: list[tuple[str, Callable[[Case, str, ArrayNetwork, re.Match[str]], None]]] = [
    (r"nodes", lambda c, k, g, _: c.compare(k, g.n)),
    (r"edges", lambda c, k, g, _: c.compare(k, g.m)),
    (r"largest_scc", lambda c, k, g, _: c.compare(k, strong_components(g).largest)),
    (
        r"strongly_connected_components.*|scc_larger_than_1",
        lambda c, k, g, _: _same(c, k, strong_components(g).groups(2), _set),
    ),
    (r"weak_components.*", lambda c, k, g, _: _same(c, k, weak_components(g).groups(), _set)),
    (
        r"largest_weak_component|largest_wcc",
        lambda c, k, g, _: c.compare(k, weak_components(g).largest),
    ),
    (r"mutual_pairs", lambda c, k, g, _: _same(c, k, mutual_pairs(g).ids(), _set)),
    (r"directed_(\d+)_cycles", _cycles_of),
    (r"simple_cycles|cycles_by_length", _cycles),
    (
        r"triad_census.*",
        lambda c, k, g, _: c.compare(
            k, {t: n for t, n in triads(g).census.items() if t in c.expected[k]}
        ),
    ),
    (r"max_core.*", lambda c, k, g, _: c.compare(k, core_numbers(g).highest)),
    (
        r"nodes_in_max_core",
        lambda c, k, g, _: _same(c, k, core_numbers(g).members(core_numbers(g).highest), node),
    ),
    (r"core_number.*", _core),
    (r"articulation_points.*", lambda c, k, g, _: _same(c, k, weak_points(g).members, node)),
    (r"bridges.*", lambda c, k, g, _: _same(c, k, weak_points(g).bridges.ids(), _set)),
    (r"longest_chain.*", lambda c, k, g, _: c.compare(k, longest_chain(g).length)),
    (r"(out|in)_stars[^>]*(?:>=\s*(\d+).*)?", _stars),
]


@method("communities")
def communities(case: Case) -> None:
    network = _named_graph(case)
    key = "modularity_of_given_partition"
    if case.wants(key):
        parts = rows(case.need("partition"), len(network), "partition", least=1)
        case.compare(key, modularity(network, [[node(m) for m in part] for part in parts]))
    _compare_communities(case, network)


@method("communities.real")
def real_communities(case: Case) -> None:
    text = case.input.get("filter", case.input.get("graph", "all rows"))
    _compare_communities(case, _network(read_pairs(case.path(case.need("file")), str(text))))


def _named_graph(case: Case) -> Any:
    """A graph that NetworkX makes, or one of listed edges."""
    name = next((key for key in case.input if key.startswith("edges")), None)
    if name is not None:
        listed = rows(case.input[name], 8, "edges", least=2)
        return nx.Graph((node(row[0]), node(row[1])) for row in listed if row[0] != row[1])
    found = re.search(r"(\w+_graph)\b\s*(?:\(([\d\s,]*)\))?", str(case.need("graph")))
    make = getattr(nx, found[1], None) if found else None
    if found is None or make is None:
        raise Malformed(f"graph {case.input['graph']!r} is not known")
    return nx.Graph(make(*map(int, re.findall(r"\d+", found[2] or ""))))


def _compare_communities(case: Case, network: Any) -> None:
    """Labels are not unique: a partition has to be one, repeat, and be worth enough."""
    found = find_communities(network)
    if modularity(network, found.groups) != found.modularity:
        case.differences.append("the communities found are not worth what they say")
    small = len(network) if isinstance(network, nx.Graph) else network.n
    if small < 1000 and find_communities(network) != found:
        case.differences.append("a fixed seed does not repeat")
    worth = float(found.modularity)
    floors = {key: value for key, value in case.expected.items() if "floor" in key}
    for key in floors:
        case.wants(key)
        _reaches(case, key, worth, floors[key])
    for key, value in case.expected.items():
        if "optimum" in key and case.wants(key) and not worth <= value + 1e-6:
            case.differences.append(f"{key}: expected no more than {value}, got {worth}")
        # What another method found: near it is enough, since a floor may say how near.
        if ("best" in key or "louvain" in key or "leiden" in key) and case.wants(key):
            _reaches(case, key, worth, min([0.95 * value, *floors.values()]))


def _reaches(case: Case, key: str, worth: float, floor: float) -> None:
    if not worth >= floor - case.tolerance:
        case.differences.append(f"{key}: expected at least {floor}, got {worth}")


@method("over_indebtedness")
def over_indebtedness(case: Case) -> None:
    name = next((key for key in case.input if key.startswith("guarantees")), None)
    lines = [
        (node(g), node(b), number(cap, f"cap of {g!r} for {b!r}"))
        for g, b, cap in rows(case.need(name or "guarantees"), 3, "guarantees")
    ]
    named = [member for line in lines for member in line[:2]]
    carry = {
        m: number(x, f"capacity of {m!r}")
        for m, x in by_node(case.need("yearly_capacity"), named, "yearly_capacity").items()
    }
    debts = {
        m: number(x, f"own debt of {m!r}")
        for m, x in by_node(case.input.get("own_debt", {}), [*named, *carry], "own_debt").items()
    }
    limit = number(case.input.get("limit", 1), "limit")
    own: dict[Hashable, list[Fraction]] = {}
    for table in (carry, debts):
        for m, x in table.items():
            own.setdefault(m, []).append(x)
    for g, _, cap in lines:
        own.setdefault(g, []).append(cap)
    # A ratio has no unit, so everybody is counted in the one that fits them.
    scale = {m: scale_of(amounts) for m, amounts in own.items()}
    # Whose capacity is not told cannot be judged; the engine wants it said.
    stated = dict.fromkeys([*named, *debts], Fraction(0)) | carry
    found = contingent_ratios(
        from_edges((g, b, round(cap * scale[g])) for g, b, cap in lines),
        {m: round(x * scale[m]) for m, x in debts.items()},
        {m: round(x * scale.get(m, 1)) for m, x in stated.items()},
        limit=limit,
    )
    key = "contingent_ratio"
    if case.wants(key):
        want = by_node(case.expected[key], found.burdens, key)
        case.compare(
            key,
            {m: b.ratio for m, b in found.burdens.items() if m in carry or m in want},
            "",
            want,
        )
    # Who guarantees nobody is only named as a key, which is always a string.
    _same(case, "flagged", [m for m in found.flagged if m in carry], lambda m: str(node(m)))
    key = "number_of_distinct_borrowers_guaranteed"
    if case.wants(key):
        want = by_node(case.expected[key], found.burdens, key)
        got = {m: b.borrowers for m, b in found.burdens.items() if m in want or b.borrowers}
        case.compare(key, got, "", want)
