"""Every posting rule balances, whatever the amounts, and moves only what it says."""

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.ledger import rules
from community.ledger.chart import LINES, AccountClass
from community.ledger.models import OWNED_KINDS, AccountKind
from community.ledger.rules import Leg
from community.savings.models import SavingsMovementKind
from config.settings import ROOT

AMOUNT = st.integers(min_value=1, max_value=10**15)
MAYBE = st.integers(min_value=0, max_value=10**15)
MOVE = st.integers(min_value=-(10**15), max_value=10**15)
MEMBER = st.integers(min_value=1, max_value=10**6)
MANY = st.dictionaries(MEMBER, AMOUNT, min_size=1, max_size=8)

DEBT = dict.fromkeys(("principal", "interest", "interest_receivable", "fee", "penalty"), MAYBE)

RULES: dict[str, st.SearchStrategy[list[Leg]]] = {
    "capital_received": st.builds(rules.capital_received, AMOUNT),
    "reserve_funded": st.builds(rules.reserve_funded, AMOUNT),
    "savings_deposited": st.builds(rules.savings_deposited, MEMBER, AMOUNT),
    "many_savings_deposited": st.builds(rules.many_savings_deposited, MANY),
    "savings_withdrawn": st.builds(rules.savings_withdrawn, MEMBER, AMOUNT),
    "suspense_received": st.builds(rules.suspense_received, AMOUNT),
    "suspense_released": st.builds(rules.suspense_released, AMOUNT),
    "stake_locked": st.builds(rules.stake_locked, MANY),
    "stake_released": st.builds(rules.stake_released, MEMBER, AMOUNT),
    "loan_disbursed": st.builds(rules.loan_disbursed, MEMBER, MEMBER, AMOUNT),
    "loan_paid_to_payees": st.builds(
        lambda parts, rest: rules.loan_paid_to_payees(1, 2, sum(parts) + rest, parts),
        st.lists(AMOUNT, min_size=1, max_size=6),
        MAYBE,
    ),
    "loan_repaid": st.builds(rules.loan_repaid, MEMBER, MEMBER, **DEBT, overpaid=MAYBE),
    "receipt_moved": st.builds(
        rules.receipt_moved,
        MEMBER,
        MEMBER,
        **dict.fromkeys(("principal", "interest", "fee", "penalty"), MOVE),
    ),
    "loan_paid_from_stake": st.builds(rules.loan_paid_from_stake, MEMBER, MEMBER, **DEBT),
    "loan_paid_from_reserve": st.builds(rules.loan_paid_from_reserve, MEMBER, **DEBT),
    "loan_written_off": st.builds(rules.loan_written_off, MEMBER, MEMBER, AMOUNT),
    "loan_recovered": st.builds(rules.loan_recovered, MEMBER, MEMBER, AMOUNT),
    "recourse_arisen": st.builds(rules.recourse_arisen, MEMBER, st.none() | MEMBER, AMOUNT),
    "recourse_settled": st.builds(
        rules.recourse_settled,
        MEMBER,
        MEMBER,
        st.lists(st.tuples(st.none() | MEMBER, AMOUNT), min_size=1, max_size=6),
    ),
    "recourse_interest": st.builds(
        rules.recourse_interest,
        st.lists(st.tuples(MEMBER, st.none() | MEMBER, AMOUNT), min_size=1, max_size=6),
    ),
    "recourse_settled_outside": st.builds(rules.recourse_settled_outside, MEMBER, MEMBER, AMOUNT),
    "recourse_taken_over": st.builds(rules.recourse_taken_over, MEMBER, MEMBER, MEMBER, AMOUNT),
    "recourse_waived": st.builds(rules.recourse_waived, MEMBER, st.none() | MEMBER, AMOUNT),
    "interest_accrued": st.builds(rules.interest_accrued, AMOUNT),
    "interest_taken_back": st.builds(rules.interest_taken_back, AMOUNT),
    "fee_charged": st.builds(rules.fee_charged, MEMBER, MEMBER, AMOUNT),
    "fee_waived": st.builds(rules.fee_waived, MEMBER, MEMBER, AMOUNT),
    "penalty_charged": st.builds(rules.penalty_charged, MEMBER, MEMBER, AMOUNT),
    "penalty_waived": st.builds(rules.penalty_waived, MEMBER, MEMBER, AMOUNT),
    "provision_raised": st.builds(rules.provision_raised, AMOUNT),
    "provision_released": st.builds(rules.provision_released, AMOUNT),
    "line_reserve_paid_in": st.builds(rules.line_reserve_paid_in, MEMBER, AMOUNT),
    "line_reserve_set_aside": st.builds(rules.line_reserve_set_aside, AMOUNT),
    "line_reserve_used": st.builds(rules.line_reserve_used, MEMBER, AMOUNT),
    "line_reserve_refilled": st.builds(rules.line_reserve_refilled, MEMBER, AMOUNT),
    "line_reserve_returned": st.builds(
        rules.line_reserve_returned,
        st.dictionaries(st.none() | MEMBER, AMOUNT, min_size=1, max_size=6),
    ),
    "suspense_returned": st.builds(rules.suspense_returned, AMOUNT),
}


def public_rules() -> set[str]:
    return {
        name
        for name, function in inspect.getmembers(rules, inspect.isfunction)
        if function.__module__ == rules.__name__ and not name.startswith("_")
    }


def test_every_rule_is_tried_here() -> None:
    assert RULES.keys() == public_rules()


def test_every_rule_stands_in_the_table_with_a_sentence_and_names() -> None:
    listed = {rule.legs.__name__ for rule in rules.RULES.values()}
    assert public_rules() - listed == {"savings_deposited"}  # the short form of another one
    assert len(listed) == len(rules.RULES)
    for kind, rule in rules.RULES.items():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind)
        assert len(f"{kind}.reversed") <= 40, "a reversal's kind has to fit its column"
        assert re.fullmatch(r"[A-Z].*[.]", rule.sentence)
        assert rule.name_en
        assert re.search("[\u4e00-\u9fff]", rule.name_zh)


