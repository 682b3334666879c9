"""A circle keeps its name from run to run while it keeps most of its members. Pure.

A name goes to the circle that holds more than half of the members it had; there is at most one
such. Where two names fall on one circle (two circles have grown together), the larger overlap
wins, then the older name; the other name ends. Names are never given again.
"""

from collections.abc import Mapping, Sequence


def match_names(
    before: Mapping[int, Sequence[int]], after: Sequence[Sequence[int]]
) -> list[int | None]:
    """The name that each circle of `after` keeps (None: it is new).

    `before` has the members of each name at the last run, older names having smaller numbers.
    """
    at: dict[int, list[int]] = {}
    for place, members in enumerate(after):
        for member in set(members):
            at.setdefault(member, []).append(place)
    claims: list[tuple[int, int, int]] = []
    for name, members in before.items():
        had = set(members)
        shared: dict[int, int] = {}
        for member in had:
            for place in at.get(member, ()):
                shared[place] = shared.get(place, 0) + 1
        claims += [(-n, name, place) for place, n in shared.items() if 2 * n > len(had)]
    kept: list[int | None] = [None] * len(after)
    given: set[int] = set()
    for _, name, place in sorted(claims):
        if kept[place] is None and name not in given:
            kept[place] = name
            given.add(name)
    return kept
