"""Who stands for more than they can carry: contingent ratios."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, as_arrays, room_of
from graph.checks import id_key
from graph.errors import BadParameter

if TYPE_CHECKING:
    from graph.network import Network

# Rooms are summed in two halves, so that no sum of a row leaves 64 bits.
_HALF = 26


@dataclass(frozen=True, slots=True)
class Burden:
    """What one member owes and stands for, beside what they can carry.

    Attributes
    ----------
    own_debt, guaranteed, capacity : int
        Minor units.
    borrowers : int
        Different members guaranteed.
    """

    own_debt: int
    guaranteed: int
    capacity: int
    borrowers: int

    @property
    def ratio(self) -> Fraction | None:
        """(own debt + guaranteed) / capacity, exact; None where there is no capacity to carry it.

        Without a capacity and without any debt or guarantee the ratio is 0.
        """
        carried = self.own_debt + self.guaranteed
        if self.capacity:
            return Fraction(carried, self.capacity)
        return None if carried else Fraction(0)


@dataclass(frozen=True, slots=True)
class Indebtedness:
    """Burdens by member, and who carries more than the limit.

    Attributes
    ----------
    burdens : dict of member to Burden
        Ids ascending.
    flagged : tuple of Hashable
        Members whose ratio is above the limit, or who carry something without a capacity.
    """

    burdens: dict[Hashable, Burden]
    flagged: tuple[Hashable, ...]


def contingent_ratios(
    network: ArrayNetwork | Network,
    own_debts: Mapping[Hashable, int],
    capacities: Mapping[Hashable, int],
    *,
    limit: int | Fraction = 1,
) -> Indebtedness:
    """How much each member owes and guarantees, as a share of what they can carry.

    ``ratio(u) = (own debt(u) + sum over v of cap(u, v)) / capacity(u)``.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Edge attribute ``room``: the cap of the guarantee from u to v, in minor units. Not changed.
    own_debts : mapping of member to int
        Minor units, >= 0; 0 where a member has no entry.
    capacities : mapping of member to int
        What each can carry, such as a yearly surplus, in minor units, >= 0.
    limit : int or Fraction
        Flag those above it, >= 0. Default 1.

    Returns
    -------
    Indebtedness
        For all members of `capacities`.

    Raises
    ------
    BadCapacity, SelfLoop
        An amount is no whole number >= 0; a member guarantees themself.
    BadParameter
        Somebody owes or guarantees and has no capacity stated (0 says that there is none); `limit`
        is no int or Fraction >= 0.

    Notes
    -----
    O(n log n + m), in Python by member and in NumPy by guarantee. Exact: no rounding anywhere.

    References
    ----------
    Contingent liabilities as in bank supervision: a guarantee counts in full.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> caps = from_edges([("a", "b", 40), ("a", "c", 30), ("b", "c", 20)])
    >>> found = contingent_ratios(caps, {"a": 50}, {"a": 100, "b": 80})
    >>> found.burdens["a"].ratio, found.burdens["a"].borrowers, found.flagged
    (Fraction(6, 5), 2, ('a',))
    """
    top, bottom = _exact(limit)
    rows = as_arrays(network)
    debts = {m: room_of(debt, f"own debt of {m!r}") for m, debt in own_debts.items()}
    carry = {m: room_of(amount, f"capacity of {m!r}") for m, amount in capacities.items()}
    guaranteed = _guaranteed(rows)
    for member in sorted([*guaranteed, *(m for m in debts if debts[m])], key=id_key):
        if member not in carry:
            raise BadParameter(f"{member!r} owes or guarantees, but has no capacity stated")
    burdens: dict[Hashable, Burden] = {}
    for member in sorted(carry, key=id_key):
        amount, borrowers = guaranteed.get(member, (0, 0))
        burdens[member] = Burden(debts.get(member, 0), amount, carry[member], borrowers)
    flagged = tuple(
        member
        for member, b in burdens.items()
        if (b.own_debt + b.guaranteed) * bottom > b.capacity * top
    )
    return Indebtedness(burdens, flagged)


def _exact(limit: object) -> tuple[int, int]:
    if isinstance(limit, bool) or not isinstance(limit, int | Fraction) or limit < 0:
        raise BadParameter(f"limit must be an int or Fraction >= 0, got {limit!r}")
    return limit.numerator, limit.denominator


def _guaranteed(rows: ArrayNetwork) -> dict[Hashable, tuple[int, int]]:
    """The sum and the number of the guarantees of each who gives any."""
    givers = np.flatnonzero(np.diff(rows.out_start))
    if not givers.size:
        return {}
    begins = rows.out_start[givers]
    high = np.add.reduceat(rows.out_room >> _HALF, begins).tolist()
    low = np.add.reduceat(rows.out_room & (2**_HALF - 1), begins).tolist()
    number = np.diff(rows.out_start)[givers].tolist()
    return {
        member: ((h << _HALF) + part, borrowers)
        for member, h, part, borrowers in zip(rows.ids_of(givers), high, low, number, strict=True)
    }
