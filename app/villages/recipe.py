"""How reports of who goes to whom become members, promises, savings and loans. Pure.

The survey holds no amount of money. Every figure in this module that is not in the files is
assumed, and docs/real-data.md lists them all; a test keeps that page and `ASSUMED` together.
Everything is deterministic: where people have to differ, a digest of their reference decides.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

# Amounts of the recipe are minor units of this currency.
CURRENCY = "CNY"

DISTRICT = "district"
CIRCLE = "roof-savers"

# The roofs under which a household belongs to the circle of those who save for a better one.
CIRCLE_ROOFS = frozenset({"thatch", "tile"})


@dataclass(frozen=True, slots=True)
class Assumed:
    """Figures that no file holds."""

    # What one kind of tie adds to a word.
    money_minor: int = 2_000_00
    goods_minor: int = 500_00
    advice_minor: int = 500_00
    # Inside the interest community a word is worth this, whatever it is about.
    circle_word_minor: int = 100_00
    # Savings of a household, kept by its borrower of record; a part is locked as stake.
    savings_per_adult_minor: int = 300_00
    savings_per_room_minor: int = 100_00
    circle_savings_minor: int = 200_00
    stake_bps: int = 2_500
    # A standing assessment for households that could pay more than they locked.
    assessed_minor: int = 3_000_00
    assessed_rooms_min: int = 4
    assessed_adults_min: int = 6
    # Groups.
    group_pair_cap_minor: int = 1_000_00
    # Lending.
    pool_per_household_minor: int = 5_000_00
    reserve_per_village_minor: int = 300_00
    principal_minor_min: int = 500_00
    principal_minor_max: int = 5_000_00
    group_share_minor_max: int = 3_000_00
    asked_of_limit_bps: int = 8_000
    group_borrowers: int = 3
    bold_share_bps: int = 1_000
    bold_asks_bps: int = 15_000
    seasonal_share_bps: int = 3_000
    instalments: int = 4
    # How borrowers pay, in ten-thousandths of all.
    fails_bps: int = 800
    late_bps: int = 700
    partial_bps: int = 700
    early_bps: int = 1_000
    late_days: int = 12
    # Of those who fail, how many come back with money, and after how many days.
    returns_bps: int = 4_000
    returns_after_days: int = 120
    returns_late_after_days: int = 260
    # Of guarantors who are asked for more than their stake paid.
    pays_call_bps: int = 4_000
    pays_half_bps: int = 2_000
    # The calendar.
    start_on: date = date(2025, 1, 6)
    tick_days: int = 15
    end_after_days: int = 660


ASSUMED = Assumed()

# What is changed in the template `village-cooperative` before the district adopts it.
CHARTER_CHANGES: Mapping[str, Any] = {
    "group_size_max": 8,
    # Surveyed households name as many as they name; nobody asked them to choose.
    "guarantees_count_max": 200,
    "loan_cycle_steps_minor": [500_000, 1_000_000, 2_000_000],
    "owed_per_member_minor_max": 2_000_000,
    "write_off_day": 180,
}
CHARTER_SOURCE = "assumed for the village run"

_TERMS: Mapping[str, Any] = {
    "currency": CURRENCY,
    "principal_minor_min": ASSUMED.principal_minor_min,
    "principal_minor_max": ASSUMED.principal_minor_max,
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 96_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 1,
    "instalments_max": 12,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}
PRODUCTS: Mapping[str, Mapping[str, Any]] = {
    "monthly": _TERMS,
    "seasonal": {**_TERMS, "amortisation": "seasonal", "day_count": "actual/365"},
    "group": {**_TERMS, "liability_mode": "joint_and_several"},
}
SEASON: Mapping[str, Any] = {
    "code": "paddy",
    "crop": "paddy",
    "sow_from": timedelta(days=0),
    "sow_until": timedelta(days=60),
    "harvest_from": timedelta(days=150),
    "selling": ((timedelta(days=165), 60), (timedelta(days=210), 40)),
}

# What a kind of tie is about. Visits say that people know each other; alone they promise nothing.
KINDS: Mapping[str, str] = {
    "borrowmoney": "money",
    "receivemoney": "money",
    "keroricego": "goods",
    "keroricecome": "goods",
    "helpdecision": "advice",
    "receiveadvice": "advice",
    "visitgo": "visit",
    "visitcome": "visit",
}
HEAD = "Head of Household"


class PersonRow(NamedTuple):
    """A line of village_people."""

    line: int
    village: str
    person: str
    household: str
    age: int | None
    is_head: bool
    surveyed: bool


class TieRow(NamedTuple):
    """A line of village_ties: the respondent says that asker would go to helper."""

    line: int
    village: str
    respondent: str
    asker: str
    helper: str
    kind: str


class HouseholdRow(NamedTuple):
    """A line of village_households."""

    line: int
    village: str
    household: str
    roof: str
    rooms: int | None
    is_owned: bool


class Side(StrEnum):
    """Whose word it is; the values are those of `said_by` in an import of ties."""

    VOUCHER = "voucher"
    BORROWER = "borrower"


@dataclass(frozen=True, slots=True)
class Home:
    """A household as the run sees it. `head` is its borrower of record, None without an adult."""

    village: str
    number: str
    adults: tuple[str, ...]
    head: str | None
    facts: HouseholdRow | None = None


@dataclass(slots=True)
class Village:
    """A village's households by number, and each person's household."""

    number: str
    homes: dict[str, Home] = field(default_factory=dict)
    people: dict[str, PersonRow] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"village-{self.number}"

    def home_of(self, person: str) -> Home | None:
        """Where a person lives; None for somebody who is not of this village."""
        row = self.people.get(person)
        return None if row is None else self.homes[row.household]

    def heads(self) -> list[Home]:
        """Households that have a borrower of record, lowest number first."""
        return sorted((home for home in self.homes.values() if home.head), key=home_order)


class Word(NamedTuple):
    """One side's word on a pair of households: what it is about and what that is worth."""

    village: str
    voucher: str
    borrower: str
    side: Side
    topics: frozenset[str]
    amount_minor: int


