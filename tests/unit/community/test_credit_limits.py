"""Which rule binds a limit, worked by hand on plain values."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from community.communities import templates
from community.communities.charter import CharterRules, LiabilityMode, read_rules
from community.credit.limits import (
    REMEDIES,
    BorrowerFacts,
    Capacity,
    Constraint,
    Source,
    binding,
    constraints,
    line_constraints,
)
from community.credit.stagger import Stagger
from community.lines.headroom import Headroom
from community.money import share_bps
from community.products.terms import ProductTerms, read_terms
from tests.lending import MONTHLY

CHARTER = Source("charter", "com_0000000000000000", 3)
PRODUCT = Source("product", "prd_0000000000000000", 2)
LINE = Source("credit_line", "lin_0000000000000000", 4)


def charter(**changes: Any) -> CharterRules:
    rules = read_rules(templates.load("village-cooperative")["rules"])
    return replace(rules, **changes)


def terms(**changes: Any) -> ProductTerms:
    return read_terms(MONTHLY | changes)


def found(
    flow: int = 1_000_00,
    facts: BorrowerFacts = BorrowerFacts(),
    product: ProductTerms | None = None,
    cover_flow: int | None = None,
    **rules: Any,
) -> dict[str, Constraint]:
    listed = constraints(
        rules=charter(**rules),
        charter=CHARTER,
        facts=facts,
        flow_minor=flow,
        cover_flow_minor=flow if cover_flow is None else cover_flow,
        terms=product,
        product=PRODUCT if product else None,
    )
    return {constraint.name: constraint for constraint in listed}


def test_trust_binds_where_the_circle_is_small() -> None:
    listed = found(flow=700_00)
    assert {name: item.value_minor for name, item in listed.items()} == {
        "trust": 700_00,
        "owed_per_member": 100_000_00,
        "loan_cycle": 10_000_00,
    }
    assert binding(listed.values()).name == "trust"
    assert listed["trust"].source == CHARTER
    assert listed["trust"].rule == "leverage_bps"


def test_leverage_multiplies_trust_and_rounds_down() -> None:
    assert found(flow=333, leverage_bps=15_000)["trust"].value_minor == 499


def test_what_is_owed_comes_off_the_rules_on_the_whole_debt_but_not_off_residual_trust() -> None:
    listed = found(facts=BorrowerFacts(owed_minor=9_500_00))
    assert listed["trust"].value_minor == 1_000_00
    assert listed["loan_cycle"].value_minor == 500_00
    assert listed["owed_per_member"].value_minor == 90_500_00
    assert binding(listed.values()).name == "loan_cycle"
    assert found(facts=BorrowerFacts(owed_minor=11_000_00))["loan_cycle"].value_minor == 0


def test_every_repaid_loan_is_a_step_and_the_last_step_stays() -> None:
    steps = [found(facts=BorrowerFacts(loans_repaid=n))["loan_cycle"].value_minor for n in range(6)]
    assert steps == [10_000_00, 20_000_00, 50_000_00, 100_000_00, 100_000_00, 100_000_00]


def test_somebody_overdue_borrows_nothing_and_the_first_reason_is_named() -> None:
    late = BorrowerFacts(overdue_since_on=date(2026, 11, 1), late_peers=1)
    listed = found(flow=0, facts=late)
    assert binding(listed.values()).name == "own_overdue"
    assert listed["own_overdue"].detail == {"overdue_since_on": "2026-11-01"}


def test_a_late_peer_stops_lending_only_where_the_charter_says_so() -> None:
    facts = BorrowerFacts(late_peers=2)
    assert binding(found(facts=facts).values()).name == "late_peers"
    assert "late_peers" not in found(facts=facts, refuse_while_peer_late=False)


def test_capacity_counts_where_assessed_and_is_zero_where_required_and_absent() -> None:
    capacity = Capacity("ass_0000000000000000", 600_00, date(2027, 1, 1))
    listed = found(facts=BorrowerFacts(owed_minor=150_00, capacity=capacity))
    assert listed["repayment_capacity"].value_minor == 450_00
    assert listed["repayment_capacity"].detail["assessment"] == "ass_0000000000000000"
    assert "repayment_capacity" not in found()
    assert found(repayment_capacity_required=True)["repayment_capacity"].value_minor == 0


@pytest.mark.parametrize("ratio", [1, 3_333, 8_000, 10_000, 12_500, 99_999])
@pytest.mark.parametrize("flow", [0, 1, 999, 1_000_01])
def test_the_cover_constraint_is_the_largest_principal_that_can_be_covered(
    ratio: int, flow: int
) -> None:
    most = found(flow=flow, product=terms(cover_ratio_bps=ratio))["cover"].value_minor
    assert share_bps(most, ratio, up=True) <= flow < share_bps(most + 1, ratio, up=True)


def test_a_product_without_cover_is_bound_by_trust_alone() -> None:
    assert "cover" not in found(product=terms(cover_ratio_bps=0))


def test_a_product_bounds_one_loan_whatever_is_owed() -> None:
    listed = found(
        flow=90_000_00,
        facts=BorrowerFacts(owed_minor=40_000_00, loans_repaid=3),
        product=terms(),
    )
    assert listed["product"].value_minor == 50_000_00
    assert listed["product"].source == PRODUCT
    assert listed["product"].detail["least_minor"] == 100_00


def test_individual_liability_rests_on_nobodys_promise() -> None:
    listed = found(
        flow=0,
        product=terms(liability_mode="none", cover_ratio_bps=0),
        liability_modes=(LiabilityMode.NONE,),
    )
    assert "trust" not in listed
    assert binding(listed.values()).name == "loan_cycle"


def test_a_liability_mode_that_the_charter_does_not_allow_lends_nothing() -> None:
    listed = found(product=terms(liability_mode="pledge_only"))
    assert binding(listed.values()).name == "liability_mode"


def test_with_three_promises_on_a_path_cover_is_what_two_can_carry_and_says_so() -> None:
    listed = found(flow=900_00, cover_flow=500_00, product=terms(), circle_of_trust=3)
    assert (listed["trust"].value_minor, listed["cover"].value_minor) == (900_00, 500_00)
    assert "two promises" in listed["cover"].detail["reason"]


def test_every_constraint_has_a_remedy_and_a_source() -> None:
    everything = {
        **found(
            facts=BorrowerFacts(
                overdue_since_on=date(2026, 1, 1),
                late_peers=1,
                short_groups=1,
                recourse_minor=5,
                stagger=Stagger(size=5, leads=True, has_begun=False, shown=()),
            ),
            product=terms(liability_mode="pledge_only"),
            repayment_capacity_required=True,
            stagger_instalments_min=1,
        )
    }
    for item in line_constraints(Headroom("lin_0000000000000000", "Seed", 4, 900, 300, 500, 100)):
        assert (item.source, item.rule) == (
            LINE,
            {"shared_line": "limit"}.get(item.name, item.name),
        )
        everything[item.name] = item
    assert everything.keys() == REMEDIES.keys()
    sources = (CHARTER, PRODUCT, LINE)
    assert all(item.source in sources and item.rule for item in everything.values())
