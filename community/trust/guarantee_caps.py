"""How much one member may promise for others, all in all: the charter's caps and warnings. Pure.

What counts is the signed maximum: every promise as far as it could still be asked for. A promise
of which nothing can be asked any more counts for nothing, not as one of the number either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from community.communities.charter import CharterRules, GuaranteeBase
from community.money import say_amount
from community.trust.record_bounds import RecordFigures, allowed_by_record, per_cent

_WHOLE = 10_000
_BASES = {
    GuaranteeBase.STANDING: ("担保能力", "standing"),
    GuaranteeBase.SAVINGS: ("储蓄", "savings"),
    GuaranteeBase.REPAYMENT_CAPACITY: ("经评定的还款能力", "assessed repayment capacity"),
}


class CapKind(StrEnum):
    COUNT = "guarantees_count"
    RATIO = "guarantee_ratio"
    RECORD = "voucher_record"
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
    # None: the charter lets no record bound what is promised.
    record: RecordFigures | None = None

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
    def allowed_by_record_minor(self) -> int | None:
        """The most that the member's record as a voucher admits; None: there is no such bound."""
        if self.record is None:
            return None
        return allowed_by_record(
            self.base_minor, self.rules.voucher_bound_bps, self.record.lower_ppm
        )

    @property
    def over_record(self) -> bool:
        allowed = self.allowed_by_record_minor
        return self.raises and allowed is not None and self.after.most_minor > allowed

    @property
    def refused(self) -> bool:
        return self.over_count or self.over_ratio or self.over_record

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
        allowed = self.allowed_by_record_minor
        if (
            self.record is not None
            and allowed is not None
            and self.after.most_minor
            and self.after.most_minor * _WHOLE >= allowed * share
        ):
            yield self._of_record(self.record, allowed)

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

    def _said(self, allowed: int, language: str) -> list[str]:
        figures = (self.after.most_minor, self.base_minor, allowed)
        return [say_amount(minor, self.currency, language) for minor in figures]

    def _of_ratio(self, allowed: int) -> CapNote:
        chinese_base, english_base = _BASES[self.rules.guarantee_base]
        promised, base, most = self._said(allowed, "zh-CN")
        chinese = (
            f"签了以后您最多要为别人承担 {promised}；您的{chinese_base}是 {base}，"
            f"章程最多允许 {most}。"
        )
        promised, base, most = self._said(allowed, "en")
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

    def _of_record(self, record: RecordFigures, allowed: int) -> CapNote:
        chinese_base, english_base = _BASES[self.rules.guarantee_base]
        promised, base, most = self._said(allowed, "zh-CN")
        good, bad = (f"{cases:.1f}" for cases in (record.good_cases, record.bad_cases))
        lower, mean, upper = (
            per_cent(ppm) for ppm in (record.lower_ppm, record.mean_ppm, record.upper_ppm)
        )
        chinese = (
            f"您担保过的人用自己的钱还清的折合 {good} 笔，未还的折合 {bad} 笔："
            f"担保记录为 {mean}（{lower} 至 {upper}）。签了以后您最多要为别人承担 {promised}；"
            f"按您的{chinese_base} {base} 和担保记录，章程最多允许 {most}。"
        )
        promised, base, most = self._said(allowed, "en")
        english = (
            f"Of what those you stood behind had to pay, they paid as much as {good} cases from "
            f"their own money and left as much as {bad}: your record is {mean} (between {lower} "
            f"and {upper}). With this you could owe {promised} for others at most; by your record "
            f"and your {english_base} of {base} the charter admits {most}."
        )
        if self.over_record:
            chinese += (
                "被担保人自己按时还款会提高您的担保记录；"
                f"也可以减少担保金额，或先提高{chinese_base}。已签的担保不变。"
            )
            english += (
                " It rises as those you stand behind pay from their own money; or promise less, "
                f"or raise your {english_base}. What you have signed stays as it is."
            )
        return CapNote(
            CapKind.RECORD,
            "voucher_bound_bps",
            self.over_record,
            {"zh-CN": chinese, "en": english},
        )
