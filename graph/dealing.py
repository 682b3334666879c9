"""How members are dealt into groups: the task in arrays, all ways for few, a search for many.

The engine of `graph.groups`, which says what the numbers mean.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import Ints, Places
from graph.checks import real
from graph.errors import BadParameter, DuplicateId, SelfLoop

if TYPE_CHECKING:
    from graph.arrays import ArrayNetwork

Pair = tuple[Hashable, Hashable]

# Sums of trust have to stay in 64 bits, doubled.
_MOST_TRUST = 2.0**60
# Searches from anew, and of how many numbers of groups where that is open. Chance evens out among
# many members, and a search takes long.
_MANY = 2_000
_TRIES, _TRIES_OF_MANY = 4, 1
_NUMBERS, _NUMBERS_OF_MANY = 12, 3
# A search of few members is cheap: so many exchanges at least.
_LEAST_STEPS = 20_000
# Members dealt out again together in the best way, and how often at most.
_DEALT_AGAIN, _MOST_AGAIN = 12, 400
# Of taking apart groups that keep too many risky pairs.
_ROUNDS = 8
# Sets of members looked through for the price of one of them, and for all.
_SETS_EACH, _SETS_IN_ALL = 10_000, 10_000_000


@dataclass(frozen=True, eq=False)
class Rows:
    """Pairs of places both ways, in compressed rows, each row sorted."""

    start: Ints
    to: Places
    amount: Ints

    @property
    def tails(self) -> Ints:
        return np.repeat(np.arange(self.start.size - 1), np.diff(self.start))

    def get(self, i: int, j: int) -> int:
        begin, end = int(self.start[i]), int(self.start[i + 1])
        at = begin + int(np.searchsorted(self.to[begin:end], j))
        return int(self.amount[at]) if at < end and self.to[at] == j else 0


def rows_of(keys: Ints, amounts: Ints, n: int) -> Rows:
    """From sorted keys ``i n + j``."""
    start = np.searchsorted(keys, np.arange(n + 1) * n).astype(np.int64)
    return Rows(start, (keys % n).astype(np.int32), amounts)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be dealt out, in places; who lives alone has a household of their own."""

    ids: list[Hashable]
    ties: Rows
    risky: Rows
    household: Places
    least: int
    most: int
    per_household: int
    risky_pairs: int

    @property
    def n(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> tuple[Ints, Places, Ints, Ints, Places, Ints]:
        """The pairs, as the loops of `graph.kernels.grouping` want them."""
        ties, risky = self.possible, self.risky
        return ties.start, ties.to, ties.amount, risky.start, risky.to, risky.amount

    @property
    def limits(self) -> tuple[Places, int, int, int, int]:
        """The rules, as the loops want them."""
        return self.household, self.per_household, self.risky_pairs, self.most, self.least

    @cached_property
    def possible(self) -> Rows:
        """The ties that can be inside a group at all."""
        tails = self.ties.tails
        never = np.zeros(tails.size, np.bool_)
        if self.per_household == 1:
            never |= self.household[tails] == self.household[self.ties.to]
        keys = tails * self.n + self.ties.to
        if self.risky_pairs == 0 and self.risky.to.size:
            never |= np.isin(keys, self.risky.tails * self.n + self.risky.to)
        return rows_of(keys[~never], self.ties.amount[~never], self.n)

    @cached_property
    def homes(self) -> Ints:
        """How many live in each household."""
        return np.bincount(self.household)

    def placed_in(self, groups: int) -> int:
        """How many fit into so many groups by sizes and households; -1 if not that many groups."""
        fit = int(np.minimum(self.homes, groups * self.per_household).sum())
        placed = min(self.most * groups, fit)
        return placed if placed >= self.least * groups else -1

    @cached_property
    def most_groups(self) -> int:
        """What fits grows with the groups ever more slowly, so those that can be are 0 … this."""
        low, high = 0, self.n // self.least
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.placed_in(middle) >= 0 else (low, middle - 1)
        return low

    @cached_property
    def most_placed(self) -> int:
        """How many can be placed by sizes and households: as many as dealing out in turn does."""
        return self.placed_in(self.most_groups)

    @property
    def most_placed_by_size(self) -> int:
        return min(self.n, self.most * (self.n // self.least))


def read_task(
    network: ArrayNetwork,
    members: Iterable[Hashable] | None,
    households: Mapping[Hashable, Hashable],
    correlations: Mapping[Pair, float],
    *,
    least: int,
    most: int,
    per_household: int,
    risk_limit: float,
    risky_pairs: int,
) -> Task:
    """Check what is to be dealt out, and put it into arrays.

    Parameters
    ----------
    network : ArrayNetwork
    members : iterable of Hashable, or None for all
    households : mapping of member to household
        Who is not in it lives alone.
    correlations : mapping of (member, member) to float
    least, most, per_household, risk_limit, risky_pairs
        As in `graph.groups.GroupRules`, checked, none of them None.

    Returns
    -------
    Task

    Raises
    ------
    SelfLoop, UnknownNode, DuplicateId, BadParameter
        As for `graph.groups.form_groups`.

    Notes
    -----
    O(n + m log m).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("a", "b", 5), ("b", "a", 3), ("b", "c", 2)])
    >>> rules = {"least": 2, "most": 2, "per_household": 2, "risk_limit": 1.0, "risky_pairs": 0}
    >>> task = read_task(network, None, {}, {}, **rules)
    >>> task.ids, task.ties.get(0, 1), task.ties.get(1, 2), task.most_placed
    (['a', 'b', 'c'], 3, 0, 2)
    """
    if members is None:
        chosen = np.arange(network.n, dtype=np.int64)
    else:
        chosen = np.sort(network.places(list(members)).astype(np.int64))
        twice = np.flatnonzero(chosen[1:] == chosen[:-1])
        if twice.size:
            raise DuplicateId("members", network.id_of(int(chosen[twice[0]])))
    n = chosen.size
    at = np.full(network.n, -1, np.int64)
    at[chosen] = np.arange(n)
    homes = np.arange(n, dtype=np.int64)
    first_of: dict[Hashable, int] = {}
    for member, home in households.items():
        place = int(at[network.place(member)])
        if place >= 0:
            homes[place] = first_of.setdefault(home, place)
    return Task(
        network.ids_of(chosen),
        _confirmed(network, at, n),
        _risky(network, at, n, correlations, risk_limit),
        homes.astype(np.int32),
        least,
        most,
        min(per_household, most),
        risky_pairs,
    )


def _confirmed(network: ArrayNetwork, at: Ints, n: int) -> Rows:
    """min(room(i -> j), room(j -> i)) where both are there."""
    # Both columns are sorted by (member, the other): what i gives, and what i is given.
    given = network.tails.astype(np.int64) * network.n + network.out_head
    owner = np.repeat(np.arange(network.n, dtype=np.int64), np.diff(network.in_start))
    received = owner * network.n + network.in_tail
    both, one, other = np.intersect1d(given, received, assume_unique=True, return_indices=True)
    amount = np.minimum(network.out_room[one], network.in_room[other])
    if amount.sum(dtype=np.float64) > _MOST_TRUST:
        raise BadParameter("the trust of all pairs together is beyond 2**60")
    tails, heads = at[both // max(network.n, 1)], at[both % max(network.n, 1)]
    kept = (tails >= 0) & (heads >= 0) & (amount > 0)
    return rows_of(tails[kept] * n + heads[kept], amount[kept], n)


def _risky(
    network: ArrayNetwork,
    at: Ints,
    n: int,
    correlations: Mapping[Pair, float],
    risk_limit: float,
) -> Rows:
    keys = []
    for (one, other), given in correlations.items():
        if one == other:
            raise SelfLoop(one)
        value = real(given, f"correlation of {one!r} and {other!r}")
        if not -1 <= value <= 1:
            raise BadParameter(f"correlation of {one!r} and {other!r} must be -1 … 1, got {value}")
        if correlations.get((other, one), given) != given:
            raise BadParameter(f"two correlations of {one!r} and {other!r} differ")
        i, j = int(at[network.place(one)]), int(at[network.place(other)])
        if value > risk_limit and i >= 0 and j >= 0:
            keys += [i * n + j, j * n + i]
    found = np.unique(np.array(keys, np.int64))
    return rows_of(found, np.ones(found.size, np.int64), n)


def deal_all_ways(task: Task) -> Places:
    """The best of all ways: a group for each place, -1 for those left over."""
    from graph.kernels import grouping

    everybody = np.arange(task.n, dtype=np.int32)
    return grouping.best_of_subsets(*task.rows, *task.limits, everybody)[0]


@dataclass(eq=False)
class _State:
    """Who is where while the search goes on; as the loops of `graph.kernels.grouping` want it."""

    group: Places
    slots: Places
    where: Ints
    size: Ints
    pairs: Ints


def _state_of(task: Task, given: Places) -> _State:
    """Groups numbered anew without the empty ones; -1 is the pool."""
    numbers = np.unique(given[given >= 0])
    pool = numbers.size
    group = np.where(given >= 0, np.searchsorted(numbers, given), pool).astype(np.int32)
    size = np.bincount(group, minlength=pool + 1)
    order = np.argsort(group, kind="stable")
    where = np.empty(task.n, np.int64)
    first = np.cumsum(size) - size
    where[order] = group[order] * task.most + np.arange(task.n) - first[group[order]]
    slots = np.full(pool * task.most + task.n, -1, np.int32)
    slots[where] = np.arange(task.n)
    tails, heads = group[task.risky.tails], group[task.risky.to]
    pairs = np.bincount(tails[tails == heads], minlength=pool + 1) // 2
    pairs[pool] = 0
    return _State(group, slots, where, size, pairs)


def deal_by_search(task: Task, seed: int, effort: int) -> Ints:
    """A good way: a group for each place, -1 for those left over."""
    top, most_placed = task.most_groups, task.most_placed
    if not top:
        return np.full(task.n, -1, np.int64)
    fewest, high = -(-most_placed // task.most), top
    while fewest < high:
        middle = (fewest + high) // 2
        if task.placed_in(middle) < most_placed:
            fewest = middle + 1
        else:
            high = middle
    least, most = (_TRIES_OF_MANY, _NUMBERS_OF_MANY) if task.n > _MANY else (_TRIES, _NUMBERS)
    numbers = np.unique(np.linspace(fewest, top, most).round().astype(np.int64)).tolist()
    tries = max(least, len(numbers))
    found = [
        _search(task, numbers[attempt % len(numbers)], seed * tries + attempt, effort)
        for attempt in range(tries)
    ]
    return _dealt_again(task, max(found, key=lambda group: _worth(task, group)), seed)


def _worth(task: Task, group: Places) -> tuple[int, int]:
    """Members placed, and their trust."""
    inside = group[task.ties.tails]
    trust = task.ties.amount[(inside == group[task.ties.to]) & (inside >= 0)].sum() // 2
    return int((group >= 0).sum()), int(trust)


def _dealt_again(task: Task, group: Places, seed: int) -> Ints:
    """A few groups at a time, and some of those left over, dealt out again in the best way."""
    from graph.kernels import grouping

    if task.most > _DEALT_AGAIN:
        return group.astype(np.int64)
    rng = random.Random(seed)
    # Who is left over is alone.
    parts: dict[int, list[int]] = {}
    number = [0] * task.n
    for i, given in enumerate(group.tolist()):
        number[i] = given if given >= 0 else task.n + i
        parts.setdefault(number[i], []).append(i)
    fresh = 2 * task.n
    for _ in range(min(4 * len(parts), _MOST_AGAIN)):
        chosen = _near_groups(task, number, parts, rng)
        members = sorted(i for part in chosen for i in parts[part])
        dealt, placed, trust = grouping.best_of_subsets(
            *task.rows, *task.limits, np.array(members, np.int32)
        )
        was_placed = sum(len(parts[part]) for part in chosen if part < task.n or part >= 2 * task.n)
        was = sum(
            task.possible.get(i, j) for part in chosen for i, j in combinations(parts[part], 2)
        )
        if (placed, trust) <= (was_placed, was):
            continue
        for part in chosen:
            del parts[part]
        for i, given in zip(members, dealt.tolist(), strict=True):
            number[i] = fresh + given if given >= 0 else task.n + i
            parts.setdefault(number[i], []).append(i)
        fresh += _DEALT_AGAIN
    alone = range(task.n, 2 * task.n)
    return np.array([-1 if part in alone else part for part in number], np.int64)


def _near_groups(
    task: Task, number: list[int], parts: dict[int, list[int]], rng: random.Random
) -> list[int]:
    """Groups that ties hold together, at times any group, as long as they are few members."""
    chosen = [number[rng.randrange(task.n)]]
    members = list(parts[chosen[0]])
    for _ in range(2 * _DEALT_AGAIN):
        i = members[rng.randrange(len(members))]
        begin, end = int(task.possible.start[i]), int(task.possible.start[i + 1])
        tied = begin < end and rng.random() < 0.8
        pick = int(task.possible.to[rng.randrange(begin, end)]) if tied else rng.randrange(task.n)
        part = number[pick]
        if part not in chosen and len(members) + len(parts[part]) <= _DEALT_AGAIN:
            chosen.append(part)
            members += parts[part]
    return chosen


def _search(task: Task, groups: int, seed: int, effort: int) -> Places:
    from graph.kernels import grouping

    state = _state_of(task, _in_turn(task, groups))
    ties = task.possible
    heat = float(ties.amount.mean()) if ties.amount.size else 1.0
    for attempt in range(_ROUNDS):
        here = (state.group, state.slots, state.where, state.size, state.pairs)
        # Every round but the last may still bring risky pairs together on its way.
        if attempt < _ROUNDS - 1 and state.size.size > 1:
            steps = max(effort * task.n, _LEAST_STEPS) // (4 if attempt else 1)
            seeded = (seed * _ROUNDS + attempt) % 2**62
            grouping.anneal(
                *task.rows, *task.limits, *here, steps, heat, heat / 50, 3 * heat, seeded
            )
        grouping.polish(*task.rows, *task.limits, *here)
        if not (state.pairs > task.risky_pairs).any():
            break
        # What cannot be mended is taken apart, the worst first, and its members try again.
        state = _state_of(task, _taken_apart(task, state, everything=attempt == _ROUNDS - 2))
    return np.where(state.group == state.size.size - 1, -1, state.group).astype(np.int32)


def _in_turn(task: Task, groups: int) -> Places:
    """Members household by household into one group after the other: as equal as can be."""
    order = np.argsort(task.household, kind="stable")
    home = task.household[order]
    first = np.searchsorted(home, home)
    # No more of a household than all groups together may hold, and those with most ties first.
    total = np.bincount(task.possible.tails, task.possible.amount, minlength=task.n)
    order = np.lexsort((np.arange(task.n), -total, task.household))
    fit = order[np.arange(task.n) - first < groups * task.per_household]
    kept = fit[np.argsort(-total[fit], kind="stable")[: task.placed_in(groups)]]
    dealt = kept[np.argsort(task.household[kept], kind="stable")]
    group = np.full(task.n, -1, np.int32)
    group[dealt] = np.arange(dealt.size) % groups
    return group


def _taken_apart(task: Task, state: _State, *, everything: bool) -> Places:
    group = np.where(state.group == state.size.size - 1, -1, state.group).astype(np.int32)
    excess = state.pairs - task.risky_pairs
    bad = np.flatnonzero(excess > 0)
    bad = bad[np.argsort(-excess[bad], kind="stable")]
    for number in bad[: bad.size if everything else max(bad.size // 4, 1)].tolist():
        members = np.flatnonzero(group == number).tolist()
        risks = {i: sum(task.risky.get(i, j) for j in members) for i in members}
        over = int(excess[number])
        while over > 0 and len(members) > task.least:
            worst = max(members, key=lambda i: risks[i])
            members.remove(worst)
            group[worst] = -1
            over -= risks[worst]
            risks = {i: risks[i] - task.risky.get(i, worst) for i in members}
        if over > 0:
            group[members] = -1
    return group


def pair_prices(task: Task) -> Ints:
    """What each member must be worth, in halves, so that no allowed group is worth more."""
    from graph.kernels import grouping

    if not task.most_groups:
        return np.zeros(task.n, np.int64)
    ties = task.possible
    tails = ties.tails
    order = np.lexsort((-ties.amount, tails))
    tails, heads, amount = tails[order], ties.to[order], ties.amount[order]
    own = task.household[tails] == task.household[heads]
    kept = ~own | (_rank_in_row(np.flatnonzero(own), tails, own.size) < task.per_household - 1)
    tails, amount = tails[kept], amount[kept]
    best = _rank_in_row(np.arange(tails.size), tails, tails.size) < task.most - 1
    price = np.zeros(task.n, np.int64)
    np.add.at(price, tails[best], amount[best])
    grouping.prices(
        *task.rows,
        *task.limits[:4],
        price,
        np.argsort(-price, kind="stable").astype(np.int32),
        _SETS_EACH,
        _SETS_IN_ALL,
    )
    return price


def _rank_in_row(chosen: Ints, tails: Ints, size: int) -> Ints:
    """0, 1, … for the chosen entries of each row, 0 for the others."""
    rows = tails[chosen]
    rank = np.zeros(size, np.int64)
    rank[chosen] = np.arange(rows.size) - np.searchsorted(rows, rows)
    return rank
