"""The period of a statement, and where a page of it ended."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import request

from app.clock import today
from app.fields import Day, Schema
from app.paging import PageArgs, open_cursor, seal_cursor
from app.sheets import FormatField
from community.ledger.statements import Period, Place

# A day (until the year 2739) and a row's id in the 63 bits of a cursor.
_ROW_BITS = 43


class PeriodArgs(Schema):
    """`?from=&to=`: business days, both included; this month so far if they are left out."""

    from_on = Day(data_key="from", load_default=None)
    to_on = Day(data_key="to", load_default=None)
    format = FormatField()


class StatementArgs(PageArgs, PeriodArgs):
    """A period of which a page is read."""


def period_of(args: Mapping[str, Any]) -> Period:
    """The period asked for. Raises PeriodInvalid."""
    to_on: date = args["to_on"] or max(today(), args["from_on"] or today())
    return Period(args["from_on"] or to_on.replace(day=1), to_on)


def opened(args: Mapping[str, Any], period: Period) -> Place | None:
    """Where the page before ended. Raises BadCursor."""
    if not args["cursor"]:
        return None
    value = open_cursor(_scope(period), args["cursor"])
    return Place(date.fromordinal(value >> _ROW_BITS), value & ((1 << _ROW_BITS) - 1))


def sealed(place: Place, period: Period) -> str:
    """The cursor behind this place; it counts for this period of this statement only."""
    return seal_cursor(_scope(period), (place.on.toordinal() << _ROW_BITS) | place.row_id)


def _scope(period: Period) -> str:
    return f"{request.path}?{period.from_on}..{period.to_on}"
