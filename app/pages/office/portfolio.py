"""How sound a community's loans are: at risk, by class, concentrated, by vintage, rolling."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import marshmallow as ma
from flask import Response, url_for
from sqlalchemy.orm import Session

from app.clock import today
from app.communities.facts import community_facts
from app.extensions import db
from app.fields import Day, Schema
from app.marks import limited
from app.pages.charts import Picture, bars, columns_
from app.pages.forms import Form, read_query
from app.pages.layout import money_text, percent_text, unit_text
from app.pages.office.room import enter, pages, show, words
from app.pages.words import Words
from app.permissions import may, requires
from app.portfolio import views
from app.portfolio.schemas import MONTH_PATTERN
from app.risk.views import concentration_table
from app.sheets import sheet
from community.communities.models import Community
from community.errors import Invalid, NotFound
from community.money import CURRENCY_EXPONENTS
from community.portfolio.at_risk import Grouping, RiskReport, RiskRow, portfolio_at_risk
from community.portfolio.measures import end_of_month_before, month_name
from community.portfolio.queries import ClassReport, class_report
from community.portfolio.rolls import FROM_STATES, TO_STATES, RollReport, roll_rates
from community.portfolio.vintages import VintageReport, vintages
from community.risk.concentration import Concentration, ConcentrationReport, concentration

Report = TypeVar("Report")

# Of the months before this one.
_MONTHS = 12
# How many lines a table of the page has; the sheet has all.
_ROWS_MOST = 15
# Classes that do not perform, as moves into them are read.
_WORSE = {state: place for place, state in enumerate(TO_STATES)}


class PortfolioArgs(Schema):
    """On which day, by what, and which month's moves."""

    on = Day(load_default=None)
    by = ma.fields.Enum(Grouping, by_value=ma.fields.String, load_default=Grouping.COMMUNITY)
    month = ma.fields.String(load_default=None, validate=ma.validate.Regexp(MONTH_PATTERN))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is about."""

    community: Community
    form: Form
    args: dict[str, object]

    @property
    def month(self) -> str:
        return str(self.args.get("month") or month_name(end_of_month_before(today())))


@pages.listed("portfolio")
@pages.get("/office/<pid(com):community_id>/portfolio")
@requires("portfolio:read")
@limited("heavy")
def portfolio(community_id: str) -> Response:
    """All figures of the loans, each drawn and as a table."""
    community = enter(community_id, "portfolio:read")
    session, t = db.session(), words()
    asked = _asked(community)
    risk, rolls = _risk(session, asked), _rolls(session, asked)
    cohorts = _vintages(session, asked)
    classes = class_report(session, community=community)
    return show(
        "portfolio",
        community,
        form=asked.form,
        by=[(each.value, t.of("by", each)) for each in Grouping],
        on=risk.on if risk is not None else today(),
        month=asked.month,
        risk=risk,
        risk_picture=_risk_picture(t, asked, risk) if risk is not None else None,
        breakdown=_breakdown(t, risk) if risk is not None else None,
        classes=classes,
        class_picture=_class_picture(t, asked, classes),
        concentrations=[
            (report, _concentration_picture(t, asked, report))
            for report in _concentrations(session, community)
        ],
        vintage_picture=_vintage_picture(t, asked, cohorts) if cohorts is not None else None,
        roll_picture=_roll_picture(t, asked, rolls) if rolls is not None else None,
    )


@pages.get("/office/<pid(com):community_id>/portfolio/<name>.csv")
@requires("portfolio:read")
@limited("heavy")
def portfolio_csv(community_id: str, name: str) -> Response:
    """The whole table behind one of the pictures."""
    community = enter(community_id, "portfolio:read")
    session = db.session()
    asked = _asked(community)

    def by_part(kind: Concentration) -> Callable[[], Response]:
        def write() -> Response:
            if not may("risk:read", community_facts(session, community)):
                raise NotFound()
            report = concentration(session, community=community, on=today(), by=kind)
            return sheet(f"concentration-{kind.value}", *concentration_table(report))

        return write

    def at_risk() -> Response:
        return sheet("portfolio-at-risk", *views.risk_table(_found(_risk(session, asked))))

    def by_vintage() -> Response:
        return sheet("vintages", *views.vintage_table(_found(_vintages(session, asked))))

    def rolling() -> Response:
        return sheet("roll-rates", *views.roll_table(_found(_rolls(session, asked))))

    def by_class() -> Response:
        return sheet("classes", *views.class_table(class_report(session, community=community)))

    tables: dict[str, Callable[[], Response]] = {
        "par": at_risk,
        "classes": by_class,
        "vintages": by_vintage,
        "roll-rates": rolling,
    } | {f"concentration-{kind.value}": by_part(kind) for kind in Concentration}
    if name not in tables:
        raise NotFound()
    return tables[name]()


def _asked(community: Community) -> Asked:
    form, args = read_query(PortfolioArgs())
    return Asked(community, form, args or {"on": None, "by": Grouping.COMMUNITY, "month": None})


def _found(report: Report | None) -> Report:
    if report is None:
        raise NotFound()
    return report


def _risk(session: Session, asked: Asked) -> RiskReport | None:
    """Portfolio at risk; None, with the reason on the form, for a day to come."""
    try:
        return portfolio_at_risk(
            session,
            community=asked.community,
            on=asked.args["on"] or today(),  # type: ignore[arg-type]
            today=today(),
            by=asked.args["by"],  # type: ignore[arg-type]
        )
    except Invalid as refusal:
        asked.form.refuse(refusal)
        return None


def _vintages(session: Session, asked: Asked) -> VintageReport | None:
    try:
        return vintages(
            session,
            community=asked.community,
            until=asked.args["on"] or today(),  # type: ignore[arg-type]
            today=today(),
            months=_MONTHS,
        )
    except Invalid as refusal:
        asked.form.refuse(refusal)
        return None


def _rolls(session: Session, asked: Asked) -> RollReport | None:
    try:
        return roll_rates(session, community=asked.community, month=asked.month, today=today())
    except Invalid as refusal:
        asked.form.refuse(refusal)
        return None


def _concentrations(session: Session, community: Community) -> list[ConcentrationReport]:
    """For those who see the risk desk; to others the section is not there."""
    if not may("risk:read", community_facts(session, community)):
        return []
    return [
        concentration(session, community=community, on=today(), by=kind) for kind in Concentration
    ]


def _sheet_url(asked: Asked, name: str) -> str:
    asking = {key: value for key, value in asked.form.values.items() if value}
    return url_for(
        "office.portfolio_csv",
        community_id=asked.community.public_id,
        name=name,
        **{key: asking[key] for key in ("on", "by", "month") if key in asking},
    )


def _share(value: float) -> str:
    return percent_text(round(value))


def _risk_picture(t: Words, asked: Asked, report: RiskReport) -> Picture:
    late = report.total.at_risk
    drawn = columns_(
        t("par_title"),
        [(t("over_days", days=each.days), each.out.share_bps / 100) for each in late],
        columns=(t("late_by"), t("share")),
        text=lambda value: f"{value:g}%",
        caption=t("par_help"),
    )
    return replace(
        drawn,
        columns=((t("late_by"), ""), (t("loans"), "n"), (t("out"), "n"), ("%", "n")),
        rows=tuple(
            (
                t("over_days", days=each.days),
                str(each.out.loans),
                money_text(t.language, each.out.amount_minor, report.currency),
                _share(each.out.share_bps),
            )
            for each in late
        ),
        csv_url=_sheet_url(asked, "par"),
    )


def _breakdown(t: Words, report: RiskReport) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Head and rows of the table by community, group, product, officer or crop."""
    days = [each.days for each in report.total.at_risk]
    head = [(t.of("by", report.by), ""), (t("loans"), "n"), (t("out"), "n")]
    head += [(t("over_days", days=number), "n") for number in days]

    def cells(row: RiskRow, name: str) -> list[str]:
        out = money_text(t.language, row.outstanding_minor, report.currency)
        shares = [_share(each.out.share_bps) for each in row.at_risk]
        return [name, str(row.loans), out, *shares]

    shown = sorted(report.rows, key=lambda row: -row.outstanding_minor)[:_ROWS_MOST]
    rows = [cells(row, row.name or t("without")) for row in shown]
    return head, [*rows, cells(report.total, t("whole"))]


