"""Every posting rule balances, whatever the amounts, and moves only what it says."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from community.ledger import rules
from community.ledger.models import OWNED_KINDS, AccountKind
from community.ledger.rules import Leg

AMOUNT = st.integers(min_value=1, max_value=10**15)
MAYBE = st.integers(min_value=0, max_value=10**15)
MEMBER = st.integers(min_value=1, max_value=10**6)
MANY = st.dictionaries(MEMBER, AMOUNT, min_size=1, max_size=8)

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
    "loan_repaid": st.builds(
        rules.loan_repaid, MEMBER, MEMBER, principal=MAYBE, interest=MAYBE, overpaid=MAYBE
    ),
    "loan_paid_from_stake": st.builds(
        rules.loan_paid_from_stake, MEMBER, MEMBER, principal=MAYBE, interest=MAYBE
    ),
    "loan_paid_from_reserve": st.builds(
        rules.loan_paid_from_reserve, MEMBER, principal=MAYBE, interest=MAYBE
    ),
    "loan_written_off": st.builds(rules.loan_written_off, MEMBER, MEMBER, AMOUNT),
    "loan_recovered": st.builds(rules.loan_recovered, MEMBER, MEMBER, AMOUNT),
    "recourse_arisen": st.builds(rules.recourse_arisen, MEMBER, st.none() | MEMBER, AMOUNT),
    "recourse_settled": st.builds(
        rules.recourse_settled,
        MEMBER,
        MEMBER,
        st.lists(st.tuples(st.none() | MEMBER, AMOUNT), min_size=1, max_size=6),
    ),
}


def test_every_rule_is_tried_here() -> None:
    public = {
        name
        for name, function in inspect.getmembers(rules, inspect.isfunction)
        if function.__module__ == rules.__name__ and not name.startswith("_")
    }
    assert RULES.keys() == public


@given(data=st.data())
def test_every_rule_balances_and_names_owners_of_owned_accounts_only(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(RULES)))
    legs = data.draw(RULES[name], label=name)
    assert sum(leg.amount_minor for leg in legs) == 0
    for leg in legs:
        assert leg.amount_minor != 0
        assert (leg.owner_id is not None) == (leg.kind in OWNED_KINDS)


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
