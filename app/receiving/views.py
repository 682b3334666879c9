"""Sheets, bank lines and receipts joined with the names of what they point at, for dumping."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.clock import today
from app.loans.facts import loan_facts
from app.permissions import Facts, may, permit
from community.communities import queries as communities
from community.groups import queries as groups
from community.importing.statements import StatementReport, StatementRow
from community.loans import queries as loans
from community.members import queries as members
from community.money import Money, format_minor
from community.receiving import queries
from community.receiving.models import BankLine, Collection, CollectionLine, LineKind
from community.receiving.queries import LoanReceipt, SavingsReceipt, SuspenseDay
from community.receiving.sheet import Sheet, SheetLoan

Person = dict[str, str]


def sheet_view(sheet: Sheet) -> dict[str, Any]:
    """A sheet to be filled in."""
    return {
        "group": sheet.group.public_id,
        "on": sheet.on,
        "currency": sheet.currency,
        "suggested_minor": sum(
            loan.suggested_minor for member in sheet.members for loan in member.loans
        ),
        "members": [
            {
                "id": member.who.public_id,
                "name": member.who.name,
                "currency": sheet.currency,
                "free_minor": member.savings.free_minor,
                "stake_minor": member.savings.stake_minor,
                "loans": [_loan_view(loan, sheet.currency) for loan in member.loans],
            }
            for member in sheet.members
        ],
    }


def sheet_rows(sheet: Sheet) -> list[dict[str, str]]:
    """A sheet as the rows of a file: a row for each loan, and one for each member's savings."""

    def text(minor: int) -> str:
        return format_minor(minor, sheet.currency)

    rows: list[dict[str, str]] = []
    head = {
        "sheet": f"{sheet.group.public_id}.{sheet.on.isoformat()}",
        "collected_on": sheet.on.isoformat(),
    }
    for member in sheet.members:
        who = head | {
            "member": member.who.public_id,
            "name": member.who.name,
            "savings": text(member.savings.free_minor),
        }
        for item in member.loans:
            dues = item.dues
            rows.append(
                who
                | {
                    "kind": LineKind.REPAYMENT.value,
                    "loan": item.loan.public_id,
                    "past_due": text(dues.past_due_minor),
                    "due_today": text(dues.due_today_minor),
                    "next_due_on": "" if dues.next_due_on is None else dues.next_due_on.isoformat(),
                    "next_due": text(dues.next_due_minor),
                    "suggested": text(item.suggested_minor),
                }
            )
        rows.append(who | {"kind": LineKind.DEPOSIT.value})
    return rows


def collection_view(session: Session, row: Collection, only: int | None) -> dict[str, Any]:
    """One sheet; `only` leaves out the lines of everybody but this member."""
    return collection_views(session, [row], only)[0]


def collection_views(
    session: Session, rows: Sequence[Collection], only: int | None
) -> list[dict[str, Any]]:
    """Sheets with their lines; the statements do not grow with them."""
    lines = queries.lines_of_many(session, [row.id for row in rows])
    every = [line for own in lines.values() for line in own if only in (None, line.member_id)]
    numbers = queries.numbers_of(session, every)
    loan_ids = loans.public_ids(session, [line.loan_id for line in every])
    people = _people(
        session,
        [line.member_id for line in every]
        + [line.payer_id for line in every]
        + [row.entered_by_id for row in rows]
        + [row.posted_by_id for row in rows],
    )

    def line_view(line: CollectionLine, currency: str) -> dict[str, Any]:
        return {
            "number": line.number,
            "kind": line.kind,
            "member": people[line.member_id],
            "loan": None if line.loan_id is None else loan_ids[line.loan_id],
            "amount_minor": line.amount_minor,
            "currency": currency,
            "payer": people.get(line.payer_id or 0),
            "absent": line.absent,
            "note": line.note,
            "receipt": numbers.receipt(line),
        }

    found = {row.group_id: groups.get_group_by_id(session, row.group_id) for row in rows}
    return [
        {
            "id": row.public_id,
            "group": found[row.group_id].public_id,
            "client_id": row.client_id,
            "status": row.status,
            "on": row.collected_on,
            "currency": row.currency,
            "repaid_minor": row.repaid_minor,
            "deposited_minor": row.deposited_minor,
            "total_minor": row.total_minor,
            "entered_by": people.get(row.entered_by_id or 0),
            "posted_by": people.get(row.posted_by_id or 0),
            "posted_at": row.posted_at,
            "lines": [
                line_view(line, row.currency)
                for line in lines[row.id]
                if only in (None, line.member_id)
            ],
        }
        for row in rows
    ]


def bank_line_view(session: Session, row: BankLine) -> dict[str, Any]:
    """One bank line."""
    return bank_line_views(session, [row])[0]


def bank_line_views(session: Session, rows: Sequence[BankLine]) -> list[dict[str, Any]]:
    """Bank lines; the statements do not grow with them."""
    numbers = queries.numbers_of(session, rows)
    places = communities.get_communities_by_id(session, [row.community_id for row in rows])
    people = _people(session, [row.payer_id for row in rows] + [row.settled_by_id for row in rows])
    on = today()
    return [
        {
            "id": row.public_id,
            "community": places[row.community_id].public_id,
            "reference": row.reference,
            "booked_on": row.booked_on,
            "days": max(0, ((row.settled_on or on) - row.booked_on).days),
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "payer_name": row.payer_name,
            "payer_account": row.payer_account,
            "text": row.text,
            "status": row.status,
            "match": row.match
            | {"facts": [{"kind": kind, "value": value} for kind, value in row.match["facts"]]},
            "payer": people.get(row.payer_id or 0),
            "loan": numbers.loans.get(row.repayment_id or 0),
            "receipt": numbers.receipt(row),
            "settled_on": row.settled_on,
            "settled_by": people.get(row.settled_by_id or 0),
            "note": row.settled_note,
            "recorded_at": row.recorded_at,
        }
        for row in rows
    ]