def in_units(amount_minor: int, currency: str) -> float:
    """Minor units as a length to draw, in whole units of the currency."""
    return amount_minor / 10 ** CURRENCY_EXPONENTS[currency]


def _class_picture(t: Words, asked: Asked, report: ClassReport) -> Picture:
    drawn = bars(
        t("classes_title"),
        [
            (t.of("risk_class", total.tier), in_units(total.out.amount_minor, report.currency))
            for total in report.totals
        ],
        columns=(t("class_name"), t("out")),
        caption=t("classes_help", currency=unit_text(t.language, report.currency)),
    )
    here = t.language
    lines = [
        (t.of("risk_class", total.tier), total.out, total.provision_minor)
        for total in report.totals
    ]
    lines.append((t("unclassified"), report.unclassified, 0))
    return replace(
        drawn,
        columns=(
            (t("class_name"), ""),
            (t("loans"), "n"),
            (t("out"), "n"),
            ("%", "n"),
            (t("set_aside"), "n"),
        ),
        rows=tuple(
            (
                name,
                str(out.loans),
                money_text(here, out.amount_minor, report.currency),
                _share(out.share_bps),
                money_text(here, aside, report.currency),
            )
            for name, out, aside in lines
        ),
        csv_url=_sheet_url(asked, "classes"),
    )


