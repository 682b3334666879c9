"""Rows of this room joined with the names of what they point at, for dumping."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

from sqlalchemy.orm import Session

from community.guarantees import queries
from community.guarantees.models import Call, CoverChange, CoverChangeStatus, GuaranteePayment
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan, Repayment
from community.members import queries as members


@dataclass(frozen=True, slots=True)
class Names:
    """Public ids of members and loans by internal id."""

    members: dict[int, str]
    loans: dict[int, Loan]

    def member(self, member_id: int | None) -> str | None:
        return None if member_id is None else self.members[member_id]


def receipt(session: Session, repayment: Repayment) -> SimpleNamespace:
    """A repayment as its payer sees it."""
    loan = loans.get_loan_by_id(session, repayment.loan_id)
    names = _names(session, [repayment.payer_id], [loan])
    return SimpleNamespace(
        **_columns(repayment),
        id=repayment.public_id,
        loan=loan.public_id,
        payer=names.member(repayment.payer_id),
        currency=loan_service.currency_of(loan),
        outstanding_minor=loan.outstanding_minor,
        loan_status=loan.status.value,
        cover_held_minor=queries.held_minor(session, loan_id=loan.id),
    )


def receipts(session: Session, rows: Iterable[Repayment]) -> list[SimpleNamespace]:
    """Receipts of one loan."""
    return [receipt(session, row) for row in rows]


def cover(session: Session, loan: Loan) -> SimpleNamespace:
    """The cover of a loan, path by path."""
    lines = queries.list_lines(session, loan_id=loan.id)
    people = {line.standing_of_id for line in lines} | {line.via_id for line in lines}
    names = _names(session, people, [loan])
    currency = loan_service.currency_of(loan)
    return SimpleNamespace(
        held_minor=sum(line.held_minor for line in lines),
        currency=currency,
        lines=[
            SimpleNamespace(
                standing_of=names.member(line.standing_of_id),
                through=names.member(line.via_id),
                vouches=[v for v in (line.outer_vouch, line.inner_vouch) if v is not None],
                amount_minor=line.amount_minor,
                held_minor=line.held_minor,
                called_minor=line.called_minor,
                paid_minor=line.paid_minor,
                currency=currency,
            )
            for line in lines
        ],
    )


def calls(session: Session, rows: Iterable[Call]) -> list[SimpleNamespace]:
    """Calls with the names on them."""
    listed = list(rows)
    people = {call.guarantor_id for call in listed} | {call.for_guarantor_id for call in listed}
    found = loans.loans_by_id(session, {call.loan_id for call in listed})
    names = _names(session, people, found.values())
    return [
        SimpleNamespace(
            **_columns(call),
            id=call.public_id,
            loan=names.loans[call.loan_id].public_id,
            guarantor=names.member(call.guarantor_id),
            covers_for=names.member(call.for_guarantor_id),
            open_minor=call.open_minor,
            currency=loan_service.currency_of(names.loans[call.loan_id]),
        )
        for call in listed
    ]


def call_file(session: Session, call: Call) -> SimpleNamespace:
    """One call with the cover lines that it rests on, and the answers to disputes of it."""
    [shown] = calls(session, [call])
    lines = queries.call_lines(session, call)
    people = {end for _, line in lines for end in (line.standing_of_id, line.via_id)}
    names = _names(session, people, [])
    shown.answers = queries.dispute_answers(session, call)
    shown.lines = [
        SimpleNamespace(
            standing_of=names.member(line.standing_of_id),
            through=names.member(line.via_id),
            vouches=[v for v in (line.outer_vouch, line.inner_vouch) if v is not None],
            amount_minor=item.amount_minor,
            paid_minor=item.paid_minor,
            moved_minor=item.moved_minor,
            currency=shown.currency,
        )
        for item, line in lines
    ]
    return shown


def call_payment(session: Session, payment: GuaranteePayment, call: Call) -> SimpleNamespace:
    """A payment on a call, and the call after it."""
    [shown] = calls(session, [call])
    return SimpleNamespace(
        id=payment.public_id,
        amount_minor=payment.amount_minor,
        paid_on=payment.paid_on,
        currency=shown.currency,
        call=shown,
    )


def _names(session: Session, people: Iterable[int | None], rows: Iterable[Loan]) -> Names:
    wanted = {member_id for member_id in people if member_id is not None}
    named = members.names_of(session, wanted)
    ids = {member_id: person.public_id for member_id, person in named.items()}
    return Names(ids, {loan.id: loan for loan in rows})


def _columns(row: object) -> dict[str, object]:
    """The row's own columns, without those that are shown under another name."""
    table = row.__table__  # type: ignore[attr-defined]
    shown = {column.key for column in table.columns} - {"id", "loan_id", "public_id"}
    return {name: getattr(row, name) for name in shown}


def cover_changes(session: Session, rows: Iterable[CoverChange]) -> list[SimpleNamespace]:
    """Changes of cover with the names of whom they concern, and who has still to agree."""
    listed = list(rows)
    lent = loans.loans_by_id(session, [row.loan_id for row in listed])
    held = queries.held_by_leaving(session, listed)
    named = members.names_of(
        session,
        (
            member_id
            for row in listed
            for member_id in (row.leaving_id, row.coming_id, lent[row.loan_id].borrower_id)
        ),
    )
    shown = []
    for row in listed:
        loan = lent[row.loan_id]
        consents = (
            (row.leaving_id, row.leaving_agreed_at),
            (row.coming_id, row.coming_agreed_at),
            (loan.borrower_id, row.borrower_agreed_at),
        )
        is_open = row.status is CoverChangeStatus.PROPOSED
        shown.append(
            SimpleNamespace(
                id=row.public_id,
                loan=loan.public_id,
                kind=row.kind,
                status=row.status,
                borrower=named[loan.borrower_id],
                leaving=named[row.leaving_id],
                coming=None if row.coming_id is None else named[row.coming_id],
                reason=row.reason,
                proposed_at=row.proposed_at,
                leaving_agreed_at=row.leaving_agreed_at,
                coming_agreed_at=row.coming_agreed_at,
                borrower_agreed_at=row.borrower_agreed_at,
                ended_at=row.ended_at,
                waiting_for=[
                    named[member_id]
                    for member_id, agreed_at in consents
                    if is_open and member_id is not None and agreed_at is None
                ],
                held_minor=held[row.id],
                freed_minor=row.freed_minor,
                taken_minor=row.taken_minor,
                currency=loan_service.currency_of(loan),
            )
        )
    return shown
