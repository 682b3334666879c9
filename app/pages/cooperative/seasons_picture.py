"""The season calendar as a picture: for each crop when it is sown, grows, is harvested and sold.

A row is a crop: its name, and below it a band of four pieces along twelve months, each with its own
pattern of height and its word, so that nothing is said by colour alone. A line stands on today.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from app.pages.charts import Picture, titled
from app.pages.layout import date_text
from app.pages.words import Words
from community.communities.models import Community
from community.products.models import Season

WIDTH = 420
LEFT, RIGHT = 6, 6
TOP = 30
ROW = 46
BAND = 18
_NAME_CHARACTERS = 30
# Below so many pixels a word has no room in its piece.
_WORD_PX = {"zh-CN": 14, "en": 30}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a crop's year."""

    kind: str
    from_on: date
    until_on: date


def add_months(day: date, months: int) -> date:
    """The first day of the month that lies so many months from a day's."""
    place = day.year * 12 + day.month - 1 + months
    return date(place // 12, place % 12 + 1, 1)


def pieces_of(season: Season) -> tuple[Piece, ...]:
    """Sowing, growing, harvest and selling, each to the day before the next."""
    one = timedelta(days=1)
    sells = [date.fromisoformat(str(window["due_on"])) for window in season.selling]
    harvested = season.harvest_until or max(season.harvest_from, season.sell_from - one)
    found = [
        Piece("sow", season.sow_from, season.sow_until),
        Piece("grow", season.sow_until + one, season.harvest_from - one),
        Piece("harvest", season.harvest_from, harvested),
        Piece("sell", season.sell_from, max([season.sell_from, *sells])),
    ]
    return tuple(piece for piece in found if piece.from_on <= piece.until_on)


def season_picture(
    words: Words,
    rows: Sequence[tuple[Season, Community]],
    *,
    from_on: date,
    months: int,
    today: date,
    csv_url: str,
) -> Picture:
    """The picture with its table: every date in words."""
    until_on = add_months(from_on, months) - timedelta(days=1)
    days = (until_on - from_on).days + 1
    wide = WIDTH - LEFT - RIGHT

    def x_of(day: date) -> float:
        return round(LEFT + wide * min(max((day - from_on).days, 0), days) / days, 1)

    height = TOP + ROW * len(rows) + 6
    parts = _grid(words, from_on, months, height, x_of)
    for number, (season, _) in enumerate(rows):
        parts += _row(words, season, TOP + ROW * number, from_on, until_on, x_of)
    if from_on <= today <= until_on:
        x = x_of(today)
        line = Markup('<line class="today" x1="{0}" y1="16" x2="{0}" y2="{1}"/>')
        parts.append(line.format(x, height))
        parts.append(
            Markup('<text class="today" x="{}" y="12" text-anchor="{}">{}</text>').format(
                x, _anchor(x), words("today")
            )
        )
    svg = Markup('<svg width="{}" height="{}">{}</svg>').format(
        WIDTH, height, Markup("").join(parts)
    )
    cells = [_cells(words, season, place) for season, place in rows]
    return Picture(
        svg=titled(svg, words("season_calendar"), words("season_calendar_text"), "seasons"),
        title=words("season_calendar"),
        columns=(
            (words("crop"), ""),
            (words("where"), ""),
            (words("sowing"), ""),
            (words("harvest_from"), ""),
            (words("selling"), ""),
        ),
        rows=tuple(cells),
        caption=words("season_calendar_help"),
        csv_url=csv_url,
        sheet_rows=tuple(_plain(season, place) for season, place in rows),
    )


def _grid(
    words: Words, from_on: date, months: int, height: int, x_of: Callable[[date], float]
) -> list[Markup]:
    parts = []
    for number in range(months):
        first = add_months(from_on, number)
        x = x_of(first)
        parts.append(
            Markup('<line class="month" x1="{0}" y1="16" x2="{0}" y2="{1}"/>').format(x, height)
        )
        middle = round((x + x_of(add_months(from_on, number + 1))) / 2, 1)
        parts.append(
            Markup('<text class="month" x="{}" y="26" text-anchor="middle">{}</text>').format(
                middle, month_text(words, first)
            )
        )
    return parts


def _row(
    words: Words,
    season: Season,
    y: int,
    from_on: date,
    until_on: date,
    x_of: Callable[[date], float],
) -> list[Markup]:
    name = f"{season.crop} {season.year_label}".strip()
    short = name if len(name) <= _NAME_CHARACTERS else name[: _NAME_CHARACTERS - 1] + "…"
    parts = [Markup('<text class="crop" x="{}" y="{}">{}</text>').format(LEFT, y + 17, short)]
    for piece in pieces_of(season):
        if piece.until_on < from_on or piece.from_on > until_on:
            continue
        left = x_of(piece.from_on)
        width = max(2.0, round(x_of(piece.until_on + timedelta(days=1)) - left, 1))
        word = words.of("piece", piece.kind)
        said = f"{word} {_span(words, piece)}"
        parts.append(
            Markup(
                '<g class="{}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}"/>'
            ).format(piece.kind, said, left, y + 22, width, BAND)
        )
        if width >= _WORD_PX[words.language]:
            parts.append(
                Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    round(left + width / 2, 1), y + 35, words.of("piece_short", piece.kind)
                )
            )
        parts.append(Markup("</g>"))
    for window in season.selling:
        due_on = date.fromisoformat(str(window["due_on"]))
        if from_on <= due_on <= until_on:
            x = x_of(due_on)
            parts.append(
                Markup('<path class="due" d="M{} {} l4 6 l-4 6 l-4 -6 z"/>').format(x, y + 25)
            )
    return parts


def _cells(words: Words, season: Season, place: Community) -> tuple[str, ...]:
    here = words.language
    return (
        f"{season.crop} {season.year_label}".strip(),
        place.name,
        _span(words, Piece("sow", season.sow_from, season.sow_until)),
        date_text(here, season.harvest_from),
        words("comma").join(
            f"{date_text(here, date.fromisoformat(str(window['due_on'])))} ({window['weight']})"
            for window in season.selling
        ),
    )


def _plain(season: Season, place: Community) -> tuple[str, ...]:
    return (
        f"{season.crop} {season.year_label}".strip(),
        place.name,
        f"{season.sow_from}/{season.sow_until}",
        season.harvest_from.isoformat(),
        " ".join(f"{window['due_on']}:{window['weight']}" for window in season.selling),
    )


def _span(words: Words, piece: Piece) -> str:
    here = words.language
    return f"{date_text(here, piece.from_on)} – {date_text(here, piece.until_on)}"


def month_text(words: Words, first: date) -> str:
    """'4月' or 'Apr'."""
    return words.of("month", first.month)


def _anchor(x: float) -> str:
    if x < LEFT + 40:
        return "start"
    return "end" if x > WIDTH - RIGHT - 40 else "middle"
