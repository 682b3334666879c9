"""A hamlet whose days end with classes and provisions, for tests of the portfolio."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from community.communities.charter import RiskClass
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.loans.models import Loan
from community.portfolio.models import LoanClass, LoanClassChange
from community.portfolio.service import Classified, Provided, classify_loans, provide
from tests.hamlet import CURRENCY, Hamlet

# Nobody vouches, nobody is called, nothing is written off unless a test says so.
RULES: dict[str, Any] = {"call_day": 3000, "write_off_day": 3600}
TERMS: dict[str, Any] = {"liability_mode": "none", "cover_ratio_bps": 0}


def lending_hamlet(
    session: Session, *names: str, day: date = date(2026, 3, 2), **rules: Any
) -> Hamlet:
    """A funded hamlet with these people, on the second of March unless said otherwise."""
    hamlet = Hamlet(session, day=day, rules=RULES | rules, terms=TERMS)
    hamlet.fund(1_000_000)
    for name in names:
        hamlet.person(name)
    return hamlet


def end_day(
    hamlet: Hamlet, day: date | None = None, loan_ids: range | None = None
) -> tuple[Classified, Provided]:
    """Go on to a day and do its work: late loans marked, all classified and provided for."""
    if day is not None:
        hamlet.day = day
    work: dict[str, Any] = {
        "community_id": hamlet.community.id,
        "loan_ids": loan_ids,
        **hamlet.when,
    }
    return hamlet.do(classify_loans, **work), hamlet.do(provide, **work)


def end_days(hamlet: Hamlet, until: date) -> None:
    """End every day from the hamlet's own to this one."""
    while hamlet.day < until:
        end_day(hamlet, hamlet.day + timedelta(days=1))


def class_of(hamlet: Hamlet, loan: Loan) -> LoanClass:
    """A loan's row as the database has it."""
    return hamlet.session.scalars(
        select(LoanClass)
        .where(LoanClass.loan_id == loan.id)
        .execution_options(populate_existing=True)
    ).one()


def tiers(hamlet: Hamlet, *loans: Loan) -> list[RiskClass]:
    return [class_of(hamlet, loan).risk_class for loan in loans]


def provisions(hamlet: Hamlet, *loans: Loan) -> list[int]:
    return [class_of(hamlet, loan).provision_minor for loan in loans]


def history(hamlet: Hamlet, loan: Loan) -> list[tuple[date, RiskClass, RiskClass]]:
    changes = hamlet.session.scalars(
        select(LoanClassChange)
        .where(LoanClassChange.loan_id == loan.id)
        .order_by(LoanClassChange.id)
    )
    return [(change.changed_on, change.from_class, change.to_class) for change in changes]


def allowance(hamlet: Hamlet) -> int:
    return balance(
        hamlet.session,
        community_id=hamlet.community.id,
        kind=AccountKind.LOAN_LOSS_ALLOWANCE,
        currency=CURRENCY,
    )


@contextmanager
def counted(hamlet: Hamlet) -> Iterator[list[str]]:
    """The statements that are sent within the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    engine = hamlet.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)
