"""Loans joined with the names of what they point at, for dumping."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.clock import today
from app.reasons import because_view
from community.communities import queries as communities
from community.ledger.models import JournalEntry
from community.lines import queries as lines
from community.loans import group_loans, queries
from community.loans.group_loans import GroupQuote
from community.loans.models import (
    Disbursement,
    Endorsement,
    GroupLoan,
    Loan,
    LoanUse,
    PayeePayment,
)
from community.loans.schedule import Cost, read_loan_terms
from community.loans.service import Quote, currency_of
from community.members import queries as members
from community.members.queries import Named
from community.products import queries as products

People = dict[int, dict[str, str]]

_COLUMNS = (
    "principal_minor",
    "outstanding_minor",
    "disbursed_minor",
    "written_off_minor",
    "cover_short_minor",
    "status",
    "purpose",
    "submitted_at",
    "approved_at",
    "disbursed_on",
    "overdue_since_on",
    "called_on",
    "accelerated_on",
    "restructured_on",
    "ended_on",
)


def cost_view(cost: Cost, currency: str) -> dict[str, Any]:
    """What a loan costs, with its schedule."""
    return {
        "currency": currency,
        "principal_minor": cost.principal_minor,
        "interest_minor": cost.interest_minor,
        "fees_minor": cost.fees_minor,
        "total_minor": cost.total_minor,
        "effective_yearly_rate_ppm": cost.effective_yearly_rate_ppm,
        "payouts": [
            {"currency": currency, "pay_on": day, "amount_minor": amount}
            for day, amount in cost.tranches
        ],
        "schedule": [
            {
                "currency": currency,
                "number": row.number,
                "due_on": row.due_on,
                "principal_minor": row.principal_minor,
                "interest_minor": row.interest_minor,
                "fee_minor": fee,
                "total_minor": row.total_minor + fee,
            }
            for row, fee in zip(cost.rows, cost.fees_by_row(), strict=True)
        ],
    }


def quote_view(session: Session, quote: Quote, on: Any) -> dict[str, Any]:
    """A quote with its schedule."""
    product = products.get_product_by_id(session, quote.version.product_id)
    return cost_view(quote, quote.terms.product.currency) | {
        "product": product.public_id,
        "product_version": quote.version.version,
        "charter_version": quote.charter.version,
        "on": on,
        "rate_cap_ppm": quote.charter.rules.yearly_rate_ppm_max,
        "rate_cap_basis": quote.charter.rules.rate_cap_basis,
    }


def loan_view(session: Session, loan: Loan) -> dict[str, Any]:
    """One loan in full, as of today."""
    on = today()
    file = queries.get_loan_file(session, loan, on)
    currency = currency_of(loan)
    terms = read_loan_terms(loan.terms)
    version = products.get_version(session, loan.product_version_id)
    people = _people(
        session,
        [step.actor_id for step in file.steps]
        + [word.endorser_id for word in file.endorsements]
        + [paid.payee_id for paid, *_ in file.payee_payments],
    )
    [summary] = loan_summaries(session, [loan])
    return summary | {
        "product_version": {
            "product": products.get_product_by_id(session, version.product_id).public_id,
            "version": version.version,
        },
        "terms": terms.product,
        "season": terms.season,
        "instalments": terms.instalments,
        "schedule": [
            {
                "currency": currency,
                "number": row.number,
                "due_on": row.due_on,
                "principal_minor": row.principal_minor,
                "interest_minor": row.interest_minor,
                "fee_minor": row.fee_minor,
                "penalty_minor": row.penalty_minor,
                "total_minor": row.due_minor,
                "paid_principal_minor": row.paid_principal_minor,
                "paid_interest_minor": row.paid_interest_minor,
                "paid_fee_minor": row.paid_fee_minor,
                "paid_penalty_minor": row.paid_penalty_minor,
            }
            for row in file.instalments
        ],
        "owed": {
            "currency": currency,
            "on": on,
            "principal_minor": file.owed.principal_minor,
            "interest_minor": file.owed.interest_minor,
            "fee_minor": file.owed.fee_minor,
            "penalty_minor": file.owed.penalty_minor,
            "total_minor": file.owed.total_minor,
            "due_minor": file.owed.due_minor,
            "overdue_minor": file.owed.overdue_minor,
            "overdue_since_on": file.owed.overdue_since_on,
            "days_overdue": file.owed.days_overdue,
        },
        "steps": [
            {
                "from_status": step.from_status,
                "to_status": step.to_status,
                "on": step.on,
                "reason": step.reason,
                "because": because_view(step.reason, currency),
                "by": people.get(step.actor_id) if step.actor_id is not None else None,
            }
            for step in file.steps
        ],
        "endorsements": [_word(loan, word, people) for word in file.endorsements],
        "repayments": [
            {
                "currency": currency,
                "id": row.public_id,
                "source": row.source,
                "received_on": row.received_on,
                "amount_minor": row.amount_minor,
                "principal_minor": row.principal_minor,
                "interest_minor": row.interest_minor,
                "fee_minor": row.fee_minor,
                "penalty_minor": row.penalty_minor,
                "reversed_on": row.reversed_on,
            }
            for row in file.repayments
        ],
        "disbursements": [
            {
                "currency": currency,
                "number": row.number,
                "amount_minor": row.amount_minor,
                "paid_out_on": row.paid_out_on,
            }
            | _parts(row, file.payee_payments, people, currency)
            for row in file.disbursements
        ],
        "charges": [
            {
                "currency": currency,
                "id": row.public_id,
                "kind": row.kind,
                "amount_minor": row.amount_minor,
                "due_on": row.due_on,
                "reason": row.reason,
                "waived_on": row.waived_on,
            }
            for row in file.charges
        ],
        "plan_changes": [
            {
                "id": row.public_id,
                "kind": row.kind,
                "effective_on": row.effective_on,
                "parameters": row.parameters,
                "reason": row.reason,
                "source": row.source,
                "restructuring": row.is_restructuring,
                "days_overdue": row.days_overdue,
                "undone_on": row.undone_on,
                "undone_reason": row.undone_reason,
            }
            for row in file.changes
        ],
    }


def _parts(
    row: Disbursement,
    payments: Iterable[tuple[PayeePayment, LoanUse, JournalEntry]],
    people: People,
    currency: str,
) -> dict[str, Any]:
    """Who got which part of a disbursement."""
    its = [one for one in payments if one[0].disbursement_id == row.id]
    return {
        "to_borrower_minor": row.amount_minor - sum(paid.amount_minor for paid, *_ in its),
        "payees": [
            {
                "currency": currency,
                "id": paid.public_id,
                "use": use.public_id,
                "purpose": use.purpose,
                "payee_name": paid.payee_name,
                "payee": None if paid.payee_id is None else people.get(paid.payee_id),
                "amount_minor": paid.amount_minor,
                "paid_on": paid.paid_on,
                "entry": {"number": entry.seq, "hash": entry.hash},
            }
            for paid, use, entry in its
        ],
    }


def loan_summaries(session: Session, loans: Iterable[Loan]) -> list[dict[str, Any]]:
    """Loans as they stand in a list; three statements for all of them."""
    listed = list(loans)
    people = _people(session, [loan.borrower_id for loan in listed])
    places = communities.get_communities_by_id(session, [loan.community_id for loan in listed])
    group_loans = queries.group_loan_public_ids(session, [loan.group_loan_id for loan in listed])
    drawn_on = lines.public_ids(session, [loan.line_id for loan in listed])
    return [
        {name: getattr(loan, name) for name in _COLUMNS}
        | {
            "currency": currency_of(loan),
            "id": loan.public_id,
            "community": places[loan.community_id].public_id,
            "borrower": people[loan.borrower_id],
            "group_loan": group_loans.get(loan.group_loan_id or 0),
            "credit_line": drawn_on.get(loan.line_id),
        }
        for loan in listed
    ]


def group_loan_view(
    session: Session, group_loan: GroupLoan, *, knows_group: bool = True
) -> dict[str, Any]:
    """A group loan with its shares."""
    [shown] = group_loan_views(session, [group_loan], knows_group=knows_group)
    return shown


def group_loan_views(
    session: Session, rows: Sequence[GroupLoan], *, knows_group: bool = True
) -> list[dict[str, Any]]:
    """Group loans with their shares; a fixed number of statements for all of them.

    Whoever does not know the group is not told who in it has given no word yet.
    """
    files = group_loans.files_of(session, rows)
    shares = [share for file in files for share in file.shares]
    summaries = {item["id"]: item for item in loan_summaries(session, shares)}
    places = communities.get_communities_by_id(session, [row.community_id for row in rows])
    people = _people(
        session,
        {row.submitted_by_id for row in rows}
        | {word.endorser_id for file in files for words in file.words.values() for word in words}
        | {member for file in files for member in file.missing_ids},
    )
    return [
        {
            "currency": places[file.group_loan.community_id].currency,
            "id": file.group_loan.public_id,
            "group": file.group.public_id,
            "community": places[file.group_loan.community_id].public_id,
            "total_minor": file.group_loan.total_minor,
            "submitted_by": people[file.group_loan.submitted_by_id],
            "created_at": file.group_loan.created_at,
            "stage": file.stage,
            "shares": [summaries[share.public_id] for share in file.shares],
            "endorsements": [
                {
                    "loan": share.public_id,
                    "given": [_word(share, word, people) for word in file.words[share.id]],
                    "needed": file.needed[share.id],
                    "missing": [people[member] for member in file.missing[share.id]]
                    if knows_group
                    else None,
                }
                for share in file.shares
            ],
        }
        for file in files
    ]


def group_quote_view(session: Session, quote: GroupQuote, on: Any) -> dict[str, Any]:
    """What a group loan would cost, and who would answer for whom."""
    people = _people(session, [*quote.shares, *(one.member_id for one in quote.answering)])
    one, currency = quote.one, quote.terms.currency
    return {
        "currency": currency,
        "product": products.get_product_by_id(session, one.version.product_id).public_id,
        "product_version": one.version.version,
        "charter_version": one.charter.version,
        "on": on,
        "principal_minor": quote.principal_minor,
        "interest_minor": quote.interest_minor,
        "fees_minor": quote.fees_minor,
        "total_minor": quote.total_minor,
        "effective_yearly_rate_ppm": quote.effective_yearly_rate_ppm,
        "rate_cap_ppm": one.charter.rules.yearly_rate_ppm_max,
        "rate_cap_basis": one.charter.rules.rate_cap_basis,
        "liability_mode": quote.terms.liability_mode,
        "shares": [
            cost_view(share, currency) | {"member": people[borrower]}
            for borrower, share in quote.shares.items()
        ],
        "answering": [
            {
                "currency": currency,
                "member": people[answer.member_id],
                "at_most_minor": answer.at_most_minor,
                "shares": [
                    {"currency": currency, "borrower": people[borrower], "at_most_minor": minor}
                    for borrower, minor in answer.for_shares.items()
                ],
            }
            for answer in quote.answering
        ],
    }


def endorsement_view(session: Session, word: Endorsement) -> dict[str, Any]:
    """A word given, and where the loan stands with it."""
    loan = queries.get_loan_by_id(session, word.loan_id)
    return _word(loan, word, _people(session, [word.endorser_id]))


def _word(loan: Loan, word: Endorsement, people: People) -> dict[str, Any]:
    return {
        "loan": loan.public_id,
        "loan_status": loan.status,
        "by": people[word.endorser_id],
        "comment": word.comment,
        "endorsed_at": word.endorsed_at,
    }


def _people(session: Session, ids: Iterable[int | None]) -> People:
    named: dict[int, Named] = members.names_of(session, ids)
    return {key: {"id": one.public_id, "name": one.name} for key, one in named.items()}
