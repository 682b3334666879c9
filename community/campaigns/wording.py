"""What a campaign says to people, in both languages of the platform. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from community.campaigns.findings import FindingKind, Verdict
from community.money import say_amount

Texts = dict[str, str]

# What a reviewer is asked, with each household.
QUESTIONS: Texts = {
    "zh-CN": "您了解这一户吗？不了解就请直说，其余不必填。了解的话：这户人名声如何（1 到 5）、"
    "有没有外债、您认为他们能借多少并能按时还上、有没有不该给的理由。您的回答别人看不到，本轮结束前可以修改。"
    "每户取各人意见的中间数，一个人说高说低改变不了它。",
    "en": "Do you know this household? If not, say so and leave the rest. If you do: how do they "
    "stand in the village (1 to 5), do they owe elsewhere, how much could they borrow and repay in "
    "time, is there a reason against it? Nobody sees your answer, and you may change it until the "
    "round closes. The middle answer counts: one voice, high or low, does not move it.",
}

_VERDICTS: Mapping[Verdict, Texts] = {
    Verdict.PROPOSED: {"zh-CN": "拟给予授信。", "en": "Credit is proposed."},
    Verdict.TOO_FEW_KNOW: {
        "zh-CN": "了解贵户的评议人不足，未提出授信。",
        "en": "Too few reviewers know your household, so nothing is proposed.",
    },
    Verdict.TOO_FAR_APART: {
        "zh-CN": "评议人的意见相差太大，未提出授信。",
        "en": "The reviewers' answers lie too far apart, so nothing is proposed.",
    },
    Verdict.REASONS_AGAINST: {
        "zh-CN": "多数了解贵户的评议人提出了不宜授信的理由，未提出授信。",
        "en": "Most who know your household gave reasons against it, so nothing is proposed.",
    },
    Verdict.NOTHING_SUGGESTED: {
        "zh-CN": "评议人建议的额度为零，未提出授信。",
        "en": "The reviewers suggest a limit of nothing, so nothing is proposed.",
    },
}


def grounds_text(
    *,
    verdict: Verdict,
    grounds: Mapping[str, Any],
    amount_minor: int,
    currency: str,
    share_bps: int,
    charter_version: int,
) -> Texts:
    """What a household reads of its own outcome: the figures and the rule that made them."""
    centre, known, answers = grounds["centre_minor"], grounds["known"], grounds["answers"]
    zh = f"{answers} 人评议，其中 {known} 人了解贵户。"
    en = f"{answers} reviewed your household, {known} of them know it."
    if centre is not None:
        zh += f"他们建议额度的中间数是 {say_amount(centre, currency, 'zh-CN')}。"
        en += f" The middle of what they suggest is {say_amount(centre, currency, 'en')}."
    zh += _VERDICTS[verdict]["zh-CN"]
    en += " " + _VERDICTS[verdict]["en"]
    if amount_minor:
        zh += (
            f"本户额度 {say_amount(amount_minor, currency, 'zh-CN')}（章程第 {charter_version} 版："
            f"中间数的 {_percent(share_bps)}，不超过每户上限；走访和异议可以改变它）。"
        )
        en += (
            f" Yours is {say_amount(amount_minor, currency, 'en')} (charter version "
            f"{charter_version}: {_percent(share_bps)} of the middle, up to the cap for "
            "a household; a visit or an objection may change it)."
        )
    return {"zh-CN": zh, "en": en}


def finding_text(kind: FindingKind, names: Sequence[str], facts: Mapping[str, Any]) -> Texts:
    """What a finding means, for the officer who decides on it."""
    zh_names, en_names = "、".join(names), ", ".join(names)
    if kind is FindingKind.OUTLIER:
        count = len(facts["answers"])
        return {
            "zh-CN": f"{zh_names} 有 {count} 份意见与同户其他人的意见相差过大。中间数不受其影响。",
            "en": f"{en_names}: {count} answer{'' if count == 1 else 's'} far from what the others "
            "say of the same households. The middle answer does not follow them.",
        }
    if kind is FindingKind.BIAS:
        bias = _percent(abs(facts["bias_bps"]))
        higher = facts["bias_bps"] > 0
        return {
            "zh-CN": f"{zh_names} 的 {facts['answers']} 份意见全部偏{'高' if higher else '低'}，"
            f"中间偏 {bias}，已按此校正。",
            "en": f"{en_names}: all {facts['answers']} answers are too "
            f"{'high' if higher else 'low'}, the middle one by {bias}; they are corrected by it.",
        }
    if kind is FindingKind.AGREEMENT:
        zh_lifts = en_lifts = ""
        if facts.get("lifted"):  # counted since lifts are
            zh_lifts = f"，{facts['could_lift']} 次评议彼此家庭时有 {facts['lifted']} 次抬高额度"
            en_lifts = f" and lifted each other {facts['lifted']} of {facts['could_lift']} times"
        return {
            "zh-CN": f"{zh_names} 在 {facts['could_agree']} 次可能中有 {facts['agreed']} 次说出同一"
            f"数字{zh_lifts}；诚实的评议每 {facts['once_in']} 次活动中至多出现一次这样的巧合。",
            "en": f"{en_names} named the same figure {facts['agreed']} of {facts['could_agree']} "
            f"times{en_lifts}; honest reviewers do so in one of {facts['once_in']} campaigns "
            "at most.",
        }
    return {
        "zh-CN": f"{zh_names} 互相抬高彼此家庭的额度，远超其他人的意见。",
        "en": f"{en_names} lift each other's households far above what the others say.",
    }


def _percent(bps: int) -> str:
    """Ten-thousandths as a percentage: 8000 is '80 %', 1250 is '12.5 %'."""
    whole, rest = divmod(bps, 100)
    return f"{whole} %" if not rest else f"{whole}.{rest:02d}".rstrip("0") + " %"
