"""Who owes whom how much, read once for all methods of clearing and contagion.

One direction everywhere: row or tail = debtor, column or head = creditor. (Papers on contagion
write exposures, claims of i on j: that is the transposed matrix.)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, Ints, Places, as_arrays
from graph.checks import amount
from graph.errors import BadAmount, BadParameter, SelfLoop, UnknownNode

if TYPE_CHECKING:
    from graph.network import Network

Number: TypeAlias = int | float | Fraction
Floats: TypeAlias = NDArray[np.float64]
Amounts: TypeAlias = Mapping[Hashable, Number] | Sequence[Number] | NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Debts:
    """Debts in rows by debtor. Made by `debts_of`; all arrays are read-only.

    Attributes
    ----------
    ids : numpy.ndarray of int64, shape (n,), or tuple of Hashable
        Ids by place, ascending; for a matrix its row numbers.
    start : numpy.ndarray of int64, shape (n + 1,)
        The debts of place i are ``start[i] … start[i + 1] - 1``.
    creditor : numpy.ndarray of int32, shape (m,)
        To whom.
    owed : numpy.ndarray of float64, shape (m,)
        How much, > 0.
    obligation : numpy.ndarray of float64, shape (n,)
        ``pbar_i``, the sum of what i owes.
    share : numpy.ndarray of float64, shape (m,)
        ``Pi_ij = L_ij / pbar_i``.
    given : sequence of numbers, length m
        `owed` as it was given, for exact answers.
    """

    ids: Ints | tuple[Hashable, ...]
    start: Ints
    creditor: Places
    owed: Floats
    obligation: Floats
    share: Floats
    given: Sequence[Number] | NDArray[Any]

    def __post_init__(self) -> None:
        for array in (self.start, self.creditor, self.owed, self.obligation, self.share):
            array.flags.writeable = False

    @property
    def n(self) -> int:
        """Number of members."""
        return int(self.obligation.size)

    @property
    def m(self) -> int:
        """Number of debts above 0, those between the same two counted once."""
        return int(self.creditor.size)

    def __repr__(self) -> str:
        return f"Debts({self.n} members, {self.m} debts)"

    @cached_property
    def debtor(self) -> Places:
        """The debtor of each debt: shape (m,)."""
        return np.repeat(np.arange(self.n, dtype=np.int32), np.diff(self.start))

    @cached_property
    def by_creditor(self) -> tuple[Ints, Places, Places]:
        """Rows by creditor: where each starts, the debtors (ascending), and the debts."""
        from graph.kernels import build

        start, debtor, _, debt = build.in_rows(
            self.start, self.creditor, np.zeros(self.m, np.int64), self.n
        )
        return start, debtor, debt

    @cached_property
    def share_by_creditor(self) -> Floats:
        """`share` in the order of `by_creditor`."""
        return self.share[self.by_creditor[2]]

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {id_: place for place, id_ in enumerate(self.ids_of(range(self.n)))}

    def place(self, id_: Hashable) -> int:
        """The place of a member.

        Raises
        ------
        UnknownNode
            Nobody here has this id.

        Notes
        -----
        Constant, after a first call of O(n).

        Examples
        --------
        >>> debts_of([[0, 3], [0, 0]]).place(1)
        1
        """
        try:
            return self._places[id_]
        except (KeyError, TypeError):
            raise UnknownNode(id_) from None

    def ids_of(self, places: Iterable[int] | NDArray[np.int32] | Ints) -> list[Hashable]:
        """The members at several places, as plain Python values."""
        if isinstance(self.ids, np.ndarray):
            listed: list[Hashable] = self.ids[np.asarray(places, dtype=np.int64)].tolist()
            return listed
        return [self.ids[int(place)] for place in places]

    def by_place(self, amounts: Amounts, what: str) -> Floats:
        """Amounts of all members in the order of places; who a mapping leaves out has 0.

        Parameters
        ----------
        amounts : mapping of member to number, sequence, or array, shape (n,)
        what : str
            What they stand for, for the message.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)

        Raises
        ------
        BadAmount, UnknownNode, BadParameter
            One is NaN, infinite or negative; a stranger is named; they are too few or too many.

        Notes
        -----
        O(n).

        Examples
        --------
        >>> debts_of([[0, 3], [0, 0]]).by_place({1: 5}, "assets").tolist()
        [0.0, 5.0]
        """
        if isinstance(amounts, np.ndarray) and amounts.dtype.kind in "iuf":
            if amounts.shape != (self.n,):
                raise BadParameter(f"{what} of shape {amounts.shape}, but {self.n} members")
            placed = amounts.astype(np.float64)
            fits = (placed >= 0) & (placed < np.inf)
            if not fits.all():
                raise BadAmount(what, float(placed[int(np.argmin(fits))]))
            return placed
        return np.array([float(x) for x in self.exactly_by_place(amounts, what)], np.float64)

    def exactly_by_place(self, amounts: Amounts, what: str) -> list[Fraction]:
        """As `by_place`, in fractions."""
        if isinstance(amounts, Mapping):
            placed = [Fraction(0)] * self.n
            for member, value in amounts.items():
                placed[self.place(member)] = amount(value, f"{what} of {member!r}")
            return placed
        if len(amounts) != self.n:
            raise BadParameter(f"{len(amounts)} values of {what}, but {self.n} members")
        return [amount(value, f"{what} of place {i}") for i, value in enumerate(amounts)]


def debts_of(liabilities: Debts | ArrayNetwork | Network | Any) -> Debts:
    """Read liabilities in any form; reading them once saves the time in every further call.

    Parameters
    ----------
    liabilities : Debts, ArrayNetwork, networkx graph, SciPy sparse matrix, or square matrix
        Network: an edge leads from debtor to creditor, its ``room`` is the amount owed in minor
        units. Matrix: ``L[i][j]`` is what i owes j, a finite number >= 0 (Fractions are kept);
        the members are 0 … n - 1.

    Returns
    -------
    Debts
        The object itself where it is one already.

    Raises
    ------
    BadAmount, BadCapacity
        A debt is NaN, infinite, negative or, in a network, no whole number.
    SelfLoop
        Somebody owes themself.
    BadParameter
        The matrix is not square.

    Notes
    -----
    O(n + m); a dense matrix O(n^2).

    Examples
    --------
    >>> debts_of([[0, 3], [1, 0]]).obligation.tolist()
    [3.0, 1.0]
    >>> from graph.arrays import from_edges
    >>> debts_of(from_edges([("ana", "ben", 3)])).ids
    ('ana', 'ben')
    """
    if isinstance(liabilities, Debts):
        return liabilities
    if isinstance(liabilities, ArrayNetwork) or hasattr(liabilities, "is_directed"):
        network = as_arrays(cast("ArrayNetwork | Network", liabilities))
        return _made(
            network.ids, network.tails, network.out_head, network.out_room, network.out_room
        )
    if hasattr(liabilities, "tocsr"):
        matrix = liabilities.tocsr(copy=True)
        matrix.sum_duplicates()
        values = matrix.data
        n = _square(matrix.shape)
        rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
        return _checked(n, rows, matrix.indices, values)
    if isinstance(liabilities, np.ndarray) and liabilities.dtype.kind in "iuf":
        n = _square(liabilities.shape)
        rows, columns = np.nonzero(liabilities)
        return _checked(n, rows, columns, liabilities[rows, columns])
    listed = [list(row) for row in cast("Sequence[Sequence[Number]]", liabilities)]
    n = len(listed)
    if any(len(row) != n for row in listed):
        raise BadParameter("liabilities must be a square matrix")
    found = [
        (i, j, value)
        for i, row in enumerate(listed)
        for j, value in enumerate(row)
        if amount(value, f"debt of {i} to {j}")
    ]
    given = [value for _, _, value in found]
    return _checked(
        n,
        np.array([i for i, _, _ in found], np.int64),
        np.array([j for _, j, _ in found], np.int64),
        np.array([float(value) for value in given], np.float64),
        given,
    )


def _square(shape: tuple[int, ...]) -> int:
    if len(shape) != 2 or shape[0] != shape[1]:
        raise BadParameter(f"liabilities must be a square matrix, not one of shape {shape}")
    return shape[0]


def _checked(
    n: int,
    rows: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[Any],
    given: Sequence[Number] | None = None,
) -> Debts:
    fits = (values >= 0) & (values < np.inf)
    if not fits.all():
        raise BadAmount("a debt", values[int(np.argmin(fits))].item())
    loops = np.flatnonzero((rows == columns) & (values > 0))
    if loops.size:
        raise SelfLoop(int(rows[loops[0]]))
    ids = np.arange(n, dtype=np.int64)
    return _made(ids, rows, columns.astype(np.int32), values, values if given is None else given)


def _made(
    ids: Ints | tuple[Hashable, ...],
    debtor: NDArray[Any],
    creditor: Places,
    values: NDArray[Any],
    given: Sequence[Number] | NDArray[Any],
) -> Debts:
    n = len(ids)
    some = values > 0
    if not some.all():
        # A list holds no zeros: it was filtered when it was read.
        debtor, creditor, values = debtor[some], creditor[some], values[some]
        given = values
    owed = values.astype(np.float64)
    start = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(debtor, minlength=n), out=start[1:])
    obligation = np.bincount(debtor, owed, n).astype(np.float64)
    return Debts(ids, start, creditor, owed, obligation, owed / obligation[debtor], given)
