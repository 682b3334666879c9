"""The figures of docs/algorithms.md are what the functions answer; their numbers hold."""

import re
from math import log

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
        # Ben's 10 by the room that is left, 30 and 60: 60 + 3; then all that is not Ben's.
        ("exposure", [0, 63, 90]),
        # Severally 20 + 50, jointly 20 + 60, of what was set aside 20 + 40.
        ("web", [30, 20, 40]),
        ("clearing", [6, 7]),
        ("clusters", [3, 1, 1, 1]),
        ("nested", [1, 8]),
        # ab, abc, abcd.
        ("chains", [1, 1, 1]),
        ("weak-points", [3, 2]),
        ("neighbourhoods", [3, 3]),
        # (50 + 70) of 100, 20 of 80.
        ("burdens", [1.2, 0.25]),
        ("contagion", [0.5, 0.25, 0.125]),
        # In fractions, by hand: the village 24779/810, the invented six 5/3.
        ("gate", [24_779 / 810, 5 / 3]),
        ("acceptance", [5, 0]),
        # s = 1/2 + c/2 (c trusts nobody), a = 3s/8, b = s/8 + a/2, c = b/2.
        ("handed-on", [32 / 59, 12 / 59, 10 / 59, 5 / 59, 0]),
        ("between", [1, 4, 5]),
        ("pairs", [5, 2, 2 / 3, 2 / log(2)]),
        # g = (2f - h)/3 with f = (1 + g)/2 and h = (1 - g)/2.
        ("ratings", [2 / 3, 1 / 3, 2 / 3, 1 / 3]),
        # The prior is 4 good of 5: 4/5, 6/7, 24/25, 20/25.
        ("voucher-record", [4 / 5, 6 / 7, 24 / 25, 20 / 25]),
        ("told-apart", [1, 3.5 / 4, 1 / 2]),
        ("review", [18_000, 20_000, 20_000, 21_000, 90_000, 20_000, 16_000]),
        ("netting", [19, 7]),
        ("groups", [12, 10, 22]),
        # 4R - 1.5 · 2.8, and 0.72 + 0.30 or 0.45 + 0.48.
        ("pairing", [4.82, 4.73]),
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
