"""What six kinds of ties, and what is known of two households, say about money between them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.arrays import from_rows
from graph.features import pair_features
from tests.bench.real.villages import COVARIATES, KINDS, MONEY, OTHER, Village

Matrix = NDArray[np.float64]
# Widths, in house numbers, over which neighbours' ties are averaged.
_NEAR = (2.0, 6.0, 20.0)
# Groups of features.
TIES, KNOWN, NUMBERS = "ties", "known", "numbers"


class PairTable:
    """Columns for all pairs of households of one village, each in a group of features."""

    def __init__(self, village: Village) -> None:
        self.pairs = np.triu_indices(village.n, 1)
        self.names: list[str] = []
        self.groups: list[str] = []
        self._columns: list[NDArray[np.float32]] = []

    def put(self, group: str, name: str, column: Any) -> None:
        """One value per pair."""
        self.names.append(name)
        self.groups.append(group)
        self._columns.append(np.asarray(column, dtype=np.float32))

    def even(self, group: str, name: str, matrix: Matrix) -> None:
        """A matrix that is the same both ways."""
        self.put(group, name, matrix[self.pairs])

    def both_ways(self, group: str, name: str, matrix: Matrix) -> None:
        """A matrix that is not: the sum and the smaller of the two ways."""
        there, back = matrix[self.pairs], matrix.T[self.pairs]
        self.put(group, f"{name}_sum", there + back)
        self.put(group, f"{name}_least", np.minimum(there, back))

    def ends(self, group: str, name: str, values: Matrix) -> None:
        """A value per household: the smaller and the larger of the two."""
        one, other = values[self.pairs[0]], values[self.pairs[1]]
        self.put(group, f"{name}_low", np.minimum(one, other))
        self.put(group, f"{name}_high", np.maximum(one, other))

    def equal(self, group: str, name: str, classes: NDArray[np.int64]) -> None:
        """Whether two households are of one class, NaN where that is unknown."""
        one, other = classes[self.pairs[0]], classes[self.pairs[1]]
        self.put(group, name, np.where((one < 0) | (other < 0), np.nan, one == other))

    @property
    def values(self) -> NDArray[np.float32]:
        """All columns side by side."""
        return np.column_stack(self._columns)


def money_ties(village: Village) -> NDArray[np.bool_]:
    """Per pair, whether anyone reports that money is borrowed or lent between the two."""
    reports = village.reports(*MONEY)
    return ((reports + reports.T) > 0)[np.triu_indices(village.n, 1)]


def pair_table(village: Village) -> PairTable:
    """All features of all pairs; no report about money is read."""
    table = PairTable(village)
    by_kind = {kind: village.reports(kind) for kind in KINDS}
    reports = sum(by_kind.values(), np.zeros((village.n, village.n)))
    table.even(TIES, "direct", reports + reports.T)
    _direct_ties(table, village, by_kind)
    _households(table, village, by_kind)
    _paths(table, "all", reports)
    for pair in OTHER:
        _paths(table, pair[0], sum((by_kind[kind] for kind in pair), np.zeros_like(reports)))
    _whole_village(table, reports + reports.T)
    said = (reports > 0).astype(float)
    table.even(TIES, "name_the_same", said @ said.T)
    table.even(TIES, "named_by_the_same", said.T @ said)
    table.both_ways(TIES, "handed_on", said @ said)
    _attributes(table, village, reports + reports.T)
    _house_numbers(table, village, reports + reports.T)
    return table


def _direct_ties(table: PairTable, village: Village, by_kind: dict[str, Matrix]) -> None:
    for kind, matrix in by_kind.items():
        table.both_ways(TIES, kind, matrix)
    table.both_ways(TIES, "reports", sum(by_kind.values(), np.zeros((village.n, village.n))))
    table.both_ways(TIES, "kinds", sum((m > 0).astype(float) for m in by_kind.values()))
    confirmed = sum(((by_kind[a] > 0) & (by_kind[b].T > 0)).astype(float) for a, b in OTHER)
    table.both_ways(TIES, "confirmed", confirmed)
    # People rather than households: how many pairs of them, and how many who name anyone there.
    others = np.isin(village.kind, KINDS)
    people = village.home.size
    who = np.unique(village.reporter[others] * people + village.named[others])
    reporter, named = who // max(people, 1), who % max(people, 1)
    couples = np.zeros((village.n, village.n))
    np.add.at(couples, (village.home[reporter], village.home[named]), 1)
    table.both_ways(TIES, "couples", couples)
    voices = np.zeros((village.n, village.n))
    each = np.unique(reporter * village.n + village.home[named])
    np.add.at(voices, (village.home[each // village.n], each % village.n), 1)
    table.both_ways(TIES, "voices", voices)
    # Contacts shared by persons, not only by their households.
    links = np.zeros((village.n, people))
    np.add.at(links, (village.home[reporter], named), 1)
    np.add.at(links, (village.home[named], reporter), 1)
    links = np.minimum(links, 1)
    weight = 1 / np.maximum(links.sum(axis=0), 1)
    table.even(TIES, "shared_people", links @ links.T)
    table.even(TIES, "shared_people_weighted", (links * weight) @ links.T)


def _households(table: PairTable, village: Village, by_kind: dict[str, Matrix]) -> None:
    reports = sum(by_kind.values(), np.zeros((village.n, village.n)))
    ties = (reports + reports.T) > 0
    surveyed = village.count(village.surveyed)
    for name, values in (
        ("degree", ties.sum(axis=1).astype(float)),
        ("says", reports.sum(axis=1)),
        ("said_of", reports.sum(axis=0)),
        ("names", (reports > 0).sum(axis=1).astype(float)),
        ("named_by", (reports > 0).sum(axis=0).astype(float)),
        ("says_each", reports.sum(axis=1) / np.maximum(surveyed, 1)),
        *((f"says_{kind}", matrix.sum(axis=1)) for kind, matrix in by_kind.items()),
        *((f"said_of_{kind}", matrix.sum(axis=0)) for kind, matrix in by_kind.items()),
    ):
        table.ends(TIES, name, values)
    pairs = table.pairs[0].size
    table.put(TIES, "village", np.full(pairs, village.n))
    table.put(TIES, "density", np.full(pairs, ties.mean()))
    # Only surveyed people can report anything, money included.
    table.put(TIES, "survey", np.full(pairs, (surveyed > 0).mean()))
    table.ends(TIES, "surveyed", surveyed)


def _paths(table: PairTable, name: str, reports: Matrix) -> None:
    both = reports + reports.T
    tails, heads = np.nonzero(both)
    everybody = np.arange(both.shape[0])
    network = from_rows(tails, heads, both[tails, heads].astype(np.int64), ids=everybody)
    found = pair_features(network, np.column_stack(table.pairs), steps=4)
    for feature in ("two_hop", "common", "jaccard", "adamic_adar", "resource", "paths3"):
        table.put(TIES, f"{name}_{feature}", found.column(feature))
    walks = found.column("walk"), found.column("walk_back")
    table.put(TIES, f"{name}_walk_sum", walks[0] + walks[1])
    table.put(TIES, f"{name}_walk_least", np.minimum(*walks))
    if name == "all":
        table.put(TIES, "degree_product", found.column("degree_product"))


def _whole_village(table: PairTable, both: Matrix) -> None:
    """Long walks, the village's main directions, and likeness of contacts."""
    n = both.shape[0]
    ties = (both > 0).astype(float)
    degree, strength = ties.sum(axis=1), both.sum(axis=1)
    onward = both / np.maximum(strength, 1)[:, None]
    walk = np.linalg.solve(np.eye(n) - 0.85 * onward, 0.15 * np.eye(n))
    table.both_ways(TIES, "far_walk", walk)
    even = ties / np.sqrt(np.outer(np.maximum(degree, 1), np.maximum(degree, 1)))
    twice = even @ even
    table.even(TIES, "walks4", twice @ twice)
    scaled = both / np.sqrt(np.outer(np.maximum(strength, 1), np.maximum(strength, 1)))
    values, vectors = np.linalg.eigh(scaled)
    order = np.argsort(-np.abs(values), kind="stable")
    for rank in (4, 8, 16):
        top = order[:rank]
        table.even(TIES, f"rank{rank}", (vectors[:, top] * values[top]) @ vectors[:, top].T)
    shared = ties @ ties
    union = degree[:, None] + degree[None, :] - shared
    like = shared / np.maximum(union, 1)
    np.fill_diagonal(like, 0)
    table.both_ways(TIES, "like_contacts", (ties / np.maximum(degree, 1)[:, None]) @ like)
    most = np.array([(like * row[:, None]).max(axis=0) for row in ties])
    table.both_ways(TIES, "most_like_contact", most)


