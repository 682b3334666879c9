"""Who reviews whom: drawn by a seed, so that anybody can draw it again. Pure.

Nobody reviews their own household or one of their kin; every household has the same number of
reviewers; nobody has more than one household more than anybody else. Among such draws it is a
random one, in which no exchange of two places would leave fewer pairs who review each other.

The random numbers are SHA-256 of the seed and a count: they need no library, and never change
with one. First a draw is made by augmenting paths (filling everybody's least share, then every
household's panel: a matching that covers both exists if each alone does, Mendelsohn and Dulmage
1958), then mixed by exchanging places, which keeps everybody's number (Rao, Jana and
Bandyopadhyay 1996, "A Markov chain Monte Carlo method for generating random (0,1)-matrices with
given marginals").
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

Item = TypeVar("Item", int, tuple[int, int])

# Exchanges tried for each place: the chain forgets where it began in a few for each.
_MIXING = 10


class Shortage(StrEnum):
    """Why there is no draw."""

    TOO_FEW_REVIEWERS = "too_few_reviewers"  # a household has not enough who may review it
    LOAD_NOT_EVEN = "load_not_even"  # these households together have not, at an even load
    TOO_FEW_HOUSEHOLDS = "too_few_households"  # for these reviewers to have their even share


class DrawImpossible(Exception):
    """No draw keeps the rules: whom it fails for, how many places they need and how many there are.

    `households` and `reviewers` are the smallest set found that cannot be served together.
    """

    def __init__(
        self,
        shortage: Shortage,
        *,
        households: Collection[int],
        reviewers: Collection[int],
        needed: int,
        available: int,
    ) -> None:
        super().__init__(f"{shortage.value}: {needed} places needed, {available} there")
        self.shortage = shortage
        self.households = tuple(sorted(households))
        self.reviewers = tuple(sorted(reviewers))
        self.needed = needed
        self.available = available


@dataclass(frozen=True, slots=True)
class Place:
    """One reviewer's look at one household."""

    reviewer: int
    household: int


@dataclass(frozen=True, slots=True)
class DrawInputs:
    """All that a draw follows from, besides its seed."""

    # Household by reviewer.
    reviewers: Mapping[int, int]
    households: tuple[int, ...]
    # Reviewer and household, besides the reviewer's own: kin, or an answer given before.
    barred: frozenset[tuple[int, int]]
    per_household: int

    def document(self) -> dict[str, object]:
        """The inputs as they are stored."""
        return {
            "reviewers": [[who, self.reviewers[who]] for who in sorted(self.reviewers)],
            "households": sorted(self.households),
            "barred": [list(pair) for pair in sorted(self.barred)],
            "per_household": self.per_household,
        }

    @classmethod
    def read(cls, document: Mapping[str, object]) -> "DrawInputs":
        """Inputs as they were stored."""
        given: dict[str, list[list[int]]] = document  # type: ignore[assignment]
        homes: list[int] = document["households"]  # type: ignore[assignment]
        count: int = document["per_household"]  # type: ignore[assignment]
        return cls(
            reviewers={who: home for who, home in given["reviewers"]},  # noqa: C416
            households=tuple(homes),
            barred=frozenset((who, home) for who, home in given["barred"]),
            per_household=count,
        )


class Dice:
    """Random numbers that a seed gives: the SHA-256 of 'seed:label:count', label by label."""

    def __init__(self, seed: str, label: str) -> None:
        self._prefix = f"{seed}:{label}:"
        self._count = 0

    def number(self) -> int:
        """The next number of 256 bits."""
        self._count += 1
        return int.from_bytes(hashlib.sha256(f"{self._prefix}{self._count}".encode()).digest())

    def below(self, bound: int) -> int:
        """The next number from 0 to below `bound`; 256 bits leave no bias that could be seen."""
        return self.number() % bound

    def shuffled(self, items: Iterable[Item]) -> list[Item]:
        """The items, which have an order of their own, in a random one."""
        return [item for _, item in sorted((self.number(), item) for item in sorted(items))]


