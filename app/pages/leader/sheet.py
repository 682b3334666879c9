"""The meeting sheet: who came and who paid what, on one screen, kept as a draft, posted once.

It is two things of the API's written together: the meeting with its attendance, and the collection
sheet with its lines. Both bear the name of the sheet that is handed out as a file, `group.day`: the
file that comes back and this page are the same sheet, and it is posted once whichever is first.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import marshmallow as ma
from flask import request
from sqlalchemy.orm import Session

from app.auth import acting
from app.clock import today
from app.fields import PublicId, Schema, Text
from app.problems import PreconditionFailed
from community.errors import CommunityError, Invalid
from community.groups.models import Group
from community.locks import lock_one
from community.members import queries as members
from community.money import CURRENCY_EXPONENTS, Money, format_minor
from community.monitoring import meetings
from community.monitoring.meetings import Present
from community.monitoring.models import Attendance, AttendanceKind, Meeting, MeetingStatus
from community.receiving import collecting, queries
from community.receiving.collecting import Entry
from community.receiving.errors import LineRefused, NothingCollected
from community.receiving.models import Collection, CollectionLine, CollectionStatus
from community.receiving.sheet import Sheet, sheet_of

# Above so many members the lists of who paid or spoke for whom would make the page too heavy for a
# slow line: such a group names them through the file or the API.
NAMED_MAX = 24
NOTE_MAX = 120
MINUTES_MAX = 20_000
_AWAY = frozenset({AttendanceKind.EXCUSED, AttendanceKind.ABSENT})


@dataclass(frozen=True, slots=True)
class Draft:
    """The sheet of a group and a day, and what of it is written down."""

    sheet: Sheet
    meeting: Meeting | None
    collection: Collection | None
    lines: tuple[CollectionLine, ...]

    @property
    def name(self) -> str:
        """What the sheet is called in the group."""
        return sheet_name(self.sheet.group, self.sheet.on)

    @property
    def seen(self) -> str:
        """Which versions of the two things this is; none is 0."""
        return seen_of(self.meeting, self.collection)

    @property
    def is_posted(self) -> bool:
        """Whether the money is booked."""
        return self.collection is not None and self.collection.status is CollectionStatus.POSTED

    @property
    def is_closed(self) -> bool:
        """Whether the meeting is counted."""
        return self.meeting is not None and self.meeting.status is MeetingStatus.CLOSED

    @property
    def names_others(self) -> bool:
        """Whether the page lists everybody again for proxies and payers."""
        return len(self.sheet.members) <= NAMED_MAX

    @property
    def suggested_minor(self) -> int:
        """What is due of everybody by the end of the day."""
        return sum(loan.dues.due_minor for member in self.sheet.members for loan in member.loans)


def sheet_name(group: Group, on: date) -> str:
    """The name that the file of the same sheet bears."""
    return f"{group.public_id}.{on.isoformat()}"


def decimals(currency: str) -> int:
    """How many decimals amounts have: what the page's script needs to add them up."""
    return CURRENCY_EXPONENTS[currency]


def attendance_names(session: Session, meeting: Meeting) -> list[tuple[str, Attendance, str]]:
    """Who was at a meeting: name, how, and who spoke for them."""
    rows = meetings.attendance_of(session, meeting.id)
    names = members.names_of(session, [x for row in rows for x in (row.member_id, row.proxy_id)])
    return [
        (names[row.member_id].name, row, names[row.proxy_id].name if row.proxy_id else "")
        for row in rows
    ]


def seen_of(meeting: Meeting | None, collection: Collection | None) -> str:
    """The versions that somebody has before them."""
    return f"{meeting.version if meeting else 0}.{collection.version if collection else 0}"


def read_draft(session: Session, group: Group, on: date) -> Draft:
    """The sheet with what is written on it; a fixed number of statements."""
    name = sheet_name(group, on)
    collection = queries.find_collection(session, group_id=group.id, client_id=name)
    lines = [] if collection is None else collecting.lines_of(session, collection.id)
    return Draft(
        sheet=sheet_of(session, group=group, on=on),
        meeting=meetings.find_meeting(session, group_id=group.id, client_id=name),
        collection=collection,
        lines=tuple(lines),
    )


