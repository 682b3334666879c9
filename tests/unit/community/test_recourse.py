"""The laws of linked claims, whatever happens in whatever order."""

from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from community.guarantees import recourse

MONEY = st.integers(0, 10**9)
WEIGHTS = st.lists(MONEY, min_size=1, max_size=8)
# What happens: who of the row acts, on which holding, with how much, after how many days.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["borrower", "settle", "waive"]),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(1, 1_500),
        st.integers(0, 400),
    ),
    max_size=12,
)
RATE, YEAR = 73_000, 365


@given(MONEY, WEIGHTS)
def test_parts_are_pro_rata_to_the_last_unit(total: int, weights: list[int]) -> None:
    parts = recourse.pro_rata(total, weights)
    base = sum(weights)
    assert sum(parts) == min(total, base)
    for part, weight in zip(parts, weights, strict=True):
        assert 0 <= part <= weight
        if base:
            assert abs(part - Fraction(min(total, base) * weight, base)) < 1


def test_the_largest_remainder_has_the_unit_that_is_left_then_the_first() -> None:
    # 15.88, 13.24, 10.59 and 5.29
    assert recourse.pro_rata(45, [30, 25, 20, 10]) == [16, 13, 11, 5]
    assert recourse.pro_rata(1, [5, 5]) == [1, 0]
    assert recourse.pro_rata(5, [0, 0]) == [0, 0]


@given(st.integers(0, 10**12), st.lists(st.integers(0, 400), max_size=10), st.integers(0, 10**6))
def test_interest_in_many_steps_is_interest_in_one(
    principal: int, days: list[int], rate: int
) -> None:
    total, carry = 0, 0
    for count in days:
        grown, carry = recourse.interest(
            principal, count, rate_ppm=rate, year_days=YEAR, carry=carry
        )
        total += grown
    assert total == principal * rate * sum(days) // (recourse.PPM * YEAR)


@dataclass
class Holding:
    """What somebody has to get from the members before them in the row, rank by rank."""

    owner: int
    principal: list[int]
    interest: list[int]
    carry: list[int] = field(default_factory=list)
    got: int = 0
    gave: int = 0
    gave_principal: int = 0

    def grow(self, days: int) -> int:
        grown = []
        for rank, layer in enumerate(recourse.layers(self.principal)):
            amount, self.carry[rank] = recourse.interest(
                layer, days, rate_ppm=RATE, year_days=YEAR, carry=self.carry[rank]
            )
            grown.append(amount)
        self.interest = [old + sum(grown[i:]) for i, old in enumerate(self.interest)]
        return sum(grown)

    def fall(self, principal: list[int], interest: list[int]) -> None:
        self.principal = [a - b for a, b in zip(self.principal, principal, strict=True)]
        self.interest = [a - b for a, b in zip(self.interest, interest, strict=True)]


@given(st.integers(1, 10_000), st.integers(1, 4), STEPS, st.booleans())
def test_nobody_gains_and_nobody_pays_for_more_than_was_paid(
    paid: int,
    debtors: int,
    steps: list[tuple[str, int, int, int, int]],
    interest_first: bool,
) -> None:
    """The payer stands behind a row of debtors, the borrower at 0; each may pay or be let off."""
    book = [Holding(debtors, [paid] * debtors, [0] * debtors, [0] * debtors, gave=paid)]
    from_borrower = let_off = bound = 0
    for act, which, rank, amount, days in steps:
        for one in book:
            bound += one.grow(days)
        if act == "borrower":
            before = [(one.interest[0], one.principal[0]) for one in book]
            parts = recourse.spread(amount, before, interest_first=interest_first)
            assert sum(map(sum, parts)) == min(amount, sum(map(sum, before)))
            for one, (interest, principal) in zip(book, parts, strict=True):
                one.fall(
                    recourse.paid(one.principal, 0, principal),
                    recourse.paid(one.interest, 0, interest),
                )
                one.got += interest + principal
                from_borrower += interest + principal
        else:
            one = book[which % len(book)]
            rank %= len(one.principal)
            interest, principal = recourse.split(
                amount, one.interest[rank], one.principal[rank], interest_first=interest_first
            )
            change = recourse.paid if act == "settle" else recourse.waived
            one.fall(change(one.principal, rank, principal), change(one.interest, rank, interest))
            if act == "waive":
                let_off += (interest + principal) * (rank == 0)
            else:
                one.got += interest + principal
                if rank == 0:
                    from_borrower += interest + principal
                elif interest + principal:
                    book.append(
                        Holding(
                            rank,
                            [principal] * rank,
                            [interest] * rank,
                            [0] * rank,
                            gave=interest + principal,
                            gave_principal=principal,
                        )
                    )
        for one in book:
            # Nobody behind owes more than those before; nothing is below zero.
            assert one.principal == sorted(one.principal, reverse=True)
            assert one.interest == sorted(one.interest, reverse=True)
            assert min(one.principal + one.interest) >= 0
        # Each debt once: what was paid and what it bore is with somebody, or still open.
        still = sum(one.principal[0] + one.interest[0] for one in book)
        assert paid + bound == from_borrower + let_off + still
        for one in book:
            # Whoever gave money never gets back more than that and what it may bear.
            assert one.got + one.principal[0] + one.interest[0] <= one.gave + bound
        assert bound <= Fraction(paid * RATE * sum(s[4] for s in steps), recourse.PPM * YEAR)
