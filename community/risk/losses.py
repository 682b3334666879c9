"""What a circle can cost: expected and at worst, to the pool and to members. Pure and exact.

A borrower fails within a year with the probability p that the charter gives their loan's class. Of
that, a part k (`fail_together_bps`) is the circle failing as a whole, the rest is each by themself:

    expected = (1 - k) * sum over borrowers b of p(b) * loss(b fails alone)
               + k * p * loss(all fail),     p = mean of p(b), weighted by what each owes

    worst    = loss(all fail)

Losses are what `ahead.fail` says, so what the system would really do. Halves go to the even unit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from community.communities.charter import CharterRules, LiabilityMode, RiskClass
from community.money import round_half_even
from community.risk.ahead import BPS, Book, fail
from community.risk.book import LoanTraits


@dataclass(frozen=True, slots=True)
class Loss:
    """What the failing of some costs the pool and, by member, those who stood for them."""

    pool_minor: int
    paid: Mapping[int, int]

    @property
    def members_minor(self) -> int:
        return sum(self.paid.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected and worst loss of a circle."""

    expected_pool_minor: int
    expected_members_minor: int
    worst_pool_minor: int
    worst_members_minor: int
    # At worst, who pays how much for others.
    worst_paid: Mapping[int, int]

    @property
    def expected_minor(self) -> int:
        return self.expected_pool_minor + self.expected_members_minor

    @property
    def worst_minor(self) -> int:
        return self.worst_pool_minor + self.worst_members_minor


Reckon = Callable[[Book, Sequence[frozenset[int]]], list[Loss]]


def one_by_one(book: Book, failing: Sequence[frozenset[int]], pays_bps: int) -> list[Loss]:
    """The loss of each of many failings, each by itself."""
    found = []
    for members in failing:
        told = fail(book.part(members), members, assessed_pays_bps=pays_bps)
        found.append(Loss(told.lost_minor, told.paid))
    return found


def failure_bps(
    book: Book, traits: Mapping[int, LoanTraits], rules: CharterRules
) -> dict[int, int]:
    """How likely each borrower is to fail: by the worst class of their loans."""
    order = list(RiskClass)
    found: dict[int, int] = {}
    for loan in book.loans:
        risk = rules.failure_bps[order.index(traits[loan.loan_id].risk_class)]
        found[loan.borrower_id] = max(found.get(loan.borrower_id, 0), risk)
    return found


@dataclass
class Reckoner:
    """Losses on one book, each worked out once."""

    book: Book
    failure: Mapping[int, int]
    together_bps: int
    pays_bps: int
    known: dict[frozenset[int], Loss] = field(default_factory=dict)

    def prepare(self, circles: Iterable[Iterable[int]], reckon: Reckon | None = None) -> None:
        """Work out at once what the costs of these circles need."""
        wanted: dict[frozenset[int], None] = {}
        for circle in circles:
            borrowers = self.borrowers(circle)
            for member in borrowers:
                wanted[frozenset({member})] = None
            if borrowers:
                wanted[frozenset(borrowers)] = None
        asked = [key for key in wanted if key not in self.known]
        found = reckon(self.book, asked) if reckon else one_by_one(self.book, asked, self.pays_bps)
        self.known.update(zip(asked, found, strict=True))

    def borrowers(self, members: Iterable[int]) -> list[int]:
        """Those of them who owe something."""
        return [member for member in members if member in self.book.loans_of]

    def cost(self, members: Iterable[int]) -> Cost:
        """What a circle of these members can cost."""
        borrowers = self.borrowers(members)
        if not borrowers:
            return Cost(0, 0, 0, 0, {})
        self.prepare([borrowers])
        worst = self.known[frozenset(borrowers)]
        owed = {b: sum(loan.owed_minor for loan in self.book.loans_of[b]) for b in borrowers}
        mean = Fraction(
            sum(self.failure.get(b, 0) * owed[b] for b in borrowers), sum(owed.values())
        )

        def expected(of: Callable[[Loss], int]) -> int:
            alone = sum(self.failure.get(b, 0) * of(self.known[frozenset({b})]) for b in borrowers)
            apart = Fraction((BPS - self.together_bps) * alone, BPS * BPS)
            return round_half_even(apart + self.together_bps * mean * of(worst) / (BPS * BPS))

        return Cost(
            expected(lambda loss: loss.pool_minor),
            expected(lambda loss: loss.members_minor),
            worst.pool_minor,
            worst.members_minor,
            worst.paid,
        )

    def on(self, book: Book) -> "Reckoner":
        """The same on another book: what if."""
        return Reckoner(book, self.failure, self.together_bps, self.pays_bps)


def is_joint(book: Book, members: Iterable[int]) -> bool:
    """Whether one of their loans may be asked of others across."""
    return any(
        loan.mode is LiabilityMode.JOINT_AND_SEVERAL
        for member in members
        for loan in book.loans_of.get(member, ())
    )
