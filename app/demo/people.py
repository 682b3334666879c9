"""Made-up people: villages, households, names, years of birth. Pure and seeded.

Surnames and given names are common ones; nobody in particular is meant.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

# In a village a few families make up most of the households.
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩"
    "唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
)
# By generation, the oldest first.
_MEN = tuple(
    names.split()
    for names in (
        "建国 国强 志明 德福 永贵 长顺 金山 福生 大勇 来喜 宝田 春生",
        "建军 卫东 海涛 文斌 志刚 立新 红旗 学军 树林 玉柱 庆丰 保全",
        "伟 强 磊 军 勇 涛 鹏 浩 俊杰 晓东 志远 建华",
        "子轩 浩然 宇航 梓豪 俊熙 一鸣 天佑 嘉诚 明哲 博文 家乐 思源",
    )
)
_WOMEN = tuple(
    names.split()
    for names in (
        "桂英 秀英 玉兰 凤英 素珍 淑贞 金花 翠兰 月娥 桂兰 秀珍 玉梅",
        "春梅 秀兰 丽华 红梅 爱华 玉珍 彩霞 凤霞 桂香 亚琴 素芳 美荣",
        "芳 娜 敏 静 丽 艳 娟 霞 晓燕 海燕 小红 雪梅",
        "欣怡 梓涵 诗涵 雨桐 佳怡 思雨 可馨 语嫣 若曦 晨曦 一诺 佳琪",
    )
)
# Given names follow the year of birth.
_GENERATIONS = (1963, 1978, 2000)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who lives in a household."""

    name: str
    woman: bool
    birth_year: int


@dataclass(frozen=True, slots=True)
class Home:
    """A household: people who live from one purse, the head first, then the head's partner."""

    number: int
    people: tuple[Person, ...]

    @property
    def head(self) -> Person:
        return self.people[0]


@dataclass(frozen=True, slots=True)
class Village:
    """A village and its households; `code` goes into the references of its people."""

    code: str
    name: str
    homes: tuple[Home, ...] = field(repr=False)


VILLAGES = (("nanhu", "南湖村"), ("liulin", "柳林村"), ("shiqiao", "石桥村"), ("beipo", "北坡村"))
# How many households of a hundred live in each.
_SHARES = (32, 27, 23, 18)


def make_villages(draw: random.Random, households: int, year: int) -> tuple[Village, ...]:
    """Households over the four villages, people as they are in the given year."""
    counts = [max(1, households * share // 100) for share in _SHARES]
    counts[0] += households - sum(counts)
    villages = []
    for (code, name), count in zip(VILLAGES, counts, strict=True):
        families = draw.sample(SURNAMES, 14)
        weights = [12, 9, 7, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1]
        used: set[str] = set()
        homes = tuple(
            _home(draw, number, draw.choices(families, weights)[0], families, year, used)
            for number in range(1, count + 1)
        )
        villages.append(Village(code, name, homes))
    return tuple(villages)


def _home(
    draw: random.Random,
    number: int,
    surname: str,
    families: Sequence[str],
    year: int,
    used: set[str],
) -> Home:
    """A head, mostly with a partner, children, and at times a parent of the head."""
    age = draw.randint(27, 63)
    # Many men work away: a fair part of the farms is run by women.
    woman = draw.random() < 0.38
    people = [_person(draw, surname, woman, year - age, used)]
    if draw.random() < 0.86:
        other = draw.choice([family for family in families if family != surname])
        partner = year - min(70, max(22, age + draw.randint(-4, 3)))
        people.append(_person(draw, other, not woman, partner, used))
    for _ in range(draw.choices((0, 1, 2, 3), (8, 34, 42, 16))[0]):
        child_age = age - draw.randint(22, 30)
        if 0 <= child_age < 24:
            people.append(_person(draw, surname, draw.random() < 0.48, year - child_age, used))
    if age < 56 and draw.random() < 0.6:
        parent = year - age - draw.randint(22, 28)
        people.append(_person(draw, surname, draw.random() < 0.6, parent, used))
    return Home(number, tuple(people))


def _person(
    draw: random.Random, surname: str, woman: bool, birth_year: int, used: set[str]
) -> Person:
    generation = sum(birth_year >= start for start in _GENERATIONS)
    given = (_WOMEN if woman else _MEN)[generation]
    name = surname + draw.choice(given)
    for _ in range(4):  # namesakes are rare within a village, but there are some
        if name not in used:
            break
        name = surname + draw.choice(given)
    used.add(name)
    return Person(name, woman, birth_year)
