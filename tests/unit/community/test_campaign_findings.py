"""What answers come to, by hand; and villages, honest and not, from seeds."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from math import prod
from pathlib import Path

import pytest

from community.campaigns.findings import (
    Assessed,
    Finding,
    FindingKind,
    Opinion,
    Verdict,
    assess,
    corrected_minor,
    median,
)
from community.campaigns.wording import grounds_text
from community.communities.charter import CharterInvalid
from tests.campaign_village import SimulatedVillage, rules

CHECKOUT = Path(__file__).parents[3]
# Reviewers live in households of their own number, above those reviewed.
HOMES = {who: who for who in range(100, 120)}


def said(household: int, *figures: int | None, first: int = 100) -> list[Opinion]:
    """Reviewers 100, 101, … on one household; None: does not know it."""
    return [
        Opinion(first + number, household, figure is not None, figure)
        for number, figure in enumerate(figures)
    ]


def of(opinions: list[Opinion], **changes: object) -> Assessed:
    homes = sorted({one.household for one in opinions})
    return assess(opinions, households=homes, homes=HOMES, rules=rules(**changes))


def kinds(found: Assessed) -> Counter[FindingKind]:
    return Counter(finding.kind for finding in found.findings)


def the(found: Assessed, kind: FindingKind) -> Finding:
    [finding] = [one for one in found.findings if one.kind is kind]
    return finding


@pytest.mark.parametrize(
    ("values", "middle"),
    [([5], 5), ([9, 1, 5], 5), ([1, 2], 2), ([2, 3], 2), ([3, 4], 4), ([1, 10, 2, 3], 2)],
)
def test_between_two_an_exact_half_goes_to_the_even_unit(values: list[int], middle: int) -> None:
    """1.5 and 2.5 are 2, 3.5 is 4."""
    assert median(values) == middle


def test_the_middle_counts_and_four_fifths_of_it_are_proposed() -> None:
    """18,000 20,000 20,000 21,000 90,000: the middle is 20,000, the spread 1,000 of it."""
    [outcome] = of(said(1, 18_000_00, 20_000_00, 20_000_00, 21_000_00, 90_000_00)).outcomes
    assert outcome.verdict is Verdict.PROPOSED
    assert (outcome.centre_minor, outcome.spread_bps) == (20_000_00, 500)
    assert outcome.proposed_minor == 16_000_00


def test_no_household_gets_more_than_the_cap() -> None:
    [outcome] = of(said(1, *[90_000_00] * 5)).outcomes
    assert (outcome.centre_minor, outcome.proposed_minor) == (90_000_00, 30_000_00)


def test_a_proposal_is_rounded_down_to_the_cent() -> None:
    [outcome] = of(said(1, 1_01, 1_01, 1_01)).outcomes
    assert outcome.proposed_minor == 80  # of 80.8


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ((1_000, 1_000, None, None, None), Verdict.TOO_FEW_KNOW),
        ((1_000, 1_000, 1_000, None, None), Verdict.PROPOSED),
        # The middle is 10: half of the answers are 4 away from it, then 3.
        ((4, 6, 10, 14, 20), Verdict.TOO_FAR_APART),
        ((4, 7, 10, 13, 20), Verdict.PROPOSED),
        ((0, 0, 0, 1_000, 1_000), Verdict.NOTHING_SUGGESTED),
        ((None, None, None), Verdict.TOO_FEW_KNOW),
    ],
)
def test_what_answers_come_to(figures: tuple[int | None, ...], verdict: Verdict) -> None:
    [outcome] = of(said(1, *figures)).outcomes
    assert outcome.verdict is verdict
    assert (outcome.proposed_minor > 0) is (verdict is Verdict.PROPOSED)


@pytest.mark.parametrize(("against", "verdict"), [(2, "proposed"), (3, "reasons_against")])
def test_reasons_against_count_among_those_who_know(against: int, verdict: str) -> None:
    """Of four who know the household two are half, three are more."""
    opinions = [Opinion(100 + n, 1, True, 1_000_00, is_against=n < against) for n in range(4)]
    opinions.append(Opinion(110, 1, False, None))
    [outcome] = of(opinions).outcomes
    assert (outcome.verdict.value, outcome.against) == (verdict, against)


def test_who_is_excluded_counts_nowhere_but_what_was_found_stays() -> None:
    opinions = said(1, 10_000, 10_000, 10_000, 90_000, 90_000)
    everybody = of(opinions)
    assert kinds(everybody) == {FindingKind.OUTLIER: 2}
    fewer = assess(opinions, households=[1], homes=HOMES, rules=rules(), excluded={103, 104})
    assert fewer.findings == everybody.findings
    assert (fewer.outcomes[0].answers, fewer.outcomes[0].centre_minor) == (3, 10_000)


def test_the_order_of_answers_does_not_matter() -> None:
    opinions = [*said(1, 7, 9, 30), *said(2, 8, 1)]
    found = [of(list(order)) for order in permutations(opinions)]
    assert all(one == found[0] for one in found)


def test_an_outlier_is_measured_against_the_others() -> None:
    """100 says 30,000 of household 2 where all others say 10,000: 20,000 ten-thousandths above.

    Eleven of twelve deviations are 0, so any above the floor is odd.
    """
    opinions = [*said(1, *[10_000] * 6), *said(2, 30_000, *[10_000] * 5)]
    finding = the(of(opinions), FindingKind.OUTLIER)
    assert finding.reviewers == (100,)
    assert finding.facts == {
        "mad_bps": 0,
        "answers": [
            {
                "household": 2,
                "limit_minor": 30_000,
                "middle_minor": 10_000,
                "deviation_bps": 20_000,
            }
        ],
    }
    assert finding.rule == "campaign_outlier_mads_bps"


def test_the_threshold_is_in_deviations_times_0_6745() -> None:
    """Two say 1,000 more and two 1,000 less than 10,000: the middle deviation is 1,000 of 10,000.

    3.5 / 0.6745 x 1,000 = 5,189: an answer 5,189 above is none, one 5,190 above is an outlier.
    """
    base = said(1, 9_000, 11_000, 10_000, 9_000, 11_000, 9_000, 11_000, 10_000)
    for household in (2, 3):
        base += said(household, 9_000, 11_000, 10_000, 9_000, 11_000, 9_000, 11_000, 10_000)
    mad = 1_000

    def odd(figure: int) -> bool:
        found = of([*base, *said(4, 10_000, 10_000, 10_000, figure)], campaign_outlier_floor_bps=0)
        outliers = [one for one in found.findings if one.kind is FindingKind.OUTLIER]
        assert all(one.facts["mad_bps"] == mad for one in outliers)
        return bool(outliers)

    assert not odd(10_000 + 5_189)
    assert odd(10_000 + 5_190)


def test_a_bias_is_taken_off_before_the_middle_is_sought() -> None:
    """102 says half as much again of everybody: 15,000 of 10,000 is 10,000 without it."""
    opinions = [one for home in range(1, 6) for one in said(home, 10_000, 10_000, 15_000)]
    found = of(opinions)
    finding = the(found, FindingKind.BIAS)
    assert finding.reviewers == (102,)
    assert finding.facts == {"answers": 5, "bias_bps": 5_000}
    assert {outcome.centre_minor for outcome in found.outcomes} == {10_000}
    # One answer on the other side, and it is no bias any more.
    opinions[2] = Opinion(102, 1, True, 9_000)
    assert FindingKind.BIAS not in kinds(of(opinions))


@pytest.mark.parametrize(
    ("said_", "bias", "meant"), [(15_000, 5_000, 10_000), (7_500, -2_500, 10_000), (10, 3, 10)]
)
def test_correcting_a_bias_is_exact(said_: int, bias: int, meant: int) -> None:
    assert corrected_minor(said_, bias) == meant


def test_the_example_of_the_docs() -> None:
    """Five look at five households; the first is Li's. D, 103, says a fifth too much of all."""
    opinions = said(1, 18_000_00, 20_000_03, 20_500_55, 24_000_00, None)
    for household in range(2, 6):
        opinions += said(household, 9_900_00, 10_000_00, 10_100_00, 12_030_00, 10_050_00)
    found = of(opinions)
    assert kinds(found) == {FindingKind.BIAS: 1}
    bias = the(found, FindingKind.BIAS)
    assert (bias.reviewers, bias.facts) == ((103,), {"answers": 5, "bias_bps": 2_000})
    li = found.outcomes[0]
    assert (li.verdict, li.answers, li.known) == (Verdict.PROPOSED, 5, 4)
    assert (li.centre_minor, li.spread_bps, li.proposed_minor) == (20_000_02, 125, 16_000_01)
    page = (CHECKOUT / "docs/whole-village-credit.md").read_text()
    assert "20,000.02" in page
    texts = grounds_text(
        verdict=li.verdict,
        grounds={"answers": 5, "known": 4, "centre_minor": li.centre_minor},
        amount_minor=li.proposed_minor,
        currency="CNY",
        share_bps=8_000,
        charter_version=1,
    )
    assert texts["zh-CN"] in page.replace("\n", "")


