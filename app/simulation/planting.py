"""What is planted into the lives: rings, a panel, invented members, a flood, a pyramid. Pure."""

import random
from collections.abc import Sequence
from itertools import combinations

from app.simulation.assumed import Assumed
from app.simulation.plan import (
    Kind,
    Planted,
    Village,
    What,
    around,
    join,
    promise,
)

# By then a village has been founded, has promised and has reviewed itself.
_AFTER_REVIEW = 50


def plant(
    villages: Sequence[Village], *, seed: int, days: int, assumed: Assumed
) -> tuple[Planted, ...]:
    """Three rings, a panel, invented members, a flood and a pyramid, each in another village."""
    draw = random.Random(f"{seed}/planted")
    plans = [(Kind.RING, f"ring {number + 1}") for number in range(assumed.rings)]
    plans += [(kind, kind.value) for kind in Kind if kind is not Kind.RING]
    order = draw.sample(range(len(villages)), len(villages))
    found = []
    for turn, (kind, name) in enumerate(plans):
        village = villages[order[turn % len(order)]]
        mine = random.Random(f"{seed}/{name}")
        before = set(village.in_something)
        people, day = _PLANTERS[kind](village, mine, days, assumed)
        helpers = village.in_something - before - set(people)
        found.append(
            Planted(kind, name, village.number, frozenset(people), day, frozenset(helpers))
        )
    return tuple(found)


def _free_heads(village: Village) -> list[str]:
    """Founders who hold a household's credit and are in nothing yet, nor about to borrow."""
    busy = {act.who for act in village.acts if act.what is What.BORROW}
    return [
        name
        for name in village.heads()
        if village.people[name].joins <= 2
        and name not in village.in_something
        and name not in busy
        and name not in village.reviewers
    ]


def _forget_promises(village: Village, names: Sequence[str]) -> None:
    """They live apart from the others: their promises are what the plan below says."""
    village.acts = [
        act
        for act in village.acts
        if act.what is not What.PROMISE or not {act.who, act.other} & set(names)
    ]


def _span(draw: random.Random, low_high: tuple[int, int], days: int, room: int) -> int:
    """A day of a span, early enough that there is time for what follows."""
    low, high = low_high
    high = max(min(high, days - room), _AFTER_REVIEW)
    return draw.randint(min(low, high), high)


def _ring(
    village: Village, draw: random.Random, days: int, assumed: Assumed
) -> tuple[Sequence[str], int]:
    free = _free_heads(village)
    size = min(len(free), around(draw, assumed.ring_size))
    ring = draw.sample(free, size)
    _forget_promises(village, ring)
    shape = draw.choice(("all", "round", "chords"))
    yuan = 1_000 * draw.randint(5, 15)
    begins = _span(draw, assumed.ring_borrows_on, days, 140)
    promised = draw.choice((12, max(12, begins - 25)))
    for at, one in enumerate(ring):
        after = ring[(at + 1) % size]
        if shape == "all":
            for other in ring[at + 1 :]:
                promise(village, promised + draw.randint(0, 6), one, other, yuan, both=True)
        else:
            promise(village, promised + draw.randint(0, 6), one, after, yuan)
            if shape == "chords" and draw.random() < 0.7:
                promise(village, promised + draw.randint(0, 6), after, one, yuan)
    others = [n for n in village.heads() if n not in ring and village.people[n].joins <= 2]
    for name in ring:
        # To look like everybody else: a word here and there.
        if draw.random() < 0.5:
            for friend in draw.sample(others, around(draw, assumed.ring_outside_ties)):
                pair = (name, friend) if draw.random() < 0.5 else (friend, name)
                promise(village, draw.randint(5, 18), *pair, 500, both=draw.random() < 0.5)
    village.acts = [a for a in village.acts if a.what is not What.STAKE or a.who not in ring]
    quits = begins + assumed.ring_within + draw.randint(35, 100)
    borrowers = [name for name in ring if draw.random() < assumed.ring_borrowers]
    for name in borrowers if len(borrowers) > 1 else ring:
        person = village.people[name]
        wanted = person.worth_yuan * 3 // 500 * 500
        day = begins + draw.randint(0, assumed.ring_within)
        village.do(day, What.BORROW, name, yuan=wanted, instalments=12)
    for name in ring:
        village.people[name].quits, village.people[name].careful = quits, True
    village.in_something |= set(ring)
    return ring, min(promised, begins)


def _panel(
    village: Village, draw: random.Random, days: int, assumed: Assumed
) -> tuple[Sequence[str], int]:
    busy = {act.who for act in village.acts if act.what is What.BORROW}
    free = [n for n in village.reviewers if n not in busy and n not in village.in_something]
    panel = draw.sample(free, min(len(free), around(draw, assumed.panel_size)))
    reviews = [at for at, day in enumerate(assumed.review_on) if day < days - 200] or [0]
    village.panel, village.panel_review = frozenset(panel), draw.choice(reviews)
    village.panel_lift = draw.uniform(*assumed.panel_lift)
    day = assumed.review_on[village.panel_review]
    for name in panel:
        person = village.people[name]
        wanted = round(person.worth_yuan * village.panel_lift * 0.8 / 500) * 500
        begins = day + draw.randint(25, 60)
        village.do(begins, What.BORROW, name, yuan=max(1_000, wanted), instalments=12)
        person.quits, person.careful = day + 60 + draw.randint(35, 110), True
    village.in_something |= set(panel)
    return panel, day