def _concentration_picture(t: Words, asked: Asked, report: ConcentrationReport) -> Picture:
    shown = report.rows[:_ROWS_MOST]
    names = [row.name or t("without") for row in shown]
    drawn = bars(
        t.of("concentration", report.by),
        [(name, row.share_bps / 100) for name, row in zip(names, shown, strict=True)],
        columns=(t.of("concentration", report.by), t("share")),
        text=lambda value: f"{value:g}%",
        caption=t("hhi", index=report.hhi, parts=f"{report.effective_thousandths / 1000:.1f}"),
    )
    return replace(
        drawn,
        columns=(
            (t.of("concentration", report.by), ""),
            (t("loans"), "n"),
            (t("out"), "n"),
            ("%", "n"),
        ),
        rows=tuple(
            (
                name,
                str(row.loans),
                money_text(t.language, row.outstanding_minor, report.currency),
                _share(row.share_bps),
            )
            for name, row in zip(names, shown, strict=True)
        ),
        csv_url=_sheet_url(asked, f"concentration-{report.by.value}"),
    )


def _vintage_picture(t: Words, asked: Asked, report: VintageReport) -> Picture | None:
    """How much of each month's loans was ever late, by the charter's first number of days."""
    if not report.cohorts:
        return None
    days = [each.days for each in report.cohorts[0].ages[0].ever_late]
    drawn = columns_(
        t("vintages_title"),
        [
            (cohort.month, (cohort.ages[-1].ever_late[0].loans.share_bps if days else 0) / 100)
            for cohort in report.cohorts
        ],
        columns=(t("month"), t("share")),
        text=lambda value: f"{value:g}%",
        caption=t("vintages_help", days=days[0] if days else 0),
    )
    return replace(
        drawn,
        columns=(
            (t("month"), ""),
            (t("loans"), "n"),
            (t("paid_out"), "n"),
            (t("age_months"), "n"),
            *((t("ever_over_days", days=number), "n") for number in days),
            (t("written_off"), "n"),
        ),
        rows=tuple(
            (
                cohort.month,
                str(cohort.loans),
                money_text(t.language, cohort.disbursed_minor, report.currency),
                str(cohort.ages[-1].months_on_book),
                *(_share(each.loans.share_bps) for each in cohort.ages[-1].ever_late),
                _share(cohort.ages[-1].written_off.share_bps),
            )
            for cohort in report.cohorts
        ),
        csv_url=_sheet_url(asked, "vintages"),
    )


def _roll_picture(t: Words, asked: Asked, report: RollReport) -> Picture | None:
    """Of each class at the month's begin, how much came into a worse one."""
    if not report.rolls:
        return None
    froms = [state for state in FROM_STATES if any(r.from_state == state for r in report.rolls)]
    worse = dict.fromkeys(froms, 0)
    for roll in report.rolls:
        is_end = roll.to_state == "closed"
        begun = _WORSE.get(roll.from_state, 0)
        if not is_end and _WORSE[roll.to_state] > begun:
            worse[roll.from_state] += roll.loans.share_bps
    drawn = bars(
        t("rolls_title"),
        [(t.of("risk_class", state), worse[state] / 100) for state in froms],
        columns=(t("from_class"), t("share")),
        text=lambda value: f"{value:g}%",
        caption=t("rolls_help", month=asked.month),
    )
    return replace(
        drawn,
        columns=(
            (t("from_class"), ""),
            (t("to_class"), ""),
            (t("loans"), "n"),
            (t("out"), "n"),
            ("%", "n"),
        ),
        rows=tuple(
            (
                t.of("risk_class", roll.from_state),
                t.of("risk_class", roll.to_state),
                str(roll.loans.loans),
                money_text(t.language, roll.loans.amount_minor, report.currency),
                _share(roll.loans.share_bps),
            )
            for roll in report.rolls
        ),
        csv_url=_sheet_url(asked, "roll-rates"),
    )
