"""The terms of a loan product and the calendar of a crop, as typed values. Pure.

Documents are what is stored and what crosses the wire; `read_terms` and `read_season` turn them
into values that the arithmetic can trust. Rates are parts per million a year, ratios ten
thousandths, amounts minor units of the product's currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from community.arithmetic.terms import (
    DEFAULT_ORDER,
    AllocationRule,
    Amortisation,
    Component,
    DayCount,
    EarlyMoney,
    FutureRule,
    MonthEnd,
    PenaltyBase,
    PenaltyRule,
    PeriodUnit,
    Processing,
    RateMethod,
    Recalculation,
    Terms,
)
from community.communities.charter import LiabilityMode
from community.money import AMOUNT_MINOR_MAX, CURRENCY_EXPONENTS, share_bps
from community.products.errors import SeasonInvalid, TermsInvalid

__all__ = [
    "Amortisation",
    "Component",
    "DayCount",
    "EarlyMoney",
    "Fee",
    "FeeMoment",
    "FutureRule",
    "MonthEnd",
    "PenaltyBase",
    "PeriodUnit",
    "Processing",
    "ProductTerms",
    "RateMethod",
    "Recalculation",
    "SeasonCalendar",
    "SellingWindow",
    "arithmetic_of",
    "read_season",
    "read_terms",
]


class FeeMoment(StrEnum):
    """When a fee falls due."""

    DISBURSEMENT = "disbursement"
    INSTALMENT = "instalment"  # with each of them


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee of a product: a fixed amount and a part of principal (the loan's or the row's)."""

    name: str
    moment: FeeMoment
    amount_minor: int = 0
    share_bps: int = 0

    def on(self, principal_minor: int) -> int:
        """The fee on so much principal, rounded down: nobody pays a part of a unit."""
        return self.amount_minor + share_bps(principal_minor, self.share_bps)


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """Everything that the arithmetic and the rules of a loan need from its product.

    Terms with a default came later: a document that does not name one means its default.
    """

    currency: str
    principal_minor_min: int
    principal_minor_max: int
    rate_method: RateMethod
    amortisation: Amortisation
    yearly_rate_ppm: int
    day_count: DayCount
    period_unit: PeriodUnit
    period_length: int
    # Seasonal: how many selling windows a season may have.
    instalments_min: int
    instalments_max: int
    # Instalments are whole multiples of this, the last takes the rest; 1: every minor unit.
    instalment_multiple_minor: int
    # Components that are not named come first: penalty, fee.
    allocation_order: tuple[Component, ...]
    cover_ratio_bps: int
    liability_mode: LiabilityMode
    month_end: MonthEnd = MonthEnd.CLAMP
    # Periods at the start without principal; and those whose interest is collected after them.
    grace_principal: int = 0
    grace_interest: int = 0
    # Balloon: the part of the principal that each instalment but the last repays.
    principal_share_bps: int = 0
    processing: Processing = Processing.HORIZONTAL
    # Which instalment that is not due yet takes money first.
    future_rule: FutureRule = FutureRule.NEXT
    # Whether what is really paid, and when, changes the interest; and what early money shortens.
    recalculation: Recalculation = Recalculation.NONE
    early_money: EarlyMoney = EarlyMoney.ADJUST_LAST
    # A yearly rate on what is overdue, for each day after the days of grace; 0: none.
    penalty_yearly_rate_ppm: int = 0
    penalty_grace_days: int = 0
    penalty_base: PenaltyBase = PenaltyBase.PRINCIPAL
    fees: tuple[Fee, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The terms as they are stored: those that came later only where they say something."""
        return {
            field.name: _plain(value)
            for field in fields(self)
            for value in [getattr(self, field.name)]
            if field.default is MISSING or value != field.default
        }

    @property
    def moves_daily(self) -> bool:
        """Whether what is owed can grow from one day to the next without anything happening."""
        return bool(self.penalty_yearly_rate_ppm) or self.recalculation is not Recalculation.NONE


@lru_cache(maxsize=512)
def arithmetic_of(terms: ProductTerms) -> Terms:
    """What the arithmetic needs of a product's terms."""
    named = terms.allocation_order
    unnamed = [component for component in DEFAULT_ORDER if component not in named]
    penalty = None
    if terms.penalty_yearly_rate_ppm:
        penalty = PenaltyRule(
            terms.penalty_yearly_rate_ppm, terms.penalty_grace_days, terms.penalty_base
        )
    return Terms(
        rate_method=terms.rate_method,
        amortisation=terms.amortisation,
        yearly_rate_ppm=terms.yearly_rate_ppm,
        day_count=terms.day_count,
        period_unit=terms.period_unit,
        period_length=terms.period_length,
        month_end=terms.month_end,
        grace_principal=terms.grace_principal,
        grace_interest=terms.grace_interest,
        principal_share_bps=terms.principal_share_bps,
        instalment_multiple_minor=terms.instalment_multiple_minor,
        recalculation=terms.recalculation,
        early_money=terms.early_money,
        allocation=AllocationRule(
            order=(*unnamed, *named), processing=terms.processing, future_default=terms.future_rule
        ),
        penalty=penalty,
    )


@dataclass(frozen=True, slots=True)
class SellingWindow:
    """A day on which part of the crop has been sold, and how much of it (relative weight)."""

    due_on: date
    weight: int


@dataclass(frozen=True, slots=True)
class Tranche:
    """A day on which part of a loan is paid out, and how much of it (relative weight)."""

    pay_on: date
    weight: int


class Window(StrEnum):
    """The parts of a crop's year, in the order of nature."""

    SOW = "sow"
    GROW = "grow"
    HARVEST = "harvest"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class CashFlow:
    """What a household expects to spend and to earn in one window, as relative weights.

    Spending weights compare with spending weights of the other windows, earning with earning.
    """

    window: Window
    spend_weight: int
    earn_weight: int


@dataclass(frozen=True, slots=True)
class SeasonCalendar:
    """One crop's year: when money is needed and when it comes back."""

    crop: str
    sow_from: date
    sow_until: date
    harvest_from: date
    selling: tuple[SellingWindow, ...]
    # None: until the crop is first sold.
    harvest_until: date | None = None
    # None planned: a loan is paid out in one sum.
    tranches: tuple[Tranche, ...] = ()
    cash_flow: tuple[CashFlow, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The calendar as it is stored with a loan."""
        return {
            "crop": self.crop,
            "sow_from": self.sow_from.isoformat(),
            "sow_until": self.sow_until.isoformat(),
            "harvest_from": self.harvest_from.isoformat(),
            "harvest_until": self.harvest_until.isoformat() if self.harvest_until else None,
            "selling": self.selling_document(),
            "tranches": self.tranches_document(),
            "cash_flow": self.cash_flow_document(),
        }

    def windows(self) -> dict[Window, tuple[date, date]]:
        """First and last day of each part of the year. Harvest and selling may overlap."""
        sold_from = self.selling[0].due_on
        day = timedelta(days=1)
        return {
            Window.SOW: (self.sow_from, self.sow_until),
            Window.GROW: (self.sow_until + day, max(self.sow_until, self.harvest_from - day)),
            Window.HARVEST: (
                self.harvest_from,
                self.harvest_until or max(self.harvest_from, sold_from - day),
            ),
            Window.SELL: (sold_from, self.selling[-1].due_on),
        }

    def tranches_document(self) -> list[dict[str, Any]]:
        """The tranches as they are stored."""
        return [{"pay_on": t.pay_on.isoformat(), "weight": t.weight} for t in self.tranches]

    def cash_flow_document(self) -> list[dict[str, Any]]:
        """The expected cash flow as it is stored."""
        return [
            {
                "window": flow.window.value,
                "spend_weight": flow.spend_weight,
                "earn_weight": flow.earn_weight,
            }
            for flow in self.cash_flow
        ]

    def selling_document(self) -> list[dict[str, Any]]:
        """The selling windows as they are stored."""
        return [{"due_on": w.due_on.isoformat(), "weight": w.weight} for w in self.selling]


_RANGES: dict[str, tuple[int, int]] = {
    "principal_minor_min": (1, AMOUNT_MINOR_MAX),
    "principal_minor_max": (1, AMOUNT_MINOR_MAX),
    "yearly_rate_ppm": (0, 10_000_000),
    "period_length": (1, 366),
    "instalments_min": (1, 600),
    "instalments_max": (1, 600),
    "instalment_multiple_minor": (1, AMOUNT_MINOR_MAX),
    "cover_ratio_bps": (0, 100_000),
    "grace_principal": (0, 599),
    "grace_interest": (0, 599),
    "principal_share_bps": (0, 10_000),
    "penalty_yearly_rate_ppm": (0, 10_000_000),
    "penalty_grace_days": (0, 366),
}
_CHOICES: dict[str, type[StrEnum]] = {
    "rate_method": RateMethod,
    "amortisation": Amortisation,
    "day_count": DayCount,
    "period_unit": PeriodUnit,
    "liability_mode": LiabilityMode,
    "month_end": MonthEnd,
    "processing": Processing,
    "future_rule": FutureRule,
    "recalculation": Recalculation,
    "early_money": EarlyMoney,
    "penalty_base": PenaltyBase,
}
_FEES_MAX = 10
_FEE_NAME_MAX = 80
# Nobody lends for longer; it also keeps every due date inside the calendar.
_TERM_DAYS_MAX = 40 * 366
_WITH_GRACE = (Amortisation.EQUAL_INSTALMENT, Amortisation.EQUAL_PRINCIPAL)
_UNIT_DAYS = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31}
_WINDOWS_MAX = 60
_WEIGHT_MAX = 1_000_000
_TRANCHES_MAX = 12


def read_terms(document: Mapping[str, Any]) -> ProductTerms:
    """Typed terms of a document; refuses what is missing, unknown, mistyped or contradictory.

    Raises TermsInvalid with one message a term under `errors`.
    """
    known = {field.name: field.default for field in fields(ProductTerms)}
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name in document.keys() - known.keys():
        errors[str(name)] = "There is no such term."
    for name, default in known.items():
        if name not in document:
            if default is MISSING:
                errors[name] = "This term is missing."
            else:
                values[name] = default
            continue
        try:
            values[name] = _read(name, document[name])
        except ValueError as error:
            errors[name] = str(error)
    if not errors:
        errors = _contradictions(values)
    if errors:
        detail = "; ".join(f"{name}: {what}" for name, what in sorted(errors.items()))
        raise TermsInvalid(detail, errors=errors)
    return ProductTerms(**values)


def read_season(document: Mapping[str, Any]) -> SeasonCalendar:
    """A typed calendar; selling windows come back in the order of their days.

    What a calendar stored long ago does not say is left open. Raises SeasonInvalid: sowing ends
    before harvest, nothing is sold before harvest, tranches are paid out before it; windows and
    tranches have days of their own and positive weights, cash flow names each window once.
    """
    try:
        season = SeasonCalendar(
            crop=document["crop"],
            sow_from=_day(document["sow_from"]),
            sow_until=_day(document["sow_until"]),
            harvest_from=_day(document["harvest_from"]),
            selling=tuple(sorted(_windows(document["selling"]), key=lambda w: w.due_on)),
            harvest_until=_day_or_none(document.get("harvest_until")),
            tranches=tuple(
                sorted(_tranches(document.get("tranches") or ()), key=lambda t: t.pay_on)
            ),
            cash_flow=_cash_flow(document.get("cash_flow") or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SeasonInvalid(f"The calendar cannot be read: {error}.") from None
    if not season.sow_from <= season.sow_until < season.harvest_from:
        raise SeasonInvalid("Sowing begins, ends, and then comes the harvest.", field="sow_until")
    days = [window.due_on for window in season.selling]
    if not days or len(days) > _WINDOWS_MAX or len(set(days)) < len(days):
        raise SeasonInvalid(
            f"A crop is sold on 1 to {_WINDOWS_MAX} different days.", field="selling"
        )
    if days[0] < season.harvest_from:
        raise SeasonInvalid("Nothing can be sold before the harvest.", field="selling")
    if season.harvest_until is not None and season.harvest_until < season.harvest_from:
        raise SeasonInvalid("The harvest ends after it has begun.", field="harvest_until")
    paid = [tranche.pay_on for tranche in season.tranches]
    if len(paid) > _TRANCHES_MAX or len(set(paid)) < len(paid):
        raise SeasonInvalid(
            f"Money goes out in at most {_TRANCHES_MAX} tranches, on different days.",
            field="tranches",
        )
    if paid and paid[-1] >= season.harvest_from:
        raise SeasonInvalid("Money for a crop goes out before its harvest.", field="tranches")
    return season


def _read(name: str, value: Any) -> Any:
    if name in _RANGES:
        low, high = _RANGES[name]
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"This is a whole number from {low} to {high}.")
        return value
    if name in _CHOICES:
        kind = _CHOICES[name]
        if not isinstance(value, str) or value not in set(kind):
            raise ValueError(f"Choose from {', '.join(kind)}.")
        return kind(value)
    if name == "currency":
        if not isinstance(value, str) or value not in CURRENCY_EXPONENTS:
            raise ValueError("This is the code of a known currency.")
        return value
    if name == "fees":
        return _fees(value)
    assert name == "allocation_order"
    named = sorted(map(str, value)) if isinstance(value, (list, tuple)) else []
    # Interest and principal at least; what is left out comes before them.
    if len(set(named)) < len(named) or not {"interest", "principal"} <= set(named) <= set(
        Component
    ):
        raise ValueError(
            "Name interest and principal, and fee and penalty if they are not to come first, "
            "in the order in which they are paid."
        )
    return tuple(Component(item) for item in value)


def _fees(value: Any) -> tuple[Fee, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > _FEES_MAX:
        raise ValueError(f"This is a list of at most {_FEES_MAX} fees.")
    found = []
    for item in value:
        if not isinstance(item, Mapping) or not item.keys() <= {
            "name", "moment", "amount_minor", "share_bps",
        }:  # fmt: skip
            raise ValueError("A fee has name, moment, amount_minor and share_bps.")
        name, moment = item.get("name"), item.get("moment")
        if not isinstance(name, str) or not 1 <= len(name.strip()) <= _FEE_NAME_MAX:
            raise ValueError(f"A fee has a name of at most {_FEE_NAME_MAX} letters.")
        if not isinstance(moment, str) or moment not in set(FeeMoment):
            raise ValueError(f"A fee's moment is one of {', '.join(FeeMoment)}.")
        amount, share = item.get("amount_minor", 0), item.get("share_bps", 0)
        if type(amount) is not int or not 0 <= amount <= AMOUNT_MINOR_MAX:
            raise ValueError("A fee's amount is a whole number of minor units from 0 up.")
        if type(share) is not int or not 0 <= share <= 10_000:
            raise ValueError("A fee's share is from 0 to 10000 ten thousandths.")
        if not amount and not share:
            raise ValueError("A fee is an amount, a share or both.")
        found.append(Fee(name.strip(), FeeMoment(moment), amount, share))
    if len({fee.name for fee in found}) < len(found):
        raise ValueError("Every fee has a name of its own.")
    return tuple(found)


def _plain(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    return [
        {field.name: getattr(item, field.name) for field in fields(item)}
        if isinstance(item, Fee)
        else item
        for item in value
    ]


def _contradictions(values: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    if values["principal_minor_max"] < values["principal_minor_min"]:
        errors["principal_minor_max"] = "It is below principal_minor_min."
    if values["instalments_max"] < values["instalments_min"]:
        errors["instalments_max"] = "It is below instalments_min."
    if (values["rate_method"] is RateMethod.NONE) != (values["yearly_rate_ppm"] == 0):
        errors["yearly_rate_ppm"] = "It is zero exactly when rate_method is none."
    if values["amortisation"] is Amortisation.SEASONAL:
        if values["rate_method"] is RateMethod.FLAT:
            errors["rate_method"] = "Seasonal interest is on the principal that is still out."
        if values["day_count"] is not DayCount.ACTUAL_365:
            errors["day_count"] = "Seasons have calendar days: actual/365."
    if values["grace_principal"] >= values["instalments_min"]:
        errors["grace_principal"] = "At least one instalment repays principal."
    if values["grace_interest"] >= values["instalments_min"]:
        errors["grace_interest"] = "At least one instalment collects interest."
    if values["amortisation"] not in _WITH_GRACE:
        for name in ("grace_principal", "grace_interest"):
            if values[name]:
                errors[name] = f"Grace belongs to {', '.join(_WITH_GRACE)}."
    if (values["amortisation"] is Amortisation.BALLOON) != bool(values["principal_share_bps"]):
        errors["principal_share_bps"] = "It belongs to a balloon, and a balloon needs it."
    elif values["principal_share_bps"] * (values["instalments_max"] - 1) > 10_000:
        errors["principal_share_bps"] = "The longest loan would repay more than was lent."
    if values["recalculation"] is not Recalculation.NONE and (
        values["rate_method"] is not RateMethod.DECLINING_BALANCE
    ):
        errors["recalculation"] = "Only interest on a declining balance can be recalculated."
    if values["early_money"] is not EarlyMoney.ADJUST_LAST and (
        values["recalculation"] is Recalculation.NONE
    ):
        errors["early_money"] = "Early money shortens a loan only under recalculation."
    if values["penalty_grace_days"] and not values["penalty_yearly_rate_ppm"]:
        errors["penalty_grace_days"] = "There is no penalty to wait for."
    days = _UNIT_DAYS[values["period_unit"]] * values["period_length"] * values["instalments_max"]
    if values["amortisation"] is not Amortisation.SEASONAL and days > _TERM_DAYS_MAX:
        errors["period_length"] = "The longest term is beyond forty years."
    return errors


def _windows(document: Sequence[Mapping[str, Any]]) -> list[SellingWindow]:
    return [SellingWindow(_day(item["due_on"]), _weight(item["weight"])) for item in document]


def _tranches(document: Sequence[Mapping[str, Any]]) -> list[Tranche]:
    return [Tranche(_day(item["pay_on"]), _weight(item["weight"])) for item in document]


def _cash_flow(document: Sequence[Mapping[str, Any]]) -> tuple[CashFlow, ...]:
    flows = [
        CashFlow(
            Window(item["window"]),
            _weight(item["spend_weight"], least=0),
            _weight(item["earn_weight"], least=0),
        )
        for item in document
    ]
    if len({flow.window for flow in flows}) < len(flows):
        raise ValueError("each window has one line of cash flow")
    order = list(Window)
    return tuple(sorted(flows, key=lambda flow: order.index(flow.window)))


def _weight(value: Any, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= _WEIGHT_MAX:
        raise ValueError(f"a weight is a whole number from {least} to {_WEIGHT_MAX}")
    return value


def _day_or_none(value: Any) -> date | None:
    return None if value is None else _day(value)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
