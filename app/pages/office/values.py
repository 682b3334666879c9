"""Rules and terms as people read and write them: yuan, per cent, yes and no, words.

The services count in minor units, ten-thousandths and millionths. Here they are only shown and
read back, exactly; whether a value is allowed is for the service to say.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from app.pages.layout import money_text
from app.pages.words import Words
from community.money import CURRENCY_EXPONENTS

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?")
_BETWEEN = re.compile(r"[,，、;；\s]+")
YES, NO = "yes", "no"


class Unread(ValueError):
    """A text that is no value: a key of the words says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """One rule or term: what it is made of, and in which unit it is counted."""

    name: str
    # 'number', 'text', 'choice' or 'bool'; of lists what an item is.
    kind: str
    is_list: bool
    # 'money', 'bps', 'ppm' or nothing.
    unit: str
    choices: tuple[str, ...] = ()
    # Whether a list of choices says what comes first, and so is more than which are ticked.
    is_ordered: bool = False

    def scale(self, currency: str) -> int:
        """How many of the service's units are one of those that people see."""
        if self.unit == "money":
            return int(10 ** CURRENCY_EXPONENTS[currency])
        return {"bps": 100, "ppm": 10_000}.get(self.unit, 1)

    def sign(self, currency: str) -> str:
        """What stands behind the field."""
        return {"money": currency, "bps": "%", "ppm": "%"}.get(self.unit, "")

    def text(self, value: Any, currency: str) -> str:
        """As it stands in a field; items of a list with commas between."""
        if self.is_list:
            return ", ".join(self._one(item, currency) for item in value or ())
        return "" if value is None else self._one(value, currency)

    def is_same(self, before: Any, after: Any) -> bool:
        """Whether nothing changes; ticks have no order."""
        if self.kind == "choice" and self.is_list and not self.is_ordered:
            return sorted(before or ()) == sorted(after)
        return bool(before == after)

    def _one(self, value: Any, currency: str) -> str:
        if self.kind == "bool":
            return YES if value else NO
        if self.kind != "number":
            return str(getattr(value, "value", value))
        return _plain(int(value), self.scale(currency))

    def said(self, value: Any, currency: str, t: Words) -> str:
        """As it is read in a sentence or a table."""
        if value is None:
            return "–"
        if self.is_list:
            return t("comma").join(self._said(item, currency, t) for item in value) or t(
                "none_of_them"
            )
        return self._said(value, currency, t)

    def _said(self, value: Any, currency: str, t: Words) -> str:
        if self.kind == "bool":
            return t("yes") if value else t("no")
        if self.kind == "choice":
            return choice_name(t, str(getattr(value, "value", value)), self.name)
        if self.kind == "number" and self.unit == "money":
            return money_text(t.language, int(value), currency)
        if self.kind == "text":
            return t.source(str(value))
        return self._one(value, currency) + ("%" if self.unit in ("bps", "ppm") else "")

    def read(self, texts: Sequence[str], currency: str) -> Any:
        """What somebody wrote or ticked. Raises Unread."""
        if self.is_ordered:
            return [item for item in texts if item]
        if self.kind == "choice" and self.is_list:
            return [item for item in self.choices if item in texts]
        text = texts[0].strip() if texts else ""
        if self.is_list:
            return [self._read(item, currency) for item in _BETWEEN.split(text) if item]
        if not text:
            raise Unread("fill_in")
        return self._read(text, currency)

    def _read(self, text: str, currency: str) -> Any:
        if self.kind == "bool":
            return text == YES
        if self.kind != "number":
            return text
        plain = text if self.is_list else text.replace(",", "").replace("，", "")
        plain = plain.removesuffix("%")
        if not _NUMBER.fullmatch(plain):
            raise Unread("number_needed")
        scaled = Decimal(plain) * self.scale(currency)
        if scaled != int(scaled):
            raise Unread("too_fine")
        return int(scaled)


def values_of(kind: type[Any], without: Sequence[str] = ()) -> dict[str, Value]:
    """The values that a dataclass of rules or terms consists of, in its order."""
    return {
        name: _value(name, hint)
        for name, hint in get_type_hints(kind).items()
        if name not in without
    }


def choice_name(t: Words, code: str, of: str = "") -> str:
    """The word for one of several codes of a value; without one the code itself."""
    if t.find(f"term_choice.{of}.{code}"):
        return t.of("term_choice", f"{of}.{code}")
    return t.of("choice", code) if t.find(f"choice.{code}") else code


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names whose value is another one."""
    return [name for name in after if after[name] != before.get(name)]


def _value(name: str, hint: Any) -> Value:
    is_list = get_origin(hint) is tuple
    item = get_args(hint)[0] if is_list else hint
    if item is bool:
        return Value(name, "bool", is_list, "")
    if item is int:
        return Value(name, "number", is_list, _unit(name))
    if isinstance(item, type) and issubclass(item, StrEnum):
        return Value(name, "choice", is_list, "", tuple(each.value for each in item))
    return Value(name, "text", is_list, "")


def _unit(name: str) -> str:
    parts = name.split("_")
    return next((unit for key, unit in _UNITS.items() if key in parts), "")


_UNITS = {"minor": "money", "bps": "bps", "ppm": "ppm"}


def _plain(value: int, scale: int) -> str:
    """The exact decimal: 12050 in hundredths is 120.5, 300 is 3."""
    if scale == 1:
        return str(value)
    whole, rest = divmod(abs(value), scale)
    digits = str(rest).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{'.' + digits if digits else ''}"
