"""Reasons, suggestions and alarms in words, zh-CN and English, from the facts that were stored."""

from collections.abc import Mapping
from typing import Any

from community.groups.wording import LANGUAGES
from community.money import say_amount

REASONS: dict[str, tuple[str, str]] = {
    "hub": (
        "{name}一人的担保承诺支撑着{amount}，占全部贷款余额的{share}，超过章程规定的{limit}。",
        "{amount} rests on the promises of {name} alone: {share} of all that is lent, above the"
        " charter's {limit}.",
    ),
    "part": (
        "这是一个{largest}人相互牵连的大担保圈中联系最紧的一部分。",
        "It is a closely bound part of {largest} members who all stand behind each other along"
        " chains.",
    ),
    "mutual_pairs": (
        "圈内有{pairs}对成员互相担保：一人还不上，该替他还的人自己也可能要别人替还。",
        "{pairs} pairs promise each other: when one cannot pay, the one who should pay for them"
        " may need the same help.",
    ),
    "rings": (
        "担保在圈内兜了一圈又回到起点（共{rings}个环，最短{shortest}步），没有外面的人真正兜底。",
        "Promises come back to where they began ({rings} rings, the shortest of {shortest}"
        " promises), with nobody outside behind them.",
    ),
    "cover_inside": (
        "圈内贷款的担保有{share}（{amount}）来自圈内成员自己。",
        "{share} of the cover of their loans ({amount}) is their own, within the circle.",
    ),
    "assessed_only": (
        "其中{amount}（担保的{share}）只有授信评估，没有锁定的储蓄。",
        "{amount} of that ({share} of the cover) rests on assessments, not on locked savings.",
    ),
    "one_crop": (
        "{share}的欠款靠同一种作物（{crop}）偿还：一场灾害会同时打到所有人。",
        "{share} of what they owe is to be repaid from one crop ({crop}): one bad harvest reaches"
        " them all.",
    ),
    "borrow_together": (
        "{members}人中有{borrowers}人同时欠款。",
        "{borrowers} of the {members} owe at the same time.",
    ),
    "late": ("圈内已有{members}人逾期。", "{members} of them are late already."),
    "contingent": (
        "{members}人的欠款加担保超过偿付能力的{limit}；最重的是{name}（{ratio}）。",
        "{members} owe and stand for more than {limit} of what they can pay; the most burdened is"
        " {name} ({ratio}).",
    ),
    "weak_points": (
        "{members}人（如{name}）一旦退出，担保网就会断开；圈内有{bridges}条单线联系。",
        "Without one of {members} members, such as {name}, the network falls apart; {bridges}"
        " promises inside are the only link.",
    ),
    "core": (
        "最里层的成员每人至少与{core}个成员有担保关系（{core}-核）。",
        "The innermost are each tied to at least {core} others who are so too (the {core}-core).",
    ),
}

ACTIONS: dict[str, tuple[str, str]] = {
    "replace_vouch": (
        "把这笔支撑着{amount}的担保换成圈外成员以锁定储蓄作保：预期损失{expected}（其中资金池{pool}），最坏损失{worst}。",
        "Replace this vouch, on which {amount} rests, by one of somebody outside with locked"
        " savings: expected loss {expected} (the pool's {pool}), worst loss {worst}.",
    ),
    "lock_stake": (
        "请{name}为只靠评估的担保锁定储蓄{amount}：预期损失{expected}（其中资金池{pool}），最坏损失{worst}。",
        "Ask {name} to lock {amount} as stake for what they stand for on assessment alone:"
        " expected loss {expected} (the pool's {pool}), worst loss {worst}.",
    ),
    "cap_vouch": (
        "把这笔担保未用的额度{amount}收回：预期损失{expected}（其中资金池{pool}），最坏损失{worst}。",
        "Lower this vouch by the {amount} that is not in use: expected loss {expected} (the"
        " pool's {pool}), worst loss {worst}.",
    ),
}

