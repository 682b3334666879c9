"""Limits for at most two vouches, the value alone: one index of promises, many borrowers."""

from collections.abc import Hashable, Mapping

from graph.flow import UNLIMITED


def quick_value(
    borrower: Hashable,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    circle: int,
) -> int:
    """The limit for K <= 2 as a transport problem: standings -> direct vouchers -> borrower.

    `into` holds per borrower and voucher the room of all promises between them, if there is any.

    Examples
    --------
    >>> into = {"ben": {"ana": 130}, "ana": {"cai": 80}}
    >>> quick_value("ben", {"ana": 100, "cai": 50}, into, 2)
    130
    """
    total = table.get(borrower, 0)
    rooms = into.get(borrower)
    if circle == 0 or not rooms:
        return total
    # What each direct voucher's promises can still carry, and what each standing still holds.
    need: dict[Hashable, int] = {}
    left: dict[Hashable, int] = {}
    carried: dict[tuple[Hashable, Hashable], int] = {}
    serves: dict[Hashable, set[Hashable]] = {}
    for u, room in rooms.items():
        standing = table.get(u, 0)
        part = min(standing, room)
        total += part
        left[u] = standing - part
        if part:
            carried[u, u] = part
            serves[u] = {u}
        if room > part:
            need[u] = room - part
    if circle == 1:
        return total
    for u, wanted in need.items():
        missing = wanted
        for w, room in into.get(u, {}).items():
            if w == borrower:
                continue
            have = left.get(w)
            if have is None:
                have = table.get(w, 0)
            part = min(have, room, missing)
            if part:
                left[w] = have - part
                carried[w, u] = part
                serves.setdefault(w, set()).add(u)
                missing -= part
                if not missing:
                    break
        total += wanted - missing
        need[u] = missing
    for u, missing in need.items():
        while missing:
            part = _augment(u, missing, borrower, table, into, left, carried, serves)
            if not part:
                break
            missing -= part
            total += part
    return total


def _augment(
    needy: Hashable,
    missing: int,
    borrower: Hashable,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    left: dict[Hashable, int],
    carried: dict[tuple[Hashable, Hashable], int],
    serves: dict[Hashable, set[Hashable]],
) -> int:
    """Bring up to `missing` units to `needy` by letting suppliers change whom they serve."""
    came: dict[Hashable, tuple[Hashable, Hashable] | None] = {needy: None}
    suppliers: dict[Hashable, Hashable] = {}
    edge = [needy]
    while edge:
        beyond: list[Hashable] = []
        for u in edge:
            # A member's own standing serves their own promise without any other limit.
            options: dict[Hashable, int] = {u: UNLIMITED, **into.get(u, {})}
            for w, room in options.items():
                if w == borrower or w in suppliers or room <= carried.get((w, u), 0):
                    continue
                suppliers[w] = u
                if left.get(w, table.get(w, 0)):
                    return _shift(w, missing, table, into, left, carried, serves, came, suppliers)
                for v in serves.get(w, ()):
                    if v not in came:
                        came[v] = (w, u)
                        beyond.append(v)
        edge = beyond
    return 0


def _shift(
    giver: Hashable,
    missing: int,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    left: dict[Hashable, int],
    carried: dict[tuple[Hashable, Hashable], int],
    serves: dict[Hashable, set[Hashable]],
    came: Mapping[Hashable, tuple[Hashable, Hashable] | None],
    suppliers: Mapping[Hashable, Hashable],
) -> int:
    """Carry the exchange out along the chain that `_augment` found."""
    have = left.get(giver, table.get(giver, 0))
    adds = [(giver, suppliers[giver])]
    drops: list[tuple[Hashable, Hashable]] = []
    step = came[adds[0][1]]
    while step is not None:
        w, u = step
        drops.append((w, adds[-1][1]))
        adds.append((w, u))
        step = came[u]
    part = min(have, missing)
    for w, u in adds:
        if w != u:
            part = min(part, into[u][w] - carried.get((w, u), 0))
    for pair in drops:
        part = min(part, carried[pair])
    left[giver] = have - part
    for w, u in adds:
        carried[w, u] = carried.get((w, u), 0) + part
        serves.setdefault(w, set()).add(u)
    for w, u in drops:
        carried[w, u] -= part
        if not carried[w, u]:
            del carried[w, u]
            serves[w].discard(u)
    return part
