"""What loans' money is used for, what shows it, and promises to pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import Purpose
from community.communities.models import Community
from community.errors import CurrencyMismatch, Invalid
from community.ledger.events import record_event
from community.loans.models import Loan, LoanUse, PayeePayment
from community.loans.payees import paid_by_use
from community.loans.service import currency_of
from community.loans.states import LIVE
from community.locks import lock_one
from community.money import Money, say_amount
from community.monitoring.errors import NotAWitness, UseNotFound, UseRefused
from community.monitoring.models import (
    EvidenceKind,
    Promise,
    UseEvidence,
    Visit,
)
from community.monitoring.signals import paid_on_promise


class PromiseState(StrEnum):
    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class PromiseSeen:
    """A promise and what receipts say of it."""

    promise: Promise
    paid_minor: int
    state: PromiseState


@dataclass(frozen=True, slots=True)
class VerifiedUse:
    """Of what is out in a community, how much is stated and how much of that is shown.

    Shown is what evidence shows, and what went straight to the payee, who is named: together no
    more than the use, as evidence may be for what was paid straight afterwards.
    """

    loans: int
    disbursed_minor: int
    stated_minor: int
    verified_minor: int

    @property
    def verified_bps(self) -> int | None:
        """Shown of all that went out, rounded down; None: nothing is out."""
        if not self.disbursed_minor:
            return None
        return self.verified_minor * 10_000 // self.disbursed_minor


def state_use(
    session: Session,
    *,
    loan_id: int,
    purpose: Purpose,
    payee_name: str,
    payee_id: int | None,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int,
) -> LoanUse:
    """Say what a part of a loan is for. All parts are within the loan. Locks the loan.

    Raises UseRefused, CurrencyMismatch.
    """
    loan = lock_one(session, Loan, loan_id)
    _same_currency(loan, amount)
    stated = session.scalar(
        select(func.coalesce(func.sum(LoanUse.amount_minor), 0)).where(LoanUse.loan_id == loan.id)
    )
    left = loan.principal_minor - int(stated or 0)
    if amount.amount_minor > left:
        raise UseRefused(
            f"{say_amount(left, amount.currency)} of the loan are without a use.", left_minor=left
        )
    use = LoanUse(
        loan_id=loan.id,
        purpose=purpose,
        payee_name=payee_name,
        payee_id=payee_id,
        amount_minor=amount.amount_minor,
        stated_on=on,
        stated_by_id=actor_id,
        created_at=now,
    )
    session.add(use)
    session.flush()  # it is answered with its id
    return use


def verify_use(
    session: Session,
    *,
    use_id: int,
    kind: EvidenceKind,
    amount: Money,
    reference: str,
    visit: Visit | None,
    on: date,
    now: datetime,
    actor_id: int,
) -> LoanUse:
    """Somebody who is neither borrower nor payee has seen what shows it. Locks the loan.

    Raises UseRefused, NotAWitness, CurrencyMismatch, Invalid.
    """
    loan = lock_one(session, Loan, session.get_one(LoanUse, use_id).loan_id)
    use = session.get_one(LoanUse, use_id, populate_existing=True)
    if actor_id in (loan.borrower_id, use.payee_id):
        raise NotAWitness()
    _same_currency(loan, amount)
    if (kind is EvidenceKind.VISIT) != (visit is not None):
        raise Invalid("Name the visit that showed it, and only then.", field="visit")
    if visit is not None and (visit.visited_id != loan.borrower_id or visit.done_on is None):
        raise Invalid("That is no visit to the borrower, or not made yet.", field="visit")
    # What went straight to the payee is shown by that.
    paid = paid_by_use(session, [use.id]).get(use.id, 0)
    left = max(0, use.amount_minor - use.verified_minor - paid)
    if amount.amount_minor > left:
        raise UseRefused(
            f"{say_amount(left, amount.currency)} of the use are not shown yet.", left_minor=left
        )
    number = len(evidence_of(session, [use.id])) + 1
    session.add(
        UseEvidence(
            use_id=use.id,
            number=number,
            kind=kind,
            amount_minor=amount.amount_minor,
            reference=reference,
            visit_id=None if visit is None else visit.id,
            verified_on=on,
            verified_by_id=actor_id,
            recorded_at=now,
        )
    )
    use.verified_minor += amount.amount_minor
    record_event(
        session,
        community_id=loan.community_id,
        kind="use.verified",
        subject=use.public_id,
        actor_id=actor_id,
        now=now,
        facts={"kind": kind.value, "amount_minor": amount.amount_minor, "reference": reference},
    )
    session.flush()  # it is answered with its evidence
    return use


def promise(
    session: Session,
    *,
    loan_id: int,
    amount: Money,
    promised_on: date,
    on: date,
    now: datetime,
    actor_id: int,
) -> Promise:
    """A borrower's word to pay so much by a day. Locks the loan. Raises Invalid."""
    loan = lock_one(session, Loan, loan_id)
    _same_currency(loan, amount)
    if loan.status not in LIVE:
        raise Invalid("Nothing is owed on this loan.", field="loan")
    if promised_on < on:
        raise Invalid("Promise a day that is to come.", field="promised_on")
    row = Promise(
        community_id=loan.community_id,
        loan_id=loan.id,
        member_id=loan.borrower_id,
        amount_minor=amount.amount_minor,
        promised_on=promised_on,
        made_on=on,
        noted_by_id=actor_id,
        recorded_at=now,
    )
    session.add(row)
    session.flush()  # it is chained with its id
    record_event(
        session,
        community_id=loan.community_id,
        kind="promise.made",
        subject=row.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "loan": loan.public_id,
            "amount_minor": amount.amount_minor,
            "promised_on": promised_on.isoformat(),
        },
    )
    return row


