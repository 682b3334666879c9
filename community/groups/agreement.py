"""The agreement that a group's members sign: every number in it, in two languages. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from community.communities.charter import CharterRules, LiabilityMode
from community.money import say_amount


@dataclass(frozen=True, slots=True)
class Signatory:
    """Somebody who is to sign, under their public id."""

    public_id: str
    name: str


def exposure_minor(pair_cap_minor: int, members: int) -> int:
    """The most that one member may have to pay under the agreement: the cap for every other."""
    return pair_cap_minor * (members - 1)


def agreement_document(
    *,
    group_id: str,
    group_name: str,
    community_id: str,
    community_name: str,
    currency: str,
    charter_version: int,
    rules: CharterRules,
    pair_cap_minor: int,
    vouch_expires_on: date,
    leader_id: str,
    leader_until_on: date,
    fixed_on: date,
    members: Sequence[Signatory],
    draft: int = 1,
    product_name: str | None = None,
    amends: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The agreement as data and as text in Chinese and English; ids are public ones.

    Everything that a member's exposure depends on is in it, so that its hash stands for what
    was signed. `draft` tells one drawing up from another with the same terms: signatures on the
    one say nothing of the other. `amends` is the agreement in force that this one is to replace.
    """
    most = exposure_minor(pair_cap_minor, len(members))
    facts: dict[str, Any] = {
        "version": 1 if amends is None else version_of(amends) + 1,
        "draft": draft,
        "group": group_id,
        "group_name": group_name,
        "community": community_id,
        "community_name": community_name,
        "currency": currency,
        "charter_version": charter_version,
        "liability_modes": [mode.value for mode in rules.liability_modes],
        "call_day": rules.call_day,
        "call_deadline_days": rules.call_deadline_days,
        "set_off_stake": rules.set_off_stake,
        "refuse_while_peer_late": rules.refuse_while_peer_late,
        "cooling_off_days": rules.cooling_off_days,
        "pair_cap_minor": pair_cap_minor,
        "vouch_expires_on": vouch_expires_on.isoformat(),
        "leader": leader_id,
        "leader_until_on": leader_until_on.isoformat(),
        "fixed_on": fixed_on.isoformat(),
        "members": [
            {"id": member.public_id, "name": member.name, "exposure_minor": most}
            for member in sorted(members, key=lambda member: member.public_id)
        ],
    }
    if product_name is not None:
        facts["product_name"] = product_name
    if amends is not None:
        facts["amends"] = _before(amends)
        facts["joining"] = sorted(
            {member["id"] for member in facts["members"]}
            - {member["id"] for member in amends["members"]}
        )
    return _with_text(facts)