class Confirmed(NamedTuple):
    """Two households of which one stands behind the other, both having said so."""

    voucher: str
    borrower: str
    amount_minor: int


def in_order(number: str) -> tuple[int, int, str]:
    """Numbers before other texts, small before large."""
    return (0, int(number), "") if number.isdigit() else (1, 0, number)


def home_order(home: Home) -> tuple[int, int, str]:
    return in_order(home.number)


def is_adult(person: PersonRow, age_min: int) -> bool:
    """Somebody of the charter's age. Of unknown age only who was surveyed: children were not."""
    return person.surveyed if person.age is None else person.age >= age_min


def head_of(adults: Sequence[PersonRow]) -> str | None:
    """The borrower of record: the surveyed head, else the adult of the lowest number."""
    heads = [person for person in adults if person.is_head] or list(adults)
    return min((person.person for person in heads), key=in_order, default=None)


def settle_villages(
    people: Iterable[PersonRow], households: Iterable[HouseholdRow], *, age_min: int
) -> list[Village]:
    """Villages in the order of their numbers, each with its households."""
    facts = {(row.village, row.household): row for row in households}
    homes: dict[tuple[str, str], list[PersonRow]] = defaultdict(list)
    villages: dict[str, Village] = {}
    for person in people:
        village = villages.setdefault(person.village, Village(person.village))
        village.people[person.person] = person
        homes[person.village, person.household].append(person)
    for (number, household), members in homes.items():
        adults = [person for person in members if is_adult(person, age_min)]
        villages[number].homes[household] = Home(
            number,
            household,
            tuple(sorted((person.person for person in adults), key=in_order)),
            head_of(adults),
            facts.get((number, household)),
        )
    return [villages[number] for number in sorted(villages, key=in_order)]


def worth_minor(topics: Iterable[str]) -> int:
    """What a word is worth: each topic counts once, however many people or kinds said it."""
    amounts = {
        "money": ASSUMED.money_minor,
        "goods": ASSUMED.goods_minor,
        "advice": ASSUMED.advice_minor,
    }
    return sum(amounts.get(topic, 0) for topic in set(topics))


