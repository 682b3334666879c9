"""Lines of bank statements: taken in once, matched, and what is not matched kept in suspense.

Every line becomes a row with its evidence. A matched one is booked as an ordinary receipt. Any
other is posted to suspense, with the reason, until an officer applies it, saves it or sends it
back. Locks: the line, then the loans with their cover, then the book.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities import queries as communities
from community.communities.models import Community, Membership
from community.database import new_public_id
from community.errors import CurrencyMismatch, WrongState
from community.guarantees.cover import LoanCover
from community.guarantees.errors import NothingOwed
from community.guarantees.service import lock_cover, repay_locked
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.rules import Leg
from community.ledger.service import post
from community.loans import queries as loans
from community.loans.models import Repayment, RepaymentSource
from community.loans.repayments import open_day
from community.loans.service import currency_of
from community.loans.states import LIVE
from community.locks import lock_one
from community.members.models import Member
from community.money import Money
from community.receiving.errors import BankLineNotFound, BankLineSettled
from community.receiving.matching import (
    Certainty,
    Known,
    KnownLoan,
    KnownMember,
    Line,
    Match,
    Rule,
    loan_ids_in,
    match,
    member_ids_in,
    references_in,
)
from community.receiving.models import BankLine, BankLineStatus, PayerAccount
from community.savings import service as savings


@dataclass(slots=True)
class Taken:
    """What came of the lines of a statement."""

    applied: list[BankLine] = field(default_factory=list)
    suspense: list[BankLine] = field(default_factory=list)


def take_in(
    session: Session,
    *,
    community_id: int,
    lines: Sequence[Line],
    statement_hash: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Taken:
    """Book the credits of a statement that are not there yet: on loans, or in suspense.

    The caller has made sure that no reference is taken. Lines are judged one by one on what is
    known before any of them is booked, and booked by day and reference, so the order in which
    they come does not matter. A match that does not hold under the locks goes to suspense.
    """
    community = communities.get_community_by_id(session, community_id)
    known = known_for(session, community, lines, on)
    found = [(line, match(line, known)) for line in sorted(lines, key=_in_order)]
    covers = lock_cover(session, {m.loan.loan_id for _, m in found if m.loan is not None})
    taken = Taken()
    for line, matched in found:
        row = _row(community, line, matched, statement_hash, now)
        reason = _apply_matched(session, row, matched, covers, on=on, now=now, actor_id=actor_id)
        if reason is None:
            taken.applied.append(row)
        else:
            row.match = _evidence(matched, reason)
            _keep_in_suspense(session, row, on=on, now=now, actor_id=actor_id)
            taken.suspense.append(row)
        session.add(row)
    session.flush()
    return taken


def apply_line(
    session: Session,
    *,
    line_id: int,
    loan_id: int,
    on: date,
    now: datetime,
    actor_id: int,
    payer_id: int | None = None,
    remember: bool = False,
    note: str = "",
) -> BankLine:
    """Money in suspense is for this loan after all: it becomes an ordinary receipt.

    `payer_id` is whose money it is, if not the borrower's; `remember` keeps the account that it
    came from as the payer's. Raises BankLineSettled, WrongState (a loan of another community, or
    one that takes no money), and what a repayment raises.
    """
    row = _locked(session, line_id)
    cover = lock_cover(session, [loan_id])[loan_id]
    if cover.loan.community_id != row.community_id:
        raise WrongState("The loan is of another community, whose books are its own.")
    payer = cover.loan.borrower_id if payer_id is None else payer_id
    entry_id = _release(session, row, "suspense.released", on=on, now=now, actor_id=actor_id)
    own = payer == cover.loan.borrower_id
    repayment = _receive(session, cover, row, payer, own, on=on, now=now, actor_id=actor_id)
    row.release_entry_id, row.repayment_id, row.payer_id = entry_id, repayment.id, payer
    row.match = _by_hand(row, "loan", cover.loan.public_id)
    _settle(session, row, BankLineStatus.APPLIED, note, on=on, now=now, actor_id=actor_id)
    if remember:
        _remember(session, row, payer, now=now, actor_id=actor_id)
    return row


def save_line(
    session: Session,
    *,
    line_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int,
    remember: bool = False,
    note: str = "",
) -> BankLine:
    """Money in suspense is a member's to save: it becomes a deposit.

    Raises BankLineSettled, and what a deposit raises.
    """
    row = _locked(session, line_id)
    entry_id = _release(session, row, "suspense.released", on=on, now=now, actor_id=actor_id)
    movement = savings.deposit(
        session,
        community_id=row.community_id,
        member_id=member_id,
        amount=Money(row.amount_minor, row.currency),
        on=on,
        now=now,
        actor_id=actor_id,
    )
    row.release_entry_id, row.movement_id, row.payer_id = entry_id, movement.id, member_id
    row.match = _by_hand(row, "receipt", movement.public_id)
    _settle(session, row, BankLineStatus.SAVED, note, on=on, now=now, actor_id=actor_id)
    if remember:
        _remember(session, row, member_id, now=now, actor_id=actor_id)
    return row


def return_line(
    session: Session, *, line_id: int, reason: str, on: date, now: datetime, actor_id: int
) -> BankLine:
    """Money in suspense goes back to whoever sent it. Raises BankLineSettled."""
    row = _locked(session, line_id)
    row.release_entry_id = _release(
        session, row, "suspense.returned", on=on, now=now, actor_id=actor_id
    )
    _settle(session, row, BankLineStatus.RETURNED, reason, on=on, now=now, actor_id=actor_id)
    return row


def known_for(session: Session, community: Community, lines: Iterable[Line], on: date) -> Known:
    """What is known of whatever the lines name; the statements do not grow with the lines."""
    lines = list(lines)
    named = loans.find_loans(
        session, {public_id for line in lines for public_id in loan_ids_in(line.text)}
    )
    here = [loan for loan in named.values() if loan.community_id == community.id]
    public_ids = {one for line in lines for one in member_ids_in(line.text)}
    words = {word for line in lines for word in references_in(line.text) if len(word) <= 64}
    inside = (
        select(Member)
        .join(Membership, Membership.member_id == Member.id)
        .where(Membership.community_id == community.id)
    )
    accounts: dict[str, int] = dict(
        select_by(
            session,
            select(PayerAccount.account, PayerAccount.member_id).where(
                PayerAccount.community_id == community.id
            ),
            PayerAccount.account_index,
            {line.payer_account for line in lines if line.payer_account},
        )
    )
    people: dict[int, KnownMember] = {}
    for column, values in (
        (Member.public_id, public_ids),
        (Member.reference_index, words),
        (Member.id, {*accounts.values(), *(loan.borrower_id for loan in here)}),
    ):
        for (member,) in select_by(session, inside, column, values):
            people[member.id] = KnownMember(
                member.id, member.public_id, member.reference, member.name
            )
    live = loans.live_loans(session, community_id=community.id, borrower_ids=people)
    dues = loans.dues_of(session, [loan for own in live.values() for loan in own], on)
    known = {
        loan.id: KnownLoan(
            loan_id=loan.id,
            public_id=loan.public_id,
            borrower_id=loan.borrower_id,
            currency=currency_of(loan),
            live=loan.status in LIVE,
            oldest_due_on=dues[loan.id].oldest_due_on if loan.id in dues else None,
            # What an unpaid due asks for first: what is late and due, else what comes next.
            next_due_minor=_asks(dues[loan.id]) if loan.id in dues else 0,
        )
        for loan in [*here, *(loan for own in live.values() for loan in own)]
    }
    return Known(
        loans={loan.public_id: known[loan.id] for loan in here},
        members={member.public_id: member for member in people.values()},
        references={member.reference: member for member in people.values() if member.reference},
        accounts={
            account: people[member_id]
            for account, member_id in accounts.items()
            if member_id in people
        },
        live={member_id: tuple(known[loan.id] for loan in own) for member_id, own in live.items()},
        people=people,
    )


def get_line(session: Session, public_id: str) -> BankLine:
    """The bank line of this public id. Raises BankLineNotFound."""
    row = session.scalar(select(BankLine).where(BankLine.public_id == public_id))
    if row is None:
        raise BankLineNotFound()
    return row


def _asks(dues: loans.LoanDues) -> int:
    return dues.due_minor or dues.next_due_minor


def _in_order(line: Line) -> tuple[date, str]:
    return line.booked_on, line.reference


def _row(
    community: Community, line: Line, matched: Match, statement_hash: str, now: datetime
) -> BankLine:
    return BankLine(
        public_id=new_public_id("bkl"),
        community_id=community.id,
        reference=line.reference,
        booked_on=line.booked_on,
        amount_minor=line.amount_minor,
        currency=line.currency,
        payer_name=line.payer_name,
        payer_account=line.payer_account,
        text=line.text,
        statement_hash=statement_hash,
        status=BankLineStatus.SUSPENSE,
        match=_evidence(matched, None),
        payer_id=matched.payer_id,
        settled_note="",
        recorded_at=now,
        version=1,
    )


def _apply_matched(
    session: Session,
    row: BankLine,
    matched: Match,
    covers: dict[int, LoanCover],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> str | None:
    """Book a matched line on its loan; the reason if it is not to be, with nothing done."""
    if matched.loan is None:
        assert matched.reason is not None
        return matched.reason.value
    cover = covers[matched.loan.loan_id]
    # An earlier line of the same statement, or somebody else, may have paid the rest meanwhile.
    if cover.loan.status not in LIVE:
        return "loan_not_live"
    try:
        repayment = _receive(
            session,
            cover,
            row,
            matched.payer_id,
            matched.borrower_pays,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    except (CurrencyMismatch, NothingOwed) as refusal:
        # Both are told before anything is written.
        return refusal.code
    row.repayment_id = repayment.id
    row.status = BankLineStatus.APPLIED
    row.settled_on, row.settled_at, row.settled_by_id = on, now, actor_id
    return None


def _receive(
    session: Session,
    cover: LoanCover,
    row: BankLine,
    payer_id: int | None,
    borrower_pays: bool,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Repayment:
    """The one place where a bank line becomes a receipt: of the day on which the bank had it.

    Where guarantors have answered for the loan since, it counts from the day on which they did.
    """
    return repay_locked(
        session,
        cover,
        amount=Money(row.amount_minor, row.currency),
        on=on,
        now=now,
        payer_id=payer_id,
        source=RepaymentSource.BORROWER if borrower_pays else RepaymentSource.THIRD_PARTY,
        actor_id=actor_id,
        received_on=open_day(session, loan=cover.loan, received_on=row.booked_on, on=on),
    )


def _keep_in_suspense(
    session: Session, row: BankLine, *, on: date, now: datetime, actor_id: int | None
) -> None:
    row.suspense_entry_id = _post(
        session,
        row,
        "suspense.received",
        rules.suspense_received(row.amount_minor),
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _locked(session: Session, line_id: int) -> BankLine:
    row = lock_one(session, BankLine, line_id)
    if row.status is not BankLineStatus.SUSPENSE:
        raise BankLineSettled(f"The line is {row.status.value}.", state=row.status.value)
    return row


def _release(
    session: Session, row: BankLine, kind: str, *, on: date, now: datetime, actor_id: int
) -> int:
    """Post the money out of suspense; the row is written when all of it is known."""
    going_back = kind == "suspense.returned"
    legs = rules.suspense_returned if going_back else rules.suspense_released
    return _post(
        session,
        row,
        kind,
        legs(row.amount_minor),
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _settle(
    session: Session,
    row: BankLine,
    status: BankLineStatus,
    note: str,
    *,
    on: date,
    now: datetime,
    actor_id: int,
) -> None:
    row.status = status
    row.settled_on, row.settled_at, row.settled_by_id = on, now, actor_id
    row.settled_note = note
    row.version += 1
    session.flush()
    record_event(
        session,
        community_id=row.community_id,
        kind=f"bank_line.{status.value}",
        subject=row.public_id,
        actor_id=actor_id,
        now=now,
        facts={"reference": row.reference, "amount_minor": row.amount_minor}
        | ({"note": note} if note else {}),
    )


def _remember(
    session: Session, row: BankLine, member_id: int, *, now: datetime, actor_id: int
) -> None:
    """The last officer's word on whose account it is counts."""
    if not row.payer_account:
        return
    there = session.scalar(
        select(PayerAccount).where(
            PayerAccount.community_id == row.community_id,
            PayerAccount.account_index == row.payer_account,
        )
    )
    facts = {
        "member_id": member_id,
        "bank_line_id": row.id,
        "noted_by_id": actor_id,
        "noted_at": now,
    }
    if there is None:
        session.add(PayerAccount(community_id=row.community_id, account=row.payer_account, **facts))
    else:
        for name, value in facts.items():
            setattr(there, name, value)
    session.flush()


def _post(
    session: Session,
    row: BankLine,
    kind: str,
    legs: list[Leg],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    return post(
        session,
        community_id=row.community_id,
        currency=row.currency,
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=row.public_id,
        actor_id=actor_id,
    )


def _evidence(matched: Match, reason: str | None) -> dict[str, object]:
    rule, certainty = matched.rule, matched.certainty
    return {
        "rule": None if reason or rule is None else rule.value,
        "certainty": None if reason or certainty is None else certainty.value,
        "reason": reason,
        "facts": [list(fact) for fact in matched.facts],
    }


def _by_hand(row: BankLine, what: str, public_id: str) -> dict[str, object]:
    """An officer's decision, beside what the line itself told."""
    return row.match | {
        "rule": Rule.BY_HAND.value,
        "certainty": Certainty.CERTAIN.value,
        "facts": [*row.match["facts"], [what, public_id]],
    }
