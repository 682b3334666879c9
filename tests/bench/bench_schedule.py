"""Twelve-row annuity schedules on one core, against the same convention in plain Decimal.

The peer is what one would write first: Decimal throughout, factors from the day count for every
loan, one dated row after the other. Both get the same loans in turn, and agree on every figure.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from community.arithmetic.calendar import add_months
from community.arithmetic.events import Disbursement, Receipt
from community.arithmetic.plan import schedule
from community.arithmetic.replay import replay
from community.arithmetic.terms import Contract, DayCount, Recalculation, Terms

LOANS = 5_000
REPEATS = 5
ROWS = 12
TERMS = {
    "30/360": Terms(yearly_rate_ppm=120_000),
    "actual/365": Terms(yearly_rate_ppm=120_000, day_count=DayCount.ACTUAL_365),
}
STARTS = [date(2027, 1, 1) + timedelta(days=days) for days in range(365)]
Loan = tuple[int, date]


def run(loans: int = LOANS, repeats: int = REPEATS) -> None:
    """Print schedules per second of processor time (medians), and the ratio to the peer."""
    book: list[Loan] = [(1_000_00 + 7 * k, STARTS[k % 365]) for k in range(loans)]
    for name, terms in TERMS.items():
        for amount, start in book[:: max(loans // 100, 1)]:
            assert ours(terms, amount, start) == plain(terms, amount, start)
        mine, theirs = [], []
        for _ in range(repeats):
            mine.append(loans / clocked(ours, terms, book))
            theirs.append(loans / clocked(plain, terms, book))
        fast, slow = statistics.median(mine), statistics.median(theirs)
        print(
            f"   {name}: {fast:,.0f} schedules/s a core, plain Decimal {slow:,.0f}, "
            f"{fast / slow:.1f} times as fast"
        )
    for name, terms in {
        "no recalculation": TERMS["30/360"],
        "daily recalculation": Terms(
            yearly_rate_ppm=120_000,
            day_count=DayCount.ACTUAL_365,
            recalculation=Recalculation.DAILY,
        ),
    }.items():
        took = statistics.median(replayed(terms) for _ in range(repeats))
        print(f"   replay of 12 rows and 4 receipts, {name}: {took * 1e6:,.0f} µs")


def clocked(work: Callable[[Terms, int, date], object], terms: Terms, book: list[Loan]) -> float:
    started = time.process_time()
    for amount, start in book:
        work(terms, amount, start)
    return time.process_time() - started


def ours(terms: Terms, amount: int, start: date) -> list[tuple[date, int, int]]:
    rows = schedule(Contract(terms, ROWS, start), [Disbursement(start, amount)])
    return [(row.due_on, row.principal_minor, row.interest_minor) for row in rows]


def plain(terms: Terms, amount: int, start: date) -> list[tuple[date, int, int]]:
    digits = Context(prec=12, rounding=ROUND_HALF_EVEN)
    exact = Context(prec=60, rounding=ROUND_HALF_EVEN)
    rate = Decimal(terms.yearly_rate_ppm) / 1_000_000
    days = [start, *(add_months(start, k) for k in range(1, ROWS + 1))]
    factors = []
    for before, day in itertools.pairwise(days):
        if terms.day_count is DayCount.THIRTY_360:
            factors.append(digits.divide(rate * 30, Decimal(360)))
        else:
            factors.append(digits.divide(rate * (day - before).days, Decimal(365)))
    growth, weight = Decimal(1), Decimal(0)
    for factor in factors:
        grown = digits.add(Decimal(1), factor)
        growth = digits.multiply(growth, grown)
        weight = digits.add(Decimal(1), digits.multiply(weight, grown))
    whole = Decimal(1)
    instalment = int(
        exact.divide(exact.multiply(Decimal(amount), growth), weight).quantize(
            whole, ROUND_HALF_EVEN, exact
        )
    )
    rows, balance = [], amount
    for k, (day, factor) in enumerate(zip(days[1:], factors, strict=True), start=1):
        grown = exact.multiply(Decimal(balance), factor)
        interest = int(grown.quantize(whole, ROUND_HALF_EVEN, exact))
        principal = balance if k == ROWS else instalment - interest
        rows.append((day, principal, interest))
        balance -= principal
    return rows


def replayed(terms: Terms, times: int = 200) -> float:
    start = STARTS[0]
    contract = Contract(terms, ROWS, start)
    events = [
        Disbursement(start, 10_000_00),
        *(Receipt(date(2027, month, 1), 900_00, f"r{month}") for month in (2, 3, 4, 5)),
    ]
    started = time.process_time()
    for _ in range(times):
        replay(contract, events, date(2027, 7, 1))
    return (time.process_time() - started) / times