def panel(figures: dict[int, list[int]]) -> list[Opinion]:
    """Figures of several reviewers, household by household from 1 on."""
    return [
        Opinion(who, number + 1, True, figure)
        for who, listed in figures.items()
        for number, figure in enumerate(listed)
    ]


def test_who_always_says_the_same_is_found_by_what_chance_would_give() -> None:
    """100 and 101 agree on all of eight households, 102 to 104 never with anybody."""
    base = [20_000, 31_000, 42_000, 53_000, 24_000, 35_000, 46_000, 57_000]
    shifted = {who: [f + 1_000 * (who - 100) for f in base] for who in (102, 103, 104)}
    opinions = panel({100: base, 101: base, **shifted})
    finding = the(of(opinions, campaign_bias_bps=100_000), FindingKind.AGREEMENT)
    assert finding.reviewers == (100, 101)
    assert (finding.facts["could_agree"], finding.facts["agreed"]) == (8, 8)
    # Nine other pairs on eight households: 72, of which none agrees; one in 74 by the rule. There
    # are ten pairs of five, and pairs are half of the sizes looked at: 74^8 / 20.
    assert finding.facts["once_in"] == pytest.approx(74**8 / 20, rel=1e-3)
    fewer = of(opinions, campaign_bias_bps=100_000, campaign_agreement_shared_min=9)
    assert FindingKind.AGREEMENT not in kinds(fewer)


