"""Files become rows with the line numbers that an editor shows; nothing is guessed."""

import gzip
import hashlib
import importlib
import io
import re
from pathlib import Path

import pytest

from community.bulk import new_public_ids
from community.database import new_public_id
from community.importing import fields
from community.importing.errors import ImportRefused
from community.importing.reading import BadCell, Column, read_table, read_values
from community.importing.report import Fault, Report, shown
from community.members.models import MemberKind

COLUMNS = (
    Column("reference", fields.reference, repeats=False),
    Column("name", fields.name, repeats=False),
    Column("kind", fields.one_of(MemberKind), required=False),
)
HEADER = "reference,name,kind\n"


def read(data: bytes | str) -> tuple[list[tuple[object, ...]], Report]:
    report = Report("people")
    raw = data.encode() if isinstance(data, str) else data
    return list(read_values(io.BytesIO(raw), COLUMNS, report)), report


PLAIN = HEADER + "a,Wang Wei,person\nb,李娜,\n"
ROWS = [(2, "a", "Wang Wei", MemberKind.PERSON), (3, "b", "李娜", None)]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.rstrip("\n").encode(),
        gzip.compress(PLAIN.encode(), mtime=0),
        # The time of packing would give the test another name each second.
        gzip.compress(b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(), mtime=0),
        b"kind,reference,name\nperson,a,Wang Wei\n,b," + "李娜\n".encode(),
    ],
    ids=["plain", "bom", "crlf", "no last line end", "gz", "gz bom crlf", "other column order"],
)
def test_the_same_rows_in_any_spelling_of_the_file(data: bytes) -> None:
    rows, report = read(data)
    assert rows == ROWS
    assert (report.rows, report.faults) == (2, [])


def test_packed_and_plain_files_have_one_digest() -> None:
    digest = hashlib.sha256(PLAIN.encode()).hexdigest()
    assert read(PLAIN)[1].digest == digest
    assert read(gzip.compress(PLAIN.encode(), mtime=0))[1].digest == digest


def test_columns_that_may_be_left_out_may_be_left_out() -> None:
    rows, report = read("reference,name\na,Wang Wei\n")
    assert rows == [(2, "a", "Wang Wei", None)]
    assert not report.faults


def test_line_numbers_count_lines_inside_quotes_and_empty_lines() -> None:
    rows, report = read(HEADER + 'a,"Wang\nWei",\n\n,,\nb,"Li, ""Na""",\nc,,\n')
    assert rows == [(2, "a", "Wang Wei", None), (6, "b", 'Li, "Na"', None)]
    assert [(f.line, f.column) for f in report.faults] == [(7, "name")]
    assert report.rows == 3


def test_progress_counts_every_byte_of_the_file() -> None:
    seen: list[int] = []
    packed = gzip.compress((HEADER + "a,b,\n" * 50_000).encode())
    list(read_table(io.BytesIO(packed), COLUMNS, Report("x"), seen.append))
    assert sum(seen) == len(packed)


# The time of packing would give the test another name each second.
CUT_OFF = gzip.compress(PLAIN.encode() * 99, mtime=0)[:-20]


@pytest.mark.parametrize(
    ("data", "line", "reason", "remedy"),
    [
        (b"", 0, "The file is empty", "reference,name,kind"),
        (b"\n\n", 0, "The file is empty", "reference,name,kind"),
        (b"reference,nam\n", 1, "missing: name; unknown: nam", "name, kind (may be left out)"),
        (b"reference,name,name\n", 1, "twice there: name", "Its columns are"),
        (b"reference,name,\n", 1, "unknown: (empty)", "Its columns are"),
        (b"reference;name;kind\n", 1, "missing: reference, name", "Its columns are"),
        (b"Reference,name\n", 1, "unknown: Reference", "Its columns are"),
        (HEADER.encode() + b"a,b\n", 2, "2 cells, the header has 3", "Quote cells"),
        (HEADER.encode() + b"a,b,,d\n", 2, "4 cells, the header has 3", "Quote cells"),
        (HEADER.encode() + b'a,"b,\nc,d,\n', 2, "quotes do not match", "twice"),
        (HEADER.encode() + b'a,"b" c,\n', 2, "quotes do not match", "twice"),
        (
            HEADER.encode() + "a,李娜,\n".encode("gb18030"),
            2,
            "Byte 0xc0 at place 3 is not UTF-8",
            "GB18030",
        ),
        ("\ufeff".join([HEADER, ""]).encode("utf-16"), 1, "is not UTF-8", "Save the file as UTF-8"),
        (
            gzip.compress(PLAIN.encode() * 99, mtime=0)[:-20],
            1,
            "The packed file is damaged",
            "Copy it",
        ),
        (HEADER.encode() + b"a" * 200_000, 2, "longer than 100000", "Is this a CSV file?"),
    ],
)
def test_what_cannot_be_read_is_one_fault_with_its_line(
    data: bytes, line: int, reason: str, remedy: str
) -> None:
    _, report = read(data)
    (fault,) = report.faults
    assert fault.line == line
    assert reason in fault.reason
    assert remedy in fault.remedy
    with pytest.raises(ImportRefused):
        report.refuse_if_faulty()


