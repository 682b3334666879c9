"""What the answers of a review give: a limit for every household, and what is odd in them. Pure.

The centre of a household is the median of what those who know it suggest: half of the panel would
have to agree on a lie to move it at will (Hampel 1974, "The influence curve and its role in robust
estimation"). An answer is measured against the median of the others on the same household (of
all, where fewer than three others know it), in ten-thousandths of it, so that households of all
sizes are looked at together.

- *Outlier*: further from the others than so many median absolute deviations of all answers, times
  0.6745, the modified z score of Iglewicz and Hoaglin (1993, "How to detect and handle outliers").
- *Bias*: a reviewer all of whose answers lie on one side. It is corrected, as graders' are (Piech
  et al. 2013, "Tuned models of peer assessment in MOOCs").
- *Agreement*: two or more who say the same number more often than others on the same households,
  and lift each other's households more often than households are lifted, by the tail of a Poisson
  binomial, as copied exams are found (Wesolowsky 2000, "Detecting excessive similarity in answers
  on multiple choice exams"), with Bonferroni's correction for all panels of that size that there
  could be. Both are counted together: where a household has few reviewers, a panel of three shares
  too few households to be told by either alone.
- *Ring*: reviewers whose answers lift each other's households far above what the others say, in
  pairs or around a circle: people favour family and friends when money hangs on it (Hussam, Rigol
  and Roth 2022, "Targeting high ability entrepreneurs using community information").

Numbers are whole: minor units, ten-thousandths, millionths. Each finding says the facts and the
rule of the charter; `wording` says what it means in the members' languages.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

from community.communities.charter import CharterRules
from community.money import round_half_even, share_bps

_WHOLE = 10_000
_MILLION = 1_000_000
# A median absolute deviation of normal errors is 0.6745 of their standard deviation.
_NORMAL_MAD = 6_745


class FindingKind(StrEnum):
    OUTLIER = "outlier"
    BIAS = "bias"
    AGREEMENT = "agreement"
    RING = "ring"


# What an officer has to decide on; a bias is corrected by the rule itself.
TO_DECIDE = frozenset({FindingKind.OUTLIER, FindingKind.AGREEMENT, FindingKind.RING})


class Verdict(StrEnum):
    """What the answers on a household come to."""

    PROPOSED = "proposed"
    TOO_FEW_KNOW = "too_few_know"
    TOO_FAR_APART = "too_far_apart"
    REASONS_AGAINST = "reasons_against"
    NOTHING_SUGGESTED = "nothing_suggested"


@dataclass(frozen=True, slots=True)
class Opinion:
    """One reviewer's answer on one household, as far as figures go."""

    reviewer: int
    household: int
    knows: bool
    # None where they do not know the household.
    limit_minor: int | None
    is_against: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd in the answers: who, by which rule, and the facts, in whole numbers."""

    kind: FindingKind
    reviewers: tuple[int, ...]
    rule: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answers on a household come to, with the figures that it follows from."""

    household: int
    verdict: Verdict
    answers: int
    known: int
    against: int
    centre_minor: int | None
    # Half of the answers lie within so many ten-thousandths of the centre.
    spread_bps: int | None
    proposed_minor: int


@dataclass(frozen=True, slots=True)
class Assessed:
    """All outcomes and findings of a campaign."""

    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Sheet:
    """The figures of those who know the households."""

    by_household: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def middle(self, household: int, reviewer: int) -> int | None:
        """The middle of what the others say of a household; None: too few say anything.

        Of all where fewer than three others do: one liar among two others is half of their middle.
        """
        figures = self.by_household[household]
        others = [value for who, value in figures.items() if who != reviewer]
        if len(others) < 2:
            return None
        return median(others if len(others) > 2 else figures.values())

    def deviations(self) -> dict[tuple[int, int], int]:
        """By reviewer and household: how far an answer is from the others', in ten-thousandths."""
        found = {}
        for household, figures in self.by_household.items():
            for reviewer, value in figures.items():
                middle = self.middle(household, reviewer)
                if middle:
                    found[reviewer, household] = ratio_bps(value - middle, middle)
        return found


