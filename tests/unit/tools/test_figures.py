"""The figures of docs/algorithms.md are what the functions answer; their numbers hold."""

import re

import pytest

from config.settings import ROOT
from tools import figures

PAGE = (ROOT / "docs" / "algorithms.md").read_text()


def test_the_files_are_what_is_drawn_now_and_the_page_shows_them_all() -> None:
    files = {path.stem: path.read_text() for path in figures.FOLDER.glob("*.svg")}
    assert files == figures.texts()
    assert re.findall(r"\(figures/([a-z-]+)\.svg\)", PAGE) == list(figures.FIGURES)
    assert max(map(len, files.values())) < 3_000


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("limit", [5, 100, 30, 135]),
        ("cover", [5, 100, 15]),
        ("calls", [10, 45, 30]),
        ("clusters", [3, 1, 1, 1]),
        ("contagion", [0.5, 0.25, 0.125]),
        # In fractions, by hand: the village 24779/810, the invented six 5/3.
        ("gate", [24_779 / 810, 5 / 3]),
        # The prior is 4 good of 5: 4/5, 6/7, 24/25, 20/25.
        ("voucher-record", [4 / 5, 6 / 7, 24 / 25, 20 / 25]),
    ],
)
def test_the_numbers_are_those_worked_by_hand(name: str, values: list[float]) -> None:
    drawn = [value for _, value, _ in figures.FIGURES[name]()]
    assert drawn == pytest.approx(values, abs=1e-4)


def test_a_warning_is_near_what_came_and_rises_with_lateness() -> None:
    rows = [
        [float(part) for part in re.findall(r"([0-9.]+)%", said)]
        for _, _, said in figures.warning()
    ]
    assert all(abs(said - seen) < 8 for said, seen in rows)
    assert rows == sorted(rows)
