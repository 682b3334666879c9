"""A few whom hardly anybody else stands for, and who borrow on each other; by hand."""

import numpy as np

from community.communities.charter import LiabilityMode
from community.guarantees.plan import HeldLine
from community.risk.ahead import CoveredLine, LoanOut, Purse
from community.risk.closed import Limits, Pool, closed_pools

AN, BO, CAI, DAI, EVE = range(1, 6)
LIMITS = Limits(members=4, share_bps=9_000, promised_bps=8_500, owed_bps=5_000)


def loan(borrower: int, **cover: int) -> LoanOut:
    """A loan and who covers how much of it, by name."""
    names = {"an": AN, "bo": BO, "cai": CAI, "dai": DAI, "eve": EVE}
    lines = tuple(
        CoveredLine(HeldLine(0, names[who], None, None, held), None, None)
        for who, held in cover.items()
    )
    return LoanOut(borrower, borrower, sum(cover.values()), LiabilityMode.SEVERAL, lines)


def purse(assessed: int, stake: int = 0, reserved: int = 0) -> Purse:
    return Purse(stake, assessed, reserved)


RING = [(AN, BO, 50), (BO, CAI, 50), (CAI, AN, 50)]
MEANS = {AN: purse(42, reserved=42), BO: purse(42, reserved=42), CAI: purse(42, reserved=36)}
LENT = [loan(AN, an=42, cai=18), loan(BO, bo=42, cai=18)]


def pools(
    loans: list[LoanOut],
    purses: dict[int, Purse],
    promises: list[tuple[int, int, int]] = RING,
    limits: Limits = LIMITS,
) -> list[Pool]:
    table = np.array(promises, np.int64).reshape(-1, 3)
    return closed_pools(loans, purses, *table.T, limits=limits)


def test_three_who_stand_for_each_other_alone_and_borrow_on_it_are_a_pool() -> None:
    [pool] = pools(LENT, MEANS)
    assert pool.members == (AN, BO, CAI)
    assert (pool.borrowers, pool.owed_minor) == (2, 120)
    # 120 of 120 is their own; 120 of 126 is owed and used: 95.23 %; nothing is locked.
    assert (pool.inside_bps, pool.owed_bps, pool.used_bps) == (10_000, 9_523, 9_523)
    assert (pool.promised_bps, pool.assessed_bps) == (10_000, 10_000)


def test_one_who_is_well_off_does_not_open_a_ring() -> None:
    # Bo could keep his promise three times over: 120 owed of 234 that they have is 51.28 %.
    [pool] = pools(LENT, MEANS | {BO: purse(150, reserved=42)})
    assert (pool.members, pool.owed_bps) == ((AN, BO, CAI), 5_128)
    # Of 241 it is 49.79 %: they owe little for what they have.
    assert pools(LENT, MEANS | {BO: purse(157)}) == []


def test_what_others_promise_opens_it_as_far_as_they_could_keep_it() -> None:
    # 42 each from within. Eve promises 90 and has 22: 126 of 148 is 85.13 %.
    word = [(EVE, AN, 90)]
    [pool] = pools(LENT, MEANS | {EVE: purse(22)}, RING + word)
    assert pool.promised_bps == 8_513
    # 126 of 149 is 84.56 %.
    assert pools(LENT, MEANS | {EVE: purse(23)}, RING + word) == []


def test_small_words_around_and_back_neither_hide_a_ring_nor_draw_others_in() -> None:
    # With them all five are one circle; that of promises of 50 and more is the ring.
    outside = [(AN, EVE, 10), (EVE, AN, 10), (BO, DAI, 40), (DAI, BO, 10)]
    purses = MEANS | {EVE: purse(90), DAI: purse(20)}
    lent = [LENT[0], loan(BO, bo=42, cai=18, eve=10)]
    # 120 of 130 is 92.3 % of the cover; 126 of 146 is 86.3 % of the word.
    [pool] = pools(lent, purses, RING + outside)
    assert (pool.members, pool.inside_bps, pool.promised_bps) == ((AN, BO, CAI), 9_230, 8_630)
    # 120 of 134 is less than nine tenths.
    assert pools([LENT[0], loan(BO, bo=42, cai=18, eve=14)], purses, RING + outside) == []


def test_friends_whom_neighbours_stand_for_are_no_pool() -> None:
    """Three of one trade who promise each other more than they have, and borrow at once."""
    friends = [(a, b, 50) for a in (AN, BO, CAI) for b in (AN, BO, CAI) if a != b]
    neighbours = [(DAI, AN, 30), (EVE, BO, 30)]
    purses = MEANS | {DAI: purse(60), EVE: purse(60)}
    # 252 of 312 is 80.8 %.
    assert pools(LENT, purses, friends + neighbours) == []
    [alone] = pools(LENT, purses, friends)
    assert alone.promised_bps == 10_000


def test_it_is_told_once_as_large_as_it_is_and_no_larger_than_the_charter_says() -> None:
    # An and Bo and Cai by 50, with Dai by 20: both are closed.
    four = [*RING, (CAI, DAI, 20), (DAI, AN, 20)]
    purses = MEANS | {DAI: purse(10)}
    [pool] = pools(LENT, purses, four)
    assert pool.members == (AN, BO, CAI, DAI)
    three = Limits(3, LIMITS.share_bps, LIMITS.promised_bps, LIMITS.owed_bps)
    [pool] = pools(LENT, purses, four, three)
    assert pool.members == (AN, BO, CAI)


def test_couples_single_borrowers_and_what_is_locked_are_not_told() -> None:
    couple = [(AN, BO, 50), (BO, AN, 50)]
    assert pools([loan(AN, an=20, bo=20), loan(BO, bo=20, an=20)], MEANS, couple) == []
    # One who borrows 60, with 18 of the 84 that the others have.
    assert pools([LENT[0]], MEANS) == []
    locked = {who: purse(0, stake=42) for who in (AN, BO, CAI)}
    lent = [loan(AN, an=42, cai=21), loan(BO, bo=42, cai=21)]
    assert pools(lent, locked) == []
    # A part of it not locked, and it is told with that part: 20 of 126.
    [pool] = pools(lent, locked | {CAI: purse(20, stake=22)})
    assert pool.assessed_bps == 20 * 10_000 // 126


def test_one_may_draw_what_all_of_a_ring_have() -> None:
    # 42 of the 84 that the others have: half of it. What An covers himself does not count.
    [pool] = pools([loan(AN, an=42, bo=22, cai=20)], MEANS)
    assert (pool.borrowers, pool.owed_minor, pool.owed_bps) == (1, 84, 5_000)
    assert pools([loan(AN, an=42, bo=22, cai=19)], MEANS) == []


def test_nothing_is_found_where_nothing_is_promised_or_nobody_has_anything() -> None:
    assert pools([], {}, []) == []
    assert pools(LENT, MEANS, []) == []
    assert pools(LENT, {}) == []