def median(values: Collection[int]) -> int:
    """The middle value; between two, their mean, an exact half to the even unit."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return round_half_even(Fraction(ordered[middle - 1] + ordered[middle], 2))


def ratio_bps(part: int, whole: int) -> int:
    """`part` in ten-thousandths of `whole`, an exact half to the even one."""
    return round_half_even(Fraction(part * _WHOLE, whole))


def assess(
    opinions: Iterable[Opinion],
    *,
    households: Sequence[int],
    homes: Mapping[int, int],
    rules: CharterRules,
    excluded: Collection[int] = (),
) -> Assessed:
    """What all answers come to, those of the excluded set aside; `homes` are the reviewers' own.

    The order of the answers does not matter. Findings look at everybody's answers, whoever is
    excluded: what was found stays found. Cost: answers times panel, pairs of reviewers who share
    households.
    """
    listed = sorted(opinions, key=lambda one: (one.household, one.reviewer))
    everything = _sheet(listed, ())
    biases = _biases(everything, rules)
    unbiased = _corrected(everything, biases)
    findings = [
        *_bias_findings(everything, biases),
        *_outliers(unbiased, rules),
        *_agreements(everything, unbiased, homes, rules),
        *_rings(unbiased, homes, rules),
    ]
    counted = _sheet(listed, excluded)
    sheet = _corrected(counted, _biases(counted, rules))
    outcomes = tuple(
        _outcome(
            household,
            [one for one in listed if one.household == household and one.reviewer not in excluded],
            sheet.by_household[household].values(),
            rules,
        )
        for household in sorted(households)
    )
    return Assessed(outcomes, tuple(findings))


def corrected_minor(limit_minor: int, bias_bps: int) -> int:
    """An answer without its reviewer's bias: half as much again, taken off, is two thirds."""
    return round_half_even(Fraction(limit_minor * _WHOLE, _WHOLE + bias_bps))


def _sheet(opinions: Iterable[Opinion], excluded: Collection[int]) -> _Sheet:
    sheet = _Sheet()
    for one in opinions:
        if one.knows and one.limit_minor is not None and one.reviewer not in excluded:
            sheet.by_household[one.household][one.reviewer] = one.limit_minor
    return sheet


def _corrected(sheet: _Sheet, biases: Mapping[int, int]) -> _Sheet:
    corrected = _Sheet()
    for household, figures in sheet.by_household.items():
        corrected.by_household[household] = {
            who: corrected_minor(value, biases[who]) if who in biases else value
            for who, value in figures.items()
        }
    return corrected


def _outcome(
    household: int, opinions: Sequence[Opinion], figures: Collection[int], rules: CharterRules
) -> Outcome:
    against = sum(one.is_against for one in opinions if one.knows)
    known = len(figures)
    centre = median(figures) if figures else None
    spread = _spread(figures, centre)
    proposed = 0
    if centre is not None:
        proposed = min(
            share_bps(centre, rules.campaign_grant_share_bps), rules.campaign_household_minor_max
        )
    if known < rules.campaign_known_min:
        verdict = Verdict.TOO_FEW_KNOW
    elif against * _WHOLE > rules.campaign_against_bps_max * known:
        verdict = Verdict.REASONS_AGAINST
    elif spread is not None and spread > rules.campaign_spread_bps_max:
        verdict = Verdict.TOO_FAR_APART
    elif proposed == 0:
        verdict = Verdict.NOTHING_SUGGESTED
    else:
        verdict = Verdict.PROPOSED
    return Outcome(
        household=household,
        verdict=verdict,
        answers=len(opinions),
        known=known,
        against=against,
        centre_minor=centre,
        spread_bps=spread,
        proposed_minor=proposed if verdict is Verdict.PROPOSED else 0,
    )


def _spread(figures: Collection[int], centre: int | None) -> int | None:
    if not centre:
        return None
    return ratio_bps(median([abs(value - centre) for value in figures]), centre)


