"""The small drawing of who stands behind a member, with how much.

Three columns on a narrow canvas: those two promises away, those who promised to the member, the
member. A line is the thicker, the more of the cover goes along it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.pages.charts import titled
from app.pages.layout import figure_text
from app.pages.words import Words
from community.credit.explain import PathView

WIDTH = 360
ROW = 54
TOP = 14
_FAR_X, _NEAR_X, _ME_X = 16, 146, 330
# Where nobody stands two promises away.
_ONLY_NEAR_X = 40
_THICKEST = 13
# Wide enough for every Chinese name; a longer one is whole in the drawing's title.
_NAME_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Spot:
    """Somebody on the canvas."""

    x: int
    y: int
    name: str
    # What comes from their own standing along these paths.
    own_minor: int

    @property
    def label(self) -> str:
        """The name as far as there is room for it."""
        if len(self.name) <= _NAME_CHARACTERS:
            return self.name
        return self.name[: _NAME_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Line:
    """A promise that carries cover."""

    x1: int
    y1: int
    x2: int
    y2: int
    width: float
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that the template needs to draw."""

    height: int
    me: Spot
    people: tuple[Spot, ...]
    lines: tuple[Line, ...]


def draw(words: Words, name: str, paths: Sequence[PathView], currency: str) -> Markup:
    """The drawing as SVG."""
    laid = lay_out(name, paths)
    parts = [
        Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" stroke-width="{}"/>').format(
            line.x1, line.y1, line.x2, line.y2, line.width
        )
        for line in laid.lines
    ]
    text = Markup('<text class="{}" x="{}" y="{}">{}</text>')
    for spot in laid.people:
        parts.append(Markup('<circle cx="{}" cy="{}" r="7"/>').format(spot.x, spot.y))
        parts.append(text.format("name", spot.x - 7, spot.y - 12, spot.label))
        if spot.own_minor:
            own = figure_text(spot.own_minor, currency)
            parts.append(text.format("small", spot.x - 7, spot.y + 20, own))
    me = laid.me
    parts.append(Markup('<circle class="me" cx="{}" cy="{}" r="14"/>').format(me.x, me.y))
    parts.append(text.format("me", me.x + 24, me.y - 20, me.label))
    if me.own_minor:
        parts.append(text.format("small me", me.x + 24, me.y + 30, words("own")))
        own = figure_text(me.own_minor, currency)
        parts.append(text.format("small me", me.x + 24, me.y + 44, own))
    svg = f'<svg width="{WIDTH}" height="{laid.height}">{Markup("").join(parts)}</svg>'
    return titled(svg, words("behind_me"), words("behind_me_text"), "drawing")


def lay_out(name: str, paths: Sequence[PathView]) -> Drawing:
    """Lay out the paths of a limit; those of three promises are drawn by their last two."""
    near: dict[str, tuple[str, int]] = {}
    far: dict[str, dict[str, tuple[str, int]]] = {}
    own_minor = 0
    for path in paths:
        owner = path.standing_of
        if not path.vouches:
            own_minor += path.amount_minor
            continue
        direct = path.via[-1] if path.via else owner
        own = near.get(direct.public_id, (direct.name, 0))[1]
        if not path.via:
            near[direct.public_id] = direct.name, own + path.amount_minor
            continue
        near[direct.public_id] = direct.name, own
        behind = far.setdefault(direct.public_id, {})
        before = behind.get(owner.public_id, (owner.name, 0))[1]
        behind[owner.public_id] = owner.name, before + path.amount_minor
    totals = {
        key: own + sum(amount for _, amount in far.get(key, {}).values())
        for key, (_, own) in near.items()
    }
    rows = sum(max(1, len(far.get(key, ()))) for key in near)
    height = TOP + ROW * max(2, rows) + 10
    me = Spot(_ME_X, height // 2, name, own_minor)
    most = max(totals.values(), default=1)
    people: list[Spot] = []
    lines: list[Line] = []
    y = TOP + ROW // 2
    near_x = _NEAR_X if far else _ONLY_NEAR_X
    for key in sorted(near, key=lambda item: (-totals[item], near[item][0], item)):
        direct_name, own = near[key]
        behind = far.get(key, {})
        middle = y + ROW * (max(1, len(behind)) - 1) // 2
        people.append(Spot(near_x, middle, direct_name, own))
        lines.append(Line(near_x, middle, me.x, me.y, _width(totals[key], most), totals[key]))
        for far_name, amount in sorted(behind.values(), key=lambda item: (-item[1], item[0])):
            people.append(Spot(_FAR_X, y, far_name, amount))
            lines.append(Line(_FAR_X, y, near_x, middle, _width(amount, most), amount))
            y += ROW
        if not behind:
            y += ROW
    return Drawing(height, me, tuple(people), tuple(lines))


def _width(amount_minor: int, most_minor: int) -> float:
    return round(max(1.5, _THICKEST * amount_minor / max(1, most_minor)), 1)
