"""Import of savings: deposits, and savings locked as stake.

Each row has a reference of its own, under which it is booked once. The books get one entry per
community, day and kind, with a leg a member; every row gets its receipt.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import itemgetter
from typing import BinaryIO, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from community.bulk import (
    count_anew,
    insert_columns,
    new_public_ids,
    select_by,
    table_of,
    update_all,
)
from community.communities.models import MembershipStatus
from community.errors import CommunityError, InsufficientFunds, StaleSnapshot
from community.importing import fields
from community.importing.places import (
    Belonging,
    Place,
    find_belongings,
    find_places,
    unknown_community,
)
from community.importing.reading import Column, Progress, read_values
from community.importing.report import Report
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.models import Account, AccountKind, Book, JournalEntry, Posting
from community.ledger.service import Draft, post_all
from community.money import parse_minor, say_amount
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.trust.models import Standing

DEPOSIT, STAKE_LOCK = SavingsMovementKind.DEPOSIT, SavingsMovementKind.STAKE_LOCK

COLUMNS = (
    Column("reference", fields.movement_reference, repeats=False),
    Column("community", fields.reference),
    Column("member", fields.reference),
    Column("amount", fields.amount),
    Column("currency", fields.currency, required=False),
    Column("moved_on", fields.day),
    Column(
        "kind",
        fields.one_of(
            SavingsMovementKind,
            SavingsMovementKind.WITHDRAWAL,
            SavingsMovementKind.STAKE_RELEASE,
        ),
        required=False,
    ),
)


class SavingsRow(NamedTuple):
    """One row."""

    line: int
    reference: str
    community: str
    member: str
    amount: str
    currency: str | None
    moved_on: date
    kind: SavingsMovementKind


class _Movement(NamedTuple):
    """A row with what it names looked up."""

    row: SavingsRow
    member_id: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The movements of one kind in one community on one day, which become one entry."""

    place: Place
    moved_on: date
    is_lock: bool
    movements: list[_Movement] = field(default_factory=list)


class _Booked(NamedTuple):
    """A movement that is there already under a row's reference."""

    community_id: int
    member_id: int
    amount_minor: int
    moved_on: date
    kind: SavingsMovementKind


def read_savings(
    stream: BinaryIO, report: Report, *, on: date, progress: Progress | None = None
) -> list[SavingsRow]:
    """Rows that are right as far as can be told from the file alone; the rest are faults."""
    first: dict[str, SavingsRow] = {}
    for *values, kind in read_values(stream, COLUMNS, report, progress):
        row = SavingsRow._make([*values, kind or DEPOSIT])
        if row.moved_on > on:
            report.fault(
                row.line,
                "moved_on",
                row.moved_on.isoformat(),
                f"The day is after {on}, the day of the import.",
                "Give a day that has been, or import with a later --on.",
            )
            continue
        earlier = first.get(row.reference)
        if earlier is None:
            first[row.reference] = row
        elif earlier[1:] == row[1:]:
            report.unchanged += 1
        else:
            report.fault(
                row.line,
                "reference",
                row.reference,
                f"Line {earlier.line} has the same reference with other values.",
                "Give every movement a reference of its own.",
            )
    return list(first.values())


