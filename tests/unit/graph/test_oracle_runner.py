"""The runner of oracle files tells right from wrong, and from what it does not know."""

from __future__ import annotations

import copy
import gzip
import json

import pytest

from tests.oracles.__main__ import main
from tests.oracles.registry import method

TRUST = [[1, 2, 3], [2, 3, 2], [1, 3, 1]]


def _case(name, input_, expected, id_="c"):
    return {"id": id_, "method": name, "input": input_, "expected": expected, "tolerance": 1e-9}


PAIR = _case(
    "trust_flow.max_flow",
    {"edges": TRUST, "borrower": 1, "lender": 3},
    {
        "trust": 3,
        "min_cut_side_of_borrower_smallest": [1, 2],
        "one_min_cut_edges": [[2, 3], [1, 3]],
    },
)
POOL = _case(
    "trust_flow.super_source_pool",
    {"edges": TRUST, "borrower": 1, "lender_pool": [2, 3]},
    {"trust": 4},
)
BOUNDED = _case(
    "trust_flow.path_length_limit",
    {"edges": [["a", "b", 0.5], ["b", "c", 0.25], ["c", "d", 2]], "borrower": "a", "lender": "d"},
    {"trust_by_max_path_edges": {"1": 0, "2": 0, "3": 0.25}, "two_hop_closed_form": 0},
)
BUDGETS = _case(
    "trust_flow.voucher_budgets",
    {"edges": TRUST, "borrower": 1, "lender": 3, "node_budget": {"2": 1}},
    {"trust": 2},
)
CREDIT = _case(
    "credit_limit",
    # Member 2 vouches 10 - 4 for member 1; member 3 stands behind 2 with 9; 2 has nothing.
    {"standing": {"1": 2, "2": 0, "3": 5}, "vouches": [[2, 1, 10, 4], [3, 2, 9, 0]], "borrower": 1},
    {
        "by_max_vouches_on_a_path": {"0": 2, "1": 2, "2": 7, "3": 7},
        "whole_graph_ceiling": 7,
        "reserve": {"amount": 4, "least_hop_split_own_direct_second": [2, 0, 2]},
        "gain_in_k2_limit_if_that_vouch_grew_by_10": [],
    },
)
SEVERAL = _case(
    "guarantee_call.several_pro_rata",
    {
        "own_debt_due": {"x": 10, "y": 0},
        "resources": {"x": 1, "y": 4},
        "pledges_[guarantor,borrower,cap]": [["y", "x", 6]],
    },
    {
        "shortfall": {"x": 9, "y": 0},
        "shortfall_fractions": ["9", "0"],
        "called_[guarantor,borrower,amount]": [["y", "x", 6]],
        "paid_[guarantor,borrower,amount]": [["y", "x", 4]],
        "paid_total_by_guarantor": [0, 4],
        "lender_loss_by_borrower": [5, 0],
        "rounds_of_shortfall": [[9, 0], [9, 0]],
        "defaulted": ["x"],
    },
)
JOINT = _case(
    "guarantee_call.joint_and_several",
    {
        "own_debt_due": [10, 0, 0],
        "resources": [0, 2, 9],
        "pledges_[guarantor,borrower,cap]": [[1, 0, 6], [2, 0, 6]],
    },
    {
        "own_shortfall": [10, 0, 0],
        "covered_by_guarantors": [8, 0, 0],
        "lender_loss_by_borrower": [2, 0, 0],
        "cash_left": [0, 0, 3],
        "rounds": [
            {"round": 1, "payments": [[1, 0, 2], [2, 0, 5]]},
            {"round": 2, "payments": [[2, 0, 1]]},
        ],
        "n_rounds": 2,
    },
)
ALL = [PAIR, POOL, BOUNDED, BUDGETS, CREDIT, SEVERAL, JOINT]


@pytest.fixture
def run(tmp_path, capsys):
    def run_cases(cases, *more):
        path = tmp_path / "cases.json"
        path.write_text(cases if isinstance(cases, str) else json.dumps({"cases": cases}))
        code = main([str(path), *more])
        return code, capsys.readouterr().out.splitlines()

    return run_cases


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["method"])
def test_a_right_case_passes(run, case):
    assert run([case]) == (0, ["1 passed, 0 failed, 0 unsupported"])


def _wrong(value):
    """Every way to make exactly one figure inside a value wrong."""
    if isinstance(value, dict):
        for key in value:
            for inner in _wrong(value[key]):
                yield {**value, key: inner}
    elif isinstance(value, list):
        if not value:
            yield [[2, 1, 3]]
        for i, item in enumerate(value):
            for inner in _wrong(item):
                yield [*value[:i], inner, *value[i + 1 :]]
    elif isinstance(value, str):
        yield "77"
    else:
        yield value + 1


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["method"])
def test_one_wrong_figure_anywhere_fails_the_case(run, case):
    for key in case["expected"]:
        for wrong in _wrong(case["expected"][key]):
            if key == "rounds" and wrong[0]["round"] + wrong[1]["round"] != 3:
                continue  # the number of a round is its place, not a figure
            changed = copy.deepcopy(case)
            changed["expected"][key] = wrong
            code, lines = run([changed])
            assert code == 1, (key, wrong)
            assert lines[0].startswith("FAILED c: "), lines
            assert lines[-1] == "0 passed, 1 failed, 0 unsupported"


