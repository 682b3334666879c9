"""Schedules: terms and money out, dated rows in."""

from collections.abc import Sequence

from community.arithmetic.events import Disbursement
from community.arithmetic.state import Row
from community.arithmetic.terms import Contract


def schedule(contract: Contract, disbursements: Sequence[Disbursement]) -> tuple[Row, ...]:
    """The planned rows; their principal sums to what was paid out.

    A down payment's row carries `down_payment`; rows in which nothing is due are left out at the
    end. Raises ScheduleImpossible.
    """
    raise NotImplementedError