def test_every_kind_of_entry_that_is_posted_stands_in_the_table() -> None:
    """A statement has to be able to say what each movement was."""
    literal = re.compile(r'"((?:capital|reserve|savings|loan|recourse)\.[a-z_]+)"')
    posting = (
        "loans/service.py",
        "loans/history.py",
        "loans/repayments.py",
        "guarantees/service.py",
        "guarantees/claims.py",
        "credit/service.py",
    )
    found = {
        kind
        for path in posting
        for kind in literal.findall((ROOT / "community" / path).read_text(encoding="utf-8"))
    }
    events = {
        "loan.endorsement_given",
        "loan.cover_reserved",
        "loan.cover_short",
        "loan.receipt_reversed",
    }
    movements = {f"savings.{kind.value}" for kind in SavingsMovementKind}
    assert (found - events) | movements <= rules.RULES.keys()
    assert len(found - events) >= 9


@pytest.mark.parametrize("name", sorted(RULES))
@given(data=st.data())
def test_a_rule_balances_and_names_owners_of_owned_accounts_only(
    name: str, data: st.DataObject
) -> None:
    legs = data.draw(RULES[name], label=name)
    assert sum(leg.amount_minor for leg in legs) == 0
    # Money between members never becomes the lender's: the memorandum balances by itself.
    beside = [leg for leg in legs if LINES[leg.kind].account_class is AccountClass.MEMORANDUM]
    assert sum(leg.amount_minor for leg in beside) == 0
    for leg in legs:
        assert leg.amount_minor != 0
        assert (leg.owner_id is not None) == (leg.kind in OWNED_KINDS)


A = AccountKind
FIVE = {"principal": 100, "interest": 7, "interest_receivable": 11, "fee": 3, "penalty": 2}
WORKED: list[tuple[list[Leg], dict[AccountKind, int]]] = [
    (
        rules.loan_repaid(1, 2, **FIVE, overpaid=4),
        {
            A.LENDING_CASH: 123,
            A.LOAN_PRINCIPAL: -100,
            A.INTEREST_INCOME: -7,
            A.INTEREST_RECEIVABLE: -11,
            A.FEE_RECEIVABLE: -3,
            A.PENALTY_RECEIVABLE: -2,
            A.SAVINGS_CASH: 4,
            A.OVERPAYMENT: -4,
        },
    ),
    (
        rules.loan_paid_from_reserve(1, **FIVE),
        {
            A.RESERVE_FUND: 123,
            A.LOAN_PRINCIPAL: -100,
            A.INTEREST_INCOME: -7,
            A.INTEREST_RECEIVABLE: -11,
            A.FEE_RECEIVABLE: -3,
            A.PENALTY_RECEIVABLE: -2,
        },
    ),
    (rules.interest_accrued(8), {A.INTEREST_RECEIVABLE: 8, A.INTEREST_INCOME: -8}),
    (rules.interest_accrued(-8), {A.INTEREST_RECEIVABLE: -8, A.INTEREST_INCOME: 8}),
    (rules.interest_accrued(0), {}),
    (rules.fee_charged(1, 2, 5), {A.FEE_RECEIVABLE: 5, A.FEE_INCOME: -5}),
    (rules.fee_waived(1, 2, 5), {A.FEE_RECEIVABLE: -5, A.FEE_INCOME: 5}),
    (rules.penalty_charged(1, 2, 5), {A.PENALTY_RECEIVABLE: 5, A.PENALTY_INCOME: -5}),
    (rules.penalty_waived(1, 2, 5), {A.PENALTY_RECEIVABLE: -5, A.PENALTY_INCOME: 5}),
    (rules.provision_raised(5), {A.PROVISION_EXPENSE: 5, A.LOAN_LOSS_ALLOWANCE: -5}),
    (rules.provision_released(5), {A.PROVISION_EXPENSE: -5, A.LOAN_LOSS_ALLOWANCE: 5}),
    (rules.suspense_received(5), {A.SAVINGS_CASH: 5, A.SUSPENSE: -5}),
    (rules.suspense_returned(5), {A.SUSPENSE: 5, A.SAVINGS_CASH: -5}),
]


@pytest.mark.parametrize(("legs", "expected"), WORKED)
def test_rules_worked_by_hand(legs: list[Leg], expected: dict[AccountKind, int]) -> None:
    assert _moved(legs) == expected


@given(principal=MAYBE, interest=MAYBE)
def test_a_stake_pays_the_pool_out_of_custody(principal: int, interest: int) -> None:
    moved = _moved(rules.loan_paid_from_stake(1, 2, principal=principal, interest=interest))
    total = principal + interest
    assert moved.get(AccountKind.MEMBER_STAKE, 0) == total
    assert moved.get(AccountKind.SAVINGS_CASH, 0) == -total
    assert moved.get(AccountKind.LENDING_CASH, 0) == total
    assert moved.get(AccountKind.LOAN_PRINCIPAL, 0) == -principal


@given(amounts=MANY)
def test_members_savings_never_touch_the_lending_pool(amounts: dict[int, int]) -> None:
    for legs in (rules.many_savings_deposited(amounts), rules.stake_locked(amounts)):
        assert AccountKind.LENDING_CASH not in _moved(legs)


def _moved(legs: list[Leg]) -> dict[AccountKind, int]:
    moved: dict[AccountKind, int] = {}
    for leg in legs:
        moved[leg.kind] = moved.get(leg.kind, 0) + leg.amount_minor
    return moved
