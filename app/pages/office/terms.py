"""A product's terms in words: what each is called, how its value is said, and the whole in a few
sentences that somebody who wants to borrow would understand."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from app.pages.layout import money_text, percent_text
from app.pages.office.values import Value, choice_name, values_of
from app.pages.words import Words
from community.loans.drafts import TermChange
from community.products.terms import Amortisation, FeeMoment, ProductTerms, RateMethod

FEES = "fees"
# What one fee consists of, each sent once for every row of the form.
FEE_VALUES = (
    Value("fee_name", "text", False, ""),
    Value("fee_moment", "choice", False, "", tuple(FeeMoment)),
    Value("fee_amount", "number", False, "money"),
    Value("fee_share", "number", False, "bps"),
)
FEE_KEYS = ("name", "moment", "amount_minor", "share_bps")
TERMS: dict[str, Value] = values_of(ProductTerms, without=("currency", FEES))
TERMS["allocation_order"] = replace(TERMS["allocation_order"], is_ordered=True)
# The parts of the form, in the order in which terms are talked about.
PARTS: dict[str, tuple[str, ...]] = {
    "lent": (
        "principal_minor_min",
        "principal_minor_max",
        "instalments_min",
        "instalments_max",
        "period_unit",
        "period_length",
        "month_end",
    ),
    "priced": ("rate_method", "yearly_rate_ppm", "day_count", "recalculation", "early_money"),
    "repaid": (
        "amortisation",
        "principal_share_bps",
        "grace_principal",
        "grace_interest",
        "instalment_multiple_minor",
        "allocation_order",
        "processing",
        "future_rule",
    ),
    "backed": ("liability_mode", "cover_ratio_bps"),
    "late": ("penalty_yearly_rate_ppm", "penalty_grace_days", "penalty_base"),
    "charged": (FEES,),
}


def term_name(t: Words, name: str) -> str:
    """What a term is called."""
    return t.of("term", name) if t.find(f"term.{name}") else name


def term_hint(t: Words, name: str) -> str:
    """What there is to know before one fills it in."""
    return t.of("term_hint", name) if t.find(f"term_hint.{name}") else ""


def values(terms: ProductTerms) -> dict[str, Any]:
    """Terms as a form counts them: lists for tuples, a fee as its parts."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(terms).items()
    }


def defaults() -> dict[str, Any]:
    """What a first draft begins with: the terms that need not be said."""
    return {
        each.name: list(each.default) if isinstance(each.default, tuple) else each.default
        for each in fields(ProductTerms)
        if each.default is not MISSING
    }


def said(name: str, value: Any, currency: str, t: Words) -> str:
    """The value of one term, as it is read in a table."""
    if value is None:
        return "–"
    if name == FEES:
        told = [fee_said(fee, currency, t) for fee in value]
        return t("and_then").join(told) or t("none_of_them")
    if name not in TERMS:
        return str(value)
    return TERMS[name].said(value, currency, t)


def fee_said(fee: Any, currency: str, t: Words) -> str:
    """One fee: what it is for, how much, and when."""
    parts: Mapping[str, Any] = fee if isinstance(fee, Mapping) else asdict(fee)
    much = [money_text(t.language, parts["amount_minor"], currency)] * bool(parts["amount_minor"])
    if parts["share_bps"]:
        much.append(t("share_of_principal", share=percent_text(parts["share_bps"])))
    when = choice_name(t, str(parts["moment"]), "fee_moment")
    return t("fee_line", name=parts["name"], much=t("plus").join(much), when=when)


def by_part(terms: ProductTerms, t: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every term with its name and value, in the parts of the form."""
    counted, currency = values(terms), terms.currency
    return [
        (part, [(term_name(t, name), said(name, counted[name], currency, t)) for name in names])
        for part, names in PARTS.items()
    ]


def changes_said(
    changes: Iterable[TermChange], currency: str, t: Words
) -> list[tuple[str, str, str]]:
    """Each changed term: its name, what it was and what it is."""
    return [
        (
            term_name(t, one.term),
            said(one.term, one.before, currency, t),
            said(one.term, one.after, currency, t),
        )
        for one in changes
        if one.term in TERMS or one.term == FEES
    ]


def in_words(terms: ProductTerms, t: Words) -> list[str]:
    """The terms in sentences: how much for how long, at what price, who stands behind it."""
    money = {
        "low": money_text(t.language, terms.principal_minor_min, terms.currency),
        "high": money_text(t.language, terms.principal_minor_max, terms.currency),
        "least": terms.instalments_min,
        "most": terms.instalments_max,
    }
    rate = said("yearly_rate_ppm", terms.yearly_rate_ppm, terms.currency, t)
    if terms.amortisation is Amortisation.SEASONAL:
        told = [t("told_lent_by_season", **money)]
    else:
        each = (
            t.of("each_one", terms.period_unit)
            if terms.period_length == 1
            else t.of("each_many", terms.period_unit).format(count=terms.period_length)
        )
        told = [t("told_lent", each=each, **money)]
    told.append(
        t.of("told_repaid", terms.amortisation).format(
            share=percent_text(terms.principal_share_bps)
        )
    )
    told.append(
        t("told_no_interest")
        if terms.rate_method is RateMethod.NONE
        else t.of("told_priced", terms.rate_method).format(rate=rate)
    )
    if terms.grace_principal or terms.grace_interest:
        told.append(t("told_grace", principal=terms.grace_principal, interest=terms.grace_interest))
    told.append(
        t.of("told_backed", terms.liability_mode).format(cover=percent_text(terms.cover_ratio_bps))
    )
    if terms.penalty_yearly_rate_ppm:
        late = said("penalty_yearly_rate_ppm", terms.penalty_yearly_rate_ppm, terms.currency, t)
        told.append(t("told_penalty", rate=late, days=terms.penalty_grace_days))
    else:
        told.append(t("told_no_penalty"))
    if terms.fees:
        told.append(t("told_fees", fees=said(FEES, terms.fees, terms.currency, t)))
    else:
        told.append(t("told_no_fees"))
    return told