def test_reading_goes_on_after_a_bad_row() -> None:
    rows, report = read(HEADER + "a,b,robot\n,Wang,person\nc\nd,Zhao,person\n")
    assert rows == [(5, "d", "Zhao", MemberKind.PERSON)]
    assert [(f.line, f.column, f.value) for f in report.faults] == [
        (2, "kind", "robot"),
        (3, "reference", ""),
        (4, "", "c"),
    ]
    assert report.rows == 4


def test_every_bad_cell_of_a_row_is_named() -> None:
    _, report = read(HEADER + "a b,,robot\n")
    assert [fault.column for fault in report.faults] == ["reference", "name", "kind"]
    assert report.refused == 1


@pytest.mark.parametrize(
    ("check", "cell", "reason"),
    [
        (fields.reference, "a b", "no spaces"),
        (fields.reference, " a", "no spaces"),
        (fields.reference, "a\u3000b", "no spaces"),
        (fields.reference, "a;b", "semicolons"),
        (fields.reference, "a\x00", "do not print"),
        (fields.reference, "a\u200bb", "do not print"),
        (fields.reference, "a" * 65, "at most 64"),
        (fields.movement_reference, "a" * 81, "at most 80"),
        (fields.references, "a;", "beside a semicolon"),
        (fields.references, "a;b;a", "twice"),
        (fields.references, "a; b", "no spaces"),
        (fields.name, "   ", "blank"),
        (fields.name, "x" * 121, "at most 120"),
        (fields.name, "a\x1b[31mb", "do not print"),
        (fields.day, "2026-2-1", "not a date"),
        (fields.day, "2026-02-30", "not a date"),
        (fields.day, "20260201", "not a date"),
        (fields.day, "２０２６-01-01", "not a date"),
        (fields.birth_year, "85", "not a year"),
        (fields.birth_year, "1849", "not a year"),
        (fields.currency, "RMB", "Unknown currency"),
        (fields.currency, "cny", "Unknown currency"),
        (fields.amount, "1,000", "not an amount"),
        (fields.amount, "-5", "not an amount"),
        (fields.amount, "1e3", "not an amount"),
        (fields.amount, "¥5", "not an amount"),
        (fields.amount, " 5", "not an amount"),
        (fields.amount, "5.", "not an amount"),
        (fields.amount, "1.2345", "not an amount"),
        (fields.amount, "٣", "not an amount"),
        (fields.amount, "9" * 16, "not an amount"),
        (fields.amount, "0.00", "zero"),
        (fields.template, "../x", "not a template"),
    ],
)
def test_cells_that_are_refused_say_why(check, cell: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadCell) as caught:
        check(cell)
    assert reason in caught.value.reason
    assert caught.value.remedy


def test_values_are_shown_short_and_printable() -> None:
    assert shown("x" * 99) == "'" + "x" * 39 + "…'"
    assert shown("\x1b[31m\u202e李") == r"'\x1b[31m\u202e李'"
    fault = Fault(7, "amount", "12.345", "CNY has 2 decimals.", "Correct the amount.")
    assert str(fault) == (
        "line 7, column amount: '12.345': CNY has 2 decimals. Correct the amount."
    )


def test_faults_beyond_those_shown_are_counted() -> None:
    report = Report("x", faults=[Fault(n, "", "", "no", "") for n in range(1, 6)])
    assert list(report.fault_lines(2))[-1] == "… and 3 more"
    assert len(list(report.fault_lines(5))) == 5
    out = io.StringIO()
    report.write_faults(out)
    assert len(out.getvalue().splitlines()) == 6


def test_many_public_ids_look_like_single_ones_and_differ() -> None:
    ids = new_public_ids("mem", 2_000)
    pattern = re.compile(r"mem_[0-9abcdefghjkmnpqrstvwxyz]{16}")
    assert all(pattern.fullmatch(public_id) for public_id in [*ids, new_public_id("mem")])
    assert len(set(ids)) == 2_000
    assert ids == sorted(ids)
    # All letters of the alphabet come up.
    assert len(set("".join(ids)) - set("_")) >= 32


@pytest.mark.parametrize("kind", ["communities", "people", "ties", "savings"])
def test_the_page_shows_the_columns_that_there_are(kind: str) -> None:
    module = importlib.import_module(f"community.importing.{kind}")
    page = (Path(__file__).parents[3] / "docs" / "import.md").read_text(encoding="utf-8")
    part = page.split(f"\n### {kind}\n")[1].split("\n## ")[0].split("\n### ")[0]
    names = [column.name for column in module.COLUMNS]
    assert re.findall(r"^\| ([a-z_]+) \|", part, re.MULTILINE) == names
    example = part.split("```csv\n")[1].split("```")[0]
    report = Report(kind)
    assert list(read_values(io.BytesIO(example.encode()), module.COLUMNS, report))
    assert not report.faults
