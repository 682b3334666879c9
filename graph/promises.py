"""Promises, and what a limit on cover is made of: plain values.

The functions that work with them are in `graph.limits`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, Protocol

from graph.checks import count, id_key, real, whole
from graph.errors import BadParameter, DuplicateId, SelfLoop

Amount = int | Fraction
Kind = Literal["promise", "standing"]


@dataclass(frozen=True, slots=True)
class Promise:
    """One live vouch with the room that is left on it.

    Parameters
    ----------
    id : Hashable
        Names the vouch. Several between the same two members are kept apart by it.
    voucher, borrower : Hashable
        `voucher` stands behind `borrower`; two different members.
    room : int
        Limit - reserved - spent, in minor units, >= 0.
    age_rank : int or float
        Smaller is older, e.g. a running number or a time stamp. Default 0.

    Raises
    ------
    BadCapacity
        `room` is no whole number >= 0.
    SelfLoop
        Voucher and borrower are one.
    BadParameter
        `age_rank` is no number, or NaN.

    Examples
    --------
    >>> Promise("v1", "ana", "ben", 500).room
    500
    """

    id: Hashable
    voucher: Hashable
    borrower: Hashable
    room: int
    age_rank: int | float = 0

    def __post_init__(self) -> None:
        if type(self.room) is not int or self.room < 0:
            object.__setattr__(self, "room", whole(self.room, f"room of promise {self.id!r}"))
        if type(self.age_rank) is not int:
            real(self.age_rank, f"age_rank of promise {self.id!r}")
        if self.voucher == self.borrower:
            raise SelfLoop(self.voucher)


@dataclass(frozen=True, slots=True)
class CoverPath:
    """An amount, whose standing it uses, and the promises that it travels along.

    Attributes
    ----------
    standing_of : Hashable
        The member whose standing covers.
    promises : tuple of Hashable
        Ids, outermost first; empty for the borrower's own standing.
    amount : int or Fraction
        Minor units, > 0; a Fraction only for K >= 3.
    via : tuple of Hashable
        Members between `standing_of` and the borrower, outermost first.
    """

    standing_of: Hashable
    promises: tuple[Hashable, ...]
    amount: Amount
    via: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class CutItem:
    """A bottleneck: a standing or a promise that the limit runs into.

    `price` is 1 for a cut in whole numbers; for K >= 3 it is the share of `capacity` that counts.
    """

    kind: Kind
    id: Hashable
    capacity: int
    price: Amount = 1


@dataclass(frozen=True, slots=True)
class Raise:
    """By how much the limit would rise if this one promise or standing grew."""

    kind: Kind
    id: Hashable
    gain: Amount


class Engine(Protocol):
    def raises(self, by: int) -> tuple[Raise, ...]: ...


@dataclass(frozen=True, slots=True)
class CoverLimit:
    """What a borrower's circle stands good for, with its proof.

    Attributes
    ----------
    borrower : Hashable
    circle : int or None
        K; None for the whole graph.
    value : int
        The limit in whole minor units; `optimum` rounded down.
    optimum : int or Fraction
        The exact optimum; differs from `value` only for K >= 3.
    own, direct, second, farther : int or Fraction
        The part of `optimum` that travels 0, 1, 2, more vouches. For K <= 2 as many units as
        possible travel as few vouches as possible; otherwise it is one optimum of several.
    paths : tuple of CoverPath
        Who covers how much through whom; amounts sum to `optimum`. For K <= 2 they are what
        `reserve_cover` answers for the whole limit.
    cut : tuple of CutItem
        The bottleneck nearest to the borrower: ``sum(price * capacity) == optimum``, and every
        allowed path meets it. Items of capacity 0 are part of the proof.
    """

    borrower: Hashable
    circle: int | None
    value: int
    optimum: Amount
    own: Amount
    direct: Amount
    second: Amount
    farther: Amount
    paths: tuple[CoverPath, ...]
    cut: tuple[CutItem, ...]
    _engine: Engine = field(repr=False, compare=False)

    def raises(self, by: int) -> tuple[Raise, ...]:
        """Every promise and standing that would raise the limit if it alone grew by `by`.

        ``gain(e) = limit(capacity(e) + by) - limit``, largest gain first; ties: promises before
        standings, then the lowest id.

        Parameters
        ----------
        by : int
            Minor units, >= 1.

        Returns
        -------
        tuple of Raise
            Positive gains only; each gain <= `by`.

        Raises
        ------
        BadCapacity, BadParameter
            `by` is no whole number, or 0.

        Notes
        -----
        A capacity can matter only if it lies on the border of both what the standings still
        reach and what still reaches the borrower: two searches, then one augmentation on the
        found flow per candidate, O(m) each. For K >= 3 one linear programme per capacity with a
        positive price. The object keeps its network for this and does not change by it.

        Examples
        --------
        >>> from graph.limits import cover_limit
        >>> limit = cover_limit("b", {"b": 0, "u": 9}, [Promise(1, "u", "b", 5)])
        >>> limit.raises(10)
        (Raise(kind='standing', id='b', gain=10), Raise(kind='promise', id=1, gain=4))
        """
        if whole(by, "by") == 0:
            raise BadParameter("by must be at least 1")
        return self._engine.raises(int(by))

    def best_promise(self, by: int) -> Raise | None:
        """The one promise that would raise the limit most if it alone grew by `by`.

        Parameters
        ----------
        by : int
            Minor units, >= 1.

        Returns
        -------
        Raise or None
            The first promise of `raises`; None where no single promise helps.

        Raises
        ------
        BadCapacity, BadParameter
            As for `raises`.

        Notes
        -----
        As `raises`.

        Examples
        --------
        >>> from graph.limits import cover_limit
        >>> cover_limit("b", {"u": 9}, [Promise(1, "u", "b", 5)]).best_promise(3)
        Raise(kind='promise', id=1, gain=3)
        """
        return next((raised for raised in self.raises(by) if raised.kind == "promise"), None)


def with_overlay(promises: Iterable[Promise], overlay: Iterable[Promise]) -> tuple[Promise, ...]:
    """Promises as they would be if those of `overlay` were given too.

    Parameters
    ----------
    promises, overlay : iterable of Promise
        An overlay promise with a new id is added; one with a known id adds its room to that
        promise, whose age stays.

    Returns
    -------
    tuple of Promise
        A new tuple; nothing is changed.

    Raises
    ------
    DuplicateId
        `promises` holds an id twice.
    BadParameter
        A known id, but other members.

    Notes
    -----
    O(m).

    Examples
    --------
    >>> there = [Promise(1, "u", "b", 5)]
    >>> [p.room for p in with_overlay(there, [Promise(1, "u", "b", 20), Promise(2, "w", "b", 7)])]
    [25, 7]
    """
    found: dict[Hashable, Promise] = {}
    for promise in promises:
        if promise.id in found:
            raise DuplicateId("promises", promise.id)
        found[promise.id] = promise
    for extra in overlay:
        base = found.get(extra.id)
        if base is None:
            found[extra.id] = extra
        elif (base.voucher, base.borrower) != (extra.voucher, extra.borrower):
            raise BadParameter(f"promise {extra.id!r} is between other members in the overlay")
        else:
            found[extra.id] = replace(base, room=base.room + extra.room)
    return tuple(found.values())


def check_circle(circle: object) -> None:
    if circle is not None:
        count(circle, "circle", 0)


def standings_table(standings: Mapping[Hashable, int]) -> dict[Hashable, int]:
    return {
        member: value
        if type(value) is int and value >= 0
        else whole(value, f"standing of {member!r}")
        for member, value in standings.items()
    }


def age_of(promise: Promise) -> tuple[object, ...]:
    return (promise.age_rank, id_key(promise.id))


def by_gain(raises: Iterable[Raise]) -> tuple[Raise, ...]:
    return tuple(sorted(raises, key=lambda r: (-r.gain, r.kind, id_key(r.id))))


def by_length(paths: Iterable[CoverPath]) -> tuple[Amount, Amount, Amount, Amount]:
    parts: list[Amount] = [0, 0, 0, 0]
    for path in paths:
        parts[min(len(path.promises), 3)] += path.amount
    return (parts[0], parts[1], parts[2], parts[3])