def _invented(
    village: Village, draw: random.Random, days: int, assumed: Assumed
) -> tuple[Sequence[str], int]:
    """One who is known brings in people who are not; they stand for each other, borrow, vanish."""
    free = sorted(_free_heads(village), key=lambda name: -village.people[name].worth_yuan)
    accomplice = draw.choice(free[: max(1, len(free) // 3)])
    begins = _span(draw, assumed.invented_on, days, 200)
    size = around(draw, assumed.invented_size)
    names = []
    for number in range(size):
        day = begins + draw.randint(0, 30)
        home = f"v{village.number:02d}-x{number:02d}"
        person = join(village, draw, assumed, day, home, draw.choice(assumed.trades))
        person.careful = True
        village.do(day + 1, What.DEPOSIT, person.name, yuan=100 * draw.randint(1, 8))
        names.append(person.name)
    density = draw.uniform(*assumed.invented_ties)
    for one, other in combinations(names, 2):
        if draw.random() < density:
            promise(village, begins + draw.randint(32, 50), one, other, 2_000, both=True)
    for name in draw.sample(names, min(size, draw.randint(2, 4))):
        both = draw.random() < 0.6
        promise(village, begins + draw.randint(32, 45), accomplice, name, 2_000, both=both)
    quits = begins + 110 + draw.randint(30, 80)
    for name in names:
        day = begins + draw.randint(55, 100)
        village.do(day, What.BORROW, name, yuan=500 * draw.randint(2, 6), instalments=12)
        village.people[name].quits = quits
    village.in_something |= {accomplice, *names}
    return names, begins + 32


def _flood(
    village: Village, draw: random.Random, days: int, assumed: Assumed
) -> tuple[Sequence[str], int]:
    possible = [day for day in assumed.flood_on if day < days - 90] or [max(60, days // 2)]
    day = draw.choice(possible) + draw.randint(-15, 15)
    hit = []
    for person in village.people.values():
        if person.joins < day and draw.random() < assumed.flood_hits:
            person.dry.append((day, day + around(draw, assumed.flood_dry)))
            hit.append(person.name)
    return hit, day


def _pyramid(
    village: Village, draw: random.Random, days: int, assumed: Assumed
) -> tuple[Sequence[str], int]:
    """A known member sells tickets to newcomers, who sell to newcomers; returns are paid out of it.

    Tickets pass through the sellers' own savings here: the till of the scheme is in their name.
    """
    top = draw.choice(_free_heads(village))
    begins = _span(draw, assumed.pyramid_on, days, 230)
    ticket = draw.choice(assumed.pyramid_ticket_yuan)
    ends = begins + around(draw, assumed.pyramid_lasts)
    people, taken = [top], {top: 0}

    def sells_to(seller: str, day: int) -> tuple[str, int]:
        home = f"v{village.number:02d}-p{len(people):02d}"
        person = join(village, draw, assumed, day, home, draw.choice(assumed.trades))
        person.quits, person.careful = ends, True
        name = person.name
        own = ticket if draw.random() < assumed.pyramid_same else ticket + 500 * draw.randint(-1, 2)
        village.do(day + 1, What.DEPOSIT, name, yuan=own)
        village.do(day + draw.randint(4, 12), What.WITHDRAW, name, yuan=own)
        promise(village, day + draw.randint(1, 6), seller, name, 1_000, both=draw.random() < 0.4)
        taken[name] = 0
        taken[seller] += own
        village.do(day + draw.randint(12, 20), What.DEPOSIT, seller, yuan=own)
        people.append(name)
        if draw.random() < assumed.pyramid_on_credit:
            village.do(day + 30, What.BORROW, name, yuan=1_000, instalments=12)
        return name, day

    first = [
        sells_to(top, begins + draw.randint(0, assumed.pyramid_within // 3))
        for _ in range(around(draw, assumed.pyramid_wide))
    ]
    for seller, day in first:
        for _ in range(draw.randint(1, 4)):
            sells_to(seller, day + draw.randint(10, assumed.pyramid_within * 2 // 3))
    for seller, yuan in taken.items():
        months = range(begins + 40, ends, 30)
        for day in months:
            part = int(yuan * draw.uniform(0.15, 0.3)) // 100 * 100
            if part:
                village.do(day + draw.randint(0, 8), What.WITHDRAW, seller, yuan=part)
    village.in_something |= set(people)
    return people, begins


_PLANTERS = {
    Kind.RING: _ring,
    Kind.PANEL: _panel,
    Kind.INVENTED: _invented,
    Kind.FLOOD: _flood,
    Kind.PYRAMID: _pyramid,
}
