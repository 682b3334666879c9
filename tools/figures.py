"""Draws the figures of docs/algorithms.md with the real functions: `python tools/figures.py`.

Each figure is a small case with its answer. A test draws them anew, compares them with the files,
and holds the numbers.
"""

import json
import sys
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Any

import networkx as nx
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from community.campaigns.findings import Opinion, assess  # noqa: E402
from community.communities.charter import CharterRules, LiabilityMode, read_rules  # noqa: E402
from community.exposure.fallout import Backing, fallout  # noqa: E402
from community.guarantees.plan import HeldLine  # noqa: E402
from community.scoring.model import fit_card, score_rows  # noqa: E402
from community.vouching.evidence import belief  # noqa: E402
from graph.advogato import advogato  # noqa: E402
from graph.arrays import from_edges  # noqa: E402
from graph.assortative import assortative_matching  # noqa: E402
from graph.calls import Line, outward_calls, plan_calls, web_calls  # noqa: E402
from graph.clearing import clearing_vector  # noqa: E402
from graph.communities import find_communities  # noqa: E402
from graph.contagion import debt_rank  # noqa: E402
from graph.cycles import bounded_cycles  # noqa: E402
from graph.features import pair_features  # noqa: E402
from graph.groups import GroupRules, form_groups  # noqa: E402
from graph.indebtedness import contingent_ratios  # noqa: E402
from graph.limits import Promise, cover_limit, reserve_cover  # noqa: E402
from graph.nested import nested_circles  # noqa: E402
from graph.netting import net_debts  # noqa: E402
from graph.propagation import eigentrust, sybilrank  # noqa: E402
from graph.ratings import fairness_goodness  # noqa: E402
from graph.robustness import weak_points  # noqa: E402
from graph.scores import auc  # noqa: E402
from graph.structure import strong_components  # noqa: E402
from graph.trust import max_trust, two_hop_trust  # noqa: E402

FOLDER = ROOT / "docs" / "figures"
WIDTH, ROW, LINE, TITLE_WIDE = 480, 30, 18, 54

Bars = Sequence[tuple[str, float, str]]
Units = dict[Hashable, int]

STANDINGS: Units = {"Ana": 100, "Cai": 50, "Ben": 5}
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
    return _whole(rows)


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
    return _whole(rows)


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
    found = strong_components(from_edges(ring)).groups()
    return _whole((" ".join(map(str, group)), len(group)) for group in found)


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
    rules = _village_rules()
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


def exposure() -> Bars:
    """What falls on Ana, who holds 60 of a loan jointly with Cai, if others fail."""
    lines = [
        HeldLine(1, owner_id=1, direct_id=None, outer_id=None, held_minor=10),
        HeldLine(2, owner_id=2, direct_id=2, outer_id=None, held_minor=60),
        HeldLine(3, owner_id=3, direct_id=3, outer_id=None, held_minor=30),
    ]
    loan = Backing(1, LiabilityMode.JOINT_AND_SEVERAL, lines, {2: 30, 3: 60})
    cases: list[tuple[str, set[int]]] = [
        ("if nobody fails", set()),
        ("if Ben fails", {1}),
        ("if Ben and Cai fail", {1, 3}),
    ]
    return _whole((said, fallout(loan, 2, who.__contains__).total_minor) for said, who in cases)


def web() -> Bars:
    """What is lost of 100, pledged 60 each by Ana, who has 20, and Cai, who has 150."""
    pledges = [("Ana", "Ben", 60), ("Cai", "Ben", 60)]
    due: Units = {"Ana": 0, "Ben": 100, "Cai": 0}
    purses: Units = {"Ana": 20, "Ben": 0, "Cai": 150}
    beside: Units = {"Ana": 0, "Ben": 0, "Cai": 110}
    stakes: Units = {"Ana": 20, "Ben": 0, "Cai": 40}
    ways = (
        ("several", web_calls(due, purses, pledges, "several")),
        ("joint and several", web_calls(due, purses, pledges, "joint_and_several")),
        (
            "pledges alone, 20 and 40 set aside",
            web_calls(due, beside, pledges, "pledge_only", stakes=stakes),
        ),
    )
    return _whole((said, sum(found.loss.values())) for said, found in ways)


def clearing() -> Bars:
    """What is paid of 10 and of 8 when all is due, with 6 and 1 in the house."""
    found = clearing_vector([[0, 10, 0], [0, 0, 8], [0, 0, 0]], [6, 1, 0]).payments
    return [
        (f"{name} pays, of {due}", float(found[place]), f"{found[place]:g}")
        for place, (name, due) in enumerate((("Ana", 10), ("Ben", 8)))
    ]


