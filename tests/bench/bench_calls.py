"""Calls on all guarantors of a web of 100,000 pledges at once, in each mode of liability.

A fifth of the members fail at once. The answer is exact to the unit, and checked; its aim is two
seconds of processor time.
"""

import random

from graph.calls import check_web_calls, web_calls
from tests.bench.measuring import short, spent

MEMBERS = 20_000
PLEDGES = 100_000
FAILING = 0.2
AIM_SECONDS = 2.0


def run() -> None:
    """Print the processor time of each mode, from plain rows."""
    dice = random.Random(7)
    pairs: dict[tuple[int, int], int] = {}
    while len(pairs) < PLEDGES:
        guarantor, borrower = dice.sample(range(MEMBERS), 2)
        pairs[guarantor, borrower] = dice.randint(100_00, 5_000_00)
    rows = [(guarantor, borrower, cap) for (guarantor, borrower), cap in pairs.items()]
    due = {member: dice.randint(0, 20_000_00) for member in range(MEMBERS)}
    means = {
        member: 0 if dice.random() < FAILING else due[member] + dice.randint(0, 9_000_00)
        for member in range(MEMBERS)
    }
    for mode in ("several", "joint_and_several", "pledge_only"):
        web_calls(due, means, rows, mode)  # type: ignore[arg-type]
        done = []
        seconds = spent(lambda m=mode, kept=done: kept.append(web_calls(due, means, rows, m)))  # type: ignore[misc, arg-type]
        check_web_calls(done[0])
        print(
            f"   {PLEDGES:,} pledges of {MEMBERS:,} members, {mode}: {short(seconds)}"
            f" ({'within' if seconds < AIM_SECONDS else 'beyond'} {AIM_SECONDS:.0f} s)",
            flush=True,
        )
