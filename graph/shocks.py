"""Many losses of assets in one web of debts, each cleared by itself from where the web rests."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from graph.arrays import Ints, Places
from graph.checks import amount
from graph.clearing import Clearing, Liabilities, clearing_vector
from graph.debts import Amounts, Debts, Floats, Number, debts_of
from graph.errors import BadParameter, NoConvergence

# A shock that passes on more debts than this, and a 64th of those of all in default, is cheaper
# side by side with others.
_LOCAL = 1_000

Shock: TypeAlias = Hashable | Mapping[Hashable, Number]


@dataclass(frozen=True, eq=False, repr=False)
class ShockedClearings:
    """The clearing vector after each of many shocks, as what differs from the one before.

    Attributes
    ----------
    baseline : Clearing
        Without any shock.
    start : numpy.ndarray of int64, shape (shocks + 1,)
        What shock k changes is at ``start[k] … start[k + 1] - 1`` of the next two.
    changed : numpy.ndarray of int32
        Places of the members who pay noticeably less, ascending within a shock.
    changed_pay : numpy.ndarray of float64
        What they pay now.
    unpaid : numpy.ndarray of float64, shape (shocks,)
        ``sum_i (p_i before - p_i after)``.
    new_defaults : numpy.ndarray of int64, shape (shocks,)
        How many more cannot pay in full.
    equity_lost : numpy.ndarray of float64, shape (shocks,)
        Sum over all members; with alpha = beta = 1 it is the assets lost.
    """

    baseline: Clearing
    start: Ints
    changed: Places
    changed_pay: Floats
    unpaid: Floats
    new_defaults: Ints
    equity_lost: Floats

    def __len__(self) -> int:
        return int(self.unpaid.size)

    def __repr__(self) -> str:
        return f"ShockedClearings({len(self)} shocks, {self.changed.size} payments changed)"

    def payments(self, shock: int) -> dict[Hashable, float]:
        """What those pay, by member, whose payment a shock lowers."""
        row = self._row(shock)
        members = self.baseline.debts.ids_of(self.changed[row])
        return dict(zip(members, self.changed_pay[row].tolist(), strict=True))

    def defaulted(self, shock: int) -> tuple[Hashable, ...]:
        """Who cannot pay in full after a shock and could before."""
        places = self.changed[self._row(shock)]
        return tuple(self.baseline.debts.ids_of(places[self.baseline.round_of[places] == 0]))

    def pay(self, shock: int) -> Floats:
        """The whole clearing vector after a shock: shape (n,), by place."""
        row = self._row(shock)
        pay = self.baseline.pay.copy()
        pay[self.changed[row]] = self.changed_pay[row]
        return pay

    def _row(self, shock: int) -> slice:
        at = range(len(self))[shock]
        return slice(int(self.start[at]), int(self.start[at + 1]))


def clear_shocks(
    liabilities: Liabilities,
    assets: Amounts,
    shocks: Iterable[Shock],
    *,
    alpha: Number = 1,
    beta: Number = 1,
    least: float = 1e-9,
    max_passes: int = 10_000,
) -> ShockedClearings:
    """Clear the same web after each of many losses of assets, each taken by itself.

    The greatest fixed point of ``Phi_s``, the map of `clearing_vector` with e lowered by shock s,
    for every s.

    Parameters
    ----------
    liabilities, assets, alpha, beta, max_passes
        As for `clearing_vector`.
    shocks : iterable
        Each a member, who loses all assets from outside, or a mapping of members to the assets
        that they have left, no more than before.
    least : float
        A payment that falls by no more than this part of what its member owes is not listed (it
        counts in the sums, and is passed on). Default 1e-9.

    Returns
    -------
    ShockedClearings

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter
        As for `clearing_vector`; a shock raises somebody's assets.
    NoConvergence
        As for `clearing_vector`.

    Notes
    -----
    The web is cleared once. Each shock then starts from that vector p* and passes on only what
    falls, O(debts of those whose payment falls) a step; nothing of size n is touched. A shock that
    runs far among members who are already in default is put aside, and eight such are worked out
    side by side: between two new defaults falls are linear in each other, so a sweep over the
    debts of those in default serves all eight.

    Why that is exact: a loss of assets lowers the map, ``Phi_s <= Phi``, so ``Phi_s(p*) <= p*``
    and the way from p* leads only downwards. The greatest fixed point p_s of Phi_s lies below p*,
    and since the map never falls as p rises, no step from above p_s leads below it. So the way
    down rests at p_s itself, with and without costs of default. It would not do for a rise
    in assets, from where the old vector is below the new one: Eisenberg and Noe's would still be
    reached where it is unique, Rogers and Veraart's not even then. Such changes are refused.

    References
    ----------
    As for `clearing_vector`.

    Examples
    --------
    >>> web = [[0, 8, 0], [0, 0, 6], [0, 0, 0]]
    >>> after = clear_shocks(web, [9, 1, 0], [0, 1, {0: 2}])
    >>> after.payments(0), after.payments(1), after.payments(2)
    ({0: 0.0, 1: 1.0}, {}, {0: 2.0, 1: 3.0})
    >>> after.equity_lost.tolist()
    [9.0, 1.0, 7.0]
    """
    debts = debts_of(liabilities)
    baseline = clearing_vector(debts, assets, alpha=alpha, beta=beta, max_passes=max_passes)
    start, places, left = _shocks(debts, baseline.outside, shocks)
    least = float(amount(least, "least"))
    from graph.kernels import clearing
    from graph.kernels import shocks as kernel

    inflow = clearing.received(
        debts.start, debts.creditor, debts.owed, debts.share, baseline.pay, baseline.round_of
    )
    failed = baseline.round_of > 0
    budget = _LOCAL + int(np.diff(debts.start)[failed].sum()) // 64
    row, changed, changed_pay, unpaid, fresh, lost = kernel.shocked(
        debts.start,
        debts.creditor,
        debts.share,
        debts.obligation,
        baseline.outside,
        baseline.alpha,
        baseline.beta,
        baseline.pay,
        inflow,
        baseline.round_of,
        start,
        places,
        left,
        budget,
        least,
    )
    pieces = [(np.diff(row), np.arange(fresh.size), changed, changed_pay)]
    wide = np.flatnonzero(fresh < 0)
    if wide.size:
        order = np.argsort(~failed, kind="stable").astype(np.int32)
        new_of = np.empty(debts.n, np.int32)
        new_of[order] = np.arange(debts.n, dtype=np.int32)
        count_failed = int(failed.sum())
        rows = kernel.rows_of_failed(
            order, new_of, count_failed, *debts.by_creditor[:2], debts.share_by_creditor
        )
        ordered = [x[order] for x in (debts.obligation, baseline.outside, baseline.pay, inflow)]
        listed, who, what, more, new, gone, stuck = kernel.together(
            debts.start,
            debts.creditor,
            debts.share,
            order,
            new_of,
            count_failed,
            *rows,
            ordered[0],
            ordered[1],
            baseline.alpha,
            baseline.beta,
            ordered[2],
            ordered[3],
            start,
            places,
            left,
            wide,
            max_passes,
            least,
        )
        if stuck >= 0:
            raise NoConvergence(
                f"payments still fell after {max_passes} passes: shock {stuck}, or beside it"
            )
        unpaid[wide], fresh[wide], lost[wide] = more, new, gone
        pieces.append((np.diff(listed), wide, who, what))
    row, changed, changed_pay = _joined(fresh.size, pieces)
    return ShockedClearings(baseline, row, changed, changed_pay, unpaid, fresh, lost)


def _joined(
    shocks: int, pieces: list[tuple[Ints, Ints, Places, Floats]]
) -> tuple[Ints, Places, Floats]:
    """Rows of several answers, each with the lengths and numbers of its own, in one order."""
    sizes = np.zeros(shocks, np.int64)
    for lengths, numbers, _, _ in pieces:
        sizes[numbers] += lengths
    row = np.zeros(shocks + 1, np.int64)
    np.cumsum(sizes, out=row[1:])
    changed, changed_pay = np.empty(row[-1], np.int32), np.empty(row[-1], np.float64)
    for lengths, numbers, who, what in pieces:
        # The first of each row moves to the first place of its shock, the rest follow it.
        begins = np.cumsum(lengths) - lengths
        to = np.arange(who.size) + np.repeat(row[numbers] - begins, lengths)
        changed[to], changed_pay[to] = who, what
    return row, changed, changed_pay


def _shocks(debts: Debts, outside: Floats, shocks: Iterable[Shock]) -> tuple[Ints, Places, Floats]:
    """Rows by shock of who has how much left."""
    start, places, left = [0], [], []
    for shock in shocks:
        if isinstance(shock, Mapping):
            for member, value in shock.items():
                place = debts.place(member)
                rest = float(amount(value, f"assets left to {member!r}"))
                if rest > outside[place]:
                    raise BadParameter(f"a shock can only lower assets, not those of {member!r}")
                places.append(place)
                left.append(rest)
        else:
            places.append(debts.place(shock))
            left.append(0.0)
        start.append(len(places))
    return np.array(start, np.int64), np.array(places, np.int32), np.array(left, np.float64)
