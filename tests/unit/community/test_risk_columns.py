"""Many failings at once say what one failing says: the compiled loops against the plain rules."""

import random

import numpy as np
import pytest

from community.communities.charter import LiabilityMode
from community.guarantees.plan import HeldLine
from community.risk.ahead import Book, CoveredLine, LoanOut, Purse, Signed, fail
from community.risk.columns import Columns

MODES = [LiabilityMode.SEVERAL, LiabilityMode.JOINT_AND_SEVERAL, LiabilityMode.PLEDGE_ONLY]


def random_book(rng: random.Random, members: int) -> Book:
    """Loans with paths of nought, one and two promises; amounts small, so that ties are many."""
    purses = {
        m: Purse(
            stake := rng.choice([0, 3, 9, 20]),
            assessed := rng.choice([0, 0, 5, 14]),
            rng.randint(0, stake + assessed),
            rng.random() < 0.1,
        )
        for m in range(1, members + 1)
        if rng.random() < 0.95
    }
    vouches = {
        (a, b): number
        for number, (a, b) in enumerate(
            ((a, b) for a in range(1, members + 1) for b in range(1, members + 1) if a != b), 100
        )
    }
    loans, line_id = [], 1
    for loan_id in range(1, rng.randint(2, 2 * members)):
        borrower = rng.randint(1, members)
        others = [m for m in purses if m != borrower]
        lines = []
        if borrower in purses and rng.random() < 0.5:
            own = HeldLine(line_id, borrower, None, None, rng.randint(1, 9))
            lines.append(CoveredLine(own, None, None))
            line_id += 1
        direct = rng.sample(others, min(len(others), rng.randint(0, 4)))
        for guarantor in direct:
            inner = vouches[guarantor, borrower]
            if rng.random() < 0.8:
                held = HeldLine(line_id, guarantor, guarantor, None, rng.randint(1, 9))
                lines.append(CoveredLine(held, inner, None))
                line_id += 1
            for outer in rng.sample(others, min(len(others), rng.randint(0, 2))):
                if outer != guarantor:
                    held = HeldLine(line_id, outer, guarantor, outer, rng.randint(1, 9))
                    lines.append(CoveredLine(held, inner, vouches[outer, guarantor]))
                    line_id += 1
        signed = tuple(
            Signed(vouches[g, borrower], g, rng.randint(5, 40))
            for g in sorted(direct, key=lambda g: vouches[g, borrower])
        )
        total = sum(line.held.held_minor for line in lines)
        loans.append(
            LoanOut(
                loan_id,
                borrower,
                max(1, total + rng.choice([-2, 0, 0, 5])),
                rng.choice([*MODES, LiabilityMode.JOINT_AND_SEVERAL, LiabilityMode.NONE]),
                tuple(lines),
                signed,
                rng.random() < 0.8,
            )
        )
    rooms = {v: rng.randint(0, 12) for v in vouches.values() if rng.random() < 0.8}
    return Book(purses, tuple(loans), rooms)


@pytest.mark.parametrize("seed", range(60))
def test_many_failings_at_once_are_each_what_one_is(seed: int) -> None:
    rng = random.Random(seed)
    book = random_book(rng, rng.randint(2, 8))
    pays = rng.choice([0, 5_000, 10_000])
    columns = Columns(book, pays)
    spread, mode = rng.random() < 0.5, rng.choice([None, None, *MODES])
    borrowers = sorted(book.loans_of)
    cases = [frozenset(rng.sample(borrowers, rng.randint(1, len(borrowers)))) for _ in range(6)]
    partly = [
        {loan.loan_id: rng.randint(1, loan.owed_minor) for m in case for loan in book.loans_of[m]}
        if rng.random() < 0.3
        else {}
        for case in cases
    ]
    told = columns.fail(
        [np.array(sorted(columns.at[m] for m in case), np.int64) for case in cases],
        called=[
            (
                np.array([columns.loan_at[loan_id] for loan_id in asked], np.int64),
                np.array(list(asked.values()), np.int64),
            )
            for asked in partly
        ],
        mode=mode,
        spread=spread,
        keep_paid=True,
        threads=1 + seed % 2,
    )
    ruined: dict[int, int] = {}
    for place, (case, asked) in enumerate(zip(cases, partly, strict=True)):
        one = fail(book, case, assessed_pays_bps=pays, mode=mode, spread=spread, called=asked)
        row = slice(int(told.paid_start[place]), int(told.paid_start[place + 1]))
        paid = dict(
            zip(
                columns.members[told.paid_who[row]].tolist(),
                told.paid_amount[row].tolist(),
                strict=True,
            )
        )
        assert paid == one.paid
        assert told.lost[place] == one.lost_minor
        assert told.calls[place] == len(one.calls)
        assert told.ruined[place] == len(one.ruined)
        assert told.failed[place] == len(one.failed)
        for member in one.ruined:
            ruined[member] = ruined.get(member, 0) + 1
        # Whatever is owed is paid by somebody or lost.
        assert one.lost_minor + one.paid_minor + sum(one.own.values()) == sum(
            asked.get(loan.loan_id, loan.owed_minor) if m in case else loan.owed_minor
            for m in one.failed
            for loan in book.loans_of.get(m, ())
        )
    counted = {int(columns.members[p]): int(n) for p, n in enumerate(told.ruined_of.tolist()) if n}
    assert counted == ruined
    # A part of a book says the same of those in it.
    some = cases[0]
    if not spread:
        alone = fail(book.part(some), some, assessed_pays_bps=pays, mode=mode)
        whole = fail(book, some, assessed_pays_bps=pays, mode=mode)
        assert (alone.lost, alone.paid, alone.calls) == (whole.lost, whole.paid, whole.calls)
