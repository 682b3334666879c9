"""Forming groups: who goes with whom, under limits of size, household and risk.

The trust of a group is the confirmed trust between its members. Two members confirm each other
when each vouches for the other, and what is confirmed is the smaller of the two rooms:

    w(i, j) = min(room(i -> j), room(j -> i))

A vouch that is not returned counts nothing. An undirected edge counts as it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from graph.arrays import as_arrays
from graph.checks import count, id_key, real
from graph.dealing import Pair, Task, deal_all_ways, deal_by_search, pair_prices, read_task
from graph.errors import BadCertificate, BadParameter

if TYPE_CHECKING:
    from graph.arrays import ArrayNetwork, Ints, Places
    from graph.network import Network

Limit = Literal["size", "household", "risk"]

# 3^n sets of members are looked through up to here; a search and a bound take over beyond.
MOST_EXACT = 14


@dataclass(frozen=True, slots=True)
class GroupRules:
    """What a group may be.

    Parameters
    ----------
    least, most : int
        Members of a group, 1 <= least <= most; the same number twice for an exact size.
    per_household : int or None
        Most members of one household in a group, >= 1; None: any number.
    risk_limit : float or None
        Two members whose risks are correlated above this are a risky pair; None: no pair is.
    risky_pairs : int
        Most risky pairs in a group, >= 0. Default 0.

    Raises
    ------
    BadParameter
        A number is outside its range, or `risk_limit` is NaN.

    Examples
    --------
    >>> GroupRules(5, 5, per_household=1).most
    5
    """

    least: int
    most: int
    per_household: int | None = None
    risk_limit: float | None = None
    risky_pairs: int = 0

    def __post_init__(self) -> None:
        count(self.least, "least", 1)
        count(self.most, "most", self.least)
        if self.per_household is not None:
            count(self.per_household, "per_household", 1)
        if self.risk_limit is not None:
            real(self.risk_limit, "risk_limit")
        count(self.risky_pairs, "risky_pairs", 0)


@dataclass(frozen=True, slots=True)
class Group:
    """One group, as its members may see it.

    Attributes
    ----------
    members : tuple of Hashable
        In the order of ids.
    trust : int
        Confirmed trust inside, minor units: the sum of w(i, j) over its pairs.
    weakest : (Hashable, Hashable, int) or None
        The pair with the least confirmed trust between them, the first of several, and what it
        is; None in a group of one.
    risky : tuple of (Hashable, Hashable)
        Its pairs whose risks are correlated above the limit.
    """

    members: tuple[Hashable, ...]
    trust: int
    weakest: tuple[Hashable, Hashable, int] | None
    risky: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups within the rules, who is left over and why, and how far the best can be.

    Attributes
    ----------
    groups : tuple of Group
        In the order of their first members.
    left_over : tuple of Hashable
        Members of no group, in the order of ids.
    because : dict of {"size", "household", "risk"} to int
        How many are left over for what: `size` as the members do not divide into allowed sizes,
        `household` as no more of them can be kept apart, `risk` as no way was found (or, where
        `exact`, exists) to place more within the limit on risky pairs. The first two are exact.
    trust : int
        Confirmed trust inside all groups together, minor units.
    bound : int
        No way to form groups within the rules that places as many has more trust.
    prices : dict of member to int
        What proves the bound, in halves of a minor unit: no allowed group has more trust than
        half of its members' prices together, hence all groups no more than half of all prices.
        Empty where all ways were looked through.
    exact : bool
        Nobody can place more members, or as many with more trust.
    """

    groups: tuple[Group, ...]
    left_over: tuple[Hashable, ...]
    because: dict[Limit, int]
    trust: int
    bound: int
    prices: dict[Hashable, int]
    exact: bool

    @property
    def complete(self) -> bool:
        """Whether everybody is in a group."""
        return not self.left_over

    @property
    def gap(self) -> float:
        """By what share of the bound the trust can be short of the best at most."""
        return 1 - self.trust / self.bound if self.bound else 0.0


