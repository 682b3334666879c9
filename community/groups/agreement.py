"""The agreement that a group's members sign: every number in it, in two languages. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from community.communities.charter import CharterRules, LiabilityMode
from community.groups.wording import amount


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
) -> dict[str, Any]:
    """The agreement as data and as text in Chinese and English; ids are public ones.

    Everything that a member's exposure depends on is in it, so that its hash stands for what
    was signed.
    """
    most = exposure_minor(pair_cap_minor, len(members))
    facts: dict[str, Any] = {
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
    facts["text"] = {"zh-CN": _chinese(facts), "en": _english(facts)}
    return facts


def agreement_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document in its one canonical spelling: sorted keys, no spaces."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _english(facts: Mapping[str, Any]) -> str:
    def money(minor: int) -> str:
        return amount(minor, facts["currency"], "en")

    leader = _leader_name(facts)
    others = len(facts["members"]) - 1
    lines = [
        f"Agreement of the joint-liability group {facts['group_name']}, "
        f"{facts['community_name']}, {facts['fixed_on']}",
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
        f"7. Our leader is {leader}, elected until {facts['leader_until_on']}.",
        f"8. After the last signature each of us may step back for {facts['cooling_off_days']} "
        "days; only then does this agreement bind.",
        f"9. It rests on the charter of the community, version {facts['charter_version']}.",
        "Members and the most that each may have to pay:",
        *(
            f"- {member['name']} ({member['id']}): {money(member['exposure_minor'])}"
            for member in facts["members"]
        ),
    ]
    return "\n".join(lines)


def _chinese(facts: Mapping[str, Any]) -> str:
    def money(minor: int) -> str:
        return amount(minor, facts["currency"], "zh-CN")

    leader = _leader_name(facts)
    others = len(facts["members"]) - 1
    lines = [
        f"联保小组协议：{facts['group_name']}（{facts['community_name']}），{facts['fixed_on']}",
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
        f"七、组长为 {leader}，任期至 {facts['leader_until_on']}。",
        f"八、最后一人签字后 {facts['cooling_off_days']} 天为冷静期，期间任何成员可以退出；"
        "冷静期满，本协议生效。",
        f"九、本协议依据社群章程第 {facts['charter_version']} 版。",
        "成员及各自最高应付金额：",
        *(
            f"- {member['name']}（{member['id']}）：{money(member['exposure_minor'])}"
            for member in facts["members"]
        ),
    ]
    return "\n".join(lines)


def _leader_name(facts: Mapping[str, Any]) -> str:
    return next(str(m["name"]) for m in facts["members"] if m["id"] == facts["leader"])


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
