"""Stress tests: who fails in each draw, and what all draws come to. Pure and reproducible.

Draw k of seed s has a generator of its own, made from (s, k): draws can be worked off in any order,
by any number of workers, and always say the same. Calls and losses are those of `ahead.fail`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from community.communities.charter import CharterRules, LiabilityMode
from community.money import round_half_even
from community.risk.ahead import BPS, Outcome, fail
from community.risk.book import Desk
from community.risk.columns import Columns
from community.risk.losses import failure_bps

Ints = NDArray[np.int64]
# Loans that may fail in all draws together, beyond which compiling the loops pays.
_BY_HAND_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Shock:
    """Who is hit, how hard, and by which rules others pay."""

    # Members who fail if they are hit; of a price, whose loans are short.
    members: frozenset[int]
    # Loans that are short by an amount, without failing in full.
    short: Mapping[int, int] = field(default_factory=dict)
    # How many of 10,000 of the members are hit.
    severity_bps: int = BPS
    # Everybody else fails by their class meanwhile, with one cause in common.
    background: bool = False
    mode: LiabilityMode | None = None
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """Who fails in a draw, and the loans that are short only (empty: all of theirs fail)."""

    members: frozenset[int]
    called: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DrawRow:
    """What a draw comes to."""

    number: int
    failed: int
    calls: int
    ruined: int
    pool_minor: int
    reserve_minor: int
    members_minor: int

    @property
    def lost_minor(self) -> int:
        return self.pool_minor + self.reserve_minor


@dataclass(slots=True)
class Tally:
    """By member, over all draws so far: failed, called, ruined, paid in all and at most."""

    rows: dict[int, list[int]] = field(default_factory=dict)

    def add(self, member: int, figures: Sequence[int]) -> None:
        row = self.rows.setdefault(member, [0, 0, 0, 0, 0])
        for place in range(4):
            row[place] += figures[place]
        row[4] = max(row[4], figures[4])


class Stress:
    """One stress test on one book."""

    def __init__(self, desk: Desk, rules: CharterRules, shock: Shock, seed: int) -> None:
        self.desk, self.rules, self.shock, self.seed = desk, rules, shock, seed
        risk = failure_bps(desk.book, desk.traits, rules)
        self.borrowers = sorted(risk)
        normal = NormalDist()
        # Certainty and impossibility have no quantile.
        self.thresholds = np.array(
            [
                np.inf if risk[m] >= BPS else -np.inf if risk[m] == 0
                else normal.inv_cdf(risk[m] / BPS)
                for m in self.borrowers
            ]
        )  # fmt: skip
        self.hit = np.array(sorted(shock.members), np.int64)
        self.columns: Columns | None = None

    def draw(self, number: int) -> Drawn:
        """Who fails in this draw."""
        rng = np.random.default_rng([self.seed, number])
        is_hit = rng.integers(0, BPS, self.hit.size) < self.shock.severity_bps
        members = set(self.hit[is_hit].tolist())
        others: set[int] = set()
        if self.shock.background:
            common = rng.standard_normal()
            own = rng.standard_normal(len(self.borrowers))
            weight = self.rules.common_factor_bps / BPS
            fails = sqrt(weight) * common + sqrt(1 - weight) * own < self.thresholds
            others = {self.borrowers[at] for at in np.flatnonzero(fails).tolist()} - members
        called: dict[int, int] = {}
        if self.shock.short:
            loans_of = self.desk.book.loans_of
            for member in members:
                for loan in loans_of.get(member, ()):
                    if loan.loan_id in self.shock.short:
                        called[loan.loan_id] = self.shock.short[loan.loan_id]
            for member in others:
                called |= {loan.loan_id: loan.owed_minor for loan in loans_of[member]}
        return Drawn(frozenset(members | others), called)

    def work(self, numbers: Sequence[int], tally: Tally, *, threads: int = 1) -> list[DrawRow]:
        """Work some draws off, and add what they come to by member."""
        drawn = [self.draw(number) for number in numbers]
        loans_of = self.desk.book.loans_of
        size = sum(len(loans_of.get(member, ())) for each in drawn for member in each.members)
        if self.columns is None and size <= _BY_HAND_MAX:
            return list(self._one_by_one(numbers, drawn, tally))
        return list(self._at_once(numbers, drawn, tally, threads))

    def calls(self, number: int) -> Outcome:
        """One draw in full, call by call."""
        return self._fail(self.draw(number))

    def _fail(self, drawn: Drawn) -> Outcome:
        return fail(
            self.desk.book,
            drawn.members,
            assessed_pays_bps=self.rules.assessed_pays_bps,
            mode=self.shock.mode,
            spread=self.shock.spread,
            called=drawn.called,
        )

    def _one_by_one(
        self, numbers: Sequence[int], drawn: Sequence[Drawn], tally: Tally
    ) -> Iterator[DrawRow]:
        for number, each in zip(numbers, drawn, strict=True):
            told = self._fail(each)
            called = {call.guarantor_id for call in told.calls}
            ruined = set(told.ruined)
            for member in {*called, *ruined, *told.failed, *told.paid}:
                paid = told.paid.get(member, 0)
                tally.add(
                    member,
                    (member in told.failed, member in called, member in ruined, paid, paid),
                )
            yield self._row(
                number,
                told.lost_minor,
                told.paid_minor,
                len(told.calls),
                len(told.ruined),
                len(told.failed),
            )

    def _at_once(
        self, numbers: Sequence[int], drawn: Sequence[Drawn], tally: Tally, threads: int
    ) -> Iterator[DrawRow]:
        if self.columns is None:
            self.columns = Columns(self.desk.book, self.rules.assessed_pays_bps)
        columns = self.columns
        told = columns.fail(
            [_places(columns.at, each.members) for each in drawn],
            called=[
                (
                    np.array([columns.loan_at[loan] for loan in each.called], np.int64),
                    np.array(list(each.called.values()), np.int64),
                )
                for each in drawn
            ],
            mode=self.shock.mode,
            spread=self.shock.spread,
            threads=threads,
        )
        table = np.stack(
            [told.failed_of, told.called_of, told.ruined_of, told.paid_sum, told.paid_most]
        )
        for place in np.flatnonzero(table.any(axis=0)).tolist():
            tally.add(int(columns.members[place]), table[:, place].tolist())
        for number, *figures in zip(
            numbers,
            *(column.tolist() for column in (told.lost, told.paid, told.calls)),
            *(column.tolist() for column in (told.ruined, told.failed)),
            strict=True,
        ):
            yield self._row(number, *figures)

    def _row(
        self, number: int, lost: int, paid: int, calls: int, ruined: int, failed: int
    ) -> DrawRow:
        reserve = min(lost, self.desk.reserve_fund_minor)
        return DrawRow(number, failed, calls, ruined, lost - reserve, reserve, paid)


def summed_up(rows: Iterable[DrawRow], *, tail_bps: int) -> dict[str, Any]:
    """Mean, quantiles, worst and expected shortfall of what is lost, by the pool and by members.

    Expected shortfall is the mean of the worst `tail_bps` of the draws, of one at least. Means are
    whole minor units, halves to the even neighbour.
    """
    listed = list(rows)
    tail = max(1, -(-len(listed) * tail_bps // BPS))
    found: dict[str, Any] = {"draws": len(listed), "tail_draws": tail}
    for name in ("pool", "reserve", "lost", "members"):
        amounts = sorted((getattr(row, f"{name}_minor") for row in listed), reverse=True)
        found[name] = {
            "mean_minor": _mean(amounts),
            "median_minor": amounts[len(amounts) // 2],
            "worst_minor": amounts[0],
            "shortfall_minor": _mean(amounts[:tail]),
        }
    found["ruined_mean_thousandths"] = _mean([1000 * row.ruined for row in listed])
    found["calls_mean_thousandths"] = _mean([1000 * row.calls for row in listed])
    # The draw in which most is lost, then most is paid by members; the first of equals.
    worst = max(listed, key=lambda row: (row.lost_minor, row.members_minor, -row.number))
    found["worst_draw"] = worst.number
    return found


def _mean(amounts: Sequence[int]) -> int:
    return round_half_even(Fraction(sum(amounts), len(amounts)))


def _places(at: Mapping[int, int], members: Iterable[int]) -> Ints:
    return np.array(sorted(at[member] for member in members if member in at), np.int64)
