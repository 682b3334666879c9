"""The villages of the data folder: households, their people, and who reports which ties."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.tables import BadTable, Table, codes, numbers, read_table, size, texts

MONEY = ("borrowmoney", "receivemoney")
# Pairs of kinds: what the asker says of it, and what the helper says.
OTHER = (
    ("visitgo", "visitcome"),
    ("keroricego", "keroricecome"),
    ("helpdecision", "receiveadvice"),
)
KINDS = tuple(kind for pair in OTHER for kind in pair)
COVARIATES = ("leader", "rooms", "beds", "electricity")
CLASSES = ("religion", "roof", "ownership")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Village:
    """Households and people by place; ties between households as reports of one person each."""

    name: int
    households: Ints
    home: Ints
    """Place of the household, per person; the following are per person too."""
    age: Floats
    female: NDArray[np.bool_]
    heads: NDArray[np.bool_]
    surveyed: NDArray[np.bool_]
    faith: Ints
    caste: Ints
    reporter: Ints
    """Place of the person who says so, per report; then who is named, and the kind."""
    named: Ints
    kind: NDArray[np.str_]
    covariates: dict[str, Floats]
    """Per household; NaN where unknown."""
    classes: dict[str, Ints]
    """Per household, -1 where unknown."""
    took: Floats
    """Whether the household joined the lender; NaN where unknown."""

    @property
    def n(self) -> int:
        """Number of households."""
        return int(self.households.size)

    def count(self, people: NDArray[np.bool_]) -> Floats:
        """How many of these people live in each household."""
        return np.bincount(self.home[people], minlength=self.n).astype(float)

    def reports(self, *kinds: str) -> Floats:
        """Reports of these kinds from household (of the reporter) to household (of the named)."""
        chosen = np.isin(self.kind, kinds)
        counted = np.zeros((self.n, self.n))
        places = (self.home[self.reporter[chosen]], self.home[self.named[chosen]])
        np.add.at(counted, places, 1)
        return counted


def read_villages(data: Path, *, with_outcomes: bool = False) -> list[Village]:
    """All villages of the folder, in order; with outcomes only those where they are known.

    Ties whose people are unknown or of one household are left out. Households are those of the
    people, and with outcomes those that have one.
    """
    people = read_table(data, "village_people", ("village", "person", "household"))
    ties = read_table(data, "village_ties", ("village", "respondent", "asker", "helper", "kind"))
    try:
        homes = read_table(data, "village_households", ("village", "household"))
    except FileNotFoundError:
        if with_outcomes:
            raise
        homes = {}
    columns = {
        "village": numbers(people, "village"),
        "person": numbers(people, "person"),
        "household": numbers(people, "household"),
        "age": numbers(people, "age"),
        "female": _is(texts(people, "gender"), "female"),
        "heads": _is(texts(people, "resp_status"), "head of household"),
        "surveyed": numbers(people, "surveyed") == 1,
        "faith": codes(texts(people, "religion")),
        "caste": codes(texts(people, "caste")),
    }
    whole = ~np.isnan(columns["person"]) & ~np.isnan(columns["household"])
    columns = {name: column[whole] for name, column in columns.items()}
    said = {name: numbers(ties, name) for name in ("village", "respondent", "asker", "helper")}
    kinds = np.array(ties["kind"], dtype=np.str_)
    known = _households(homes) if homes else {}
    villages = []
    for name in np.unique(columns["village"][~np.isnan(columns["village"])]):
        if with_outcomes and not np.any(known["village"] == name):
            continue
        village = _village(int(name), columns, said, kinds, known, with_outcomes)
        if village.n > 2:
            villages.append(village)
    if not villages:
        raise BadTable("there is no village with the data that the protocol needs")
    return villages


def _households(table: Table) -> dict[str, NDArray]:  # type: ignore[type-arg]
    known: dict[str, NDArray] = {  # type: ignore[type-arg]
        "village": numbers(table, "village"),
        "household": numbers(table, "household"),
        "took": numbers(table, "took_microfinance")
        if "took_microfinance" in table
        else np.full(size(table), np.nan),
    }
    known.update({name: numbers(table, name) for name in COVARIATES})
    known.update({name: codes(texts(table, name)) for name in CLASSES})
    return known


def _village(
    name: int,
    people: dict[str, NDArray],  # type: ignore[type-arg]
    said: dict[str, Floats],
    kinds: NDArray[np.str_],
    known: dict[str, NDArray],  # type: ignore[type-arg]
    with_outcomes: bool,
) -> Village:
    here = people["village"] == name
    homes = known["village"] == name if known else np.zeros(0, bool)
    households = np.unique(people["household"][here]).astype(np.int64)
    if with_outcomes:
        homes &= ~np.isnan(known["took"])
        households = np.unique(known["household"][homes]).astype(np.int64)
        here &= np.isin(people["household"], households)
    persons = people["person"][here].astype(np.int64)
    order = np.argsort(persons)
    own = np.flatnonzero(here)[order]
    persons = persons[order]
    home = np.searchsorted(households, people["household"][own].astype(np.int64))

    tied = np.flatnonzero(said["village"] == name)
    sides = {side: _find(persons, said[side][tied]) for side in ("asker", "helper")}
    ok = (sides["asker"] >= 0) & (sides["helper"] >= 0)
    ok &= home[sides["asker"]] != home[sides["helper"]] if persons.size else False
    tied = tied[ok]
    asker, helper = sides["asker"][ok], sides["helper"][ok]
    by_asker = said["respondent"][tied] != said["helper"][tied]

    place = np.searchsorted(households, known["household"][homes]) if known else np.zeros(0, int)
    fits = place < households.size
    fits[fits] = households[place[fits]] == known["household"][homes][fits]

    def spread(column: str, missing: float) -> NDArray:  # type: ignore[type-arg]
        filled = np.full(households.size, missing)
        if known:
            filled[place[fits]] = known[column][homes][fits]
        return filled

    return Village(
        name=name,
        households=households,
        home=home,
        **{k: people[k][own] for k in ("age", "female", "heads", "surveyed", "faith", "caste")},
        reporter=np.where(by_asker, asker, helper),
        named=np.where(by_asker, helper, asker),
        kind=kinds[tied],
        covariates={column: spread(column, np.nan) for column in COVARIATES},
        classes={column: spread(column, -1).astype(np.int64) for column in CLASSES},
        took=spread("took", np.nan),
    )


def _find(persons: Ints, wanted: Floats) -> Ints:
    """Places among the persons, -1 for unknown ones."""
    if not persons.size:
        return np.full(wanted.size, -1)
    at = np.searchsorted(persons, wanted)
    at[at == persons.size] = 0
    return np.where(persons[at] == wanted, at, -1)


def _is(cells: list[str], word: str) -> NDArray[np.bool_]:
    return np.array([cell.strip().lower() == word for cell in cells], dtype=bool)