ALARMS: dict[str, tuple[str, str]] = {
    "newcomer": (
        "{joined_on}加入，互相担保{ties}人，其中老成员{ties_to_known}人；传到的信任是老成员中位数的{trust}"
        "（章程提示线{limit}）。请先见见本人，再作担保。",
        "Joined on {joined_on}; mutual promises with {ties}, {ties_to_known} of them known for"
        " longer; the trust that reaches them is {trust} of what reaches the middle one of the"
        " known (remarked below {limit}). Meet them before you vouch.",
    ),
    "crowd": (
        "{days}天内已有{unknown}名（含本人）既无老成员互保、也无老住户的新成员（章程提示线{crowd_min}名）。"
        "请先核实本人身份与住处。",
        "With this one, {unknown} have come within {days} days whom nobody of longer standing"
        " promises or lives with (remarked from {crowd_min}). See them in person, and where they"
        " live.",
    ),
    "first_vouch": (
        "首次担保：{joined_on}加入者与{other_joined_on}加入者之间，双方都几乎无人认识；互保{ties}人，"
        "其中老成员{ties_to_known}人。",
        "A first promise between somebody who joined on {joined_on} and somebody who joined on"
        " {other_joined_on}; both are hardly known. Mutual promises with {ties}, {ties_to_known} of"
        " them known for longer.",
    ),
    "first_group": (
        "首次担保：{joined_on}加入者与其小组{members}名成员联保；组内无人为老成员所认识。",
        "A first promise, by a group of {members}, of somebody who joined on {joined_on}; nobody in"
        " the group is known for longer.",
    ),
    "invented_ring": (
        "{members}名新成员彼此互保（{ties_inside}对），与老成员只有{ties_to_known}条联系，"
        "都经由{known_through}名老成员；"
        "在{first_joined_on}至{last_joined_on}间加入。请逐户核实身份。",
        "{members} newcomers promise each other ({ties_inside} pairs) and have {ties_to_known}"
        " ties to those who are known, all through {known_through} of them; they joined from"
        " {first_joined_on} to {last_joined_on}. See each of them in person.",
    ),
    "closed_circle": (
        "{members}人自成一圈：他们得到的担保承诺中有{promised}出自这几人；{borrowers}人欠款{amount}，"
        "相当于全圈担保能力的{owed}；借款担保的{share}出自这几人，其中{assessed}没有锁定的储蓄。",
        "{members} stand for each other and hardly anybody else for them: {promised} of what they"
        " were promised is their own. {borrowers} owe {amount}, {owed} of what they all could"
        " stand for; {share} of the cover is their own, and {assessed} of it is not locked.",
    ),
    "closed_circle_for_one": (
        "{members}人自成一圈：他们得到的担保承诺中有{promised}出自这几人；其中一人欠款{amount}，"
        "其余各人担保能力的{owed}押在他一人身上；借款担保的{share}出自这几人，其中{assessed}没有锁定的储蓄。",
        "{members} stand for each other and hardly anybody else for them: {promised} of what they"
        " were promised is their own. One of them owes {amount}, and the others stand for it with"
        " {owed} of all that they have; {share} of the cover is their own, and {assessed} of it is"
        " not locked.",
    ),
    # As it was told before.
    "self_dealing": (
        "担保圈{circle}：{borrowers}人欠款{amount}，担保的{share}出自这几人，其中{assessed}没有锁定的储蓄；"
        "他们的担保能力已用去{used}。",
        "Circle {circle}: {borrowers} owe {amount}; {share} of the cover is their own, and"
        " {assessed} of it is not locked; {used} of what they can stand for is used up.",
    ),
    "pyramid": (
        "{days}天内，{name}名下分{levels}层发展了{below}名新成员，其中{alike}首笔存入同为{ticket}；"
        "下线共存入{came_in}，上线取走{paid_out}。请核查是否许诺回报、吸收存款（非法集资）。",
        "Within {days} days {below} newcomers came in below {name} on {levels} levels, {alike} of"
        " them with a first deposit of {ticket}; {came_in} came in below and {paid_out} was paid"
        " out above. Ask what return was promised: raising deposits from the public is illegal.",
    ),
}

_NO_MEANS = ("没有偿付能力", "nothing to pay it with")


def say(fact: Mapping[str, Any], *, currency: str, names: Mapping[int, str]) -> dict[str, str]:
    """One reason, suggestion or alarm in both languages."""
    code = str(fact["code"])
    texts = REASONS.get(code) or ACTIONS.get(code) or ALARMS[code]
    return {
        language: text.format_map(_figures(fact, currency, names, at))
        for at, (language, text) in enumerate(zip(LANGUAGES, texts, strict=True))
    }


def _figures(
    fact: Mapping[str, Any], currency: str, names: Mapping[int, str], at: int
) -> dict[str, Any]:
    language = LANGUAGES[at]
    found: dict[str, Any] = dict(fact)
    for figure in ("amount", "ticket", "came_in", "paid_out"):
        if f"{figure}_minor" in fact:
            found[figure] = say_amount(fact[f"{figure}_minor"], currency, language)
    if "trust_bps" in fact:
        found["trust"] = percent(fact["trust_bps"] or 0, language)
    for figure in ("share", "limit", "assessed", "used", "alike", "promised", "owed"):
        if f"{figure}_bps" in fact:
            found[figure] = percent(fact[f"{figure}_bps"], language)
    if "ratio_bps" in fact:
        ratio = fact["ratio_bps"]
        found["ratio"] = _NO_MEANS[at] if ratio is None else percent(ratio, language)
    for figure in ("expected", "pool", "worst"):
        if f"{figure}_change_bps" in fact:
            found[figure] = _signed(fact[f"{figure}_change_bps"], language)
    if fact.get("member_id") is not None:
        found["name"] = names.get(fact["member_id"], "?")
    return found


def percent(bps: int, language: str = "en") -> str:
    """Ten-thousandths as a percentage with one decimal, rounded down."""
    whole, rest = divmod(abs(bps), 100)
    sign = "%" if language == "zh-CN" else " %"
    return f"{whole}.{rest // 10}{sign}" if rest // 10 else f"{whole}{sign}"


def _signed(bps: int, language: str) -> str:
    if bps == 0:
        return "不变" if language == "zh-CN" else "±0 %"
    return ("−" if bps < 0 else "+") + percent(bps, language)
