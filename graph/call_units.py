"""Who is called for how much over a whole web of debts and pledges, in whole minor units.

The definitions of `graph.call_web`, paid in money that has a smallest unit: what is called and
paid sums exactly, rings of guarantors included, and no rounding is left for anybody to find.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from graph.arrays import MOST_ROOM, ArrayNetwork, Ints, as_arrays, from_edges, room_of
from graph.checks import count
from graph.errors import (
    BadCapacity,
    BadCertificate,
    BadParameter,
    NoConvergence,
    SelfLoop,
    UnknownNode,
)

if TYPE_CHECKING:
    from graph.network import Network

Mode: TypeAlias = Literal["several", "joint_and_several", "pledge_only"]
Units: TypeAlias = Mapping[Hashable, int] | Sequence[int] | NDArray[np.int64]
Pair: TypeAlias = tuple[Hashable, Hashable]


@dataclass(frozen=True, eq=False, repr=False)
class WebCalls:
    """Where the calls over a web come to rest, in whole minor units.

    Made by `web_calls`. Arrays are read-only, by place in ``pledges.ids`` or by edge in the order
    of ``pledges.out_head``; the properties say the same by member and by (guarantor, borrower).

    Attributes
    ----------
    mode : str
    pledges : ArrayNetwork
        Edge guarantor -> borrower, room = cap.
    due_at, means_at, stakes_at : numpy.ndarray of int64, shape (n,)
        Own debt, resources, and what is set aside for pledges (0 unless the mode is
        ``pledge_only``).
    called_at, paid_at : numpy.ndarray of int64, shape (m,)
        What each pledge was called for and gave. Under ``joint_and_several`` the two are one:
        what somebody cannot pay is not left standing but called again from the others.
    rounds : int
        Rounds of calls until nothing moved.
    """

    mode: Mode
    pledges: ArrayNetwork
    due_at: Ints
    means_at: Ints
    stakes_at: Ints
    called_at: Ints
    paid_at: Ints
    rounds: int

    def __post_init__(self) -> None:
        for array in (self.due_at, self.means_at, self.stakes_at, self.called_at, self.paid_at):
            array.flags.writeable = False

    def __repr__(self) -> str:
        lost = int(self.loss_at.sum())
        return f"WebCalls({self.mode}, {self.pledges.n} members, {lost} lost)"

    @cached_property
    def given_at(self) -> Ints:
        """What each member paid for others: shape (n,)."""
        return _sums(self.pledges.tails, self.paid_at, self.pledges.n)

    @cached_property
    def shortfall_at(self) -> Ints:
        """``max(0, D_i - what is left of i's resources)``: shape (n,)."""
        seized = 0 if self.mode == "pledge_only" else self.given_at
        return np.maximum(self.due_at - (self.means_at - seized), 0)

    @cached_property
    def loss_at(self) -> Ints:
        """Shortfall less what guarantors paid: shape (n,)."""
        return self.shortfall_at - _sums(self.pledges.out_head, self.paid_at, self.pledges.n)

    @property
    def shortfall(self) -> dict[Hashable, int]:
        """What of their own debt each member cannot pay."""
        return self._by_member(self.shortfall_at)

    @property
    def paid_total(self) -> dict[Hashable, int]:
        """What each member paid for others."""
        return self._by_member(self.given_at)

    @property
    def loss(self) -> dict[Hashable, int]:
        """What the lender of each member loses."""
        return self._by_member(self.loss_at)

    @property
    def called(self) -> dict[Pair, int]:
        """Calls by (guarantor, borrower), positive ones only."""
        return self._by_pair(self.called_at)

    @property
    def paid(self) -> dict[Pair, int]:
        """Payments by (guarantor, borrower), positive ones only."""
        return self._by_pair(self.paid_at)

    def _by_member(self, amounts: Ints) -> dict[Hashable, int]:
        ids = self.pledges.ids_of(range(self.pledges.n))
        return dict(zip(ids, amounts.tolist(), strict=True))

    def _by_pair(self, amounts: Ints) -> dict[Pair, int]:
        some = np.flatnonzero(amounts)
        guarantors = self.pledges.ids_of(self.pledges.tails[some])
        borrowers = self.pledges.ids_of(self.pledges.out_head[some])
        return dict(
            zip(zip(guarantors, borrowers, strict=True), amounts[some].tolist(), strict=True)
        )


def web_calls(
    own_debt_due: Units,
    resources: Units,
    pledges: ArrayNetwork | Network | Iterable[tuple[Hashable, Hashable, int]],
    mode: Mode = "several",
    *,
    stakes: Units | None = None,
    max_rounds: int = 10_000_000,
) -> WebCalls:
    """Settle a whole web of debts and pledges at once, exactly in minor units.

    With D_i due, w_i resources, q_gi the cap of g's pledge for i, ``S_i = max(0, D_i - (w_i -
    x_i))`` what i is short of after x_i was taken from i for others:

    - ``several``: each guarantor answers for their share ``q_gi / sum_g q_gi`` of S_i, up to the
      cap; ``x_g = min(w_g, calls on g)``, shared pro rata. Nobody pays for another's failing.
    - ``joint_and_several``: what a guarantor cannot pay is called again from the others, up to
      their caps, round by round.
    - ``pledge_only``: shares as in ``several``, but a guarantor pays from the stake that was
      set aside for pledges and from nothing else; so w_i serves i's own debt alone, and a call
      never makes anybody short.

    Every pro-rata split is `split_exact`: units left over go to the largest weight, then to the
    lowest id.

    Parameters
    ----------
    own_debt_due, resources : mapping of member to int, sequence, or array of int, shape (n,)
        D_i and w_i in minor units, >= 0. In a sequence the position is the member (with a
        network: the place). Under ``pledge_only`` resources are what is there beside the stakes.
    pledges : iterable of (guarantor, borrower, cap), ArrayNetwork or networkx graph
        Caps in minor units, >= 0, as edge attribute ``room``; several of the same two add up.
        With a network its nodes are the members, and who is left out of a mapping has 0.
    mode : {"several", "joint_and_several", "pledge_only"}
    stakes : as `resources`, optional
        For ``pledge_only``: what each has set aside. Default: every pledge in full.
    max_rounds : int
        Give up after so many rounds. Default 10,000,000.

    Returns
    -------
    WebCalls

    Raises
    ------
    BadCapacity
        An amount is no whole number >= 0, or beyond 2**52 alone or together with the others of
        one guarantor or borrower.
    UnknownNode, SelfLoop, BadParameter
        A stranger is named, somebody pledges for themself; the members of two mappings differ,
        the mode is unknown, stakes come with another mode.
    NoConvergence
        Still calling after `max_rounds` rounds.

    Notes
    -----
    O(m) a round at most, and only for borrowers whose shortfall changed; compiled.

    Why it ends: x never falls, so shortfalls never fall, so calls are only ever raised. Under
    ``several`` every round raises some call by a unit at least, and none passes its cap; under
    ``joint_and_several`` every round pays at least one unit of some pledge for good. Rounds are
    few unless debts turn in a full circle among members who have nothing to spare.

    How far from real numbers: a call once made is not taken back, so in each round a guarantor is
    raised towards ``split_exact`` of all that is called for the borrower, as far as others are not
    above theirs. No call is then more than one unit above its exact share, and the calls for one
    borrower miss their shares by at most two units for each of its k_i guarantors in sum. Under
    ``several``, x lies between the least fixed points of the real-number map with every x_g
    raised by its number of pledges, and lowered by the sum of k_i over those it pledges for; both
    meet in the real-number answer as the unit shrinks. Under ``joint_and_several`` the same holds
    from each time that a guarantor runs out of cash to the next. To split each round's calls by
    themselves would not do: the unit left over would go to the same guarantor every time.

    The whole loss under ``joint_and_several`` is not above that under ``several`` but for some
    units of rounding (the real-number law has no exception known and no proof).

    References
    ----------
    Eisenberg & Noe (2001), Systemic risk in financial systems, Management Science 47(2), for the
    least fixed point of ``several``.

    Examples
    --------
    >>> web = ([10, 10, 10], [4, 10, 12], [(1, 0, 6), (2, 1, 6), (0, 2, 6)])
    >>> web_calls(*web).loss, web_calls(*web).paid
    ({0: 4, 1: 0, 2: 0}, {(0, 2): 4, (1, 0): 6, (2, 1): 6})
    >>> web_calls(*web, "pledge_only").loss
    {0: 0, 1: 0, 2: 0}
    """
    if mode not in get_args(Mode):
        raise BadParameter(f"mode must be one of {', '.join(get_args(Mode))}, got {mode!r}")
    count(max_rounds, "max_rounds", 1)
    if stakes is not None and mode != "pledge_only":
        raise BadParameter(f"stakes are for pledge_only, not for {mode}")
    network = _pledged(own_debt_due, resources, pledges)
    n = network.n
    given = _sums(network.tails, network.out_room, n)
    for what, totals in (
        ("pledges of one guarantor together", given),
        ("pledges for one borrower together", _sums(network.out_head, network.out_room, n)),
    ):
        # A sum that left 64 bits shows as a negative one or in floating point.
        if totals.size and (int(totals.min()) < 0 or int(totals.max()) > MOST_ROOM):
            raise BadCapacity(what, int(totals.max()))
    due = _units(network, own_debt_due, "own debt")
    means = _units(network, resources, "resources")
    from graph.kernels import calls

    in_of = np.empty(network.m, np.int32)
    in_of[network.in_edge] = np.arange(network.m, dtype=np.int32)
    held = np.zeros(n, np.int64)
    if mode == "joint_and_several":
        paid_in, _, rounds = calls.joint(
            network.in_start,
            network.in_tail,
            network.in_room,
            network.out_start,
            network.out_head,
            in_of,
            due,
            means,
            max_rounds,
        )
        called_in = paid_in
    else:
        feeds = mode == "several"
        if not feeds:
            held = given if stakes is None else _units(network, stakes, "stake")
        limits = means if feeds else held
        called_in, asked, _, rounds = calls.several(
            network.in_start,
            network.in_tail,
            network.in_room,
            due,
            means,
            limits,
            feeds,
            max_rounds,
        )
        paid_in = calls.shared_out(
            network.in_start, network.out_start, in_of, called_in, asked, limits
        )
    if rounds < 0:
        raise NoConvergence(f"guarantors were still called after {max_rounds} rounds")
    return WebCalls(
        mode, network, due, means, held, called_in[in_of], paid_in[in_of].copy(), int(rounds)
    )


def check_web_calls(calls: WebCalls) -> None:
    """Hold an answer against what must be true of it, whatever way it was found.

    No call above its cap, no payment above its call; nobody pays more than their resources (or
    stake); no lender gets more than is owed; ``sum D - sum loss = own payments + payments for
    others``. Under ``several`` and ``pledge_only`` the calls for i sum to ``min(S_i, Q_i)``, and
    a guarantor pays all of them or all that is there; under ``joint_and_several`` a lender loses
    only when every guarantor has no pledge or no cash left.

    Parameters
    ----------
    calls : WebCalls

    Raises
    ------
    BadCertificate
        Says what does not hold.

    Notes
    -----
    O(n + m), without the loops that found the answer.

    Examples
    --------
    >>> check_web_calls(web_calls([10, 0], [4, 9], [(1, 0, 5)]))
    """
    web, n = calls.pledges, calls.pledges.n
    caps, called, paid = web.out_room, calls.called_at, calls.paid_at
    _hold((paid >= 0) & (paid <= called) & (called <= caps), "paid <= called <= cap")
    purse = calls.stakes_at if calls.mode == "pledge_only" else calls.means_at
    given, short, loss = calls.given_at, calls.shortfall_at, calls.loss_at
    _hold(given <= purse, "nobody pays more than they have")
    _hold((loss >= 0) & (loss <= calls.due_at), "a lender loses between nothing and the debt")
    seized = np.zeros(n, np.int64) if calls.mode == "pledge_only" else given
    own = np.minimum(calls.due_at, calls.means_at - seized)
    balance = int(calls.due_at.sum()) - int(loss.sum()) - int(own.sum()) - int(paid.sum())
    _hold(np.array([balance == 0]), "what lenders get is what was paid")
    if calls.mode == "joint_and_several":
        # Somebody for whom there is still a call to make has pledge and cash left.
        open_ = (paid < caps) & (calls.means_at - given > 0)[web.tails]
        _hold((loss[web.out_head] == 0) | ~open_, "no loss while a guarantor can pay")
        return
    pledged = _sums(web.out_head, caps, n)
    asked_for = _sums(web.out_head, called, n)
    _hold(asked_for == np.minimum(short, pledged), "calls for a borrower = min(short, pledged)")
    asked = _sums(web.tails, called, n)
    _hold(given == np.minimum(purse, asked), "a guarantor pays all calls or all there is")


def _hold(kept: NDArray[np.bool_], law: str) -> None:
    if not kept.all():
        raise BadCertificate(f"not kept: {law}")


def _sums(places: NDArray[np.int32], amounts: Ints, n: int) -> Ints:
    """Whole sums by place."""
    sums = np.zeros(n, np.int64)
    np.add.at(sums, places, amounts)
    return sums


def _pledged(
    own_debt_due: Units,
    resources: Units,
    pledges: ArrayNetwork | Network | Iterable[tuple[Hashable, Hashable, int]],
) -> ArrayNetwork:
    if isinstance(pledges, ArrayNetwork):
        return pledges
    if hasattr(pledges, "is_directed"):
        return as_arrays(cast("Network", pledges))
    members = list(own_debt_due if isinstance(own_debt_due, Mapping) else range(len(own_debt_due)))
    known = set(members)
    if known != set(resources if isinstance(resources, Mapping) else range(len(resources))):
        raise BadParameter("own debts and resources must name the same members")
    listed = list(pledges)
    for guarantor, borrower, _ in listed:
        for member in (guarantor, borrower):
            if member not in known:
                raise UnknownNode(member)
        if guarantor == borrower:
            raise SelfLoop(guarantor)
    return from_edges(listed, nodes=members)


def _units(network: ArrayNetwork, given: Units, what: str) -> Ints:
    """Whole amounts by place."""
    if isinstance(given, Mapping):
        amounts = np.zeros(network.n, np.int64)
        for member, value in given.items():
            amounts[network.place(member)] = room_of(value, f"{what} of {member!r}")
        return amounts
    if len(given) != network.n:
        raise BadParameter(f"{len(given)} values of {what}, but {network.n} members")
    if isinstance(given, np.ndarray) and given.dtype.kind in "iu" and given.ndim == 1:
        if given.size and (int(given.min()) < 0 or int(given.max()) > MOST_ROOM):
            worst = int(given.min()) if int(given.min()) < 0 else int(given.max())
            raise BadCapacity(what, worst)
        return given.astype(np.int64, copy=True)
    return np.array(
        [room_of(value, f"{what} of place {i}") for i, value in enumerate(given)], np.int64
    )
