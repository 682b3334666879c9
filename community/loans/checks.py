"""Proving loans: laws 1, 3 and 5 as far as loans, their schedules and receipts can show them."""

from collections.abc import Iterator

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Posting
from community.loans.models import (
    GroupLoan,
    Instalment,
    Loan,
    LoanStep,
    Repayment,
    RepaymentSource,
)
from community.loans.states import ALLOWED, DISBURSED, ENDED


def check_loans(session: Session) -> Iterator[Breach]:
    """Every figure on a loan follows from its schedule, its receipts and the books."""
    yield from _principal_adds_up(session)
    yield from _books_agree(session)
    yield from _schedules_add_up(session)
    yield from _group_loans_add_up(session)
    yield from _lives_follow_the_table(session)


def _principal_adds_up(session: Session) -> Iterator[Breach]:
    """Outstanding is principal less what was paid and what was given up."""
    is_write_off = Repayment.source == RepaymentSource.WRITE_OFF
    received = (
        select(
            Repayment.loan_id,
            func.sum(case((is_write_off, 0), else_=Repayment.principal_minor)).label("principal"),
            func.sum(case((is_write_off, 0), else_=Repayment.interest_minor)).label("interest"),
            func.sum(case((is_write_off, Repayment.principal_minor), else_=0)).label("given_up"),
            func.sum(Repayment.recovered_minor).label("recovered"),
        )
        .group_by(Repayment.loan_id)
        .subquery()
    )
    paid = (
        select(
            Instalment.loan_id,
            func.sum(Instalment.paid_principal_minor).label("principal"),
            func.sum(Instalment.paid_interest_minor).label("interest"),
        )
        .group_by(Instalment.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Loan,
            func.coalesce(received.c.principal, 0),
            func.coalesce(received.c.interest, 0),
            func.coalesce(received.c.given_up, 0),
            func.coalesce(received.c.recovered, 0),
            func.coalesce(paid.c.principal, 0),
            func.coalesce(paid.c.interest, 0),
        )
        .outerjoin(received, received.c.loan_id == Loan.id)
        .outerjoin(paid, paid.c.loan_id == Loan.id)
        .order_by(Loan.id)
        .execution_options(yield_per=500)
    )
    for loan, principal, interest, given_up, recovered, row_principal, row_interest in rows:
        disbursed = loan.principal_minor if loan.status in DISBURSED else 0
        left = disbursed - principal - given_up
        if loan.outstanding_minor != left:
            yield _breach(5, loan, f"has {loan.outstanding_minor} outstanding, receipts say {left}")
        if loan.written_off_minor != given_up:
            what = f"says {loan.written_off_minor} written off, its records say {given_up}"
            yield _breach(5, loan, what)
        if (row_principal, row_interest) != (principal, interest):
            yield _breach(
                5,
                loan,
                f"instalments were paid {row_principal} + {row_interest}, "
                f"receipts say {principal} + {interest}",
            )
        if recovered > loan.written_off_minor:
            yield _breach(4, loan, f"{recovered} recovered of {loan.written_off_minor} written off")


def _books_agree(session: Session) -> Iterator[Breach]:
    """What a loan has outstanding is what the receivables hold for it."""
    held = (
        select(Posting.loan_id, func.sum(Posting.amount_minor).label("minor"))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.LOAN_PRINCIPAL)
        .group_by(Posting.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(Loan, func.coalesce(held.c.minor, 0))
        .outerjoin(held, held.c.loan_id == Loan.id)
        .where(Loan.outstanding_minor != func.coalesce(held.c.minor, 0))
        .order_by(Loan.id)
    )
    for loan, minor in rows:
        yield _breach(
            1, loan, f"has {loan.outstanding_minor} outstanding, the books hold {minor} for it"
        )
    orphans = session.scalar(
        select(func.sum(Posting.amount_minor))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.LOAN_PRINCIPAL, Posting.loan_id.is_(None))
    )
    if orphans:
        yield Breach(1, "postings", "loan_principal", f"{orphans} stand for no loan")


def _schedules_add_up(session: Session) -> Iterator[Breach]:
    """The instalments of a loan that was paid out sum to its principal; others have none."""
    sums = (
        select(Instalment.loan_id, func.sum(Instalment.principal_minor).label("principal"))
        .group_by(Instalment.loan_id)
        .subquery()
    )
    expected = case((Loan.status.in_(DISBURSED), Loan.principal_minor), else_=0)
    rows = session.execute(
        select(Loan, func.coalesce(sums.c.principal, 0))
        .outerjoin(sums, sums.c.loan_id == Loan.id)
        .where(func.coalesce(sums.c.principal, 0) != expected)
        .order_by(Loan.id)
    )
    for loan, total in rows:
        yield _breach(5, loan, f"is of {loan.principal_minor}, its instalments sum to {total}")


def _group_loans_add_up(session: Session) -> Iterator[Breach]:
    """A group loan is the sum of its shares."""
    sums = (
        select(
            Loan.group_loan_id,
            func.sum(Loan.principal_minor).label("total"),
        )
        .where(Loan.group_loan_id.is_not(None))
        .group_by(Loan.group_loan_id)
        .subquery()
    )
    rows = session.execute(
        select(GroupLoan, func.coalesce(sums.c.total, 0))
        .outerjoin(sums, sums.c.group_loan_id == GroupLoan.id)
        .where(GroupLoan.total_minor != func.coalesce(sums.c.total, 0))
        .order_by(GroupLoan.id)
    )
    for group_loan, total in rows:
        what = f"is of {group_loan.total_minor}, its shares sum to {total}"
        yield Breach(5, "group_loans", group_loan.public_id, what)


def _lives_follow_the_table(session: Session) -> Iterator[Breach]:
    """Every step starts where the one before ended, is one of the table's, and the last counts."""
    before = func.lag(LoanStep.to_status).over(partition_by=LoanStep.loan_id, order_by=LoanStep.id)
    steps = session.execute(
        select(LoanStep, before).order_by(LoanStep.id).execution_options(yield_per=500)
    )
    for step, previous in steps:
        if step.from_status != previous:
            what = f"starts at {step.from_status}, the step before ended at {previous}"
            yield Breach(7, "loan_steps", str(step.id), what)
        elif step.from_status is not None and step.to_status not in ALLOWED[step.from_status]:
            what = f"goes from {step.from_status} to {step.to_status}"
            yield Breach(7, "loan_steps", str(step.id), what)
    last = (
        select(LoanStep.loan_id, func.max(LoanStep.id).label("step_id"))
        .group_by(LoanStep.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(Loan, LoanStep.to_status)
        .outerjoin(last, last.c.loan_id == Loan.id)
        .outerjoin(LoanStep, LoanStep.id == last.c.step_id)
        .where((LoanStep.id.is_(None)) | (LoanStep.to_status != Loan.status))
        .order_by(Loan.id)
    )
    for loan, reached in rows:
        yield _breach(7, loan, f"is {loan.status}, its last step reached {reached}")
    ended = session.scalars(
        select(Loan)
        .where((Loan.status.in_(ENDED)) != (Loan.ended_on.is_not(None)))
        .order_by(Loan.id)
    )
    for loan in ended:
        yield _breach(7, loan, f"is {loan.status} but ended_on is {loan.ended_on}")


def _breach(law: int, loan: Loan, what: str) -> Breach:
    return Breach(law, "loans", loan.public_id, what)
