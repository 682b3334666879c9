"""Collection sheets: entered as drafts, posted once, all of it or nothing.

A posted sheet is one row whose lines are ordinary receipts: of repayments and of deposits. Locks:
the sheet, then the loans with all their cover at once, then the book.
"""

from collections.abc import Collection as Many
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community
from community.database import new_public_id
from community.errors import CommunityError, CurrencyMismatch, Invalid
from community.groups import queries as groups
from community.groups.models import Group
from community.guarantees.service import lock_cover, repay_locked
from community.ledger.events import record_event
from community.loans import queries as loans
from community.loans.models import RepaymentSource
from community.loans.states import LIVE
from community.locks import lock_one
from community.money import Money, format_minor
from community.receiving import queries
from community.receiving.errors import (
    CollectionExists,
    CollectionPosted,
    LineNotCollectable,
    LineRefused,
    NothingCollected,
    SheetDoesNotAddUp,
)
from community.receiving.models import Collection, CollectionLine, CollectionStatus, LineKind
from community.savings import service as savings

LINES_MAX = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """A line as somebody enters it: on a loan a repayment, without one a deposit of the member's.

    `payer_id` is a third party's; None is the borrower. Nothing paid is said by `absent` or a note.
    """

    member_id: int
    amount: Money
    loan_id: int | None = None
    payer_id: int | None = None
    absent: bool = False
    note: str = ""


def collect(
    session: Session,
    *,
    group_id: int,
    entries: Sequence[Entry],
    collected_on: date,
    on: date,
    now: datetime,
    actor_id: int,
    client_id: str | None = None,
    total: Money | None = None,
) -> Collection:
    """Enter a sheet and post it in one step.

    The same sheet again, told by its client's id, is answered with the one that was posted; if it
    was left as a draft with the same lines, it is posted now. Raises what `enter` and `post` raise.
    """
    sheet = enter(
        session,
        group_id=group_id,
        entries=entries,
        collected_on=collected_on,
        on=on,
        now=now,
        actor_id=actor_id,
        client_id=client_id,
        total=total,
    )
    return post(session, collection_id=sheet.id, on=on, now=now, actor_id=actor_id)


def enter(
    session: Session,
    *,
    group_id: int,
    entries: Sequence[Entry],
    collected_on: date,
    on: date,
    now: datetime,
    actor_id: int,
    client_id: str | None = None,
    total: Money | None = None,
) -> Collection:
    """Keep a sheet as a draft; nothing is booked.

    The same sheet under the same client's id is found, not entered again, posted or not. Raises
    CollectionExists (that id with something else), LineRefused, SheetDoesNotAddUp,
    CurrencyMismatch, Invalid.
    """
    group = groups.get_group_by_id(session, group_id)
    there = _entered_before(session, group.id, client_id)
    if there is not None:
        # Not checked again: a loan that it paid off is not live any more.
        if there.collected_on != collected_on or not _same(lines_of(session, there.id), entries):
            raise CollectionExists(
                f"The group has another sheet {client_id!r}.", collection=there.public_id
            )
        return there
    _check(session, group, entries, collected_on=collected_on, on=on, total=total)
    public_id = new_public_id("col")
    sheet = Collection(
        public_id=public_id,
        community_id=group.community_id,
        group_id=group.id,
        client_id=client_id or public_id,
        status=CollectionStatus.DRAFT,
        collected_on=collected_on,
        entered_by_id=actor_id,
        created_at=now,
        version=1,
        **_sums(session, group, entries),
    )
    session.add(sheet)
    session.flush()  # its lines name it; the same id at the same time meets the constraint here
    _write_lines(session, sheet, entries)
    return sheet