def import_savings(
    session: Session,
    rows: list[SavingsRow],
    report: Report,
    *,
    on: date,
    now: datetime,
    currency: str | None = None,
    actor_id: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Book deposits and stake locks; raises ImportRefused, having written nothing.

    `currency` is that of rows which name none; without it they are in their community's. `on` is
    the business day; a row's own day may lie before it, but not in a closed day. Holds
    memberships, then locks standings and books. Raises StaleSnapshot when somebody takes out
    meanwhile what a row wants to lock.
    """
    places = find_places(session, {row.community for row in rows})
    belongings = find_belongings(session, places.values(), hold=True)
    sheets = _resolve(session, rows, places, belongings, report, currency)
    _check_days(session, sheets, report)
    _check_funds(session, sheets, report)
    report.refuse_if_faulty()
    _write(session, sheets, report, now=now, actor_id=actor_id, progress=progress)
    deposited: Counter[Place] = Counter()
    locked: Counter[Place] = Counter()
    for sheet in sheets:
        count = locked if sheet.is_lock else deposited
        count[sheet.place] += len(sheet.movements)
    for place in sorted({sheet.place for sheet in sheets}):
        record_event(
            session,
            community_id=place.id,
            kind="import.savings",
            subject=place.public_id,
            actor_id=actor_id,
            now=now,
            facts={
                "file_sha256": report.digest,
                "rows": report.rows,
                "deposits": deposited[place],
                "stake_locks": locked[place],
            },
        )
    report.new = deposited.total() + locked.total()
    count_anew(session, (Account, JournalEntry, Posting, SavingsMovement, Standing), report.new)
    report.outcome = {"deposits": deposited.total(), "stake locks": locked.total()}
    return report


def _resolve(
    session: Session,
    rows: list[SavingsRow],
    places: dict[str, Place],
    belongings: dict[int, dict[str, Belonging]],
    report: Report,
    currency: str | None,
) -> list[_Sheet]:
    """The rows that are new, in the order of booking; one booked otherwise before is a fault."""
    query = select(
        SavingsMovement.reference,
        SavingsMovement.community_id,
        SavingsMovement.member_id,
        SavingsMovement.amount_minor,
        SavingsMovement.on,
        SavingsMovement.kind,
    )
    booked = {
        reference: _Booked(*rest)
        for reference, *rest in select_by(
            session, query, SavingsMovement.reference, [row.reference for row in rows]
        )
    }
    amounts: dict[tuple[str, str], int] = {}
    sheets: dict[tuple[int, date, bool], _Sheet] = {}
    for row in rows:
        place = places.get(row.community)
        if place is None:
            unknown_community(report, row.line, row.community)
            continue
        said = row.currency or currency
        if said not in (None, place.currency):
            report.fault(
                row.line,
                "currency",
                said or "",
                f"{row.community} keeps its books in {place.currency}.",
                f"Write the amount in {place.currency}; nothing is converted here.",
            )
            continue
        amount = amounts.get((row.amount, place.currency))
        if amount is None:
            try:
                amount = parse_minor(row.amount, place.currency)
            except CommunityError as error:
                report.fault(row.line, "amount", row.amount, error.detail, "Correct the amount.")
                continue
            amounts[row.amount, place.currency] = amount
        belonging = belongings[place.id].get(row.member)
        before = booked.get(row.reference)
        if before is not None:
            member_id = belonging.member_id if belonging is not None else 0
            now_said = _Booked(place.id, member_id, amount, row.moved_on, row.kind)
            _compare(row, now_said, before, report)
        elif belonging is None or belonging.status is not MembershipStatus.ACTIVE:
            reason = (
                f"There is no member of this reference in {row.community}."
                if belonging is None
                else f"The membership in {row.community} is {belonging.status.value}, not active."
            )
            report.fault(
                row.line,
                "member",
                row.member,
                reason,
                "Only active members save: import people first, or leave the row out.",
            )
        else:
            # Deposits of a day stand before its locks.
            key = (place.id, row.moved_on, row.kind is STAKE_LOCK)
            sheet = sheets.get(key)
            if sheet is None:
                sheet = sheets[key] = _Sheet(place, *key[1:])
            sheet.movements.append(_Movement(row, belonging.member_id, amount))
    return [sheets[key] for key in sorted(sheets)]


def _compare(row: SavingsRow, said: _Booked, booked: _Booked, report: Report) -> None:
    for column, value, name in (
        ("community", row.community, "community_id"),
        ("member", row.member, "member_id"),
        ("amount", row.amount, "amount_minor"),
        ("moved_on", row.moved_on.isoformat(), "moved_on"),
        ("kind", row.kind.value, "kind"),
    ):
        if getattr(said, name) != getattr(booked, name):
            report.fault(
                row.line,
                column,
                value,
                f"The movement {row.reference} is booked already with something else.",
                "What is booked is never changed: correct the file, or post a correction.",
            )
            return
    report.unchanged += 1


def _check_days(session: Session, sheets: list[_Sheet], report: Report) -> None:
    query = select(Book.community_id, Book.closed_through).where(Book.closed_through.is_not(None))
    closed = dict(
        select_by(session, query, Book.community_id, {sheet.place.id for sheet in sheets})
    )
    for sheet in sheets:
        through = closed.get(sheet.place.id)
        if through is None or sheet.moved_on > through:
            continue
        for row, _, _ in sheet.movements:
            report.fault(
                row.line,
                "moved_on",
                row.moved_on.isoformat(),
                f"The books of {row.community} are closed through {through}.",
                "Give a later day: closed days take no more postings.",
            )


def _check_funds(session: Session, sheets: list[_Sheet], report: Report) -> None:
    """A lock needs free savings on its day, after the deposits of that day."""
    free = _free_savings(session, [sheet for sheet in sheets if sheet.is_lock])
    for sheet in sheets:
        of_place = free.get(sheet.place.id)
        if of_place is None:
            continue
        if not sheet.is_lock:
            for _, member_id, amount in sheet.movements:
                if member_id in of_place:
                    of_place[member_id] += amount
            continue
        for row, member_id, amount in sheet.movements:
            if amount <= of_place[member_id]:
                of_place[member_id] -= amount
                continue
            currency = sheet.place.currency
            report.fault(
                row.line,
                "amount",
                row.amount,
                f"{row.member} has {say_amount(of_place[member_id], currency)} of "
                f"free savings on {row.moved_on}.",
                "Lock no more than was saved by that day; deposits of the same day count.",
            )


def _free_savings(session: Session, locks: list[_Sheet]) -> dict[int, dict[int, int]]:
    """What those who lock have free in the books now, by community and member."""
    free: dict[int, dict[int, int]] = {}
    currencies = {}
    for sheet in locks:
        of_place = free.setdefault(sheet.place.id, {})
        of_place.update([(member_id, 0) for _, member_id, _ in sheet.movements])
        currencies[sheet.place.id] = sheet.place.currency
    if not free:
        return free
    # What is on hold is not free; credits are negative.
    taken = Account.balance_minor + Account.held_minor
    for community_id, member_id, currency, balance in select_by(
        session,
        select(Book.community_id, Account.member_id, Account.currency, taken)
        .join(Account, Account.book_id == Book.id)
        .where(Account.kind == AccountKind.MEMBER_SAVINGS, Book.community_id.in_(free)),
        Account.member_id,
        {member_id for of_place in free.values() for member_id in of_place},
    ):
        if currency == currencies[community_id] and member_id in free[community_id]:
            free[community_id][member_id] = -balance
    return free


def _write(
    session: Session,
    sheets: list[_Sheet],
    report: Report,
    *,
    now: datetime,
    actor_id: int | None,
    progress: Progress | None,
) -> None:
    if not sheets:
        return
    _raise_stakes(session, sheets)
    drafts = []
    for sheet in sheets:
        amounts: dict[int, int] = {}
        for _, member_id, amount in sheet.movements:
            amounts[member_id] = amounts.get(member_id, 0) + amount
        drafts.append(
            Draft(
                sheet.place.id,
                sheet.place.currency,
                f"savings.{_kind(sheet).value}",
                rules.stake_locked(amounts)
                if sheet.is_lock
                else rules.many_savings_deposited(amounts),
                sheet.moved_on,
                f"import {report.digest[:32]}",
            )
        )
    try:
        entry_ids = post_all(session, drafts, now=now, actor_id=actor_id)
    except InsufficientFunds as error:
        # Somebody withdrew between the check and the lock: checked again, it has its line.
        raise StaleSnapshot() from error
    receipts = [
        (member_id, amount, row.reference, sheet.moved_on, _kind(sheet), sheet.place.id, entry_id)
        for entry_id, sheet in zip(entry_ids, sheets, strict=True)
        for row, member_id, amount in sheet.movements
    ]
    # A member's receipts beside one another, in the order of time: near in the indexes too.
    receipts.sort(key=itemgetter(0))
    names = (
        "member_id",
        "amount_minor",
        "reference",
        "moved_on",
        "kind",
        "community_id",
        "entry_id",
    )
    insert_columns(
        session,
        SavingsMovement,
        {
            "public_id": new_public_ids("rcp", len(receipts)),
            "recorded_at": [now] * len(receipts),
            **dict(zip(names, zip(*receipts, strict=True), strict=True)),
        },
        progress,
    )


def _kind(sheet: _Sheet) -> SavingsMovementKind:
    return STAKE_LOCK if sheet.is_lock else DEPOSIT


def _raise_stakes(session: Session, sheets: list[_Sheet]) -> None:
    """Standings grow by what is locked; whoever has none yet gets one."""
    raised: dict[tuple[int, int], int] = {}
    for sheet in sheets:
        if sheet.is_lock:
            for _, member_id, amount in sheet.movements:
                place = (sheet.place.id, member_id)
                raised[place] = raised.get(place, 0) + amount
    if not raised:
        return
    query = select(Standing.community_id, Standing.member_id, Standing.id).where(
        Standing.community_id.in_({community_id for community_id, _ in raised})
    )
    found = {
        (community_id, member_id): standing_id
        for community_id, member_id, standing_id in select_by(
            session, query, Standing.member_id, {member_id for _, member_id in raised}
        )
    }
    standings = table_of(Standing)
    # In id order, like every lock on standings; the new ones are nobody else's to wait for.
    update_all(
        session,
        update(standings)
        .where(standings.c.id == bindparam("standing"))
        .values(stake_minor=standings.c.stake_minor + bindparam("more")),
        [
            {"standing": found[place], "more": raised[place]}
            for place in sorted(raised.keys() & found.keys(), key=found.__getitem__)
        ],
    )
    new = sorted(raised.keys() - found.keys())
    insert_columns(
        session,
        Standing,
        {
            "community_id": [community_id for community_id, _ in new],
            "member_id": [member_id for _, member_id in new],
            "stake_minor": [raised[place] for place in new],
        },
    )
