"""Proving classes and provisions: laws 1, 5 and 7 as far as their rows can show them."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities.charter import RiskClass
from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book, JournalEntry, Posting
from community.portfolio.models import LoanClass, LoanClassChange, ProvisionChange


def check_portfolio(session: Session) -> Iterator[Breach]:
    """What is set aside follows, loan by loan, from the books; every class from its history."""
    yield from _entries_are_their_rows(session)
    yield from _provisions_follow_their_rows(session)
    yield from _allowances_are_provisions(session)
    yield from _classes_follow_their_history(session)


def _entries_are_their_rows(session: Session) -> Iterator[Breach]:
    """Law 1: an entry of provisions moves the allowance by the sum of its loans' changes."""
    rows = (
        select(
            ProvisionChange.entry_id,
            func.sum(ProvisionChange.after_minor - ProvisionChange.before_minor).label("minor"),
        )
        .group_by(ProvisionChange.entry_id)
        .subquery()
    )
    moved = (
        select(Posting.entry_id, func.sum(-Posting.amount_minor).label("minor"))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.LOAN_LOSS_ALLOWANCE)
        .group_by(Posting.entry_id)
        .subquery()
    )
    found = session.execute(
        select(JournalEntry.id, func.coalesce(moved.c.minor, 0), func.coalesce(rows.c.minor, 0))
        .outerjoin(rows, rows.c.entry_id == JournalEntry.id)
        .outerjoin(moved, moved.c.entry_id == JournalEntry.id)
        .where(func.coalesce(moved.c.minor, 0) != func.coalesce(rows.c.minor, 0))
        .order_by(JournalEntry.id)
    )
    for entry_id, booked, detailed in found:
        what = f"sets {booked} aside, its loans' rows sum to {detailed}"
        yield Breach(1, "journal_entries", str(entry_id), what)


def _provisions_follow_their_rows(session: Session) -> Iterator[Breach]:
    """Law 5: each change starts where the one before ended; the last is the loan's provision."""
    before = func.lag(ProvisionChange.after_minor, 1, 0).over(
        partition_by=ProvisionChange.loan_id, order_by=ProvisionChange.id
    )
    steps = select(
        ProvisionChange.id, ProvisionChange.before_minor, before.label("ended")
    ).subquery()
    broken = session.execute(
        select(steps).where(steps.c.before_minor != steps.c.ended).order_by(steps.c.id)
    )
    for row_id, started, ended in broken:
        what = f"starts at {started}, the change before ended at {ended}"
        yield Breach(5, "provision_changes", str(row_id), what)
    last = (
        select(ProvisionChange.loan_id, func.max(ProvisionChange.id).label("id"))
        .group_by(ProvisionChange.loan_id)
        .subquery()
    )
    reached = func.coalesce(ProvisionChange.after_minor, 0)
    rows = session.execute(
        select(LoanClass.loan_id, LoanClass.provision_minor, reached)
        .outerjoin(last, last.c.loan_id == LoanClass.loan_id)
        .outerjoin(ProvisionChange, ProvisionChange.id == last.c.id)
        .where(LoanClass.provision_minor != reached)
        .order_by(LoanClass.loan_id)
    )
    for loan_id, held, minor in rows:
        what = f"says {held} set aside, its last change reached {minor}"
        yield Breach(5, "loan_classes", str(loan_id), what)


def _allowances_are_provisions(session: Session) -> Iterator[Breach]:
    """Law 1: a community's allowance is what is set aside for its loans."""
    held = (
        select(Book.community_id, func.sum(-Account.balance_minor).label("minor"))
        .join(Account, Account.book_id == Book.id)
        .where(Account.kind == AccountKind.LOAN_LOSS_ALLOWANCE)
        .group_by(Book.community_id)
        .subquery()
    )
    needed = (
        select(LoanClass.community_id, func.sum(LoanClass.provision_minor).label("minor"))
        .group_by(LoanClass.community_id)
        .subquery()
    )
    rows = session.execute(
        select(Book.community_id, func.coalesce(held.c.minor, 0), func.coalesce(needed.c.minor, 0))
        .outerjoin(held, held.c.community_id == Book.community_id)
        .outerjoin(needed, needed.c.community_id == Book.community_id)
        .where(func.coalesce(held.c.minor, 0) != func.coalesce(needed.c.minor, 0))
        .order_by(Book.community_id)
    )
    for community_id, minor, provided in rows:
        what = f"has an allowance of {minor}, its loans' provisions sum to {provided}"
        yield Breach(1, "communities", str(community_id), what)


def _classes_follow_their_history(session: Session) -> Iterator[Breach]:
    """Law 7: every class was reached by changes with reasons, from normal on, link by link."""
    before = func.lag(LoanClassChange.to_class, 1, RiskClass.NORMAL).over(
        partition_by=LoanClassChange.loan_id, order_by=LoanClassChange.id
    )
    steps = select(LoanClassChange.id, LoanClassChange.from_class, before.label("ended")).subquery()
    broken = session.execute(
        select(steps).where(steps.c.from_class != steps.c.ended).order_by(steps.c.id)
    )
    for row_id, started, ended in broken:
        what = f"starts at {started}, the change before ended at {ended}"
        yield Breach(7, "loan_class_changes", str(row_id), what)
    last = (
        select(LoanClassChange.loan_id, func.max(LoanClassChange.id).label("id"))
        .group_by(LoanClassChange.loan_id)
        .subquery()
    )
    reached = func.coalesce(LoanClassChange.to_class, RiskClass.NORMAL)
    rows = session.execute(
        select(LoanClass.loan_id, LoanClass.risk_class, reached)
        .outerjoin(last, last.c.loan_id == LoanClass.loan_id)
        .outerjoin(LoanClassChange, LoanClassChange.id == last.c.id)
        .where(LoanClass.risk_class != reached)
        .order_by(LoanClass.loan_id)
    )
    for loan_id, held, recorded in rows:
        what = f"is {held}, its last change reached {recorded}"
        yield Breach(7, "loan_classes", str(loan_id), what)
