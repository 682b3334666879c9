"""Classes of risk: worse at once, better after the watch, together for all loans of a member."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.communities import templates
from community.communities.charter import CharterRules, read_rules
from community.communities.charter import RiskClass as R
from community.errors import Invalid
from community.portfolio.classes import (
    NON_PERFORMING,
    TIERS,
    Facts,
    Held,
    Verdict,
    classify,
    earns_interest,
    is_worse,
    non_accrual_classes,
    rule_together,
    worst,
)
from community.portfolio.provisions import bps_of, provision_minor
from community.portfolio.seasons import seasons_missed
from community.products.terms import SeasonCalendar, SellingWindow

RULES = read_rules(templates.load("village-cooperative")["rules"])
DAY = date(2027, 6, 1)

days = st.integers(0, 800)
tiers = st.sampled_from(TIERS)
rules_any = st.builds(
    lambda thresholds, watch, together, seasons: replace(
        RULES,
        class_days=tuple(sorted(thresholds)),
        class_watch_days=watch,
        worst_loan_per_member=together,
        class_crop_seasons=seasons,
    ),
    st.sets(st.integers(1, 700), min_size=4, max_size=4),
    st.integers(0, 400),
    st.booleans(),
    st.integers(0, 4),
)
facts_any = st.builds(
    Facts,
    days_overdue=days,
    seasons_missed=st.none() | st.integers(0, 8),
    restructured=st.booleans(),
    called=st.booleans(),
    written_off=st.booleans(),
)
held_any = st.builds(
    Held, tiers, st.none() | st.integers(0, 500).map(lambda ago: DAY - timedelta(days=ago))
)


@pytest.mark.parametrize(
    ("late", "tier"),
    [
        (0, R.NORMAL),
        (1, R.SPECIAL_MENTION),
        (90, R.SPECIAL_MENTION),
        (91, R.SUBSTANDARD),
        (270, R.SUBSTANDARD),
        (271, R.DOUBTFUL),
        (360, R.DOUBTFUL),
        (361, R.LOSS),
    ],
)
def test_the_days_of_the_template_are_the_supervisors(late: int, tier: R) -> None:
    verdict = classify(Facts(late), RULES, Held(), DAY)
    assert verdict.own is tier
    assert verdict.reasons[0].to_document() == {
        "rule": "class_days",
        "class": tier.value,
        "days_overdue": late,
    }


@given(facts_any, days, rules_any, held_any)
def test_more_days_late_are_never_a_better_class(
    facts: Facts, more: int, rules: CharterRules, held: Held
) -> None:
    later = replace(facts, days_overdue=facts.days_overdue + more)
    before, after = (classify(each, rules, held, DAY).own for each in (facts, later))
    assert not is_worse(before, after)


@given(facts_any, rules_any, held_any)
def test_nobody_gets_out_of_the_watch_early(facts: Facts, rules: CharterRules, held: Held) -> None:
    verdict = classify(facts, rules, held, DAY)
    clean_days = (DAY - held.clean_since_on).days if held.clean_since_on else 0
    if held.own in NON_PERFORMING and (facts.days_overdue or clean_days < rules.class_watch_days):
        assert not is_worse(held.own, verdict.own)


@given(facts_any, rules_any, held_any)
def test_asked_twice_on_a_day_the_answer_is_the_same(
    facts: Facts, rules: CharterRules, held: Held
) -> None:
    first = classify(facts, rules, held, DAY)
    second = classify(facts, rules, Held(first.own, first.clean_since_on), DAY)
    assert (second.own, second.clean_since_on) == (first.own, first.clean_since_on)


@given(facts_any, rules_any, held_any)
def test_the_class_is_that_of_the_worst_reason(
    facts: Facts, rules: CharterRules, held: Held
) -> None:
    verdict = classify(facts, rules, held, DAY)
    assert verdict.own is verdict.reasons[0].tier
    assert verdict.own is worst(*(reason.tier for reason in verdict.reasons))
    if facts.written_off:
        assert verdict.own is R.LOSS
    if facts.called:
        assert verdict.own is not R.NORMAL


def test_a_repaid_loan_is_watched_and_comes_back_on_the_day() -> None:
    held = Held(R.DOUBTFUL)
    paid_on = DAY
    for day in range(180):
        verdict = classify(Facts(0), RULES, held, paid_on + timedelta(days=day))
        assert verdict.own is R.DOUBTFUL
        assert verdict.clean_since_on == paid_on
        held = Held(verdict.own, verdict.clean_since_on)
    assert verdict.reasons[0].to_document() == {
        "rule": "class_watch_days",
        "class": "doubtful",
        "clean_since": "2027-06-01",
        "until": "2027-11-28",
    }
    free = classify(Facts(0), RULES, held, paid_on + timedelta(days=180))
    assert (free.own, free.clean_since_on) == (R.NORMAL, None)


def test_arrears_begin_the_watch_anew_and_less_arrears_do_not_shorten_it() -> None:
    clean = Held(R.DOUBTFUL, DAY - timedelta(days=179))
    slip = classify(Facts(3), RULES, clean, DAY)
    assert (slip.own, slip.clean_since_on) == (R.DOUBTFUL, None)
    partly = classify(Facts(120), RULES, Held(R.DOUBTFUL), DAY)
    assert partly.own is R.DOUBTFUL


def test_a_few_days_late_are_forgotten_when_paid() -> None:
    assert classify(Facts(0), RULES, Held(R.SPECIAL_MENTION), DAY).own is R.NORMAL


def test_a_restructured_loan_is_special_mention_until_its_watch_is_over() -> None:
    first = classify(Facts(0, restructured=True), RULES, Held(), DAY)
    assert (first.own, first.clean_since_on) == (R.SPECIAL_MENTION, DAY)
    held = Held(first.own, first.clean_since_on)
    after = [
        classify(Facts(0, restructured=True), RULES, held, DAY + timedelta(days=day)).own
        for day in (179, 180)
    ]
    assert after == [R.SPECIAL_MENTION, R.NORMAL]
    # The run is remembered: it does not begin again the day after.
    free = classify(
        Facts(0, restructured=True), RULES, Held(R.NORMAL, DAY), DAY + timedelta(days=181)
    )
    assert (free.own, free.clean_since_on) == (R.NORMAL, DAY)


@pytest.mark.parametrize(
    ("missed", "tier"),
    [
        (0, R.SPECIAL_MENTION),
        (1, R.SPECIAL_MENTION),
        (2, R.SUBSTANDARD),
        (3, R.DOUBTFUL),
        (4, R.LOSS),
        (9, R.LOSS),
    ],
)
def test_seasons_count_instead_of_days_where_the_charter_says_so(missed: int, tier: R) -> None:
    two = replace(RULES, class_crop_seasons=2)
    assert classify(Facts(200, seasons_missed=missed), two, Held(), DAY).own is tier
    assert classify(Facts(200), two, Held(), DAY).own is R.SUBSTANDARD


def test_a_season_is_missed_when_it_was_sown_and_sold_after_the_due() -> None:
    def rice(year: int) -> SeasonCalendar:
        sold = SellingWindow(date(year, 11, 1), 1)
        return SeasonCalendar("rice", date(year, 3, 1), date(year, 4, 1), date(year, 9, 1), (sold,))

    calendars = [rice(2026), rice(2027), rice(2028)]
    due = date(2026, 10, 1)
    # Its own season was sown before: it does not count.
    assert seasons_missed(calendars, due, date(2027, 9, 1)) == 0
    assert seasons_missed(calendars, due, date(2027, 11, 1)) == 1  # the year since the due
    assert seasons_missed(calendars, date(2026, 12, 1), date(2027, 11, 1)) == 0
    assert seasons_missed(calendars, date(2026, 12, 1), date(2027, 11, 2)) == 1
    assert seasons_missed(calendars, due, date(2028, 11, 2)) == 2
    # Nobody entered any: a year counts as one.
    assert seasons_missed([], due, due + timedelta(days=364)) == 0
    assert seasons_missed([], due, due + timedelta(days=730)) == 2


def verdict_of(tier: R) -> Verdict:
    return classify(Facts(0), RULES, Held(), DAY) if tier is R.NORMAL else _held_at(tier)


def _held_at(tier: R) -> Verdict:
    return classify(Facts(1), RULES, Held(tier), DAY)


@given(st.lists(tiers, min_size=1, max_size=6), st.booleans(), st.permutations(range(6)))
def test_the_loans_of_a_member_share_the_worst_whatever_they_are_called(
    own: list[R], together: bool, names: list[int]
) -> None:
    rules = replace(RULES, worst_loan_per_member=together)
    verdicts = [verdict_of(tier) for tier in own]
    found: dict[str, Any] = rule_together(
        {f"lon_{number}": verdict for number, verdict in enumerate(verdicts)}, rules
    )
    renamed = rule_together(
        {f"lon_{names[number]}": verdict for number, verdict in enumerate(verdicts)}, rules
    )
    for number, verdict in enumerate(verdicts):
        ruling = found[f"lon_{number}"]
        expected = worst(*(each.own for each in verdicts)) if together else verdict.own
        assert ruling.tier is expected
        assert renamed[f"lon_{names[number]}"].tier is expected
        if is_worse(expected, verdict.own):
            assert ruling.reasons[0].rule == "worst_loan_per_member"
            named = int(dict(ruling.reasons[0].facts)["loan"].removeprefix("lon_"))
            assert verdicts[named].own is expected


def test_no_loans_no_rulings() -> None:
    assert rule_together({}, RULES) == {}


@pytest.mark.parametrize("facts", [Facts(-1), Facts(0, seasons_missed=-1)])
def test_nothing_is_counted_below_zero(facts: Facts) -> None:
    with pytest.raises(Invalid):
        classify(facts, RULES, Held(), DAY)


def test_interest_is_earned_until_the_class_that_the_charter_names() -> None:
    assert [earns_interest(tier, RULES) for tier in TIERS] == [True, True, False, False, False]
    assert non_accrual_classes(RULES) == (R.SUBSTANDARD, R.DOUBTFUL, R.LOSS)
    never = replace(RULES, non_accrual_from=R.NORMAL)
    assert non_accrual_classes(never) == TIERS


@pytest.mark.parametrize(
    ("outstanding", "bps", "minor"),
    [(0, 10_000, 0), (50, 100, 0), (150, 100, 2), (250, 100, 2), (151, 100, 2), (3, 10_000, 3)],
)
def test_halves_of_a_provision_go_to_the_even_neighbour(
    outstanding: int, bps: int, minor: int
) -> None:
    assert provision_minor(outstanding, bps) == minor


@given(st.integers(0, 10**15), tiers)
def test_a_provision_is_never_more_than_the_loan_and_grows_with_the_class(
    outstanding: int, tier: R
) -> None:
    amounts = [provision_minor(outstanding, bps_of(each, RULES)) for each in TIERS]
    assert amounts == sorted(amounts)
    assert amounts[-1] == outstanding
    assert 0 <= provision_minor(outstanding, bps_of(tier, RULES)) <= outstanding
