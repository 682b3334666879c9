"""Charter documents, their templates, and what a new version would change."""

import pytest

from community.communities import templates
from community.communities.charter import CharterInvalid, RiskRule, read_rules, severity_of
from community.communities.differences import differences
from community.communities.errors import TemplateNotFound
from community.communities.models import CommunityKind
from community.money import CURRENCY_EXPONENTS


@pytest.mark.parametrize("name", templates.names())
def test_every_template_is_a_complete_charter_with_sources(name: str) -> None:
    template = templates.load(name)
    assert read_rules(template["rules"])
    assert all(len(rule["source"]) > 10 for rule in template["rules"].values())
    assert template["kind"] in set(CommunityKind)
    assert template["currency"] in CURRENCY_EXPONENTS


def test_there_is_a_template_for_each_kind_of_community() -> None:
    assert {templates.load(name)["kind"] for name in templates.names()} == set(CommunityKind)


@pytest.mark.parametrize("name", ["", "none", "../errors", "village-cooperative.json"])
def test_an_unknown_template_is_not_found(name: str) -> None:
    with pytest.raises(TemplateNotFound):
        templates.load(name)


@pytest.mark.parametrize(
    ("rule", "value", "fault"),
    [
        ("group_size_min", "5", "group_size_min"),
        ("group_size_min", 5.0, "group_size_min"),
        ("group_size_min", True, "group_size_min"),
        ("group_size_max", 4, "group_size_max"),
        ("circle_of_trust", 4, "circle_of_trust"),
        ("loan_cycle_steps_minor", [], "loan_cycle_steps_minor"),
        ("loan_cycle_steps_minor", [200, 100], "loan_cycle_steps_minor"),
        ("liability_modes", ["joint"], "liability_modes"),
        ("set_off_stake", 1, "set_off_stake"),
        ("write_off_day", 10, "write_off_day"),
        ("class_days", [1, 91, 271], "class_days"),
        ("class_days", [1, 91, 91, 361], "class_days"),
        ("class_days", [0, 91, 271, 361], "class_days"),
        ("provision_bps", [100, 200, 2500, 5000], "provision_bps"),
        ("provision_bps", [100, 200, 2500, 5000, 10001], "provision_bps"),
        ("provision_bps", [200, 100, 2500, 5000, 10000], "provision_bps"),
        ("par_days", [30, 30], "par_days"),
        ("par_days", [1, 2, 3, 4, 5, 6, 7], "par_days"),
        ("par_days", [30.0], "par_days"),
        ("non_accrual_from", "bad", "non_accrual_from"),
        ("worst_loan_per_member", 1, "worst_loan_per_member"),
        ("risk_low_rules", ["late"], "risk_medium_rules"),  # one rule under two severities
        ("risk_low_rules", ["missed_meetings", "missed_meetings"], "risk_low_rules"),
        ("risk_low_rules", ["weather"], "risk_low_rules"),
        ("risk_leader_rules", ["late", "misuse"], "risk_leader_rules"),
        ("risk_case_days", [14, 7, 3], "risk_case_days"),
        ("risk_case_days", [1, 3, 7, 14], "risk_case_days"),
        ("risk_late_days", [1, 1], "risk_late_days"),
        ("risk_late_days", [1, 2, 3, 4, 5], "risk_late_days"),
        ("report_prior", [1], "report_prior"),
        ("report_prior", [0, 1], "report_prior"),
        ("motion_majority_bps", 10_000, "motion_majority_bps"),
        ("motion_unanimous", ["lunch"], "motion_unanimous"),
        ("colour", "red", "colour"),
    ],
)
def test_a_faulty_rule_is_named(rule: str, value: object, fault: str) -> None:
    document = templates.load("village-cooperative")["rules"]
    document[rule] = {"value": value, "source": "this test"}
    with pytest.raises(CharterInvalid) as refusal:
        read_rules(document)
    assert fault in refusal.value.members["errors"]


def test_all_risk_rules_may_be_off() -> None:
    document = templates.load("village-cooperative")["rules"]
    for name in ("low", "medium", "high", "critical", "leader"):
        document[f"risk_{name}_rules"] = {"value": [], "source": "this test"}
    rules = read_rules(document)
    assert [severity_of(rules, rule) for rule in RiskRule] == [None] * len(RiskRule)


def test_a_missing_rule_is_named() -> None:
    document = templates.load("village-cooperative")["rules"]
    del document["call_day"]
    with pytest.raises(CharterInvalid) as refusal:
        read_rules(document)
    assert set(refusal.value.members["errors"]) == {"call_day"}


def test_differences_name_the_rules_that_change_and_no_others() -> None:
    before = {"a": {"value": 1, "source": "x"}, "b": {"value": 2, "source": "x"}}
    after = {"a": {"value": 1, "source": "y"}, "b": {"value": 3, "source": "vote"}}
    (change,) = differences(before, after)
    assert (change.rule, change.before, change.after, change.source) == ("b", 2, 3, "vote")


def test_a_first_charter_changes_every_rule_from_nothing() -> None:
    after = {"a": {"value": 1, "source": "x"}, "b": {"value": False, "source": "x"}}
    assert [(c.rule, c.before, c.after) for c in differences({}, after)] == [
        ("a", None, 1),
        ("b", None, False),
    ]
