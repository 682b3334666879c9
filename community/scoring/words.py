"""Warnings in words, zh-CN and English, from the facts that were stored."""

from collections.abc import Mapping
from typing import Any

from community.communities.charter import RiskRule
from community.scoring.features import NONE
from community.scoring.models import WhyRules

# By feature: what is said of a value; {n} is the number, {share} the same as a percentage.
SAID: dict[str, tuple[str, str]] = {
    "days_late": ("目前有一期已逾期{n}天。", "A payment is {n} days late now."),
    "late_share": (
        "到期的各期中有{share}是晚还的。",
        "Of the payments that fell due, {share} came late.",
    ),
    "worst_late": ("最晚的一次拖了{n}天。", "The latest payment was {n} days late."),
    "share_paid": (
        "自己已还的占应还总额的{share}。",
        "They have repaid {share} of all that is due.",
    ),
    "due_ahead": (
        "应还总额的{share}将在预警期内到期。",
        "{share} of all that is due falls due within the horizon.",
    ),
    "savings_months": (
        "最近六个月中有{n}个月存过钱。",
        "They saved in {n} of the last six months.",
    ),
    "stake_fall": (
        "近期取回了{share}的质押储蓄。",
        "They took {share} of their stake back lately.",
    ),
    "meetings_missed": (
        "半年来小组会议缺席{share}。",
        "They missed {share} of the meetings of half a year.",
    ),
    "promises_broken": (
        "一年内有{n}次还款承诺没有兑现。",
        "They broke {n} promises to pay within a year.",
    ),
    "vouchers_troubled": (
        "为其担保的人中有{share}自己逾期，或半年内被要求代偿。",
        "Of those who vouch for them, {share} are late themselves or were called within half a"
        " year.",
    ),
    "cover_ending": (
        "为其作出的担保承诺有{share}即将到期。",
        "Of the promises for them, {share} end soon.",
    ),
    "peers_late": (
        "同组成员中有{share}逾期。",
        "Of the others in their group, {share} are late.",
    ),
    "member_months": ("入社{n}个月。", "They have been a member for {n} months."),
    "cycle": ("这是其第{n}笔贷款。", "This is their loan number {n}."),
}
# What is said where there is nothing of which to tell a share.
SAID_OF_NONE: dict[str, tuple[str, str]] = {
    "late_share": ("还没有一期到期。", "Nothing has fallen due yet."),
    "stake_fall": ("没有质押储蓄。", "They have no stake."),
    "meetings_missed": ("半年来没有会议记录。", "No meeting of half a year is on record."),
    "vouchers_troubled": ("没有人为其作个人担保。", "Nobody vouches for them personally."),
    "cover_ending": ("没有人为其作个人担保。", "Nobody vouches for them personally."),
    "peers_late": ("不在联保小组中。", "They stand in no group."),
    "member_months": ("没有入社记录。", "When they joined is not on record."),
}
PHASES: dict[int, tuple[str, str]] = {
    NONE: ("贷款与农时无关。", "The loan follows no season."),
    0: ("作物还没有收获。", "The harvest is still to come."),
    1: ("正在收获，还没有开始出售。", "It is harvest, and nothing is sold yet."),
    2: ("正在出售收成。", "The harvest is being sold."),
}
RULES: dict[RiskRule, tuple[str, str]] = {
    RiskRule.LATE: ("已有一期逾期未还。", "A payment is late."),
    RiskRule.BROKEN_PROMISE: ("有还款承诺没有兑现。", "A promise to pay was broken."),
    RiskRule.FALLING_STAKE: (
        "近期取回了较多质押储蓄。",
        "Much of the stake was taken back lately.",
    ),
    RiskRule.EXPIRING_COVER: (
        "支撑这笔贷款的担保承诺即将到期。",
        "A promise that backs the loan ends soon.",
    ),
    RiskRule.MISSED_MEETINGS: (
        "连续缺席小组会议。",
        "Meetings of the group were missed in a row.",
    ),
    RiskRule.CONCENTRATION: (
        "一户的欠款占全社余额过高。",
        "One household owes much of what the community has out.",
    ),
    RiskRule.CIRCULAR_MONEY: (
        "贷款资金又流回了借款人手中。",
        "Money that was lent came back to the borrower.",
    ),
}
WHY: dict[WhyRules, tuple[str, str]] = {
    WhyRules.NO_MODEL: (
        "本社还没有启用预警模型（历史不足或尚未启用），按章程规则判断。",
        "No model is switched on here: there is too little history, or nobody has done so. The"
        " charter's rules stand in.",
    ),
    WhyRules.DRIFT: (
        "现在的贷款与建立模型时的贷款差别过大，模型暂停，按章程规则判断。",
        "Today's loans are too unlike those that the model was made from: it stands back, and the"
        " charter's rules stand in.",
    ),
}
HELD = ("按规则：{on}条中有{held}条成立。", "By rules: {held} of {on} hold.")
CHANCE = (
    "预计{days}天内出现问题的可能性为{share}（逾期超过{late}天、重新安排还款或由他人代还）。",
    "With a chance of {share} it comes into trouble within {days} days: late by more than {late}"
    " days, planned anew, or paid by others.",
)

Words = dict[str, str]


def say_reason(reason: Mapping[str, Any]) -> Words:
    """One reason, of a model or of rules, in both languages."""
    if "rule" in reason:
        return _both(RULES[RiskRule(reason["rule"])])
    code, value = reason["code"], reason["value"]
    if code == "season_phase":
        return _both(PHASES[value])
    if value == NONE and code in SAID_OF_NONE:
        return _both(SAID_OF_NONE[code])
    said = {"n": value, "share": _percent(value)}
    return _both(SAID[code], **said)


def say_held(held: int, on: int) -> Words:
    """How many of the rules hold."""
    return _both(HELD, held=held, on=on)


def say_chance(probability_ppm: int, *, days: int, late: int) -> Words:
    """A probability and what it is the probability of."""
    share = f"{probability_ppm / 10_000:.1f}%"
    return _both(CHANCE, share=share, days=days, late=late)


def say_why(why: WhyRules) -> Words:
    """Why rules stand in for a model."""
    return _both(WHY[why])


def _percent(bps: int) -> str:
    return f"{bps / 100:.0f}%"


def _both(texts: tuple[str, str], **values: Any) -> Words:
    zh, en = texts
    return {"zh-CN": zh.format(**values), "en": en.format(**values)}