def test_who_lifts_each_other_needs_fewer_same_figures() -> None:
    """100 and 101 agree on two of six households, and each lifts the other's."""
    homes = {100: 1, 101: 2, 102: 3, 103: 4, 104: 5}
    base = {home: 20_000 + 3_700 * home for home in range(1, 9)}

    def figure(who: int, home: int) -> int:
        if who < 102 and home < 3:
            return base[home] * 2
        return base[home] + (0 if home > 6 else 10) * (who - 100) + 1_000 * max(0, who - 101)

    opinions = [
        Opinion(who, home, True, figure(who, home))
        for who in homes
        for home in base
        if homes[who] != home
    ]
    asked = rules(campaign_bias_bps=100_000)
    finding = the(
        assess(opinions, households=[*base], homes=homes, rules=asked), FindingKind.AGREEMENT
    )
    facts = finding.facts
    assert finding.reviewers == (100, 101)
    assert (facts["could_agree"], facts["agreed"]) == (6, 2)
    assert (facts["could_lift"], facts["lifted"]) == (2, 2)
    assert facts["households"] == [3, 4, 5, 6, 7, 8]
    # Five households of four reviewers and three of five are 60 pairs, 6 of them theirs: one in 56
    # agrees by the rule. Of 35 answers theirs are two: one in 35 lifts. All outcomes, counted out:
    chances = [Fraction(1, 56)] * 6 + [Fraction(1, 35)] * 2
    least_four = sum(
        prod(p if yes else 1 - p for p, yes in zip(chances, outcome, strict=True))
        for outcome in product((True, False), repeat=8)
        if sum(outcome) >= 4
    )
    assert facts["once_in"] == pytest.approx(float(1 / (least_four * 20)), rel=1e-3)
    # Were theirs not lifted, two of six would be told of nobody.
    plain = [
        replace(one, limit_minor=base[one.household] + one.reviewer) if one.household < 3 else one
        for one in opinions
    ]
    calm = assess(plain, households=[*base], homes=homes, rules=asked)
    assert FindingKind.AGREEMENT not in kinds(calm)