def test_a_failing_case_says_what_was_expected_and_what_came(run):
    changed = copy.deepcopy(POOL)
    changed["expected"]["trust"] = 5
    assert run([changed])[1][0] == "FAILED c: trust: expected 5, got 4"


def test_the_worth_of_a_cut_is_tested_not_its_place(run):
    # Both sides of this chain are minimum cuts.
    chain = {"edges": [[1, 2, 2], [2, 3, 2]], "borrower": 1, "lender": 3}
    for side, edges in (([1], [[1, 2]]), ([1, 2], [[2, 3]])):
        expected = {
            "trust": 2,
            "min_cut_side_of_borrower_smallest": side,
            "one_min_cut_edges": edges,
        }
        assert run([_case("trust_flow.max_flow", chain, expected)])[0] == 0


def test_methods_not_known_and_files_of_another_kind_are_unsupported(run):
    code, lines = run([_case("weather", {}, {}, "w1"), {"id": "f1", "category": "flat"}, POOL])
    assert code == 0
    assert lines == [
        "UNSUPPORTED w1 weather",
        "UNSUPPORTED f1 flat",
        "1 passed, 0 failed, 2 unsupported",
    ]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"input": None}, "has no object 'input'"),
        ({"expected": []}, "has no object 'expected'"),
        ({"input": {}}, "input has no 'borrower'"),
        ({"tolerance": "small"}, "tolerance"),
        ({"expected": {}}, "none of its expected figures"),
        ({"expected": {"weather": 1}}, "none of its expected figures"),
        ({"input": {**POOL["input"], "edges": [[1, 2]]}}, "not 3 wide"),
        ({"input": {**POOL["input"], "edges": [[1, 2, "3"]]}}, "not a number"),
        ({"input": {**POOL["input"], "edges": [[1, 2, -3]]}}, "BadCapacity"),
        ({"input": {**POOL["input"], "edges": [[None, 1, 3]]}}, "not a node id"),
        ({"input": {**POOL["input"], "lender_pool": 3}}, "not a list"),
    ],
)
def test_a_case_that_cannot_be_read_fails_with_the_reason_and_stops_nobody(run, change, reason):
    code, lines = run([{**POOL, **change}, PAIR])
    assert code == 1
    assert lines[0].startswith("FAILED c: ")
    assert reason in lines[0]
    assert lines[-1] == "1 passed, 1 failed, 0 unsupported"


@pytest.mark.parametrize("content", ["", "{", "[1", '{"cases": 3}', "3"])
def test_a_file_that_holds_no_cases_fails(run, content):
    code, lines = run(content)
    assert code == 1
    assert lines[-1] == "0 passed, 1 failed, 0 unsupported"


def test_a_missing_file_fails(capsys):
    assert main(["there/is/no/such/file.json"]) == 1
    assert "FAILED" in capsys.readouterr().out


def _village(file="ties.csv.gz"):
    return _case(
        "trust_flow.real_village",
        {"file": file, "village": 7, "graph": "households"},
        {
            "edges": 2,
            "total_capacity": 3,
            "households_in_largest_component": 3,
            "pairs_[a,b,max_flow,two_hop_trust]": [[7001, 7003, 1, 1], [7001, 7002, 2, 2]],
        },
    )


def test_a_village_is_read_from_its_file_by_the_stated_rule(run, tmp_path):
    ties = [
        (7, 700101, 700201, "visitgo"),
        (7, 700202, 700102, "visitgo"),  # the same kind the other way: still one
        (7, 700101, 700201, "helpdecision"),
        (7, 700201, 700301, "visitcome"),
        (7, 700101, 700301, "borrowmoney"),  # money is left out
        (7, 700101, 700102, "visitgo"),  # inside a household
        (7, 700101, 800101, "visitgo"),  # between villages
        (8, 800101, 800201, "visitgo"),  # another village
    ]
    lines = ["village,respondent,asker,helper,kind"]
    lines += [f"{village},{a},{a},{b},{kind}" for village, a, b, kind in ties]
    (tmp_path / "ties.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert run([_village()], "--data", str(tmp_path))[0] == 0
    code, out = run([_village("absent.csv.gz")], "--data", str(tmp_path))
    assert code == 1
    assert "data file absent.csv.gz is not in" in out[0]
    code, out = run([_village()])
    assert code == 1
    assert "--data DIR" in out[0]


def test_a_method_cannot_be_registered_twice():
    with pytest.raises(RuntimeError, match="twice"):
        method("credit_limit")(lambda case: None)
