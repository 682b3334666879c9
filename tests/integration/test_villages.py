"""Villages from their files to repaid and failed loans, by the command itself.

A made-up survey of two villages always runs, on both databases. If the folder of real villages
(setting DATA_DIR) is there, its smallest village runs too; a test of its own says on the terminal
which folder was read, or that there is none.
"""

import csv
import gzip
import io
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from app import create_app
from app.villages import independent
from app.villages.files import PEOPLE, TIES, find_file
from config.settings import Settings
from tests.servers import fresh_database

DATA_DIR = Settings.load().data_dir
KINDS = [
    "borrowmoney",
    "receivemoney",
    "keroricego",
    "keroricecome",
    "helpdecision",
    "receiveadvice",
    "visitgo",
    "visitcome",
]


def smallest_village(folder: Path) -> str | None:
    """The village with the fewest people in a folder; None if the folder has no survey."""
    people, ties = find_file(folder, PEOPLE), find_file(folder, TIES)
    if people is None or ties is None:
        return None
    content = people.read_bytes()
    if people.suffix == ".gz":
        content = gzip.decompress(content)
    rows = csv.DictReader(io.StringIO(content.decode()))
    sizes = Counter(row["village"] for row in rows)
    return min(sizes, key=lambda village: (sizes[village], village))


REAL = smallest_village(DATA_DIR)


def make_survey(folder: Path, *, packed: bool = True, households: int = 24) -> Path:
    """Two made-up villages, "A1" and 901: couples with children who go to their neighbours."""
    draw = random.Random(20250106)
    people, ties, houses = [], [], []
    for village in ("A1", "901"):
        adults = []
        for house in range(1, households + 1):
            size = draw.randint(2, 6)
            for place in range(1, size + 1):
                age = draw.randint(20, 70) if place <= 2 else draw.choice([4, 11, 17, 25, ""])
                status = "Head of Household" if place == 1 and house % 3 else ""
                surveyed = "1" if status or place == 2 else ""
                person = f"{house:03}{place:02}"
                people.append(
                    [village, person, house, "", age, status, "secret", "secret", surveyed]
                )
                if place <= 2:
                    adults.append((house, person))
            if village == "901":
                roof = draw.choice(["thatch", "tile", "stone"])
                houses.append(
                    [village, house, 0, 0, "secret", roof, draw.randint(1, 6), 1, 1, "OWNED"]
                )
        for house, person in adults:
            for step in (1, 2, 3):
                other = draw.choice([p for h, p in adults if h == (house + step) % households + 1])
                for kind in draw.sample(KINDS, 2):
                    ties.append([village, person, person, other, kind])
                    if draw.random() < 0.2:
                        ties.append([village, other, person, other, kind])
                    if draw.random() < 0.1:
                        ties.append([village, other, other, person, kind])
                        ties.append([village, person, other, person, kind])
    ties.append(["A1", "00101", "00101", "99999", "borrowmoney"])
    columns = {
        "village_people": "village,person,household,gender,age,resp_status,religion,caste,surveyed",
        "village_ties": "village,respondent,asker,helper,kind",
        "village_households": "village,household,took_microfinance,leader,religion,roof,rooms,"
        "beds,electricity,ownership",
    }
    for (name, header), rows in zip(columns.items(), (people, ties, houses), strict=True):
        text = "\n".join([header, *(",".join(map(str, row)) for row in rows), ""])
        if packed:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


Run = Callable[..., Result]


@pytest.fixture
def run_villages(tmp_path: Path) -> Run:
    """`flask villages` with the given arguments, in a VAR_DIR of the test's own."""

    def run(*arguments: object) -> Result:
        settings = Settings.from_environ(
            {"VAR_DIR": str(tmp_path / "var"), "DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR"}
        )
        runner = create_app(settings, features=()).test_cli_runner()
        return runner.invoke(args=["villages", *map(str, arguments)])

    return run


