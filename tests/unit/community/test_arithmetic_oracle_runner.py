"""The runner reads loan cases, tells right from wrong, and survives what it cannot read."""

from __future__ import annotations

import copy
import json

import pytest

from tests.oracles.__main__ import main

# 300.00 in three months without interest; a fee, a payment in advance, one taken back.
FREE = {
    "id": "free",
    "category": "allocation",
    "verified": True,
    "conventions": ["zero_interest"],
    "terms": {
        "principal": "300.00",
        "annual_rate_pct": "0",
        "interest_method": "none",
        "amortisation": "equal_principal",
        "interest_period": "same_as_period",
        "number_of_repayments": 3,
        "repay_every": 1,
        "repay_unit": "months",
        "start_date": "2024-01-31",
        "schedule_type": "cumulative",
        "allocation": "penalty_fee_interest_principal",
        "delinquency_grace_days": 3,
    },
    "events": [
        {"type": "disburse", "date": "2024-01-31", "amount": "300.00"},
        {"type": "charge", "kind": "fee", "due": "2024-02-10", "amount": "5.00"},
        {"type": "repay", "date": "2024-02-05", "amount": "45.00"},
        {"type": "repay", "date": "2024-02-06", "amount": "1.00"},
        {"type": "undo", "target_event": 4},
    ],
    "checks": [
        {
            "after_events": 5,
            "business_date": "2024-03-01",
            "rows_full": [
                [None, None, "2024-01-31", None, "300.00", *[None] * 9],
                [
                    1,
                    29,
                    "2024-02-29",
                    None,
                    "200.00",
                    "100.00",
                    "0.00",
                    "5.00",
                    "0.00",
                    "105.00",
                    "45.00",
                    "45.00",
                    "0.00",
                    "60.00",
                ],
                [
                    2,
                    31,
                    "2024-03-31",
                    None,
                    "100.00",
                    "100.00",
                    "0.00",
                    "0.00",
                    "0.00",
                    "100.00",
                    "0.00",
                    "0.00",
                    "0.00",
                    "100.00",
                ],
                [
                    3,
                    30,
                    "2024-04-30",
                    None,
                    "0.00",
                    "100.00",
                    "0.00",
                    "0.00",
                    "0.00",
                    "100.00",
                    "0.00",
                    "0.00",
                    "0.00",
                    "100.00",
                ],
            ],
            "totals": [
                "300.00",
                "0.00",
                "5.00",
                "0.00",
                "305.00",
                "45.00",
                "45.00",
                "0.00",
                "260.00",
            ],
            "transactions": [
                ["2024-01-31", "disburse", "300.00", "0.00", "0.00", "0.00", "0.00", "300.00"],
                ["2024-02-05", "repay", "45.00", "40.00", "0.00", "5.00", "0.00", "260.00"],
            ],
            "rows_basic": [
                [1, "2024-02-29", "100.00", "0.00", "200.00"],
                [2, "2024-03-31", "100.00", "0.00", "100.00"],
                [3, "2024-04-30", "100.00", "0.00", "0.00"],
            ],
            "rows_sparse": [[3, "2024-04-30", "100.00", "0.00"]],
            "outstanding": "260.00",
            "overpaid": "0.00",
            "total_interest": "0.00",
            "paid_by_instalment": [[1, "45.00"]],
            "payoff": {"on": "2024-03-01", "amount": "260.00"},
            "payable": {
                "instalment_due": "2024-03-31",
                "on": "2024-03-01",
                "outstanding": "200.00",
                "principal": "100.00",
                "interest": "0.00",
            },
            "loan_level": {
                "bucket": None,
                "delinquent_amount": "60.00",
                "delinquent_from": "2024-03-03",
                "delinquent_days": 0,
                "past_due_days": 1,
            },
            "instalment_level": [["RANGE_1", "60.00"]],
        }
    ],
}
# Pledges of 40.00 and 20.00 on 100.00: a repayment of 30.00 principal frees 18.00.
PLEDGED = {
    "id": "pledged",
    "category": "guarantee",
    "verified": True,
    "conventions": [],
    "terms": {
        **FREE["terms"],
        "principal": "100.00",
        "guarantee_minimum_pct": {"total": "50", "from_guarantors": "30", "from_own_funds": "10"},
    },
    "events": [
        {"type": "guarantee", "by": "self", "amount": "20.00", "savings_balance": "50.00"},
        {"type": "guarantee", "by": "g", "amount": "40.00", "savings_balance": "60.00"},
        {"type": "approve"},
        {"type": "disburse", "date": "2024-01-31", "amount": "100.00"},
        {"type": "repay", "date": "2024-02-29", "amount": "30.00"},
        {"type": "recover_from_guarantors"},
    ],
    "checks": [
        {"after_events": 1, "missing": ["total", "from_guarantors"], "approvable": False},
        {"after_events": 2, "missing": [], "approvable": True},
        {"after_events": 5, "on_hold": {"self": "20.0000", "g": "22.0000"}},
        {"after_events": 6, "savings_balance": {"self": "30.0000", "g": "38.0000"}},
    ],
}
CASES = [FREE, PLEDGED]


