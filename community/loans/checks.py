"""Proving loans: laws 1, 3 and 5 as far as loans, their schedules and receipts can show them."""

from collections.abc import Iterator

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Posting
from community.loans.history import derive, instalments_of
from community.loans.models import (
    Disbursement,
    GroupLoan,
    Instalment,
    Loan,
    LoanStatus,
    LoanStep,
    Repayment,
    RepaymentSource,
)
from community.loans.states import ALLOWED, ENDED, LIVE

_PARTS = ("principal", "interest", "fee", "penalty")
_DUE = tuple(f"{part}_minor" for part in _PARTS)
_PAID = tuple(f"paid_{part}_minor" for part in _PARTS)


def check_loans(session: Session) -> Iterator[Breach]:
    """Every figure on a loan follows from its schedule, its receipts and the books."""
    yield from _receipts_add_up(session)
    yield from _histories_hold(session)
    yield from _books_agree(session)
    yield from _schedules_add_up(session)
    yield from _group_loans_add_up(session)
    yield from _lives_follow_the_table(session)


def _receipts_add_up(session: Session) -> Iterator[Breach]:
    """What is outstanding, and what was paid of every instalment, is what the receipts say."""
    is_write_off = Repayment.source == RepaymentSource.WRITE_OFF
    received = (
        select(
            Repayment.loan_id,
            *(
                func.sum(case((is_write_off, 0), else_=getattr(Repayment, f"{part}_minor"))).label(
                    part
                )
                for part in _PARTS
            ),
            func.sum(case((is_write_off, Repayment.principal_minor), else_=0)).label("given_up"),
            func.sum(Repayment.recovered_minor).label("recovered"),
        )
        .where(Repayment.reversed_on.is_(None))
        .group_by(Repayment.loan_id)
        .subquery()
    )
    paid = (
        select(
            Instalment.loan_id,
            *(func.sum(getattr(Instalment, f"paid_{part}_minor")).label(part) for part in _PARTS),
        )
        .group_by(Instalment.loan_id)
        .subquery()
    )
    out = (
        select(Disbursement.loan_id, func.sum(Disbursement.amount_minor).label("minor"))
        .group_by(Disbursement.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(
            Loan,
            func.coalesce(out.c.minor, 0),
            func.coalesce(received.c.given_up, 0),
            func.coalesce(received.c.recovered, 0),
            *(func.coalesce(received.c[part], 0) for part in _PARTS),
            *(func.coalesce(paid.c[part], 0) for part in _PARTS),
        )
        .outerjoin(out, out.c.loan_id == Loan.id)
        .outerjoin(received, received.c.loan_id == Loan.id)
        .outerjoin(paid, paid.c.loan_id == Loan.id)
        .order_by(Loan.id)
        .execution_options(yield_per=500)
    )
    for loan, disbursed, given_up, recovered, *parts in rows:
        by_receipts, by_rows = parts[: len(_PARTS)], parts[len(_PARTS) :]
        if loan.disbursed_minor != disbursed:
            what = f"says {loan.disbursed_minor} paid out, its tranches say {disbursed}"
            yield _breach(5, loan, what)
        left = disbursed - by_receipts[0] - given_up
        if loan.outstanding_minor != left:
            yield _breach(5, loan, f"has {loan.outstanding_minor} outstanding, receipts say {left}")
        if loan.written_off_minor != given_up:
            what = f"says {loan.written_off_minor} written off, its records say {given_up}"
            yield _breach(5, loan, what)
        if by_receipts != by_rows:
            yield _breach(
                5,
                loan,
                f"instalments were paid {' + '.join(map(str, by_rows))}, "
                f"receipts say {' + '.join(map(str, by_receipts))}",
            )
        if recovered > loan.written_off_minor:
            yield _breach(4, loan, f"{recovered} recovered of {loan.written_off_minor} written off")


def _histories_hold(session: Session) -> Iterator[Breach]:
    """Running loans stand as the replay of all that happened to them says, row by row."""
    loans = session.scalars(
        select(Loan).where(Loan.status.in_(LIVE)).order_by(Loan.id).execution_options(yield_per=200)
    )
    for loan in loans:
        rows = instalments_of(session, loan.id)
        if loan.worked_out_on is None:
            yield _breach(5, loan, "runs and was never worked out")
            continue
        state = derive(session, loan=loan, on=loan.worked_out_on)
        told = [(row.number, row.due_on, *row.due, *row.paid) for row in state.rows]
        kept = [
            (row.number, row.due_on, *(getattr(row, name) for name in (*_DUE, *_PAID)))
            for row in rows
        ]
        if told != kept:
            first = next(
                (number for number, pair in enumerate(zip(told, kept, strict=False), start=1)
                 if pair[0] != pair[1]),
                min(len(told), len(kept)) + 1,
            )  # fmt: skip
            yield _breach(5, loan, f"its instalment {first} is not what its history says")


def _books_agree(session: Session) -> Iterator[Breach]:
    """What a loan has outstanding, in fees and penalties too, is what the books hold for it."""
    unpaid = (
        select(
            Instalment.loan_id,
            func.sum(Instalment.fee_minor - Instalment.paid_fee_minor).label("fee"),
            func.sum(Instalment.penalty_minor - Instalment.paid_penalty_minor).label("penalty"),
        )
        .join(Loan, Loan.id == Instalment.loan_id)
        # Written off, what was not paid of them was let go.
        .where(Loan.status != LoanStatus.WRITTEN_OFF)
        .group_by(Instalment.loan_id)
        .subquery()
    )
    for kind, owed in (
        (AccountKind.LOAN_PRINCIPAL, Loan.outstanding_minor),
        (AccountKind.FEE_RECEIVABLE, func.coalesce(unpaid.c.fee, 0)),
        (AccountKind.PENALTY_RECEIVABLE, func.coalesce(unpaid.c.penalty, 0)),
    ):
        held = (
            select(Posting.loan_id, func.sum(Posting.amount_minor).label("minor"))
            .join(Account, Account.id == Posting.account_id)
            .where(Account.kind == kind)
            .group_by(Posting.loan_id)
            .subquery()
        )
        rows = session.execute(
            select(Loan, owed, func.coalesce(held.c.minor, 0))
            .outerjoin(held, held.c.loan_id == Loan.id)
            .outerjoin(unpaid, unpaid.c.loan_id == Loan.id)
            .where(owed != func.coalesce(held.c.minor, 0))
            .order_by(Loan.id)
        )
        for loan, left, minor in rows:
            yield _breach(1, loan, f"owes {left}, the books hold {minor} of {kind.value} for it")
        orphans = session.scalar(
            select(func.sum(Posting.amount_minor))
            .join(Account, Account.id == Posting.account_id)
            .where(Account.kind == kind, Posting.loan_id.is_(None))
        )
        if orphans:
            yield Breach(1, "postings", kind.value, f"{orphans} stand for no loan")


def _schedules_add_up(session: Session) -> Iterator[Breach]:
    """The instalments of a loan sum to what was paid out on it."""
    sums = (
        select(Instalment.loan_id, func.sum(Instalment.principal_minor).label("principal"))
        .group_by(Instalment.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(Loan, func.coalesce(sums.c.principal, 0))
        .outerjoin(sums, sums.c.loan_id == Loan.id)
        .where(func.coalesce(sums.c.principal, 0) != Loan.disbursed_minor)
        .order_by(Loan.id)
    )
    for loan, total in rows:
        what = f"had {loan.disbursed_minor} paid out, its instalments sum to {total}"
        yield _breach(5, loan, what)


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
