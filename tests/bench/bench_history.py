"""A repayment on a loan with many receipts behind it: what its history costs.

Interest is worked out anew from what was really paid, and the day's penalty: all that came before
is lived through again. Loans of TERM instalments on SQLite in memory, so that the arithmetic is
seen and not the disk; milliseconds of processor time, medians.
"""

import os
import statistics
import time
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from community.engine import make_engine, session_factory
from tests.databases import create_all
from tests.hamlet import Hamlet

RECEIPTS = (1, 10, 50, 100)
TERM = 60
REPEATS = 9
DAILY: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
    "day_count": "actual/365",
    "recalculation": "daily",
    "instalments_max": TERM,
}
CASES: dict[str, dict[str, Any]] = {
    "plan kept": {"recalculation": "none"},
    "daily": {},
    "daily, penalties": {"penalty_yearly_rate_ppm": 182_500},
    "daily, smaller dues": {"early_money": "reduce_instalment"},
}


def run() -> None:
    """Print a line for each kind of loan: milliseconds by the number of receipts before."""
    print(f"   load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, terms in CASES.items():
        engine = make_engine("sqlite://")
        create_all(engine)
        with session_factory(engine)() as session:
            times = _measure(session, DAILY | terms)
        engine.dispose()
        told = ", ".join(f"{ms:.0f} ms after {count}" for count, ms in times.items())
        print(f"   {name}: {told}", flush=True)


def _measure(session: Session, terms: dict[str, Any]) -> dict[int, float]:
    hamlet = Hamlet(session, rules={"call_day": 900, "write_off_day": 2_000}, terms=terms)
    hamlet.fund(5_000_000)
    hamlet.person("ben", stake=2_400_000)
    loan = hamlet.lend("ben", 2_400_000, TERM)
    times: dict[int, float] = {}
    done = 0
    for count in RECEIPTS:
        while done < count:
            hamlet.day += timedelta(days=11)
            hamlet.repay(loan, 15_000)
            done += 1
        spent = []
        for _ in range(REPEATS):
            hamlet.day += timedelta(days=1)
            started = time.process_time()
            hamlet.repay(loan, 1_000)
            spent.append((time.process_time() - started) * 1e3)
        done += REPEATS
        times[count] = statistics.median(spent)
    return times