def filled_in(session: Session, draft: Draft, *, fill: bool) -> dict[str, Any]:
    """What the fields hold at first: the draft, or everybody there and, if asked, paid in full."""
    values: dict[str, Any] = {}
    sheet = draft.sheet
    people = {member.who.member_id: member.who.public_id for member in sheet.members}
    for member in sheet.members:
        values[f"is_{member.who.public_id}"] = AttendanceKind.PRESENT.value
        for item in member.loans:
            if fill and item.dues.due_minor:
                text = format_minor(item.dues.due_minor, sheet.currency)
                values[f"paid_{item.loan.public_id}"] = text
    loans = {item.loan.id: item.loan.public_id for m in sheet.members for item in m.loans}
    if draft.meeting is not None:
        values["minutes"] = draft.meeting.minutes
        for row in meetings.attendance_of(session, draft.meeting.id):
            who = people.get(row.member_id)
            proxy = people.get(row.proxy_id or 0)
            kind = row.kind.value if proxy is None else f"{row.kind.value}:{proxy}"
            values |= {f"is_{who}": kind, f"note_{who}": row.note}
    for line in draft.lines:
        text = format_minor(line.amount_minor, sheet.currency) if line.amount_minor else ""
        if line.loan_id is None:
            values[f"saved_{people.get(line.member_id)}"] = text
        else:
            values[f"paid_{loans.get(line.loan_id)}"] = text
            values[f"payer_{loans.get(line.loan_id)}"] = people.get(line.payer_id or 0, "")
    return values


class Amount(ma.fields.Field[Money]):
    """What was paid, in the community's currency; nothing is not given, and '=' is all of it."""

    def __init__(self, currency: str, full_minor: int = 0) -> None:
        super().__init__(load_default=None)
        self.currency = currency
        self.full_minor = full_minor

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Money:
        text = str(value).replace(",", "").replace("\N{FULLWIDTH COMMA}", "").strip()
        if text in ("=", "\N{FULLWIDTH EQUALS SIGN}") and self.full_minor:
            # The key of the page's script, where the script did not run.
            return Money(self.full_minor, self.currency)
        try:
            money = Money.parse(text, self.currency)
        except Invalid as refusal:
            raise ma.ValidationError(refusal.detail) from None
        if money.amount_minor < 0:
            raise ma.ValidationError("The amount cannot be below zero.")
        return money


def schema_of(draft: Draft) -> ma.Schema:
    """The form of this sheet: for each member how they were there, for each loan what was paid."""
    sheet = draft.sheet
    ids = [member.who.public_id for member in sheet.members]
    kinds = [kind.value for kind in AttendanceKind if kind is not AttendanceKind.PROXY]
    kinds += [f"{AttendanceKind.PROXY.value}:{one}" for one in ids]
    fields: dict[str, ma.fields.Field[Any]] = {
        "act": ma.fields.String(load_default="", validate=ma.validate.OneOf(["", "keep", "post"])),
        "seen": ma.fields.String(required=True, validate=ma.validate.Length(max=40)),
        "counted": Amount(sheet.currency),
        "minutes": Text(MINUTES_MAX, lines=True, load_default=""),
    }
    for member in sheet.members:
        who = member.who.public_id
        fields[f"is_{who}"] = ma.fields.String(
            load_default=AttendanceKind.PRESENT.value, validate=ma.validate.OneOf(kinds)
        )
        fields[f"note_{who}"] = Text(NOTE_MAX, load_default="")
        fields[f"saved_{who}"] = Amount(sheet.currency)
        for item in member.loans:
            full = item.suggested_minor
            fields[f"paid_{item.loan.public_id}"] = Amount(sheet.currency, full)
            fields[f"payer_{item.loan.public_id}"] = PublicId("mem", load_default=None)
    return Schema.from_dict(fields, name="MeetingSheetForm")()


