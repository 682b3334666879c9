"""Import files of a run, written to a folder: what `flask import` then reads."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from app.villages import recipe
from app.villages.recipe import ASSUMED, CIRCLE, CURRENCY, DISTRICT, Home, PersonRow, Village, Word
from community.money import format_minor

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One import file: what kind of import takes it, and how many rows it has."""

    kind: str
    path: Path
    rows: int


def member_reference(village: str, person: str) -> str:
    """How imports know a person."""
    return f"person-{village}-{person}"


def head_reference(home: Home) -> str:
    """How imports know a household's borrower of record."""
    assert home.head is not None
    return member_reference(home.village, home.head)


def write_sheets(
    folder: Path, villages: Sequence[Village], said: Iterable[Word], on: date
) -> list[Sheet]:
    """Write the four files, in the order in which they are imported."""
    circle = any(recipe.in_circle(home) for village in villages for home in village.heads())
    said = list(said)
    contents: dict[str, tuple[str, Callable[[], Iterable[Row]]]] = {
        "communities": (
            "reference,kind,name,currency,parent,charter_template,valid_from,since_on",
            lambda: _communities(villages, circle, on - timedelta(days=30)),
        ),
        "people": (
            "reference,kind,name,household,birth_year,community,status,since_on",
            lambda: _people(villages, on),
        ),
        "ties": ("community,voucher,borrower,amount,said_by", lambda: _ties(villages, said)),
        "savings": (
            "reference,community,member,amount,moved_on,kind",
            lambda: _savings(villages, on),
        ),
    }
    sheets = []
    for kind, (header, rows) in contents.items():
        path = folder / f"{kind}.csv"
        count = 0
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header.split(","))
            for row in rows():
                writer.writerow(row)
                count += 1
        sheets.append(Sheet(kind, path, count))
    return sheets


def _communities(villages: Sequence[Village], circle: bool, since: date) -> Iterable[Row]:
    day = since.isoformat()
    yield DISTRICT, "region", "District", CURRENCY, "", "village-cooperative", day, day
    for village in villages:
        name = f"Village {village.number}"
        yield village.reference, "region", name, "", DISTRICT, "", "", day
    if circle:
        yield CIRCLE, "interest", "Roof savers", "", DISTRICT, "savers-circle", day, day


def _people(villages: Sequence[Village], on: date) -> Iterable[Row]:
    for village in villages:
        for row in sorted(village.people.values(), key=_person_order):
            home = village.homes[row.household]
            places = []
            if row.person in home.adults:
                places.append(village.reference)
                if row.person == home.head and recipe.in_circle(home):
                    places.append(CIRCLE)
            yield (
                member_reference(row.village, row.person),
                "person",
                f"Person {row.person}",
                f"household-{row.village}-{row.household}",
                "" if row.age is None else on.year - row.age,
                ";".join(places),
                "active" if places else "",
                on.isoformat() if places else "",
            )


def _person_order(row: PersonRow) -> tuple[int, int, str]:
    return recipe.in_order(row.person)


def _ties(villages: Sequence[Village], said: Iterable[Word]) -> Iterable[Row]:
    homes = {
        (village.number, home.number): home for village in villages for home in village.heads()
    }
    circle_word = format_minor(ASSUMED.circle_word_minor, CURRENCY)
    for word in said:
        voucher = homes[word.village, word.voucher]
        borrower = homes[word.village, word.borrower]
        ends = head_reference(voucher), head_reference(borrower)
        amount = format_minor(word.amount_minor, CURRENCY)
        yield f"village-{word.village}", *ends, amount, word.side.value
        if recipe.in_circle(voucher) and recipe.in_circle(borrower):
            yield CIRCLE, *ends, circle_word, word.side.value


def _savings(villages: Sequence[Village], on: date) -> Iterable[Row]:
    day = on.isoformat()
    for village in villages:
        for home in village.heads():
            member = head_reference(home)
            saved = {village.reference: recipe.savings_minor(home)}
            if recipe.in_circle(home):
                saved[CIRCLE] = ASSUMED.circle_savings_minor
            for community, minor in saved.items():
                name = f"{community}/{member}"
                locked = recipe.stake_minor(minor)
                amounts = {"deposit": minor, "stake_lock": locked}
                for kind, amount in amounts.items():
                    if amount:
                        text = format_minor(amount, CURRENCY)
                        yield f"{kind}/{name}", community, member, text, day, kind
