"""The runner reads files of the same format with inputs that the known one does not have."""

from __future__ import annotations

import gzip
import json
from fractions import Fraction

import pytest

from graph.limits import Promise, cover_limit
from tests.oracles.__main__ import main
from tests.oracles.registry import scale_of

LONG = [0.12345678901234567, 98765.43210987654]


def passes(tmp_path, name, given, expected, tolerance=1e-9):
    case = {
        "id": "c",
        "method": name,
        "input": given,
        "expected": expected,
        "tolerance": tolerance,
    }
    file = tmp_path / "cases.json"
    file.write_text(json.dumps([case]), encoding="utf-8")
    return main([str(file), "--data", str(tmp_path)]) == 0


def test_amounts_are_whole_in_their_unit_or_as_fine_as_fits():
    assert scale_of([]) == 1
    assert scale_of([Fraction(1, 3), Fraction(1, 4)]) == 12
    for amounts in (LONG, [1e-9, 1e9], [1e300, 1]):
        listed = [Fraction(str(x)) for x in amounts]
        scale = scale_of(listed)
        assert 2**48 < max(listed) * scale <= 2**52


@pytest.mark.parametrize("small", LONG)
def test_amounts_of_many_digits_are_taken(tmp_path, small):
    large = small * 1.7182818284590453
    chain = [["a", "b", small], ["b", "c", large]]
    ends = {"borrower": "a", "lender": "c"}
    for name, given in (
        ("trust_flow.max_flow", {"edges": chain} | ends),
        ("trust_flow.super_source_pool", {"edges": chain, "borrower": "a", "lender_pool": ["c"]}),
        ("trust_flow.voucher_budgets", {"edges": chain, "node_budget": {"b": large}} | ends),
    ):
        assert passes(tmp_path, name, given, {"trust": small})
        assert not passes(tmp_path, name, given, {"trust": large})
    debts = [["a", "b", small], ["b", "a", large]]
    given = {"debts_[debtor,creditor,amount]": debts}
    assert passes(tmp_path, "multilateral_netting", given, {"max_total_set_off": 2 * small})
    given = {
        "yearly_capacity": {"a": large},
        "own_debt": {"a": small},
        "guarantees_[guarantor,borrower,cap]": [["a", "b", LONG[0] / 3], ["b", "a", LONG[1] / 3]],
    }
    ratio = {"contingent_ratio": {"a": (small + LONG[0] / 3) / large}}
    assert passes(tmp_path, "over_indebtedness", given, ratio, 1e-12)
    given = {"trust": [[0, small], [small, 0]], "group_size": 2}
    assert passes(tmp_path, "group_formation.partition", given, {"optimum_internal_trust": small})
    given = {"standing": {"b": small}, "vouches": [["b", "a", large, 0]], "borrower": "a"}
    # All of it is asked for, whichever way its last digits are rounded.
    expected = {
        "whole_graph_ceiling": small,
        "reserve": {"amount": small, "least_hop_split_own_direct_second": [0, small, 0]},
    }
    assert passes(tmp_path, "credit_limit", given, expected)


def test_loops_carry_nothing(tmp_path):
    edges = [["a", "a", 9], ["a", "b", 2], ["b", "b", 1], ["b", "c", 1.5]]
    given = {"edges": edges, "borrower": "a", "lender": "c"}
    assert passes(tmp_path, "trust_flow.max_flow", given, {"trust": 1.5})
    by_length = {"trust_by_max_path_edges": {"0": 0, "1": 0, "2": 1.5}}
    assert passes(tmp_path, "trust_flow.path_length_limit", given, by_length)
    given = {
        "edges": [["a", "a"], ["a", "b"]],
        "seeds": ["a"],
        "capacities_by_distance_from_root": [5, 3, 1],
    }
    assert passes(tmp_path, "advogato_max_flow", given, {"accepted": ["a", "b"]})
    given = {"standing": {"b": 4}, "vouches": [["b", "a", 3, 0], ["a", "a", 9, 0]], "borrower": "a"}
    assert passes(tmp_path, "credit_limit", given, {"whole_graph_ceiling": 3})