def _biases(sheet: _Sheet, rules: CharterRules) -> dict[int, int]:
    """Reviewers all of whose answers lie on one side of the others', and by how much.

    The furthest first, the others looked at again without their bias: on a small panel one who
    says too much makes the others look as if they said too little.
    """
    found: dict[int, int] = {}
    while True:
        by_reviewer: dict[int, list[int]] = defaultdict(list)
        for (reviewer, _), deviation in _corrected(sheet, found).deviations().items():
            by_reviewer[reviewer].append(deviation)
        one_sided = [
            (abs(median(listed)), -reviewer, median(listed))
            for reviewer, listed in by_reviewer.items()
            if reviewer not in found
            and len(listed) >= rules.campaign_bias_answers_min
            and (min(listed) > 0 or max(listed) < 0)
            # An answer of nothing at all cannot be scaled up.
            and median(listed) > -_WHOLE
        ]
        far, minus_reviewer, bias = max(one_sided, default=(0, 0, 0))
        if not one_sided or far < rules.campaign_bias_bps:
            return found
        found[-minus_reviewer] = bias


def _bias_findings(sheet: _Sheet, biases: Mapping[int, int]) -> Iterable[Finding]:
    for reviewer, bias in sorted(biases.items()):
        answers = sum(reviewer in figures for figures in sheet.by_household.values())
        yield Finding(
            FindingKind.BIAS,
            (reviewer,),
            "campaign_bias_bps",
            {"answers": answers, "bias_bps": bias},
        )


def _outliers(sheet: _Sheet, rules: CharterRules) -> Iterable[Finding]:
    deviations = sheet.deviations()
    if not deviations:
        return
    mad = median([abs(deviation) for deviation in deviations.values()])
    odd: dict[int, list[dict[str, int]]] = defaultdict(list)
    for (reviewer, household), deviation in sorted(deviations.items()):
        far = abs(deviation)
        if (
            far > rules.campaign_outlier_floor_bps
            and far * _NORMAL_MAD > rules.campaign_outlier_mads_bps * mad
        ):
            odd[reviewer].append(
                {
                    "household": household,
                    "limit_minor": sheet.by_household[household][reviewer],
                    "middle_minor": sheet.middle(household, reviewer) or 0,
                    "deviation_bps": deviation,
                }
            )
    for reviewer, answers in sorted(odd.items()):
        yield Finding(
            FindingKind.OUTLIER,
            (reviewer,),
            "campaign_outlier_mads_bps",
            {"mad_bps": mad, "answers": answers},
        )


def _agreements(
    sheet: _Sheet, unbiased: _Sheet, homes: Mapping[int, int], rules: CharterRules
) -> Iterable[Finding]:
    """Panels, from pairs up, who say the same, or lift each other, more often than by chance.

    The search is greedy: from the likeliest pairs, one more reviewer as long as that makes the
    panel less likely. What it finds is measured against all panels of that size there could be.
    """
    talk = _Agreement(sheet, unbiased.deviations(), homes, rules.campaign_inflation_bps)
    found: dict[tuple[int, ...], _Odds] = {}
    for pair in talk.starts():
        panel, odds = pair, talk.odds(pair)
        while True:
            wider = [
                (talk.odds(tuple(sorted({*panel, who}))), tuple(sorted({*panel, who})))
                for who in talk.near(panel)
            ]
            wider = [
                one
                for one in wider
                if one[0].counted - odds.counted >= rules.campaign_agreement_shared_min
            ]
            best = min(wider, default=None, key=lambda one: (one[0].by_chance, one[1]))
            if best is None or best[0].by_chance >= odds.by_chance:
                break
            odds, panel = best
        if (
            odds.counted >= rules.campaign_agreement_shared_min
            and odds.by_chance * _MILLION <= rules.campaign_agreement_ppm
        ):
            found[panel] = odds
    taken: set[int] = set()
    for panel, odds in sorted(found.items(), key=lambda one: (one[1].by_chance, one[0])):
        if taken & set(panel):
            continue
        taken |= set(panel)
        yield Finding(
            FindingKind.AGREEMENT,
            panel,
            "campaign_agreement_ppm",
            {
                "households": list(odds.households),
                "could_agree": odds.trials,
                "agreed": odds.agreed,
                "could_lift": odds.looks,
                "lifted": odds.lifted,
                # Of both together.
                "expected_bps": ratio_bps(odds.expected.numerator, odds.expected.denominator),
                # So many campaigns of honest reviewers have one such panel, or fewer.
                "once_in": int(1 / odds.by_chance) if odds.by_chance else 0,
            },
        )


