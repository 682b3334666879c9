"""Draws the figures of docs/algorithms.md with the real functions: `python tools/figures.py`.

Each figure is a small case with its answer. A test draws them anew, compares them with the files,
and holds the numbers.
"""

import json
import sys
from collections.abc import Hashable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from community.communities.charter import read_rules  # noqa: E402
from community.scoring.model import fit_card, score_rows  # noqa: E402
from community.vouching.evidence import belief  # noqa: E402
from graph.arrays import from_edges  # noqa: E402
from graph.calls import Line, outward_calls, plan_calls  # noqa: E402
from graph.contagion import debt_rank  # noqa: E402
from graph.limits import Promise, cover_limit, reserve_cover  # noqa: E402
from graph.propagation import sybilrank  # noqa: E402
from graph.structure import strong_components  # noqa: E402

FOLDER = ROOT / "docs" / "figures"
WIDTH, ROW = 480, 30

Bars = Sequence[tuple[str, float, str]]

STANDINGS: dict[Hashable, int] = {"Ana": 100, "Cai": 50, "Ben": 5}
PROMISES = (Promise(1, "Ana", "Ben", 130), Promise(2, "Cai", "Ana", 80))


def limit() -> Bars:
    """What Ben's circle stands for."""
    found = cover_limit("Ben", STANDINGS, PROMISES)
    rows = [
        ("Ben's own stake", found.own),
        ("Ana, who vouches for Ben", found.direct),
        ("Cai, through Ana", found.second),
        ("the limit", found.value),
    ]
    return [(label, float(value), str(value)) for label, value in rows]


def cover() -> Bars:
    """On whom a loan of 120 rests."""
    rows = reserve_cover("Ben", STANDINGS, PROMISES, 120)
    return [
        (f"{row.standing_of}, {len(row.promises)} vouches away", float(row.amount), str(row.amount))
        for row in rows
    ]


def calls() -> Bars:
    """Who is asked for 55 of it when Ben does not pay, and who when Ana does not."""
    lines = [
        Line(1, "Ben", (), 10),
        Line(2, "Ana", ("v",), 60),
        Line(3, "Cai", ("x", "v"), 30, "Ana"),
    ]
    plan = plan_calls(lines, 55)
    rows = [("set off from Ben's stake", sum(plan.set_off.values()))]
    rows += [(f"asked of {call.member}", call.amount) for call in plan.calls]
    further = outward_calls(lines, "Ana", plan.calls[0].amount)
    rows += [
        (f"if Ana pays nothing: asked of {call.member}", call.amount) for call in further.calls
    ]
    return [(label, float(value), str(value)) for label, value in rows]


def clusters() -> Bars:
    """Which of six are in a circle that comes back to itself."""
    ring = [
        ("a", "b", 5),
        ("b", "c", 5),
        ("c", "a", 5),
        ("c", "d", 5),
        ("d", "e", 5),
        ("f", "a", 5),
    ]
    groups = strong_components(from_edges(ring)).groups()
    return [(" ".join(map(str, group)), float(len(group)), str(len(group))) for group in groups]


def contagion() -> Bars:
    """What a loss of half does to those who stand behind."""
    owed = [[0, 4, 0], [0, 0, 3], [0, 0, 0]]
    losses = debt_rank(owed, [10, 8, 6], [0.5, 0, 0]).losses
    names = ("who was hit", "who is owed by them", "one further")
    return [(name, loss, f"{loss:.1%}") for name, loss in zip(names, losses.values(), strict=True)]


def gate() -> Bars:
    """How much trust reaches a village, and a crowd of invented members on one tie."""
    web = nx.disjoint_union(nx.complete_graph(6), nx.complete_graph(6))
    web.add_edge(5, 6)
    known = sybilrank(web, [0, 1], total=1000, steps=3).by_member()
    village = sum(known[place] for place in range(6)) / 6
    crowd = sum(known[place] for place in range(6, 12)) / 6
    return [
        ("the village, per tie", village, f"{village:.2f}"),
        ("the invented six, per tie", crowd, f"{crowd:.2f}"),
    ]


def voucher_record() -> Bars:
    """What is believed after few cases and after many."""
    path = ROOT / "community" / "communities" / "templates" / "village-cooperative.json"
    rules = read_rules(json.loads(path.read_text())["rules"])
    rows = []
    for good, bad in ((0, 0), (2, 0), (20, 0), (16, 4)):
        found = belief(good, bad, rules)
        share = found.mean_ppm / 1_000_000
        ends = f"{share:.1%} ({found.lower_ppm / 1e6:.0%} to {found.upper_ppm / 1e6:.0%})"
        rows.append((f"{good} paid, {bad} not", share, ends))
    return rows


def warning() -> Bars:
    """Said and seen by how late a loan is, on a made-up history of 4,000 loans."""
    dice = np.random.default_rng(7)
    late = dice.choice([0, 3, 8, 20], size=4_000, p=[0.7, 0.15, 0.1, 0.05])
    odds = {0: 0.03, 3: 0.1, 8: 0.25, 20: 0.6}
    bad = (dice.random(4_000) < np.array([odds[int(days)] for days in late])).astype(np.int64)
    rows = _rows_of(late)
    half = np.arange(4_000) % 2 == 0
    card = fit_card(rows[half], bad[half], rows[~half], bad[~half])
    said = score_rows(card, rows).probabilities
    return [
        (
            f"{days} days late",
            float(said[late == days].mean()),
            f"said {said[late == days].mean():.1%}, seen {bad[late == days].mean():.1%}",
        )
        for days in (0, 3, 8, 20)
    ]


def _rows_of(late: Any) -> Any:
    from community.scoring.features import CODES

    rows = np.zeros((late.size, len(CODES)), np.int64)
    rows[:, CODES.index("days_late")] = late
    return rows


FIGURES = {
    "limit": limit,
    "cover": cover,
    "calls": calls,
    "clusters": clusters,
    "contagion": contagion,
    "gate": gate,
    "voucher-record": voucher_record,
    "warning": warning,
}


def drawn(title: str, rows: Bars) -> str:
    """Bars with their numbers, as SVG."""
    longest = max(value for _, value, _ in rows) or 1.0
    height = 34 + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value, said) in enumerate(rows):
        top = 32 + ROW * number
        parts.append(
            f'<rect x="8" y="{top + 15}" width="{300 * value / longest:.1f}" height="9" '
            f'fill="#2f6f4f"/><text x="8" y="{top + 11}">{escape(label)}</text>'
            f'<text x="{WIDTH - 8}" y="{top + 23}" text-anchor="end">{escape(said)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def texts() -> dict[str, str]:
    """All figures, by name."""
    return {
        name: drawn((figure.__doc__ or "").rstrip("."), figure())
        for name, figure in FIGURES.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / f"{name}.svg").write_text(text)
