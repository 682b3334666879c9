"""The oracle methods of circles read what they get, and tell a wrong figure from a right one."""

from __future__ import annotations

import copy
import gzip
import json

import pytest

from tests.oracles.__main__ import main


def outcome(tmp_path, method, given, expected):
    """Whether a file of one case passes."""
    case = {"id": "c", "method": method, "input": given, "expected": expected, "tolerance": 1e-9}
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    return main([str(file), "--data", str(tmp_path)]) == 0


RING = {"edges_[guarantor,borrower]": [[2, 10], [10, 9], [9, 2], [9, 10], [9, 1]]}
SHAPE = {
    "nodes": 4,
    "edges": 5,
    "strongly_connected_components_size>1": [[10, 9, 2]],
    "simple_cycles": [[9, 2, 10], [10, 9]],
    "cycles_by_length": {"2": 1, "3": 1, "4": 0},
    "mutual_pairs": [[10, 9]],
    "articulation_points_undirected": [9],
    "bridges_undirected": [[1, 9]],
    "core_number_undirected": {"1": 1, "2": 2, "9": 2, "10": 2},
    "longest_chain_edges_in_condensation": 1,
    "out_stars_[guarantor,number of borrowers>=3]": [[9, 3]],
    "in_stars_[borrower,number of guarantors>=2]": [[10, 2]],
    "directed_3_cycles": 1,
    "directed_2_cycles": 1,
    "weak_components": 1,
    "nodes_in_max_core": 3,
    "max_core_undirected": 2,
    "triad_census": {"111U": 1, "120C": 1, "003": 0},
}
WRONG = {
    "nodes": 5,
    "edges": 4,
    "strongly_connected_components_size>1": [[10, 9]],
    "simple_cycles": [[2, 9, 10], [10, 9]],
    "cycles_by_length": {"2": 1},
    "mutual_pairs": [],
    "articulation_points_undirected": [9, 2],
    "bridges_undirected": [],
    "core_number_undirected": {"1": 1, "2": 2, "9": 2, "10": 1},
    "longest_chain_edges_in_condensation": 2,
    "out_stars_[guarantor,number of borrowers>=3]": [[9, 4]],
    "in_stars_[borrower,number of guarantors>=2]": [],
    "directed_3_cycles": 2,
    "directed_2_cycles": 2,
    "weak_components": 2,
    "nodes_in_max_core": 4,
    "max_core_undirected": 3,
    "triad_census": {"111U": 2},
}


def test_every_figure_of_a_small_network_is_understood(tmp_path, capsys):
    assert outcome(tmp_path, "guarantee_circles", RING, SHAPE)
    assert "is not known here" not in capsys.readouterr().err


@pytest.mark.parametrize("key", SHAPE)
def test_a_wrong_figure_fails(tmp_path, key):
    assert not outcome(tmp_path, "guarantee_circles", RING, {key: WRONG[key]})


@pytest.mark.parametrize(
    ("filter_", "nodes", "edges"),
    [
        ("score > 0", 3, 2),
        ("score>=-1 and kind = pay", 4, 2),
        ("score != 5; self loops dropped", 3, 2),
        ("all rows, self loops dropped", 4, 3),
        # Or with whoever has nothing but a loop.
        ("all rows, self loops dropped", 5, 3),
    ],
)
def test_filters_say_which_rows_count(tmp_path, filter_, nodes, edges):
    table = "from,to,score,kind\na,b,5,pay\nb,c,2,lend\nc,d,-1,pay\ne,e,-3,pay\n"
    with gzip.open(tmp_path / "ties.csv.gz", "wt") as file:
        file.write(table)
    given = {"file": "ties.csv.gz", "filter": filter_}
    assert outcome(
        tmp_path,
        "guarantee_circles.real",
        given,
        {"nodes": nodes, "edges": edges, "bridges": edges},
    )
    assert not outcome(tmp_path, "guarantee_circles.real", given, {"edges": edges + 1})
    for wrong in ("score ~ 3", "colour > 2"):
        given["filter"] = wrong
        assert not outcome(tmp_path, "guarantee_circles.real", given, {"edges": edges})


def test_communities_are_judged_by_their_worth(tmp_path):
    club = {"graph": "networkx karate_club_graph, unweighted"}
    right = {"floor_a_good_method_must_reach": 0.4155, "known_optimum": 0.4197896}
    assert outcome(tmp_path, "communities", club, right)
    assert not outcome(tmp_path, "communities", club, right | {"floor": 0.43})
    assert not outcome(tmp_path, "communities", club, {"known_optimum": 0.4})
    given = {"edges": [[1, 2], [2, 3], [4, 5]], "partition": [[1, 2, 3], [4, 5]]}
    worth = {"modularity_of_given_partition": 2 / 3 - (4 / 6) ** 2 + 1 / 3 - (2 / 6) ** 2}
    assert outcome(tmp_path, "communities", given, worth)
    assert not outcome(tmp_path, "communities", given, {"modularity_of_given_partition": 0.4})


def test_ratios_are_judged_member_by_member(tmp_path):
    given = {
        "yearly_capacity": {"1": 100, "2": 0.5},
        "own_debt": {"1": 50.5},
        "guarantees_[guarantor,borrower,cap]": [[1, 2, 40], [1, 3, 30], [2, 3, 0.25]],
        "limit": 1.2,
    }
    right = {
        "contingent_ratio": {"1": 1.205, "2": 0.5},
        "flagged": [1],
        "number_of_distinct_borrowers_guaranteed": {"1": 2, "2": 1},
    }
    assert outcome(tmp_path, "over_indebtedness", given, right)
    for key, wrong in (
        ("contingent_ratio", {"1": 1.2, "2": 0.5}),
        ("flagged", []),
        ("number_of_distinct_borrowers_guaranteed", {"1": 3, "2": 1}),
    ):
        assert not outcome(tmp_path, "over_indebtedness", given, right | {key: wrong})
    bare = copy.deepcopy(given)
    del bare["own_debt"], bare["limit"]
    assert outcome(tmp_path, "over_indebtedness", bare, {"flagged": []})
