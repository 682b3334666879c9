"""Proving loans: laws 1, 3 and 5 as far as loans, their schedules and receipts can show them."""

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book, JournalEntry, Posting
from community.loans.history import derive, instalments_of
from community.loans.models import (
    AccrualLine,
    Disbursement,
    GroupLoan,
    Instalment,
    Loan,
    LoanPosition,
    LoanStatus,
    LoanStep,
    LoanUse,
    PayeePayment,
    Repayment,
    RepaymentSource,
)
from community.loans.states import ALLOWED, ENDED, LIVE
from community.members.models import Member

# The kind of an entry some of whose money went straight to payees.
PAID_TO_PAYEES = "loan.paid_to_payees"
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
    yield from _positions_are_derived(session)
    yield from _receivables_are_in_the_books(session)
    yield from _lines_sum_to_their_entries(session)
    yield from _payees_are_of_their_disbursements(session)


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


def _positions_are_derived(session: Session) -> Iterator[Breach]:
    """Law 5. Live loans have a position; each is worked out again here, row by row."""
    lost = session.scalars(
        select(Loan)
        .outerjoin(LoanPosition, LoanPosition.loan_id == Loan.id)
        .where(Loan.status.in_(LIVE), LoanPosition.loan_id.is_(None))
        .order_by(Loan.id)
    )
    for loan in lost:
        yield _breach(5, loan, "is live and has no position")
    rows = session.execute(
        select(Loan, LoanPosition)
        .join(LoanPosition, LoanPosition.loan_id == Loan.id)
        .order_by(Loan.id)
        .execution_options(yield_per=500)
    )
    for batch in rows.partitions():
        schedules: dict[int, list[Instalment]] = {}
        for row in session.scalars(
            select(Instalment)
            .where(Instalment.loan_id.in_([loan.id for loan, _ in batch]))
            .order_by(Instalment.loan_id, Instalment.number)
        ):
            schedules.setdefault(row.loan_id, []).append(row)
        for loan, position in batch:
            expected = _derived(loan, schedules.get(loan.id, []), position.running_from_on)
            for name, value in expected.items():
                held = getattr(position, name)
                if held != value:
                    what = f"{name} is {held}, the loan's rows say {value}"
                    yield Breach(5, "loan_positions", str(loan.id), what)


def _derived(loan: Loan, rows: Sequence[Instalment], on: date) -> dict[str, object]:
    """A position's columns as of a day: the plain way, for the check of the set-based one."""
    ends = loan.accelerated_on or date.max
    assert loan.disbursed_on is not None
    bearing = [row for row in rows if row.due_on <= ends]
    ended = [row for row in bearing if row.due_on <= on]
    from_on = max((row.due_on for row in ended), default=loan.disbursed_on)
    later = [row.due_on for row in bearing if row.due_on > max(on, loan.disbursed_on)]
    until_on = min(later, default=None)
    unpaid = [
        min(row.due_on, ends)
        for row in rows
        if row.principal_minor > row.paid_principal_minor
        or (row.due_on <= ends and row.interest_minor > row.paid_interest_minor)
        or row.fee_minor > row.paid_fee_minor
        or row.penalty_minor > row.paid_penalty_minor
    ]
    return {
        "community_id": loan.community_id,
        "is_live": loan.status in LIVE,
        "outstanding_minor": loan.outstanding_minor,
        "paid_interest_minor": sum(row.paid_interest_minor for row in rows),
        "earned_before_minor": sum(row.interest_minor for row in ended),
        "running_from_on": from_on,
        "running_until_on": until_on,
        "running_days": 1 if until_on is None else (until_on - from_on).days,
        "running_interest_minor": sum(
            row.interest_minor for row in bearing if row.due_on == until_on
        ),
        "oldest_due_on": min(unpaid, default=None),
    }


def _receivables_are_in_the_books(session: Session) -> Iterator[Breach]:
    """Law 1. A loan's receivable interest is its accrual lines and what postings moved since."""
    booked = (
        select(AccrualLine.loan_id, func.sum(AccrualLine.amount_minor).label("minor"))
        .group_by(AccrualLine.loan_id)
        .subquery()
    )
    moved = (
        select(Posting.loan_id, func.sum(Posting.amount_minor).label("minor"))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.INTEREST_RECEIVABLE, Posting.loan_id.is_not(None))
        .group_by(Posting.loan_id)
        .subquery()
    )
    in_books = func.coalesce(booked.c.minor, 0) + func.coalesce(moved.c.minor, 0)
    rows = session.execute(
        select(Loan, func.coalesce(LoanPosition.receivable_minor, 0), in_books)
        .outerjoin(LoanPosition, LoanPosition.loan_id == Loan.id)
        .outerjoin(booked, booked.c.loan_id == Loan.id)
        .outerjoin(moved, moved.c.loan_id == Loan.id)
        .where(func.coalesce(LoanPosition.receivable_minor, 0) != in_books)
        .order_by(Loan.id)
    )
    for loan, held, minor in rows:
        yield _breach(1, loan, f"has {held} interest receivable, the books hold {minor} for it")


