"""A member's personal data is taken out, and the books stay as they are.

Names become the public id, identifiers and free texts about them are emptied, what let them in is
deleted: column by column as the registry says. Amounts, days, statuses and the chain of events name
the member by number and public id only, so nothing of them changes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from community.bulk import table_of
from community.communities.models import Membership, MembershipStatus
from community.database import Base
from community.feedback.models import Complaint, ComplaintStatus
from community.groups.models import GroupMember, GroupMemberStatus
from community.guarantees.models import OPEN_MINOR, Call, CallStatus, Claim, Guarantee
from community.ledger.events import record_event
from community.ledger.models import Account
from community.loans.models import Loan
from community.loans.states import ENDED
from community.locks import lock_one
from community.members.errors import MemberErased
from community.members.models import ApiToken, Household, Member, RoleGrant
from community.monitoring.models import MAY_BE_EMPTIED, CaseStatus, RiskCase
from community.personal.errors import StillLive
from community.personal.export import in_order, rows_about
from community.personal.models import ErasureRequest, ErasureState
from community.personal.registry import ABOUT, Place
from community.records.models import RecordConsent
from community.trust.models import Vouch, VouchStatus

# What stands where a text was that may not be empty.
ERASED = "(erased)"
_AT_ONCE = 500


def live_questions(member_id: int) -> Mapping[str, tuple[type[Base], ColumnElement[bool]]]:
    """What keeps a member from being erased, by name: rows of which table."""
    loans_not_over = Loan.status.not_in(ENDED)
    return {
        "loans": (Loan, (Loan.borrower_id == member_id) & loans_not_over),
        "guarantees": (
            Guarantee,
            (Guarantee.guarantor_id == member_id)
            & Guarantee.loan_id.in_(select(Loan.id).where(loans_not_over)),
        ),
        "calls": (
            Call,
            (Call.guarantor_id == member_id)
            & Call.status.in_([CallStatus.OPEN, CallStatus.DISPUTED]),
        ),
        "claims": (
            Claim,
            or_(Claim.claimant_id == member_id, Claim.debtor_id == member_id) & (OPEN_MINOR > 0),
        ),
        "promises": (
            Vouch,
            or_(Vouch.voucher_id == member_id, Vouch.borrower_id == member_id)
            & or_(
                Vouch.status.in_([VouchStatus.OFFERED, VouchStatus.LIVE]), Vouch.reserved_minor > 0
            ),
        ),
        "savings": (
            Account,
            (Account.member_id == member_id)
            & or_(Account.balance_minor != 0, Account.held_minor != 0),
        ),
        "groups": (
            GroupMember,
            (GroupMember.member_id == member_id)
            & GroupMember.status.in_(
                [
                    GroupMemberStatus.INVITED,
                    GroupMemberStatus.ACCEPTED,
                    GroupMemberStatus.SIGNED,
                ]
            ),
        ),
        "memberships": (
            Membership,
            (Membership.member_id == member_id) & (Membership.status != MembershipStatus.LEFT),
        ),
        "cases": (
            RiskCase,
            (RiskCase.member_id == member_id) & (RiskCase.status == CaseStatus.OPEN),
        ),
        "complaints": (
            Complaint,
            or_(Complaint.complainant_id == member_id, Complaint.against_id == member_id)
            & (Complaint.status == ComplaintStatus.OPEN),
        ),
        "consents": (
            RecordConsent,
            (RecordConsent.member_id == member_id) & RecordConsent.withdrawn_on.is_(None),
        ),
        "roles": (
            RoleGrant,
            (RoleGrant.member_id == member_id) & RoleGrant.revoked_at.is_(None),
        ),
    }


def live_parts(session: Session, member_id: int) -> dict[str, int]:
    """What keeps a member from being erased, and how much there is of each."""
    counts = {}
    for name, (model, condition) in live_questions(member_id).items():
        count = session.scalar(select(func.count()).select_from(model).where(condition))
        if count:
            counts[name] = count
    return counts


def erase(session: Session, *, member_id: int, now: datetime, actor_id: int) -> dict[str, Any]:
    """Take a member's personal data out; what went, and what stays and why. Locks the member.

    Raises MemberErased; StillLive names everything that is not over yet.
    """
    member = lock_one(session, Member, member_id)
    if member.erased_at is not None:
        raise MemberErased()
    live = live_parts(session, member_id)
    if live:
        told = ", ".join(f"{count} {name}" for name, count in live.items())
        raise StillLive(f"First bring to an end: {told}.", live=live)
    session.execute(
        update(ErasureRequest)
        .where(ErasureRequest.member_id == member_id, ErasureRequest.state == ErasureState.OPEN)
        .values(state=ErasureState.DONE, settled_at=now, settled_by_id=actor_id)
    )
    taken = take_out(session, member, now=now)
    record_event(
        session,
        community_id=None,
        kind="member.erased",
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={"removed": taken["removed"], "emptied": taken["emptied"]},
    )
    return taken


def take_out(session: Session, member: Member, *, now: datetime) -> dict[str, Any]:
    """Delete and empty what the registry says; the caller has seen that nothing is live."""
    member_id = member.id
    removed: dict[str, int] = {}
    emptied: dict[str, int] = {}
    kept: dict[str, str] = {}
    found = rows_about(session, member_id, whole=True)
    # What hangs on others goes first.
    for name in reversed(in_order()):
        rows, place = found.get(name, []), ABOUT[name]
        if not rows:
            continue
        table = Base.metadata.tables[name]
        if place.is_deleted:
            removed[name] = _delete(session, table, rows)
            continue
        kept[name] = place.why.value
        if name != "members":  # they come last, by their own object
            for subjects, columns in _by_subjects(table, place).items():
                ours = [row for row in rows if is_about(place, row, subjects, member_id, found)]
                emptied |= empty(session, columns, ours)
    session.execute(
        update(ApiToken)
        .where(ApiToken.member_id == member_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    emptied |= _forget(session, member, now)
    return {
        "erased_at": now,
        "removed": removed,
        "emptied": emptied,
        "kept": [{"table": name, "why": why} for name, why in sorted(kept.items())],
    }


def _forget(session: Session, member: Member, now: datetime) -> dict[str, int]:
    home_id = member.household_id
    emptied = {"members.name": 1}
    if member.reference is not None:
        emptied["members.reference"] = 1
    if member.birth_year is not None:
        emptied["members.birth_year"] = 1
    member.name = member.public_id
    member.reference = member.birth_year = member.household_id = None
    member.erased_at = now
    member.version += 1
    session.flush()
    if home_id is not None and not session.scalar(
        select(Member.id).where(Member.household_id == home_id).limit(1)
    ):
        # Nobody lives in it any more: the register's number would lead back to who did.
        home = session.get_one(Household, home_id)
        home.reference = home.public_id
        emptied["households.reference"] = 1
        session.flush()
    return emptied


def is_about(
    place: Place,
    row: dict[str, Any],
    subjects: tuple[str, ...],
    member_id: int,
    found: dict[str, list[dict[str, Any]]],
) -> bool:
    """Whether a text is about the member, and not by them about somebody else."""
    if not subjects:
        return True
    for name in subjects:
        if name in row:
            if row[name] == member_id:
                return True
            continue
        for column, parent in place.via:
            above = (one for one in found[parent] if one["id"] == row[column])
            if any(one[name] == member_id for one in above):
                return True
    return False


def _delete(session: Session, table: Table, rows: list[dict[str, Any]]) -> int:
    for start in range(0, len(rows), _AT_ONCE):
        keys = [row["id"] for row in rows[start : start + _AT_ONCE]]
        session.execute(delete(table).where(table.c.id.in_(keys)))
    return len(rows)


def _by_subjects(table: Table, place: Place) -> dict[tuple[str, ...], list[Column[Any]]]:
    grouped: dict[tuple[str, ...], list[Column[Any]]] = {}
    for name, subjects in place.clears.items():
        grouped.setdefault(subjects, []).append(table.c[name])
    return grouped


def empty(
    session: Session, columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Empty these columns of one table in these rows; how many had something in each."""
    table = columns[0].table
    assert isinstance(table, Table)
    blanks = {column.name: blank_of(column) for column in columns}
    full = {
        name: [row["id"] for row in rows if row[name] not in (None, "", b"", blank)]
        for name, blank in blanks.items()
    }
    # A place is gone with both of its numbers at once; a text that is not there stays so.
    absent = [name for name, blank in blanks.items() if blank is None]
    for group in [[name] for name in blanks if name not in absent] + ([absent] if absent else []):
        keys = sorted({key for name in group for key in full[name]})
        values = {name: null() if blanks[name] is None else blanks[name] for name in group}
        for start in range(0, len(keys), _AT_ONCE):
            part = table.c.id.in_(keys[start : start + _AT_ONCE])
            session.execute(update(table).where(part).values(values))
    return {f"{table.name}.{name}": len(keys) for name, keys in full.items() if keys}


def blank_of(column: Column[Any]) -> Any:
    """What stands in an emptied column."""
    if isinstance(column.type, LargeBinary):
        return b""
    if isinstance(column.type, JSON):
        return {}
    if not isinstance(column.type, String):
        return None
    return "" if _is_history(column) else ERASED


def _is_history(column: Column[Any]) -> bool:
    """Whether the column is history that may be emptied, and only that."""
    return any(table_of(model).c[name] is column for model, name in MAY_BE_EMPTIED.items())
