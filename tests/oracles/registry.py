"""How a method joins the runner, and how a case says what differs.

A method is one function ``(case: Case) -> None``, registered under its name. It reads
``case.input``, and calls ``case.compare`` once for each expected figure. Whatever it raises fails
the case with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite, lcm
from pathlib import Path
from typing import Any

Check = Callable[["Case"], None]
METHODS: dict[str, Check] = {}


class Malformed(ValueError):
    """The case cannot be read; the message says what is wrong with it."""


def method(name: str) -> Callable[[Check], Check]:
    """Register a function for the method of this exact name."""

    def register(check: Check) -> Check:
        if name in METHODS:
            raise RuntimeError(f"method {name!r} is registered twice")
        METHODS[name] = check
        return check

    return register


@dataclass
class Case:
    """One case while it is being checked."""

    id: str
    input: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: float
    data: Path | None
    differences: list[str] = field(default_factory=list)
    compared: set[str] = field(default_factory=set)

    def need(self, key: str) -> Any:
        """An input value that must be there."""
        if key not in self.input:
            raise Malformed(f"input has no {key!r}")
        return self.input[key]

    def wants(self, key: str) -> bool:
        """Whether the case expects this figure; marks it as understood."""
        if key in self.expected:
            self.compared.add(key)
            return True
        return False

    def compare(self, key: str, got: Any, what: str = "", expected: Any = None) -> None:
        """Compare one figure, a list or a mapping of figures, if the case expects it."""
        if not self.wants(key):
            return
        wanted = self.expected[key] if expected is None else expected
        for place, want, have in _differences(what or key, wanted, got, self.tolerance):
            self.differences.append(f"{place}: expected {_short(want)}, got {_short(have)}")

    def path(self, name: Any) -> Path:
        """A data file of the case."""
        if not isinstance(name, str) or not name:
            raise Malformed(f"not a file name: {name!r}")
        if self.data is None:
            raise Malformed(f"needs {name}: say where with --data DIR")
        found = self.data / name
        if not found.is_file():
            # The same table, packed or unpacked.
            other = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
            if (self.data / other).is_file():
                return self.data / other
            raise Malformed(f"data file {name} is not in {self.data}")
        return found

    @property
    def not_understood(self) -> list[str]:
        return [key for key in self.expected if key not in self.compared]


def number(value: object, what: str) -> Fraction:
    """A finite JSON number as the fraction that its digits say."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Malformed(f"{what} is not a number: {value!r}")
    return Fraction(str(value))


def rows(value: object, width: int, what: str, *, least: int | None = None) -> list[list[Any]]:
    """A list of rows of the same width (or at least `least` wide)."""
    if not isinstance(value, list):
        raise Malformed(f"{what} is not a list")
    for row in value:
        if not isinstance(row, list) or not (least or width) <= len(row) <= width:
            raise Malformed(f"{what} has a row that is not {width} wide: {row!r}")
    return value


def node(value: Any) -> Hashable:
    """A node id: a JSON number, string or (nested) list, so that it can be looked up."""
    if isinstance(value, list):
        return tuple(node(part) for part in value)
    if isinstance(value, dict) or value is None:
        raise Malformed(f"not a node id: {value!r}")
    named: Hashable = value
    return named


def by_node(value: object, known: Iterable[Hashable], what: str) -> dict[Hashable, Any]:
    """An object keyed by node ids. JSON makes every key a string, so ``"7"`` may mean 7."""
    if isinstance(value, list):
        return dict(enumerate(value))
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    nodes = list(known)
    exact = set(nodes)
    spelled = {str(n): n for n in nodes}
    return {key if key in exact else spelled.get(key, key): v for key, v in value.items()}


def in_whole_units(amounts: Iterable[Fraction]) -> int:
    """By how much amounts have to be multiplied to be whole."""
    return lcm(1, *(amount.denominator for amount in amounts))


# Whole units that the engine takes in one room, and in all together.
_MOST, _MOST_TOGETHER = 2**52, 2**60


def scale_of(amounts: Iterable[Fraction]) -> Fraction:
    """Units to one: such that all amounts are whole, or else the finest round number that fits."""
    listed = [abs(amount) for amount in amounts]
    exact = in_whole_units(listed)
    largest, total = max(listed, default=Fraction(0)), sum(listed, Fraction(0))
    if largest * exact <= _MOST and total * exact <= _MOST_TOGETHER:
        return Fraction(exact)
    finest = min(_MOST / largest, _MOST_TOGETHER / total)
    power = Fraction(1)
    while power * 10 <= finest:
        power *= 10
    while power > finest:
        power /= 10
    return power * (finest // power)


def _differences(place: str, want: Any, have: Any, tolerance: float) -> list[tuple[str, Any, Any]]:
    if isinstance(want, Mapping):
        if not isinstance(have, Mapping) or want.keys() != have.keys():
            return [(place, want, have)]
        found = []
        for key in want:
            found += _differences(f"{place}[{key}]", want[key], have[key], tolerance)
        return found
    if isinstance(want, list | tuple):
        if not isinstance(have, list | tuple) or len(want) != len(have):
            return [(place, want, have)]
        found = []
        for i, (w, h) in enumerate(zip(want, have, strict=True)):
            found += _differences(f"{place}[{i}]", w, h, tolerance)
        return found
    numeric = (int, float, Fraction)
    if isinstance(want, numeric) and not isinstance(want, bool):
        fits = isinstance(have, numeric) and not isinstance(have, bool)
        # Written so that NaN on either side is a difference.
        if fits and abs(want - have) <= tolerance:
            return []
        return [(place, want, have)]
    return [] if type(want) is type(have) and want == have else [(place, want, have)]


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, Fraction) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
