"""Payments pushed from debtors to creditors until nothing moves, downwards from above."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]
Marks = NDArray[np.uint8]

# A fall in a payment that is smaller than this part of what is owed is not passed on, and who
# falls short by less than that part is taken to pay in full. The second must be the larger: a sum
# that falls in steps is only known up to what was not passed on.
STILL = 1e-15
SLACK = 1e-11


@compiled
def settle(
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
    queue: Places,
    queued: Marks,
    waiting: Places,
    n_queued: int,
    n_waiting: int,
    rounds: int,
    steps: int,
    touched: Places,
    seen: Marks,
    n_touched: int,
) -> tuple[int, int, int]:
    """Pass falls in payments on until all is still; rounds, touched members and steps left.

    `queue` is a ring of those in default whose payment may have to fall, from place 0 on;
    `waiting` those found short (`round_of` -1), who default together when the queue is empty.
    Steps left are -1 when they were used up.
    """
    n = obligation.size
    first = 0
    while n_queued or n_waiting:
        if not n_queued:
            rounds += 1
            first = 0
            for k in range(n_waiting):
                i = waiting[k]
                round_of[i] = rounds
                queue[k] = i
                queued[i] = 1
            n_queued = n_waiting
            n_waiting = 0
        i = queue[first]
        first += 1
        if first == n:
            first = 0
        n_queued -= 1
        queued[i] = 0
        goal = max(alpha * outside[i] + beta * inflow[i], 0.0)
        fall = pay[i] - goal
        if fall <= STILL * obligation[i]:
            continue
        pay[i] = goal
        if not seen[i]:
            seen[i] = 1
            touched[n_touched] = i
            n_touched += 1
        steps -= start[i + 1] - start[i]
        if steps < 0:
            return rounds, n_touched, -1
        for e in range(start[i], start[i + 1]):
            c = creditor[e]
            # Rounding must not leave less than nothing: who owes nothing would then be short.
            inflow[c] = max(inflow[c] - fall * share[e], 0.0)
            if not seen[c]:
                seen[c] = 1
                touched[n_touched] = c
                n_touched += 1
            if round_of[c] > 0:
                if not queued[c]:
                    last = first + n_queued
                    queue[last if last < n else last - n] = c
                    queued[c] = 1
                    n_queued += 1
            elif (
                round_of[c] == 0 and outside[c] + inflow[c] < obligation[c] - SLACK * obligation[c]
            ):
                round_of[c] = -1
                waiting[n_waiting] = c
                n_waiting += 1
    return rounds, n_touched, steps


@compiled
def received(
    start: Ints, creditor: Places, owed: Floats, share: Floats, pay: Floats, round_of: Places
) -> Floats:
    """What everybody is paid; a debt of somebody not in default counts as it is written."""
    inflow = np.zeros(pay.size, np.float64)
    for i in range(pay.size):
        if round_of[i] > 0:
            for e in range(start[i], start[i + 1]):
                inflow[creditor[e]] += pay[i] * share[e]
        else:
            for e in range(start[i], start[i + 1]):
                inflow[creditor[e]] += owed[e]
    return inflow


@compiled
def greatest(
    start: Ints,
    creditor: Places,
    owed: Floats,
    share: Floats,
    obligation: Floats,
    outside: Floats,
    alpha: float,
    beta: float,
    steps: int,
) -> tuple[Floats, Floats, Places, int]:
    """Payments, receipts, the round of default (0: none) and steps left (-1: too many)."""
    n = obligation.size
    pay = obligation.copy()
    round_of = np.zeros(n, np.int32)
    queue = np.empty(n, np.int32)
    queued = np.zeros(n, np.uint8)
    waiting = np.empty(n, np.int32)
    touched = np.empty(0, np.int32)
    seen = np.ones(n, np.uint8)
    rounds = 0
    again = True
    inflow = received(start, creditor, owed, share, pay, round_of)
    while again:
        n_queued = 0
        n_waiting = 0
        for i in range(n):
            if round_of[i] > 0:
                fall = pay[i] - (alpha * outside[i] + beta * inflow[i])
                # What differs by rounding alone would never come to rest.
                if fall > 4 * STILL * obligation[i] + 1e-15 * (outside[i] + inflow[i]):
                    queue[n_queued] = i
                    queued[i] = 1
                    n_queued += 1
            elif outside[i] + inflow[i] < obligation[i] - SLACK * obligation[i]:
                round_of[i] = -1
                waiting[n_waiting] = i
                n_waiting += 1
        again = n_queued + n_waiting > 0
        if again:
            rounds, _, steps = settle(
                start,
                creditor,
                share,
                obligation,
                outside,
                alpha,
                beta,
                pay,
                inflow,
                round_of,
                queue,
                queued,
                waiting,
                n_queued,
                n_waiting,
                rounds,
                steps,
                touched,
                seen,
                0,
            )
            if steps < 0:
                return pay, inflow, round_of, -1
            # Sums that fell in many steps carry the rounding of each; made anew they do not.
            inflow = received(start, creditor, owed, share, pay, round_of)
    return pay, inflow, round_of, steps


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
    most_steps: int,
) -> tuple[Ints, Places, Floats, Floats, Ints, Floats, int]:
    """Each shock from the same resting point, only what it moves.

    Rows by shock of who pays less and what they pay; by shock the debts further unpaid, the new
    defaults and the equity lost. The last value is -1, or the shock that took too many steps.
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
            most_steps,
            touched,
            seen,
            n_touched,
        )
        if left < 0:
            return row, who, what, unpaid, fresh, lost, s
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
            if now_pay[i] < pay[i]:
                who[used] = i
                what[used] = now_pay[i]
                used += 1
                unpaid[s] += pay[i] - now_pay[i]
            if round_of[i] == 0:
                lost[s] += outside[i] + inflow[i] - obligation[i]
                if now_round[i] > 0:
                    fresh[s] += 1
                else:
                    lost[s] -= now_outside[i] + now_inflow[i] - obligation[i]
            now_outside[i] = outside[i]
            now_pay[i] = pay[i]
            now_inflow[i] = inflow[i]
            now_round[i] = round_of[i]
            seen[i] = 0
        row[s + 1] = used
    return row, who[:used].copy(), what[:used].copy(), unpaid, fresh, lost, -1
