"""Reports as the schemas show them, and as tables."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from community.money import Money, format_minor
from community.portfolio.at_risk import RiskReport, RiskRow
from community.portfolio.measures import Part
from community.portfolio.queries import ClassReport, LoanClassFile
from community.portfolio.rolls import RollReport
from community.portfolio.vintages import VintageReport

Cell = str | int | None


def risk_view(report: RiskReport) -> dict[str, Any]:
    """A PAR report."""

    def row_view(row: RiskRow) -> dict[str, Any]:
        return {
            "key": row.key,
            "name": row.name,
            "loans": row.loans,
            "outstanding": Money(row.outstanding_minor, report.currency),
            "restructured": _part(row.restructured, report.currency),
            "at_risk": [
                {"days": each.days, **_part(each.out, report.currency)} for each in row.at_risk
            ],
        }

    return {
        "on": report.on,
        "basis": report.basis,
        "charter_version": report.charter_version,
        "total": row_view(report.total),
        "by": report.by,
        "items": [row_view(row) for row in report.rows],
    }


def risk_table(report: RiskReport) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a row and a last one for the whole."""
    days = [each.days for each in report.total.at_risk]
    columns = ["on", "key", "name", "currency", "loans", "outstanding"]
    for name in ("restructured", *(f"par_{number}" for number in days)):
        columns += [f"{name}_loans", f"{name}_amount", f"{name}_share_bps"]

    def lines() -> Iterator[list[Cell]]:
        for row in (*report.rows, report.total):
            name = "total" if row is report.total else row.name
            line: list[Cell] = [report.on.isoformat(), row.key, name, report.currency, row.loans]
            line.append(format_minor(row.outstanding_minor, report.currency))
            for each in (row.restructured, *(late.out for late in row.at_risk)):
                line += _cells(each, report.currency)
            yield line

    return columns, lines()


def vintage_view(report: VintageReport) -> dict[str, Any]:
    """A report of cohorts."""
    return {
        "until": report.until,
        "charter_version": report.charter_version,
        "items": [
            {
                "month": cohort.month,
                "loans": cohort.loans,
                "disbursed": Money(cohort.disbursed_minor, report.currency),
                "ages": [
                    {
                        "months_on_book": age.months_on_book,
                        "ever_late": [
                            {"days": each.days, **_part(each.loans, report.currency)}
                            for each in age.ever_late
                        ],
                        "written_off": _part(age.written_off, report.currency),
                    }
                    for age in cohort.ages
                ],
            }
            for cohort in report.cohorts
        ],
    }


def vintage_table(report: VintageReport) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line for each cohort at each age."""
    columns = ["month", "currency", "loans", "disbursed", "months_on_book"]
    days = [each.days for each in report.cohorts[0].ages[0].ever_late] if report.cohorts else []
    for name in (*(f"ever_{number}" for number in days), "written_off"):
        columns += [f"{name}_loans", f"{name}_amount", f"{name}_share_bps"]

    def lines() -> Iterator[list[Cell]]:
        for cohort in report.cohorts:
            disbursed = format_minor(cohort.disbursed_minor, report.currency)
            for age in cohort.ages:
                line: list[Cell] = [cohort.month, report.currency, cohort.loans, disbursed]
                line.append(age.months_on_book)
                for each in (*(late.loans for late in age.ever_late), age.written_off):
                    line += _cells(each, report.currency)
                yield line

    return columns, lines()


def roll_view(report: RollReport) -> dict[str, Any]:
    """A report of moves between classes."""
    return {
        "from_on": report.from_on,
        "to_on": report.to_on,
        "items": [
            {
                "from_state": roll.from_state,
                "to_state": roll.to_state,
                **_part(roll.loans, report.currency),
            }
            for roll in report.rolls
        ],
    }


def roll_table(report: RollReport) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a move."""
    columns = ["from_on", "to_on", "from", "to", "currency", "loans", "amount", "share_bps"]
    return columns, (
        [
            report.from_on.isoformat(),
            report.to_on.isoformat(),
            roll.from_state,
            roll.to_state,
            report.currency,
            *_cells(roll.loans, report.currency),
        ]
        for roll in report.rolls
    )


def class_view(report: ClassReport) -> dict[str, Any]:
    """A report of classes."""
    return {
        "items": [
            {
                "tier": total.tier,
                "provision": Money(total.provision_minor, report.currency),
                **_part(total.out, report.currency),
            }
            for total in report.totals
        ],
        "unclassified": _part(report.unclassified, report.currency),
        "loans": report.loans,
        "outstanding": Money(report.outstanding_minor, report.currency),
        "provision": Money(report.provision_minor, report.currency),
        "non_performing": _part(report.non_performing, report.currency),
        "coverage_bps": report.coverage_bps,
    }


def class_table(report: ClassReport) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a class, and one for what has none yet."""
    columns = ["class", "currency", "loans", "amount", "share_bps", "provision"]

    def lines() -> Iterator[list[Cell]]:
        for total in report.totals:
            provision = format_minor(total.provision_minor, report.currency)
            cells = _cells(total.out, report.currency)
            yield [total.tier.value, report.currency, *cells, provision]
        cells = _cells(report.unclassified, report.currency)
        yield ["unclassified", report.currency, *cells, format_minor(0, report.currency)]

    return columns, lines()


def loan_class_view(
    file: LoanClassFile, on: date, currency: str, *, with_provision: bool
) -> dict[str, Any]:
    """One loan's class with its history."""
    row = file.current
    shown = with_provision and row is not None
    return {
        "loan": file.loan.public_id,
        "risk_class": row.risk_class if row is not None else None,
        "own_class": row.own_class if row is not None else None,
        "since_on": row.since_on if row is not None else None,
        "days_overdue": file.days_overdue(on),
        "clean_since_on": row.clean_since_on if row is not None else None,
        "left_on": row.left_on if row is not None else None,
        "provision": Money(row.provision_minor, currency) if shown and row is not None else None,
        "reasons": file.reasons(on),
        "history": [
            {
                "from_class": change.from_class,
                "to_class": change.to_class,
                "changed_on": change.changed_on,
                "reasons": change.reasons,
                "charter_version": charter.version,
            }
            for change, charter in file.changes
        ],
    }


def _part(part: Part, currency: str) -> dict[str, Any]:
    return {
        "loans": part.loans,
        "amount": Money(part.amount_minor, currency),
        "share_bps": part.share_bps,
    }


def _cells(part: Part, currency: str) -> list[Cell]:
    return [part.loans, format_minor(part.amount_minor, currency), part.share_bps]
