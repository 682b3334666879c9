"""B1 to B6 on a made-up folder with the same columns, with a plain learner for the real ones."""

import csv
import gzip
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from tests.bench.real import (
    __main__ as runner,
)
from tests.bench.real import (
    b1_first_vouch,
    b2_next_rating,
    b3_rater_side,
    b4_money_ties,
    b5_participation,
    b6_loan_default,
)
from tests.bench.real.villages import KINDS, MONEY

MODULES = (
    b1_first_vouch,
    b2_next_rating,
    b3_rater_side,
    b4_money_ties,
    b5_participation,
    b6_loan_default,
)


def plain(*_, **__):
    """A learner that goes along the difference of the two means."""

    def learn(train, labels, test, weights=None):
        train, test = np.nan_to_num(np.array(train)), np.nan_to_num(np.array(test))
        assert np.isfinite(train).all()
        assert np.isfinite(test).all()
        assert labels.any()
        assert not labels.all()
        middle, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
        scaled = (train - middle) / spread
        way = scaled[labels].mean(axis=0) - scaled[~labels].mean(axis=0)
        odds = (test - middle) / spread @ way / max(np.abs(way).sum(), 1e-9)
        return 1 / (1 + np.exp(-odds))

    return learn


def line(odds, labels, judged):
    return 1 / (1 + np.exp(-judged))


@pytest.fixture(autouse=True)
def plain_learners(monkeypatch):
    for module in MODULES:
        for name in ("boosting", "forest", "logistic"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, plain)
    monkeypatch.setattr(b6_loan_default, "line", line)