def write(session: Session, group: Group, on: date, data: dict[str, Any]) -> Collection | None:
    """Keep the sheet as a draft, and post it if that is asked. Runs inside a unit of work.

    Raises PreconditionFailed if somebody else wrote on it meanwhile, and what the services raise,
    naming the field.
    """
    # Whoever else writes on a sheet of this group waits here, and then reads what this one wrote.
    group = lock_one(session, Group, group.id)
    draft = read_draft(session, group, on)
    if draft.is_posted:
        # Sent twice, or the file came first: it is posted, and stays as it is.
        return draft.collection
    _refuse_strangers(draft)
    attendance, entries, places = _lines(draft, data)
    meeting, collection = draft.meeting, draft.collection
    if collection is not None:
        collection = lock_one(session, Collection, collection.id)
    if meeting is not None:
        meeting = lock_one(session, Meeting, meeting.id)
    if data["seen"] != seen_of(meeting, collection):
        raise PreconditionFailed("Somebody else has written on this sheet; open it again.")
    step = acting()
    if meeting is None:
        plan = meetings.find_plan(session, group.id)
        meeting = meetings.enter(
            session,
            group_id=group.id,
            held_on=on,
            lines=attendance,
            client_id=draft.name,
            place="" if plan is None else plan.place,
            minutes=data["minutes"],
            **step,
        )
    else:
        minutes = data["minutes"]
        meetings.change(session, meeting=meeting, lines=attendance, minutes=minutes, on=today())
    try:
        collection = _collection(session, group, collection, entries, on, data, step)
        if collection is not None and meeting.collection_id != collection.id:
            meetings.link_collection(session, meeting=meeting, collection=collection)
        if data["act"] == "post":
            if collection is None:
                raise NothingCollected()
            collection = collecting.post(session, collection_id=collection.id, **step)
    except CommunityError as refusal:
        number = refusal.members.get("line")
        if isinstance(number, int) and 1 <= number <= len(places):
            refusal.members["field"] = places[number - 1]
        elif refusal.code == "collection-total":
            refusal.members["field"] = "counted"
        raise
    return collection


def _collection(
    session: Session,
    group: Group,
    collection: Collection | None,
    entries: list[Entry],
    on: date,
    data: dict[str, Any],
    step: dict[str, Any],
) -> Collection | None:
    total = data["counted"] if data["act"] == "post" else None
    if collection is not None:
        return collecting.change(
            session,
            collection=collection,
            entries=entries,
            collected_on=on,
            total=total,
            on=step["on"],
        )
    if not entries:
        return None
    return collecting.enter(
        session,
        group_id=group.id,
        entries=entries,
        collected_on=on,
        client_id=sheet_name(group, on),
        total=total,
        **step,
    )


def _lines(draft: Draft, data: dict[str, Any]) -> tuple[list[Present], list[Entry], list[str]]:
    """Who was there; the lines of money; and the field of each line."""
    currency = draft.sheet.currency
    ids = {member.who.public_id: member.who.member_id for member in draft.sheet.members}
    attendance, paid, saved = [], [], []
    for member in draft.sheet.members:
        who = member.who.public_id
        kind, _, proxy = data[f"is_{who}"].partition(":")
        was = AttendanceKind(kind)
        note = data[f"note_{who}"]
        attendance.append(Present(member.who.member_id, was, ids.get(proxy), note))
        away = was in _AWAY
        for item in member.loans:
            name = f"paid_{item.loan.public_id}"
            amount = Money(0, currency) if data[name] is None else data[name]
            if not amount.is_positive and not (item.dues.due_minor and (away or note)):
                continue
            payer = data[f"payer_{item.loan.public_id}"]
            if payer is not None and payer not in ids:
                raise LineRefused(
                    "Whoever paid has to be in the group.",
                    field=f"payer_{item.loan.public_id}",
                )
            entry = Entry(
                member_id=member.who.member_id,
                loan_id=item.loan.id,
                amount=amount,
                payer_id=ids[payer] if payer is not None and amount.is_positive else None,
                absent=away,
                note=note,
            )
            paid.append((entry, name))
        amount = data[f"saved_{who}"]
        if amount is not None and amount.is_positive:
            saved.append((Entry(member_id=member.who.member_id, amount=amount), f"saved_{who}"))
    lines = [*paid, *saved]
    return attendance, [entry for entry, _ in lines], [name for _, name in lines]


def _refuse_strangers(draft: Draft) -> None:
    """Money that was typed for a loan or a member no longer on the sheet is not to be lost."""
    known = {f"saved_{member.who.public_id}" for member in draft.sheet.members}
    known |= {f"paid_{i.loan.public_id}" for m in draft.sheet.members for i in m.loans}
    for name, value in request.form.items():
        if name.startswith(("paid_", "saved_")) and value.strip() and name not in known:
            raise LineRefused(
                "A loan or a member has left the sheet since it was opened; open it again."
            )
