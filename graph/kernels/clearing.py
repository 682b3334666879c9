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
def swept(
    in_start: Ints,
    debtor: Places,
    in_share: Floats,
    obligation: Floats,
    outside: Floats,
    alpha: float,
    beta: float,
    pay: Floats,
    round_of: Places,
    sweeps: int,
) -> int:
    """Payments of those in default, adding up row after row until all is still; sweeps left."""
    n = obligation.size
    moving = True
    while moving:
        sweeps -= 1
        if sweeps < 0:
            return -1
        moving = False
        for c in range(n):
            if round_of[c] > 0:
                has = 0.0
                for e in range(in_start[c], in_start[c + 1]):
                    has += in_share[e] * pay[debtor[e]]
                goal = alpha * outside[c] + beta * has
                # Sums made anew may differ in their last digits; payments only fall.
                if pay[c] - goal > 4 * STILL * obligation[c]:
                    pay[c] = goal
                    moving = True
    return sweeps


@compiled
def greatest(
    start: Ints,
    creditor: Places,
    owed: Floats,
    share: Floats,
    in_start: Ints,
    debtor: Places,
    in_share: Floats,
    obligation: Floats,
    outside: Floats,
    alpha: float,
    beta: float,
    most_sweeps: int,
) -> tuple[Floats, Floats, Places, int]:
    """Payments, receipts, the round of default (0: none) and sweeps left (-1: too many)."""
    n = obligation.size
    pay = obligation.copy()
    round_of = np.zeros(n, np.int32)
    queue = np.empty(n, np.int32)
    queued = np.zeros(n, np.uint8)
    waiting = np.empty(n, np.int32)
    touched = np.empty(0, np.int32)
    seen = np.ones(n, np.uint8)
    rounds = 0
    inflow = received(start, creditor, owed, share, pay, round_of)
    while True:
        n_queued = 0
        n_waiting = 0
        for i in range(n):
            queued[i] = 0
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
        if n_queued + n_waiting == 0:
            return pay, inflow, round_of, most_sweeps
        # Few falls are passed on one by one. Where that takes as long as some sweeps, many are
        # falling, and sweeps are faster.
        rounds, _, left = settle(
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
            creditor.size // 8 + 1,
            touched,
            seen,
            0,
        )
        if left < 0:
            for i in range(n):
                round_of[i] = max(round_of[i], 0)
            most_sweeps = swept(
                in_start,
                debtor,
                in_share,
                obligation,
                outside,
                alpha,
                beta,
                pay,
                round_of,
                most_sweeps,
            )
            if most_sweeps < 0:
                return pay, inflow, round_of, -1
        # Sums that fell in many steps carry the rounding of each; made anew they do not.
        inflow = received(start, creditor, owed, share, pay, round_of)
