"""How an approved loan would go out, or the next part of one, and whom it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import today
from app.pages.loan_file import UseSeen, see_uses
from community.loans import queries, service
from community.loans.models import Loan, LoanUse
from community.loans.schedule import planned_tranches, read_loan_terms
from community.members import queries as members
from community.members.queries import Named

# As many as one disbursement takes.
_PAYEES_MOST = 100


@dataclass(frozen=True, slots=True)
class Payee:
    """Somebody whom the loan names, with the field for what they get straight."""

    field: str
    seen: UseSeen
    borrower: Named


@dataclass(frozen=True, slots=True)
class Payout:
    """What can go out next, on which day, what goes later, and whom the loan names."""

    next_on: date
    next_minor: int
    later: Sequence[tuple[date, int]]
    payees: Sequence[Payee]
    is_first: bool


def payout_of(session: Session, loan: Loan) -> Payout:
    """How an approved loan would go out today; a share of a group loan goes with all others."""
    shares = paid_together(session, loan)
    out: dict[date, int] = {}
    for share in shares:
        for day, minor in planned_tranches(
            read_loan_terms(share.terms), share.principal_minor, today()
        ):
            out[day] = out.get(day, 0) + minor
    return _payout(session, shares, sorted(out.items()), is_first=True)


def next_part_of(session: Session, loan: Loan, paid_out: int) -> Payout | None:
    """What still goes out of a running loan of which so many parts are out; or nothing."""
    if loan.disbursed_on is None or not service.waits_for_money(session, loan=loan, on=today()):
        return None
    parts = planned_tranches(read_loan_terms(loan.terms), loan.principal_minor, loan.disbursed_on)
    left = parts[paid_out:]
    return _payout(session, [loan], left, is_first=False) if left else None


def _payout(
    session: Session, loans: Sequence[Loan], parts: Sequence[tuple[date, int]], *, is_first: bool
) -> Payout:
    names = members.names_of(session, [loan.borrower_id for loan in loans])
    borrowers = {loan.id: names[loan.borrower_id] for loan in loans}
    seen = see_uses(session, uses_of(session, loans))
    (next_on, next_minor), *later = parts
    return Payout(
        next_on=next_on,
        next_minor=next_minor,
        later=later,
        payees=[
            Payee(f"payee_{number}", one, borrowers[one.use.loan_id])
            for number, one in enumerate(seen)
        ],
        is_first=is_first,
    )


def paid_together(session: Session, loan: Loan) -> list[Loan]:
    """The loan; of a group loan, all shares."""
    if loan.group_loan_id is None:
        return [loan]
    return queries.list_shares(session, loan.group_loan_id)


def uses_of(session: Session, loans: Sequence[Loan]) -> Sequence[LoanUse]:
    """The uses that loans state, in the order in which they were stated: each keeps its place."""
    return session.scalars(
        select(LoanUse)
        .where(LoanUse.loan_id.in_([loan.id for loan in loans]))
        .order_by(LoanUse.id)
        .limit(_PAYEES_MOST)
    ).all()
