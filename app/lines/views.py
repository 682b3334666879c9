"""Credit lines joined with what they point at, for dumping."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import today
from community.communities import queries as communities
from community.groups.models import Group
from community.lines import queries
from community.lines.models import (
    CreditLine,
    CreditLineChange,
    CreditLineShare,
    Facility,
    LineReserveMove,
)
from community.loans import queries as loans
from community.loans.models import Loan
from community.members.queries import names_of
from community.products.models import Product


def line_summaries(session: Session, lines: Iterable[CreditLine]) -> list[dict[str, Any]]:
    """Lines as they stand in a list; three statements for all of them."""
    listed = list(lines)
    places = communities.get_communities_by_id(session, [line.community_id for line in listed])
    groups = _public_ids(session, Group, [line.group_id for line in listed])
    products = _public_ids(session, Product, [line.product_id for line in listed])
    return [
        _facility(line, line.currency)
        | {
            "id": line.public_id,
            "community": places[line.community_id].public_id,
            "group": groups.get(line.group_id),
            "product": products.get(line.product_id),
            "name": line.name,
            "status": line.status,
            "from_on": line.from_on,
            "until_on": line.until_on,
            "closed_on": line.closed_on,
            "reserve_minor": line.reserve_minor,
            "version": line.version,
        }
        for line in listed
    ]


def line_view(
    session: Session, line: CreditLine, shares: Iterable[CreditLineShare]
) -> dict[str, Any]:
    """A line with these sub-limits of it."""
    [summary] = line_summaries(session, [line])
    listed = list(shares)
    people = names_of(session, [share.member_id for share in listed])
    return summary | {
        "sub_limits": [
            _facility(share, line.currency) | {"member": people[share.member_id]}
            for share in listed
        ]
    }


def reserve_view(session: Session, line: CreditLine, *, only: int | None) -> dict[str, Any]:
    """A line's reserve; of what members paid in only one member's, if one is named."""
    shares = {
        who: amount
        for who, amount in queries.paid_in(session, line.id).items()
        if only is None or who in (None, only)
    }
    people = names_of(session, shares)
    return {
        "line": line.public_id,
        "held_minor": line.reserve_minor,
        "currency": line.currency,
        "paid_in": [
            {
                "member": None if who is None else people[who],
                "amount_minor": amount,
                "currency": line.currency,
            }
            for who, amount in shares.items()
        ],
    }


def move_views(
    session: Session, line: CreditLine, moves: Iterable[LineReserveMove]
) -> list[dict[str, Any]]:
    """Money into and out of a line's reserve."""
    listed = list(moves)
    people = names_of(session, [move.member_id for move in listed])
    draws = loans.public_ids(session, [move.loan_id for move in listed])
    return [
        {
            "kind": move.kind,
            "member": people.get(move.member_id or 0),
            "loan": draws.get(move.loan_id or 0),
            "amount_minor": move.amount_minor,
            "currency": line.currency,
            "on": move.moved_on,
        }
        for move in listed
    ]


def draw_views(session: Session, line: CreditLine, loans: Iterable[Loan]) -> list[dict[str, Any]]:
    """Loans that draw on a line."""
    listed = list(loans)
    people = names_of(session, [loan.borrower_id for loan in listed])
    return [
        {
            "currency": line.currency,
            "loan": loan.public_id,
            "borrower": people[loan.borrower_id],
            "status": loan.status,
            "principal_minor": loan.principal_minor,
            "takes_minor": loan.line_used_minor,
            "disbursed_on": loan.disbursed_on,
            "ended_on": loan.ended_on,
        }
        for loan in listed
    ]


def change_views(
    session: Session, line: CreditLine, changes: Iterable[CreditLineChange]
) -> list[dict[str, Any]]:
    """What was changed of a line."""
    listed = list(changes)
    people = names_of(
        session, [who for change in listed for who in (change.member_id, change.actor_id)]
    )
    return [
        {
            "currency": line.currency,
            "number": change.number,
            "kind": change.kind,
            "member": people.get(change.member_id or 0),
            "before_minor": change.before_minor,
            "after_minor": change.after_minor,
            "until_on": change.until_on,
            "on": change.changed_on,
            "reason": change.reason,
            "by": people.get(change.actor_id or 0),
            "recorded_at": change.recorded_at,
        }
        for change in listed
    ]


def _facility(row: Facility, currency: str) -> dict[str, Any]:
    on = today()
    in_force = row.limit_on(on)
    raised = in_force > row.limit_minor
    return {
        "currency": currency,
        "limit_minor": row.limit_minor,
        "limit_in_force_minor": in_force,
        "raised_minor": row.raised_minor if raised else None,
        "raised_until_on": row.raised_until_on if raised else None,
        "used_minor": row.used_minor,
        "over_minor": max(0, row.used_minor - in_force),
        "headroom_minor": row.headroom_on(on),
    }


def _public_ids(
    session: Session, model: type[Group] | type[Product], ids: Iterable[int | None]
) -> dict[int | None, str]:
    wanted = {row_id for row_id in ids if row_id is not None}
    if not wanted:
        return {}
    rows = session.execute(select(model.id, model.public_id).where(model.id.in_(wanted)))
    return {row.id: row.public_id for row in rows}