def nested() -> Bars:
    """The amount from which on these stand behind one another."""
    village = from_edges(
        [("a", "b", 9), ("b", "c", 9), ("c", "a", 8), ("c", "d", 1), ("d", "a", 2)]
    )
    return _whole(
        (" ".join(map(str, village.ids_of(circle.places))), circle.amount)
        for circle in nested_circles(village)
    )


def chains() -> Bars:
    """Closed chains of vouches among a, b, c and d, by length."""
    edges = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "a")]
    found = bounded_cycles(from_edges([(*edge, 1) for edge in edges]), 5)
    return _whole((f"of {length} vouches", many) for length, many in found.by_length.items())


def weak() -> Bars:
    """Two threes on a chain: members and ties without which they fall apart."""
    left = [("a", "b", 1), ("b", "c", 1), ("c", "a", 1)]
    right = [("e", "f", 1), ("f", "g", 1), ("g", "e", 1)]
    found = weak_points(from_edges([*left, ("c", "d", 1), ("d", "e", 1), *right]))
    return _whole(
        (
            (f"members: {' '.join(map(str, found.members))}",
             len(found.members)),
            (f"ties: {', '.join('–'.join(map(str, tie)) for tie in found.bridges.ids())}",
             len(found.bridges.ids())),
        )
    )  # fmt: skip


