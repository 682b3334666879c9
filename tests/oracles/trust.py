"""Oracle methods ``trust_flow.*`` and ``credit_limit``."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Hashable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx

from graph.array_limits import limit_values
from graph.arrays import from_edges
from graph.limits import Promise, check_certificate, cover_limit, reserve_cover
from graph.network import rooms_of, trust_network
from graph.trust import bounded_trust, budgeted_trust, max_trust, pool_trust, two_hop_trust
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


def _read_graph(case: Case, *named: Hashable) -> tuple[Any, Fraction, Fraction]:
    """The network of a case in whole units, and by how much it was multiplied."""
    edges = [
        (node(a), node(b), number(c, f"capacity of {a!r} -> {b!r}"))
        for a, b, c in rows(case.need("edges"), 3, "edges")
        # Nobody stands good to themself; the loop would carry nothing.
        if a != b
    ]
    amounts = [c for *_, c in edges]
    budgets = case.input.get("node_budget")
    if isinstance(budgets, dict):
        amounts += [number(c, "a node budget") for c in budgets.values()]
    scale = scale_of(amounts)
    extra = [node(n) for n in case.input.get("nodes", [])]
    network = trust_network([(a, b, round(c * scale)) for a, b, c in edges], nodes=[*extra, *named])
    return network, 1 / scale, scale


@method("trust_flow.max_flow")
def max_flow(case: Case) -> None:
    borrower, lender = node(case.need("borrower")), node(case.need("lender"))
    network, unit, _ = _read_graph(case, borrower, lender)
    trust = max_trust(network, borrower, lender)
    rooms = rooms_of(network)
    if sum(rooms[pair] for pair in trust.cut) != trust.value:
        case.differences.append("the cut found is not worth the flow")
    case.compare("trust", trust.value * unit)
    # A minimum cut need not be unique: what counts is that it separates and what it is worth.
    key = "min_cut_side_of_borrower_smallest"
    if case.wants(key):
        side = {node(n) for n in case.expected[key]}
        if borrower not in side or lender in side or not side <= set(network):
            case.differences.append(
                f"{key}: expected {sorted(side, key=str)}, which does not part the two"
            )
        worth = sum(room for (a, b), room in rooms.items() if a in side and b not in side)
        case.compare(key, trust.value * unit, f"worth of {key}", worth * unit)
    key = "one_min_cut_edges"
    if case.wants(key):
        pairs = {(node(a), node(b)) for a, b in rows(case.expected[key], 2, key)}
        unknown = sorted(pairs - rooms.keys(), key=str)
        if unknown:
            case.differences.append(f"{key}: expected {unknown}, got no such edge")
        worth = sum(rooms.get(pair, 0) for pair in pairs)
        case.compare(key, trust.value * unit, f"worth of {key}", worth * unit)
        left = network.copy()
        left.remove_edges_from(pairs | {pair for pair, room in rooms.items() if not room})
        if nx.has_path(left, borrower, lender):
            case.differences.append(f"{key}: expected a cut, got a chain past it")


@method("trust_flow.super_source_pool")
def super_source_pool(case: Case) -> None:
    borrower = node(case.need("borrower"))
    given = case.need("lender_pool")
    if not isinstance(given, list):
        raise Malformed("lender_pool is not a list")
    pool = [node(n) for n in given]
    network, unit, _ = _read_graph(case, borrower, *pool)
    case.compare("trust", pool_trust(network, borrower, pool) * unit)


@method("trust_flow.path_length_limit")
def path_length_limit(case: Case) -> None:
    borrower, lender = node(case.need("borrower")), node(case.need("lender"))
    network, unit, _ = _read_graph(case, borrower, lender)
    key = "trust_by_max_path_edges"
    if case.wants(key):
        for edges in _counts(case.expected[key], key):
            got = bounded_trust(network, borrower, lender, edges) * unit if edges else Fraction(0)
            case.compare(key, got, f"{key}[{edges}]", case.expected[key][str(edges)])
    case.compare("two_hop_closed_form", two_hop_trust(network, borrower, lender) * unit)


@method("trust_flow.voucher_budgets")
def voucher_budgets(case: Case) -> None:
    borrower, lender = node(case.need("borrower")), node(case.need("lender"))
    network, unit, scale = _read_graph(case, borrower, lender)
    given = by_node(case.need("node_budget"), network, "node_budget")
    budgets = {n: round(number(b, f"budget of {n!r}") * scale) for n, b in given.items()}
    network.add_nodes_from(budgets)
    case.compare("trust", budgeted_trust(network, borrower, lender, budgets) * unit)


_KINDS = {
    "visitgo",
    "visitcome",
    "keroricego",
    "keroricecome",
    "helpdecision",
    "receiveadvice",
}


def village_network(path: Path, village: int) -> Any:
    """Households of one village, each tie as strong as the number of kinds that report it."""
    kinds: dict[tuple[int, int], set[str]] = {}
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    with io.StringIO(text, newline="") as lines:
        reader = csv.DictReader(lines)
        missing = {"village", "asker", "helper", "kind"} - set(reader.fieldnames or ())
        if missing:
            raise Malformed(f"{path.name} has no column {', '.join(sorted(missing))}")
        for row in reader:
            if row["kind"] not in _KINDS or int(row["village"]) != village:
                continue
            a, b = int(row["asker"]) // 100, int(row["helper"]) // 100
            # A household number is the village's number and three digits.
            if a != b and a // 1000 == b // 1000 == village:
                kinds.setdefault((min(a, b), max(a, b)), set()).add(row["kind"])
    network: Any = nx.Graph()
    for (a, b), seen in kinds.items():
        network.add_edge(a, b, room=len(seen))
    return network


@method("trust_flow.real_village")
def real_village(case: Case) -> None:
    village = case.need("village")
    if isinstance(village, bool) or not isinstance(village, int):
        raise Malformed(f"village is not a number: {village!r}")
    network = village_network(case.path(case.need("file")), village)
    if not network:
        raise Malformed(f"village {village} has no ties in the file")
    case.compare("edges", network.number_of_edges())
    case.compare("total_capacity", int(network.size("room")))
    case.compare("households_in_largest_component", max(map(len, nx.connected_components(network))))
    pairs = "pairs_[a,b,max_flow,two_hop_trust]"
    if case.wants(pairs):
        for row in rows(case.expected[pairs], 4, pairs):
            a, b = int(row[0]), int(row[1])
            # A household without any tie is in no row of the file.
            network.add_nodes_from([a, b])
            flow, hops = row[2:]
            case.compare(pairs, max_trust(network, a, b).value, f"max flow {a}-{b}", flow)
            case.compare(pairs, two_hop_trust(network, a, b), f"two-hop trust {a}-{b}", hops)


@method("credit_limit")
def credit_limit(case: Case) -> None:
    borrower = node(case.need("borrower"))
    vouches = rows(case.need("vouches"), 4, "vouches", least=3)
    # A path meets nobody twice, so a vouch for oneself is on none.
    vouches = [row for row in vouches if row[0] != row[1]]
    members = {borrower, *(node(row[side]) for row in vouches for side in (0, 1))}
    given = by_node(case.need("standing"), members, "standing")
    standing = {m: number(x, f"standing of {m!r}") for m, x in given.items()}
    rooms = []
    for row in vouches:
        promised = number(row[2], f"limit of {row[0]!r} -> {row[1]!r}")
        reserved = number(row[3], f"reserved of {row[0]!r} -> {row[1]!r}") if row[3:] else 0
        # What is reserved beyond the promise leaves no room, and takes none from others.
        rooms.append(max(promised - reserved, Fraction(0)))
    named: dict[str, Fraction] = {}
    if isinstance(case.expected.get("reserve"), dict):
        named["reserve"] = number(case.expected["reserve"].get("amount"), "reserve.amount")
    grown = [
        (key, int(found[1]), number(float(found[2]), key))
        for key in case.expected
        if (found := re.fullmatch(r"gain_in_k(\d+)_limit_if_that_vouch_grew_by_([\d.]+)", key))
    ]
    amounts = [*standing.values(), *rooms, *named.values(), *(by for *_, by in grown)]
    scale = scale_of(amounts)
    unit = 1 / scale
    standings: dict[Hashable, int] = {m: round(x * scale) for m, x in standing.items()}
    standings.setdefault(borrower, 0)
    promises = [
        Promise(i, node(row[0]), node(row[1]), round(room * scale), i)
        for i, (row, room) in enumerate(zip(vouches, rooms, strict=True))
    ]
    arrays = from_edges(((p.voucher, p.borrower, p.room) for p in promises), standings)

    def optimum(circle: int | None) -> Fraction:
        found = cover_limit(borrower, standings, promises, circle=circle)
        check_certificate(found, standings, promises)
        on_arrays = int(limit_values(arrays, [borrower], circle=circle)[0])
        if on_arrays != found.value:
            case.differences.append(
                f"for at most {circle} vouches arrays say {on_arrays}, promises {found.value}"
            )
        return found.optimum * unit

    key = "by_max_vouches_on_a_path"
    if case.wants(key):
        for circle in _counts(case.expected[key], key):
            case.compare(key, optimum(circle), f"{key}[{circle}]", case.expected[key][str(circle)])
    case.compare("whole_graph_ceiling", optimum(None))
    if case.wants("reserve"):
        _reserve(case, borrower, standings, promises, named.get("reserve"), unit)
    for key, circle, by in grown:
        limit = cover_limit(borrower, standings, promises, circle=circle)
        gains: list[list[Any]] = [
            [*map(node, vouches[int(str(r.id))][:2]), r.gain * unit]
            for r in limit.raises(round(by * scale))
            if r.kind == "promise"
        ]
        wanted: list[list[Any]] = [
            [node(u), node(v), number(g, f"gain of {u!r} -> {v!r}")]
            for u, v, g in rows(case.expected[key], 3, key)
        ]
        # The order of the rows says nothing; both are put into the same one.
        case.compare(key, sorted(gains, key=_gain_key), "", sorted(wanted, key=_gain_key))


def _gain_key(row: list[Any]) -> tuple[str, str, float]:
    return (str(row[0]), str(row[1]), float(row[2]))


def _reserve(
    case: Case,
    borrower: Hashable,
    standings: Mapping[Hashable, int],
    promises: list[Promise],
    amount: Fraction | None,
    unit: Fraction,
) -> None:
    wanted = case.expected["reserve"]
    if amount is None:
        raise Malformed("reserve is not an object with an amount")
    units = round(amount / unit)
    most = cover_limit(borrower, standings, promises).value
    # The whole limit may have lost its last digits where amounts had to be rounded.
    if 0 < (units - most) * unit <= case.tolerance:
        units = most
    paths = reserve_cover(borrower, standings, promises, units)
    split = [sum(p.amount for p in paths if len(p.promises) == n) * unit for n in (0, 1, 2)]
    case.compare("reserve", sum(split), "reserve.amount", wanted["amount"])
    key = "least_hop_split_own_direct_second"
    if key in wanted:
        case.compare("reserve", split, f"reserve.{key}", wanted[key])


def _counts(value: object, what: str) -> list[int]:
    if not isinstance(value, dict) or not all(re.fullmatch("[0-9]+", key) for key in value):
        raise Malformed(f"{what} is not an object keyed by whole numbers")
    return sorted(int(key) for key in value)
