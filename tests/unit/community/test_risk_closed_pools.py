"""Pools of cover that is its members' own and used up; by hand."""

from community.communities.charter import LiabilityMode
from community.guarantees.plan import HeldLine
from community.risk.ahead import CoveredLine, LoanOut, Purse
from community.risk.closed import Pool, closed_pools

AN, BO, CAI, DAI, EVE = range(1, 6)


def loan(borrower: int, **cover: int) -> LoanOut:
    """A loan and who covers how much of it, by name."""
    names = {"an": AN, "bo": BO, "cai": CAI, "dai": DAI, "eve": EVE}
    lines = tuple(
        CoveredLine(HeldLine(0, names[who], None, None, held), None, None)
        for who, held in cover.items()
    )
    return LoanOut(borrower, borrower, sum(cover.values()), LiabilityMode.SEVERAL, lines)


def purse(assessed: int, reserved: int, stake: int = 0) -> Purse:
    return Purse(stake, assessed, reserved)


def pools(loans: list[LoanOut], purses: dict[int, Purse], most: int = 10) -> list[Pool]:
    return closed_pools(loans, purses, share_bps=9_000, most=most)


def test_three_whose_loans_use_up_all_that_they_have_are_a_pool() -> None:
    # An borrows on herself and Cai, Bo on himself and what Cai has left.
    lent = [loan(AN, an=42, cai=18), loan(BO, bo=42, cai=18)]
    purses = {AN: purse(42, 42), BO: purse(42, 42), CAI: purse(42, 36)}
    [pool] = pools(lent, purses)
    assert pool.members == (AN, BO, CAI)
    assert (pool.borrowers, pool.owed_minor) == (2, 120)
    # 120 of 120 is their own; 120 of 126 is used: 95.23 %; nothing is locked.
    assert (pool.inside_bps, pool.used_bps, pool.assessed_bps) == (10_000, 9_523, 10_000)
    # Cai could still stand for others: 120 of 134 is 89.55 %.
    assert pools(lent, purses | {CAI: purse(50, 36)}) == []


def test_cover_from_outside_opens_a_pool() -> None:
    lent = [loan(AN, an=42, cai=18), loan(BO, bo=42, cai=18, eve=6)]
    purses = {AN: purse(42, 42), BO: purse(42, 42), CAI: purse(42, 36), EVE: purse(90, 6)}
    # Eve covers 6 of 126, less than a tenth: she is outside, and 95.23 % is their own.
    [pool] = pools(lent, purses)
    assert (pool.members, pool.inside_bps) == ((AN, BO, CAI), 9_523)
    # With 20 of 140 she is one of those whom it hangs on, and she has much left.
    lent[1] = loan(BO, bo=42, cai=18, eve=20)
    assert pools(lent, purses | {EVE: purse(90, 20)}) == []


def test_couples_single_borrowers_and_what_is_locked_are_not_told() -> None:
    couple = {AN: purse(40, 40), BO: purse(40, 40)}
    assert pools([loan(AN, an=20, bo=20), loan(BO, bo=20, an=20)], couple) == []
    three = {AN: purse(20, 20), BO: purse(20, 20), CAI: purse(20, 20)}
    assert pools([loan(AN, an=20, bo=20, cai=20)], three) == []
    locked = {who: purse(0, 42, stake=42) for who in (AN, BO, CAI)}
    assert pools([loan(AN, an=42, cai=21), loan(BO, bo=42, cai=21)], locked) == []
    # A part of it not locked, and it is told with that part: 20 of 126.
    some = locked | {CAI: purse(20, 42, stake=22)}
    [pool] = pools([loan(AN, an=42, cai=21), loan(BO, bo=42, cai=21)], some)
    assert pool.assessed_bps == 20 * 10_000 // 126


def test_a_borrower_whose_cover_is_mostly_the_pools_joins_it_and_sizes_are_bounded() -> None:
    lent = [
        loan(AN, an=40, bo=40),
        loan(CAI, cai=40, bo=1, dai=39),
        loan(DAI, dai=1, an=0, cai=0),
    ]
    purses = {who: purse(41, 41) for who in (AN, BO, CAI, DAI)}
    # Dai covers Cai; Bo covers An. An's pool takes nobody in for one of Cai's eighty.
    found = pools(lent, purses)
    assert [pool.members for pool in found] == []
    lent[1] = loan(CAI, cai=40, bo=1, an=1)
    [pool] = pools(lent, {who: purse(41, 41) for who in (AN, BO, CAI)})
    assert pool.members == (AN, BO, CAI)
    assert pools(lent, {who: purse(41, 41) for who in (AN, BO, CAI)}, most=2) == []
