"""Proof of understanding: questions on one's own figures, answered in money. Pure.

A signature counts only from somebody who can say what the agreement could cost them. The
questions are made from the agreement itself; which neighbour they name changes with every try,
so that the answers cannot be learned by heart, and is the same again for the same try.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from community.groups.wording import LANGUAGES
from community.money import Money, say_amount


class QuestionKind(StrEnum):
    MONEY = "money"
    CHOICE = "choice"


YES, NO = "yes", "no"
CHOICES = (YES, NO)

Answer = Money | str


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its right answer, and the working that is shown to who got it wrong.

    `text` and `explanation` are by language.
    """

    id: str
    kind: QuestionKind
    text: Mapping[str, str]
    expected: Answer
    explanation: Mapping[str, str]

    @property
    def options(self) -> tuple[str, ...]:
        return CHOICES if self.kind is QuestionKind.CHOICE else ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a question was answered rightly; if not, why not."""

    question: Question
    given: Answer | None
    right: bool


def questions_for(
    agreement: Mapping[str, Any],
    *,
    agreement_hash: str,
    member_id: str,
    attempt: int,
    elsewhere_minor: int = 0,
) -> tuple[Question, ...]:
    """The questions for a member (public id) at their first (0), second, … try.

    An amendment is asked about by what changes, and who stands for others elsewhere too
    (`elsewhere_minor`) by what it comes to together.
    """
    peers = [m["name"] for m in agreement["members"] if m["id"] != member_id]
    currency, cap = agreement["currency"], agreement["pair_cap_minor"]
    seed = f"{agreement_hash}|{member_id}|{attempt}"
    draw = random.Random(hashlib.sha256(seed.encode()).digest())
    named = draw.choice(peers)
    questions = [
        _exposure(len(peers), cap, currency),
        _one_fails(named, cap, currency),
        _own_loan_repaid(agreement["vouch_expires_on"]),
        _own_loan_on_top(),
    ]
    if len(peers) > 2:
        some = draw.sample(peers, draw.randint(2, len(peers) - 1))
        questions.insert(2, _some_fail(some, cap, currency))
    if elsewhere_minor:
        questions.append(_with_elsewhere(cap * len(peers), elsewhere_minor, currency))
    before = agreement.get("amends")
    if before is not None:
        was = 0
        if member_id in before["members"]:
            was = before["pair_cap_minor"] * (len(before["members"]) - 1)
        questions.append(_change(was, cap * len(peers), currency))
        days = [agreement["vouch_expires_on"], before["vouch_expires_on"]]
        if days[0] != days[1]:
            questions.append(_runs_until(draw.choice(days), days[0]))
    return tuple(questions)


def judge(questions: Sequence[Question], answers: Mapping[str, Answer]) -> tuple[Verdict, ...]:
    """Compare every answer exactly; a question left out is answered wrongly."""
    return tuple(
        Verdict(question, answers.get(question.id), answers.get(question.id) == question.expected)
        for question in questions
    )


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Understood is what was answered rightly in every part."""
    return bool(verdicts) and all(verdict.right for verdict in verdicts)


def _exposure(peers: int, cap: int, currency: str) -> Question:
    one, total = _amounts(cap, currency), _amounts(cap * peers, currency)
    return Question(
        "exposure_all",
        QuestionKind.MONEY,
        {
            "zh-CN": "如果小组其他成员全部还不上贷款，您在本协议下最多可能要付多少钱？",
            "en": "If all the others fail to repay, what is the most that you may have to pay "
            "under this agreement?",
        },
        Money(cap * peers, currency),
        {
            "zh-CN": f"其他成员 {peers} 人，每人最高 {one['zh-CN']}，合计 {total['zh-CN']}。",
            "en": f"{peers} other members, up to {one['en']} each: {total['en']} together.",
        },
    )


def _one_fails(name: str, cap: int, currency: str) -> Question:
    one = _amounts(cap, currency)
    return Question(
        "exposure_one",
        QuestionKind.MONEY,
        {
            "zh-CN": f"如果只有 {name} 还不上贷款，您最多可能要为其付多少钱？",
            "en": f"If only {name} fails to repay, what is the most that you may have to pay?",
        },
        Money(cap, currency),
        {
            "zh-CN": f"您为 {name} 担保的最高金额是 {one['zh-CN']}。",
            "en": f"You stand behind {name} up to {one['en']}.",
        },
    )


