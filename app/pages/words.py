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
    (r"Money is .*|.*amount.*", "请填写金额，如 120.50。"),
    (r"String does not match expected pattern\.", "只能用字母、数字、点和横线。"),
    (r"Unknown field\.", "没有这一项。"),
    (r"Choose somebody else than the one who leaves\.", "请选退出的人以外的人。"),
    (r"All payees together .*", "各收款人合计不能超过贷款。"),
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
