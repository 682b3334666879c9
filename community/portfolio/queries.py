"""Reading classes: one loan's with its history, and a community's by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session

from community.communities.charter import CharterRules, RiskClass
from community.communities.models import Charter, Community
from community.loans.models import Loan, LoanPosition
from community.portfolio.classes import NON_PERFORMING, TIERS, Reason, non_accrual_classes
from community.portfolio.figures import IS_LIVE, at_or_below
from community.portfolio.measures import Part, part, share_bps
from community.portfolio.models import LoanClass, LoanClassChange


@dataclass(frozen=True, slots=True)
class LoanClassFile:
    """The class of one loan and how it came to it, newest change first, each with its charter.

    `current` is None as long as the loan was never classified.
    """

    loan: Loan
    current: LoanClass | None
    changes: Sequence[tuple[LoanClassChange, Charter]]

    def days_overdue(self, on: date) -> int:
        """How late the loan is on a day, by what was known when loans were last classified."""
        since = self.current.overdue_since_on if self.current is not None else None
        return max((on - since).days, 0) if since is not None else 0

    def reasons(self, on: date) -> list[dict[str, Any]]:
        """Why the loan is in its class: those of its last change, or that it never had one."""
        if self.changes:
            return self.changes[0][0].reasons
        if self.current is None:
            return []
        days = self.days_overdue(on)
        always = Reason("class_days", RiskClass.NORMAL, (("days_overdue", days),))
        return [always.to_document()]


@dataclass(frozen=True, slots=True)
class ClassTotal:
    """The loans of one class: how many, what is out, what is set aside for them."""

    tier: RiskClass
    out: Part
    provision_minor: int


@dataclass(frozen=True, slots=True)
class ClassReport:
    """A community's loans, and those of the communities inside it, by class."""

    currency: str
    totals: tuple[ClassTotal, ...]
    # Out, but not classified yet: paid out since the last business day.
    unclassified: Part
    loans: int
    outstanding_minor: int
    provision_minor: int
    non_performing: Part
    # What is set aside as a share of what does not perform.
    coverage_bps: int


def has_portfolio(session: Session, community_id: int) -> bool:
    """Whether a community has a loan out, or one that it has not let go of: any work for a day."""
    position, held = LoanPosition, LoanClass
    is_set_aside = held.provision_minor != literal_column("0")
    return bool(
        session.scalar(
            select(
                or_(
                    exists().where(position.community_id == community_id),
                    exists().where(held.community_id == community_id, held.left_on.is_(None)),
                    exists().where(
                        held.community_id == community_id, held.left_on.is_not(None), is_set_aside
                    ),
                )
            )
        )
    )


def loan_class_file(session: Session, loan: Loan) -> LoanClassFile:
    """A loan's class and its whole history; two statements."""
    changes = session.execute(
        select(LoanClassChange, Charter)
        .join(Charter, Charter.id == LoanClassChange.charter_id)
        .where(LoanClassChange.loan_id == loan.id)
        .order_by(LoanClassChange.id.desc())
    )
    return LoanClassFile(
        loan=loan,
        current=session.get(LoanClass, loan.id),
        changes=[(change, charter) for change, charter in changes],
    )


def class_report(session: Session, *, community: Community) -> ClassReport:
    """What is out by class, as loans were last classified; amounts are those of this moment."""
    rows = session.execute(
        select(
            LoanClass.risk_class,
            func.count(),
            func.sum(Loan.outstanding_minor),
            func.coalesce(func.sum(LoanClass.provision_minor), 0),
        )
        .select_from(Loan)
        .outerjoin(LoanClass, LoanClass.loan_id == Loan.id)
        .where(IS_LIVE, at_or_below(community))
        .group_by(LoanClass.risk_class)
    )
    found: dict[RiskClass | None, tuple[int, int, int]] = {
        tier: (loans, int(minor), int(provision)) for tier, loans, minor, provision in rows
    }
    whole = sum(minor for _, minor, _ in found.values())
    provision = sum(provision for _, _, provision in found.values())
    totals = []
    for tier in TIERS:
        loans, minor, set_aside = found.get(tier, (0, 0, 0))
        totals.append(ClassTotal(tier, part(loans, minor, whole), set_aside))
    bad = [total.out for total in totals if total.tier in NON_PERFORMING]
    non_performing = part(
        sum(each.loans for each in bad), sum(each.amount_minor for each in bad), whole
    )
    new_loans, new_minor, _ = found.get(None, (0, 0, 0))
    return ClassReport(
        currency=community.currency,
        totals=tuple(totals),
        unclassified=part(new_loans, new_minor, whole),
        loans=sum(loans for loans, _, _ in found.values()),
        outstanding_minor=whole,
        provision_minor=provision,
        non_performing=non_performing,
        coverage_bps=share_bps(provision, non_performing.amount_minor),
    )


def non_accrual_loan_ids(community_id: int, rules: CharterRules) -> Select[int]:
    """Loans of a community on which interest is not counted as earned before it is paid."""
    return select(LoanClass.loan_id).where(
        LoanClass.community_id == community_id,
        LoanClass.risk_class.in_(non_accrual_classes(rules)),
    )