def test_where_everybody_says_the_same_nobody_is_accused() -> None:
    opinions = panel({who: [20_000] * 12 for who in range(100, 106)})
    assert kinds(of(opinions)) == {}


def test_a_ring_is_found_around_a_circle_and_not_from_one_side() -> None:
    """100 lifts the household of 101, who lifts that of 102, who lifts that of 100."""
    homes = {100: 1, 101: 2, 102: 3, 103: 4, 104: 5, 105: 6}
    high, plain = 18_000, 10_000

    def look(lifts: dict[int, int]) -> list[Opinion]:
        return [
            Opinion(who, home, True, high if lifts.get(who) == home else plain)
            for home in (1, 2, 3)
            for who in homes
            if homes[who] != home
        ]

    asked = rules()
    circle = assess(look({100: 2, 101: 3, 102: 1}), households=[1, 2, 3], homes=homes, rules=asked)
    ring = the(circle, FindingKind.RING)
    assert ring.reviewers == (100, 101, 102)
    assert ring.facts["households"] == [1, 2, 3]
    assert {fact["deviation_bps"] for fact in ring.facts["answers"]} == {8_000}
    line = assess(look({100: 2, 101: 3}), households=[1, 2, 3], homes=homes, rules=asked)
    assert FindingKind.RING not in kinds(line)


# What docs/whole-village-credit.md says of simulated villages of 40 households, 15 reviewers, five
# on each household, whose guesses scatter by 15 % and are said in whole thousands.
HONEST = {FindingKind.OUTLIER: 18}
COLLUDING, WILD = (1_001, 1_002, 1_003), 1_010


def test_honest_villages_give_few_false_findings() -> None:
    """Fifty villages, 750 reviewers, 10,000 answers: 18 outliers, nobody accused of colluding."""
    found: Counter[FindingKind] = Counter()
    verdicts: Counter[Verdict] = Counter()
    for seed in range(50):
        assessed = SimulatedVillage(seed).assessed()
        found += kinds(assessed)
        verdicts.update(outcome.verdict for outcome in assessed.outcomes)
    assert found == HONEST
    assert verdicts[Verdict.PROPOSED] == 1_996


def test_a_colluding_panel_and_an_outlier_are_found() -> None:
    """In each of twenty villages; and what the panel wanted for itself it does not get."""
    all_three = wild = wrongly = lifted = 0
    for seed in range(20):
        village = SimulatedVillage(seed, colluding=COLLUDING, wild=(WILD,))
        assessed = village.assessed()
        accused = {
            who
            for finding in assessed.findings
            if finding.kind in (FindingKind.AGREEMENT, FindingKind.RING)
            for who in finding.reviewers
        }
        all_three += accused >= set(COLLUDING)
        wrongly += len(accused - {*COLLUDING, WILD})
        # Once the dice give him only answers that are too low: a bias, and it is corrected.
        wild += any(
            WILD in finding.reviewers
            for finding in assessed.findings
            if finding.kind in (FindingKind.OUTLIER, FindingKind.BIAS)
        )
        after = village.assessed(excluded=accused | {WILD})
        lifted += sum(
            outcome.centre_minor is not None
            and outcome.centre_minor > 1.5 * village.truth[outcome.household]
            for outcome in after.outcomes
            if outcome.household in village.ring
        )
    assert (all_three, wild) == (20, 20)
    # Of 220 honest ones, whose high guesses chance to close a circle: an officer looks at them.
    assert wrongly == 2
    assert lifted == 0


def test_a_charter_cannot_ask_for_more_who_know_than_it_draws() -> None:
    with pytest.raises(CharterInvalid):
        rules(campaign_known_min=6)