@pytest.fixture
def folder(tmp_path):
    rng = random.Random(4)
    for name, rows in (
        ("bitcoin_otc_ratings", ratings(rng)),
        ("bitcoin_otc_labels", labels(rng)),
        *villages(rng),
        ("prosper_2006_2009_closed", loans(rng)),
    ):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def ratings(rng):
    moment = 1.3e9
    rows = []
    for k in range(900):
        moment += rng.expovariate(1 / 50_000)
        # More and more users, so that somebody new is rated at the end too.
        rater, ratee = rng.sample(range(100, 120 + k // 10), 2)
        bad = rng.random() < (0.5 if ratee % 3 == 0 else 0.05)
        rating = rng.choice((-10, -5)) if bad else rng.choice((1, 2, 5))
        rows.append({"rater": rater, "ratee": ratee, "rating": rating, "unix_time": moment})
    return rows


def labels(rng):
    return [
        {"user": user, "label": "fraud" if user % 3 == 0 else "benign"} for user in range(100, 170)
    ]


def villages(rng):
    people, ties, homes, union = [], [], [], []
    for village in (1, 2, 3):
        members = []
        for home in range(village * 1000 + 1, village * 1000 + 13):
            homes.append(
                {
                    "village": village,
                    "household": home,
                    "took_microfinance": int(rng.random() < 0.4),
                    "leader": "",
                    "religion": rng.choice(("hindu", "islam")),
                    "roof": "tile",
                    "rooms": rng.randint(1, 4),
                    "beds": 1,
                    "electricity": "",
                    "ownership": "OWNED",
                }
            )
            for place in (1, 2):
                members.append(home * 100 + place)
                people.append(
                    {
                        "village": village,
                        "person": members[-1],
                        "household": home,
                        "gender": rng.choice(("Male", "Female")),
                        "age": rng.choice(("", 30, 55)),
                        "resp_status": "",
                        "religion": "",
                        "caste": rng.choice(("", "OBC", "GENERAL")),
                        "surveyed": rng.choice(("", 1)),
                    }
                )
        for _ in range(90):
            asker, helper = rng.sample(members, 2)
            ties.append(
                {
                    "village": village,
                    "respondent": rng.choice((asker, helper)),
                    "asker": asker,
                    "helper": helper,
                    "kind": rng.choice((*KINDS, *MONEY)),
                }
            )
            union.append({"household_a": asker // 100, "household_b": helper // 100})
    ties.append({**ties[0], "asker": 99})
    return (
        ("village_people", people),
        ("village_ties", ties),
        ("village_households", homes),
        ("village_household_union", union),
    )


def loans(rng):
    rows = []
    for k in range(400):
        grade = rng.choice(b6_loan_default.GRADES)
        risk = b6_loan_default.GRADES.index(grade) / 8
        rows.append(
            {
                "CreditGrade": grade,
                "LoanStatus": "Chargedoff" if rng.random() < risk else "Completed",
                "ListingCreationDate": f"{2006 + k // 150}-{1 + k % 12:02}-03 10:{k % 60:02}:00",
                "BorrowerRate": rng.choice(("", 0, 0.1, 0.2)),
                "LoanOriginalAmount": rng.choice((1000, 2500, "")),
                "StatedMonthlyIncome": rng.choice((0, 3000)),
                "MonthlyLoanPayment": 50,
                "BorrowerState": rng.choice(("CA", "TX", "")),
            }
        )
    return rows


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__[-12:])
def test_a_benchmark_runs_and_gives_figures(module, folder):
    results = module.run(folder)
    name = module.__name__.rsplit(".", 1)[1].split("_")[0].upper()
    assert results
    for result in results:
        assert result.benchmark == name
        assert math.isfinite(result.ours), result.figure
    assert any(result.baseline is not None for result in results)
    assert module.run(folder) == results


def test_the_table_is_printed(folder, capsys):
    assert runner.main(["--data", str(folder), "B6", "B5"]) == 0
    printed = capsys.readouterr().out
    assert "AUC (b): credit grade alone" in printed
    assert printed.index("== B6") < printed.index("== B5")


def test_files_that_hold_too_little_are_left_out_with_a_reason(folder, capsys):
    with gzip.open(folder / "bitcoin_otc_labels.csv.gz", "wt") as file:
        file.write("user,label\n1,fraud\n")
    (folder / "village_ties.csv.gz").unlink()
    with gzip.open(folder / "prosper_2006_2009_closed.csv.gz", "wt") as file:
        file.write("CreditGrade,LoanStatus\nA,Completed\n")
    assert runner.main(["--data", str(folder), "B1", "B3", "B4", "B5", "B6"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("left out:") == 5
    assert "no column ListingCreationDate" in printed
    assert "village_ties.csv.gz is not in the folder" in printed


def test_a_households_own_outcome_is_in_none_of_its_features(folder):
    village = b5_participation.read_villages(folder, with_outcomes=True)[0]
    ties = np.ones((village.n, village.n)) - np.eye(village.n)
    for own in range(village.n):
        took = village.took.copy()
        took[own] = 1 - took[own]
        turned = replace(village, took=took)
        for features in (
            lambda v: b5_participation.peers(v, ties),
            b5_participation.near_houses,
        ):
            for name, column in features(village).items():
                assert math.isclose(column[own], features(turned)[name][own]), name


def test_a_loan_is_compared_with_earlier_ones_only():
    rng = np.random.default_rng(0)
    values, groups = rng.random(80), ["A", "B"] * 40
    above, rank = b6_loan_default.against_recent(groups, values, 30)
    changed = values.copy()
    changed[60:] = 9
    again = b6_loan_default.against_recent(groups, changed, 30)
    assert np.array_equal(above[:60], again[0][:60], equal_nan=True)
    assert np.array_equal(rank[:60], again[1][:60], equal_nan=True)
    assert math.isclose(above[61], values[61] - values[1:61:2][-30:].mean())


def test_shares_of_classes_come_from_training_loans_of_other_folds():
    rng = np.random.default_rng(0)
    classes, bad = rng.integers(-1, 3, (60, 1)), rng.random(60) < 0.4
    train, test = np.arange(40), np.arange(40, 60)
    fitted, judged = b6_loan_default.class_rates(classes, bad, train, test)
    turned = bad.copy()
    turned[test] = ~turned[test]
    same = b6_loan_default.class_rates(classes, turned, train, test)
    assert np.array_equal(fitted, same[0])
    assert np.array_equal(judged, same[1])
    alone = bad.copy()
    alone[7] = not alone[7]
    assert b6_loan_default.class_rates(classes, alone, train, test)[0][7] == fitted[7]
