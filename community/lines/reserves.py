"""A line's first-loss reserve: who pays in, what it pays for, how it is filled again, who gets it.

The money lies in custody, and the line's row, locked, says how much of it is the line's. It pays
before the community's reserve fund when nobody is left to ask for a draw. What the borrower pays
back later goes to the lender first, then to all who paid for them in proportion, this reserve among
them. Once the line is closed, what is left goes back in proportion to what each has paid in.
"""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.errors import CurrencyMismatch, Invalid
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.rules import Leg
from community.ledger.service import post
from community.lines.errors import LineNotFound, LineStepNotAllowed
from community.lines.models import CreditLine, LineReserveMove, LineStatus, ReserveMoveKind
from community.lines.queries import paid_in
from community.locks import lock
from community.members import queries as members
from community.money import Money, allocate


def contribute(
    session: Session,
    *,
    line_id: int,
    member_id: int | None,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> LineReserveMove:
    """A member pays into a line's reserve out of their savings; None: the community, out of its.

    Locks the line, then the book. Raises NotAMember, CurrencyMismatch, InsufficientFunds,
    LineStepNotAllowed of a closed line.
    """
    line = _locked(session, line_id)
    if line.status is LineStatus.CLOSED:
        raise LineStepNotAllowed("The line is closed.", state=line.status.value)
    if amount.currency != line.currency:
        raise CurrencyMismatch(
            f"The line is in {line.currency}.", expected=line.currency, given=amount.currency
        )
    if not amount.is_positive:
        raise Invalid("Give a positive amount.", field="amount")
    if member_id is not None:
        communities.require_active(session, community_id=line.community_id, member_id=member_id)
        kind, legs = (
            ReserveMoveKind.PAID_IN,
            rules.line_reserve_paid_in(member_id, amount.amount_minor),
        )
    else:
        kind, legs = ReserveMoveKind.SET_ASIDE, rules.line_reserve_set_aside(amount.amount_minor)
    [move] = _move(
        session,
        line,
        kind,
        legs,
        {member_id: amount.amount_minor},
        on=on,
        now=now,
        actor_id=actor_id,
    )
    return move


def use(
    session: Session,
    *,
    line: CreditLine,
    loan_id: int,
    amount_minor: int,
    on: date,
    now: datetime,
) -> None:
    """A locked line's reserve gives what the reserve fund then pays on one of its draws."""
    _move(
        session,
        line,
        ReserveMoveKind.USED,
        rules.line_reserve_used(loan_id, amount_minor),
        {None: amount_minor},
        loan_id=loan_id,
        on=on,
        now=now,
        actor_id=None,
    )


def refill(
    session: Session,
    *,
    line: CreditLine,
    loan_id: int,
    amount_minor: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """A borrower has paid back what a locked line's reserve paid for them.

    Of a closed line it goes on at once to those who paid in.
    """
    _move(
        session,
        line,
        ReserveMoveKind.REFILLED,
        rules.line_reserve_refilled(loan_id, amount_minor),
        {None: amount_minor},
        loan_id=loan_id,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    if line.status is LineStatus.CLOSED:
        give_back(session, line=line, on=on, now=now, actor_id=actor_id)


def give_back(
    session: Session, *, line: CreditLine, on: date, now: datetime, actor_id: int | None
) -> None:
    """All of a locked line's reserve, in proportion to what each has paid in.

    Units that are left over go one each to those who paid in most, of equals to the earlier member.
    """
    shares = paid_in(session, line.id)
    parts = allocate(line.reserve_minor, list(shares.values()))
    back = {who: part for who, part in zip(shares, parts, strict=True) if part}
    _move(
        session,
        line,
        ReserveMoveKind.RETURNED,
        rules.line_reserve_returned(back),
        back,
        on=on,
        now=now,
        actor_id=actor_id,
    )


def _move(
    session: Session,
    line: CreditLine,
    kind: ReserveMoveKind,
    legs: list[Leg],
    parts: Mapping[int | None, int],
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    loan_id: int | None = None,
) -> list[LineReserveMove]:
    total = sum(parts.values())
    into = kind not in (ReserveMoveKind.USED, ReserveMoveKind.RETURNED)
    line.reserve_minor += total if into else -total
    entry_id = post(
        session,
        community_id=line.community_id,
        currency=line.currency,
        kind=f"firstloss.{kind.value}",
        legs=legs,
        on=on,
        now=now,
        reference=line.public_id,
        actor_id=actor_id,
    )
    moves = [
        LineReserveMove(
            line_id=line.id,
            kind=kind,
            member_id=member_id,
            loan_id=loan_id,
            amount_minor=amount,
            moved_on=on,
            entry_id=entry_id,
            actor_id=actor_id,
            recorded_at=now,
        )
        for member_id, amount in parts.items()
    ]
    session.add_all(moves)
    session.flush()  # what is read next counts them
    people = members.names_of(session, parts)
    record_event(
        session,
        community_id=line.community_id,
        kind=f"firstloss.{kind.value}",
        subject=line.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "amount_minor": total,
            "reserve_minor": line.reserve_minor,
            "members": sorted(person.public_id for person in people.values()),
        },
    )
    return moves


def _locked(session: Session, line_id: int) -> CreditLine:
    line = lock(session, CreditLine, [line_id]).get(line_id)
    if line is None:
        raise LineNotFound()
    return line
