"""Money that goes straight to the payees that a loan names (受托支付), and when it has to.

A disbursement goes out in parts that sum to it: some to payees of uses that the loan states, the
rest to the borrower. The borrower owes the whole, whoever was paid. The charter that the loan was
asked for under may send money straight to payees:

- `payee_direct_above_minor`: of a loan of more than this, every disbursement, all of it.
- `payee_direct_purposes`: money for these purposes. What goes to the borrower has to be stated for
  a purpose that is not among them, so that saying nothing is no way round.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities.charter import read_rules
from community.communities.models import Charter
from community.errors import CurrencyMismatch
from community.ledger.events import record_event
from community.loans.errors import PayeeRefused, PayeesRequired
from community.loans.models import Disbursement, Loan, LoanUse, PayeePayment
from community.money import Money, say_amount


@dataclass(frozen=True, slots=True)
class Part:
    """So much of a disbursement, to whom a use of the loan names."""

    use_id: int
    amount: Money


def parts_by_loan(
    session: Session, parts: Sequence[Part], *, loan_ids: Collection[int]
) -> dict[int, list[Part]]:
    """Whose disbursement each part is of. Raises PayeeRefused for a use of none of these loans."""
    found: dict[int, list[Part]] = {}
    if not parts:
        return found
    owners = dict(
        session.execute(
            select(LoanUse.id, LoanUse.loan_id).where(
                LoanUse.id.in_([part.use_id for part in parts]), LoanUse.loan_id.in_(loan_ids)
            )
        ).all()
    )
    for part in parts:
        if part.use_id not in owners:
            raise PayeeRefused(
                "Name a payee by a use that this loan states; state it first.", field="payees"
            )
        found.setdefault(owners[part.use_id], []).append(part)
    return found


def check_parts(
    session: Session, *, loan: Loan, amount_minor: int, currency: str, parts: Sequence[Part]
) -> list[LoanUse]:
    """Whether a disbursement of the loan (locked) may go out so; the uses of the parts, in order.

    The charter of the application counts. Raises PayeeRefused, PayeesRequired, CurrencyMismatch.
    """
    document = session.get_one(Charter, loan.charter_id).rules
    rules = read_rules(document)
    if not (parts or rules.payee_direct_above_minor or rules.payee_direct_purposes):
        return []
    uses = {
        use.id: use
        for use in session.scalars(
            select(LoanUse)
            .where(LoanUse.loan_id == loan.id)
            .order_by(LoanUse.id)
            .execution_options(populate_existing=True)
        )
    }
    paid = paid_by_use(session, uses)
    for part in parts:
        _check_part(part, loan, uses, paid, currency)
        paid[part.use_id] = paid.get(part.use_id, 0) + part.amount.amount_minor
    direct_minor = sum(part.amount.amount_minor for part in parts)
    if direct_minor > amount_minor:
        raise PayeeRefused(
            f"{say_amount(amount_minor, currency)} go out now, and the payees would get "
            f"{say_amount(direct_minor, currency)}.",
            field="payees",
            disbursed_minor=amount_minor,
            payees_minor=direct_minor,
        )
    rest = amount_minor - direct_minor
    above = rules.payee_direct_above_minor
    if above and loan.principal_minor > above and rest:
        raise _required(
            "payee_direct_above_minor",
            document,
            f"A loan of more than {say_amount(above, currency)} goes straight to its payees, "
            "all of it",
            rest,
            currency,
        )
    named = rules.payee_direct_purposes
    # What the borrower will have had, and may have: stated for something else, not paid directly.
    theirs = loan.disbursed_minor + amount_minor - sum(paid.values())
    free = sum(
        use.amount_minor - paid.get(use.id, 0) for use in uses.values() if use.purpose not in named
    )
    if named and rest and theirs > free:
        raise _required(
            "payee_direct_purposes",
            document,
            f"Money for {', '.join(named)} goes straight to the payees, and what goes to the "
            "borrower is stated for something else",
            min(rest, theirs - free),
            currency,
        )
    return [uses[part.use_id] for part in parts]


def note_payments(
    session: Session,
    *,
    loan: Loan,
    tranche: Disbursement,
    parts: Sequence[Part],
    uses: Sequence[LoanUse],
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Write down, beside the entry of a disbursement, who got which part of it."""
    if not parts:
        return
    assert tranche.entry_id is not None  # it is posted
    session.add_all(
        PayeePayment(
            disbursement_id=tranche.id,
            number=number,
            use_id=use.id,
            payee_name=use.payee_name,
            payee_id=use.payee_id,
            amount_minor=part.amount.amount_minor,
            entry_id=tranche.entry_id,
            paid_on=on,
            actor_id=actor_id,
            recorded_at=now,
        )
        for number, (part, use) in enumerate(zip(parts, uses, strict=True), start=1)
    )
    session.flush()  # the database holds the parts to the disbursement
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.paid_to_payees",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "tranche": tranche.number,
            "amount_minor": tranche.amount_minor,
            "payees": [
                {"use": use.public_id, "amount_minor": part.amount.amount_minor}
                for part, use in zip(parts, uses, strict=True)
            ],
        },
    )


def paid_by_use(session: Session, use_ids: Iterable[int]) -> dict[int, int]:
    """What went straight to the payees of uses, by use."""
    rows = session.execute(
        select(PayeePayment.use_id, func.sum(PayeePayment.amount_minor))
        .where(PayeePayment.use_id.in_(list(use_ids)))
        .group_by(PayeePayment.use_id)
    )
    return {use_id: int(minor) for use_id, minor in rows}


def _check_part(
    part: Part, loan: Loan, uses: Mapping[int, LoanUse], paid: Mapping[int, int], currency: str
) -> None:
    use = uses.get(part.use_id)
    if use is None:
        raise PayeeRefused(
            "Name a payee by a use that this loan states; state it first.", field="payees"
        )
    if part.amount.currency != currency:
        raise CurrencyMismatch(f"The loan is in {currency}.")
    if use.payee_id == loan.borrower_id:
        raise PayeeRefused(
            "The borrower is nobody else: leave this part out, and it goes to them.",
            field="payees",
        )
    left = use.amount_minor - paid.get(use.id, 0)
    if not 0 < part.amount.amount_minor <= left:
        raise PayeeRefused(
            f"{say_amount(left, currency)} of this use are not paid to {use.payee_name} yet.",
            field="payees",
            use=use.public_id,
            left_minor=left,
        )


def _required(
    rule: str, document: Mapping[str, Any], why: str, short: int, currency: str
) -> PayeesRequired:
    return PayeesRequired(
        f"{why} (charter: {rule}, {document[rule]['source']}). "
        f"{say_amount(short, currency)} too much "
        "would go to the borrower: state what they are for, and name those uses under payees.",
        field="payees",
        rule=rule,
        source=document[rule]["source"],
        short_minor=short,
    )
