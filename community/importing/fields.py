"""How the cells of import files are read. Pure: a text goes in, a value comes out, or BadCell."""

import re
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import TypeVar

from community.importing.reading import BadCell
from community.money import CURRENCY_EXPONENTS

Choice = TypeVar("Choice", bound=StrEnum)

REFERENCE_CHARACTERS_MAX = 64
NAME_CHARACTERS_MAX = 120
BIRTH_YEAR_MIN = 1850

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"[0-9]{4}")
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,3})?")


def reference(cell: str, most: int = REFERENCE_CHARACTERS_MAX) -> str:
    """A name by which files know a thing: no spaces, no semicolon, nothing that does not print."""
    if not cell:
        raise BadCell("The cell is empty.", "Give every row its reference.")
    if len(cell) > most:
        raise BadCell(f"A reference has at most {most} characters.", "Shorten it everywhere.")
    if not cell.isprintable() or " " in cell or ";" in cell:
        raise BadCell(
            "A reference has no spaces, semicolons or characters that do not print.",
            "Remove them, at both ends too.",
        )
    return cell


def references(cell: str) -> tuple[str, ...]:
    """Several references, separated by semicolons, each once."""
    found = tuple(_listed(part) for part in cell.split(";"))
    if len(set(found)) != len(found):
        raise BadCell("A reference stands in this cell twice.", "Name each once.")
    return found


def _listed(part: str) -> str:
    if not part:
        raise BadCell("There is nothing beside a semicolon.", "Write a;b, without a last ;")
    return reference(part)


def movement_reference(cell: str) -> str:
    """The reference of a savings movement, which may be a little longer."""
    return reference(cell, 80)


def name(cell: str) -> str:
    """A name for people to read; line breaks and runs of spaces in it become one space."""
    if not cell.isprintable() or cell[:1] == " " or cell[-1:] == " " or "  " in cell:
        cell = " ".join(cell.split())
    if not cell:
        raise BadCell("The name is blank.", "Give a name.")
    if len(cell) > NAME_CHARACTERS_MAX:
        raise BadCell(f"A name has at most {NAME_CHARACTERS_MAX} characters.", "Shorten it.")
    if not cell.isprintable():
        raise BadCell("The name holds characters that do not print.", "Remove them.")
    return cell


def one_of(enum: type[Choice], *left_out: Choice) -> Callable[[str], Choice]:
    """A reader of one of an enum's values, written exactly so."""
    values = {member.value: member for member in enum if member not in left_out}

    def read(cell: str) -> Choice:
        try:
            return values[cell]
        except KeyError:
            raise BadCell("There is no such choice.", f"Choose from {', '.join(values)}.") from None

    return read


def day(cell: str) -> date:
    """A calendar day."""
    if _DAY.fullmatch(cell):
        try:
            return date.fromisoformat(cell)
        except ValueError:
            pass
    raise BadCell("This is not a date.", "Write dates as 2026-11-23.")


def birth_year(cell: str) -> int:
    """A year in which somebody living may be born; whether it is past is told by the caller."""
    if not _YEAR.fullmatch(cell) or int(cell) < BIRTH_YEAR_MIN:
        raise BadCell(
            f"This is not a year from {BIRTH_YEAR_MIN} on.", "Write the year in four digits."
        )
    return int(cell)


def currency(cell: str) -> str:
    """A currency that the platform knows."""
    if cell not in CURRENCY_EXPONENTS:
        raise BadCell("Unknown currency.", f"Choose from {', '.join(sorted(CURRENCY_EXPONENTS))}.")
    return cell


def amount(cell: str) -> str:
    """A positive amount; it stays text until the currency, and so its decimals, are known."""
    if not _AMOUNT.fullmatch(cell):
        raise BadCell(
            "This is not an amount.",
            "Write digits with a point before the decimals, such as 1200.50: no sign, "
            "no thousands separator, no currency.",
        )
    if not cell.strip("0."):
        raise BadCell("The amount is zero.", "Leave such rows out.")
    return cell


def template(cell: str) -> str:
    """The name of a charter template; whether there is one is told by the caller."""
    if not re.fullmatch(r"[a-z0-9-]{1,60}", cell):
        raise BadCell("This is not a template's name.", "Names are like village-cooperative.")
    return cell
