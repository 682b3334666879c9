"""What is worth a thought before a group signs: kin, a common livelihood, promises twice. Pure.

A warning refuses nothing. It says what was found, by which rule of the charter it is looked for,
and from which rows; whether the group goes on is the members' decision.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from community.communities.charter import CharterRules

# Family names of two characters; every other name in Chinese characters begins with one.
_COMPOUND = frozenset(
    [
        "欧阳",
        "上官",
        "司马",
        "东方",
        "独孤",
        "南宫",
        "夏侯",
        "诸葛",
        "尉迟",
        "赫连",
        "澹台",
        "皇甫",
        "宗政",
        "濮阳",
        "申屠",
        "公孙",
        "慕容",
        "仲孙",
        "钟离",
        "长孙",
        "宇文",
        "司徒",
        "鲜于",
        "司空",
        "闾丘",
        "令狐",
        "端木",
        "轩辕",
        "拓跋",
        "百里",
        "呼延",
        "东郭",
        "南门",
        "西门",
        "左丘",
        "梁丘",
        "公冶",
        "太史",
        "淳于",
        "单于",
        "万俟",
        "闻人",
    ]
)


class WarningKind(StrEnum):
    FAMILY_NAME = "family_name"
    SHARED_HOUSEHOLD = "shared_household"
    SAME_INDUSTRY = "same_industry"
    SAME_CROP = "same_crop"
    MUTUAL_PAIR = "mutual_pair"


# Whether everybody in the group may be told who they are: what somebody borrowed for, belongs to
# or promised elsewhere is theirs, so that the others learn only how many.
NAMED = frozenset({WarningKind.FAMILY_NAME, WarningKind.SHARED_HOUSEHOLD})


@dataclass(frozen=True, slots=True)
class Person:
    """A member as far as warnings need to know them."""

    member_id: int
    name: str
    # Where they live, and where they were counted when they stood in a group before.
    households: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class GroupWarning:
    """Something that was found, in both languages, with its rule and its rows."""

    kind: WarningKind
    member_ids: tuple[int, ...]
    rule: str
    source: str
    text: Mapping[str, str]

    @property
    def unnamed(self) -> Mapping[str, str]:
        """The text for whose business it is not who they are."""
        return _PAIR_UNNAMED if self.kind is WarningKind.MUTUAL_PAIR else self.text


_PAIR_UNNAMED = {
    "zh-CN": "小组中有两人在小组之外已相互担保：两人同时还不上时，担保并不因此增多。",
    "en": "Two of the group stand behind each other outside of it already: if both fail, that is "
    "no more than once.",
}


def family_name(name: str) -> str | None:
    """The family name, which stands first; None where a name of one word does not show it."""
    name = name.strip()
    if not name:
        return None
    if "\u3400" <= name[0] <= "\u9fff":
        return name[:2] if name[:2] in _COMPOUND and len(name) > 2 else name[0]
    first, _, rest = name.partition(" ")
    return first if rest.strip() else None


def warnings_for(
    people: Sequence[Person],
    *,
    rules: CharterRules,
    industries: Mapping[str, Collection[int]],
    crops: Mapping[str, Collection[int]],
    mutual: Collection[tuple[int, int]],
) -> tuple[GroupWarning, ...]:
    """All warnings on a group of these people.

    `industries` and `crops` say who lives from what; `mutual` are the pairs who promised each
    other something outside of the group.
    """
    found: list[GroupWarning] = []
    if rules.kin_warnings:
        found += _family_names(people)
        found += _households(people)
    size = len(people)
    for kind, livelihoods, source in (
        (WarningKind.SAME_INDUSTRY, industries, "memberships in communities of one industry"),
        (WarningKind.SAME_CROP, crops, "seasonal loans for the crop"),
    ):
        for label, members in sorted(livelihoods.items()):
            alike = sorted({p.member_id for p in people} & set(members))
            if len(alike) > 1 and len(alike) * 10_000 > rules.group_alike_bps_max * size:
                found.append(_alike(kind, label, alike, size, source))
    if rules.mutual_pair_warnings:
        found += _pairs(people, mutual)
    return tuple(found)


def _family_names(people: Iterable[Person]) -> Iterable[GroupWarning]:
    by_name: dict[str, list[Person]] = {}
    for person in people:
        name = family_name(person.name)
        if name is not None:
            by_name.setdefault(name, []).append(person)
    for name, bearers in sorted(by_name.items()):
        if len(bearers) > 1:
            who = [person.name for person in bearers]
            yield GroupWarning(
                WarningKind.FAMILY_NAME,
                tuple(sorted(person.member_id for person in bearers)),
                "kin_warnings",
                "names of members",
                {
                    "zh-CN": f"{'、'.join(who)} 同姓“{name}”，可能是亲属：亲属往往一同还上，"
                    "也一同还不上。",
                    "en": f"{', '.join(who)} bear the family name {name} and may be kin: kin "
                    "often repay together, and fail together.",
                },
            )


def _households(people: Sequence[Person]) -> Iterable[GroupWarning]:
    for one, other in combinations(people, 2):
        if one.households & other.households:
            yield GroupWarning(
                WarningKind.SHARED_HOUSEHOLD,
                tuple(sorted((one.member_id, other.member_id))),
                "kin_warnings",
                "households, now and when they stood in earlier groups",
                {
                    "zh-CN": f"{one.name} 与 {other.name} 曾在同一户登记。",
                    "en": f"{one.name} and {other.name} were counted in one household before.",
                },
            )


def _alike(
    kind: WarningKind, label: str, alike: Sequence[int], size: int, source: str
) -> GroupWarning:
    return GroupWarning(
        kind,
        tuple(alike),
        "group_alike_bps_max",
        source,
        {
            "zh-CN": f"{size} 人中有 {len(alike)} 人以“{label}”为生：一个坏年成会同时影响他们。",
            "en": f"{len(alike)} of {size} live from {label}: one bad year reaches them all at "
            "once.",
        },
    )


def _pairs(people: Iterable[Person], mutual: Collection[tuple[int, int]]) -> Iterable[GroupWarning]:
    names = {person.member_id: person.name for person in people}
    for one, other in sorted({(min(pair), max(pair)) for pair in mutual}):
        if one in names and other in names:
            yield GroupWarning(
                WarningKind.MUTUAL_PAIR,
                (one, other),
                "mutual_pair_warnings",
                "live promises outside of this group",
                {
                    "zh-CN": f"{names[one]} 与 {names[other]} 在小组之外已相互担保：两人同时还不上"
                    "时，担保并不因此增多。",
                    "en": f"{names[one]} and {names[other]} stand behind each other outside of "
                    "this group already: if both fail, that is no more than once.",
                },
            )
