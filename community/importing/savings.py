"""Import of savings: deposits, and savings locked as stake.

Each row has a reference of its own, under which it is booked once. The books get one entry per
community, day and kind, with a leg a member; every row gets its receipt.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import BinaryIO, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from community.bulk import (
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
from community.ledger.models import Account, AccountKind, Book
from community.ledger.service import Draft, post_all
from community.money import format_minor, parse_minor
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
    place: Place
    member_id: int
    amount_minor: int


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
    movements = _resolve(session, rows, places, belongings, report, currency)
    _check_days(session, movements, report)
    _check_funds(session, movements, report)
    report.refuse_if_faulty()
    _write(session, movements, report, now=now, actor_id=actor_id, progress=progress)
    deposited: Counter[int] = Counter()
    locked: Counter[int] = Counter()
    for movement in movements:
        count = deposited if movement.row.kind is DEPOSIT else locked
        count[movement.place.id] += 1
    for place in sorted({movement.place for movement in movements}):
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
                "deposits": deposited[place.id],
                "stake_locks": locked[place.id],
            },
        )
    report.new = len(movements)
    report.outcome = {"deposits": deposited.total(), "stake locks": locked.total()}
    return report


def _resolve(
    session: Session,
    rows: list[SavingsRow],
    places: dict[str, Place],
    belongings: dict[int, dict[str, Belonging]],
    report: Report,
    currency: str | None,
) -> list[_Movement]:
    """The rows that are new, with what they name; a row booked otherwise before is a fault."""
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
    movements = []
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
            movements.append(_Movement(row, place, belonging.member_id, amount))
    return movements


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


def _check_days(session: Session, movements: list[_Movement], report: Report) -> None:
    query = select(Book.community_id, Book.closed_through).where(Book.closed_through.is_not(None))
    wanted = {movement.place.id for movement in movements}
    closed = dict(select_by(session, query, Book.community_id, wanted))
    if not closed:
        return
    for row, place, _, _ in movements:
        through = closed.get(place.id)
        if through is not None and row.moved_on <= through:
            report.fault(
                row.line,
                "moved_on",
                row.moved_on.isoformat(),
                f"The books of {row.community} are closed through {through}.",
                "Give a later day: closed days take no more postings.",
            )


def _check_funds(session: Session, movements: list[_Movement], report: Report) -> None:
    """A lock needs free savings on its day, after the deposits of that day."""
    lockers = {
        (movement.place.id, movement.member_id)
        for movement in movements
        if movement.row.kind is STAKE_LOCK
    }
    if not lockers:
        return
    free: dict[tuple[int, int], int] = defaultdict(int)
    currencies = {movement.place.id: movement.place.currency for movement in movements}
    for community_id, member_id, currency, balance in select_by(
        session,
        select(Book.community_id, Account.member_id, Account.currency, Account.balance_minor)
        .join(Account, Account.book_id == Book.id)
        .where(
            Account.kind == AccountKind.MEMBER_SAVINGS,
            Book.community_id.in_({community_id for community_id, _ in lockers}),
        ),
        Account.member_id,
        {member_id for _, member_id in lockers},
    ):
        if currency == currencies.get(community_id):
            free[community_id, member_id] = -balance
    for movement in _in_time(movements):
        place = (movement.place.id, movement.member_id)
        if place not in lockers:
            continue
        row, currency = movement.row, movement.place.currency
        if row.kind is DEPOSIT:
            free[place] += movement.amount_minor
        elif movement.amount_minor > free[place]:
            report.fault(
                row.line,
                "amount",
                row.amount,
                f"{row.member} has {format_minor(free[place], currency)} {currency} of free "
                f"savings on {row.moved_on}.",
                "Lock no more than was saved by that day; deposits of the same day count.",
            )
        else:
            free[place] -= movement.amount_minor


def _in_time(movements: Iterable[_Movement]) -> list[_Movement]:
    """Movements by community, in the order in which they are booked there."""
    return sorted(
        movements,
        key=lambda m: (m.place.id, m.row.moved_on, m.row.kind is STAKE_LOCK, m.row.line),
    )


def _write(
    session: Session,
    movements: list[_Movement],
    report: Report,
    *,
    now: datetime,
    actor_id: int | None,
    progress: Progress | None,
) -> None:
    if not movements:
        return
    _raise_stakes(session, movements)
    sheets: dict[tuple[date, bool, Place], list[_Movement]] = {}
    for movement in _in_time(movements):
        row = movement.row
        sheet = (row.moved_on, row.kind is STAKE_LOCK, movement.place)
        sheets.setdefault(sheet, []).append(movement)
    drafts = []
    for (moved_on, is_lock, place), sheet_movements in sheets.items():
        amounts: dict[int, int] = {}
        for movement in sheet_movements:
            before = amounts.get(movement.member_id, 0)
            amounts[movement.member_id] = before + movement.amount_minor
        drafts.append(
            Draft(
                place.id,
                place.currency,
                f"savings.{(STAKE_LOCK if is_lock else DEPOSIT).value}",
                rules.stake_locked(amounts) if is_lock else rules.many_savings_deposited(amounts),
                moved_on,
                f"import {report.digest[:32]}",
            )
        )
    try:
        entries = post_all(session, drafts, now=now, actor_id=actor_id)
    except InsufficientFunds as error:
        # Somebody withdrew between the check and the lock: checked again, it has its line.
        raise StaleSnapshot() from error
    booked = [
        (movement, entry_id)
        for entry_id, sheet_movements in zip(entries, sheets.values(), strict=True)
        for movement in sheet_movements
    ]
    # A member's movements beside one another, in the order of time: near in the indexes too.
    booked.sort(key=lambda pair: pair[0].member_id)
    in_order = [movement for movement, _ in booked]
    count = len(in_order)
    insert_columns(
        session,
        SavingsMovement,
        {
            "public_id": new_public_ids("rcp", count),
            "community_id": [movement.place.id for movement in in_order],
            "member_id": [movement.member_id for movement in in_order],
            "kind": [movement.row.kind for movement in in_order],
            "amount_minor": [movement.amount_minor for movement in in_order],
            "moved_on": [movement.row.moved_on for movement in in_order],
            "reference": [movement.row.reference for movement in in_order],
            "entry_id": [entry_id for _, entry_id in booked],
            "recorded_at": [now] * count,
        },
        progress,
    )


def _raise_stakes(session: Session, movements: list[_Movement]) -> None:
    """Standings grow by what is locked; whoever has none yet gets one."""
    raised: Counter[tuple[int, int]] = Counter()
    for movement in movements:
        if movement.row.kind is STAKE_LOCK:
            raised[movement.place.id, movement.member_id] += movement.amount_minor
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
