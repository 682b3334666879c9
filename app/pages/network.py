"""A network of people drawn on the server: who stands behind whom, as SVG with links.

The places come from NetworkX's spring layout with a fixed seed, so the same network looks the
same every time. Our script lets readers pan and zoom; without it the drawing is still whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import networkx
from markupsafe import Markup

from app.pages.charts import Picture, titled

WIDTH, HEIGHT, MARGIN = 800, 560, 34
_SEED = 7
_ROUNDS = 60
_LABELS_MAX = 60


@dataclass(frozen=True, slots=True)
class Dot:
    """Somebody, or a cluster, in the drawing. `level` 0 to 4 colours it; the text says it."""

    key: str
    label: str
    url: str = ""
    level: int = 0
    size: float = 1.0
    # What a reader hears, or sees over the dot; the label if empty.
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tie:
    """From whom to whom, and how strongly."""

    source: str
    target: str
    weight: float = 1.0


def network(
    title: str,
    dots: Sequence[Dot],
    ties: Sequence[Tie],
    *,
    columns: tuple[tuple[str, str], ...],
    rows: tuple[tuple[str, ...], ...],
    caption: str = "",
) -> Picture:
    """Draw it. `columns` and `rows` are the same facts as a table."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(sorted(dot.key for dot in dots))
    for tie in ties:
        graph.add_edge(tie.source, tie.target)
    places = _places(graph)
    sizes = {dot.key: 5 + 9 * math.sqrt(min(1.0, max(0.0, dot.size))) for dot in dots}
    most = max((tie.weight for tie in ties), default=1.0) or 1.0
    parts = [
        Markup(
            '<line x1="{:.0f}" y1="{:.0f}" x2="{:.0f}" y2="{:.0f}" stroke-width="{:.1f}"/>'
        ).format(*places[tie.source], *places[tie.target], max(0.8, 5 * tie.weight / most))
        for tie in ties
    ]
    for dot in dots:
        x, y = places[dot.key]
        shown = Markup('<circle cx="{:.0f}" cy="{:.0f}" r="{:.1f}"><title>{}</title></circle>')
        body = shown.format(x, y, sizes[dot.key], dot.text or dot.label)
        if len(dots) <= _LABELS_MAX:
            body += Markup('<text x="{:.0f}" y="{:.0f}">{}</text>').format(
                x, y + sizes[dot.key] + 12, dot.label
            )
        if dot.url:
            body = Markup('<a href="{}" aria-label="{}">{}</a>').format(
                dot.url, dot.text or dot.label, body
            )
        parts.append(Markup('<g class="level-{}">{}</g>').format(dot.level, body))
    svg = f'<svg width="{WIDTH}" height="{HEIGHT}">{Markup("").join(parts)}</svg>'
    has_links = any(dot.url for dot in dots)
    drawn = titled(svg, title, caption, "network", role="group" if has_links else "img")
    return Picture(drawn, title, columns, rows, caption, can_zoom=True)


def _places(graph: "networkx.DiGraph[str]") -> dict[str, tuple[float, float]]:
    if not graph:
        return {}
    raw = networkx.spring_layout(
        graph.to_undirected(), seed=_SEED, iterations=_ROUNDS, k=1.6 / math.sqrt(len(graph))
    )
    xs, ys = [spot[0] for spot in raw.values()], [spot[1] for spot in raw.values()]
    wide, high = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    return {
        key: (
            MARGIN + (spot[0] - min(xs)) / wide * (WIDTH - 2 * MARGIN),
            MARGIN + (spot[1] - min(ys)) / high * (HEIGHT - 2 * MARGIN - 12),
        )
        for key, spot in raw.items()
    }
