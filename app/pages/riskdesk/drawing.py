"""The risk map as a drawing: each circle a field, most costly first, with its members in it.

Fields stand in rows, in the order of their rank, so that nothing covers anything and the same
network looks the same every time; within a field members stand on a ring, as NetworkX lays it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx
from markupsafe import Markup

from app.pages.charts import titled

GAP, LABEL = 16, 40
# Room for a member on a ring, the smallest ring, room for a label.
_SPACE, _LEAST, _NARROWEST = 17, 26, 96


@dataclass(frozen=True, slots=True)
class Field:
    """A circle on the map, or the rest put together (no members, no address)."""

    key: int
    label: str
    level_text: str
    level: int
    text: str
    url: str = ""
    size: int = 1
    # Public names of its members with their places; none where the network is large.
    members: tuple[int, ...] = ()
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """Between which fields, and how strongly."""

    source: int
    target: int
    weight: int


def draw_map(
    title: str,
    description: str,
    fields: Sequence[Field],
    ties: Sequence[Tie],
    promises: Sequence[tuple[int, int]],
    people: Mapping[int, tuple[str, str]],
) -> Markup:
    """The drawing; `people` gives a member's name and address, `promises` go from one to one."""
    radius = {field.key: _radius(field) for field in fields}
    places, width, height = _shelves(fields, radius)
    most = max((tie.weight for tie in ties), default=1) or 1
    path = Markup('<path d="M{:.0f} {:.0f}Q{:.0f} {:.0f} {:.0f} {:.0f}" stroke-width="{:.1f}"/>')
    parts = [
        path.format(
            *_bow(places[tie.source], radius[tie.source], places[tie.target], radius[tie.target]),
            max(1.0, 7 * tie.weight / most),
        )
        for tie in ties
        if tie.source != tie.target
    ]
    for field in fields:
        parts.append(_field(field, places[field.key], radius[field.key], promises, people))
    svg = f'<svg width="{width:.0f}" height="{height:.0f}">{Markup("").join(parts)}</svg>'
    return titled(
        svg,
        title,
        description,
        "network riskmap few" if width < 600 else "network riskmap",
        role="group",
    )


def _radius(field: Field) -> float:
    if field.is_rest:
        return 36.0
    if field.members:
        return max(_LEAST, len(field.members) * _SPACE / 6.3) + 12
    return min(40.0, 14 + 4 * field.size**0.5)


def _shelves(
    fields: Sequence[Field], radius: Mapping[int, float]
) -> tuple[dict[int, tuple[float, float]], float, float]:
    """Rows of fields on a canvas that is as wide as a phone likes for few, wider for many."""
    area = sum(
        (max(2 * radius[field.key], _NARROWEST) + GAP) * (2 * radius[field.key] + LABEL + GAP)
        for field in fields
    )
    spans = [max(2 * radius[field.key], _NARROWEST) + GAP for field in fields]
    width = max(480.0, min(900.0, (1.6 * area) ** 0.5), max(spans, default=0) + GAP)
    rows: list[list[int]] = [[]]
    used = 0.0
    for at, span in enumerate(spans):
        if rows[-1] and used + span > width:
            rows.append([])
            used = 0.0
        rows[-1].append(at)
        used += span
    places: dict[int, tuple[float, float]] = {}
    y = float(GAP)
    for row in rows:
        high = max((radius[fields[at].key] for at in row), default=0)
        free = (width - sum(spans[at] for at in row)) / (len(row) + 1)
        x = free
        for at in row:
            places[fields[at].key] = (x + spans[at] / 2, y + high)
            x += spans[at] + free
        y += 2 * high + LABEL + GAP
    return places, width, y


def _bow(
    start: tuple[float, float], from_edge: float, end: tuple[float, float], to_edge: float
) -> tuple[float, float, float, float, float, float]:
    """A slightly bent line from edge to edge, so that it runs beside what lies between."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    bend = (start[0] + dx / 2 - 0.22 * dy, start[1] + dy / 2 + 0.22 * dx)
    return (*_towards(start, bend, from_edge), *bend, *_towards(end, bend, to_edge))


def _towards(
    start: tuple[float, float], end: tuple[float, float], distance: float
) -> tuple[float, float]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    part = distance / (math.hypot(dx, dy) or 1.0)
    return start[0] + part * dx, start[1] + part * dy


def _field(
    field: Field,
    place: tuple[float, float],
    radius: float,
    promises: Sequence[tuple[int, int]],
    people: Mapping[int, tuple[str, str]],
) -> Markup:
    x, y = place
    kind = "blob rest" if field.is_rest else "blob"
    body = Markup(
        '<circle class="{}" cx="{:.0f}" cy="{:.0f}" r="{:.0f}"><title>{}</title></circle>'
    ).format(kind, x, y, radius, field.text)
    label = Markup(
        '<text class="name" x="{:.0f}" y="{:.0f}">{}</text><text x="{:.0f}" y="{:.0f}">{}</text>'
    ).format(x, y + radius + 17, field.label, x, y + radius + 33, field.level_text)
    if field.url:
        body = Markup('<a href="{}" aria-label="{}">{}{}</a>').format(
            field.url, field.text, body, label
        )
    else:
        body += label
    return Markup('<g class="level-{}">{}{}</g>').format(
        field.level, body, _members(field, place, radius - 12, promises, people)
    )


def _members(
    field: Field,
    place: tuple[float, float],
    radius: float,
    promises: Sequence[tuple[int, int]],
    people: Mapping[int, tuple[str, str]],
) -> Markup:
    if not field.members:
        return Markup("")
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(field.members)
    laid = networkx.circular_layout(graph, scale=radius, center=place)
    inside = {tuple(sorted(pair)) for pair in promises if pair[0] in graph and pair[1] in graph}
    parts = [
        Markup('<line x1="{:.0f}" y1="{:.0f}" x2="{:.0f}" y2="{:.0f}"/>').format(
            *laid[one], *laid[other]
        )
        for one, other in sorted(inside)
    ]
    for member in field.members:
        name, url = people[member]
        parts.append(
            Markup(
                '<a href="{}" aria-label="{}">'
                '<circle cx="{:.0f}" cy="{:.0f}" r="6"><title>{}</title></circle></a>'
            ).format(url, name, *laid[member], name)
        )
    return Markup("").join(parts)