def change(
    session: Session,
    *,
    collection: Collection,
    entries: Sequence[Entry],
    collected_on: date,
    on: date,
    total: Money | None = None,
) -> Collection:
    """Replace the lines of a draft (locked); without any it is empty, and cannot be posted.

    Raises CollectionPosted, and what `enter` raises.
    """
    if collection.status is CollectionStatus.POSTED:
        raise CollectionPosted(collection=collection.public_id)
    group = groups.get_group_by_id(session, collection.group_id)
    _check(session, group, entries, collected_on=collected_on, on=on, total=total, least=0)
    session.execute(delete(CollectionLine).where(CollectionLine.collection_id == collection.id))
    for name, value in _sums(session, group, entries).items():
        setattr(collection, name, value)
    collection.collected_on = collected_on
    collection.version += 1
    _write_lines(session, collection, entries)
    return collection


def post(
    session: Session, *, collection_id: int, on: date, now: datetime, actor_id: int
) -> Collection:
    """Book a sheet: every line an ordinary receipt, or none. A posted one is answered as it is.

    Raises NothingCollected, LineNotCollectable (a loan that ended meanwhile), and what a repayment
    or a deposit raises, with the number of the line under `line`.
    """
    sheet = lock_one(session, Collection, collection_id)
    if sheet.status is CollectionStatus.POSTED:
        return sheet
    lines = lines_of(session, sheet.id)
    if not sheet.total_minor:
        raise NothingCollected()
    paying = [line for line in lines if line.amount_minor]
    covers = lock_cover(session, [line.loan_id for line in paying if line.loan_id is not None])
    for line in paying:
        cover = None if line.loan_id is None else covers[line.loan_id]
        if cover is not None and cover.loan.status not in LIVE:
            raise LineNotCollectable(
                f"Line {line.number}: the loan is {cover.loan.status.value}.",
                line=line.number,
                loan=cover.loan.public_id,
                state=cover.loan.status.value,
            )
        amount = Money(line.amount_minor, sheet.currency)
        try:
            if cover is None:
                movement = savings.deposit(
                    session,
                    community_id=sheet.community_id,
                    member_id=line.member_id,
                    amount=amount,
                    on=on,
                    now=now,
                    actor_id=actor_id,
                )
                line.movement_id = movement.id
            else:
                third = line.payer_id is not None
                repayment = repay_locked(
                    session,
                    cover,
                    amount=amount,
                    on=on,
                    now=now,
                    payer_id=line.payer_id,
                    source=RepaymentSource.THIRD_PARTY if third else RepaymentSource.BORROWER,
                    actor_id=actor_id,
                    received_on=sheet.collected_on,
                )
                line.repayment_id = repayment.id
        except CommunityError as refusal:
            refusal.members.setdefault("line", line.number)
            raise
    session.flush()  # the lines have their receipts before the sheet is closed over them
    sheet.status = CollectionStatus.POSTED
    sheet.posted_at, sheet.posted_by_id = now, actor_id
    sheet.version += 1
    session.flush()
    record_event(
        session,
        community_id=sheet.community_id,
        kind="collection.posted",
        subject=sheet.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "client_id": sheet.client_id,
            "collected_on": sheet.collected_on.isoformat(),
            "repaid_minor": sheet.repaid_minor,
            "deposited_minor": sheet.deposited_minor,
            "receipts": len(paying),
        },
    )
    return sheet


def lines_of(session: Session, collection_id: int) -> list[CollectionLine]:
    """The lines of a sheet, in order."""
    return list(
        session.scalars(
            select(CollectionLine)
            .where(CollectionLine.collection_id == collection_id)
            .order_by(CollectionLine.number)
            # The sheet's lock guards them: what the session read before it may be old.
            .execution_options(populate_existing=True)
        )
    )


def _entered_before(session: Session, group_id: int, client_id: str | None) -> Collection | None:
    if client_id is None:
        return None
    return queries.find_collection(session, group_id=group_id, client_id=client_id)


