"""Messages in words, zh-CN and English, from the facts that were stored with them."""

from collections.abc import Mapping
from typing import Any

from community.feedback.models import MessageKind

_WORDS: dict[MessageKind, tuple[str, str]] = {
    MessageKind.THEME_ACCEPTED: (
        "您提过的“{title}”经表决（赞成{yes}，反对{no}，弃权{abstain}）获得采纳。理由：{reason}",
        'What you asked for, "{title}", was accepted after a vote ({yes} for, {no} against,'
        " {abstain} abstaining). Why: {reason}",
    ),
    MessageKind.THEME_DECLINED: (
        "您提过的“{title}”没有被采纳。理由：{reason}",
        'What you asked for, "{title}", was declined. Why: {reason}',
    ),
    MessageKind.THEME_SHIPPED: (
        "您提过的“{title}”已写进“{product}”第{version}版，自{valid_from}起生效。",
        'What you asked for, "{title}", stands in version {version} of "{product}", in force from'
        " {valid_from}.",
    ),
    MessageKind.COMPLAINT_REPLIED: (
        "第{number}号投诉有了新的答复。",
        "There is a new reply on complaint no. {number}.",
    ),
    MessageKind.COMPLAINT_ESCALATED: (
        "第{number}号投诉未按期答复，已转交上一级，最迟{due_on}答复。",
        "Complaint no. {number} was not answered in time. It has gone to the next level, to be"
        " answered by {due_on}.",
    ),
    MessageKind.COMPLAINT_CLOSED: (
        "第{number}号投诉已办结：{outcome_zh}。{reopen_until}前您可以要求重新处理。",
        "Complaint no. {number} is closed: {outcome_en}. You may reopen it until {reopen_until}.",
    ),
    MessageKind.COMPLAINT_ASSIGNED: (
        "第{number}号投诉由您处理，最迟{due_on}答复。",
        "Complaint no. {number} is yours to answer, by {due_on}.",
    ),
}
OUTCOMES: dict[str, tuple[str, str]] = {
    "upheld": ("成立", "it was right"),
    "partly": ("部分成立", "it was right in part"),
    "rejected": ("不成立", "it was not so"),
    "withdrawn": ("已撤回", "it was withdrawn"),
}


def message_words(kind: MessageKind, facts: Mapping[str, Any]) -> dict[str, str]:
    """A message in both languages."""
    told = dict(facts)
    if "outcome" in told:
        told["outcome_zh"], told["outcome_en"] = OUTCOMES[str(told["outcome"])]
    chinese, english = _WORDS[kind]
    return {"zh-CN": chinese.format(**told), "en": english.format(**told)}
