"""No table and no free text about members is forgotten: the registry against the tables."""

import pytest
from sqlalchemy import JSON, Column, Enum, LargeBinary, String

from community.members.consents import purposes
from community.models import metadata
from community.personal.export import in_order
from community.personal.registry import ABOUT, NOBODY, as_table
from community.personal.retention import read_rules
from community.sealing import BlindIndex, Sealed
from config.settings import ROOT

# A text of so many characters can hold words about somebody.
WORDS = 60


def leads_to_a_member(column: "Column[object]") -> bool:
    return (column.name.endswith("member_id") and column.name != "group_member_id") or any(
        (key.column.table.name, key.column.name) == ("members", "id")
        or leads_to_a_member(key.column)
        for key in column.foreign_keys
        if key.column.table.name != "group_members"
    )


def is_free(column: "Column[object]") -> bool:
    kind = column.type
    if isinstance(kind, Enum | Sealed | BlindIndex) or column.name.endswith(("hash", "public_id")):
        return False
    if isinstance(kind, String):
        return kind.length is None or kind.length >= WORDS
    return isinstance(kind, JSON | LargeBinary)


def test_every_table_has_its_line() -> None:
    assert ABOUT.keys() & NOBODY == set()
    assert ABOUT.keys() | NOBODY == metadata.tables.keys()
    assert set(in_order()) == ABOUT.keys()


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_column_that_names_a_member_is_in_the_registry(name: str) -> None:
    table = metadata.tables[name]
    naming = {column.name for column in table.columns if leads_to_a_member(column)}
    if name in NOBODY:
        assert naming == set()
        return
    place = ABOUT[name]
    assert (naming | ({"id"} if name == "members" else set())) == {
        *place.subjects,
        *place.mentions,
        *place.silent,
    }
    assert all(parent in ABOUT and column in table.c for column, parent in place.via)
    free = {column.name for column in table.columns if is_free(column)}
    ruled = {*place.clears, *place.keeps}
    assert free <= ruled
    assert not set(place.clears) & set(place.keeps)
    assert all(column in table.c for column in (*ruled, *place.hides))


def test_the_page_tells_what_the_registry_says() -> None:
    page = (ROOT / "docs" / "personal-data.md").read_text(encoding="utf-8")
    assert "\n".join(as_table()) in page
    for rule in read_rules():
        assert f"| `{rule.kind}` | {rule.days} | {rule.source} |" in page
    for name, purpose in purposes().items():
        assert f"`{name}`" in page
        assert dict(purpose.texts).keys() == {"zh-CN", "en"}
