"""Closed pools of cover: a few who stand for each other's loans, with all that they have. Pure.

A circle of promises is no sin: neighbours promise each other, and most of it is never drawn on.
What is told is a circle that has been drawn on to its end: borrowers whose cover is nobody's but
their own, and of whom nothing is left to stand for anything more. One takes the others along.

From each borrower the pool grows by whoever covers much of its loans, and by borrowers most of
whose cover lies in it, until nobody is to be added.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from community.risk.ahead import LoanOut, Purse

_WHOLE = 10_000
# Two are a couple: what one has the other has.
_LEAST = 3
# Whoever covers less than a tenth of a pool's loans is not what they hang on.
_PART_OF_IT = 10


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
    loans: Iterable[LoanOut], purses: Mapping[int, Purse], *, share_bps: int, most: int
) -> list[Pool]:
    """Pools of at most `most` members whose cover is their own, and used up, by `share_bps`."""
    cover: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    owed: dict[int, int] = defaultdict(int)
    for loan in loans:
        owed[loan.borrower_id] += loan.owed_minor
        for line in loan.lines:
            cover[loan.borrower_id][line.held.owner_id] += line.held.held_minor
    found: dict[tuple[int, ...], Pool] = {}
    for borrower in sorted(cover):
        members = _grown(borrower, cover, most)
        if _LEAST <= len(members) <= most:
            pool = _pool(members, cover, owed, purses)
            if _is_closed(pool, share_bps):
                found[pool.members] = pool
    return _apart(found.values())


def _grown(start: int, cover: Mapping[int, Mapping[int, int]], most: int) -> set[int]:
    members = {start}
    while len(members) <= most:
        given: dict[int, int] = defaultdict(int)
        for borrower in members & cover.keys():
            for owner, held in cover[borrower].items():
                given[owner] += held
        whole = sum(given.values())
        fresh = {owner for owner, held in given.items() if held * _PART_OF_IT >= whole}
        for borrower in cover.keys() - members:
            # Their own cover comes with them; most of the rest has to be ours.
            others = sum(held for owner, held in cover[borrower].items() if owner != borrower)
            ours = sum(held for owner, held in cover[borrower].items() if owner in members)
            if 2 * ours > others:
                fresh.add(borrower)
        if fresh <= members:
            return members
        members |= fresh
    return members


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
    means = sum(purse.stake_minor + purse.assessed_minor for purse in mine)
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
    """Two borrow or more, what they have locked is not all, and their own covers them to its end.

    Whoever has locked what they promise deals with nobody's money but their own.
    """
    return (
        pool.borrowers >= 2
        and pool.assessed_bps > 0
        and pool.inside_bps >= share_bps
        and pool.used_bps >= share_bps
    )


def _apart(pools: Iterable[Pool]) -> list[Pool]:
    """No member in two: the pool that owes more keeps them."""
    kept: list[Pool] = []
    taken: set[int] = set()
    for pool in sorted(pools, key=lambda one: (-one.owed_minor, one.members)):
        if not taken & set(pool.members):
            kept.append(pool)
            taken |= set(pool.members)
    return sorted(kept, key=lambda one: one.members)
