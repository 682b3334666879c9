"""Proof of a limit on cover, without the code that found it."""

from collections.abc import Hashable, Iterable, Mapping

from graph.errors import BadCertificate
from graph.promises import Amount, CoverLimit, Kind, Promise, by_length, standings_table


def check_certificate(
    limit: CoverLimit, standings: Mapping[Hashable, int], promises: Iterable[Promise]
) -> bool:
    """Prove a limit from its own paths and cut, without the code that found it.

    The paths are chains of real promises that end at the borrower, within K, within every room
    and standing, and sum to the limit; every possible path of at most K vouches costs at least 1
    in the prices of the cut; and the cut is worth exactly the limit. By weak duality no flow can
    then be larger.

    Parameters
    ----------
    limit : CoverLimit
    standings, promises
        What it was computed from, overlay included.

    Returns
    -------
    bool
        True; anything else raises.

    Raises
    ------
    BadCertificate
        Names what does not hold.

    Notes
    -----
    O(K m), or O(n m) for the whole graph.

    Examples
    --------
    >>> from graph.limits import cover_limit
    >>> promises = [Promise(1, "ana", "ben", 130)]
    >>> check_certificate(cover_limit("ben", {"ana": 100}, promises), {"ana": 100}, promises)
    True
    """
    table = standings_table(standings)
    by_id = {p.id: p for p in promises}
    _check_paths(limit, table, by_id)
    prices: dict[Kind, dict[Hashable, Amount]] = {"promise": {}, "standing": {}}
    worth: Amount = 0
    for item in limit.cut:
        if item.kind == "promise" and item.id in by_id:
            real_capacity = by_id[item.id].room
        elif item.kind == "standing":
            real_capacity = table.get(item.id, 0)
        else:
            raise BadCertificate(f"the cut names {item.id!r}, which is not there")
        if item.capacity != real_capacity or item.price < 0 or item.id in prices[item.kind]:
            raise BadCertificate(f"the cut has {item.kind} {item.id!r} wrong")
        prices[item.kind][item.id] = item.price
        worth += item.price * item.capacity
    if worth != limit.optimum:
        raise BadCertificate(f"the cut is worth {worth}, the limit is {limit.optimum}")
    cheapest = _cheapest_chains(limit, by_id.values(), prices["promise"])
    for member, price in cheapest.items():
        if prices["standing"].get(member, 0) + price < 1:
            raise BadCertificate(f"the standing of {member!r} gets past the cut")
    return True


def _check_paths(
    limit: CoverLimit, table: Mapping[Hashable, int], by_id: Mapping[Hashable, Promise]
) -> None:
    used: dict[Hashable, Amount] = {}
    drawn: dict[Hashable, Amount] = {}
    for path in limit.paths:
        if path.amount <= 0:
            raise BadCertificate("a path carries nothing")
        if limit.circle is not None and len(path.promises) > limit.circle:
            raise BadCertificate(f"a path of {len(path.promises)} vouches is too long")
        at = path.standing_of
        passed = []
        for id_ in path.promises:
            promise = by_id.get(id_)
            if promise is None or promise.voucher != at or at == limit.borrower:
                raise BadCertificate(f"promise {id_!r} does not continue its path")
            at = promise.borrower
            passed.append(at)
            used[id_] = used.get(id_, 0) + path.amount
        if at != limit.borrower or tuple(passed[:-1]) != path.via:
            raise BadCertificate("a path does not lead to the borrower as it says")
        drawn[path.standing_of] = drawn.get(path.standing_of, 0) + path.amount
    for id_, amount in used.items():
        if amount > by_id[id_].room:
            raise BadCertificate(f"promise {id_!r} carries {amount}, more than its room")
    for member, amount in drawn.items():
        if amount > table.get(member, 0):
            raise BadCertificate(f"{member!r} covers {amount}, more than their standing")
    parts = (limit.own, limit.direct, limit.second, limit.farther)
    if parts != by_length(limit.paths) or sum(parts) != limit.optimum:
        raise BadCertificate("the paths do not sum to the limit")
    if limit.value != int(limit.optimum):
        raise BadCertificate("the value is not the optimum rounded down")


def _cheapest_chains(
    limit: CoverLimit, promises: Iterable[Promise], price: Mapping[Hashable, Amount]
) -> dict[Hashable, Amount]:
    """Per member the cheapest chain to the borrower within the circle, in cut prices."""
    usable = [p for p in promises if p.voucher != limit.borrower]
    cheapest: dict[Hashable, Amount] = {limit.borrower: 0}
    rounds = len(usable) + 1 if limit.circle is None else limit.circle
    for _ in range(rounds):
        # A new table each round, so that a chain grows by one vouch a round.
        longer = dict(cheapest)
        for p in usable:
            if p.borrower in cheapest:
                total = price.get(p.id, 0) + cheapest[p.borrower]
                if p.voucher not in longer or total < longer[p.voucher]:
                    longer[p.voucher] = total
        if longer == cheapest:
            break
        cheapest = longer
    return cheapest