def _lines_sum_to_their_entries(session: Session) -> Iterator[Breach]:
    """Law 1. An entry's lines sum to what it moves without naming a loan, and are of one book."""
    lines = (
        select(AccrualLine.entry_id, func.sum(AccrualLine.amount_minor).label("minor"))
        .group_by(AccrualLine.entry_id)
        .subquery()
    )
    nameless = (
        select(Posting.entry_id, func.sum(Posting.amount_minor).label("minor"))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.INTEREST_RECEIVABLE, Posting.loan_id.is_(None))
        .group_by(Posting.entry_id)
        .subquery()
    )
    rows = session.execute(
        select(
            JournalEntry.id,
            func.coalesce(nameless.c.minor, 0),
            func.coalesce(lines.c.minor, 0),
        )
        .outerjoin(nameless, nameless.c.entry_id == JournalEntry.id)
        .outerjoin(lines, lines.c.entry_id == JournalEntry.id)
        .where(func.coalesce(nameless.c.minor, 0) != func.coalesce(lines.c.minor, 0))
        .order_by(JournalEntry.id)
    )
    for entry_id, moved, minor in rows:
        what = f"books {moved} of interest, its lines sum to {minor}"
        yield Breach(1, "journal_entries", str(entry_id), what)
    foreign = session.execute(
        select(AccrualLine.entry_id, AccrualLine.loan_id)
        .join(JournalEntry, JournalEntry.id == AccrualLine.entry_id)
        .join(Book, Book.id == JournalEntry.book_id)
        .join(Loan, Loan.id == AccrualLine.loan_id)
        .where(Book.community_id != Loan.community_id)
        .order_by(AccrualLine.entry_id, AccrualLine.loan_id)
    )
    for entry_id, loan_id in foreign:
        what = f"a line of loan {loan_id} stands in another community's book"
        yield Breach(1, "accrual_lines", str(entry_id), what)


def _breach(law: int, loan: Loan, what: str) -> Breach:
    return Breach(law, "loans", loan.public_id, what)


def _payees_are_of_their_disbursements(session: Session) -> Iterator[Breach]:
    """Law 5: who was paid straight is whom the loan names, within the disbursement and the use, by
    the entry of that disbursement; and an entry to payees has its payees.
    """
    rows = session.execute(
        select(
            PayeePayment,
            Disbursement.entry_id,
            LoanUse,
            Loan.id,
            Loan.borrower_id,
            JournalEntry.kind,
            Member.erased_at,
        )
        .join(Disbursement, Disbursement.id == PayeePayment.disbursement_id)
        .join(LoanUse, LoanUse.id == PayeePayment.use_id)
        .outerjoin(Member, Member.id == LoanUse.payee_id)
        .join(Loan, Loan.id == Disbursement.loan_id)
        .join(JournalEntry, JournalEntry.id == PayeePayment.entry_id)
        .order_by(PayeePayment.id)
    )
    for paid, entry_id, use, loan_id, borrower_id, kind, erased_at in rows:
        # Once a payee is erased the use has lost the name; the payment, as a voucher, keeps it.
        is_same = paid.payee_id == use.payee_id and (
            paid.payee_name == use.payee_name or erased_at is not None
        )
        if not is_same or paid.payee_id == borrower_id or use.loan_id != loan_id:
            yield Breach(5, "payee_payments", paid.public_id, "paid somebody whom its use does not")
        if paid.entry_id != entry_id or kind != PAID_TO_PAYEES:
            yield Breach(5, "payee_payments", paid.public_id, "is not by its disbursement's entry")
    parts = func.sum(PayeePayment.amount_minor)
    over = session.execute(
        select(Loan.public_id, Disbursement.number, Disbursement.amount_minor, parts)
        .join(Disbursement, Disbursement.id == PayeePayment.disbursement_id)
        .join(Loan, Loan.id == Disbursement.loan_id)
        .group_by(Loan.id, Loan.public_id, Disbursement.number, Disbursement.amount_minor)
        .having(parts > Disbursement.amount_minor)
        .order_by(Loan.id, Disbursement.number)
    )
    for loan, number, amount, found in over:
        what = f"paid out {amount} as tranche {number}, its payees got {found}"
        yield Breach(5, "loans", loan, what)
    more = session.execute(
        select(LoanUse.public_id, LoanUse.amount_minor, parts)
        .join(PayeePayment, PayeePayment.use_id == LoanUse.id)
        .group_by(LoanUse.id, LoanUse.public_id, LoanUse.amount_minor)
        .having(parts > LoanUse.amount_minor)
        .order_by(LoanUse.id)
    )
    for named_use, amount, found in more:
        yield Breach(5, "loan_uses", named_use, f"is of {amount}, its payee got {found}")
    # Leg by leg: what the entry says went out in parts is what the rows say.
    legs = (
        select(
            Posting.entry_id,
            func.sum(
                case((Account.kind == AccountKind.LOAN_PRINCIPAL, Posting.amount_minor))
            ).label("out"),
        )
        .join(Account, Account.id == Posting.account_id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(JournalEntry.kind == PAID_TO_PAYEES)
        .group_by(Posting.entry_id)
        .subquery()
    )
    has = select(PayeePayment.id).where(PayeePayment.entry_id == legs.c.entry_id).exists()
    lone = session.execute(
        select(legs.c.entry_id, legs.c.out, Disbursement.amount_minor, has)
        .outerjoin(Disbursement, Disbursement.entry_id == legs.c.entry_id)
        .order_by(legs.c.entry_id)
    )
    for entry_id, out, amount, is_told in lone:
        if out != amount or not is_told:
            yield Breach(5, "journal_entries", str(entry_id), "went to payees whom no row names")