def statement_view(
    session: Session, report: StatementReport, rows: Iterable[StatementRow]
) -> dict[str, Any]:
    """What came of a statement."""
    taken = report.taken
    return {
        "rows": report.rows,
        "new": report.new,
        "unchanged": report.unchanged,
        "applied": [] if taken is None else bank_line_views(session, taken.applied),
        "suspense": [] if taken is None else bank_line_views(session, taken.suspense),
        "debits": [
            {
                "line": row.line,
                "reference": row.reference,
                "booked_on": row.booked_on,
                "amount": row.amount,
            }
            for row in rows
            if row.is_debit
        ],
    }


def suspense_view(days: Sequence[SuspenseDay], on: date) -> dict[str, Any]:
    """What is in suspense."""
    totals: dict[str, int] = {}
    for day in days:
        totals[day.currency] = totals.get(day.currency, 0) + day.amount_minor
    return {
        "on": on,
        "lines": sum(day.lines for day in days),
        "totals": [Money(minor, currency) for currency, minor in sorted(totals.items())],
        "by_day": days,
    }


def receipt_view(session: Session, public_id: str) -> dict[str, Any]:
    """A receipt, if the caller may see it. Raises NotFound."""
    receipt = queries.find_receipt(session, public_id, on=today())
    if isinstance(receipt, SavingsReceipt):
        return _savings_receipt(session, receipt)
    return _loan_receipt(session, receipt)


def _savings_receipt(session: Session, receipt: SavingsReceipt) -> dict[str, Any]:
    movement = receipt.movement
    community = communities.get_community_by_id(session, movement.community_id)
    permit(
        "receipt:read",
        Facts(path=community.path_ids, owner_ids=frozenset({movement.member_id})),
    )
    currency = community.currency
    return {
        "id": movement.public_id,
        "community": community.public_id,
        "community_name": community.name,
        "on": movement.on,
        "recorded_at": movement.recorded_at,
        "amount_minor": movement.amount_minor,
        "currency": currency,
        "entry": receipt.entry,
        "loan": None,
        "savings": {
            "member": _people(session, [movement.member_id])[movement.member_id],
            "kind": movement.kind,
            "free_minor": receipt.balances.free_minor,
            "stake_minor": receipt.balances.stake_minor,
            "currency": currency,
        },
    }


def _loan_receipt(session: Session, receipt: LoanReceipt) -> dict[str, Any]:
    repayment, loan, currency = receipt.repayment, receipt.loan, receipt.currency
    facts = loan_facts(session, loan)
    paid = frozenset() if repayment.payer_id is None else frozenset({repayment.payer_id})
    permit(
        "receipt:read",
        Facts(
            path=facts.path,
            owner_ids=facts.owner_ids,
            related_ids=facts.related_ids | paid,
            leader_ids=facts.leader_ids,
            member_ids=facts.member_ids,
        ),
    )
    whole = may("loan:read", facts)
    community = communities.get_community_by_id(session, loan.community_id)
    people = _people(session, [loan.borrower_id, repayment.payer_id])
    return {
        "id": repayment.public_id,
        "community": community.public_id,
        "community_name": community.name,
        "on": repayment.received_on,
        "recorded_at": repayment.recorded_at,
        "amount_minor": repayment.amount_minor,
        "currency": currency,
        "entry": receipt.entry,
        "savings": None,
        "loan": {
            "id": loan.public_id,
            "borrower": people[loan.borrower_id],
            "payer": people.get(repayment.payer_id or 0),
            "source": repayment.source,
            "reversed_on": repayment.reversed_on,
            "reversed_reason": repayment.reversed_reason,
            "parts": [
                {"part": part, "amount_minor": minor, "currency": currency}
                for part, minor in receipt.parts
            ],
            "left": {
                "on": receipt.on,
                "status": loan.status,
                "outstanding_minor": loan.outstanding_minor,
                "owed_minor": receipt.owed_minor,
                "currency": currency,
            }
            if whole
            else None,
            "cover": {
                "reserved_minor": receipt.cover_reserved_minor,
                "freed_minor": receipt.cover_freed_minor,
                "held_minor": receipt.cover_held_minor,
                "currency": currency,
            }
            if whole
            else None,
        },
    }


def _loan_view(item: SheetLoan, currency: str) -> dict[str, Any]:
    return {
        "id": item.loan.public_id,
        "purpose": item.loan.purpose,
        "status": item.loan.status,
        "currency": currency,
        "past_due_minor": item.dues.past_due_minor,
        "due_today_minor": item.dues.due_today_minor,
        "next_due_on": item.dues.next_due_on,
        "next_due_minor": item.dues.next_due_minor,
        "suggested_minor": item.suggested_minor,
        "owed_minor": item.dues.owed_minor,
    }


def _people(session: Session, ids: Iterable[int | None]) -> dict[int, Person]:
    named = members.names_of(session, ids)
    return {key: {"id": one.public_id, "name": one.name} for key, one in named.items()}
