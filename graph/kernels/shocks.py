"""Many shocks to a web of debts at rest: alone while they stay local, else side by side."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled
from graph.kernels.clearing import SLACK, STILL, settle

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]

# So many shocks are worked out side by side: eight numbers fill a line of the processor's cache.
WIDE = 8


@compiled
def shocked(
    start: Ints,
    creditor: Places,
    share: Floats,
    obligation: Floats,
    outside: Floats,
    alpha: float,
    beta: float,
    pay: Floats,
    inflow: Floats,
    round_of: Places,
    shock_start: Ints,
    shock_place: Places,
    shock_assets: Floats,
    budget: int,
    least: float,
) -> tuple[Ints, Places, Floats, Floats, Ints, Floats]:
    """Each shock from the same resting point, only what it moves.

    Rows by shock of who pays less and what they pay; by shock the debts further unpaid, the new
    defaults (-1: it reached further than the budget of debts, and is left undone) and the equity
    lost.
    """
    n = obligation.size
    shocks = shock_start.size - 1
    now_outside = outside.copy()
    now_pay = pay.copy()
    now_inflow = inflow.copy()
    now_round = round_of.copy()
    queue = np.empty(n, np.int32)
    queued = np.zeros(n, np.uint8)
    waiting = np.empty(n, np.int32)
    touched = np.empty(n, np.int32)
    seen = np.zeros(n, np.uint8)
    row = np.zeros(shocks + 1, np.int64)
    who = np.empty(1024, np.int32)
    what = np.empty(1024, np.float64)
    unpaid = np.zeros(shocks, np.float64)
    fresh = np.zeros(shocks, np.int64)
    lost = np.zeros(shocks, np.float64)
    used = 0
    for s in range(shocks):
        n_queued = 0
        n_waiting = 0
        n_touched = 0
        for k in range(shock_start[s], shock_start[s + 1]):
            i = shock_place[k]
            now_outside[i] = shock_assets[k]
            if not seen[i]:
                seen[i] = 1
                touched[n_touched] = i
                n_touched += 1
        for t in range(n_touched):
            i = touched[t]
            if round_of[i] > 0:
                queue[n_queued] = i
                queued[i] = 1
                n_queued += 1
            elif now_outside[i] + inflow[i] < obligation[i] - SLACK * obligation[i]:
                now_round[i] = -1
                waiting[n_waiting] = i
                n_waiting += 1
        _, n_touched, left = settle(
            start,
            creditor,
            share,
            obligation,
            now_outside,
            alpha,
            beta,
            now_pay,
            now_inflow,
            now_round,
            queue,
            queued,
            waiting,
            n_queued,
            n_waiting,
            0,
            budget,
            touched,
            seen,
            n_touched,
        )
        if left < 0:
            fresh[s] = -1
            for t in range(n_touched):
                i = touched[t]
                now_outside[i] = outside[i]
                now_pay[i] = pay[i]
                now_inflow[i] = inflow[i]
                now_round[i] = round_of[i]
                seen[i] = 0
                queued[i] = 0
            row[s + 1] = used
            continue
        order = np.sort(touched[:n_touched])
        if used + n_touched > who.size:
            size = max(2 * who.size, used + n_touched)
            more_who = np.empty(size, np.int32)
            more_who[:used] = who[:used]
            who = more_who
            more_what = np.empty(size, np.float64)
            more_what[:used] = what[:used]
            what = more_what
        for i in order:
            new = round_of[i] == 0 and now_round[i] > 0
            fall = pay[i] - now_pay[i]
            unpaid[s] += fall
            if new or fall > least * obligation[i]:
                who[used] = i
                what[used] = now_pay[i]
                used += 1
            if round_of[i] == 0:
                lost[s] += outside[i] + inflow[i] - obligation[i]
                if new:
                    fresh[s] += 1
                else:
                    lost[s] -= now_outside[i] + now_inflow[i] - obligation[i]
            now_outside[i] = outside[i]
            now_pay[i] = pay[i]
            now_inflow[i] = inflow[i]
            now_round[i] = round_of[i]
            seen[i] = 0
        row[s + 1] = used
    return row, who[:used].copy(), what[:used].copy(), unpaid, fresh, lost


@compiled
def rows_of_failed(
    order: Places,
    new_of: Places,
    failed: int,
    in_start: Ints,
    debtor: Places,
    in_share: Floats,
) -> tuple[Ints, Places, Floats]:
    """Rows by creditor of debts of those in default alone, members numbered in `order`."""
    n = order.size
    start = np.zeros(n + 1, np.int64)
    size = 0
    for i in range(debtor.size):
        if new_of[debtor[i]] < failed:
            size += 1
    who = np.empty(size, np.int32)
    part = np.empty(size, np.float64)
    size = 0
    for c in range(n):
        i = order[c]
        for e in range(in_start[i], in_start[i + 1]):
            j = new_of[debtor[e]]
            if j < failed:
                who[size] = j
                part[size] = in_share[e]
                size += 1
        start[c + 1] = size
    return start, who, part


@compiled
def together(
    start: Ints,
    creditor: Places,
    share: Floats,
    order: Places,
    new_of: Places,
    failed: int,
    row: Ints,
    who: Places,
    part: Floats,
    obligation: Floats,
    outside: Floats,
    alpha: float,
    beta: float,
    pay: Floats,
    inflow: Floats,
    shock_start: Ints,
    shock_place: Places,
    shock_assets: Floats,
    shocks: Ints,
    most_sweeps: int,
    least: float,
) -> tuple[Ints, Places, Floats, Floats, Ints, Floats, int]:
    """Up to eight shocks side by side, as falls t >= 0 from the payments at rest.

    For those already in default t is linear in itself: ``t = alpha * loss + beta * (sum of shares
    of t)``, swept until still. Who newly defaults is kept in a list by shock, and hands each rise
    of t on at once. What is given here by member is in the order that has those in default first.
    Results as of `shocked`; the last value is -1, or a shock that took too many sweeps.
    """
    n = obligation.size
    t = np.zeros((n, WIDE), np.float64)
    # For those in default what they lack before each other's falls; for others, what they get
    # less from new defaults, and what they lost of their own.
    base = np.zeros((n, WIDE), np.float64)
    loss = np.zeros((n, WIDE), np.float64)
    is_new = np.zeros((n, WIDE), np.uint8)
    new = np.empty((WIDE, n), np.int32)
    count = np.zeros(WIDE, np.int64)
    lost = np.zeros(WIDE, np.float64)
    unpaid = np.zeros(WIDE, np.float64)
    sums = np.zeros(WIDE, np.float64)
    for r in range(shocks.size):
        s = shocks[r]
        for k in range(shock_start[s], shock_start[s + 1]):
            c = new_of[shock_place[k]]
            loss[c, r] = outside[c] - shock_assets[k]
        for k in range(shock_start[s], shock_start[s + 1]):
            c = new_of[shock_place[k]]
            if c < failed:
                base[c, r] = alpha * loss[c, r]
            elif (
                not is_new[c, r]
                and outside[c] - loss[c, r] + inflow[c] < obligation[c] - SLACK * obligation[c]
            ):
                is_new[c, r] = 1
                new[r, count[r]] = c
                count[r] += 1
    while True:
        moving = True
        while moving:
            most_sweeps -= 1
            if most_sweeps < 0:
                return count, new[0], sums, unpaid, count, lost, shocks[0]
            moving = False
            for c in range(failed):
                a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
                for e in range(row[c], row[c + 1]):
                    j = who[e]
                    w = part[e]
                    a0 += w * t[j, 0]
                    a1 += w * t[j, 1]
                    a2 += w * t[j, 2]
                    a3 += w * t[j, 3]
                    a4 += w * t[j, 4]
                    a5 += w * t[j, 5]
                    a6 += w * t[j, 6]
                    a7 += w * t[j, 7]
                sums[0] = a0
                sums[1] = a1
                sums[2] = a2
                sums[3] = a3
                sums[4] = a4
                sums[5] = a5
                sums[6] = a6
                sums[7] = a7
                still = 4 * STILL * obligation[c]
                for r in range(WIDE):
                    rise = base[c, r] + beta * sums[r] - t[c, r]
                    if rise > still:
                        t[c, r] += rise
                        moving = True
            for r in range(shocks.size):
                at = 0
                # The list grows while it is gone through: chains of defaults take one pass.
                while at < count[r]:
                    x = new[r, at]
                    at += 1
                    gets = inflow[x] - base[x, r]
                    for e in range(row[x], row[x + 1]):
                        gets -= part[e] * t[who[e], r]
                    goal = alpha * (outside[x] - loss[x, r]) + beta * max(gets, 0.0)
                    rise = obligation[x] - goal - t[x, r]
                    if rise <= 4 * STILL * obligation[x]:
                        continue
                    t[x, r] += rise
                    moving = True
                    i = order[x]
                    for e in range(start[i], start[i + 1]):
                        c = new_of[creditor[e]]
                        if c < failed:
                            base[c, r] += beta * rise * share[e]
                            continue
                        base[c, r] += rise * share[e]
                        if not is_new[c, r]:
                            has = outside[c] - loss[c, r] + inflow[c] - base[c, r]
                            for f in range(row[c], row[c + 1]):
                                has -= part[f] * t[who[f], r]
                            if has < obligation[c] - SLACK * obligation[c]:
                                is_new[c, r] = 1
                                new[r, count[r]] = c
                                count[r] += 1
        # All is still: who else falls short of what those in default pay less?
        found = False
        lost[:] = 0.0
        for c in range(failed, n):
            for r in range(WIDE):
                sums[r] = base[c, r] + loss[c, r]
            for e in range(row[c], row[c + 1]):
                j = who[e]
                w = part[e]
                for r in range(WIDE):
                    sums[r] += w * t[j, r]
            spare = outside[c] + inflow[c] - obligation[c]
            for r in range(WIDE):
                if is_new[c, r]:
                    lost[r] += spare
                elif sums[r] > 0.0:
                    lost[r] += sums[r]
                    # Rounding must not make those short who owe nothing.
                    if sums[r] - spare > SLACK * obligation[c] and obligation[c] > 0.0:
                        is_new[c, r] = 1
                        new[r, count[r]] = c
                        count[r] += 1
                        found = True
        if not found:
            break
    listed = np.zeros(shocks.size + 1, np.int64)
    for c in range(n):
        for r in range(shocks.size):
            if t[c, r] > 0.0:
                unpaid[r] += t[c, r]
                if is_new[c, r] or t[c, r] > least * obligation[c]:
                    listed[r + 1] += 1
    for r in range(shocks.size):
        listed[r + 1] += listed[r]
    at_shock = listed[:-1].copy()
    changed = np.empty(listed[-1], np.int32)
    changed_pay = np.empty(listed[-1], np.float64)
    for i in range(n):
        c = new_of[i]
        for r in range(shocks.size):
            if t[c, r] > 0.0 and (is_new[c, r] or t[c, r] > least * obligation[c]):
                changed[at_shock[r]] = i
                changed_pay[at_shock[r]] = max(pay[c] - t[c, r], 0.0)
                at_shock[r] += 1
    return listed, changed, changed_pay, unpaid, count, lost, -1