@pytest.fixture
def run(tmp_path, capsys):
    def run_it(cases):
        path = tmp_path / "cases.json"
        path.write_text(json.dumps({"cases": cases}))
        code = main([str(path)])
        return code, capsys.readouterr().out.splitlines()

    return run_it


def test_right_cases_pass(run):
    assert run(CASES) == (0, ["2 passed, 0 failed, 0 unsupported"])


def _wrong(value):
    """Every way to make exactly one figure inside a value wrong."""
    if isinstance(value, dict):
        # The day on which is asked is part of the question.
        for key in value.keys() - {"on"}:
            for inner in _wrong(value[key]):
                yield {**value, key: inner}
    elif isinstance(value, list):
        yield [*value, "77.00"]
        for i, item in enumerate(value):
            for inner in _wrong(item):
                yield [*value[:i], inner, *value[i + 1 :]]
    elif isinstance(value, bool):
        yield not value
    elif value is None:
        yield "2024-02-02"
    elif isinstance(value, int):
        yield value + 1
    else:
        yield "2033-03-03" if value.count("-") == 2 else "7.77"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_one_wrong_figure_anywhere_fails_the_case(run, case):
    changed_cases = []
    for position, check in enumerate(case["checks"]):
        for key in check:
            if key in ("after_events", "business_date"):
                continue
            for wrong in _wrong(check[key]):
                changed = copy.deepcopy(case)
                changed["id"] = f"{key} {len(changed_cases)}"
                changed["checks"][position][key] = wrong
                changed_cases.append(changed)
    code, lines = run(changed_cases)
    assert code == 1
    failed = {line.split(":")[0] for line in lines if line.startswith("FAILED")}
    assert failed == {f"FAILED {changed['id']}" for changed in changed_cases}


def test_a_failing_case_says_what_was_expected_and_what_came(run):
    changed = copy.deepcopy(FREE)
    changed["checks"][0]["outstanding"] = "261.00"
    assert run([changed])[1][0] == "FAILED free: check 1, outstanding: expected '261.00', got 260"


def test_an_unverified_case_is_named_but_does_not_fail(run):
    changed = copy.deepcopy(FREE)
    changed["verified"] = False
    changed["checks"][0]["outstanding"] = "261.00"
    code, lines = run([changed, PLEDGED])
    assert code == 0
    assert lines[0].startswith("UNVERIFIED free: check 1, outstanding")
    assert lines[-1] == "1 passed, 0 failed, 0 unsupported, 1 unverified"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"terms": None}, "has no object 'terms'"),
        ({"events": {}}, "has no list 'events'"),
        ({"checks": []}, "has no list 'checks'"),
        ({"checks": [3]}, "check 1 is not an object"),
        ({"checks": [{"after_events": 9}]}, "after_events is not a number of events: 9"),
        ({"checks": [{"after_events": 1, "colour": 1}]}, "the figure 'colour' is not known here"),
        ({"events": ["x"]}, "not an event: 'x'"),
        ({"events": [{"type": "dance"}] * 5}, "event 1: 'dance' is not known here"),
        ({"events": [{"type": "undo", "target_event": 3}] * 5}, "event 1 undoes what is not there"),
        ({"terms": {}}, "has no 'interest_method'"),
        ({"terms": {**FREE["terms"], "rounding": "UP"}}, "rounding 'UP' is not known here"),
        ({"terms": {**FREE["terms"], "start_date": "soon"}}, "not a day: 'soon'"),
        ({"terms": {**FREE["terms"], "annual_rate_pct": "x"}}, "not a decimal: 'x'"),
    ],
)
def test_a_malformed_case_fails_with_its_reason_and_the_next_one_runs(run, change, reason):
    code, lines = run([{**FREE, **change}, PLEDGED])
    assert code == 1
    assert lines[0].startswith("FAILED free: ")
    assert reason in lines[0]
    assert lines[-1] == "1 passed, 1 failed, 0 unsupported"
