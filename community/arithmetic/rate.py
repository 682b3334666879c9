"""The effective yearly rate by the cash that really moves. It compares loans; it moves no money."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from community.arithmetic.errors import ScheduleImpossible
from community.arithmetic.events import Disbursement
from community.arithmetic.state import Row

_HIGHEST_RATE = 1e9


@dataclass(frozen=True, slots=True)
class Flow:
    """Cash on a day: to the borrower if positive, from the borrower if negative."""

    on: date
    amount_minor: int


def flows_of(
    disbursements: Iterable[Disbursement], rows: Iterable[Row], fees: Iterable[Flow] = ()
) -> tuple[Flow, ...]:
    """The cash of a planned loan: what is paid out, what is due, and fees (negative flows)."""
    out = [Flow(money.on, money.amount_minor) for money in disbursements]
    back = [Flow(row.due_on, -row.total_minor) for row in rows]
    return (*out, *back, *fees)


def effective_yearly_rate(flows: Iterable[Flow]) -> int:
    """The rate at which all cash is worth nothing together, in ppm a year.

    The lowest r >= 0 with `Σ amount / (1 + r) ^ (days / 365) = 0`, days from the first flow, to the
    nearest ppm; zero when the borrower pays back no more than was received. Raises
    ScheduleImpossible: nothing is received on balance at the start, or the rate is beyond reason.
    """
    # Here, not above: loading it takes a tenth of what every command needs to start.
    from scipy.optimize import brentq

    by_day: dict[date, int] = {}
    for flow in flows:
        by_day[flow.on] = by_day.get(flow.on, 0) + flow.amount_minor
    moved = sorted((on, amount) for on, amount in by_day.items() if amount)
    if sum(amount for _, amount in moved) >= 0:
        return 0
    first = moved[0][0]
    if moved[0][1] < 0:
        raise ScheduleImpossible("The borrower pays before receiving anything.")
    dated = [((on - first).days / 365, -amount) for on, amount in moved]

    def worth(rate: float) -> float:
        return float(sum(amount / (1 + rate) ** years for years, amount in dated))

    high = 1.0
    while worth(high) > 0:
        high *= 10
        if high > _HIGHEST_RATE:
            raise ScheduleImpossible("The yearly rate of these cash flows is beyond reason.")
    return round(float(brentq(worth, 0.0, high, xtol=1e-12, rtol=1e-14)) * 1_000_000)
