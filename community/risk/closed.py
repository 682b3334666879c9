"""Closed pools: a few whom hardly anybody else stands for, and who borrow on each other. Pure.

A circle of promises is no sin: neighbours promise each other, and others promise them. What is told
is a circle whose word is its own: of all that its members were promised and that its givers could
keep, nearly all comes from within; they owe a good part of what they all have, or stand for one of
them with it; and what covers their loans is theirs. If they stop, nobody else has promised.

Such a few are often tied to the whole village by small words, so that the village is one circle.
They are looked for among the circles of promises of every size: those that hang together by large
promises alone are a circle of their own. One of them may be well off, and some promises may be
small enough to be kept: it is the sum that counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from community.risk.ahead import LoanOut, Purse
from graph.arrays import ArrayNetwork, Ints, from_rows
from graph.nested import nested_circles

_WHOLE = 10_000
# Two are a couple: what one has the other has.
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How closed a circle is that is told, by the charter; shares in ten-thousandths."""

    members: int  # at most so many
    share_bps: int  # of the cover of its loans, its own
    promised_bps: int  # of what its members were promised and could be kept, from within
    owed_bps: int  # what its members owe, or lend to one alone, of what they have


@dataclass(frozen=True, slots=True)
class Pool:
    """Members who cover each other; shares in ten-thousandths."""

    members: tuple[int, ...]
    borrowers: int
    owed_minor: int
    inside_bps: int  # of the cover of its loans, what is its own
    promised_bps: int  # of what its members were promised and could be kept, what is from within
    # What its members owe, of what they have; where one alone owes, what the others stand for.
    owed_bps: int
    used_bps: int  # of what its members can stand for, what is reserved
    assessed_bps: int  # of the cover of its loans, what is not locked


def closed_pools(
    loans: Iterable[LoanOut],
    purses: Mapping[int, Purse],
    vouchers: Ints,
    borrowers: Ints,
    amounts: Ints,
    *,
    limits: Limits,
) -> list[Pool]:
    """Circles of promises that are closed, each as large as it is: no member in two."""
    book = _Book(loans, purses)
    if not book.cover or not vouchers.size:
        return []
    network = from_rows(vouchers, borrowers, amounts)
    words = _Words(network, purses)
    found: list[Pool] = []
    told: set[int] = set()
    for circle in nested_circles(_coarse(network), least=_LEAST, most=max(limits.members, _LEAST)):
        members = {int(str(member)) for member in network.ids_of(circle.places)}
        # Larger ones come first, and circles that meet lie within each other.
        if told & members or not members & book.cover.keys():
            continue
        pool = book.pool(members, words.from_within_bps(circle.places))
        if _is_closed(pool, limits):
            told |= members
            found.append(pool)
    return sorted(found, key=lambda pool: pool.members)


def _coarse(network: ArrayNetwork) -> ArrayNetwork:
    """Promises that differ by less than a sixty-fourth as alike: as exact as a circle needs."""
    ids = np.array(network.ids_of(range(network.n)), np.int64)
    step = np.int64(1) << np.maximum(np.frexp(network.out_room)[1] - 7, 0).astype(np.int64)
    rooms = network.out_room // step * step
    return from_rows(ids[network.tails], ids[network.out_head], rooms, ids=ids)


def _is_closed(pool: Pool, limits: Limits) -> bool:
    """They borrow much of what they have on their own word; and not all of it is locked.

    Whoever has locked what they promise deals with nobody's money but their own.
    """
    return (
        pool.assessed_bps > 0
        and pool.inside_bps >= limits.share_bps
        and pool.promised_bps >= limits.promised_bps
        and pool.owed_bps >= limits.owed_bps
    )


class _Words:
    """What members were promised, each promise no larger than all that its giver has."""

    def __init__(self, network: ArrayNetwork, purses: Mapping[int, Purse]) -> None:
        means = np.array(
            [_means(purses, int(str(m))) for m in network.ids_of(range(network.n))], np.int64
        )
        kept = np.minimum(network.out_room, means[network.tails])
        order = np.argsort(network.out_head, kind="stable")
        self.givers, self.kept = network.tails[order], kept[order]
        self.start = np.searchsorted(network.out_head[order], np.arange(network.n + 1))

    def from_within_bps(self, places: Collection[int]) -> int:
        """Of what these were promised, how much is from these; nothing promised: nothing."""
        inside = set(places)
        whole = within = 0
        for place in places:
            span = slice(self.start[place], self.start[place + 1])
            for giver, kept in zip(
                self.givers[span].tolist(), self.kept[span].tolist(), strict=True
            ):
                whole += kept
                if giver in inside:
                    within += kept
        return within * _WHOLE // whole if whole else 0


class _Book:
    """Loans and what covers them, by borrower."""

    def __init__(self, loans: Iterable[LoanOut], purses: Mapping[int, Purse]) -> None:
        self.purses = purses
        self.owed: dict[int, int] = defaultdict(int)
        self.cover: dict[int, dict[int, int]] = {}
        for loan in loans:
            self.owed[loan.borrower_id] += loan.owed_minor
            held = self.cover.setdefault(loan.borrower_id, defaultdict(int))
            for line in loan.lines:
                held[line.held.owner_id] += line.held.held_minor

    def pool(self, members: Collection[int], promised_bps: int) -> Pool:
        whole = inside = 0
        lent: dict[int, int] = defaultdict(int)
        borrowers = sorted(set(members) & self.cover.keys())
        for borrower in borrowers:
            for owner, held in self.cover[borrower].items():
                whole += held
                if owner in members:
                    inside += held
                    lent[owner] += held
        nobody = Purse(0, 0, 0)
        owed = sum(self.owed[borrower] for borrower in borrowers)
        means = sum(_means(self.purses, member) for member in members)
        out, room = owed, means
        if len(borrowers) == 1:
            # What one borrows on their own is nobody else's affair.
            [alone] = borrowers
            out, room = inside - lent[alone], means - _means(self.purses, alone)
        reserved = sum(self.purses.get(member, nobody).reserved_minor for member in members)
        bare = sum(
            max(held - self.purses.get(owner, nobody).stake_minor, 0)
            for owner, held in lent.items()
        )
        return Pool(
            tuple(sorted(members)),
            len(borrowers),
            owed,
            inside * _WHOLE // whole if whole else 0,
            promised_bps,
            out * _WHOLE // room if room else 0,
            min(reserved * _WHOLE // means, _WHOLE) if means else 0,
            bare * _WHOLE // whole if whole else 0,
        )


def _means(purses: Mapping[int, Purse], member: int) -> int:
    purse = purses.get(member)
    return 0 if purse is None else purse.stake_minor + purse.assessed_minor
