"""Dealing members into groups: all subsets of few, annealing and exchanges for many, prices.

Members are places 0 … n - 1. Rows of confirmed ties (`start`, `to`, `amount`) and of risky pairs
(`risk_start`, `risk_to`) hold every pair both ways, sorted. Groups are numbered 0 … g - 1, group
g is the pool of those left over. The members of a group stand in `slots`, `most` places for each
group and n for the pool, the first `size` of them taken; `where` is the slot of each member.
"""

import math

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Words = NDArray[np.uint64]


@compiled
def tie(start: Ints, to: Places, amount: Ints, i: int, j: int) -> int:
    """What i and j have between them, by binary search."""
    low = start[i]
    high = start[i + 1]
    while low < high:
        middle = (low + high) // 2
        if to[middle] < j:
            low = middle + 1
        else:
            high = middle
    if low < start[i + 1] and to[low] == j:
        return int(amount[low])
    return 0


@compiled
def tie_to_group(
    start: Ints, to: Places, amount: Ints, group: Places, slots: Places, size: int, first: int,
    i: int, a: int,
) -> int:  # fmt: skip
    """What i has together with all of group a: along its row, or member by member if shorter."""
    total = 0
    if start[i + 1] - start[i] <= 8 * size:
        for e in range(start[i], start[i + 1]):
            if group[to[e]] == a:
                total += amount[e]
    else:
        for s in range(first, first + size):
            if slots[s] != i:
                total += tie(start, to, amount, i, slots[s])
    return total


@compiled
def best_of_subsets(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, least: int, members: Places,
) -> tuple[Places, int, int]:  # fmt: skip
    """Most members placed, then most trust, over every way to form groups of these: O(3^n).

    Returns the group of each of `members`, by their order, -1 for those left over; how many are
    placed, and their trust.
    """
    n = members.size
    full = 1 << n
    worth = np.zeros(full, np.int64)
    pairs = np.zeros(full, np.int64)
    count = np.zeros(full, np.int64)
    fits = np.zeros(full, np.bool_)
    trust = np.zeros((n, n), np.int64)
    risky = np.zeros((n, n), np.int64)
    for i in range(n):
        for j in range(n):
            trust[i, j] = tie(start, to, amount, members[i], members[j])
            risky[i, j] = tie(risk_start, risk_to, risk_one, members[i], members[j])
    for s in range(1, full):
        low = 0
        while not (s >> low) & 1:
            low += 1
        rest = s & (s - 1)
        count[s] = count[rest] + 1
        if count[s] > most:
            continue
        worth[s] = worth[rest]
        pairs[s] = pairs[rest]
        for j in range(low + 1, n):
            if (rest >> j) & 1:
                worth[s] += trust[low, j]
                pairs[s] += risky[low, j]
        good = least <= count[s] and pairs[s] <= allowed
        for i in range(n):
            if good and (s >> i) & 1:
                together = 0
                for j in range(n):
                    if (s >> j) & 1 and household[members[j]] == household[members[i]]:
                        together += 1
                good = together <= per_household
        fits[s] = good
    placed = np.zeros(full, np.int64)
    total = np.zeros(full, np.int64)
    chosen = np.zeros(full, np.int64)
    for s in range(1, full):
        low = s & -s
        rest = s ^ low
        placed[s] = placed[rest]
        total[s] = total[rest]
        other = rest
        while True:
            t = other | low
            if fits[t]:
                more = count[t] + placed[s ^ t]
                value = worth[t] + total[s ^ t]
                if more > placed[s] or (more == placed[s] and value > total[s]):
                    placed[s] = more
                    total[s] = value
                    chosen[s] = t
            if other == 0:
                break
            other = (other - 1) & rest
    group = np.full(n, -1, np.int32)
    left = full - 1
    number = 0
    while left:
        dealt = chosen[left]
        if dealt == 0:
            left &= left - 1
            continue
        for i in range(n):
            if (dealt >> i) & 1:
                group[i] = number
        number += 1
        left ^= dealt
    return group, int(placed[full - 1]), int(total[full - 1])


