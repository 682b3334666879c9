"""A few who promise each other more than they have, and borrow on it; by hand."""

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


def purse(assessed: int, stake: int = 0, reserved: int = 0) -> Purse:
    return Purse(stake, assessed, reserved)


RING = [(AN, BO, 50), (BO, CAI, 50), (CAI, AN, 50)]
MEANS = {AN: purse(42, reserved=42), BO: purse(42, reserved=42), CAI: purse(42, reserved=36)}
LENT = [loan(AN, an=42, cai=18), loan(BO, bo=42, cai=18)]


def pools(
    loans: list[LoanOut], purses: dict[int, Purse], promises: list[tuple[int, int, int]] = RING
) -> list[Pool]:
    return closed_pools(loans, purses, promises, share_bps=9_000)


def test_three_who_promise_more_than_they_have_and_borrow_on_it_are_a_pool() -> None:
    [pool] = pools(LENT, MEANS)
    assert pool.members == (AN, BO, CAI)
    assert (pool.borrowers, pool.owed_minor) == (2, 120)
    # 120 of 120 is their own; 120 of 126 is used: 95.23 %; nothing is locked.
    assert (pool.inside_bps, pool.used_bps, pool.assessed_bps) == (10_000, 9_523, 10_000)


def test_a_promise_that_could_be_kept_is_no_part_of_a_ring() -> None:
    assert pools(LENT, MEANS | {BO: purse(50)}) == []
    assert pools(LENT, MEANS | {BO: purse(49)}) != []
    # Who has nothing promises nothing that anybody could count on.
    assert pools(LENT, MEANS | {BO: purse(0)}) == []


def test_small_words_to_outsiders_neither_hide_a_ring_nor_draw_them_in() -> None:
    outside = [(AN, EVE, 10), (EVE, AN, 10), (BO, DAI, 40), (DAI, BO, 10)]
    purses = MEANS | {EVE: purse(90), DAI: purse(20)}
    lent = [LENT[0], loan(BO, bo=42, cai=18, eve=10)]
    # 120 of 130 is 92.3 %.
    [pool] = pools(lent, purses, RING + outside)
    assert (pool.members, pool.inside_bps) == ((AN, BO, CAI), 9_230)
    # 120 of 134 is less than nine tenths.
    assert pools([LENT[0], loan(BO, bo=42, cai=18, eve=14)], purses, RING + outside) == []


def test_couples_single_borrowers_and_what_is_locked_are_not_told() -> None:
    couple = [(AN, BO, 50), (BO, AN, 50)]
    assert pools([loan(AN, an=20, bo=20), loan(BO, bo=20, an=20)], MEANS, couple) == []
    assert pools([LENT[0]], MEANS) == []
    locked = {who: purse(0, stake=42) for who in (AN, BO, CAI)}
    lent = [loan(AN, an=42, cai=21), loan(BO, bo=42, cai=21)]
    assert pools(lent, locked) == []
    # A part of it not locked, and it is told with that part: 20 of 126.
    [pool] = pools(lent, locked | {CAI: purse(20, stake=22)})
    assert pool.assessed_bps == 20 * 10_000 // 126


def test_nothing_is_found_where_nothing_is_promised() -> None:
    assert pools([], {}, []) == []
    assert pools(LENT, MEANS, []) == []