def promises_of(session: Session, loan: Loan, *, on: date) -> list[PromiseSeen]:
    """The promises on a loan, oldest first, each kept, broken or still open by the receipts."""
    charter = communities.charter_on(session, loan.community_id, on)
    grace = charter.rules.risk_promise_grace_days
    rows = session.execute(
        select(Promise, paid_on_promise(grace))
        .where(Promise.loan_id == loan.id)
        .order_by(Promise.id)
    )
    found = []
    for row, paid in rows:
        state = PromiseState.BROKEN
        if paid >= row.amount_minor:
            state = PromiseState.KEPT
        elif on <= row.promised_on + timedelta(days=grace):
            state = PromiseState.OPEN
        found.append(PromiseSeen(row, int(paid), state))
    return found


def verified_use(session: Session, *, community: Community) -> VerifiedUse:
    """The verified-use ratio of all loans that a community has out. Two statements.

    What went straight to a payee counts as verified; see `VerifiedUse`.
    """
    out = (Loan.community_id == community.id, Loan.status.in_(LIVE))
    loans, disbursed = session.execute(
        select(func.count(), func.coalesce(func.sum(Loan.disbursed_minor), 0)).where(*out)
    ).one()
    paid = (
        select(PayeePayment.use_id, func.sum(PayeePayment.amount_minor).label("minor"))
        .group_by(PayeePayment.use_id)
        .subquery()
    )
    shown = LoanUse.verified_minor + func.coalesce(paid.c.minor, 0)
    stated, verified = session.execute(
        select(
            func.coalesce(func.sum(LoanUse.amount_minor), 0),
            func.coalesce(
                func.sum(case((shown < LoanUse.amount_minor, shown), else_=LoanUse.amount_minor)), 0
            ),
        )
        .join(Loan, Loan.id == LoanUse.loan_id)
        .outerjoin(paid, paid.c.use_id == LoanUse.id)
        .where(*out)
    ).one()
    return VerifiedUse(loans, int(disbursed), int(stated), int(verified))


def get_use(session: Session, public_id: str) -> LoanUse:
    """The use of this public id. Raises UseNotFound."""
    row = session.scalar(select(LoanUse).where(LoanUse.public_id == public_id))
    if row is None:
        raise UseNotFound()
    return row


def list_uses(loan_id: int) -> Select[LoanUse]:
    """What a loan is for; page by LoanUse.id."""
    return select(LoanUse).where(LoanUse.loan_id == loan_id)


def evidence_of(session: Session, use_ids: Sequence[int]) -> Sequence[UseEvidence]:
    """What shows uses, in order."""
    return session.scalars(
        select(UseEvidence)
        .where(UseEvidence.use_id.in_(use_ids))
        .order_by(UseEvidence.use_id, UseEvidence.number)
    ).all()


def _same_currency(loan: Loan, amount: Money) -> None:
    if amount.currency != currency_of(loan):
        raise CurrencyMismatch(f"The loan is in {currency_of(loan)}.")
