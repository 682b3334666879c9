"""Losses of equity handed on round by round, only from those who lost in the round before."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Floats = NDArray[np.float64]

# A further loss of equity below this part of it is not handed on.
STILL = 1e-15


@compiled
def spread(
    start: Ints,
    creditor: Places,
    weight: Floats,
    in_start: Ints,
    debtor: Places,
    in_weight: Floats,
    loss: Floats,
    front: Places,
    handed: Floats,
    n_front: int,
    single_hit: bool,
    gain: Floats,
    spare: Places,
    passed: NDArray[np.uint8],
    most_rounds: int,
    touched: Places,
    n_touched: int,
) -> tuple[int, int, int]:
    """Raise `loss` until nothing is handed on: rounds, members touched, still to hand on.

    `front` are the places that hand on `handed` of themselves next; everywhere else it is 0, as is
    `gain`. With `single_hit` everybody hands on once, all that was lost until then; otherwise each
    time what was lost in the round before. `passed` marks who is among the touched.
    """
    n = loss.size
    rounds = 0
    while n_front and rounds < most_rounds:
        rounds += 1
        n_next = 0
        reach = 0
        for k in range(n_front):
            reach += start[front[k] + 1] - start[front[k]]
        if 3 * reach > creditor.size:
            # Most debts are concerned: adding up each creditor's row is faster than spreading.
            for c in range(n):
                more = 0.0
                for e in range(in_start[c], in_start[c + 1]):
                    more += in_weight[e] * handed[debtor[e]]
                if more > 0.0:
                    gain[c] = more
                    spare[n_next] = c
                    n_next += 1
            for k in range(n_front):
                handed[front[k]] = 0.0
        else:
            for k in range(n_front):
                i = front[k]
                lost = handed[i]
                handed[i] = 0.0
                for e in range(start[i], start[i + 1]):
                    c = creditor[e]
                    more = weight[e] * lost
                    if more > 0.0:
                        if gain[c] == 0.0:
                            spare[n_next] = c
                            n_next += 1
                        gain[c] += more
        n_front = 0
        for k in range(n_next):
            c = spare[k]
            more = min(gain[c], 1.0 - loss[c])
            gain[c] = 0.0
            if more <= 0.0:
                continue
            fresh = not passed[c]
            loss[c] += more
            if fresh:
                passed[c] = 1
                touched[n_touched] = c
                n_touched += 1
            if (fresh and loss[c] > STILL) if single_hit else more > STILL:
                handed[c] = loss[c] if single_hit else more
                front[n_front] = c
                n_front += 1
    return rounds, n_touched, n_front


@compiled
def each(
    start: Ints,
    creditor: Places,
    weight: Floats,
    in_start: Ints,
    debtor: Places,
    in_weight: Floats,
    value: Floats,
    places: Places,
    shock: float,
    single_hit: bool,
    most_rounds: int,
) -> tuple[Floats, int]:
    """The weighted loss that a shock to each of these places alone leads to, its own left out.

    The second value is -1, or the place whose losses had not come to rest.
    """
    n = value.size
    total = np.zeros(places.size, np.float64)
    loss = np.zeros(n, np.float64)
    front = np.empty(n, np.int32)
    handed = np.zeros(n, np.float64)
    gain = np.zeros(n, np.float64)
    spare = np.empty(n, np.int32)
    passed = np.zeros(n, np.uint8)
    touched = np.empty(n, np.int32)
    for p in range(places.size):
        i = places[p]
        loss[i] = shock
        handed[i] = shock
        front[0] = i
        touched[0] = i
        passed[i] = 1
        _, n_touched, left = spread(
            start,
            creditor,
            weight,
            in_start,
            debtor,
            in_weight,
            loss,
            front,
            handed,
            1,
            single_hit,
            gain,
            spare,
            passed,
            most_rounds,
            touched,
            1,
        )
        if left:
            return total, i
        # Sums in one order, whatever way the losses took.
        for c in np.sort(touched[:n_touched]):
            total[p] += value[c] * loss[c]
            loss[c] = 0.0
            passed[c] = 0
        total[p] -= value[i] * shock
    return total, -1
