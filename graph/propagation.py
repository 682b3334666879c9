"""Trust handed on from a few members who are known to all the others.

Three methods, from open to strict: `eigentrust` ranks by what the trusted say, `sybilrank` by how
soon even shares of trust arrive, and `two_block_trust` by which side of the thin place between the
known members and a crowd of invented ones somebody stands on. All three rank; none of them proves
that anybody is real. For a set with a bound, see `graph.advogato`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil, inf, isfinite, log2
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, as_arrays
from graph.checks import count, real
from graph.errors import BadParameter, NoConvergence, SelfLoop

if TYPE_CHECKING:
    from graph.network import Network

Reals: TypeAlias = NDArray[np.float64]
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, eq=False)
class TrustScores:
    """A figure for every member of a network.

    Attributes
    ----------
    network : ArrayNetwork
        Whose places `values` are in the order of.
    values : numpy.ndarray of float64, shape (n,)
        Read-only. Larger is more trusted.
    rounds : int
        How often trust was handed on.
    residual : float
        How far the values are from what defines them; each function says in which measure.
    """

    network: ArrayNetwork
    values: Reals
    rounds: int
    residual: float

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    def of(self, member: Hashable) -> float:
        """The figure of one member.

        Raises
        ------
        UnknownNode
            The network does not hold this member.
        """
        return float(self.values[self.network.place(member)])

    def by_member(self) -> dict[Hashable, float]:
        """All figures by member, in the order of ids."""
        ids = self.network.ids_of(range(self.network.n))
        return dict(zip(ids, self.values.tolist(), strict=True))

    def ranked(self, most: int | None = None) -> list[Hashable]:
        """Members, the most trusted first, equals by id; the first `most` of them.

        Raises
        ------
        BadParameter
            `most` is no whole number >= 0.
        """
        if most is not None:
            count(most, "most", 0)
        order = np.argsort(-self.values, kind="stable")[:most]
        return self.network.ids_of(order)


@dataclass(frozen=True, slots=True, eq=False)
class TwoBlocks(TrustScores):
    """Members by the side they are on; see `two_block_trust`.

    Attributes
    ----------
    accepted : tuple of Hashable
        As many as were asked for, the most trusted first.
    chance : numpy.ndarray of float64, shape (n,)
        Of being in the far block, in the order of places. Read-only.
    ties_across, ties_beyond : float
        Expected number of ties between the blocks, and within the far one.
    """

    accepted: tuple[Hashable, ...]
    chance: Reals
    ties_across: float
    ties_beyond: float


def eigentrust(
    network: Network | ArrayNetwork,
    pretrusted: Iterable[Hashable] | Mapping[Hashable, float],
    *,
    restart: float = 0.15,
    tolerance: float = 1e-10,
    most_rounds: int = 10_000,
    threads: int = 1,
) -> TrustScores:
    """EigenTrust, which is PageRank that restarts at trusted members.

    ``t = (1 - a) C' t + a p`` with ``c_ij = room(i, j) / sum_j room(i, j)``; who gives no trust
    to anybody counts as trusting p.

    Parameters
    ----------
    network : networkx graph or ArrayNetwork
        Edge attribute ``room`` >= 0: how much the tail trusts the head.
    pretrusted : iterable of Hashable, or mapping of Hashable to float
        p, shared evenly or in proportion to weights >= 0; scaled to sum to 1.
    restart : float
        a, in (0, 1].
    tolerance : float
        Largest residual that is let stand, > 0.
    most_rounds : int
        >= 0.
    threads : int
        So many work at once on a large network, >= 1. The values do not depend on it.

    Returns
    -------
    TrustScores
        Values >= 0 that sum to 1; pre-trusted members keep at least a p_i. `residual` is
        ``r = sum |(1 - a) C' t + a p - t|``, the certificate: the values are within ``r / a`` of
        the exact ones, all differences together.

    Raises
    ------
    BadCapacity, SelfLoop
        As for `graph.arrays.from_networkx`.
    UnknownNode
        A pre-trusted member is not in the network.
    BadParameter
        Nobody is pre-trusted, a weight is not a finite number >= 0, or a parameter is outside its
        range.
    NoConvergence
        The residual was still above the tolerance after all rounds.

    Notes
    -----
    O(n + m) a round, about ``ln(1 / tolerance) / a`` rounds.

    References
    ----------
    Kamvar, Schlosser & Garcia-Molina (2003), The EigenTrust algorithm for reputation management in
    P2P networks; Page, Brin, Motwani & Winograd (1999).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> scores = eigentrust(from_edges([("a", "b", 1), ("b", "a", 1), ("c", "a", 5)]), ["a"])
    >>> scores.ranked(), round(scores.of("a"), 4), scores.of("c")
    (['a', 'b', 'c'], 0.5405, 0.0)
    """
    if not 0 < real(restart, "restart") <= 1:
        raise BadParameter(f"restart must be in (0, 1], got {restart!r}")
    _positive(tolerance, "tolerance")
    count(most_rounds, "most_rounds", 0)
    count(threads, "threads", 1)
    arrays = as_arrays(network)
    home = _shares(arrays, pretrusted)
    from graph.kernels import propagation

    given = propagation.given_in_all(arrays.out_start, arrays.out_room)
    keep = 1.0 - float(restart)
    rounds, residual = 0, inf
    trust, fresh, handed = home.copy(), np.empty(arrays.n), np.empty(arrays.n)
    with _side_by_side(arrays.in_start, threads) as each_part:
        for rounds in range(most_rounds + 1):
            here, there = trust, fresh
            stuck = sum(each_part(partial(propagation.hand_on, here, given, keep, handed)))
            back = restart + keep * stuck
            received = partial(
                propagation.receive,
                arrays.in_start, arrays.in_tail, arrays.in_room, handed, home, back, here, there,
            )  # fmt: skip
            residual = sum(each_part(received))
            if residual <= tolerance or rounds == most_rounds:
                break
            trust, fresh = there, here
    if residual > tolerance:
        raise NoConvergence(f"residual {residual:g} above {tolerance:g} after {rounds} rounds")
    return TrustScores(arrays, trust, rounds, residual)


def sybilrank(
    network: Network | ArrayNetwork,
    seeds: Iterable[Hashable],
    *,
    total: float | None = None,
    steps: int | None = None,
    mutual: bool = False,
    threads: int = 1,
) -> TrustScores:
    """SybilRank: a short walk of trust from known members, per tie.

    ``T_0 = total / |seeds|`` on each seed, ``T_k(v) = sum over neighbours u of
    T_{k-1}(u) / deg(u)``; the value of v is ``T(v) / deg(v)``.

    Parameters
    ----------
    network : networkx graph or ArrayNetwork
        Members are neighbours when an edge joins them, whatever its direction and room.
    seeds : iterable of Hashable
        Known members, each with at least one neighbour; one named twice counts once.
    total : float, optional
        Trust to hand out, > 0. Default n.
    steps : int, optional
        Default ``ceil(log2 n)``. Stopping early is the point: with ever more steps the values of
        a connected network become equal.
    mutual : bool
        Only those who vouch for each other are neighbours. Default False.
    threads : int
        So many work at once on a large network, >= 1. The values do not depend on it.

    Returns
    -------
    TrustScores
        Trust per tie; 0 for who has no tie. The total does not change: ``sum T(v) = total``.
        `residual` is what rounding added or took, ``|sum T(v) - total| / total``.

    Raises
    ------
    SelfLoop
        A node is joined to itself.
    UnknownNode
        A seed is not in the network.
    BadParameter
        No seed, a seed without a neighbour, or a parameter outside its range.

    Notes
    -----
    O(n + m) a step. The bound of the paper: about O(log n) invented members per tie to them.

    References
    ----------
    Cao, Sirivianos, Yang & Pregueiro (2012), Aiding the detection of fake accounts in large scale
    social online services, NSDI.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> path = from_edges([("a", "b", 1), ("b", "c", 1), ("c", "d", 1)])
    >>> sybilrank(path, ["a"], total=8, steps=3).by_member()
    {'a': 0.0, 'b': 3.0, 'c': 0.0, 'd': 2.0}
    """
    if total is not None:
        _positive(total, "total")
    if steps is not None:
        count(steps, "steps", 0)
    count(threads, "threads", 1)
    arrays = _ties(network)
    from graph.kernels import propagation

    start, neighbour = propagation.undirected_rows(
        arrays.out_start, arrays.out_head, arrays.in_start, arrays.in_tail, mutual
    )
    places = _seed_places(arrays, seeds, start)
    amount = float(arrays.n if total is None else total)
    each = _walk(start, neighbour, places, amount, steps, threads)
    held = float(np.diff(start) @ each)
    rounds = _early(arrays.n) if steps is None else steps
    return TrustScores(arrays, each, rounds, abs(held - amount) / amount)


def two_block_trust(
    network: Network | ArrayNetwork,
    seeds: Iterable[Hashable],
    accept: int,
    *,
    mutual: bool = False,
    tolerance: float = 1e-6,
    most_rounds: int = 2_000,
) -> TwoBlocks:
    """Accept a given number of members by where most of their ties lead.

    The members that `sybilrank` trusts least are taken as a far block, as many as are to be turned
    away; then a model of two blocks is fitted in which only the seeds are sure. With ``q`` the
    chance to be in the far block and ``k`` the number of ties of a member,

    ``logit q(v) = ln(Q / (1 - Q)) + x(v) ln(w_ff / w_nf) + (k(v) - x(v)) ln(w_fn / w_nn)``,

    where ``x(v) = sum over neighbours u of q(u)``, Q is the mean of q, and ``w_bc`` the number of
    ties between two blocks (plus one) over the product of the ties that each has in all. Members
    are ranked by ``-logit q``, the seeds first.

    Parameters
    ----------
    network, seeds, mutual
        As for `sybilrank`.
    accept : int
        How many to accept, from the number of seeds to n. What is known about the size of the
        crowd, or what one can afford to turn away.
    tolerance : float
        Largest difference between q and the right side that is let stand, > 0.
    most_rounds : int
        >= 0.

    Returns
    -------
    TwoBlocks
        Values are ``-logit q``, infinite for seeds. `residual` is the certificate: the largest
        ``|q(v) - right side|``.

    Raises
    ------
    SelfLoop, UnknownNode, BadParameter
        As for `sybilrank`; `accept` is outside its range.
    NoConvergence
        The residual was still above the tolerance after all rounds.

    Notes
    -----
    O(n + m) a round, some tens of rounds, each going half way. The model is the degree-corrected
    block model in mean field; degree correction keeps people of few ties from being a block.

    How many are turned away at first need not be right: half of a crowd or one and a half times
    as many lead to about the same blocks where the crowd is plain to see.

    It finds a crowd that holds together and is joined to the rest by fewer ties than it has
    inside. Where invented members have as many ties outside as inside, or where no crowd is, what
    is turned away is the corner of the network that the seeds know least: a reason to look, not
    to refuse. Fitted to the network in hand, it takes nothing from labels.

    References
    ----------
    Karrer & Newman (2011), Stochastic blockmodels and community structure in networks, Physical
    Review E 83; Gong, Frank & Mittal (2014), SybilBelief, IEEE Transactions on Information
    Forensics and Security 9(6); Viswanath, Post, Gummadi & Mislove (2010), An analysis of social
    network-based Sybil defenses.

    Examples
    --------
    Two circles of four, joined by one tie:

    >>> import networkx as nx
    >>> g = nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4))
    >>> g.add_edge(3, 4)
    >>> sorted(two_block_trust(g, [0], 4).accepted)
    [0, 1, 2, 3]
    """
    _positive(tolerance, "tolerance")
    count(most_rounds, "most_rounds", 0)
    arrays = _ties(network)
    from graph.kernels import propagation

    start, neighbour = propagation.undirected_rows(
        arrays.out_start, arrays.out_head, arrays.in_start, arrays.in_tail, mutual
    )
    places = _seed_places(arrays, seeds, start)
    if count(accept, "accept", places.size) > arrays.n:
        raise BadParameter(f"{accept} are to be accepted, but there are {arrays.n} members")
    known = np.zeros(arrays.n, np.bool_)
    known[places] = True
    first = _walk(start, neighbour, places, 1.0, None, 1)
    # Seeds are never among those turned away, and of equals the higher id is.
    order = np.lexsort((np.arange(arrays.n), -first, ~known))
    chance = np.zeros(arrays.n)
    chance[order[accept:]] = 1.0
    evidence, rounds, gap, across, beyond = propagation.two_blocks(
        start, neighbour, chance, known, float(tolerance), most_rounds
    )
    if gap > tolerance:
        raise NoConvergence(f"a gap of {gap:g} above {tolerance:g} after {rounds} rounds")
    values = -evidence
    values[places] = np.inf
    # Equal evidence, as among all who hang on one tie, is parted by the walk.
    order = np.lexsort((np.arange(arrays.n), -first, -values))
    chance.flags.writeable = False
    accepted = tuple(arrays.ids_of(order[:accept]))
    return TwoBlocks(arrays, values, rounds, gap, accepted, chance, across, beyond)


def _early(n: int) -> int:
    return ceil(log2(n))


def _walk(
    start: NDArray[np.int64],
    neighbour: NDArray[np.int32],
    seeds: NDArray[np.int32],
    total: float,
    steps: int | None,
    threads: int,
) -> Reals:
    """Trust per tie after an even walk from the seeds."""
    from graph.kernels import propagation

    n = start.size - 1
    trust = np.zeros(n)
    trust[seeds] = total / seeds.size
    ties = np.diff(start)
    each, after = np.divide(trust, ties, out=np.zeros(n), where=ties > 0), np.empty(n)
    with _side_by_side(start, threads) as each_part:
        for _ in range(_early(n) if steps is None else steps):
            each_part(partial(propagation.even_step, start, neighbour, each, after))
            each, after = after, each
    return each


# Ties to one part of the work. Parts follow from the network alone, and so do all sums.
_PART = 250_000


@contextmanager
def _side_by_side(
    start: NDArray[np.int64], threads: int
) -> Iterator[Callable[[Callable[..., Done]], list[Done]]]:
    """A function that does work (first place, last place) on all parts."""
    cuts = np.linspace(0, start[-1], max(1, int(start[-1]) // _PART) + 1)[1:-1]
    bounds = [0, *np.searchsorted(start, cuts).tolist(), start.size - 1]
    parts = list(pairwise(bounds))
    workers = min(len(parts), threads)
    if workers == 1:
        yield lambda work: [work(*part) for part in parts]
        return
    with ThreadPoolExecutor(workers) as pool:
        yield lambda work: list(pool.map(lambda part: work(*part), parts))


def _ties(network: Network | ArrayNetwork) -> ArrayNetwork:
    """A network of which only the ties count."""
    if not isinstance(network, ArrayNetwork) and hasattr(network, "is_directed"):
        for tail, head in network.edges():
            if tail == head:
                raise SelfLoop(tail)
    return as_arrays(network, room=None)


def _seed_places(
    arrays: ArrayNetwork, seeds: Iterable[Hashable], start: NDArray[np.int64]
) -> NDArray[np.int32]:
    places = np.unique(arrays.places(seeds))
    if not places.size:
        raise BadParameter("at least one seed is needed")
    alone = places[start[places + 1] == start[places]]
    if alone.size:
        raise BadParameter(f"the seed {arrays.id_of(int(alone[0]))!r} has no neighbour")
    return places


def _shares(arrays: ArrayNetwork, given: Iterable[Hashable] | Mapping[Hashable, float]) -> Reals:
    """Weights by place that sum to 1."""
    weights = given if isinstance(given, Mapping) else dict.fromkeys(given, 1.0)
    share = np.zeros(arrays.n)
    for member, weight in weights.items():
        if not (real(weight, f"weight of {member!r}") >= 0 and isfinite(weight)):
            raise BadParameter(f"weight of {member!r} must be finite and >= 0, got {weight!r}")
        share[arrays.place(member)] = weight
    # The largest first to 1: a sum of large weights must not run over.
    if not weights or not share.max():
        raise BadParameter("nobody is pre-trusted")
    share /= share.max()
    made: Reals = share / share.sum()
    return made


def _positive(value: float, what: str) -> None:
    if not (real(value, what) > 0 and isfinite(value)):
        raise BadParameter(f"{what} must be finite and > 0, got {value!r}")
