"""Many shocks to a web of debts at rest: alone while they stay local, else side by side."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled
from graph.kernels.clearing import SLACK, settle

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]

# Side by side, a fall that grows by less than this part of what is owed is not passed on.
CALM = 1e-14
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
    """These shocks, eight side by side, as falls t >= 0 from the payments at rest.

    For those already in default t is linear in itself: ``t = alpha * loss + beta * (sum of shares
    of t)``, swept until still. Who newly defaults is kept in a list by shock, and hands each rise
    of t on at once. What is given here by member is in the order that has those in default first.
    Results as of `shocked`; the last value is -1, or a shock that took too many sweeps.
    """
    n = obligation.size
    t = np.zeros((n, WIDE), np.float64)
    # For those in default what they lack before each other's falls; for others, what they get
    # less from new defaults.
    base = np.zeros((n, WIDE), np.float64)
    loss = np.zeros((n, WIDE), np.float64)
    is_new = np.zeros((n, WIDE), np.uint8)
    seen = np.zeros(n, np.uint8)
    touched = np.empty(n, np.int32)
    new = np.empty((WIDE, n), np.int32)
    count = np.zeros(WIDE, np.int64)
    mass = np.zeros(WIDE, np.float64)
    given = np.zeros(WIDE, np.float64)
    sums = np.zeros(WIDE, np.float64)
    # What each passes on to those who are not in default.
    passed = np.zeros(failed, np.float64)
    for c in range(failed, n):
        for e in range(row[c], row[c + 1]):
            passed[who[e]] += part[e]
    listed = np.zeros(shocks.size + 1, np.int64)
    changed = np.empty(1024, np.int32)
    changed_pay = np.empty(1024, np.float64)
    unpaid = np.zeros(shocks.size, np.float64)
    fresh = np.zeros(shocks.size, np.int64)
    lost = np.zeros(shocks.size, np.float64)
    for first in range(0, shocks.size, WIDE):
        width = min(WIDE, shocks.size - first)
        t[:failed] = 0.0
        base[:failed] = 0.0
        count[:] = 0
        given[:] = 0.0
        n_touched = 0
        for r in range(width):
            s = shocks[first + r]
            for k in range(shock_start[s], shock_start[s + 1]):
                c = new_of[shock_place[k]]
                loss[c, r] = outside[c] - shock_assets[k]
                if not seen[c]:
                    seen[c] = 1
                    touched[n_touched] = c
                    n_touched += 1
        for k in range(n_touched):
            c = touched[k]
            for r in range(width):
                if c < failed:
                    base[c, r] = alpha * loss[c, r]
                    continue
                given[r] += loss[c, r]
                short = obligation[c] - (outside[c] - loss[c, r] + inflow[c])
                if short > SLACK * obligation[c]:
                    is_new[c, r] = 1
                    new[r, count[r]] = c
                    count[r] += 1
        # The first look at who newly falls short comes early: falls only grow, so that whoever is
        # short before all is still is short in the end, and need not wait for it.
        left = most_sweeps
        until_look = 4
        moving = True
        while True:
            while moving and until_look:
                until_look -= 1
                left -= 1
                if left < 0:
                    return listed, changed, changed_pay, unpaid, fresh, lost, shocks[first]
                moving = False
                for c in range(failed):
                    for r in range(WIDE):
                        sums[r] = 0.0
                    for e in range(row[c], row[c + 1]):
                        j = who[e]
                        w = part[e]
                        for r in range(WIDE):
                            sums[r] += w * t[j, r]
                    rises = 0.0
                    for r in range(WIDE):
                        rises = max(rises, base[c, r] + beta * sums[r] - t[c, r])
                    if rises > CALM * obligation[c]:
                        moving = True
                        for r in range(WIDE):
                            t[c, r] = max(t[c, r], base[c, r] + beta * sums[r])
                for r in range(width):
                    at = 0
                    # The list grows while it is gone through: a chain of defaults takes one pass.
                    while at < count[r]:
                        x = new[r, at]
                        at += 1
                        gets = inflow[x] - base[x, r]
                        for e in range(row[x], row[x + 1]):
                            gets -= part[e] * t[who[e], r]
                        goal = alpha * (outside[x] - loss[x, r]) + beta * max(gets, 0.0)
                        rise = obligation[x] - goal - t[x, r]
                        if rise <= CALM * obligation[x]:
                            continue
                        moving = True
                        t[x, r] += rise
                        if not seen[x]:
                            seen[x] = 1
                            touched[n_touched] = x
                            n_touched += 1
                        i = order[x]
                        for e in range(start[i], start[i + 1]):
                            c = new_of[creditor[e]]
                            if c < failed:
                                base[c, r] += beta * rise * share[e]
                                continue
                            base[c, r] += rise * share[e]
                            given[r] += rise * share[e]
                            if not seen[c]:
                                seen[c] = 1
                                touched[n_touched] = c
                                n_touched += 1
                            if not is_new[c, r]:
                                has = outside[c] - loss[c, r] + inflow[c] - base[c, r]
                                for f in range(row[c], row[c + 1]):
                                    has -= part[f] * t[who[f], r]
                                # Rounding must not make those short who owe nothing.
                                if obligation[c] - has > SLACK * obligation[c] > 0.0:
                                    is_new[c, r] = 1
                                    new[r, count[r]] = c
                                    count[r] += 1
            # Who else falls short of what those in default pay less? Nobody gets less by more than
            # all of it together.
            mass[:] = given
            for c in range(failed):
                for r in range(WIDE):
                    mass[r] += passed[c] * t[c, r]
            most = mass.max()
            found = False
            for c in range(failed, n):
                spare = outside[c] + inflow[c] - obligation[c]
                if spare > most or obligation[c] == 0.0:
                    continue
                for r in range(WIDE):
                    sums[r] = base[c, r] + loss[c, r]
                for e in range(row[c], row[c + 1]):
                    j = who[e]
                    w = part[e]
                    for r in range(WIDE):
                        sums[r] += w * t[j, r]
                if sums.max() - spare > SLACK * obligation[c]:
                    for r in range(width):
                        if sums[r] - spare > SLACK * obligation[c] and not is_new[c, r]:
                            is_new[c, r] = 1
                            new[r, count[r]] = c
                            count[r] += 1
                            found = True
            if not (found or moving):
                break
            moving = True
            until_look = left + 1
        for r in range(width):
            s = first + r
            fresh[s] = count[r]
            unpaid[s] = t[:failed, r].sum()
            lost[s] = mass[r]
            size = count[r]
            for c in range(failed):
                if t[c, r] > least * obligation[c]:
                    size += 1
            used = listed[s]
            listed[s + 1] = used + size
            if used + size > changed.size:
                room = max(2 * changed.size, used + size)
                wider = np.empty(room, np.int32)
                wider[:used] = changed[:used]
                changed = wider
                wider_pay = np.empty(room, np.float64)
                wider_pay[:used] = changed_pay[:used]
                changed_pay = wider_pay
            for k in range(count[r]):
                x = new[r, k]
                unpaid[s] += t[x, r]
                # Those who newly default lose what they had to spare, and not what they get less.
                lost[s] += outside[x] + inflow[x] - obligation[x] - base[x, r] - loss[x, r]
                for e in range(row[x], row[x + 1]):
                    lost[s] -= part[e] * t[who[e], r]
                changed[used] = order[x]
                changed_pay[used] = max(pay[x] - t[x, r], 0.0)
                used += 1
            for c in range(failed):
                if t[c, r] > least * obligation[c]:
                    changed[used] = order[c]
                    changed_pay[used] = max(pay[c] - t[c, r], 0.0)
                    used += 1
            by_place = np.argsort(changed[listed[s] : used])
            changed[listed[s] : used] = changed[listed[s] : used][by_place]
            changed_pay[listed[s] : used] = changed_pay[listed[s] : used][by_place]
        for r in range(width):
            for k in range(count[r]):
                is_new[new[r, k], r] = 0
        for k in range(n_touched):
            c = touched[k]
            seen[c] = 0
            t[c] = 0.0
            base[c] = 0.0
            loss[c] = 0.0
    used = listed[-1]
    return listed, changed[:used].copy(), changed_pay[:used].copy(), unpaid, fresh, lost, -1