def form_groups(
    network: ArrayNetwork | Network,
    rules: GroupRules,
    *,
    members: Iterable[Hashable] | None = None,
    households: Mapping[Hashable, Hashable] | None = None,
    correlations: Mapping[Pair, float] | None = None,
    seed: int = 0,
    effort: int = 300,
    exact_up_to: int = MOST_EXACT,
) -> Grouping:
    """Place as many members as the rules allow, with the most confirmed trust inside groups.

    ``max sum over groups S of sum over i < j in S of w(i, j)`` among the ways to place the most
    members, with ``least <= |S| <= most``, at most `per_household` of one household in S and at
    most `risky_pairs` pairs in S with ``correlation(i, j) > risk_limit``.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Rooms in whole minor units >= 0. Not changed.
    rules : GroupRules
    members : iterable of Hashable, optional
        Who is to be placed. Default: everybody in the network.
    households : mapping of member to household, optional
        Needed where the rules have `per_household`. Who is not in it lives alone.
    correlations : mapping of (member, member) to float, optional
        Needed where the rules have `risk_limit`; -1 … 1, either way round. A pair that is not in
        it is not risky. Members who are not to be placed may be in it.
    seed : int
        >= 0; of the search.
    effort : int
        Exchanges that a search tries for each member, >= 1. There are four searches, up to twelve
        where the number of groups is open; beyond 2,000 members one, or up to three.
    exact_up_to : int
        Up to so many members all ways are looked through, at most 20.

    Returns
    -------
    Grouping
        Always within the rules; `left_over` names who could not be placed.

    Raises
    ------
    BadCapacity, SelfLoop, UnknownNode
        A room is no whole number >= 0; an edge or correlation joins a member to themself;
        `members`, `households` or `correlations` name somebody the network does not hold.
    BadParameter
        A correlation is NaN or outside -1 … 1, or is given both ways round and differs; a rule
        lacks its data or data lack their rule; the trust of all pairs together is beyond 2**60.
    DuplicateId
        A member is named twice.

    Notes
    -----
    Few members: every way, O(3^n). More: dealing out by household, which places the most that
    sizes and households allow, then annealing by exchanges and moves, each O(degree + most), and
    exchanges until none improves, O(effort n) together; sets held together by ties, up to a
    budget, for the bound. The bound starts from half of the most - 1 best ties of each member.

    The same input and seed give the same groups. Ids count only by their order; where several
    ways are as good, which one is found depends on that order.

    References
    ----------
    Kirkpatrick, Gelatt & Vecchi (1983), Optimization by simulated annealing, Science 220; Ji &
    Mitchell (2007), Branch-and-price-and-cut on the clique partitioning problem with minimum
    clique size requirement, Discrete Optimization 4(1), for the set-partition dual.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> ties = [("ana", "ben", 5), ("ben", "ana", 3), ("cid", "dan", 2), ("dan", "cid", 9)]
    >>> found = form_groups(from_edges([*ties, ("ana", "dan", 8)]), GroupRules(2, 2))
    >>> [(group.members, group.trust) for group in found.groups], found.trust, found.exact
    ([(('ana', 'ben'), 3), (('cid', 'dan'), 2)], 5, True)
    """
    count(seed, "seed", 0)
    count(effort, "effort", 1)
    if count(exact_up_to, "exact_up_to", 0) > 20:
        raise BadParameter(f"exact_up_to must be at most 20, got {exact_up_to}")
    task = _task(network, rules, members, households, correlations)
    if task.n <= exact_up_to:
        return _answer(task, deal_all_ways(task), None)
    return _answer(task, deal_by_search(task, seed, effort), pair_prices(task))


