"""Groups of five: against chance, against growing one group after the other, and the bound.

The villages of the real data are read where DATA names their folder (../shared/data otherwise) and
left out where it is not there. A member is a surveyed person; their room for another is the number
of reports that they gave of them, money left out, so that what is confirmed is what both said.
Growth is measured on seeded networks whose vouches are all returned; BENCH_MILLION=1 adds a million
members. Times are of the processor.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graph.arrays import ArrayNetwork, from_rows
from graph.groups import GroupRules, check_grouping, form_groups
from tests.bench.networks import village_network
from tests.bench.real.tables import read_table

SIZES = [1_000, 10_000, 100_000, *([1_000_000] if os.environ.get("BENCH_MILLION") == "1" else [])]
RULES = GroupRules(5, 5, per_household=1)
DEGREE, SEED, SHUFFLES, EFFORT_OF_GROWTH = 4, 3, 20, 50

Homes = Mapping[int, int]


def run() -> None:
    data = Path(os.environ.get("DATA", "../shared/data"))
    if (data / "village_ties.csv.gz").exists():
        real_villages(data)
    else:
        print(f"   villages left out: no village_ties.csv.gz in {data}")
    growth()


def real_villages(data: Path) -> None:
    """Trust inside groups of all villages together; medians of time."""
    warm_up()
    totals: Counter[str] = Counter()
    least, took = math.inf, []
    for network, homes in villages(data):
        started = time.process_time()
        found = form_groups(network, RULES, households=homes)
        took.append(time.process_time() - started)
        check_grouping(found, network, RULES, households=homes)
        ties = confirmed(network)
        ids = network.ids_of(range(network.n))
        chance = statistics.mean(by_chance(ids, ties, seed) for seed in range(SHUFFLES))
        totals.update(ours=found.trust, bound=found.bound, left=len(found.left_over))
        totals.update({"for sizes": found.because.get("size", 0)})
        totals.update(grown=grown(ids, ties, homes), villages=1, members=network.n, ties=len(ties))
        totals["chance, in twentieths"] += round(chance * SHUFFLES)
        least = min(least, found.trust / max(chance, 1e-9))
    chance = totals["chance, in twentieths"] / SHUFFLES
    print(
        f"   {totals['villages']} villages, {totals['members']:,} members, "
        f"{totals['ties']:,} confirmed ties; {totals['left']} left over, "
        f"{totals['for sizes']} of them as fives do not divide them"
    )
    print(
        f"   trust inside: ours {totals['ours']:,}, bound {totals['bound']:,} "
        f"(short of it by {1 - totals['ours'] / totals['bound']:.1%} at most), "
        f"grown {totals['grown']:,} ({totals['ours'] / totals['grown']:.2f}x), "
        f"chance {chance:,.1f} ({totals['ours'] / chance:.0f}x; no village below {least:.0f}x)"
    )
    print(f"   a village: p50 {statistics.median(took):.2f} s, slowest {max(took):.2f} s")


def growth() -> None:
    print("   members    ties     s   us a member   trust / bound")
    warm_up()
    points = []
    for n in SIZES:
        tails, heads, rooms, _ = village_network(n, DEGREE, SEED)
        back = np.random.default_rng(SEED).permutation(rooms)
        network = from_rows(
            np.concatenate([tails, heads]),
            np.concatenate([heads, tails]),
            np.concatenate([rooms, back]),
            ids=np.arange(n),
        )
        homes = {i: i // 3 for i in range(n)}
        started = time.process_time()
        found = form_groups(network, RULES, households=homes, effort=EFFORT_OF_GROWTH)
        seconds = time.process_time() - started
        points.append((n, seconds))
        print(
            f"   {n:9,} {network.m // 2:9,} {seconds:7.2f} {1e6 * seconds / n:9.1f}"
            f"   {found.trust / found.bound:.3f}"
        )
    # The smallest has more searches than the others, so it is left out of the exponent.
    larger = points[1:]
    slope = np.polyfit(*(np.log([p[k] for p in larger]) for k in (0, 1)), 1)[0]
    print(f"   time grows with members to the power of {slope:.2f} from {larger[0][0]:,} on")


def warm_up() -> None:
    """Compile before anything is clocked."""
    ring = from_rows([*range(20)], [*range(1, 20), 0])
    form_groups(ring, RULES, households={0: 1, 1: 1}, exact_up_to=0)


def villages(data: Path) -> list[tuple[ArrayNetwork, Homes]]:
    people = read_table(data, "village_people", ["village", "person", "household", "surveyed"])
    homes: dict[str, dict[int, int]] = {}
    columns = ("village", "person", "household", "surveyed")
    for village, person, home, surveyed in zip(*(people[c] for c in columns), strict=True):
        if surveyed == "1":
            homes.setdefault(village, {})[int(person)] = int(home)
    ties = read_table(data, "village_ties", ["village", "respondent", "asker", "helper", "kind"])
    rooms: dict[str, Counter[tuple[int, int]]] = {}
    columns = ("village", "respondent", "asker", "helper", "kind")
    for village, *named, kind in zip(*(ties[c] for c in columns), strict=True):
        who, asker, helper = map(int, named)
        other = helper if who == asker else asker
        members = homes.get(village, {})
        if "money" not in kind and who != other and who in members and other in members:
            rooms.setdefault(village, Counter())[who, other] += 1
    return [
        (
            from_rows(
                [pair[0] for pair in found],
                [pair[1] for pair in found],
                list(found.values()),
                ids=sorted(homes[village]),
            ),
            homes[village],
        )
        for village, found in rooms.items()
    ]


def confirmed(network: ArrayNetwork) -> dict[tuple[int, int], int]:
    ids = network.ids_of(range(network.n))
    rooms = {
        (ids[t], ids[h]): room
        for t, h, room in zip(
            network.tails.tolist(),
            network.out_head.tolist(),
            network.out_room.tolist(),
            strict=True,
        )
    }
    return {
        (i, j): min(room, rooms[j, i])
        for (i, j), room in rooms.items()
        if i < j and (j, i) in rooms
    }


def by_chance(ids: Sequence[int], ties: Mapping[tuple[int, int], int], seed: int) -> int:
    """Groups of five as they come, households not looked at."""
    dealt = random.Random(seed).sample(ids, len(ids))
    group = {member: place // 5 for place, member in enumerate(dealt)}
    full = len(ids) // 5
    return sum(w for (i, j), w in ties.items() if group[i] == group[j] < full)


def grown(ids: Sequence[int], ties: Mapping[tuple[int, int], int], homes: Homes) -> int:
    """One group after the other: who has most with those in it comes next."""
    near: dict[int, dict[int, int]] = {i: {} for i in ids}
    for (i, j), w in ties.items():
        near[i][j] = near[j][i] = w
    free, total = set(ids), 0
    for _ in range(len(ids) // 5):
        part: list[int] = []
        while len(part) < 5:
            taken = {homes[i] for i in part}
            fit = [i for i in sorted(free) if homes[i] not in taken]
            if not fit:
                break
            gains = {i: sum(near[i].get(j, 0) for j in part) for i in fit}
            best = max(fit, key=lambda i: (gains[i], sum(near[i].values()), -i))
            total += gains[best]
            part.append(best)
            free.discard(best)
    return total
