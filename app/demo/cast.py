"""Who is in the play, and what the play has to remember."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.demo.life import Life
from app.demo.seasons import CropYear
from app.demo.stories import DAYS_PLAYED
from community.errors import CommunityError
from community.money import Money

Answer = TypeVar("Answer")

CURRENCY = "CNY"
YUAN = 100
TOWNSHIP = "demo-township"
COOPERATIVE = "demo-cooperative"
OPERATOR = "demo-operator"
AUDITOR = "demo-auditor"
MONTHLY_PRODUCT = "working"
TRADE = "trade"
CIRCLE = "circle"
# The last thing that a seeding records: without it, it was not finished.
FINISHED = "demo.seeded"


@dataclass(frozen=True, slots=True)
class Size:
    """What to make: how many households, from which seed, up to which day."""

    households: int
    seed: int
    today: date


@dataclass(slots=True, eq=False)
class Neighbour:
    """Somebody of the play. Homes are told apart by their reference."""

    member_id: int
    reference: str
    home: str
    woman: bool = False
    head: bool = False
    borrowing: bool = False
    in_trouble: bool = False
    grouped: bool = False


@dataclass(slots=True, eq=False)
class Place:
    """A community that lends, and who does what in it."""

    key: str
    community_id: int
    officer: Neighbour
    people: list[Neighbour] = field(default_factory=list)
    # Free and locked savings in minor units, by member.
    saved: dict[int, int] = field(default_factory=dict)
    staked: dict[int, int] = field(default_factory=dict)
    # Products, by what they follow.
    monthly: int = 0
    seasonal: int = 0
    groups: list[tuple[int, list[Neighbour]]] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"demo-{self.key}"

    @property
    def is_village(self) -> bool:
        return self.key not in (TRADE, CIRCLE)

    def by_id(self, member_id: int) -> Neighbour:
        return next(person for person in self.people if person.member_id == member_id)


class Play:
    """The stage: the calendar, the dice, the places, and a count of what was refused."""

    def __init__(self, session: Session, size: Size) -> None:
        self.size = size
        self.draw = random.Random(f"lianbao {size.seed} {size.households}")
        # Nothing happens on the present day itself: it is left to whoever tries the platform.
        self.last = size.today - timedelta(days=1)
        self.first = self.last - timedelta(days=DAYS_PLAYED)
        self.life = Life(session, self.first)
        self.refused: Counter[str] = Counter()
        self.places: dict[str, Place] = {}
        self.crops: Sequence[CropYear] = ()
        self.seasons: dict[str, int] = {}
        self.township_id = 0
        self.operator_id = 0
        self.cooperative_id = 0

    @property
    def on(self) -> date:
        return self.life.on

    def lenders(self) -> list[Place]:
        """Every place that lends, in the order of founding."""
        return list(self.places.values())

    def villages(self) -> list[Place]:
        return [place for place in self.places.values() if place.is_village]

    def on_day(self, number: int, happening: Callable[[], None]) -> None:
        """Plan something for a day of the play, counted from its first."""
        self.life.at(self.first + timedelta(days=number), happening)

    def after(self, days: int, happening: Callable[[], None]) -> None:
        """Plan something for some days from now."""
        self.life.at(self.on + timedelta(days=days), happening)

    def today(self) -> dict[str, Any]:
        """The business day and the instant, as services take them."""
        return {"on": self.life.on, "now": self.life.now}

    def do(self, work: Callable[..., Answer], **facts: Any) -> Answer:
        """A step that has to succeed, as one unit of work."""
        return self.life.do(work, **facts)

    def attempt(self, work: Callable[..., Answer], **facts: Any) -> Answer | None:
        """A step that may be refused, as in life; None then, and nothing of it stays."""
        try:
            return self.life.do(work, **facts)
        except CommunityError as refusal:
            self.refused[refusal.code] += 1
            return None


def yuan(amount: int) -> Money:
    """Whole yuan."""
    return Money(amount * YUAN, CURRENCY)