def _attributes(table: PairTable, village: Village, both: Matrix) -> None:
    adults = village.age >= 18
    table.ends(KNOWN, "people", village.count(np.ones(village.home.size, bool)))
    table.ends(KNOWN, "adults", village.count(adults))
    ages = np.bincount(village.home[adults], village.age[adults], minlength=village.n)
    with np.errstate(invalid="ignore"):
        age = ages / village.count(adults)
    table.ends(KNOWN, "age", age)
    for name, classes in (("faith", village.faith), ("caste", village.caste)):
        own = _of_household(village, classes)
        table.equal(KNOWN, f"same_{name}", own)
        table.even(KNOWN, f"likely_same_{name}", _likely_same(own, both))
    for name in COVARIATES:
        table.ends(KNOWN, name, village.covariates[name])
    for name in ("roof", "ownership"):
        table.equal(KNOWN, f"same_{name}", village.classes[name])


def _of_household(village: Village, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of the first person whose class is known, else -1."""
    own = np.full(village.n, -1)
    for person in np.flatnonzero(classes >= 0)[::-1]:
        own[village.home[person]] = classes[person]
    return own


def _likely_same(own: NDArray[np.int64], both: Matrix) -> Matrix:
    """Likeness of class where unknown classes are taken from those of the contacts."""
    classes = np.unique(own[own >= 0])
    share = (own[:, None] == classes[None, :]).astype(float)
    share += 0.5 * (both @ share) / np.maximum(both.sum(axis=1, keepdims=True), 1)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(share @ share.T)


def _house_numbers(table: PairTable, village: Village, both: Matrix) -> None:
    """Houses were numbered along the streets: near numbers are near houses."""
    numbers = village.households.astype(float)
    apart = np.abs(numbers[:, None] - numbers[None, :])
    ties = (both > 0).astype(float)
    degree = ties.sum(axis=1)
    expected = np.outer(degree, degree) / max(degree.sum(), 1)
    table.even(NUMBERS, "apart", apart)
    table.ends(NUMBERS, "reach", (ties * apart).sum(axis=1) / np.maximum(degree, 1))
    for width in _NEAR:
        near = np.exp(-apart / width)
        np.fill_diagonal(near, 0)
        near /= np.maximum(near.sum(axis=1, keepdims=True), 1e-12)
        around = near @ ties @ near.T
        usual = np.maximum(near @ expected @ near.T, 1e-9)
        table.even(NUMBERS, f"around{width:g}", around)
        table.even(NUMBERS, f"unusual{width:g}", around / usual)
        table.both_ways(NUMBERS, f"beside{width:g}", near @ ties)


def columns_of(groups: Iterable[str], chosen: Iterable[str]) -> NDArray[np.int64]:
    """The places of the columns in the chosen groups."""
    wanted = set(chosen)
    return np.array([k for k, group in enumerate(groups) if group in wanted], dtype=np.int64)
