"""Invented members that get in, for each tie that real members give them.

Protocol B7: a crowd of 500 invented members, joined among themselves by preferential attachment,
gets g ties to random members of a real network; 20 seeds are drawn from the 200 members with most
ties, and as many are accepted as are real. Seeds of all random numbers are fixed here and were
never looked for.
"""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, from_rows
from graph.propagation import eigentrust, sybilrank, two_block_trust
from graph.scores import auc
from tests.bench.real.result import Result
from tests.bench.real.tables import Table, read_table

CROWD, EACH, REPEATS = 500, 4, 5
SEEDS, AMONG = 20, 200
ATTACKS = (100, 500, 1000)
GOAL = 0.10

# Of the protocol, by SybilRank: AUC, and invented members accepted.
BASELINE = {
    ("OTC", 100): (0.999, 15),
    ("OTC", 500): (0.987, 69),
    ("OTC", 1000): (0.968, 146),
    ("Advogato", 100): (0.999, 9),
    ("Advogato", 500): (0.979, 86),
    ("Advogato", 1000): (0.893, 255),
}

Ints = NDArray[np.int64]


def run(data: Path) -> list[Result]:
    """Both networks, each with three numbers of ties; then what the method cannot do."""
    found = []
    for name, real in (("OTC", _otc(data)), ("Advogato", _advogato(data))):
        for ties in ATTACKS:
            found += _protocol(name, real, ties)
        for guess in (CROWD // 2, CROWD * 3 // 2):
            # The crowd taken for smaller or larger than it is; as many are accepted as before.
            rates = []
            for repeat in range(REPEATS):
                network, seeds, accept, _ = _attack(real, 500, repeat, "preferential", CROWD)
                blocks = two_block_trust(network, seeds, network.n - guess, mutual=True)
                rates.append(_rate(blocks.ranked(accept), 500))
            found.append(_row(f"{name} beyond: g=500, crowd taken for {guess}", rates, None, None))
        for kind, size in (("small world", CROWD), ("preferential", 200)):
            rates = []
            for repeat in range(REPEATS):
                network, seeds, accept, _ = _attack(real, 500, repeat, kind, size)
                blocks = two_block_trust(network, seeds, accept, mutual=True)
                rates.append(_rate(blocks.accepted, 500))
            found.append(_row(f"{name} beyond: g=500, {kind} of {size}", rates, None, None))
    return found


def _protocol(name: str, real: nx.Graph, ties: int) -> list[Result]:
    ours, walk, pagerank, told = [], [], [], []
    for repeat in range(REPEATS):
        network, seeds, accept, invented = _attack(real, ties, repeat, "preferential", CROWD)
        blocks = two_block_trust(network, seeds, accept, mutual=True)
        ours.append(_rate(blocks.accepted, ties))
        told.append(auc(~invented, np.nan_to_num(blocks.values, posinf=1e300)))
        walk.append(_rate(sybilrank(network, seeds, mutual=True).ranked(accept), ties))
        ranks = eigentrust(network, seeds).values / np.diff(network.out_start)
        best = np.argsort(-ranks, kind="stable")[:accept]
        pagerank.append(_rate(network.ids_of(best), ties))
    area, accepted = BASELINE[name, ties]
    return [
        _row(f"{name} g={ties}: two blocks, accepted per tie", ours, accepted / ties, GOAL),
        _row(f"{name} g={ties}: SybilRank", walk, accepted / ties, None),
        _row(f"{name} g={ties}: PageRank per tie", pagerank, None, None),
        Result(
            "B7",
            f"{name} g={ties}: two blocks, AUC",
            float(np.mean(told)),
            area,
            None,
            float(np.std(told)),
        ),
    ]


def _row(figure: str, rates: list[float], baseline: float | None, goal: float | None) -> Result:
    mean, spread = float(np.mean(rates)), float(np.std(rates))
    return Result("B7", figure, mean, baseline, goal, spread, smaller_is_better=True)


def _rate(accepted: Any, ties: int) -> float:
    """Invented members have ids below 0."""
    return sum(member < 0 for member in accepted) / ties


def _attack(
    real: nx.Graph, ties: int, repeat: int, kind: str, size: int
) -> tuple[ArrayNetwork, list[int], int, NDArray[np.bool_]]:
    """The network with a crowd, the seeds, how many are real, and who is invented by place."""
    random = np.random.default_rng([repeat, ties])
    members = np.array(sorted(real), np.int64)
    state = int(random.integers(2**31))
    if kind == "small world":
        crowd = nx.watts_strogatz_graph(size, 2 * EACH, 0.1, seed=state)
    else:
        crowd = nx.barabasi_albert_graph(size, EACH, seed=state)
    pairs = [*real.edges, *((-1 - a, -1 - b) for a, b in crowd.edges)]
    across: set[tuple[int, int]] = set()
    while len(across) < ties:
        across.add((int(random.choice(members)), -1 - int(random.integers(size))))
    edges = np.array([*pairs, *sorted(across)], np.int64)
    # Most ties first, equals by id.
    degree = np.array([real.degree(int(member)) for member in members])
    top = members[np.argsort(-degree, kind="stable")[:AMONG]]
    seeds = random.choice(top, SEEDS, replace=False).tolist()
    network = from_rows(
        np.concatenate([edges[:, 0], edges[:, 1]]), np.concatenate([edges[:, 1], edges[:, 0]])
    )
    invented = np.asarray(network.ids) < 0
    return network, seeds, members.size, invented


def _otc(data: Path) -> nx.Graph:
    table = read_table(data, "bitcoin_otc_ratings", ("rater", "ratee", "rating"))
    likes = [float(rating) > 0 for rating in table["rating"]]
    return _mutual(table, "rater", "ratee", likes)


def _advogato(data: Path) -> nx.Graph:
    table = read_table(data, "advogato_2014_certs", ("certifier", "certified"))
    return _mutual(table, "certifier", "certified", [True] * len(table["certifier"]))


def _mutual(table: Table, tail: str, head: str, counts: list[bool]) -> nx.Graph:
    """Those who trust each other, the largest part that holds together."""
    rows = zip(table[tail], table[head], counts, strict=True)
    pairs = {(int(a), int(b)) for a, b, does in rows if does and a != b}
    both = nx.Graph([(a, b) for a, b in sorted(pairs) if a < b and (b, a) in pairs])
    return both.subgraph(max(nx.connected_components(both), key=len)).copy()