def acceptance() -> Bars:
    """Whom s accepts: four known members, and of twenty inventions behind d none."""
    crowd = [f"x{number}" for number in range(20)]
    given = [("s", "a"), ("s", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("d", "x0")]
    given += [(one, other) for one in crowd for other in crowd if one != other]
    found = advogato(from_edges([(*tie, 1) for tie in given]), ["s"], [20, 8, 4, 2, 1])
    return _whole(
        (
            ("of s, a, b, c and d", len(found.accepted & set("sabcd"))),
            ("of twenty who certify one another", len(found.accepted & set(crowd))),
        )
    )


def between() -> Bars:
    """What l can lend b on promises alone."""
    village = from_edges(
        [("b", "x", 4), ("x", "l", 3), ("b", "l", 1), ("x", "y", 2), ("y", "l", 5)]
    )
    return _whole(
        (
            ("from hand to hand", village.room("b", "l")),
            ("over one contact in common", two_hop_trust(village, "b", "l")),
            ("over any chain", max_trust(village, "b", "l").value),
        )
    )


def handed_on() -> Bars:
    """Trust that s hands on, half of it kept back at each step."""
    ties = [
        ("s", "a", 3),
        ("s", "b", 1),
        ("a", "b", 1),
        ("b", "c", 1),
        ("x", "y", 1),
        ("y", "x", 1),
    ]
    found = eigentrust(from_edges(ties), ["s"], restart=0.5).by_member()
    return [(str(who), found[who], f"{found[who]:.1%}") for who in ("s", "a", "b", "c", "x")]


def ratings() -> Bars:
    """Fairness of three who rate: two say good of both they rate, one says bad."""
    said = [(who, of, 1.0) for who in ("Ana", "Cai") for of in ("c", "e")]
    found = fairness_goodness([*said, ("Ben", "c", -1.0), ("Ben", "e", -1.0)])
    rows = [(f"{who} is fair", found.fairness[who]) for who in ("Ana", "Ben", "Cai")]
    rows.append(("c and e are good", found.goodness["c"]))
    return [(said_, value, f"{value:.2f}") for said_, value in rows]


def pairs() -> Bars:
    """What the network says of s and t, who have no tie."""
    village = from_edges(
        [("s", "x", 4), ("x", "t", 3), ("s", "y", 2), ("y", "t", 5), ("s", "z", 1)]
    )
    found = pair_features(village, [("s", "t")])
    names = {
        "two_hop": "trust over one contact",
        "common": "contacts in common",
        "jaccard": "of all contacts of the two",
        "adamic_adar": "weighed by how few they know",
    }
    values = [(said, float(found.column(name)[0])) for name, said in names.items()]
    return [(said, value, f"{value:.2f}") for said, value in values]


def told_apart() -> Bars:
    """How often a score puts one that failed above one that did not."""
    failed = [0, 0, 1, 1]
    cases = (
        ("always", [0.1, 0.2, 0.3, 0.4]),
        ("three times of four, once even", [0.1, 0.4, 0.4, 0.8]),
        ("by chance: all alike", [0.5, 0.5, 0.5, 0.5]),
    )
    return [(said, auc(failed, scores), f"{auc(failed, scores):.3f}") for said, scores in cases]


def review() -> Bars:
    """Five neighbours on one household: what is said, and what is proposed."""
    figures = (18_000, 20_000, 20_000, 21_000, 90_000)
    answers = [Opinion(who, 1, True, value * 100) for who, value in enumerate(figures, 100)]
    homes = {one.reviewer: one.reviewer for one in answers}
    [outcome] = assess(answers, households=[1], homes=homes, rules=_village_rules()).outcomes
    rows = [(f"neighbour {place}", value) for place, value in enumerate(figures, 1)]
    rows += [
        ("the middle", (outcome.centre_minor or 0) // 100),
        ("proposed", outcome.proposed_minor // 100),
    ]
    return [(said, float(value), f"{value:,}") for said, value in rows]


def netting() -> Bars:
    """What a, b, c and d owe one another before and after, 4 going round three of them."""
    owed = from_edges([("a", "b", 5), ("b", "c", 4), ("c", "a", 9), ("c", "d", 1)])
    found = net_debts(owed)
    return _whole((("owed before", found.total), ("owed after", found.total - found.settled)))


def groups() -> Bars:
    """Six members in groups of three: the trust inside each, and what no way exceeds."""
    ties = [("a", "b", 5), ("b", "c", 4), ("a", "c", 3), ("c", "d", 9), ("d", "e", 2),
            ("e", "f", 6), ("d", "f", 2)]  # fmt: skip
    both = [*ties, *((to, of, room) for of, to, room in ties)]
    found = form_groups(from_edges(both), GroupRules(3, 3))
    rows = [(" ".join(map(str, group.members)), group.trust) for group in found.groups]
    return _whole([*rows, ("the bound", found.bound)])


def pairing() -> Bars:
    """What four expect together, the safe with the safe and the safe with the risky."""
    success: dict[Hashable, float] = {"a": 0.9, "b": 0.5, "c": 0.8, "d": 0.6}
    found = assortative_matching(success, 2.0, 1.0, 0.5)
    rows = (("safe with safe", found.best_total), ("safe with risky", found.worst_total))
    return [(said, value, f"{value:.2f}") for said, value in rows]


def neighbourhoods() -> Bars:
    """Two threes with one tie between them, found as two."""
    ties = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "e"), ("e", "f"), ("f", "d"), ("a", "d")]
    found = find_communities(from_edges([(*tie, 1) for tie in ties]))
    return _whole((" ".join(map(str, group)), len(group)) for group in found.groups)


def burdens() -> Bars:
    """Own debts and guarantees, as a share of what each can carry."""
    caps = from_edges([("a", "b", 40), ("a", "c", 30), ("b", "c", 20)])
    found = contingent_ratios(caps, {"a": 50}, {"a": 100, "b": 80}).burdens
    return [(str(who), float(one.ratio or 0), f"{float(one.ratio or 0):.0%}")
            for who, one in found.items()]  # fmt: skip


def _whole(rows: Iterable[tuple[str, int | Fraction]]) -> Bars:
    return [(label, float(value), str(value)) for label, value in rows]


def _village_rules() -> CharterRules:
    path = ROOT / "community" / "communities" / "templates" / "village-cooperative.json"
    return read_rules(json.loads(path.read_text())["rules"])


FIGURES = {
    "limit": limit,
    "cover": cover,
    "calls": calls,
    "exposure": exposure,
    "web": web,
    "clearing": clearing,
    "clusters": clusters,
    "nested": nested,
    "chains": chains,
    "weak-points": weak,
    "neighbourhoods": neighbourhoods,
    "burdens": burdens,
    "contagion": contagion,
    "gate": gate,
    "acceptance": acceptance,
    "handed-on": handed_on,
    "between": between,
    "pairs": pairs,
    "ratings": ratings,
    "voucher-record": voucher_record,
    "warning": warning,
    "told-apart": told_apart,
    "review": review,
    "netting": netting,
    "groups": groups,
    "pairing": pairing,
}


def drawn(title: str, rows: Bars) -> str:
    """Bars with their numbers, as SVG."""
    longest = max(value for _, value, _ in rows) or 1.0
    lines = wrap(title, TITLE_WIDE)
    head = 14 + LINE * len(lines)
    height = head + 2 + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *(
            f'<text x="8" y="{20 + LINE * at}" font-weight="bold">{escape(line)}</text>'
            for at, line in enumerate(lines)
        ),
    ]
    for number, (label, value, said) in enumerate(rows):
        top = head + ROW * number
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