def draw(inputs: DrawInputs, *, seed: str) -> tuple[Place, ...]:
    """Reviewers for every household, by household and then reviewer. Raises DrawImpossible.

    Cost: places times reviewers at most, a few thousand steps for a village.
    """
    if not inputs.households:
        return ()
    places = _Places(inputs, Dice(seed, "order"))
    places.fill()
    places.mix(Dice(seed, "mix"))
    places.part_pairs(Dice(seed, "part"))
    return tuple(
        Place(who, home) for home in sorted(inputs.households) for who in sorted(places.panel[home])
    )


def reciprocal(places: Iterable[Place], homes: Mapping[int, int]) -> set[tuple[int, int]]:
    """Pairs of households of which one's people review the other and the other's the one."""
    looks = {(homes[place.reviewer], place.household) for place in places}
    return {(one, other) for one, other in looks if one < other and (other, one) in looks}


class _Places:
    """A draw in the making: who sits on which household's panel."""

    def __init__(self, inputs: DrawInputs, dice: Dice) -> None:
        self.inputs = inputs
        self.homes = dict(inputs.reviewers)
        self.households = dice.shuffled(inputs.households)
        order = dice.shuffled(inputs.reviewers)
        self.allowed = {
            home: [who for who in order if self._may(who, home)] for home in self.households
        }
        self.suits = {
            who: [home for home in self.households if self._may(who, home)] for who in order
        }
        self.panel: dict[int, set[int]] = {home: set() for home in self.households}
        # Households that still have room, in their random order.
        self.open = dict.fromkeys(self.households if inputs.per_household else ())
        self.load: dict[int, set[int]] = {who: set() for who in order}

    def _may(self, who: int, home: int) -> bool:
        return self.inputs.reviewers[who] != home and (who, home) not in self.inputs.barred

    def fill(self) -> None:
        size = self.inputs.per_household
        for home in self.households:
            if len(self.allowed[home]) < size:
                raise DrawImpossible(
                    Shortage.TOO_FEW_REVIEWERS,
                    households=[home],
                    reviewers=self.allowed[home],
                    needed=size,
                    available=len(self.allowed[home]),
                )
        total = size * len(self.households)
        least, more = divmod(total, len(self.load))
        for who in self.load:
            while len(self.load[who]) < least:
                self._give(who)
        for home in self.households:
            while len(self.panel[home]) < size:
                self._seat(home, least + (1 if more else 0))

    def _give(self, start: int) -> None:
        """One more household for a reviewer, others changing places where that makes room."""
        size = self.inputs.per_household
        took: dict[int, int] = {}  # household → reviewer who would take it
        gave: dict[int, int] = {}  # reviewer → household that they would leave
        queue = [start]
        for who in queue:
            room = next(
                (h for h in self.open if self._may(who, h) and h not in self.load[who]), None
            )
            if room is not None:
                took[room] = who
                while True:
                    taker = took[room]
                    self._take(taker, room)
                    if taker == start:
                        return
                    room = gave[taker]
                    self._leave(taker, room)
            for home in self.suits[who]:
                if home in took or home in self.load[who]:
                    continue
                took[home] = who
                for other in sorted(self.panel[home] - gave.keys() - {start}):
                    gave[other] = home
                    queue.append(other)
        raise DrawImpossible(
            Shortage.TOO_FEW_HOUSEHOLDS,
            households=took,
            reviewers=queue,
            needed=sum(len(self.load[who]) for who in queue) + 1,
            available=len(took) * size,
        )

    def _seat(self, start: int, most: int) -> None:
        """One more reviewer for a household, within everybody's load."""
        via: dict[int, int] = {}  # reviewer → household that asks for them
        behind: dict[int, int] = {}  # household → reviewer whose place there would be given up
        queue = [start]
        for home in queue:
            for who in self.allowed[home]:
                if who in via or who in self.panel[home]:
                    continue
                via[who] = home
                if len(self.load[who]) < most:
                    while True:
                        asked = via[who]
                        self._take(who, asked)
                        if asked == start:
                            return
                        who = behind[asked]
                        self._leave(who, asked)
                for other in sorted(self.load[who] - behind.keys() - {start}):
                    behind[other] = who
                    queue.append(other)
        raise DrawImpossible(
            Shortage.LOAD_NOT_EVEN,
            households=queue,
            reviewers=via,
            needed=len(queue) * self.inputs.per_household,
            available=len(via) * most,
        )

    def mix(self, dice: Dice) -> None:
        """Exchange places at random, which keeps every panel's size and everybody's load."""
        places = [(who, home) for home in sorted(self.panel) for who in sorted(self.panel[home])]
        for _ in range(_MIXING * len(places)):
            i, j = dice.below(len(places)), dice.below(len(places))
            if self._may_exchange(places[i], places[j]):
                (who, home), (other, there) = places[i], places[j]
                self._exchange(places[i], places[j])
                places[i], places[j] = (other, home), (who, there)

    def part_pairs(self, dice: Dice) -> None:
        """Exchange places as long as that leaves fewer pairs who review each other.

        In a random order: in one of ids the first households would be exchanged more often.
        """
        looks = Counter(
            (self.homes[who], home) for home, panel in self.panel.items() for who in panel
        )
        places = dice.shuffled((who, home) for home, panel in self.panel.items() for who in panel)
        better = True
        while better:
            better = False
            for i, place in enumerate(places):
                if not looks[place[1], self.homes[place[0]]]:
                    continue
                for j, other in enumerate(places):
                    if self._may_exchange(place, other) and self._parts(looks, place, other):
                        self._exchange(place, other)
                        places[i], places[j] = (other[0], place[1]), (place[0], other[1])
                        better = True
                        break

    def _parts(
        self, looks: "Counter[tuple[int, int]]", one: tuple[int, int], other: tuple[int, int]
    ) -> bool:
        """Whether fewer pairs look at each other after an exchange; if so it is noted."""
        touched = {
            tuple(sorted((self.homes[who], home)))
            for who in (one[0], other[0])
            for home in (one[1], other[1])
        }
        before = _pairs(looks, touched)
        self._look(looks, one, other)
        if _pairs(looks, touched) < before:
            return True
        self._look(looks, (one[0], other[1]), (other[0], one[1]))
        return False

    def _look(
        self, looks: "Counter[tuple[int, int]]", one: tuple[int, int], other: tuple[int, int]
    ) -> None:
        """What an exchange of two places changes of who looks at whom."""
        for (who, home), (_, there) in ((one, other), (other, one)):
            looks[self.homes[who], home] -= 1
            looks[self.homes[who], there] += 1

    def _may_exchange(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        (who, home), (them, there) = one, other
        return (
            who != them
            and home != there
            and there not in self.load[who]
            and home not in self.load[them]
            and self._may(who, there)
            and self._may(them, home)
        )

    def _exchange(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        (who, home), (them, there) = one, other
        self._leave(who, home)
        self._leave(them, there)
        self._take(who, there)
        self._take(them, home)

    def _take(self, who: int, home: int) -> None:
        self.panel[home].add(who)
        self.load[who].add(home)
        if len(self.panel[home]) == self.inputs.per_household:
            self.open.pop(home, None)

    def _leave(self, who: int, home: int) -> None:
        self.panel[home].discard(who)
        self.load[who].discard(home)
        if len(self.panel[home]) < self.inputs.per_household:
            self.open[home] = None


def _pairs(looks: "Counter[tuple[int, int]]", among: Iterable[tuple[int, ...]]) -> int:
    """How many of these pairs of households look at each other."""
    return sum(1 for one, other in among if looks[one, other] > 0 and looks[other, one] > 0)