def _check(
    session: Session,
    group: Group,
    entries: Sequence[Entry],
    *,
    collected_on: date,
    on: date,
    total: Money | None,
    least: int = 1,
) -> None:
    """Refuse entries that cannot be right on this group's sheet."""
    if collected_on > on:
        raise Invalid("A sheet is collected today or earlier.", field="on")
    if not least <= len(entries) <= LINES_MAX:
        raise Invalid(f"A sheet has {least} to {LINES_MAX} lines.", field="lines")
    community = communities.get_community_by_id(session, group.community_id)
    inside = {place.member_id for place in groups.living_members(session, group.id)}
    owing = loans.live_loans(session, community_id=community.id, borrower_ids=inside)
    borrowers = {loan.id: member_id for member_id, own in owing.items() for loan in own}
    seen: set[tuple[int | None, int]] = set()
    for number, entry in enumerate(entries, 1):
        fault = _fault(entry, community, inside, borrowers)
        place = (entry.loan_id, entry.member_id)
        if fault is None and place in seen:
            fault = "It is on the sheet twice."
        if fault is not None:
            raise LineRefused(f"Line {number}: {fault}", line=number)
        seen.add(place)
    if total is not None:
        _check_total(community, entries, total)


def _fault(
    entry: Entry, community: Community, inside: Many[int], borrowers: dict[int, int]
) -> str | None:
    if entry.amount.currency != community.currency:
        raise CurrencyMismatch(
            f"This community counts in {community.currency}.",
            expected=community.currency,
            given=entry.amount.currency,
        )
    if entry.amount.amount_minor < 0:
        return "An amount is not below zero."
    if entry.member_id not in inside:
        return "The member is not in the group."
    if entry.loan_id is None:
        if entry.payer_id is not None:
            return "Savings are paid in by their owner."
        return None if entry.amount.is_positive else "A deposit is above zero."
    if borrowers.get(entry.loan_id) != entry.member_id:
        return "This is no live loan of the member in this community."
    if entry.payer_id == entry.member_id:
        return "Name a payer only if it is not the borrower."
    if not entry.amount.is_positive and not (entry.absent or entry.note):
        return "Nothing was paid: say that the member was absent, or why."
    return None


def _check_total(community: Community, entries: Sequence[Entry], total: Money) -> None:
    if total.currency != community.currency:
        raise CurrencyMismatch(
            f"This community counts in {community.currency}.",
            expected=community.currency,
            given=total.currency,
        )
    given = sum(entry.amount.amount_minor for entry in entries)
    if given != total.amount_minor:
        raise SheetDoesNotAddUp(
            f"The lines sum to {format_minor(given, community.currency)}, {total} were counted.",
            lines_minor=given,
            total_minor=total.amount_minor,
        )


def _sums(session: Session, group: Group, entries: Sequence[Entry]) -> dict[str, object]:
    repaid = sum(e.amount.amount_minor for e in entries if e.loan_id is not None)
    saved = sum(e.amount.amount_minor for e in entries if e.loan_id is None)
    currency = communities.get_community_by_id(session, group.community_id).currency
    return {
        "currency": currency,
        "repaid_minor": repaid,
        "deposited_minor": saved,
        "total_minor": repaid + saved,
    }


def _write_lines(session: Session, sheet: Collection, entries: Sequence[Entry]) -> None:
    session.add_all(
        CollectionLine(
            collection_id=sheet.id,
            number=number,
            kind=LineKind.DEPOSIT if entry.loan_id is None else LineKind.REPAYMENT,
            member_id=entry.member_id,
            loan_id=entry.loan_id,
            amount_minor=entry.amount.amount_minor,
            payer_id=entry.payer_id,
            absent=entry.absent,
            note=entry.note,
        )
        for number, entry in enumerate(entries, 1)
    )
    session.flush()


def _same(lines: Sequence[CollectionLine], entries: Sequence[Entry]) -> bool:
    return [
        (line.member_id, line.loan_id, line.amount_minor, line.payer_id, line.absent, line.note)
        for line in lines
    ] == [
        (e.member_id, e.loan_id, e.amount.amount_minor, e.payer_id, e.absent, e.note)
        for e in entries
    ]
