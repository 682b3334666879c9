"""Who visits whom: drawn from a seed, and the same whenever it is drawn again. Pure.

Everybody goes to one and is gone to by one, along one circle through all members: so nobody visits
their own, no two visit each other, and the work is spread evenly. Next to each other in the circle
stand members of different households, and nobody goes to whom they went the last time.
"""

import random
from collections.abc import Mapping

# A search that has looked at so many places is given up; groups of a hundred need a few hundred.
_TRIES_MAX = 20_000
_SMALLEST = 3


def draw(
    homes: Mapping[int, int | None], last: Mapping[int, int], seed: int
) -> dict[int, int] | None:
    """Visitor → visited; None: it is not possible.

    `homes` gives each member's household (None: of their own), `last` whom each visited last.
    """
    if len(homes) < _SMALLEST:
        return None
    dice = random.Random(seed)
    order = sorted(homes)
    dice.shuffle(order)
    # From the shuffled order, so that every choice below is the seed's.
    may = {
        one: [
            other
            for other in order
            if other != one
            and last.get(one) != other
            and (homes[one] is None or homes[one] != homes[other])
        ]
        for one in order
    }
    circle = _circle(order[0], may, len(order))
    if circle is None:
        return None
    return {one: circle[(at + 1) % len(circle)] for at, one in enumerate(circle)}


def _circle(start: int, may: Mapping[int, list[int]], size: int) -> list[int] | None:
    """A circle through all, by trying and going back; whoever has fewest ways on comes first."""
    path, used = [start], {start}
    ways = [_ways(start, may, used)]
    tries = 0
    while path:
        if len(path) == size and start in may[path[-1]]:
            return path
        if not ways[-1] or len(path) == size:
            ways.pop()
            used.discard(path.pop())
            continue
        tries += 1
        if tries > _TRIES_MAX:
            return None
        one = ways[-1].pop(0)
        path.append(one)
        used.add(one)
        ways.append(_ways(one, may, used))
    return None


def _ways(one: int, may: Mapping[int, list[int]], used: set[int]) -> list[int]:
    free = [other for other in may[one] if other not in used]
    return sorted(free, key=lambda other: sum(further not in used for further in may[other]))
