"""Reading loans: one loan with all that belongs to it, lists by page, group loans."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.ledger.models import JournalEntry
from community.loans.errors import GroupLoanNotFound, LoanNotFound
from community.loans.history import Debt, owed
from community.loans.models import (
    Charge,
    Disbursement,
    Endorsement,
    GroupLoan,
    Instalment,
    Loan,
    LoanChange,
    LoanStatus,
    LoanStep,
    LoanUse,
    PayeePayment,
    Repayment,
    RepaymentSource,
)
from community.loans.states import LIVE
from community.savings.errors import ReceiptNotFound


@dataclass(frozen=True, slots=True)
class LoanFile:
    """A loan with its schedule, its life so far, and what it owes on a day."""

    loan: Loan
    instalments: Sequence[Instalment]
    steps: Sequence[LoanStep]
    endorsements: Sequence[Endorsement]
    repayments: Sequence[Repayment]
    disbursements: Sequence[Disbursement]
    payee_payments: Sequence[tuple[PayeePayment, LoanUse, JournalEntry]]
    charges: Sequence[Charge]
    changes: Sequence[LoanChange]
    owed: Debt
    on: date


def get_loan(session: Session, public_id: str) -> Loan:
    """A loan by the id that the outside knows. Raises LoanNotFound."""
    loan = session.scalar(select(Loan).where(Loan.public_id == public_id))
    if loan is None:
        raise LoanNotFound()
    return loan


def get_loan_by_id(session: Session, loan_id: int) -> Loan:
    """A loan by its inner id. Raises LoanNotFound."""
    loan = session.get(Loan, loan_id)
    if loan is None:
        raise LoanNotFound()
    return loan


def get_loan_file(session: Session, loan: Loan, on: date) -> LoanFile:
    """Everything on one loan, as of a day; a fixed number of statements."""
    return LoanFile(
        loan=loan,
        instalments=session.scalars(
            select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
        ).all(),
        steps=session.scalars(
            select(LoanStep).where(LoanStep.loan_id == loan.id).order_by(LoanStep.id)
        ).all(),
        endorsements=session.scalars(
            select(Endorsement).where(Endorsement.loan_id == loan.id).order_by(Endorsement.id)
        ).all(),
        repayments=session.scalars(
            select(Repayment).where(Repayment.loan_id == loan.id).order_by(Repayment.id)
        ).all(),
        disbursements=session.scalars(
            select(Disbursement)
            .where(Disbursement.loan_id == loan.id)
            .order_by(Disbursement.number)
        ).all(),
        payee_payments=payee_payments(session, [loan.id]),
        charges=session.scalars(
            select(Charge).where(Charge.loan_id == loan.id).order_by(Charge.id)
        ).all(),
        changes=session.scalars(
            select(LoanChange).where(LoanChange.loan_id == loan.id).order_by(LoanChange.id)
        ).all(),
        owed=owed(session, loan=loan, on=on),
        on=on,
    )


def payee_payments(
    session: Session, loan_ids: Collection[int]
) -> list[tuple[PayeePayment, LoanUse, JournalEntry]]:
    """What of loans went straight to payees, with the use that names each and the entry; in
    order.
    """
    rows = session.execute(
        select(PayeePayment, LoanUse, JournalEntry)
        .join(JournalEntry, JournalEntry.id == PayeePayment.entry_id)
        .join(LoanUse, LoanUse.id == PayeePayment.use_id)
        .where(LoanUse.loan_id.in_(loan_ids))
        .order_by(PayeePayment.disbursement_id, PayeePayment.number)
    )
    return [(paid, use, entry) for paid, use, entry in rows]


def list_loans(
    *,
    borrower_id: int | None = None,
    community_ids: Collection[int] | None = None,
    statuses: Collection[LoanStatus] = (),
) -> Select[Loan]:
    """Loans of a borrower, of communities, in some statuses; page by Loan.id."""
    query = select(Loan)
    if borrower_id is not None:
        query = query.where(Loan.borrower_id == borrower_id)
    if community_ids is not None:
        query = query.where(Loan.community_id.in_(community_ids))
    if statuses:
        query = query.where(Loan.status.in_(statuses))
    return query


def get_group_loan(session: Session, public_id: str) -> GroupLoan:
    """A group loan by the id that the outside knows. Raises GroupLoanNotFound."""
    group_loan = session.scalar(select(GroupLoan).where(GroupLoan.public_id == public_id))
    if group_loan is None:
        raise GroupLoanNotFound()
    return group_loan


def get_group_loan_by_id(session: Session, group_loan_id: int) -> GroupLoan:
    """A group loan by its inner id. Raises GroupLoanNotFound."""
    group_loan = session.get(GroupLoan, group_loan_id)
    if group_loan is None:
        raise GroupLoanNotFound()
    return group_loan


def list_shares(session: Session, group_loan_id: int) -> list[Loan]:
    """The shares of a group loan, by id."""
    return list(
        session.scalars(select(Loan).where(Loan.group_loan_id == group_loan_id).order_by(Loan.id))
    )


def repayments_of(loan_id: int) -> Select[Repayment]:
    """The receipts of a loan; page by Repayment.id."""
    return select(Repayment).where(Repayment.loan_id == loan_id)


def get_receipt(session: Session, public_id: str) -> Repayment:
    """A receipt by its number. Raises ReceiptNotFound; a write-off is no receipt."""
    receipt = session.scalar(
        select(Repayment).where(
            Repayment.public_id == public_id, Repayment.source != RepaymentSource.WRITE_OFF
        )
    )
    if receipt is None:
        raise ReceiptNotFound()
    return receipt


def seasons_in_use(session: Session, season_ids: Collection[int]) -> frozenset[int]:
    """Those of the seasons on which a loan or an application rests."""
    if not season_ids:
        return frozenset()
    return frozenset(
        session.scalars(select(Loan.season_id).where(Loan.season_id.in_(season_ids)).distinct())
    )


def endorser_ids(session: Session, loan_ids: Collection[int]) -> frozenset[int]:
    """Who has given their word for one of these loans."""
    return frozenset(
        session.scalars(
            select(Endorsement.endorser_id).where(Endorsement.loan_id.in_(loan_ids)).distinct()
        )
    )


def endorsers_of(session: Session, loan_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """The same by loan."""
    found: dict[int, set[int]] = {loan_id: set() for loan_id in loan_ids}
    for loan_id, member_id in session.execute(
        select(Endorsement.loan_id, Endorsement.endorser_id).where(
            Endorsement.loan_id.in_(loan_ids)
        )
    ):
        found[loan_id].add(member_id)
    return {loan_id: frozenset(ids) for loan_id, ids in found.items()}


def list_group_loans(group_id: int) -> Select[GroupLoan]:
    """The loans of a group; page by GroupLoan.id."""
    return select(GroupLoan).where(GroupLoan.group_id == group_id)


def group_loan_public_ids(session: Session, ids: Iterable[int | None]) -> dict[int, str]:
    """Public ids of group loans by id; one statement, none if there is nothing to ask."""
    wanted = {group_loan_id for group_loan_id in ids if group_loan_id is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(GroupLoan.id, GroupLoan.public_id).where(GroupLoan.id.in_(wanted))
    )
    return dict(rows.all())


@dataclass(frozen=True, slots=True)
class LoanDues:
    """What a loan asks for, seen from a day. `oldest_due_on` is the first that is unpaid."""

    past_due_minor: int
    due_today_minor: int
    oldest_due_on: date | None
    next_due_on: date | None  # after the day
    next_due_minor: int
    owed_minor: int

    @property
    def due_minor(self) -> int:
        """What is to be paid by the end of the day."""
        return self.past_due_minor + self.due_today_minor


def find_loans(session: Session, public_ids: Collection[str]) -> dict[str, Loan]:
    """Loans by public id; ids that do not exist are absent. One statement a few thousand ids."""
    rows = select_by(session, select(Loan), Loan.public_id, public_ids)
    return {loan.public_id: loan for (loan,) in rows}


def live_loans(
    session: Session, *, community_id: int, borrower_ids: Collection[int]
) -> dict[int, list[Loan]]:
    """The loans on which borrowers owe the lender in a community, by borrower, oldest first."""
    query = (
        select(Loan)
        .where(Loan.community_id == community_id, Loan.status.in_(LIVE))
        .order_by(Loan.id)
    )
    found: dict[int, list[Loan]] = {}
    for (loan,) in select_by(session, query, Loan.borrower_id, borrower_ids):
        found.setdefault(loan.borrower_id, []).append(loan)
    return found


def dues_of(session: Session, loans: Collection[Loan], on: date) -> dict[int, LoanDues]:
    """What live loans ask for, seen from a day, by loan id. Statements do not grow with loans."""
    query = (
        select(Instalment)
        .order_by(Instalment.loan_id, Instalment.number)
        .execution_options(populate_existing=True)
    )
    rows: dict[int, list[Instalment]] = {loan.id: [] for loan in loans}
    for (row,) in select_by(session, query, Instalment.loan_id, rows.keys()):
        rows[row.loan_id].append(row)
    return {loan.id: _dues(rows[loan.id], on, loan.accelerated_on) for loan in loans}


def _dues(rows: Sequence[Instalment], on: date, accelerated_on: date | None) -> LoanDues:
    # Acceleration makes everything due on its day.
    last = accelerated_on or date.max
    unpaid = [
        (min(row.due_on, last), row.due_minor - row.paid_minor)
        for row in rows
        if row.paid_minor < row.due_minor
    ]
    later = min((day for day, _ in unpaid if day > on), default=None)
    return LoanDues(
        past_due_minor=sum(minor for day, minor in unpaid if day < on),
        due_today_minor=sum(minor for day, minor in unpaid if day == on),
        oldest_due_on=min((day for day, _ in unpaid), default=None),
        next_due_on=later,
        next_due_minor=sum(minor for day, minor in unpaid if day == later),
        owed_minor=sum(minor for _, minor in unpaid),
    )


def loans_by_id(session: Session, loan_ids: Iterable[int]) -> dict[int, Loan]:
    """Loans by inner id; one statement."""
    rows = session.scalars(select(Loan).where(Loan.id.in_(set(loan_ids))))
    return {loan.id: loan for loan in rows}


def public_ids(session: Session, loan_ids: Iterable[int | None]) -> dict[int, str]:
    """Public ids of loans by inner id; one statement."""
    wanted = {loan_id for loan_id in loan_ids if loan_id is not None}
    rows = session.execute(select(Loan.id, Loan.public_id).where(Loan.id.in_(wanted)))
    return dict(rows.all())