@compiled
def draw(state: Words) -> int:
    """The next of a row of pseudo-random numbers of 53 bits (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return int(z >> np.uint64(11))


@compiled
def of_household(
    household: Places, slots: Places, first: int, size: int, i: int, leaving: int
) -> int:
    """How many of i's household are among these, without the one who leaves."""
    together = 0
    for s in range(first, first + size):
        if slots[s] != leaving and household[slots[s]] == household[i]:
            together += 1
    return together


@compiled
def over(pairs: int, allowed: int) -> int:
    return pairs - allowed if pairs > allowed else 0


@compiled
def weigh_swap(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, pool: int,
    group: Places, slots: Places, size: Ints, pairs: Ints, i: int, j: int,
) -> tuple[bool, int, int, int, int]:  # fmt: skip
    """Whether i and j may change places, and what of it: trust, pairs too many, pairs of both."""
    a = group[i]
    b = group[j]
    gain = 0
    excess = 0
    risk_a = 0
    risk_b = 0
    between = tie(start, to, amount, i, j)
    risky = tie(risk_start, risk_to, risk_one, i, j) if risk_to.size else 0
    for side in range(2):
        at = a if side == 0 else b
        if at == pool:
            continue
        leaves = i if side == 0 else j
        comes = j if side == 0 else i
        first = at * most
        if (
            household[leaves] != household[comes]
            and of_household(household, slots, first, size[at], comes, leaves) >= per_household
        ):
            return False, 0, 0, 0, 0
        gain += tie_to_group(start, to, amount, group, slots, size[at], first, comes, at)
        gain -= tie_to_group(start, to, amount, group, slots, size[at], first, leaves, at)
        gain -= between
        if risk_to.size:
            change = (
                tie_to_group(
                    risk_start, risk_to, risk_one, group, slots, size[at], first, comes, at
                )
                - tie_to_group(
                    risk_start, risk_to, risk_one, group, slots, size[at], first, leaves, at
                )
                - risky
            )
            excess += over(pairs[at] + change, allowed) - over(pairs[at], allowed)
            if side == 0:
                risk_a = change
            else:
                risk_b = change
    return True, gain, excess, risk_a, risk_b


@compiled
def weigh_move(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, least: int, pool: int,
    group: Places, slots: Places, size: Ints, pairs: Ints, i: int, b: int,
) -> tuple[bool, int, int, int, int]:  # fmt: skip
    """Whether i may go to group b, and what of it; never into the pool."""
    a = group[i]
    if size[b] >= most or (a != pool and size[a] <= least):
        return False, 0, 0, 0, 0
    if of_household(household, slots, b * most, size[b], i, -1) >= per_household:
        return False, 0, 0, 0, 0
    gain = tie_to_group(start, to, amount, group, slots, size[b], b * most, i, b)
    if a != pool:
        gain -= tie_to_group(start, to, amount, group, slots, size[a], a * most, i, a)
    excess = 0
    risk_a = 0
    risk_b = 0
    if risk_to.size:
        risk_b = tie_to_group(risk_start, risk_to, risk_one, group, slots, size[b], b * most, i, b)
        excess += over(pairs[b] + risk_b, allowed) - over(pairs[b], allowed)
        if a != pool:
            risk_a = -tie_to_group(
                risk_start, risk_to, risk_one, group, slots, size[a], a * most, i, a
            )
            excess += over(pairs[a] + risk_a, allowed) - over(pairs[a], allowed)
    return True, gain, excess, risk_a, risk_b


@compiled
def swap(group: Places, slots: Places, where: Ints, i: int, j: int) -> None:
    a = group[i]
    group[i] = group[j]
    group[j] = a
    slot = where[i]
    where[i] = where[j]
    where[j] = slot
    slots[where[i]] = i
    slots[where[j]] = j


@compiled
def move(group: Places, slots: Places, where: Ints, size: Ints, most: int, i: int, b: int) -> None:
    """Into group b, b may be the pool; the last of the group that is left closes the gap."""
    a = group[i]
    size[a] -= 1
    last = slots[a * most + size[a]]
    slots[where[i]] = last
    where[last] = where[i]
    where[i] = b * most + size[b]
    slots[where[i]] = i
    size[b] += 1
    group[i] = b


