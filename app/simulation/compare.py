"""What was planted, against what was found: when, by which rule, how long before the harm. Pure.

Two kinds of rules are kept apart. A *reminder* states what the books show: a payment is late, a
promise runs out. It is never false, and says little. A *suspicion* says that somebody is up to
something, or that too much hangs on them: said of honest people, it is a false alarm.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.simulation.plan import Kind, Planted

REMINDERS = frozenset(
    {"late", "broken_promise", "expiring_cover", "missed_meetings", "missed_visits"}
)
# A flood is nobody's guilt: it is seen by reminders, and once so many of those hit are late.
FLOOD_SEEN_BY = 3
MONTH_DAYS = Fraction(365, 12)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, on the day it was first made."""

    rule: str
    day: int
    village: int
    people: frozenset[str]

    @property
    def is_reminder(self) -> bool:
        return self.rule.split("/", maxsplit=1)[0] in REMINDERS


@dataclass(frozen=True, slots=True)
class Loss:
    """Money of others than the borrower went on somebody's loan."""

    day: int
    village: int
    borrower: str
    minor: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One truth: when and by which rule it was found, and when it first cost somebody something."""

    planted: Planted
    found_day: int | None
    rule: str | None
    # Every rule that found it, and on which day.
    rules: tuple[tuple[str, int], ...]
    loss_day: int | None
    lost_minor: int

    @property
    def lead_days(self) -> int | None:
        """How many days before the first loss it was found; below zero: after it."""
        if self.found_day is None or self.loss_day is None:
            return None
        return self.loss_day - self.found_day

    @property
    def in_time(self) -> bool:
        """Found, and before anybody lost anything by it."""
        if self.found_day is None:
            return False
        return self.loss_day is None or self.found_day < self.loss_day


@dataclass(frozen=True, slots=True)
class Score:
    """A run's answer."""

    seen: tuple[Seen, ...]
    false_alarms: tuple[Finding, ...]
    right: int
    reminders: Counter[str]
    reminders_before_loss: Counter[str]
    member_months: Fraction

    @property
    def false_alarm_rate(self) -> Fraction:
        """False alarms per 1,000 members and month."""
        return per_thousand(len(self.false_alarms), self.member_months)

    @property
    def by_rule(self) -> Counter[str]:
        """False alarms by rule."""
        return Counter(finding.rule for finding in self.false_alarms)


def per_thousand(count: int, member_months: Fraction) -> Fraction:
    """So many per 1,000 members and month; nothing where nobody lived."""
    return Fraction(count) * 1000 / member_months if member_months else Fraction(0)


def member_months(spans: Iterable[tuple[int, int]]) -> Fraction:
    """Months that members lived here: the days from joining to the end, by the year's twelfth."""
    return Fraction(sum(max(0, until - since) for since, until in spans)) / MONTH_DAYS


def score(
    planted: Sequence[Planted],
    findings: Iterable[Finding],
    losses: Iterable[Loss],
    *,
    member_months: Fraction,
) -> Score:
    """Compare. A finding is right if at least half of those it names belong to one truth.

    A truth is found by a rule on the day by which its right findings have named half of its people.
    """
    ordered = sorted(findings, key=lambda one: (one.day, one.rule, sorted(one.people)))
    lost = sorted(losses, key=lambda one: (one.day, one.borrower))
    suspicions = [one for one in ordered if not one.is_reminder]
    reminders = [one for one in ordered if one.is_reminder]
    guilty = [truth for truth in planted if truth.kind is not Kind.FLOOD]
    false = tuple(one for one in suspicions if not any(is_about(one, truth) for truth in guilty))
    return Score(
        tuple(_seen(truth, ordered, lost) for truth in planted),
        false,
        len(suspicions) - len(false),
        Counter(one.rule for one in reminders),
        Counter(one.rule for one in reminders if _cost_later(one, lost)),
        member_months,
    )


def is_about(finding: Finding, truth: Planted) -> bool:
    """Whether at least half of those whom a finding names belong to the truth, from its day on."""
    if finding.village != truth.village or finding.day < truth.from_day or not finding.people:
        return False
    inside = len(finding.people & (truth.people | truth.helpers))
    return inside * 2 >= len(finding.people)


def _seen(truth: Planted, findings: Sequence[Finding], losses: Sequence[Loss]) -> Seen:
    wanted = (len(truth.people) + 1) // 2
    if truth.kind is Kind.FLOOD:
        wanted = min(wanted, FLOOD_SEEN_BY)
    named: dict[str, set[str]] = defaultdict(set)
    rules: dict[str, int] = {}
    for finding in findings:
        # Whoever is late is late: that tells of a flood, and of nothing else.
        if finding.is_reminder is not (truth.kind is Kind.FLOOD) or not is_about(finding, truth):
            continue
        named[finding.rule] |= finding.people & truth.people
        if len(named[finding.rule]) >= wanted:
            rules.setdefault(finding.rule, finding.day)
    first = min(rules.items(), key=lambda one: (one[1], one[0]), default=None)
    harm = [
        one
        for one in losses
        if one.village == truth.village
        and one.borrower in truth.people
        and one.day >= truth.from_day
    ]
    return Seen(
        truth,
        None if first is None else first[1],
        None if first is None else first[0],
        tuple(sorted(rules.items(), key=lambda one: (one[1], one[0]))),
        harm[0].day if harm else None,
        sum(one.minor for one in harm),
    )


def _cost_later(finding: Finding, losses: Collection[Loss]) -> bool:
    return any(
        one.village == finding.village and one.borrower in finding.people and one.day > finding.day
        for one in losses
    )


def merged(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """The sums of several counts."""
    whole: Counter[str] = Counter()
    for one in counts:
        whole.update(one)
    return whole
