"""Closed pools: a few who promise each other more than they have, and borrow on it. Pure.

A circle of promises is no sin: neighbours promise each other, within what they could pay. What is
told is a circle of hollow promises: each alone larger than all that its giver has, locked and
assessed, so that nobody in it could keep a single one; two of them or more owe; and what covers
their loans is their own. A word here and there to somebody outside does not hide it: such words
are small, and are left out with all promises that could be kept.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from community.risk.ahead import LoanOut, Purse
from graph.arrays import from_rows
from graph.structure import strong_components

_WHOLE = 10_000
# Two are a couple: what one has the other has.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Pool:
    """Members who cover each other; shares in ten-thousandths."""

    members: tuple[int, ...]
    borrowers: int
    owed_minor: int
    inside_bps: int  # of the cover of its loans, what is its own
    used_bps: int  # of what its members can stand for, what is reserved
    assessed_bps: int  # of the cover of its loans, what is not locked


def closed_pools(
    loans: Iterable[LoanOut],
    purses: Mapping[int, Purse],
    promises: Iterable[tuple[int, int, int]],
    *,
    share_bps: int,
) -> list[Pool]:
    """Circles of hollow promises (voucher, borrower, amount) whose cover is their own by a share.

    Strong components of the promises that are larger than their givers' means: no member in two.
    """
    hollow = [
        (voucher, borrower)
        for voucher, borrower, amount in promises
        if 0 < _means(purses, voucher) < amount
    ]
    if not hollow:
        return []
    cover: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    owed: dict[int, int] = defaultdict(int)
    for loan in loans:
        owed[loan.borrower_id] += loan.owed_minor
        for line in loan.lines:
            cover[loan.borrower_id][line.held.owner_id] += line.held.held_minor
    ends = np.array(hollow, np.int64)
    groups = strong_components(from_rows(ends[:, 0], ends[:, 1])).groups(_LEAST)
    pools = [_pool({int(str(member)) for member in group}, cover, owed, purses) for group in groups]
    return sorted((pool for pool in pools if _is_closed(pool, share_bps)), key=lambda p: p.members)


def _means(purses: Mapping[int, Purse], member: int) -> int:
    purse = purses.get(member)
    return 0 if purse is None else purse.stake_minor + purse.assessed_minor


def _pool(
    members: Collection[int],
    cover: Mapping[int, Mapping[int, int]],
    owed: Mapping[int, int],
    purses: Mapping[int, Purse],
) -> Pool:
    whole = inside = 0
    lent: dict[int, int] = defaultdict(int)
    borrowers = sorted(set(members) & cover.keys())
    for borrower in borrowers:
        for owner, held in cover[borrower].items():
            whole += held
            if owner in members:
                inside += held
                lent[owner] += held
    nobody = Purse(0, 0, 0)
    mine = [purses.get(member, nobody) for member in members]
    means = sum(_means(purses, member) for member in members)
    reserved = sum(purse.reserved_minor for purse in mine)
    bare = sum(max(held - purses.get(owner, nobody).stake_minor, 0) for owner, held in lent.items())
    return Pool(
        tuple(sorted(members)),
        len(borrowers),
        sum(owed[borrower] for borrower in borrowers),
        inside * _WHOLE // whole if whole else 0,
        min(reserved * _WHOLE // means, _WHOLE) if means else 0,
        bare * _WHOLE // whole if whole else 0,
    )


def _is_closed(pool: Pool, share_bps: int) -> bool:
    """Two borrow or more, their own covers them, and not all of it is locked.

    Whoever has locked what they promise deals with nobody's money but their own.
    """
    return pool.borrowers >= 2 and pool.assessed_bps > 0 and pool.inside_bps >= share_bps
