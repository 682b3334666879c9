"""What loans say of vouchers: hand-worked figures, and what has to hold whatever is paid."""

import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.communities import templates
from community.communities.charter import CharterRules, read_rules
from community.trust.record_bounds import RecordFigures, allowed_by_record, per_cent
from community.vouching.evidence import CoverPart, LoanLife, belief, weight_of, words_of

ON = date(2027, 6, 1)
RULES = replace(
    read_rules(templates.load("village-cooperative")["rules"]),
    voucher_half_life_days=100,
    voucher_prior_bps=8_000,
    voucher_prior_cases=5,
    voucher_case_minor=100,
    voucher_interval_bps=9_000,
)
UMA, WEI = 1, 2


def life(*dues: tuple[int, int], paid: int = 0, **facts: object) -> LoanLife:
    """Dues as days before `ON` and money; Uma's word covers all of it."""
    days = sorted((ON - timedelta(days=ago), minor) for ago, minor in dues)
    cover = facts.pop("cover", [CoverPart(UMA, 10)])
    return LoanLife(1, 9, days, paid, cover, **facts)  # type: ignore[arg-type]


def cases(loan: LoanLife, rules: CharterRules = RULES) -> tuple[float, float]:
    word = words_of(loan, rules, ON).get(UMA)
    return (word.good_cases, word.bad_cases) if word else (0.0, 0.0)


@pytest.mark.parametrize(("ago", "weight"), [(-5, 1.0), (0, 1.0), (100, 0.5), (300, 0.125)])
def test_what_is_long_ago_weighs_less(ago: int, weight: float) -> None:
    assert weight_of(ON - timedelta(days=ago), ON, 100) == weight


def test_a_loan_by_hand() -> None:
    # 60 was due 200 days ago (a quarter), 140 was due 100 days ago (a half); the borrower paid 100:
    # all of the first, 40 of the second. The loan of 200 is one case.
    good, bad = cases(life((200, 60), (100, 140), paid=100))
    assert good == pytest.approx(60 / 200 / 4 + 40 / 200 / 2)
    assert bad == pytest.approx(100 / 200 / 2)


def test_what_is_not_due_says_nothing_unless_it_is_paid() -> None:
    assert cases(life((0, 100), (-30, 100))) == (0.0, 0.0)
    assert cases(life((0, 100), (-30, 100), paid=150)) == (0.75, 0.0)
    # Due yesterday it is late.
    assert cases(life((1, 100), (-30, 100)))[1] > 0.49


def test_a_debt_that_was_called_in_is_all_due() -> None:
    called = life((100, 50), (-300, 150), all_due_on=ON - timedelta(days=100))
    assert cases(called) == (0.0, 0.5)
    assert cases(replace(called, all_due_on=ON + timedelta(days=1)))[1] == 50 / 200 / 2


def test_a_small_loan_is_less_than_a_case_and_a_large_one_no_more() -> None:
    assert cases(life((0, 25), paid=25)) == (0.25, 0.0)
    assert cases(life((0, 90_000), paid=90_000)) == (1.0, 0.0)


def test_everybody_by_their_share_of_the_cover() -> None:
    loan = life(
        (0, 100), paid=100, cover=[CoverPart(UMA, 10), CoverPart(WEI, 20), CoverPart(None, 10)]
    )
    found = words_of(loan, RULES, ON)
    assert {who: word.good_cases for who, word in found.items()} == {UMA: 0.25, WEI: 0.5}
    assert {who: word.share_ppm for who, word in found.items()} == {UMA: 250_000, WEI: 500_000}


def test_who_hands_over_answers_for_what_was_due_before() -> None:
    change = ON - timedelta(days=50)
    cover = [CoverPart(UMA, 10, until_on=change), CoverPart(WEI, 7, from_on=change)]
    found = words_of(life((100, 50), (0, 50), (1, 100), paid=50, cover=cover), RULES, ON)
    assert (found[UMA].good_cases, found[UMA].bad_cases) == (0.125, 0)
    assert (found[UMA].came_due_minor, found[UMA].paid_minor) == (150, 50)
    assert found[WEI].good_cases == 0
    assert found[WEI].bad_cases > 0.49


