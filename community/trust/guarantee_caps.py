"""How much one member may promise for others, all in all: the charter's caps and warnings. Pure.

What counts is the signed maximum: every promise as far as it could still be asked for. A promise
of which nothing can be asked any more counts for nothing, not as one of the number either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from community.communities.charter import CharterRules, GuaranteeBase
from community.money import format_minor

_WHOLE = 10_000
_BASES = {
    GuaranteeBase.STANDING: ("担保能力", "standing"),
    GuaranteeBase.SAVINGS: ("储蓄", "savings"),
    GuaranteeBase.REPAYMENT_CAPACITY: ("经评定的还款能力", "assessed repayment capacity"),
}


class CapKind(StrEnum):
    COUNT = "guarantees_count"
    RATIO = "guarantee_ratio"
    MUTUAL_PAIR = "mutual_pair"
    CIRCLE = "guarantee_circle"


@dataclass(frozen=True, slots=True)
class CapNote:
    """One thing to think of before signing, or the reason why it cannot be signed."""

    kind: CapKind
    rule: str
    refuses: bool
    text: dict[str, str]


@dataclass(frozen=True, slots=True)
class Promises:
    """All that a member promises for others in one community: behind how many, how much at most."""

    count: int
    most_minor: int


@dataclass(frozen=True, slots=True)
class CapCheck:
    """A member's promises before and after a step, against what the charter admits."""

    member_id: int
    currency: str
    before: Promises
    after: Promises
    longer: bool  # a promise runs longer than before
    base_minor: int
    rules: CharterRules
    charter_id: int
    charter_version: int

    @property
    def raises(self) -> bool:
        """Whether the member promises more than before; only then a cap refuses anything."""
        return (
            self.longer
            or self.after.count > self.before.count
            or self.after.most_minor > self.before.most_minor
        )

    @property
    def allowed_minor(self) -> int | None:
        """The most that all promises together may come to; None: the charter caps no ratio."""
        ratio = self.rules.guarantee_ratio_bps_max
        return self.base_minor * ratio // _WHOLE if ratio else None

    @property
    def over_count(self) -> bool:
        return self.raises and self.after.count > self.rules.guarantees_count_max

    @property
    def over_ratio(self) -> bool:
        allowed = self.allowed_minor
        return self.raises and allowed is not None and self.after.most_minor > allowed

    @property
    def refused(self) -> bool:
        return self.over_count or self.over_ratio

    def ratio_bps(self, promises: Promises) -> int | None:
        """All promises per 10,000 of the base, rounded up; None: there is no base."""
        return -(-promises.most_minor * _WHOLE // self.base_minor) if self.base_minor else None

    def notes(self) -> Iterator[CapNote]:
        """Warnings and refusals, in the two languages."""
        share = self.rules.guarantee_warning_bps
        if not self.raises:
            return
        most = self.rules.guarantees_count_max
        if self.after.count and self.after.count * _WHOLE >= most * share:
            yield self._of_count(most)
        allowed = self.allowed_minor
        if (
            allowed is not None
            and self.after.most_minor
            and self.after.most_minor * _WHOLE >= allowed * share
        ):
            yield self._of_ratio(allowed)

    def _of_count(self, most: int) -> CapNote:
        count = self.after.count
        if self.over_count:
            chinese = f"签了以后您将为 {count} 人担保，章程最多允许 {most} 人。请先结束一项担保。"
            english = (
                f"With this you would stand behind {count} people; the charter admits {most}. End "
                "another promise first."
            )
        else:
            chinese = f"签了以后您将为 {count} 人担保，章程最多允许 {most} 人。"
            english = f"With this you stand behind {count} people; the charter admits {most}."
        return CapNote(
            CapKind.COUNT,
            "guarantees_count_max",
            self.over_count,
            {"zh-CN": chinese, "en": english},
        )

    def _of_ratio(self, allowed: int) -> CapNote:
        chinese_base, english_base = _BASES[self.rules.guarantee_base]
        promised, base, most = (
            f"{format_minor(minor, self.currency)} {self.currency}"
            for minor in (self.after.most_minor, self.base_minor, allowed)
        )
        chinese = (
            f"签了以后您最多要为别人承担 {promised}；您的{chinese_base}是 {base}，"
            f"章程最多允许 {most}。"
        )
        english = (
            f"With this you could owe {promised} for others at most; your {english_base} is "
            f"{base}, of which the charter admits {most}."
        )
        if self.over_ratio:
            chinese += f"请减少担保金额，或先提高{chinese_base}。"
            english += f" Promise less, or raise your {english_base} first."
        return CapNote(
            CapKind.RATIO,
            "guarantee_ratio_bps_max",
            self.over_ratio,
            {"zh-CN": chinese, "en": english},
        )
