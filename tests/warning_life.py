"""A village's loans as a generator lives them, with known causes of trouble.

Who does not save comes into trouble more often, and so does who paid the last instalment late:
both raise the hazard of every due. Who stopped paying never begins again. Nothing else matters.
"""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from math import exp

import numpy as np

from community.communities.charter import CharterRules, read_rules
from community.communities.templates import load
from community.scoring.facts import Lives
from community.scoring.features import LoanLife, MemberLife, Plan, Receipt, Tie
from community.scoring.training import Made, make_model, make_panel

FIRST = date(2024, 1, 10)
_MONTH = 30


def make_lives(
    borrowers: int,
    seed: int,
    *,
    months: int = 24,
    instalments: int = 10,
    hazard: float = -5.0,
    not_saving: float = 1.6,
    late_before: float = 1.6,
) -> Lives:
    """Borrowers with a loan each, begun on any day of the months, one in three with another."""
    rng = np.random.default_rng(seed)
    first = FIRST.toordinal()
    loans: list[LoanLife] = []
    members: dict[int, MemberLife] = {}
    end = first + months * _MONTH
    for member in range(1, borrowers + 1):
        saves = bool(rng.random() < 0.6)
        deposits = tuple(
            (day, day)
            for day in range(first - 200, end, _MONTH)
            if rng.random() < (0.9 if saves else 0.1)
        )
        voucher = int(rng.integers(1, borrowers + 1))
        ties = (Tie(voucher, first - 300, None, False, ((first - 300, end + 300),)),)
        members[member] = MemberLife(
            joined=first - int(rng.integers(30, 1500)), deposits=deposits, ties=ties
        )
        start = first + int(rng.integers(0, (months - 6) * _MONTH))
        for _ in range(2 if rng.random() < 1 / 3 else 1):
            days = tuple(start + _MONTH * n for n in range(1, instalments + 1))
            receipts: list[Receipt] = []
            late = False
            for due_on in days:
                logit = hazard + not_saving * (not saves) + late_before * late
                if rng.random() < 1 / (1 + exp(-logit)):
                    break
                late = bool(rng.random() < 0.2)
                paid_on = due_on + (int(rng.integers(5, 20)) if late else 0)
                receipts.append(Receipt(paid_on, paid_on, 100_00))
            is_over = len(receipts) == instalments
            loans.append(
                LoanLife(
                    loan_id=len(loans) + 1,
                    borrower_id=member,
                    community_id=1,
                    from_day=start,
                    principal_minor=100_00 * instalments,
                    plans=(Plan(0, days, tuple(100_00 * n for n in range(1, instalments + 1))),),
                    receipts=tuple(receipts),
                    ended=receipts[-1].day if is_over else None,
                )
            )
            if not is_over:
                break
            start = receipts[-1].day + 5
    own: dict[int, list[LoanLife]] = {}
    for loan in loans:
        own.setdefault(loan.borrower_id, []).append(loan)
    return Lives(tuple(loans), {member: tuple(theirs) for member, theirs in own.items()}, members)


def lenient_rules() -> CharterRules:
    """The template's, with a minimum that a generated village reaches."""
    rules = read_rules(load("village-cooperative")["rules"])
    return replace(rules, warning_bad_min=20, warning_loans_min=60)


@cache
def made_model(borrowers: int = 500, seed: int = 5) -> Made:
    """A model made from such a life, with the template's target."""
    rules = lenient_rules()
    on = FIRST + timedelta(days=24 * 30)
    panel = make_panel(make_lives(borrowers, 11), rules=rules, from_on=FIRST, on=on)
    return make_model(panel, rules=rules, seed=seed)
