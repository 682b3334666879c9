"""What a member's record as a voucher lets them promise in all. Pure.

The record is worked out above (`community.vouching`), where loans are known, and is passed in: a
step that makes a promise takes it as `records_of`, a function that is asked under the same locks
as the caps.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from community.communities.queries import CharterInForce

_WHOLE = 10_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class RecordFigures:
    """How those paid whom a member stood behind: cases, and the share that is believed of them.

    Shares are in millionths: the mean, and the interval's ends, of which the lower is what bounds.
    """

    good_cases: float
    bad_cases: float
    mean_ppm: int
    lower_ppm: int
    upper_ppm: int


RecordsOf = Callable[
    [Session, int, Collection[int], date, CharterInForce], Mapping[int, RecordFigures]
]


def allowed_by_record(base_minor: int, bound_bps: int, lower_ppm: int) -> int:
    """All promises that a record of this lower end admits; rounded down."""
    return base_minor * bound_bps * lower_ppm // (_WHOLE * _MILLION)


def per_cent(ppm: int) -> str:
    """A share as it is read: 473,000 is 47.3 %; rounded down, so that no bound looks wider."""
    return f"{ppm // 10_000}.{ppm // 1_000 % 10} %"
