"""How much is set aside against a loan: a share of its outstanding principal by its class. Pure.

The same sum exists as an SQL expression, so that a day's work reads only the loans whose
provision changes; a test compares the two on both databases.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    SQLColumnExpression,
    case,
    cast,
    type_coerce,
)

from community.communities.charter import CharterRules, RiskClass
from community.portfolio.classes import TIERS

_WHOLE = 10_000


def bps_of(tier: RiskClass, rules: CharterRules) -> int:
    """The share that the charter sets aside for a class, in ten-thousandths."""
    return rules.provision_bps[TIERS.index(tier)]


def provision_minor(outstanding_minor: int, bps: int) -> int:
    """`bps` ten-thousandths of an amount; an exact half goes to the even neighbour."""
    down, rest = divmod(outstanding_minor * bps, _WHOLE)
    return down + (2 * rest > _WHOLE or (2 * rest == _WHOLE and down % 2 == 1))


def provision_expression(
    outstanding: SQLColumnExpression[int], bps: ColumnElement[int]
) -> ColumnElement[int]:
    """`provision_minor` in SQL, in whole numbers.

    The amount is taken apart at 10,000 first: as one product it could leave 64 bits.
    """
    amount: ColumnElement[int] = type_coerce(cast(outstanding, BigInteger), BigInteger)
    tail: ColumnElement[int] = (amount % _WHOLE) * bps
    down: ColumnElement[int] = (amount // _WHOLE) * bps + tail // _WHOLE
    twice: ColumnElement[int] = (tail % _WHOLE) * 2
    return down + case((twice > _WHOLE, 1), ((twice == _WHOLE) & (down % 2 == 1), 1), else_=0)


def bps_expression(tier: SQLColumnExpression[Any], rules: CharterRules) -> ColumnElement[int]:
    """The share of a column's class, as the charter has it."""
    shares = {each: bps_of(each, rules) for each in TIERS}
    chosen: ColumnElement[int] = cast(case(shares, value=tier), Integer)
    return chosen