def without_member(
    document: Mapping[str, Any],
    public_id: str,
    *,
    on: date,
    leader_id: str | None,
    leader_until_on: date | None,
    draft: int,
    taken_over: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The agreement after somebody left: the same terms among those who remain.

    Nobody's exposure grows by it, so nobody signs anew. `taken_over` is what members consented to
    go on covering of what the expelled one owes, by public id.
    """
    facts = {
        name: value
        for name, value in document.items()
        if name not in ("text", "amends", "joining", "departed", "departed_name", "taken_over")
    }
    staying = [member for member in document["members"] if member["id"] != public_id]
    most = exposure_minor(document["pair_cap_minor"], len(staying))
    [name] = [member["name"] for member in document["members"] if member["id"] == public_id]
    facts |= {
        "version": version_of(document) + 1,
        "draft": draft,
        "fixed_on": on.isoformat(),
        "leader": leader_id,
        "leader_until_on": None if leader_until_on is None else leader_until_on.isoformat(),
        "members": [{**member, "exposure_minor": most} for member in staying],
        "amends": _before(document),
        "departed": public_id,
        "departed_name": name,
    }
    if taken_over:
        facts["taken_over"] = dict(sorted(taken_over.items()))
    return _with_text(facts)


def follows_by_departure(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an agreement is the one before it, less one member and nothing else that binds."""
    staying = [m["id"] for m in before["members"] if m["id"] != after.get("departed")]
    most = exposure_minor(before["pair_cap_minor"], len(staying))
    return (
        len(staying) == len(before["members"]) - 1
        and [m["id"] for m in after["members"]] == staying
        and all(m["exposure_minor"] == most for m in after["members"])
        and all(before[name] == after[name] for name in _TERMS)
        and version_of(after) == version_of(before) + 1
    )


# What an exposure depends on besides who is in the group.
_TERMS = (
    "group",
    "currency",
    "liability_modes",
    "call_day",
    "call_deadline_days",
    "set_off_stake",
    "refuse_while_peer_late",
    "pair_cap_minor",
    "vouch_expires_on",
)


def _before(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": version_of(document),
        "agreement_hash": agreement_hash(document),
        "pair_cap_minor": document["pair_cap_minor"],
        "vouch_expires_on": document["vouch_expires_on"],
        "members": [member["id"] for member in document["members"]],
    }


def _with_text(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"text": {"zh-CN": _chinese(facts), "en": _english(facts)}}


def version_of(document: Mapping[str, Any]) -> int:
    """Which agreement of its group it is; those from before they were counted are the first."""
    return int(document.get("version", 1))


def agreement_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document in its one canonical spelling: sorted keys, no spaces."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _english(facts: Mapping[str, Any]) -> str:
    def money(minor: int) -> str:
        return say_amount(minor, facts["currency"], "en")

    others = len(facts["members"]) - 1
    lines = [
        f"Agreement of the joint-liability group {facts['group_name']}, "
        f"{facts['community_name']}, {facts['fixed_on']}, version {facts['version']}",
        *_changes_english(facts),
        f"1. Each of us stands behind each other member up to {money(facts['pair_cap_minor'])}, "
        f"until {facts['vouch_expires_on']}. Cover that is reserved by then runs on until the "
        "loan it covers is repaid.",
        f"2. What each of us may have to pay under this agreement at most: {others} other "
        f"members, {money(facts['pair_cap_minor'])} each, together "
        f"{money(facts['members'][0]['exposure_minor'])}. What we owe on loans of our own, and "
        "what we promised outside of this group, comes on top of it.",
        "3. " + " ".join(_LIABILITY_ENGLISH[LiabilityMode(m)] for m in facts["liability_modes"]),
        f"4. If a loan is {facts['call_day']} days overdue, those who stand behind it are called "
        f"and have {facts['call_deadline_days']} days to pay or to object."
        + (" Locked savings (stake) are used first." if facts["set_off_stake"] else ""),
        "5. Repaying our own loan does not end our promise for the others.",
        *(
            ["6. While one of us is late, none of us gets a new loan."]
            if facts["refuse_while_peer_late"]
            else ["6. That one of us is late does not by itself bar the others from new loans."]
        ),
        f"7. Our leader is {_name(facts, facts['leader'])}, elected until "
        f"{facts['leader_until_on']}."
        if facts["leader"] is not None
        else "7. We have no leader at present; an election is open.",
        f"8. After the last signature each of us may step back for {facts['cooling_off_days']} "
        "days; only then does this agreement bind.",
        f"9. It rests on the charter of the community, version {facts['charter_version']}.",
        *(
            [f"10. As a group we borrow only loans of the product {facts['product_name']}."]
            if "product_name" in facts
            else []
        ),
        "Members and the most that each may have to pay:",
        *(
            f"- {member['name']} ({member['id']}): {money(member['exposure_minor'])}"
            for member in facts["members"]
        ),
    ]
    return "\n".join(lines)


def _chinese(facts: Mapping[str, Any]) -> str:
    def money(minor: int) -> str:
        return say_amount(minor, facts["currency"], "zh-CN")

    others = len(facts["members"]) - 1
    lines = [
        f"联保小组协议：{facts['group_name']}（{facts['community_name']}），{facts['fixed_on']}，"
        f"第 {facts['version']} 版",
        *_changes_chinese(facts),
        f"一、每位成员为小组其他每一位成员提供担保，每人最高 {money(facts['pair_cap_minor'])}，"
        f"至 {facts['vouch_expires_on']} 止。届时已占用的担保，延续到所担保的贷款还清为止。",
        f"二、每位成员在本协议下最多可能要付：其他成员 {others} 人，每人 "
        f"{money(facts['pair_cap_minor'])}，合计 "
        f"{money(facts['members'][0]['exposure_minor'])}。自己的贷款以及在小组之外所作的承诺"
        "另行计算，不包含在内。",
        "三、" + "".join(_LIABILITY_CHINESE[LiabilityMode(m)] for m in facts["liability_modes"]),
        f"四、贷款逾期满 {facts['call_day']} 天，向担保人发出代偿通知；担保人应在 "
        f"{facts['call_deadline_days']} 天内付款或提出异议。"
        + ("先以质押储蓄抵扣。" if facts["set_off_stake"] else ""),
        "五、还清自己的贷款，并不解除为他人所作的担保。",
        *(
            ["六、小组内有人逾期期间，其他成员不能获得新的贷款。"]
            if facts["refuse_while_peer_late"]
            else ["六、小组内有人逾期，本身不妨碍其他成员获得新的贷款。"]
        ),
        f"七、组长为 {_name(facts, facts['leader'])}，任期至 {facts['leader_until_on']}。"
        if facts["leader"] is not None
        else "七、目前没有组长，正在选举。",
        f"八、最后一人签字后 {facts['cooling_off_days']} 天为冷静期，期间任何成员可以退出；"
        "冷静期满，本协议生效。",
        f"九、本协议依据社群章程第 {facts['charter_version']} 版。",
        *(
            [f"十、作为小组，我们只申请“{facts['product_name']}”产品的贷款。"]
            if "product_name" in facts
            else []
        ),
        "成员及各自最高应付金额：",
        *(
            f"- {member['name']}（{member['id']}）：{money(member['exposure_minor'])}"
            for member in facts["members"]
        ),
    ]
    return "\n".join(lines)


def _changes_english(facts: Mapping[str, Any]) -> list[str]:
    before = facts.get("amends")
    if before is None:
        return []
    if "departed" in facts:
        left = f"{facts['departed_name']} ({facts['departed']})"
        return [
            f"{left} is no longer in the group. The terms of version {before['version']} stay as "
            "we signed them; what is reserved already runs on until the loan it covers is repaid.",
            *(
                f"{_name(facts, who)} goes on covering up to "
                f"{say_amount(minor, facts['currency'], 'en')} of what {left} owes."
                for who, minor in facts.get("taken_over", {}).items()
            ),
        ]
    cap = say_amount(before["pair_cap_minor"], facts["currency"], "en")
    return [
        f"It replaces version {before['version']}, by which each of {len(before['members'])} "
        f"members stood behind each other up to {cap}, until {before['vouch_expires_on']}. Until "
        "all have signed and the days of thinking again are over, that version stays in force.",
        *(f"New in the group: {_name(facts, who)} ({who})." for who in facts["joining"]),
    ]


def _changes_chinese(facts: Mapping[str, Any]) -> list[str]:
    before = facts.get("amends")
    if before is None:
        return []
    if "departed" in facts:
        left = f"{facts['departed_name']}（{facts['departed']}）"
        return [
            f"{left} 已不在小组内。第 {before['version']} 版中我们签署的条款不变；已占用的担保，"
            "延续到所担保的贷款还清为止。",
            *(
                f"{_name(facts, who)} 继续为 {left} 所欠承担最高 "
                f"{say_amount(minor, facts['currency'], 'zh-CN')} 的担保。"
                for who, minor in facts.get("taken_over", {}).items()
            ),
        ]
    cap = say_amount(before["pair_cap_minor"], facts["currency"], "zh-CN")
    return [
        f"本协议取代第 {before['version']} 版。按该版，{len(before['members'])} 名成员每人为其他"
        f"每一位担保最高 {cap}，至 {before['vouch_expires_on']} 止。全体签字并且冷静期满之前，"
        "该版继续有效。",
        *(f"新加入：{_name(facts, who)}（{who}）。" for who in facts["joining"]),
    ]


def _name(facts: Mapping[str, Any], public_id: str) -> str:
    return next(str(m["name"]) for m in facts["members"] if m["id"] == public_id)


_LIABILITY_ENGLISH = {
    LiabilityMode.SEVERAL: "For loans with several liability, each pays the share reserved on "
    "their promise, and no more.",
    LiabilityMode.JOINT_AND_SEVERAL: "For loans with joint and several liability, what one of us "
    "cannot pay is asked from the others, each up to the amount signed here.",
    LiabilityMode.PLEDGE_ONLY: "For loans covered by pledge only, nobody pays more than their "
    "locked savings.",
    LiabilityMode.NONE: "For loans without joint liability, nobody pays for another.",
}
_LIABILITY_CHINESE = {
    LiabilityMode.SEVERAL: "按份担保的贷款：各人只付自己承诺上已占用的份额。",
    LiabilityMode.JOINT_AND_SEVERAL: "连带担保的贷款：有人付不出的部分，由其他人在各自签署的"
    "最高金额内分担。",
    LiabilityMode.PLEDGE_ONLY: "仅以质押担保的贷款：各人以自己的质押储蓄为限。",
    LiabilityMode.NONE: "无联保的贷款：任何人不为他人付款。",
}