def words(villages: Iterable[Village], ties: Iterable[TieRow]) -> tuple[list[Word], Counter[str]]:
    """What households say of each other, and how many ties were left out for which reason.

    A tie asker → helper is one word on "the helper's household stands behind the asker's", said
    by the household of the respondent.
    """
    by_number = {village.number: village for village in villages}
    topics: dict[tuple[str, str, str, Side], set[str]] = defaultdict(set)
    dropped: Counter[str] = Counter()
    for tie in ties:
        village = by_number.get(tie.village)
        topic = KINDS.get(tie.kind)
        asker, helper, respondent = (
            (village.home_of(person) if village else None)
            for person in (tie.asker, tie.helper, tie.respondent)
        )
        if asker is None or helper is None or respondent is None:
            dropped["somebody who is not listed in the village"] += 1
        elif asker is helper:
            dropped["inside one household"] += 1
        elif topic is None:
            dropped["of an unknown kind"] += 1
        elif asker.head is None or helper.head is None:
            dropped["with a household without an adult"] += 1
        elif respondent is not asker and respondent is not helper:
            dropped["said by neither household"] += 1
        else:
            side = Side.BORROWER if respondent is asker else Side.VOUCHER
            topics[tie.village, helper.number, asker.number, side].add(topic)
    said = []
    for (number, voucher, borrower, side), about in topics.items():
        amount = worth_minor(about)
        if amount:
            said.append(Word(number, voucher, borrower, side, frozenset(about), amount))
        else:
            dropped["pairs of households that only visit (one side's word)"] += 1
    return sorted(said, key=_word_order), dropped


def _word_order(word: Word) -> tuple[Any, ...]:
    return (*map(in_order, word[:3]), word.side)


def savings_minor(home: Home) -> int:
    """What a household has put aside: by adults and, where known, by rooms."""
    rooms = (home.facts.rooms or 0) if home.facts else 0
    return (
        len(home.adults) * ASSUMED.savings_per_adult_minor + rooms * ASSUMED.savings_per_room_minor
    )


def stake_minor(saved_minor: int) -> int:
    """The part of savings that is locked, in full yuan."""
    return saved_minor * ASSUMED.stake_bps // 1_000_000 * 100


def assessment_evidence(home: Home) -> str | None:
    """On what a household's standing assessment rests; None: it gets none."""
    if home.facts is not None:
        if home.facts.is_owned and (home.facts.rooms or 0) >= ASSUMED.assessed_rooms_min:
            return f"own house of {home.facts.rooms} rooms (household survey; amount assumed)"
        return None
    if len(home.adults) >= ASSUMED.assessed_adults_min:
        return f"{len(home.adults)} adults who can work (list of people; amount assumed)"
    return None


def in_circle(home: Home) -> bool:
    """Whether a household's borrower of record belongs to the interest community."""
    return home.facts is not None and home.facts.roof in CIRCLE_ROOFS


def form_groups(
    ties: Iterable[Confirmed], *, size_min: int, size_max: int, most: int
) -> list[tuple[str, ...]]:
    """Groups of households grown from their strongest confirmed ties; each is in one at most.

    A group begins with the two households whose ties are worth most. Then the household joins
    whose ties with those inside are worth most: up to `size_min` one tie is enough, up to
    `size_max` it takes two. What stays below `size_min` is given up, and its first tie is not
    tried again.
    """
    between: Counter[tuple[str, str]] = Counter()
    beside: dict[str, set[str]] = defaultdict(set)
    for tie in ties:
        first, second = sorted((tie.voucher, tie.borrower), key=in_order)
        between[first, second] += tie.amount_minor
        beside[first].add(second)
        beside[second].add(first)
    strongest = sorted(between, key=lambda p: (-between[p], in_order(p[0]), in_order(p[1])))
    taken: set[str] = set()
    groups: list[tuple[str, ...]] = []
    for pair in strongest:
        if len(groups) >= most:
            break
        if taken.intersection(pair):
            continue
        group = _grow(pair, between, beside, taken, size_min, size_max)
        if len(group) >= size_min:
            groups.append(tuple(group))
            taken.update(group)
    return groups


def _grow(
    pair: tuple[str, str],
    between: Mapping[tuple[str, str], int],
    beside: Mapping[str, Collection[str]],
    taken: Collection[str],
    size_min: int,
    size_max: int,
) -> list[str]:
    group = list(pair)
    while len(group) < size_max:
        ties_needed = 1 if len(group) < size_min else 2
        best: tuple[Any, ...] | None = None
        for candidate in {other for inside in group for other in beside[inside]}:
            known = [inside for inside in group if inside in beside[candidate]]
            if candidate in group or candidate in taken or len(known) < ties_needed:
                continue
            worth = sum(
                between.get((inside, candidate), 0) + between.get((candidate, inside), 0)
                for inside in known
            )
            rank = (-worth, -len(known), in_order(candidate), candidate)
            best = rank if best is None else min(best, rank)
        if best is None:
            break
        group.append(best[-1])
    return group


class Behaviour(StrEnum):
    """How somebody repays."""

    BY_SCHEDULE = "by schedule"
    PARTIAL = "in two parts"
    EARLY = "early"
    LATE = "late"
    FAILS = "fails"


