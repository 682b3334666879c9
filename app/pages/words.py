"""What the pages say: one file `words.toml` in each room, every key with its Chinese and English.

A room's words go before the common ones of `app/pages/words.toml`. A text is written once as
`key = ["中文", "English"]`; tables group keys whose end is a value: `status.overdue`.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from community.errors import CommunityError
from community.ledger.rules import RULES

LANGUAGES: Final = ("zh-CN", "en")
COMMON: Final = "common"
_FOLDER = Path(__file__).parent

Catalog = Mapping[str, tuple[str, str]]


def rooms() -> list[str]:
    """The rooms that have words of their own."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/words.toml"))


@cache
def catalog(room: str) -> Catalog:
    """The words of a room by key; those of `common` are for all."""
    path = _FOLDER / "words.toml" if room == COMMON else _FOLDER / room / "words.toml"
    if not path.exists():
        return {}
    found: dict[str, tuple[str, str]] = {}
    _flatten("", tomllib.loads(path.read_text()), found)
    return found


@cache
def problem_titles() -> Mapping[str, list[str]]:
    """By a problem's code: its Chinese title, and what helps where that is worth saying."""
    titles: dict[str, list[str]] = tomllib.loads((_FOLDER / "problems.toml").read_text())
    return titles


@cache
def event_names() -> Mapping[str, list[str]]:
    """By an event's kind: what it is called, Chinese and English."""
    names: dict[str, list[str]] = tomllib.loads((_FOLDER / "events.toml").read_text())
    return names


@cache
def sources() -> Mapping[str, str]:
    """By its English text, where a rule of ours comes from: the same in Chinese."""
    texts: dict[str, str] = tomllib.loads((_FOLDER / "sources.toml").read_text())
    return texts


def pick(asked: str | None, accepted: str | None) -> str:
    """The language to answer in: what was asked for, else what is accepted, else Chinese."""
    for wanted in (asked, accepted):
        if wanted in LANGUAGES:
            return wanted
    return LANGUAGES[0]


class Words:
    """The words of one room in one language: `t("key")`, `t("key", days=3)`."""

    def __init__(self, room: str, language: str) -> None:
        self.room = room
        self.language = language
        self._place = LANGUAGES.index(language)

    def __call__(self, key: str, **facts: Any) -> str:
        """The text of a key, with its facts filled in; a key that is not there is our fault."""
        found = self.find(key)
        if found is None:
            raise KeyError(f"{key!r} is in no words.toml of {self.room}")
        return found.format(**facts) if facts else found

    def find(self, key: str) -> str | None:
        """The text of a key, None without one."""
        for room in (self.room, COMMON):
            if key in catalog(room):
                return catalog(room)[key][self._place]
        return None

    def of(self, table: str, value: Any) -> str:
        """The word for a value: `t.of("status", loan.status)` is the key `status.overdue`."""
        return self(f"{table}.{getattr(value, 'value', value)}")

    def event(self, kind: str) -> str:
        """What an event is called, or the entry that is told of like one; else its code."""
        if kind in event_names():
            return event_names()[kind][self._place]
        rule = RULES.get(kind)
        if rule is None:
            return kind
        return rule.name_zh if self.language == "zh-CN" else rule.name_en

    def source(self, text: str) -> str:
        """Where a rule comes from: ours in this language, one of their own as they wrote it."""
        return sources().get(text, text) if self.language == "zh-CN" else text

    def problem(self, refusal: CommunityError) -> tuple[str, str]:
        """What a refusal is called, and what there is to say about it.

        The services speak English; Chinese titles and remedies stand in a table by code, and
        where there is none the English text is shown with its code.
        """
        if self.language == "en":
            detail = refusal.detail if refusal.detail != refusal.title else ""
            return refusal.title, detail
        known = problem_titles().get(refusal.code)
        if known is None:
            return refusal.title, f"{refusal.detail} ({refusal.code})"
        help_text = known[1] if len(known) > 1 else ""
        facts = {name: str(value) for name, value in refusal.members.items()}
        try:
            return known[0], help_text.format(**facts)
        except (KeyError, IndexError):
            return known[0], ""