@dataclass(frozen=True, slots=True)
class _Odds:
    """How often a panel agreed and lifted each other, and how likely that is of any of its size."""

    households: tuple[int, ...]
    trials: int
    agreed: int
    # Answers of one of the panel on another's household, and how many of them lift it.
    looks: int
    lifted: int
    expected: Fraction
    by_chance: Fraction

    @property
    def counted(self) -> int:
        """All occasions on which they could have agreed, or lifted each other."""
        return self.trials + self.looks


class _Agreement:
    """Who says the same as whom, household by household, and who lifts whose household.

    A panel's own households count for lifts, all others for the same figure: whoever says the same
    as one who lifts, lifts too, and would be counted twice.
    """

    def __init__(
        self,
        sheet: _Sheet,
        deviations: Mapping[tuple[int, int], int],
        homes: Mapping[int, int],
        lift_bps: int,
    ) -> None:
        self.figures = {home: figures for home, figures in sheet.by_household.items() if figures}
        self.reviewers = sorted({who for figures in self.figures.values() for who in figures})
        self.homes: dict[int, set[int]] = defaultdict(set)
        self.pairs: dict[int, tuple[int, int]] = {}
        self.shared: dict[tuple[int, int], int] = defaultdict(int)
        self.same: dict[tuple[int, int], int] = defaultdict(int)
        for home, figures in self.figures.items():
            for who in figures:
                self.homes[who].add(home)
            agreed = 0
            for pair in combinations(sorted(figures), 2):
                self.shared[pair] += 1
                if figures[pair[0]] == figures[pair[1]]:
                    self.same[pair] += 1
                    agreed += 1
            self.pairs[home] = (len(figures) * (len(figures) - 1) // 2, agreed)
        self.own = homes
        # Whether each answer that can be measured lifts its household.
        self.lifts: dict[int, dict[int, bool]] = defaultdict(dict)
        for (who, home), deviation in deviations.items():
            self.lifts[home][who] = deviation >= lift_bps
        self.measured = len(deviations)
        self.all_lifted = sum(sum(looks.values()) for looks in self.lifts.values())
        self.lifting: dict[tuple[int, int], int] = defaultdict(int)
        for other in self.reviewers:
            for who, is_lift in self.lifts.get(homes[other], {}).items():
                if is_lift and homes[who] != homes[other]:
                    self.lifting[min(who, other), max(who, other)] += 1
        self.linked = self.same.keys() | self.lifting.keys()
        # The search comes to the same panel from many sides.
        self.known: dict[tuple[int, ...], _Odds] = {}
        self.all_pairs = sum(self.shared.values())
        self.all_same = sum(self.same.values())

    def starts(self) -> list[tuple[int, ...]]:
        """The pairs who agree most, and those who lift each other, as many as reviewers of each."""
        count = len(self.reviewers)
        agreeing = sorted(self.same, key=lambda pair: (-self.same[pair], self.shared[pair], pair))
        lifting = sorted(self.lifting, key=lambda pair: (-self.lifting[pair], pair))
        return list(dict.fromkeys(agreeing[:count] + lifting[:count]))

    def near(self, panel: Collection[int]) -> list[int]:
        """Who else said the same as one of the panel somewhere, or lifted one, or was lifted."""
        return sorted(
            {
                other
                for pair in self.linked
                for who, other in (pair, pair[::-1])
                if who in panel and other not in panel
            }
        )

    def odds(self, panel: tuple[int, ...]) -> _Odds:
        """The first of a panel on a household says what they say; the others agree, or do not."""
        if panel not in self.known:
            self.known[panel] = self._odds(panel)
        return self.known[panel]

    def _odds(self, panel: tuple[int, ...]) -> _Odds:
        inside = list(combinations(panel, 2))
        own_pairs = sum(self.shared[pair] for pair in inside if pair in self.shared)
        own_same = sum(self.same[pair] for pair in inside if pair in self.same)
        # One more of each keeps the chance from being nothing, or certain.
        common = Fraction(self.all_same - own_same + 1, self.all_pairs - own_pairs + 2)
        chances: list[Fraction] = []
        agreed, homes = 0, []
        own = {self.own[who] for who in panel}
        looks = [
            is_lift
            for home in own
            for who, is_lift in self.lifts.get(home, {}).items()
            if who in panel and self.own[who] != home
        ]
        lifted = sum(looks)
        for home in sorted(set().union(*(self.homes[who] for who in panel)) - own):
            said = [self.figures[home][who] for who in panel if who in self.figures[home]]
            if len(said) < 2:
                continue
            within = len(said) * (len(said) - 1) // 2
            alike = sum(one == other for one, other in combinations(said, 2))
            pairs, same = self.pairs[home]
            # How often the others agree on this household, or on all if that is more often.
            here = max(common, (same - alike + common) / (pairs - within + 1))
            # The third has two others to agree with.
            chances += [min(Fraction(1), here * before) for before in range(1, len(said))]
            agreed += len(said) - len(set(said))
            homes.append(home)
        # How often everybody else's answers lift a household.
        lifts = Fraction(self.all_lifted - lifted + 1, self.measured - len(looks) + 2)
        chances += [lifts] * len(looks)
        size = len(panel)
        # All panels of this size; and 1/2 + 1/4 + ... over the sizes is one.
        tried = comb(len(self.reviewers), size) * 2 ** (size - 1)
        tail = _tail(chances, agreed + lifted)
        return _Odds(
            tuple(homes),
            len(chances) - len(looks),
            agreed,
            len(looks),
            lifted,
            sum(chances, Fraction(0)),
            min(tail * tried, Fraction(1)),
        )


def _tail(chances: Sequence[Fraction], least: int) -> Fraction:
    """The chance of at least so many of these independent events, in millionths rounded up."""
    ways = [1]
    for chance in chances:
        yes = min(_MILLION, -(-chance.numerator * _MILLION // chance.denominator))
        no = _MILLION - yes
        ways = [
            (ways[k] * no if k < len(ways) else 0) + (ways[k - 1] * yes if k else 0)
            for k in range(len(ways) + 1)
        ]
    return Fraction(sum(ways[least:]), _MILLION ** len(chances))


def _rings(sheet: _Sheet, homes: Mapping[int, int], rules: CharterRules) -> Iterable[Finding]:
    lifts: dict[int, dict[int, list[dict[str, int]]]] = defaultdict(dict)
    for (reviewer, household), deviation in sorted(sheet.deviations().items()):
        if deviation >= rules.campaign_inflation_bps:
            lifts[homes[reviewer]].setdefault(household, []).append(
                {
                    "reviewer": reviewer,
                    "household": household,
                    "limit_minor": sheet.by_household[household][reviewer],
                    "middle_minor": sheet.middle(household, reviewer) or 0,
                    "deviation_bps": deviation,
                }
            )
    reach = {home: _reached(lifts, home) for home in lifts}
    seen: set[int] = set()
    for home in sorted(lifts):
        ring = {other for other in reach[home] if home in reach.get(other, ())}
        if home in seen or len(ring) < 2:
            continue
        seen |= ring
        answers = [
            fact
            for lifter in sorted(ring)
            for household, facts in sorted(lifts[lifter].items())
            if household in ring
            for fact in facts
        ]
        yield Finding(
            FindingKind.RING,
            tuple(sorted({fact["reviewer"] for fact in answers})),
            "campaign_inflation_bps",
            {"households": sorted(ring), "answers": answers},
        )


def _reached(lifts: Mapping[int, Mapping[int, Any]], start: int) -> set[int]:
    """Households that one lifts, and those that they lift, and so on; itself if it comes back."""
    found: set[int] = set()
    queue = [start]
    for home in queue:
        for household in lifts.get(home, ()):
            if household not in found:
                found.add(household)
                queue.append(household)
    return found