def test_more_reserved_than_promised_leaves_nothing(tmp_path):
    vouches = [["b", "a", 3, 5], ["c", "a", 2, 0]]
    given = {"standing": {"b": 4, "c": 4}, "vouches": vouches, "borrower": "a"}
    assert passes(tmp_path, "credit_limit", given, {"whole_graph_ceiling": 2})


def test_every_row_of_trust_has_its_own_unit_and_may_name_itself(tmp_path):
    name = "eigentrust_personalised_pagerank"
    given = {
        "local_trust_C[i][j]_i_trusts_j": [[0, 1e9], [1e-9, 0]],
        "pretrusted_p": [1, 0],
        "a_restart": 0.2,
    }
    assert passes(tmp_path, name, given, {"t": [1 / 1.8, 0.8 / 1.8]})
    given["local_trust_C[i][j]_i_trusts_j"] = [[2, 1], [1, 0]]
    # t0 = 0.8 (2/3 t0 + t1) + 0.2, t0 + t1 = 1.
    first = 1 / (1.8 - 1.6 / 3)
    expected = {"t": [first, 1 - first], "rank_best_first": [0, 1]}
    assert passes(tmp_path, name, given, expected)


def test_a_seed_without_ties_is_worth_nothing(tmp_path):
    given = {"undirected_edges": [[0, 1], [1, 1]], "n": 3, "seeds": [0, 2], "total_trust": 4}
    walked = {"degree_normalised_trust": [0, 2, 0]}
    assert passes(tmp_path, "sybilrank", given | {"iterations": 1}, walked)
    assert passes(
        tmp_path,
        "sybilrank",
        given | {"seeds": [2]},
        {"degree_normalised_trust": [0, 0, 0]},
    )


def test_graphs_may_have_a_size(tmp_path):
    given = {
        "graph": "networkx barbell_graph(3, 0), unweighted",
        "partition": [[0, 1, 2], [3, 4, 5]],
    }
    worth = {"modularity_of_given_partition": 6 / 7 - 0.5}
    assert passes(tmp_path, "communities", given, worth)


def test_who_is_named_in_no_guarantee_is_flagged_too(tmp_path):
    given = {
        "yearly_capacity": {"1": 10, "5": 3},
        "own_debt": {"5": 9},
        "guarantees_[guarantor,borrower,cap]": [[1, 2, 4]],
    }
    assert passes(tmp_path, "over_indebtedness", given, {"flagged": [5]})


def test_columns_are_found_by_name_and_tables_packed_or_not(tmp_path):
    text = "level,certified,certifier\nmaster,b,a\nobserver,c,b\njourneyer,a,c\n"
    (tmp_path / "certs.csv.gz").write_bytes(gzip.compress(text.encode()))
    given = {"file": "certs.csv", "filter": "level >= journeyer"}
    chain = {"edges": 2, "longest_chain": 2, "nodes": 3}
    assert passes(tmp_path, "guarantee_circles.real", given, chain)


def test_a_household_without_ties_has_no_trust(tmp_path):
    rows = "village,respondent,asker,helper,kind\n7,700101,700101,700201,visitgo\n"
    (tmp_path / "ties.csv").write_text(rows, encoding="utf-8")
    given = {"file": "ties.csv.gz", "village": 7}
    pairs = {"pairs_[a,b,max_flow,two_hop_trust]": [[7001, 7002, 1, 1], [7001, 7009, 0, 0]]}
    assert passes(tmp_path, "trust_flow.real_village", given, pairs)


def test_a_circle_wider_than_the_members_ends_where_they_do():
    ring = [Promise(1, "b", "a", 3), Promise(2, "c", "b", 2), Promise(3, "b", "c", 5)]
    limit = cover_limit("a", {"b": 1, "c": 9}, ring, circle=2**70)
    assert limit.value == cover_limit("a", {"b": 1, "c": 9}, ring, circle=None).value == 3