# What the schemas say of a field, as far as readers of Chinese meet it; they speak English.
_OF_FIELDS: Final = (
    (r"Missing data for required field\.", "请填写这一项。"),
    (r"Field may not be null\.", "请填写这一项。"),
    (r"characters", "有不能保存的字符。"),
    (r"The text has characters that cannot be written\.", "有不能保存的字符。"),
    (r"The text has to have (\d+) to (\d+) characters\.", "需要 {0} 到 {1} 个字符。"),
    (r"An id such as (\S+) is needed\.", "需要形如 {0} 的编号。"),
    (r"Not a valid date\.|A day is .*|A date .*", "请填写日期，如 2026-05-04。"),
    (r"Not a valid integer\.|A whole number.*", "请填写整数。"),
    (r"Say that you have understood it\.", "请先勾选。"),
    (r"Must be one of: .*", "请从列出的选项中选择。"),
    (r"The amount has to be above zero\.", "金额须大于零。"),
    (r"The amount cannot be below zero\.", "金额不能小于零。"),
    (r"All amounts are in one currency\.", "金额须用同一种货币。"),
    (r"Money is .*|.*amount.*", "请填写金额，如 120.50。"),
    (r"String does not match expected pattern\.", "只能用字母、数字、点和横线。"),
    (r"Write one member a line.*", "每行写一位成员的姓名或编号。"),
    (r"Write two members a line.*", "每行写两位成员的姓名或编号，用逗号隔开。"),
    (r"The number has to be from (\S+) to (\S+)\.", "请填写 {0} 到 {1} 之间的整数。"),
    (r"The (?:date|instant) has to be .*", "日期须在 1900 年到 2199 年之间。"),
    (r"(\w+) has (\d+) decimals\.", "{0} 最多 {1} 位小数。"),
    (
        r"Must be greater than or equal to (\S+) and less than or equal to (\S+)\.",
        "须在 {0} 到 {1} 之间。",
    ),
    (r"Must be greater than or equal to (\S+)\.", "不能小于 {0}。"),
    (r"Must be less than or equal to (\S+)\.", "不能大于 {0}。"),
    (r"Shorter than minimum length (\d+)\.", "至少 {0} 个。"),
    (r"Longer than maximum length (\d+)\.", "最多 {0} 个。"),
    (r"Length must be between (\d+) and (\d+)\.", "需要 {0} 到 {1} 个。"),
    (r"Not a valid .*|Invalid (?:value|type)\.", "格式不对，请核对。"),
    (r"Please tick this box first\.", "请先勾选。"),
    (r"Name (?:everybody|each|every use) once\.", "每一个只写一次。"),
    (r"Name what is to change\.|Say what is to be different\.", "请写明要改什么。"),
    (r"Every member has one (?:share|sub-limit)\.", "每位成员只写一份。"),
    (r"A member pays in, or the reserve fund\.", "由成员缴存，或由准备金计提，只选其一。"),
    (
        r"It ends on the day it begins or later, after at most (\S+) days\.",
        "结束日不早于开始日，且最多隔 {0} 天。",
    ),
    (r"A sheet has at least one line\.", "收款单至少有一行。"),
    (r"A month is written as .*", "月份请写成 2027-03 这样。"),
    (r"Answer with money or with a choice\.", "请填写金额，或从选项中选择。"),
    (r"Answer each question once\.", "每个问题只答一次。"),
    (r"A change of the kind (\S+) needs it\.", "这种调整需要填写这一项。"),
    (r"It has no place in a change of the kind (\S+)\.", "这种调整不填这一项。"),
    (r"It is before (\S+)\.", "结束不能早于开始。"),
    (r"Choose borrower or third_party; .*", "请选择由借款人还是他人付款；代偿另行办理。"),
    (r"Name the payer of a third party's money, .*", "由他人付款时请写明付款人，其他时候不填。"),
    (r"Unknown field\.", "没有这一项。"),
    (r"Choose somebody else than the one who leaves\.", "请选退出的人以外的人。"),
    (r"All payees together .*", "各收款人合计不能超过贷款。"),
    (r"Give at least one member a share\.", "至少写一位组员的份额。"),
    (r"Say how much each payee .*", "请写明每个收款人各得多少，只有一人可以得余下的。"),
)
_ENGLISH: Final = {
    "characters": "There are characters that cannot be stored.",
    "Missing data for required field.": "Please fill this in.",
}


def said_of_field(text: str, language: str) -> str:
    """What a schema says is wrong with a field, in the reader's language."""
    if language == "en":
        return _ENGLISH.get(text, text)
    for pattern, chinese in _OF_FIELDS:
        found = re.fullmatch(pattern, text)
        if found:
            return chinese.format(*found.groups())
    return text


def _flatten(prefix: str, table: Mapping[str, Any], found: dict[str, tuple[str, str]]) -> None:
    for name, value in table.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}{name}.", value, found)
        else:
            chinese, english = value
            found[prefix + name] = (chinese, english)