class Payment(NamedTuple):
    """Money that a borrower brings on a day. `amount_minor` None: all that is owed by then."""

    on: date
    amount_minor: int | None


class Due(NamedTuple):
    """An instalment of a schedule."""

    on: date
    amount_minor: int


def lot(*parts: object) -> int:
    """A number from 0 to 9,999 that depends on the parts alone."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10_000


def behaviour_of(reference: str) -> Behaviour:
    """How this borrower repays."""
    at = lot("repays", reference)
    for behaviour, share in (
        (Behaviour.FAILS, ASSUMED.fails_bps),
        (Behaviour.LATE, ASSUMED.late_bps),
        (Behaviour.PARTIAL, ASSUMED.partial_bps),
        (Behaviour.EARLY, ASSUMED.early_bps),
    ):
        if at < share:
            return behaviour
        at -= share
    return Behaviour.BY_SCHEDULE


def payments(reference: str, dues: Sequence[Due]) -> list[Payment]:
    """When a borrower brings how much, given the dues of the loan."""
    behaviour = behaviour_of(reference)
    if behaviour is Behaviour.EARLY:
        kept = max(1, len(dues) // 2)
        return [*(Payment(*due) for due in dues[: kept - 1]), Payment(dues[kept - 1].on, None)]
    if behaviour is Behaviour.LATE:
        late = timedelta(days=ASSUMED.late_days)
        return [Payment(due.on + late, due.amount_minor) for due in dues]
    if behaviour is Behaviour.PARTIAL:
        plan = []
        for due in dues:
            half = due.amount_minor // 2
            before = due.on - timedelta(days=7)
            plan += [Payment(before, half)] if half else []
            plan.append(Payment(due.on, due.amount_minor - half))
        return plan
    if behaviour is Behaviour.FAILS:
        kept = lot("fails after", reference) % min(3, len(dues))
        plan = [Payment(*due) for due in dues[:kept]]
        if lot("returns", reference) < ASSUMED.returns_bps:
            soon = lot("returns soon", reference) % 2
            days = ASSUMED.returns_after_days if soon else ASSUMED.returns_late_after_days
            plan.append(Payment(dues[kept].on + timedelta(days=days), None))
        return plan
    return [Payment(*due) for due in dues]


def principal_minor(limit_minor: int, reference: str) -> int | None:
    """What somebody asks for alone: a part of their limit in full hundreds; None: too little.

    The bold ask for more than their limit, so that refusals happen too.
    """
    is_bold = lot("bold", reference) < ASSUMED.bold_share_bps
    share = ASSUMED.bold_asks_bps if is_bold else ASSUMED.asked_of_limit_bps
    return _asked(limit_minor, share, ASSUMED.principal_minor_max)


def share_minor(limit_minor: int) -> int | None:
    """What a member of a group asks for as a share of its loan; None: too little."""
    return _asked(limit_minor, ASSUMED.asked_of_limit_bps, ASSUMED.group_share_minor_max)


def _asked(limit_minor: int, share_bps: int, most_minor: int) -> int | None:
    asked = limit_minor * share_bps // 100_000_000 * 10_000
    return min(asked, most_minor) if asked >= ASSUMED.principal_minor_min else None


def smaller_principal_minor(asked_minor: int) -> int | None:
    """What somebody asks for who was refused: half of it, once."""
    half = asked_minor // 20_000 * 10_000
    return half if half >= ASSUMED.principal_minor_min else None


def product_of(reference: str) -> str:
    """Which product somebody who borrows alone asks for."""
    return "seasonal" if lot("product", reference) < ASSUMED.seasonal_share_bps else "monthly"


def paid_by_hand_minor(guarantor: str, call: str, open_minor: int) -> int:
    """What a called guarantor brings by hand before the deadline: all, half or nothing."""
    at = lot("call", guarantor, call)
    if at < ASSUMED.pays_call_bps:
        return open_minor
    if at < ASSUMED.pays_call_bps + ASSUMED.pays_half_bps:
        return open_minor // 2
    return 0


def choose(
    references: Iterable[str], count: int, purpose: str, first: Collection[str] = ()
) -> list[str]:
    """`count` of the references by lot, those in `first` before others; the same every time."""
    return sorted(references, key=lambda r: (r not in first, lot(purpose, r), r))[:count]


def charter_document(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template's rules with the run's changes, each saying that it is assumed."""
    rules = dict(template["rules"])
    for name, value in CHARTER_CHANGES.items():
        rules[name] = {"value": value, "source": CHARTER_SOURCE}
    return rules
