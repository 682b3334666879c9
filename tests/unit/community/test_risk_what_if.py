"""Steps of calls, promises that are less, levels of the map: pure, by hand."""

from community.communities.charter import LiabilityMode
from community.guarantees.plan import HeldLine
from community.risk.ahead import Book, CoveredLine, LoanOut, Purse, fail
from community.risk.network_map import level_of, steps_of
from community.risk.what_if import limited


def test_whoever_stands_behind_a_guarantor_is_called_a_step_later() -> None:
    # Two promised 100, of which 50 rest on three, who promised to two. Two has 30 to pay with.
    lines = (
        CoveredLine(HeldLine(1, 2, 2, None, 50), 12, None),
        CoveredLine(HeldLine(2, 3, 2, 3, 50), 12, 23),
    )
    book = Book(
        {2: Purse(0, 50, 50), 3: Purse(0, 80, 50)},
        (LoanOut(1, 1, 100, LiabilityMode.SEVERAL, lines),),
        {},
    )
    told = fail(book, {1}, assessed_pays_bps=6_000)
    assert [(call.guarantor_id, call.step, call.amount_minor) for call in told.calls] == [
        (2, 1, 100),
        (3, 2, 50),
    ]
    # Limited to 60, two is asked for 60: 20 of each line are gone.
    less = limited(book, 12, 60, 100)
    assert [line.held.held_minor for line in less.loans[0].lines] == [30, 30]
    assert {member: purse.reserved_minor for member, purse in less.purses.items()} == {2: 30, 3: 30}
    assert less.loans[0].owed_minor == 100
    assert fail(less, {1}).lost_minor == 40


def test_levels_are_parts_of_the_worst() -> None:
    steps = steps_of(80_00)
    assert steps == (10_00, 20_00, 40_00)
    assert [level_of(each, steps) for each in (0, 1, 10_00, 10_01, 20_01, 40_01, 80_00)] == [
        0, 1, 1, 2, 3, 4, 4,
    ]  # fmt: skip
