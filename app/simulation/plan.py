"""Lives of villages, drawn from a seed: who does what on which day, and what is planted. Pure.

The same seed gives the same lives. Nothing here knows how findings are made, and the platform is
told only what people do. Days count from the first one.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.simulation.assumed import ASSUMED, YUAN, Assumed

YEAR = 365
# Days of a year that begins in January: when people draw before New Year, sow, harvest.
_NEW_YEAR, _HARVEST = (10, 30), (275, 320)


class Kind(StrEnum):
    """What is planted."""

    RING = "ring"  # stand for each other alone, borrow together, stop paying together
    PANEL = "panel"  # reviewers who lift each other's households and speak with one voice
    INVENTED = "invented"  # members who are nobody, brought in by one who is
    FLOOD = "flood"  # misfortune, nobody's guilt
    PYRAMID = "pyramid"  # newcomers bring newcomers, each with a ticket of one price


@dataclass(frozen=True, slots=True)
class Planted:
    """One truth: what, where, about whom, from which day there is something to be seen."""

    kind: Kind
    name: str
    village: int
    people: frozenset[str]
    from_day: int
    # In it too, but not to be found: who brought the invented in.
    helpers: frozenset[str] = frozenset()


class What(StrEnum):
    """What somebody does, in the order in which it is done on one day."""

    JOIN = "join"
    DEPOSIT = "deposit"
    WITHDRAW = "withdraw"
    STAKE = "stake"
    PROMISE = "promise"  # `who` stands behind `other`
    REVIEW = "review"  # the village reviews itself
    BORROW = "borrow"


_ORDER = list(What)


@dataclass(frozen=True, slots=True)
class Act:
    day: int
    what: What
    who: str = ""
    other: str = ""
    yuan: int = 0
    instalments: int = 0


@dataclass(slots=True)
class Person:
    """Somebody, and how they will pay what they borrow."""

    name: str
    home: str
    trade: str
    worth_yuan: int
    joins: int = 0
    # From here on they pay nothing more, and if they come back, when.
    quits: int | None = None
    back: int | None = None
    # Spans in which there is no money in the house.
    dry: list[tuple[int, int]] = field(default_factory=list)
    careful: bool = False  # never late on purpose: whoever is up to something at first


@dataclass(slots=True)
class Village:
    number: int
    seed: str
    people: dict[str, Person] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    reviewers: tuple[str, ...] = ()
    panel: frozenset[str] = frozenset()
    panel_review: int = 0
    panel_lift: float = 1.0
    in_something: set[str] = field(default_factory=set)

    def do(self, day: int, what: What, who: str = "", **facts: object) -> None:
        self.acts.append(Act(max(day, 0), what, who, **facts))  # type: ignore[arg-type]

    def heads(self) -> list[str]:
        """The first of each household, who holds its credit."""
        seen: set[str] = set()
        found = []
        for person in self.people.values():
            if person.home not in seen:
                seen.add(person.home)
                found.append(person.name)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    days: int
    villages: tuple[Village, ...]
    planted: tuple[Planted, ...]


def make_plan(seed: int, *, villages: int, days: int, assumed: Assumed = ASSUMED) -> Plan:
    """All lives. Fewer than two truths share a village as long as there are villages enough."""
    # Imported here: planting builds on what is above.
    from app.simulation.planting import plant

    places = []
    for number in range(villages):
        draw = random.Random(f"{seed}/village/{number}")
        village = Village(number, f"{seed}/{number}")
        _settle(village, draw, days, assumed)
        places.append(village)
    planted = plant(places, seed=seed, days=days, assumed=assumed)
    for village in places:
        draw = random.Random(f"{seed}/borrow/{village.number}")
        _borrow(village, draw, days, assumed)
        village.acts = in_order(act for act in village.acts if act.day < days)
    return Plan(seed, days, tuple(places), planted)


def in_order(acts: Iterable[Act]) -> list[Act]:
    """By day, and on one day joining first and borrowing last; else as they were planned."""
    return sorted(acts, key=lambda act: (act.day, _ORDER.index(act.what)))


def around(draw: random.Random, low_high: tuple[int, int]) -> int:
    """A whole number between two, both included."""
    return draw.randint(*low_high)


def promise(
    village: Village, day: int, voucher: str, borrower: str, yuan: int, *, both: bool = False
) -> None:
    """One stands behind the other, or each behind each."""
    if village.people[voucher].home == village.people[borrower].home:
        return
    village.do(day, What.PROMISE, voucher, other=borrower, yuan=yuan)
    if both:
        village.do(day, What.PROMISE, borrower, other=voucher, yuan=yuan)


def join(
    village: Village, draw: random.Random, assumed: Assumed, day: int, home: str, trade: str
) -> Person:
    """Somebody new, who pays the entrance share as everybody does."""
    name = f"v{village.number:02d}-{len(village.people) + 1:03d}"
    worth = draw.lognormvariate(math.log(assumed.worth_yuan), assumed.worth_sigma)
    person = Person(name, home, trade, _rounded(worth, assumed.said_in_yuan), day)
    village.people[name] = person
    village.do(day, What.JOIN, name)
    village.do(day, What.DEPOSIT, name, yuan=assumed.entrance_yuan)
    return person


def _settle(village: Village, draw: random.Random, days: int, assumed: Assumed) -> None:
    """Founders, their habits and their friends; newcomers as they come."""
    home = 0
    while len(village.people) < assumed.founders:
        home += 1
        trade = draw.choice(assumed.trades)
        # The rolls are written over the first days.
        day = draw.choice((0, 0, 0, 1, 2))
        for _ in range(1 if draw.random() < assumed.home_of_one else 2):
            join(village, draw, assumed, day, f"v{village.number:02d}-h{home:02d}", trade)
    heads = village.heads()
    village.reviewers = tuple(sorted(draw.sample(heads, min(assumed.reviewers, len(heads)))))
    _promise_neighbours(village, draw, heads, days, assumed)
    _make_friends(village, draw, heads, assumed)
    _newcomers(village, draw, heads, days, assumed)
    for person in list(village.people.values()):
        _save(village, draw, person, days, assumed)
    for day in assumed.review_on:
        village.do(day, What.REVIEW)


def _promise_neighbours(
    village: Village, draw: random.Random, heads: Sequence[str], days: int, assumed: Assumed
) -> None:
    """Houses next to each other, at times farther away; many words are returned, as among kin."""
    wanted = round(len(heads) * assumed.promises_each)
    later = round(len(heads) * assumed.later_promises_each * days / (2 * YEAR))
    for number in range(wanted + later):
        at = draw.randrange(len(heads))
        step = draw.choice((-3, -2, -1, 1, 2, 3))
        if draw.random() < assumed.far_away:
            step = draw.randrange(1, len(heads))
        other = heads[(at + step) % len(heads)]
        day = draw.randint(5, 18) if number < wanted else draw.randint(40, max(41, days - 30))
        yuan = 500 * draw.randint(1, 8)
        if other != heads[at]:
            both = draw.random() < assumed.returned
            promise(village, day, heads[at], other, yuan, both=both)


def _make_friends(
    village: Village, draw: random.Random, heads: Sequence[str], assumed: Assumed
) -> None:
    """A few of one trade all stand for each other, and buy together: they look like a ring."""
    by_trade: dict[str, list[str]] = defaultdict(list)
    for name in heads:
        by_trade[village.people[name].trade].append(name)
    groups = [names for names in by_trade.values() if len(names) >= assumed.friends_min]
    for names in draw.sample(groups, min(assumed.friends_groups, len(groups))):
        size = min(len(names), draw.randint(assumed.friends_min, assumed.friends_max))
        friends = draw.sample(names, size)
        day, buys = draw.randint(5, 18), draw.randint(50, 600)
        yuan = 1_000 * draw.randint(1, 5)
        for at, one in enumerate(friends):
            for other in friends[at + 1 :]:
                promise(village, day, one, other, yuan, both=True)
        for name in friends:
            worth = village.people[name].worth_yuan
            wanted = _rounded(worth * draw.uniform(0.9, 1.8), 500)
            village.do(
                buys + draw.randint(0, 25),
                What.BORROW,
                name,
                yuan=wanted,
                instalments=draw.choice(assumed.instalments),
            )


def _newcomers(
    village: Village, draw: random.Random, heads: Sequence[str], days: int, assumed: Assumed
) -> None:
    """Who comes later: alone, with somebody in tow, as a family, or a hamlet that is moved here."""
    number = 0

    def comes(day: int, *friends: str, home: str | None = None) -> str:
        nonlocal number
        number += 1
        where = home or f"v{village.number:02d}-n{number:02d}"
        name = join(village, draw, assumed, day, where, draw.choice(assumed.trades)).name
        for friend in friends:
            tied = day + draw.randint(1, assumed.tied_within)
            promise(
                village,
                tied,
                friend,
                name,
                500 * draw.randint(1, 4),
                both=draw.random() < 0.8,
            )
        return name

    for _ in range(round(assumed.newcomers * days / (2 * YEAR))):
        day = draw.randint(20, max(21, days - 60))
        friends = draw.sample(heads, draw.choice((1, 1, 2, 2, 3)))
        if draw.random() < assumed.family_of_three:
            family = [comes(day), comes(day + 1), comes(day + 2)]
            promise(village, day + 12, friends[0], family[0], 1_000, both=True)
            for at, one in enumerate(family):
                for other in family[at + 1 :]:
                    promise(village, day + 10 + at, one, other, 500, both=True)
            continue
        newcomer = comes(day, *friends)
        while draw.random() < assumed.brings_another:
            day += draw.randint(10, 60)
            newcomer = comes(day, newcomer, *draw.sample(heads, draw.choice((0, 1))))
    if draw.random() < assumed.resettled_villages:
        day = draw.randint(40, max(41, days - 120))
        moved = [comes(day + draw.randint(0, 5)) for _ in range(around(draw, assumed.resettled))]
        for at, one in enumerate(moved):
            promise(village, day + draw.randint(8, 30), draw.choice(heads), one, 500, both=True)
            for other in moved[at + 1 :]:
                if draw.random() < 0.4:
                    promise(village, day + draw.randint(8, 40), one, other, 500, both=True)


def _save(
    village: Village, draw: random.Random, person: Person, days: int, assumed: Assumed
) -> None:
    """Regular savers, and everybody at harvest; money is drawn before New Year; some is locked."""
    first = person.joins + draw.randint(1, 6)
    opening = 100 * draw.choice((1, 2, 5, 5, 10, 20))
    village.do(first, What.DEPOSIT, person.name, yuan=opening)
    if draw.random() < assumed.locks_stake:
        share = draw.choice((0.3, 0.5, 0.8))
        village.do(
            first + draw.randint(1, 8),
            What.STAKE,
            person.name,
            yuan=_rounded(opening * share, 10),
        )
    if draw.random() < assumed.saves_regularly:
        each = 100 * draw.randint(1, 4)
        for day in range(first + 60, days, 60):
            if draw.random() < 0.8:
                village.do(day + draw.randint(0, 4), What.DEPOSIT, person.name, yuan=each)
    for year in range(math.ceil(days / YEAR)):
        start = year * YEAR
        if draw.random() < assumed.harvest_saves:
            day = start + around(draw, _HARVEST)
            if day > first:
                yuan = 500 * draw.choice((1, 1, 2, 2, 2, 4, 6))
                village.do(day, What.DEPOSIT, person.name, yuan=yuan)
        if draw.random() < assumed.before_new_year_draws:
            day = start + YEAR + around(draw, _NEW_YEAR)
            if day > first:
                village.do(day, What.WITHDRAW, person.name, yuan=100 * draw.randint(1, 8))


def _borrow(village: Village, draw: random.Random, days: int, assumed: Assumed) -> None:
    """Honest loans of those who are not up to something, and how they will fail at times."""
    low, high = assumed.asks_of_worth
    for name in village.heads():
        person = village.people[name]
        if name in village.in_something:
            continue
        free = max(50, person.joins + 45)
        busy = [act.day for act in village.acts if act.what is What.BORROW and act.who == name]
        while True:
            free += max(1, round(draw.expovariate(assumed.loans_each_year / YEAR)))
            if free >= days - 40:
                break
            months = draw.choice(assumed.instalments)
            if any(abs(free - day) < 30 * months + 60 for day in busy):
                continue
            yuan = max(1_000, _rounded(person.worth_yuan * draw.uniform(low, high), 500))
            village.do(free, What.BORROW, name, yuan=yuan, instalments=months)
            busy.append(free)
            free += 30 * months
        for day in sorted(busy):
            if person.quits is None and draw.random() < assumed.fails:
                person.quits = day + draw.randint(40, 200)
                if draw.random() < assumed.comes_back:
                    person.back = person.quits + draw.randint(60, 220)


def payments(
    person: Person, loan: str, dues: Sequence[tuple[int, int]], assumed: Assumed = ASSUMED
) -> list[tuple[int, int | None]]:
    """On which days a borrower brings how much of the dues (day, amount); None: all that is owed.

    Whoever quits brings nothing more, unless they come back.
    """
    draw = random.Random(f"{person.name}/{loan}")
    brought: list[tuple[int, int | None]] = []
    for due, amount in dues:
        luck = draw.random()
        day = due
        if luck < assumed.late_much:
            day += draw.randint(11, 29)
        elif luck < assumed.late_much + assumed.late_a_little:
            day += draw.randint(1, 10)
        elif luck > 1 - assumed.pays_early:
            day -= draw.randint(1, 5)
        if person.careful:
            day = min(day, due)
        for begins, ends in person.dry:
            if begins <= day < ends:
                day = ends + draw.randint(0, 20)
        if person.quits is not None and day >= person.quits:
            if person.back is not None:
                brought.append((max(person.back, due), None))
            break
        brought.append((day, amount))
    return brought


def opinion(
    village: Village, review: int, reviewer: str, home: str, assumed: Assumed = ASSUMED
) -> int | None:
    """What a reviewer would lend a household, in yuan; None: they do not know it.

    The panel's reviewers, when their time has come, lift each other's households, and say of most
    others what they agreed on.
    """
    draw = random.Random(f"{village.seed}/{review}/{reviewer}/{home}")
    worth = max(p.worth_yuan for p in village.people.values() if p.home == home)
    own = random.Random(f"{village.seed}/{reviewer}").gauss(1.0, assumed.review_bias)
    honest = worth * own * max(0.2, draw.gauss(1.0, assumed.review_noise))
    if reviewer in village.panel and review == village.panel_review:
        homes = {village.people[name].home for name in village.panel}
        if home in homes:
            return _rounded(worth * village.panel_lift, assumed.said_in_yuan)
        script = random.Random(f"{village.seed}/script/{review}/{home}")
        if script.random() < assumed.panel_same:
            return _rounded(
                worth * max(0.2, script.gauss(1.0, assumed.review_noise)), assumed.said_in_yuan
            )
        return _rounded(honest, assumed.said_in_yuan)
    if draw.random() > assumed.knows:
        return None
    # Neighbours at the same corner are kin to each other at times, which nobody has written down.
    kin = random.Random(f"{village.seed}/kin/{min(reviewer, home)}/{max(reviewer, home)}")
    if kin.random() < 0.05:
        honest *= assumed.kin_lift
    return _rounded(honest, assumed.said_in_yuan)


def _rounded(yuan: float, to: int) -> int:
    return max(to, round(yuan / to) * to)


def minor(yuan: int) -> int:
    """Yuan in minor units."""
    return yuan * YUAN
