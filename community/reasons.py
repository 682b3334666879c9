"""Why the platform itself took a step: one table of sentences, each with its code and its words.

A step keeps a reason as text: what a person typed, or a sentence from here. The sentence is written
and read back by the same pattern, so that an answer has a code and facts, and can be said in the
reader's language; old rows are read too. What people typed is theirs and stays as it is. Pure.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from community.money import say_amount

Words = dict[str, str]
_NUMBER, _DAY = r"[0-9]{1,18}", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence of the platform's, and its words; what stands in braces are its facts.

    Facts whose names end in `_minor` are money of the step's community, those in `_on` are days.
    """

    sentence: str
    chinese: str
    english: str

    @property
    def names(self) -> tuple[str, ...]:
        """What its facts are called."""
        return tuple(re.findall(r"{(\w+)}", self.sentence))

    def read(self, text: str) -> dict[str, int | str] | None:
        """The facts of a text that is this sentence, else None."""
        pattern = re.escape(self.sentence)
        for name in self.names:
            kind = _DAY if name.endswith("_on") else _NUMBER
            pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{kind})")
        found = re.fullmatch(pattern, text)
        if found is None:
            return None
        return {
            name: value if name.endswith("_on") else int(value)
            for name, value in found.groupdict().items()
        }


REASONS: Mapping[str, Reason] = {
    "endorsed": Reason(
        "{given} of {needed} endorsements",
        "需要 {needed} 人联名，已有 {given} 人",
        "{given} of {needed} endorsements",
    ),
    "unpaid": Reason(
        "{overdue_minor} minor units unpaid since {since_on}",
        "自 {since_on} 起有 {overdue_minor} 未还",
        "{overdue_minor} unpaid since {since_on}",
    ),
    "call_day": Reason(
        "{days} days overdue, the charter calls after {call_day}",
        "逾期 {days} 天；章程规定满 {call_day} 天请担保人代偿",
        "{days} days overdue; the charter calls after {call_day}",
    ),
    "nobody_left": Reason(
        "nobody is left to ask after {days} days",
        "过了 {days} 天，已没有人可以代偿",
        "nobody is left to ask after {days} days",
    ),
    "late_entry": Reason(
        "money of an earlier day was entered",
        "补记了早先收到的钱",
        "money of an earlier day was entered",
    ),
    "above_limit": Reason("above the limit", "超过授信额度", "above the limit"),
    "applied": Reason("applied", "申请加入", "applied"),
    "taken_in": Reason("taken in", "获准加入", "taken in"),
    "registered": Reason("registered", "登记入社", "registered"),
}


@dataclass(frozen=True, slots=True)
class Because:
    """A reason of the platform's as it was read: which one, and its facts."""

    code: str
    facts: Mapping[str, int | str]

    def say(self, fact: Callable[[str, int | str], str]) -> Words:
        """In both languages, each fact as `fact` says it, by its name."""
        said = {name: fact(name, value) for name, value in self.facts.items()}
        reason = REASONS[self.code]
        return {"zh-CN": reason.chinese.format(**said), "en": reason.english.format(**said)}

    def words(self, currency: str) -> Words:
        """In both languages, with days as programs write them."""

        def told(language: str) -> Callable[[str, int | str], str]:
            def fact(name: str, value: int | str) -> str:
                is_money = name.endswith("_minor")
                return say_amount(int(value), currency, language) if is_money else str(value)

            return fact

        return {language: self.say(told(language))[language] for language in ("zh-CN", "en")}


def because(code: str, **facts: int | date) -> str:
    """The sentence that a row keeps."""
    reason = REASONS[code]
    if set(facts) != set(reason.names):
        raise ValueError(f"{code} is told by {reason.names}")
    return reason.sentence.format(**facts)


def read_because(text: str) -> Because | None:
    """Which reason of the platform's a text is; None: somebody typed it."""
    for code, reason in REASONS.items():
        facts = reason.read(text)
        if facts is not None:
            return Because(code, facts)
    return None