def _some_fail(names: Sequence[str], cap: int, currency: str) -> Question:
    one, total = _amounts(cap, currency), _amounts(cap * len(names), currency)
    return Question(
        "exposure_some",
        QuestionKind.MONEY,
        {
            "zh-CN": f"如果 {'、'.join(names)} 都还不上贷款，您最多可能要付多少钱？",
            "en": f"If {', '.join(names)} all fail to repay, what is the most that you may have "
            "to pay?",
        },
        Money(cap * len(names), currency),
        {
            "zh-CN": f"{len(names)} 人，每人最高 {one['zh-CN']}，合计 {total['zh-CN']}。",
            "en": f"{len(names)} members, up to {one['en']} each: {total['en']} together.",
        },
    )


def _own_loan_repaid(expires_on: str) -> Question:
    return Question(
        "promise_ends",
        QuestionKind.CHOICE,
        {
            "zh-CN": "还清您自己的贷款，您为其他成员的担保是否就此解除？",
            "en": "When you have repaid your own loan, does your promise for the others end?",
        },
        NO,
        {
            "zh-CN": f"不解除。担保至 {expires_on} 止，已占用的部分延续到所担保的贷款还清为止。",
            "en": f"No. It runs until {expires_on}, and what is reserved by then until the loan "
            "that it covers is repaid.",
        },
    )


def _own_loan_on_top() -> Question:
    return Question(
        "own_loan_on_top",
        QuestionKind.CHOICE,
        {
            "zh-CN": "您自己的贷款，是否要在上述金额之外另行偿还？",
            "en": "Does what you owe on loans of your own come on top of these amounts?",
        },
        YES,
        {
            "zh-CN": "是。自己的贷款由自己偿还，为他人担保可能付的钱另行计算。",
            "en": "Yes. Your own loan is yours to repay; what you may pay for others is on top.",
        },
    )


def _with_elsewhere(here: int, elsewhere: int, currency: str) -> Question:
    parts = [_amounts(minor, currency) for minor in (here, elsewhere, here + elsewhere)]
    return Question(
        "exposure_together",
        QuestionKind.MONEY,
        {
            "zh-CN": f"您在别处已作的担保承诺合计 {parts[1]['zh-CN']}。加上本协议，您最多一共可能"
            "要付多少钱？",
            "en": f"What you stand for elsewhere comes to {parts[1]['en']}. Together with this "
            "agreement, what is the most that you may have to pay?",
        },
        Money(here + elsewhere, currency),
        {
            language: f"{parts[0][language]} + {parts[1][language]} = {parts[2][language]}"
            for language in LANGUAGES
        },
    )


def _change(was: int, becomes: int, currency: str) -> Question:
    old, new, step = (_amounts(minor, currency) for minor in (was, becomes, abs(becomes - was)))
    return Question(
        "exposure_change",
        QuestionKind.MONEY,
        {
            "zh-CN": f"按现行协议您最多可能要付 {old['zh-CN']}。新协议使这一金额改变多少？",
            "en": f"Under the agreement in force you may have to pay {old['en']} at most. By how "
            "much does the new one change that?",
        },
        Money(abs(becomes - was), currency),
        {
            "zh-CN": f"从 {old['zh-CN']} 到 {new['zh-CN']}，相差 {step['zh-CN']}。",
            "en": f"From {old['en']} to {new['en']}: a difference of {step['en']}.",
        },
    )


def _runs_until(asked: str, until: str) -> Question:
    return Question(
        "runs_until",
        QuestionKind.CHOICE,
        {
            "zh-CN": f"按新协议，您的担保是否至 {asked} 止？",
            "en": f"Under the new agreement, does your promise run until {asked}?",
        },
        YES if asked == until else NO,
        {
            "zh-CN": f"新协议下的担保至 {until} 止。",
            "en": f"Under the new agreement it runs until {until}.",
        },
    )


def _amounts(minor: int, currency: str) -> dict[str, str]:
    return {language: say_amount(minor, currency, language) for language in LANGUAGES}