@compiled
def anneal(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, least: int,
    group: Places, slots: Places, where: Ints, size: Ints, pairs: Ints,
    steps: int, hot: float, cold: float, penalty: float, seed: int,
) -> None:  # fmt: skip
    """Exchanges and moves, worse ones too while it is hot; who has ties follows them."""
    n = group.size
    pool = size.size - 1
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(seed)
    heat = hot
    cooling = (cold / hot) ** (1.0 / max(steps // n, 1))
    for step in range(steps):
        if step % n == n - 1:
            heat *= cooling
        i = draw(state) % n
        row = start[i + 1] - start[i]
        if row and draw(state) % 8:
            u = to[start[i] + draw(state) % row]
            b = group[u]
            if b == group[i]:
                continue
            if b == pool:
                # Only the one who is in a group can bring the other in.
                b = group[i]
                c = u
                u = i
                i = c
        else:
            u = -1
            b = group[draw(state) % n]
            if b == group[i]:
                continue
        if least < most and b != pool and group[i] != pool and draw(state) % 2:
            fine, gain, excess, risk_a, risk_b = weigh_move(
                start, to, amount, risk_start, risk_to, risk_one, household, per_household,
                allowed, most, least, pool, group, slots, size, pairs, i, b,
            )  # fmt: skip
            j = -1
        else:
            j = slots[b * most + draw(state) % size[b]]
            if j == u:
                continue
            fine, gain, excess, risk_a, risk_b = weigh_swap(
                start, to, amount, risk_start, risk_to, risk_one, household, per_household,
                allowed, most, pool, group, slots, size, pairs, i, j,
            )  # fmt: skip
        if not fine:
            continue
        change = gain - penalty * excess
        if change < 0.0 and draw(state) * 2.0**-53 >= math.exp(change / heat):
            continue
        pairs[group[i]] += risk_a
        pairs[b] += risk_b
        if j < 0:
            move(group, slots, where, size, most, i, b)
        else:
            swap(group, slots, where, i, j)


@compiled
def polish(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, least: int,
    group: Places, slots: Places, where: Ints, size: Ints, pairs: Ints,
) -> None:  # fmt: skip
    """The best exchange or move of each member in turn, until none makes anything better.

    Better: more placed, else fewer risky pairs beyond what is allowed, else more trust. An
    exchange that adds trust brings one of the two where they have more than in their own group, so
    only that is tried for each; all is where a group has too many risky pairs or a place is free.
    """
    n = group.size
    pool = size.size - 1
    changed = True
    while changed:
        changed = False
        for i in range(n):
            a = group[i]
            everywhere = (a == pool and least < most) or (a != pool and over(pairs[a], allowed) > 0)
            choices = pool + 1 if everywhere else start[i + 1] - start[i]
            own = 0
            if a != pool:
                own = tie_to_group(start, to, amount, group, slots, size[a], a * most, i, a)
            best_excess = 0
            best_gain = 0
            best_placed = 0
            best_j = -1
            best_b = -1
            best_risk_a = 0
            best_risk_b = 0
            for c in range(choices):
                b = c if everywhere else group[to[start[i] + c]]
                if b == a or (not everywhere and b == pool):
                    continue
                if not everywhere and own >= tie_to_group(
                    start, to, amount, group, slots, size[b], b * most, i, b
                ):
                    continue
                if b != pool:
                    fine, gain, excess, risk_a, risk_b = weigh_move(
                        start, to, amount, risk_start, risk_to, risk_one, household,
                        per_household, allowed, most, least, pool, group, slots, size, pairs,
                        i, b,
                    )  # fmt: skip
                    placed = 1 if a == pool else 0
                    if placed and excess > 0:
                        fine = False
                    if fine and (
                        placed > best_placed
                        or (
                            placed == best_placed
                            and (
                                excess < best_excess or (excess == best_excess and gain > best_gain)
                            )
                        )
                    ):
                        best_placed, best_excess, best_gain = placed, excess, gain
                        best_j, best_b, best_risk_a, best_risk_b = -1, b, risk_a, risk_b
                for s in range(b * most, b * most + size[b]):
                    if best_placed:
                        break
                    j = slots[s]
                    fine, gain, excess, risk_a, risk_b = weigh_swap(
                        start, to, amount, risk_start, risk_to, risk_one, household,
                        per_household, allowed, most, pool, group, slots, size, pairs, i, j,
                    )  # fmt: skip
                    if fine and (
                        excess < best_excess or (excess == best_excess and gain > best_gain)
                    ):
                        best_excess, best_gain = excess, gain
                        best_j, best_b, best_risk_a, best_risk_b = j, b, risk_a, risk_b
            if best_b >= 0:
                pairs[a] += best_risk_a
                pairs[best_b] += best_risk_b
                if best_j < 0:
                    move(group, slots, where, size, most, i, best_b)
                else:
                    swap(group, slots, where, i, best_j)
                changed = True


@compiled
def prices(
    start: Ints, to: Places, amount: Ints, risk_start: Ints, risk_to: Places, risk_one: Ints,
    household: Places, per_household: int, allowed: int, most: int, price: Ints, order: Places,
    budget: int, in_all: int,
) -> int:  # fmt: skip
    """Lower each member's price (in halves) to the least that still pays for every group.

    Given prices must pay: twice the trust of any allowed group is at most the sum of its members'
    prices. Tried are all allowed sets of up to `most` that ties hold together, at most `budget`
    of them for a member; a member with more keeps their price. Returns how many were tried.
    """
    n = price.size
    listed = np.zeros(n, np.bool_)
    inside = np.zeros(n, np.bool_)
    reach = np.empty(n, np.int32)
    members = np.empty(most, np.int32)
    at = np.empty(most + 1, np.int64)
    ends = np.empty(most + 1, np.int64)
    worth = np.empty(most + 1, np.int64)
    paid = np.empty(most + 1, np.int64)
    risk = np.empty(most + 1, np.int64)
    tried = 0
    for place in range(n):
        i = order[place]
        if price[i] == 0:
            continue
        if tried >= in_all:
            break
        left = budget
        need = 0
        length = 0
        reach[0] = i
        listed[i] = True
        length = 1
        depth = 0
        at[0] = 0
        ends[0] = 1
        worth[0] = 0
        paid[0] = 0
        risk[0] = 0
        # At depth d the first d members stand; `at` is the next of the reachable ones to try.
        while depth >= 0:
            if depth < most and at[depth] < ends[depth] and left > 0:
                v = reach[at[depth]]
                at[depth] += 1
                together = 0
                for k in range(depth):
                    if household[members[k]] == household[v]:
                        together += 1
                if together >= per_household:
                    continue
                risks = risk[depth]
                if risk_to.size:
                    for k in range(depth):
                        risks += tie(risk_start, risk_to, risk_one, members[k], v)
                if risks > allowed:
                    continue
                left -= 1
                value = worth[depth]
                length = ends[depth]
                for e in range(start[v], start[v + 1]):
                    u = to[e]
                    if inside[u]:
                        value += amount[e]
                    elif not listed[u] and depth + 1 < most:
                        listed[u] = True
                        reach[length] = u
                        length += 1
                members[depth] = v
                inside[v] = True
                depth += 1
                worth[depth] = value
                paid[depth] = paid[depth - 1] + (price[v] if v != i else 0)
                risk[depth] = risks
                at[depth] = at[depth - 1]
                ends[depth] = length
                if 2 * value - paid[depth] > need:
                    need = 2 * value - paid[depth]
            else:
                depth -= 1
                if depth >= 0:
                    inside[members[depth]] = False
                    for k in range(ends[depth], ends[depth + 1]):
                        listed[reach[k]] = False
        listed[i] = False
        tried += budget - left
        if left > 0 and need < price[i]:
            price[i] = need
    return tried
