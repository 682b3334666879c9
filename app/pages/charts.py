"""Charts as SVG, drawn on the server: bars, lines, histograms, each with its numbers beside it.

    chart = bars(title, [("Rice", 1200), ("Maize", 800)], columns=(t("crop"), t("owed")))
    {{ picture(view.chart) }}            in the template, from common/parts.html

The library writes neither styles nor scripts into the picture; how it looks is in pages.css.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from math import ceil
from unicodedata import east_asian_width

import leather
from flask import Response, g
from leather import theme
from markupsafe import Markup

from app.sheets import sheet

WIDTH, HEIGHT = 420, 240
# How many Latin letters a name beside a bar may be long.
_ROOM = 18

theme.tick_font_size = 12
theme.tick_font_char_height = 12
theme.tick_font_char_width = 8
theme.margin = 0.04


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with its numbers: what `picture` of common/parts.html shows."""

    svg: Markup
    title: str
    # Pairs of a column's head and its kind: '' for text, 'n' for numbers.
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    csv_url: str = ""
    can_zoom: bool = False
    # The rows of the CSV, with plain figures; without them it has those of the table.
    sheet_rows: tuple[tuple[str, ...], ...] = ()

    def with_csv(self, url: str) -> "Picture":
        """The same with the address of its CSV."""
        return replace(self, csv_url=url)


def bars(
    title: str,
    values: Sequence[tuple[str, float]],
    *,
    columns: tuple[str, str],
    text: Callable[[float], str] = str,
    caption: str = "",
) -> Picture:
    """Lying bars, one for each name; `text` writes a value in the table and in the description."""
    chart = leather.Chart()
    # The library begins above.
    names = [_apart(name, place) for place, (name, _) in enumerate(values)]
    shown = [value for _, value in values]
    height = max(120, 34 * len(values) + 60)
    if values:
        chart.add_bars(list(zip(shown, names, strict=True)))
        chart.add_x_scale(min(0, *shown, 0), max(*shown, 1))
    return _picture(chart, title, values, columns, text, caption, height)


def columns_(
    title: str,
    values: Sequence[tuple[str, float]],
    *,
    columns: tuple[str, str],
    text: Callable[[float], str] = str,
    caption: str = "",
) -> Picture:
    """Standing columns, as of a histogram whose classes have names: '0-30', '31-60'."""
    chart = leather.Chart()
    if values:
        chart.add_columns([(_apart(name, place), value) for place, (name, value) in _many(values)])
        chart.add_y_scale(min(0, *(value for _, value in values), 0), _most(values))
    return _picture(chart, title, values, columns, text, caption, HEIGHT)


def line(
    title: str,
    values: Sequence[tuple[str, float]],
    *,
    columns: tuple[str, str],
    text: Callable[[float], str] = str,
    caption: str = "",
) -> Picture:
    """A line through values in their order; the names of the first, the middle, the last show."""
    chart = leather.Chart()
    if values:
        chart.add_line([(place, value) for place, (_, value) in enumerate(values)])
        chart.add_y_scale(min(0, *(value for _, value in values), 0), _most(values))
        last = len(values) - 1
        chart.add_x_scale(0, max(1, last))
        chart.add_x_axis(
            ticks=sorted({0, last // 2, last}),
            tick_formatter=lambda value, *_: values[min(last, int(value))][0],
        )
    return _picture(chart, title, values, columns, text, caption, HEIGHT)


def histogram(
    title: str,
    samples: Sequence[float],
    edges: Sequence[float],
    *,
    columns: tuple[str, str],
    edge_text: Callable[[float], str] = str,
    caption: str = "",
) -> Picture:
    """How many samples lie between each two edges, the last edge included."""
    counted = []
    for place, (low, high) in enumerate(pairwise(edges)):
        is_last = place == len(edges) - 2
        many = sum(low <= item < high or (is_last and item == high) for item in samples)
        counted.append((f"{edge_text(low)}–{edge_text(high)}", float(many)))
    return columns_(title, counted, columns=columns, text=lambda n: f"{n:.0f}", caption=caption)


def csv_answer(picture: Picture, name: str) -> Response:
    """The numbers of a picture as a CSV file, for the route that `csv_url` names."""
    return sheet(
        name, [column for column, _ in picture.columns], picture.sheet_rows or picture.rows
    )


def titled(svg: str, title: str, description: str, kind: str, *, role: str = "img") -> Markup:
    """An SVG's text, named for those who do not see it, and free to grow and shrink."""
    number = _next_number()
    found = re.match(r'<svg width="([0-9.]+)" height="([0-9.]+)"[^>]*>', svg)
    if found is None:
        raise ValueError("this is no SVG of a known size")
    head = Markup(
        '<svg class="{}" viewBox="0 0 {} {}" role="{}" aria-labelledby="p{}t p{}d">'
        '<title id="p{}t">{}</title><desc id="p{}d">{}</desc>'
    ).format(kind, found[1], found[2], role, number, number, number, title, number, description)
    # The library escapes what it is given: names come out of it as text.
    return head + Markup(svg[found.end() :])  # noqa: S704


def _picture(
    chart: "leather.Chart",
    title: str,
    values: Sequence[tuple[str, float]],
    columns: tuple[str, str],
    text: Callable[[float], str],
    caption: str,
    height: int,
) -> Picture:
    rows = tuple((name, text(value)) for name, value in values)
    description = " · ".join(f"{name} {value}" for name, value in rows[:12])
    # Of nothing but zeros only the axes would be seen: the page says so in words.
    if not any(value for _, value in values):
        svg = Markup("")
    else:
        svg = titled(chart.to_svg(width=WIDTH, height=height), title, description, "chart")
    return Picture(
        svg,
        title,
        ((columns[0], ""), (columns[1], "n")),
        rows,
        caption,
        sheet_rows=tuple((name, f"{value:g}") for name, value in values),
    )


def _apart(name: str, place: int) -> str:
    """A name as far as there is room; two of one name stay two.

    The library leaves room by the number of characters; a Chinese one takes half as much again.
    """
    short = name
    while _room(short) > _ROOM:
        short = f"{short.removesuffix('…')[:-1]}…"
    return short + "\N{ZERO WIDTH SPACE}" * (place + _room(short) - len(short))


def _room(name: str) -> int:
    wide = sum(east_asian_width(character) in "WF" for character in name)
    return len(name) + ceil(wide / 2)


def _many(values: Sequence[tuple[str, float]]) -> Sequence[tuple[int, tuple[str, float]]]:
    return list(enumerate(values))


def _most(values: Sequence[tuple[str, float]]) -> float:
    return max(1, *(value for _, value in values))


def _next_number() -> int:
    if "picture_numbers" not in g:
        g.picture_numbers = count(1)
    return int(next(g.picture_numbers))