def check_grouping(
    found: Grouping,
    network: ArrayNetwork | Network,
    rules: GroupRules,
    *,
    members: Iterable[Hashable] | None = None,
    households: Mapping[Hashable, Hashable] | None = None,
    correlations: Mapping[Pair, float] | None = None,
) -> None:
    """Refuse a grouping that breaks a rule, forgets somebody or counts its trust wrongly.

    Everything is counted anew from rooms, households and correlations. That the prices pay for
    the groups found and add up to the bound is checked; that they pay for every other group is
    not, which would take as long as finding them.

    Parameters
    ----------
    found : Grouping
    network, rules, members, households, correlations
        As given to `form_groups`.

    Raises
    ------
    BadCertificate
        Says what does not hold.

    Notes
    -----
    O(n most^2 + m).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("a", "b", 5), ("b", "a", 3)])
    >>> check_grouping(form_groups(network, GroupRules(2, 2)), network, GroupRules(2, 2))
    """
    task = _task(network, rules, members, households, correlations)
    place = {id_: i for i, id_ in enumerate(task.ids)}
    named = [id_ for group in found.groups for id_ in group.members] + list(found.left_over)
    if sorted(named, key=id_key) != task.ids:
        raise BadCertificate("the groups and those left over are not everybody once")
    for group in found.groups:
        at = [place[id_] for id_ in group.members]
        if group != _group(task, at):
            raise BadCertificate(f"the group of {group.members[0]!r} is not what it says")
        if not rules.least <= len(at) <= rules.most:
            raise BadCertificate(f"the group of {group.members[0]!r} has {len(at)} members")
        homes = task.household[at].tolist()
        if max(map(homes.count, homes)) > task.per_household:
            raise BadCertificate(f"too many of a household with {group.members[0]!r}")
        if len(group.risky) > rules.risky_pairs:
            raise BadCertificate(f"too many risky pairs with {group.members[0]!r}")
        if found.prices and 2 * group.trust > sum(found.prices[id_] for id_ in group.members):
            raise BadCertificate(f"the prices do not pay for the group of {group.members[0]!r}")
    if sum(found.because.values()) != len(found.left_over):
        raise BadCertificate("the reasons do not add up to those left over")
    if found.trust != sum(group.trust for group in found.groups) or found.trust > found.bound:
        raise BadCertificate(f"the trust is not {found.trust}, or above its bound")
    if found.prices and sum(found.prices.values()) // 2 != found.bound:
        raise BadCertificate(f"the prices do not add up to the bound of {found.bound}")


def _task(
    network: ArrayNetwork | Network,
    rules: GroupRules,
    members: Iterable[Hashable] | None,
    households: Mapping[Hashable, Hashable] | None,
    correlations: Mapping[Pair, float] | None,
) -> Task:
    if (rules.per_household is None) != (households is None):
        raise BadParameter("per_household and households need each other")
    if (rules.risk_limit is None) != (correlations is None):
        raise BadParameter("risk_limit and correlations need each other")
    return read_task(
        as_arrays(network),
        members,
        households or {},
        correlations or {},
        least=rules.least,
        most=rules.most,
        per_household=rules.per_household or rules.most,
        risk_limit=2.0 if rules.risk_limit is None else float(rules.risk_limit),
        risky_pairs=rules.risky_pairs,
    )


def _answer(task: Task, group: Places | Ints, prices: Ints | None) -> Grouping:
    """`group` is -1 for those left over; without `prices` every way was looked through."""
    dealt: dict[int, list[int]] = {}
    for place, number in enumerate(group.tolist()):
        if number >= 0:
            dealt.setdefault(number, []).append(place)
    groups = tuple(_group(task, places) for places in dealt.values())
    left = np.flatnonzero(group < 0)
    trust = sum(found.trust for found in groups)
    placed = task.n - left.size
    by_size = task.most_placed_by_size
    could = task.most_placed
    because: dict[Limit, int] = {
        "size": task.n - by_size,
        "household": by_size - could,
        "risk": could - placed,
    }
    bound = trust if prices is None else int(prices.sum()) // 2
    return Grouping(
        groups,
        tuple(task.ids[i] for i in left),
        {limit: missed for limit, missed in because.items() if missed},
        trust,
        bound,
        {} if prices is None else dict(zip(task.ids, prices.tolist(), strict=True)),
        prices is None or (placed == could and trust == bound),
    )


def _group(task: Task, places: list[int]) -> Group:
    between = [(task.ties.get(i, j), i, j) for i, j in combinations(places, 2)]
    weakest = min(between, default=None)
    risky = [(i, j) for _, i, j in between if task.risky.to.size and task.risky.get(i, j)]
    return Group(
        tuple(task.ids[i] for i in places),
        sum(amount for amount, _, _ in between),
        weakest and (task.ids[weakest[1]], task.ids[weakest[2]], weakest[0]),
        tuple((task.ids[i], task.ids[j]) for i, j in risky),
    )