@pytest.fixture
def empty_postgresql(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        yield url


def figures(output: str) -> dict[str, str]:
    """The closing table: what stands right, by what stands left."""
    return dict(re.findall(r"^ +(\S.*?)  +(\S.*)$", output, re.MULTILINE))


def findings(output: str) -> str:
    """Everything that does not depend on the machine and its clock."""
    table = output[output.index("What there is") : output.index("Import\n")]
    limits = [line for line in output.splitlines() if "village/household" in line]
    return "\n".join([*limits, table])


@pytest.mark.slow
def test_made_up_villages_run_from_end_to_end_alike_on_both_databases(
    tmp_path: Path, run_villages: Run, empty_postgresql: str
) -> None:
    folder = make_survey(tmp_path)
    bounds = ("--loans-per-village", 15, "--groups-per-village", 2)
    first = run_villages("--data", folder, *bounds)
    assert first.exit_code == 0, first.output
    told = figures(first.output)
    assert told["villages"] == "2"
    assert told["households"] == told["borrowers of record"] == "48"
    assert int(told["live vouches, both sides said so"]) > 25
    assert int(told["open offers, one side said so"]) > 25
    assert int(told["of which in the interest community"]) > 0
    assert told["somebody who is not listed in the village"] == "1"
    assert int(told["active groups"]) > 0
    assert int(told["group loans"]) > 0
    assert told["closed"]
    assert int(told["called at some time"]) > 0
    assert told["paid by stake"]
    assert int(told["credit-limit-exceeded"]) > 0
    assert "40 of 40 limits agree with NetworkX." in first.output
    assert "The laws hold:" in first.output
    assert "secret" not in first.output
    second = run_villages("--data", folder, *bounds, "--database", empty_postgresql)
    assert second.exit_code == 0, second.output
    assert findings(second.output) == findings(first.output)


def test_without_households_and_unpacked_villages_run_too(
    tmp_path: Path, run_villages: Run
) -> None:
    folder = make_survey(tmp_path, packed=False)
    (folder / "village_households.csv").unlink()
    done = run_villages("--data", folder, "--village", "A1", "--loans-per-village", 5)
    assert done.exit_code == 0, done.output
    told = figures(done.output)
    assert told["villages"] == "1"
    assert told["of which in the interest community"] == "0"
    assert "The laws hold:" in done.output


def test_a_run_replaces_the_file_of_the_one_before_unless_it_is_kept(
    tmp_path: Path, run_villages: Run
) -> None:
    folder = make_survey(tmp_path, households=4)
    bounds = ("--loans-per-village", 0, "--groups-per-village", 0)
    for _ in range(2):
        assert run_villages("--data", folder, *bounds).exit_code == 0
    assert run_villages("--data", folder, *bounds, "--keep").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "var").glob("*.sqlite3"))
    assert names == ["villages-2.sqlite3", "villages.sqlite3"]
    full = f"sqlite:///{tmp_path / 'var' / 'villages.sqlite3'}"
    refused = run_villages("--data", folder, "--database", full)
    assert refused.exit_code == 1
    assert "give an empty one" in refused.output


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("people", "A1,00101,1,,", "A1,00101,1,,-", "line 2, column age"),
        ("people", "A1,00102,", "A1,00101,", "Line 2 has the same village and person"),
        ("people", "village,person", "village,name", "missing: person; unknown: name"),
        ("ties", ",borrowmoney\n", ",borrowmoney,again\n", "The row has 6 cells"),
        ("households", ",OWNED\n", "\n", "The row has 9 cells"),
    ],
)
def test_rows_that_cannot_be_read_are_named_and_nothing_is_written(
    tmp_path: Path, run_villages: Run, file: str, before: str, after: str, told: str
) -> None:
    folder = make_survey(tmp_path, packed=False)
    path = folder / f"village_{file}.csv"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    done = run_villages("--data", folder)
    assert done.exit_code == 1
    assert told in done.output
    assert f"village_{file}.csv cannot be read" in done.output
    assert not (tmp_path / "var" / "villages.sqlite3").exists()


def test_a_folder_without_villages_is_named(tmp_path: Path, run_villages: Run) -> None:
    done = run_villages("--data", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "no village_people" in done.output
    assert "nowhere" in done.output


def test_a_limit_that_disagrees_fails_the_run(
    tmp_path: Path, run_villages: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = independent.layered_network

    def wrong(borrower: int, standings: dict[int, int], vouches: dict[tuple[int, int], int]):  # type: ignore[no-untyped-def]
        return right(borrower, {**standings, borrower: standings.get(borrower, 0) + 1}, vouches)

    monkeypatch.setattr(independent, "layered_network", wrong)
    folder = make_survey(tmp_path, households=4)
    done = run_villages("--data", folder, "--loans-per-village", 0, "--groups-per-village", 0)
    assert done.exit_code == 1
    assert "DISAGREES" in done.output
    assert "The laws hold:" in done.output


def test_which_folder_of_real_villages_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        if REAL is None:
            print(
                f"\nReal villages were not run: DATA_DIR is {DATA_DIR}, and there is no "
                f"{PEOPLE} or no {TIES} in it. Only made-up ones were."
            )
        else:
            print(f"\nReal villages: village {REAL} of {DATA_DIR} was run.")
    assert (REAL is None) == any(find_file(DATA_DIR, name) is None for name in (PEOPLE, TIES))


@pytest.mark.parametrize("source", ["made-up", *([f"real village {REAL}"] if REAL else [])])
def test_one_village_runs_from_end_to_end(tmp_path: Path, run_villages: Run, source: str) -> None:
    made_up = source == "made-up"
    folder, village = (make_survey(tmp_path), "901") if made_up else (DATA_DIR, REAL)
    done = run_villages("--data", folder, "--village", village, "--loans-per-village", 10)
    assert done.exit_code == 0, done.output
    told = figures(done.output)
    assert told["villages"] == "1"
    assert int(told["people"]) > 0
    assert told["closed"]
    assert re.search(r"^([0-9]+) of \1 limits agree", done.output, re.MULTILINE)
    assert "The laws hold:" in done.output
