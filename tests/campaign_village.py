"""A village that reviews itself, simulated: what reviewers say, honest or not, from a seed."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from community.campaigns.draw import DrawInputs, Place, draw
from community.campaigns.findings import Assessed, Opinion, assess
from community.communities import templates
from community.communities.charter import CharterRules, read_rules

YUAN = 100
# What a villager names is a whole thousand.
STEP_MINOR = 1_000 * YUAN


def rules(**changes: Any) -> CharterRules:
    """The village template's rules, changed."""
    document = templates.load("village-cooperative")["rules"]
    document |= {name: {"value": value, "source": "test"} for name, value in changes.items()}
    return read_rules(document)


@dataclass
class SimulatedVillage:
    """Households 1 to `size`; the first `panel` of them have a reviewer, 1,000 + household."""

    seed: int
    size: int = 40
    panel: int = 15
    noise: float = 0.15
    colluding: Collection[int] = ()
    wild: Collection[int] = ()
    lift: float = 1.9
    rules: CharterRules = field(default_factory=rules)

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        self.truth = {home: dice.lognormvariate(10.0, 0.5) * YUAN for home in self.homes.values()}
        self.truth |= {h: dice.lognormvariate(10.0, 0.5) * YUAN for h in self.households}
        self.places = draw(self.inputs, seed=str(self.seed))
        # What the colluding agreed on: their own households lifted, the others' as they guess.
        script = {
            home: _said(value * (self.lift if home in self.ring else dice.gauss(1.0, self.noise)))
            for home, value in self.truth.items()
        }
        self.opinions = [self._opinion(dice, place, script) for place in self.places]

    @property
    def households(self) -> tuple[int, ...]:
        return tuple(range(1, self.size + 1))

    @property
    def homes(self) -> dict[int, int]:
        return {1_000 + home: home for home in self.households[: self.panel]}

    @property
    def ring(self) -> set[int]:
        return {self.homes[who] for who in self.colluding}

    @property
    def inputs(self) -> DrawInputs:
        per = self.rules.campaign_reviewers_per_household
        return DrawInputs(self.homes, self.households, frozenset(), per)

    def _opinion(self, dice: random.Random, place: Place, script: dict[int, int]) -> Opinion:
        value = self.truth[place.household] * max(0.1, dice.gauss(1.0, self.noise))
        if place.reviewer in self.wild:
            value *= dice.choice([0.3, 2.5])
        knows = dice.random() < 0.95 or place.reviewer in self.colluding
        said = script[place.household] if place.reviewer in self.colluding else _said(value)
        return Opinion(place.reviewer, place.household, knows, said if knows else None)

    def assessed(self, excluded: Collection[int] = ()) -> Assessed:
        return assess(
            self.opinions,
            households=self.households,
            homes=self.homes,
            rules=self.rules,
            excluded=excluded,
        )


def _said(value: float) -> int:
    return max(1, round(value / STEP_MINOR)) * STEP_MINOR
