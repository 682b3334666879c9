"""What loans say of those who stood behind them, and what is believed after that. Pure.

A loan asks for money by days. What its borrower paid from their own money, whenever it came, meets
the oldest dues first; money of guarantors, stakes, the reserve and third parties meets nothing. So
each due is paid by the borrower or not, and each counts for whoever vouched for the borrower to
the lender by their share of the cover at that time. See docs/voucher-record.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor

from scipy.special import betaincinv

from community.communities.charter import CharterRules
from community.trust.record_bounds import RecordFigures

_WHOLE = 10_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class CoverPart:
    """A part of a loan's cover that rests on somebody's word to the lender, while it did.

    `voucher_id` is None where the borrower's own standing covers.
    """

    voucher_id: int | None
    amount_minor: int
    from_on: date | None = None  # dues after this day
    until_on: date | None = None  # dues up to this day


@dataclass(frozen=True, slots=True)
class LoanLife:
    """What of a loan a record is made of. Dues are in the order of their days."""

    loan_id: int
    borrower_id: int
    dues: Sequence[tuple[date, int]]
    # All that the borrower paid from their own money, to the lender and to those who paid for them.
    paid_minor: int
    cover: Sequence[CoverPart]
    # From this day the whole debt is due: it was called in, or given up.
    all_due_on: date | None = None


@dataclass(frozen=True, slots=True)
class LoanWord:
    """What one loan says of one who stood behind it."""

    loan_id: int
    borrower_id: int
    share_ppm: int  # of the cover, by what fell due
    came_due_minor: int  # and what was paid before it was due
    paid_minor: int  # of that, by the borrower
    good_cases: float
    bad_cases: float


def words_of(loan: LoanLife, rules: CharterRules, on: date) -> dict[int, LoanWord]:
    """What a loan says by a day of each who vouched for its borrower.

    What was not yet due and is unpaid says nothing. A loan of `voucher_case_minor` or more is one
    case if one voucher covered all of it: a smaller one is as much less.
    """
    whole = sum(minor for _, minor in loan.dues)
    size = max(whole, rules.voucher_case_minor)
    last = loan.all_due_on if loan.all_due_on is not None and loan.all_due_on <= on else None
    left = loan.paid_minor
    came_due = paid = 0
    sums: dict[int, list[float]] = {}  # good, bad, money that counts by its share
    shares: dict[date, Mapping[int, float]] = {}
    for day, minor in loan.dues:
        due_on = day if last is None else min(day, last)
        good = min(left, minor)
        left -= good
        bad = minor - good if due_on < on else 0
        if not good and not bad:
            continue
        came_due += good + bad
        paid += good
        weight = weight_of(due_on, on, rules.voucher_half_life_days)
        if due_on not in shares:
            shares[due_on] = _shares(loan.cover, due_on)
        for voucher_id, share in shares[due_on].items():
            found = sums.setdefault(voucher_id, [0.0, 0.0, 0.0])
            found[0] += weight * share * good / size
            found[1] += weight * share * bad / size
            found[2] += share * (good + bad)
    return {
        voucher_id: LoanWord(
            loan_id=loan.loan_id,
            borrower_id=loan.borrower_id,
            share_ppm=round(counted / came_due * _MILLION),
            came_due_minor=came_due,
            paid_minor=paid,
            good_cases=good_cases,
            bad_cases=bad_cases,
        )
        for voucher_id, (good_cases, bad_cases, counted) in sums.items()
    }


def weight_of(due_on: date, on: date, half_life_days: int) -> float:
    """How much a due still says: half as much after each half-life, never more than whole."""
    return float(0.5 ** (max((on - due_on).days, 0) / half_life_days))


def belief(good_cases: float, bad_cases: float, rules: CharterRules) -> RecordFigures:
    """What is believed of a record's share: the Beta posterior's mean and its interval's ends.

    The ends are rounded outwards, so that no interval looks narrower than it is.
    """
    prior_good = rules.voucher_prior_cases * rules.voucher_prior_bps / _WHOLE
    alpha = prior_good + good_cases
    beta = rules.voucher_prior_cases - prior_good + bad_cases
    outside = (_WHOLE - rules.voucher_interval_bps) / _WHOLE / 2
    lower, upper = (float(betaincinv(alpha, beta, point)) for point in (outside, 1 - outside))
    return RecordFigures(
        good_cases=good_cases,
        bad_cases=bad_cases,
        mean_ppm=round(alpha / (alpha + beta) * _MILLION),
        lower_ppm=floor(lower * _MILLION),
        upper_ppm=ceil(upper * _MILLION),
    )


def _shares(cover: Sequence[CoverPart], due_on: date) -> Mapping[int, float]:
    """Whose word covered what share of the loan when a due was due."""
    there = list(_in_force(cover, due_on))
    whole = sum(part.amount_minor for part in there)
    amounts: dict[int, int] = {}
    for part in there:
        if part.voucher_id is not None:
            amounts[part.voucher_id] = amounts.get(part.voucher_id, 0) + part.amount_minor
    return {voucher_id: amount / whole for voucher_id, amount in amounts.items()}


def _in_force(cover: Sequence[CoverPart], due_on: date) -> Iterator[CoverPart]:
    for part in cover:
        begun = part.from_on is None or part.from_on < due_on
        if begun and (part.until_on is None or due_on <= part.until_on):
            yield part
