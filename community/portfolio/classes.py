"""Which of the five classes of risk a loan belongs to, and why. Pure.

A loan's own class follows from its own facts: how late it is, whether it was restructured, called
or written off. It gets worse at once; from substandard down it gets better only after a watch
without arrears. Where the charter says so, every loan of a member then has the class of the worst.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from community.communities.charter import CharterRules, RiskClass
from community.errors import Invalid

TIERS = tuple(RiskClass)
NON_PERFORMING = frozenset({RiskClass.SUBSTANDARD, RiskClass.DOUBTFUL, RiskClass.LOSS})
_RANK = {tier: rank for rank, tier in enumerate(TIERS)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides on one loan's class on a day."""

    days_overdue: int
    # Seasons of the crop that went by unpaid; None: not a seasonal loan, or days count.
    seasons_missed: int | None = None
    restructured: bool = False
    called: bool = False
    written_off: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What was decided on a loan before: its own class, and since when it has no arrears.

    The day is kept only while it matters: in a class below normal, or after a restructuring.
    """

    own: RiskClass = RiskClass.NORMAL
    clean_since_on: date | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule of the charter, the class that it leads to, and the facts that it looked at."""

    rule: str
    tier: RiskClass
    facts: tuple[tuple[str, str | int], ...]

    def to_document(self) -> dict[str, Any]:
        """The reason as it is stored and shown."""
        return {"rule": self.rule, "class": self.tier.value, **dict(self.facts)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A loan's own class, since when it is without arrears, and the reasons, deciding one first."""

    own: RiskClass
    clean_since_on: date | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The class that counts for a loan, with the reasons for it."""

    tier: RiskClass
    reasons: tuple[Reason, ...]


def classify(facts: Facts, rules: CharterRules, held: Held, on: date) -> Verdict:
    """A loan's own class on a day, from its facts and from what was decided on it before.

    Worse at once. Out of substandard, doubtful or loss only when the loan has had no arrears for
    `class_watch_days`; a restructured loan is at least special mention for as long. Asking twice
    on a day gives the same answer.
    """
    if facts.days_overdue < 0 or (facts.seasons_missed or 0) < 0:
        raise Invalid("Days overdue and seasons are counted from zero up.")
    clean_since = (held.clean_since_on or on) if facts.days_overdue == 0 else None
    ends_on = clean_since + timedelta(days=rules.class_watch_days) if clean_since else None
    is_watched = ends_on is None or on < ends_on
    reasons = _reasons(facts, rules)
    if is_watched and facts.restructured:
        reasons.append(_watch(RiskClass.SPECIAL_MENTION, clean_since, ends_on))
    if (
        is_watched
        and held.own in NON_PERFORMING
        and is_worse(held.own, worst(*(reason.tier for reason in reasons)))
    ):
        reasons.append(_watch(held.own, clean_since, ends_on))
    reasons.sort(key=lambda reason: -_RANK[reason.tier])
    own = reasons[0].tier
    matters = own is not RiskClass.NORMAL or facts.restructured
    return Verdict(own, clean_since if matters else None, tuple(reasons))


def rule_together(verdicts: Mapping[str, Verdict], rules: CharterRules) -> dict[str, Ruling]:
    """The classes of all of one member's loans in a community, by the loan's public id.

    With `worst_loan_per_member` they all have the class of the worst; the reason names that loan
    (of several the one whose id sorts first).
    """
    if not verdicts:
        return {}
    lowest = min(verdicts, key=lambda loan: (-_RANK[verdicts[loan].own], loan))
    worst_own = verdicts[lowest].own
    rulings = {}
    for loan, verdict in verdicts.items():
        tier, reasons = verdict.own, verdict.reasons
        if rules.worst_loan_per_member and is_worse(worst_own, tier):
            lifted = Reason("worst_loan_per_member", worst_own, (("loan", lowest),))
            tier, reasons = worst_own, (lifted, *reasons)
        rulings[loan] = Ruling(tier, reasons)
    return rulings


def earns_interest(tier: RiskClass, rules: CharterRules) -> bool:
    """Whether interest on a loan of this class is still counted as earned before it is paid."""
    return is_worse(rules.non_accrual_from, tier)


def non_accrual_classes(rules: CharterRules) -> tuple[RiskClass, ...]:
    """The classes in which interest is income only when it is paid."""
    return tuple(tier for tier in TIERS if not earns_interest(tier, rules))


def is_worse(one: RiskClass, other: RiskClass) -> bool:
    """Whether one class is worse than another."""
    return _RANK[one] > _RANK[other]


def worst(*tiers: RiskClass) -> RiskClass:
    """The worst of some classes; normal if there are none."""
    return max(tiers, key=_RANK.__getitem__, default=RiskClass.NORMAL)


def _reasons(facts: Facts, rules: CharterRules) -> list[Reason]:
    reasons = [_by_lateness(facts, rules)]
    if facts.called:
        reasons.append(Reason("called", RiskClass.SPECIAL_MENTION, ()))
    if facts.written_off:
        reasons.append(Reason("written_off", RiskClass.LOSS, ()))
    return reasons


def _by_lateness(facts: Facts, rules: CharterRules) -> Reason:
    days = facts.days_overdue
    reached = sum(days >= threshold for threshold in rules.class_days)
    if facts.seasons_missed is None or not reached:
        return Reason("class_days", TIERS[reached], (("days_overdue", days),))
    # One season more than the charter bears is one class worse, and so on.
    beyond = facts.seasons_missed - rules.class_crop_seasons
    rank = max(_RANK[RiskClass.SPECIAL_MENTION], min(_RANK[RiskClass.SUBSTANDARD] + beyond, 4))
    return Reason(
        "class_crop_seasons",
        TIERS[rank],
        (("days_overdue", days), ("seasons_missed", facts.seasons_missed)),
    )


def _watch(tier: RiskClass, clean_since: date | None, ends_on: date | None) -> Reason:
    facts: tuple[tuple[str, str | int], ...] = ()
    if clean_since is not None and ends_on is not None:
        facts = (("clean_since", clean_since.isoformat()), ("until", ends_on.isoformat()))
    return Reason("class_watch_days", tier, facts)
