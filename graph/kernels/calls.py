"""Calls on guarantors over a whole web, in whole units and in rounds."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def part_of(total: np.int64, weight: np.int64, whole: np.int64) -> np.int64:
    """``floor(total * weight / whole)`` for 0 <= total, weight <= whole or less than 2**52.

    The quotient in floating point is off by a few at most; the remainder, worked out modulo 2**64,
    is then small enough to say by how many.
    """
    part = np.int64(float(total) * (float(weight) / float(whole)))
    rest = total * weight - part * whole
    while rest < 0:
        part -= 1
        rest += whole
    while rest >= whole:
        part += 1
        rest -= whole
    return part


@compiled
def split(total: np.int64, weights: Ints, parts: Ints) -> None:
    """`graph.calls.split_exact` of a total that is not above the sum of the weights."""
    whole = np.int64(0)
    for weight in weights:
        whole += weight
    rest = total
    for k in range(weights.size):
        parts[k] = part_of(total, weights[k], whole) if weights[k] else 0
        rest -= parts[k]
    if rest:
        # Rows are in the order of ids, and the sort is stable: the lowest id first among equals.
        order = np.argsort(-weights, kind="mergesort")
        for k in order[:rest]:
            parts[k] += 1


@compiled
def raised(
    goal: np.int64, new: np.int64, weights: Ints, so_far: Ints, more: Ints, target: Ints
) -> None:
    """By how much to raise each towards its part of the goal, `new` in sum, nobody lowered.

    A guarantor who has one unit more from an earlier round keeps it, and others wait for theirs.
    """
    split(goal, weights, target)
    lacking = np.int64(0)
    for k in range(weights.size):
        more[k] = max(target[k] - so_far[k], 0)
        lacking += more[k]
    if lacking > new:
        split(new, more, target)
        more[:] = target


@compiled
def several(
    in_start: Ints,
    in_tail: Places,
    caps: Ints,
    debts: Ints,
    means: Ints,
    limits: Ints,
    feeds: bool,
    max_rounds: int,
) -> tuple[Ints, Ints, Ints, int]:
    """Calls by pledge (in the rows by borrower), asked and short by member, and the rounds.

    `means` pay own debts, `limits` what is called; with `feeds` the two are one purse. The
    number of rounds is -1 if there would be more than `max_rounds`.
    """
    n = debts.size
    called = np.zeros(caps.size, np.int64)
    asked = np.zeros(n, np.int64)
    short = np.zeros(n, np.int64)
    pledged = np.zeros(n, np.int64)
    made = np.zeros(n, np.int64)
    active = np.empty(n, np.int32)
    count = 0
    widest = 0
    for i in range(n):
        for k in range(in_start[i], in_start[i + 1]):
            pledged[i] += caps[k]
        widest = max(widest, in_start[i + 1] - in_start[i])
        if debts[i] > means[i]:
            short[i] = debts[i] - means[i]
            if pledged[i]:
                active[count] = i
                count += 1
    target = np.empty(widest, np.int64)
    lacks = np.empty(widest, np.int64)
    touched = np.empty(n, np.int32)
    is_touched = np.zeros(n, np.uint8)
    rounds = 0
    while count:
        moved = 0
        for a in range(count):
            i = active[a]
            goal = min(short[i], pledged[i])
            new = goal - made[i]
            if new <= 0:
                continue
            made[i] = goal
            begin = in_start[i]
            size = in_start[i + 1] - begin
            row = called[begin : begin + size]
            more = lacks[:size]
            raised(goal, new, caps[begin : begin + size], row, more, target[:size])
            for k in range(size):
                if more[k]:
                    row[k] += more[k]
                    g = in_tail[begin + k]
                    asked[g] += more[k]
                    if not is_touched[g]:
                        is_touched[g] = 1
                        touched[moved] = g
                        moved += 1
        if not moved:
            break
        if rounds == max_rounds:
            return called, asked, short, -1
        rounds += 1
        count = 0
        for t in range(moved):
            g = touched[t]
            is_touched[g] = 0
            if feeds:
                after = debts[g] - means[g] + min(limits[g], asked[g])
                if after > short[g]:
                    short[g] = after
                    if pledged[g]:
                        active[count] = g
                        count += 1
    return called, asked, short, rounds


@compiled
def shared_out(
    in_start: Ints,
    out_start: Ints,
    in_of: Places,
    called: Ints,
    asked: Ints,
    limits: Ints,
) -> Ints:
    """What each pays on each call (in the rows by borrower): all, or its limit pro rata."""
    paid = called.copy()
    for g in range(asked.size):
        if asked[g] > limits[g]:
            begin = out_start[g]
            size = out_start[g + 1] - begin
            weights = np.empty(size, np.int64)
            for k in range(size):
                weights[k] = called[in_of[begin + k]]
            parts = np.empty(size, np.int64)
            split(limits[g], weights, parts)
            for k in range(size):
                paid[in_of[begin + k]] = parts[k]
    return paid


@compiled
def joint(
    in_start: Ints,
    in_tail: Places,
    caps: Ints,
    out_start: Ints,
    out_head: Places,
    in_of: Places,
    debts: Ints,
    means: Ints,
    max_rounds: int,
) -> tuple[Ints, Ints, int]:
    """Payments by pledge (in the rows by borrower), cash left by member, and the rounds."""
    n = debts.size
    paid = np.zeros(caps.size, np.int64)
    cash = means.copy()
    covered = np.zeros(n, np.int64)
    # Calls go by what is left of the pledges of those who have cash, as it was when the last of
    # them ran out of it. Between two such moments each borrower's payments stay in proportion to
    # these weights, so they are worked out from their sum and not round by round: units left over
    # in one round after the other would always go to the same guarantor.
    weight = caps.copy()
    since = np.zeros(caps.size, np.int64)
    given = np.zeros(n, np.int64)
    pool = np.zeros(n, np.int64)
    calls = np.zeros(caps.size, np.int64)
    asked = np.zeros(n, np.int64)
    active = np.empty(n, np.int32)
    following = np.empty(n, np.int32)
    is_active = np.zeros(n, np.uint8)
    touched = np.empty(n, np.int32)
    count = 0
    widest = 0
    for i in range(n):
        widest = max(widest, in_start[i + 1] - in_start[i], out_start[i + 1] - out_start[i])
        for k in range(in_start[i], in_start[i + 1]):
            pool[i] += caps[k]
        if debts[i] > means[i] and pool[i]:
            active[count] = i
            count += 1
            is_active[i] = 1
    parts = np.empty(widest, np.int64)
    target = np.empty(widest, np.int64)
    weights = np.empty(widest, np.int64)
    rounds = 0
    while count:
        moved = 0
        kept = 0
        for a in range(count):
            i = active[a]
            is_active[i] = 0
            need = debts[i] - cash[i] - covered[i]
            if need <= 0 or not pool[i]:
                continue
            begin = in_start[i]
            end = in_start[i + 1]
            size = end - begin
            ran_out = False
            for k in range(begin, end):
                if weight[k] and not cash[in_tail[k]]:
                    ran_out = True
            if ran_out:
                pool[i] = 0
                given[i] = 0
                for k in range(begin, end):
                    weight[k] = caps[k] - paid[k] if cash[in_tail[k]] else 0
                    since[k] = 0
                    pool[i] += weight[k]
            new = min(need, pool[i] - given[i])
            if not new:
                continue
            raised(
                given[i] + new,
                new,
                weight[begin:end],
                since[begin:end],
                parts[:size],
                target[:size],
            )
            for k in range(size):
                if parts[k]:
                    calls[begin + k] = parts[k]
                    g = in_tail[begin + k]
                    if not asked[g]:
                        touched[moved] = g
                        moved += 1
                    asked[g] += parts[k]
            is_active[i] = 1
            following[kept] = i
            kept += 1
        if not moved:
            break
        if rounds == max_rounds:
            return paid, cash, -1
        rounds += 1
        for t in range(moved):
            g = touched[t]
            begin = out_start[g]
            size = out_start[g + 1] - begin
            for k in range(size):
                weights[k] = calls[in_of[begin + k]]
                calls[in_of[begin + k]] = 0
            if asked[g] > cash[g]:
                split(cash[g], weights[:size], parts[:size])
                cash[g] = 0
            else:
                parts[:size] = weights[:size]
                cash[g] -= asked[g]
            asked[g] = 0
            for k in range(size):
                if parts[k]:
                    at = in_of[begin + k]
                    i = out_head[begin + k]
                    paid[at] += parts[k]
                    since[at] += parts[k]
                    given[i] += parts[k]
                    covered[i] += parts[k]
            # What g paid is no longer there for g's own debt.
            if not is_active[g] and pool[g]:
                is_active[g] = 1
                following[kept] = g
                kept += 1
        active, following = following, active
        count = kept
    return paid, cash, rounds