def test_what_is_believed_by_hand() -> None:
    # No loan yet: Beta(4, 1), whose distribution is x^4.
    nobody = belief(0, 0, RULES)
    assert nobody.mean_ppm == 800_000
    assert nobody.lower_ppm == math.floor(0.05**0.25 * 1_000_000) == 472_870
    assert nobody.upper_ppm == math.ceil(0.95**0.25 * 1_000_000) == 987_259
    # Five cases paid: Beta(9, 1), x^9.
    five = belief(5, 0, RULES)
    assert (five.mean_ppm, five.lower_ppm) == (900_000, math.floor(0.05 ** (1 / 9) * 1_000_000))
    # Three paid, two not: Beta(7, 3); half of all outcomes lie on the median's either side.
    assert belief(3, 2, RULES).mean_ppm == 700_000


def test_the_worked_figure_of_the_page() -> None:
    """docs/voucher-record.md, "One figure worked"."""
    rules = replace(RULES, voucher_half_life_days=730, voucher_case_minor=1_000_000)
    shared = [CoverPart(UMA, 600_000), CoverPart(WEI, 400_000)]
    repaid = life((730, 1_000_000), paid=1_000_000)
    half = life((365, 1_000_000), (730, 1_000_000), paid=1_000_000, cover=shared)
    late = life((365, 500_000), paid=100_000)
    words = [words_of(loan, rules, ON)[UMA] for loan in (repaid, half, late)]
    good, bad = sum(word.good_cases for word in words), sum(word.bad_cases for word in words)
    assert (round(good, 4), round(bad, 4)) == (0.7207, 0.495)
    found = belief(good, bad, rules)
    assert (found.mean_ppm, found.lower_ppm, found.upper_ppm) == (759_484, 454_339, 965_438)
    assert allowed_by_record(2_000_000, 40_000, found.lower_ppm) == 3_634_712
    assert per_cent(found.lower_ppm) == "45.4 %"
    page = (Path(__file__).parents[3] / "docs" / "voucher-record.md").read_text(encoding="utf-8")
    for told in (
        "good = 0.7207   bad = 0.4950",
        "mean 75.9484 %, between 45.4339 % and 96.5438 %",
        "36,347.12",
    ):
        assert told in page


LOANS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(-200, 900), st.integers(0, 500)), min_size=1, max_size=6),
        st.integers(0, 1_500),
        st.integers(0, 20),
    ),
    max_size=5,
)


def _figures(loans: list[tuple[list[tuple[int, int]], int, int]]) -> RecordFigures:
    good = bad = 0.0
    for dues, paid, others in loans:
        cover = [CoverPart(UMA, 10), CoverPart(WEI, others)]
        one = cases(life(*dues, paid=paid, cover=cover))
        good, bad = good + one[0], bad + one[1]
    return belief(good, bad, RULES)


@settings(max_examples=60)
@given(loans=LOANS, more=st.integers(1, 1_000), data=st.data())
def test_more_of_the_borrowers_money_never_lowers_a_record(
    loans: list[tuple[list[tuple[int, int]], int, int]], more: int, data: st.DataObject
) -> None:
    before = _figures(loans)
    assert before.lower_ppm <= before.mean_ppm + 1
    assert 0 <= before.lower_ppm < before.upper_ppm <= 1_000_000
    if not loans:
        return
    at = data.draw(st.integers(0, len(loans) - 1))
    dues, paid, others = loans[at]
    after = _figures([*loans[:at], (dues, paid + more, others), *loans[at + 1 :]])
    assert after.mean_ppm >= before.mean_ppm
    assert after.lower_ppm >= before.lower_ppm - 1
    assert after.upper_ppm >= before.upper_ppm - 1


@settings(max_examples=40)
@given(count=st.integers(0, 60), good=st.integers(0, 10))
def test_the_interval_narrows_with_cases(count: int, good: int) -> None:
    """The same share of more cases is surer; all of it within what the prior leaves open."""

    def width(cases: int) -> int:
        # Alike in share to the prior, so that only the number of cases differs.
        found = belief(0.8 * cases, 0.2 * cases, RULES)
        return found.upper_ppm - found.lower_ppm

    assert width(count + 1 + good) < width(count)


def test_a_record_without_cases_is_the_priors_for_everybody() -> None:
    assert _figures([]) == _figures([([(-10, 100)], 0, 0)])
