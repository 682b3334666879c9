"""The arithmetic of claims. Pure, exact in whole minor units; the rules are in docs/recourse.md.

One payment for a borrower is one debt. Whoever paid may claim it from several debtors, who stand in
a row: the borrower first (rank 0), behind them whoever left the payment to be made. They owe the
same money, so the claims on them are linked: what one pays, all before them are free of, and those
behind as far as they answered for it. What is open at a rank is therefore never more than at the
rank before, and the difference is a layer for which only the ranks up to there answer.
"""

from collections.abc import Sequence
from itertools import pairwise

PPM = 1_000_000


def pro_rata(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Parts of an amount by weights, at most the weights: they sum to min(total, all weights).

    Everybody gets the rounded-down share; units left over go one each to the largest remainders,
    ties to the earlier position.
    """
    base = sum(weights)
    total = min(total_minor, base)
    if total <= 0:
        return [0] * len(weights)
    shares = [divmod(total * weight, base) for weight in weights]
    parts = [whole for whole, _ in shares]
    order = sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def layers(open_by_rank: Sequence[int]) -> list[int]:
    """What only the ranks up to each one answer for."""
    return [here - behind for here, behind in pairwise([*open_by_rank, 0])]


def paid(open_by_rank: Sequence[int], rank: int, amount_minor: int) -> list[int]:
    """By how much each rank's open amount falls when the debtor of `rank` pays.

    The money goes over the layers that this debtor answers for, pro rata: those before them are
    free of all of it, those behind of their part in it.
    """
    parts = [0] * rank + pro_rata(amount_minor, layers(open_by_rank)[rank:])
    return [sum(parts[place:]) for place in range(len(parts))]


def waived(open_by_rank: Sequence[int], rank: int, amount_minor: int) -> list[int]:
    """By how much each rank's open amount falls when the debtor of `rank` is let off an amount.

    Those before them owe it still; those behind, who would have claimed it from them, do not.
    """
    falls = paid(open_by_rank, rank, amount_minor)
    return [0] * rank + falls[rank:]


def interest(
    principal_minor: int, days: int, *, rate_ppm: int, year_days: int, carry: int
) -> tuple[int, int]:
    """Simple interest of some days in whole units, and the fraction carried on to the next.

    The carry counts in parts of a unit of 1 / (1,000,000 × days of the year), so interest worked
    out in many steps is what it would have been in one.
    """
    return divmod(carry + principal_minor * rate_ppm * days, PPM * year_days)


def split(
    amount_minor: int, interest_minor: int, principal_minor: int, *, interest_first: bool
) -> tuple[int, int]:
    """What of an amount pays open interest and what open principal, in the charter's order."""
    if interest_first:
        to_interest = min(amount_minor, interest_minor)
        return to_interest, min(amount_minor - to_interest, principal_minor)
    to_principal = min(amount_minor, principal_minor)
    return min(amount_minor - to_principal, interest_minor), to_principal


def spread(
    amount_minor: int, claims: Sequence[tuple[int, int]], *, interest_first: bool
) -> list[tuple[int, int]]:
    """A borrower's money over claims given as (interest, principal) open; the same parts of it.

    All interest comes before any principal or after all of it, each pro rata over the claims.
    """
    to_interest, to_principal = split(
        amount_minor,
        sum(claim[0] for claim in claims),
        sum(claim[1] for claim in claims),
        interest_first=interest_first,
    )
    return list(
        zip(
            pro_rata(to_interest, [claim[0] for claim in claims]),
            pro_rata(to_principal, [claim[1] for claim in claims]),
            strict=True,
        )
    )
