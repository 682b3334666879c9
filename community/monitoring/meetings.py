"""Meetings of groups: the plan, who came, motions and votes.

A secret ballot is three sums on the motion and a list of who has voted. While it is open nobody is
told the sums, and no row, number or time anywhere joins a voter to a vote.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, case, delete, func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, MotionSubject
from community.database import new_public_id
from community.errors import Invalid
from community.groups import queries as groups
from community.groups.models import Group
from community.ledger.events import record_event
from community.loans import service as loans
from community.loans.errors import AlreadyEndorsed, EndorserNotEligible
from community.loans.models import Loan, LoanStatus
from community.locks import lock, lock_one
from community.monitoring.errors import (
    AttendanceRefused,
    MeetingClosed,
    MeetingExists,
    MeetingNotFound,
    MotionClosed,
    VoteRefused,
)
from community.monitoring.models import (
    Attendance,
    AttendanceKind,
    Ballot,
    Choice,
    Meeting,
    MeetingPlan,
    MeetingStatus,
    Motion,
    MotionStatus,
    MotionVote,
    MotionVoter,
)
from community.receiving.models import Collection

LINES_MAX = 400
CLIENT_ID = "^[A-Za-z0-9._~-]{1,64}$"
COLUMNS = ("meeting", "held_on", "member", "attendance", "proxy", "note")


@dataclass(frozen=True, slots=True)
class Present:
    """One line of an attendance list."""

    member_id: int
    kind: AttendanceKind
    proxy_id: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of an attendance list that was filled in as a file, people by public id."""

    member: str
    kind: AttendanceKind
    proxy: str | None
    note: str


def set_plan(
    session: Session,
    *,
    group_id: int,
    first_on: date,
    every_days: int,
    place: str,
    now: datetime,
    actor_id: int,
) -> MeetingPlan:
    """When the group meets from now on. Locks the group."""
    lock_one(session, Group, group_id)
    plan = find_plan(session, group_id)
    if plan is None:
        plan = MeetingPlan(group_id=group_id)
        session.add(plan)
    plan.first_on, plan.every_days, plan.place = first_on, every_days, place
    plan.set_by_id, plan.set_at = actor_id, now
    session.flush()  # it is read again by whoever shows it
    return plan


def find_plan(session: Session, group_id: int) -> MeetingPlan | None:
    """When the group meets, if that is settled."""
    return session.scalar(select(MeetingPlan).where(MeetingPlan.group_id == group_id))


def get_plan(session: Session, group_id: int) -> MeetingPlan:
    """When the group meets. Raises MeetingNotFound if that is not settled."""
    plan = find_plan(session, group_id)
    if plan is None:
        raise MeetingNotFound("The group has no plan of meetings.")
    return plan


def planned(plan: MeetingPlan, *, on: date, count: int) -> list[date]:
    """The next so many days of a plan, from a day on."""
    behind = max((on - plan.first_on).days, 0)
    steps = -(-behind // plan.every_days)
    start = plan.first_on + timedelta(days=steps * plan.every_days)
    return [start + timedelta(days=number * plan.every_days) for number in range(count)]


def enter(
    session: Session,
    *,
    group_id: int,
    held_on: date,
    lines: Sequence[Present],
    on: date,
    now: datetime,
    actor_id: int,
    client_id: str | None = None,
    place: str = "",
    minutes: str = "",
) -> Meeting:
    """Write down a meeting. The same one again, told by its client's id, is found, not entered.

    Raises MeetingExists, AttendanceRefused, Invalid.
    """
    group = lock_one(session, Group, group_id)
    there = None
    if client_id is not None:
        there = find_meeting(session, group_id=group_id, client_id=client_id)
    if there is not None:
        if there.held_on != held_on or not _same(attendance_of(session, there.id), lines):
            raise MeetingExists(
                f"The group has another meeting {client_id!r}.", meeting=there.public_id
            )
        return there
    _check(session, group, lines, held_on=held_on, on=on)
    public_id = new_public_id("mtg")
    meeting = Meeting(
        public_id=public_id,
        community_id=group.community_id,
        group_id=group_id,
        client_id=client_id or public_id,
        held_on=held_on,
        place=place,
        minutes=minutes,
        status=MeetingStatus.OPEN,
        entered_by_id=actor_id,
        version=1,
        created_at=now,
    )
    session.add(meeting)
    session.flush()  # its lines name it
    _write(session, meeting, lines)
    return meeting


def change(
    session: Session, *, meeting: Meeting, lines: Sequence[Present], minutes: str, on: date
) -> Meeting:
    """Write an open meeting (locked) anew: all its lines, and the minutes. Raises MeetingClosed.

    Votes that were cast stand: whoever has voted has to stay on the list.
    """
    _open(meeting)
    group = groups.get_group_by_id(session, meeting.group_id)
    _check(session, group, lines, held_on=meeting.held_on, on=on)
    spoken = {line.member_id for line in lines if line.kind in _SPOKEN_FOR}
    voted = session.scalars(
        select(MotionVoter.member_id)
        .join(Motion, Motion.id == MotionVoter.motion_id)
        .where(Motion.meeting_id == meeting.id)
    )
    if set(voted) - spoken:
        raise AttendanceRefused("Somebody who has voted was there, or somebody for them.")
    session.execute(delete(Attendance).where(Attendance.meeting_id == meeting.id))
    _write(session, meeting, lines)
    meeting.minutes = minutes
    meeting.version += 1
    return meeting


def link_collection(session: Session, *, meeting: Meeting, collection: Collection) -> Meeting:
    """The sheet of the money that came in at the meeting (locked). Raises Invalid."""
    if collection.group_id != meeting.group_id:
        raise Invalid("The sheet is another group's.", field="collection")
    meeting.collection_id = collection.id
    meeting.version += 1
    return meeting


def close(session: Session, *, meeting_id: int, on: date, now: datetime, actor_id: int) -> Meeting:
    """Count who came; whoever is in the group and on no line was absent. A closed one is answered.

    Motions that are still open are counted. Locks the meeting, then its motions.
    """
    meeting = lock_one(session, Meeting, meeting_id)
    if meeting.status is MeetingStatus.CLOSED:
        return meeting
    places = groups.living_members(session, meeting.group_id)
    known = {row.member_id for row in attendance_of(session, meeting.id)}
    for place in places:
        if place.member_id not in known:
            session.add(
                Attendance(
                    meeting_id=meeting.id,
                    member_id=place.member_id,
                    kind=AttendanceKind.ABSENT,
                    note="",
                )
            )
    session.flush()  # counted next
    rules = communities.charter_on(session, meeting.community_id, meeting.held_on).rules
    spoken, members = _spoken_for(session, meeting, len(places))
    undecided = [m for m in motions_of(session, meeting.id) if m.status is MotionStatus.OPEN]
    # All of them first, then all loans: counting one may lock the loan that it is about.
    lock(session, Motion, [motion.id for motion in undecided])
    lock(session, Loan, [m.loan_id for m in undecided if m.loan_id is not None])
    for motion in undecided:
        if motion.status is MotionStatus.OPEN:
            count_motion(session, motion_id=motion.id, on=on, now=now, actor_id=actor_id)
    meeting.members_count, meeting.spoken_for_count = members, spoken
    meeting.is_quorate = _is_quorate(spoken, members, rules)
    meeting.status, meeting.closed_on = MeetingStatus.CLOSED, on
    meeting.version += 1
    record_event(
        session,
        community_id=meeting.community_id,
        kind="meeting.closed",
        subject=meeting.public_id,
        actor_id=actor_id,
        now=now,
        facts={"held_on": meeting.held_on.isoformat(), "there": spoken, "members": members},
    )
    return meeting


def propose(
    session: Session,
    *,
    meeting_id: int,
    subject: MotionSubject,
    text: str,
    ballot: Ballot,
    now: datetime,
    actor_id: int,
    loan_id: int | None = None,
) -> Motion:
    """Put something to the vote; what it needs stands in the charter. Raises MeetingClosed."""
    meeting = _open(lock_one(session, Meeting, meeting_id))
    charter = communities.charter_on(session, meeting.community_id, meeting.held_on)
    if loan_id is not None and subject is not MotionSubject.LOAN:
        raise Invalid("Only a motion on a loan names one.", field="loan")
    motion = Motion(
        meeting_id=meeting.id,
        subject=subject,
        text=text,
        loan_id=loan_id,
        ballot=ballot,
        status=MotionStatus.OPEN,
        majority_bps=charter.rules.motion_majority_bps,
        is_unanimous=subject in charter.rules.motion_unanimous,
        charter_id=charter.charter_id,
        proposed_by_id=actor_id,
        created_at=now,
    )
    session.add(motion)
    session.flush()  # it is answered with its id
    return motion


def vote(
    session: Session,
    *,
    motion_id: int,
    member_id: int,
    choice: Choice,
    actor_id: int,
    by_leader: bool = False,
) -> Motion:
    """One vote: one's own, or that of whoever gave the caller their proxy.

    At an open ballot the leader may write down the show of hands. Locks the motion, so that the
    sums are right. Raises MotionClosed, VoteRefused.
    """
    motion = lock_one(session, Motion, motion_id)
    if motion.status is not MotionStatus.OPEN:
        raise MotionClosed(status=motion.status.value)
    line = session.scalar(
        select(Attendance).where(
            Attendance.meeting_id == motion.meeting_id, Attendance.member_id == member_id
        )
    )
    if line is None or line.kind not in _SPOKEN_FOR:
        raise VoteRefused("Nobody was there for this member.")
    speaker = line.proxy_id or member_id
    written_down = by_leader and motion.ballot is Ballot.OPEN
    if actor_id != speaker and not written_down:
        raise VoteRefused("A vote is cast by whose it is, or by who holds their proxy.")
    if session.get(MotionVoter, (motion.id, member_id)) is not None:
        raise VoteRefused("This vote has been cast.")
    session.add(MotionVoter(motion_id=motion.id, member_id=member_id))
    if motion.ballot is Ballot.OPEN:
        session.add(
            MotionVote(motion_id=motion.id, member_id=member_id, choice=choice, cast_by_id=actor_id)
        )
    name = f"{choice.value}_count"
    setattr(motion, name, getattr(motion, name) + 1)
    session.flush()  # the same vote at the same time meets the key here
    return motion


def count_motion(
    session: Session, *, motion_id: int, on: date, now: datetime, actor_id: int
) -> Motion:
    """Count the votes; without a quorum at the meeting the motion is void.

    An open ballot that carries a loan's application is each yes voter's endorsement of it, as far
    as they may give one and cast the vote themselves. Raises MotionClosed.
    """
    motion = lock_one(session, Motion, motion_id)
    if motion.status is not MotionStatus.OPEN:
        raise MotionClosed(status=motion.status.value)
    meeting = session.get_one(Meeting, motion.meeting_id)
    rules = communities.charter_on(session, meeting.community_id, meeting.held_on).rules
    places = len(groups.living_members(session, meeting.group_id))
    motion.status = outcome_of(motion, _is_quorate(*_spoken_for(session, meeting, places), rules))
    motion.counted_on = on
    record_event(
        session,
        community_id=meeting.community_id,
        kind=f"motion.{motion.status.value}",
        subject=motion.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "yes": motion.yes_count,
            "no": motion.no_count,
            "abstain": motion.abstain_count,
            "text": motion.text,
        },
    )
    if motion.status is MotionStatus.CARRIED and motion.loan_id is not None:
        _endorse(session, motion, on, now)
    return motion


def outcome_of(motion: Motion, is_quorate: bool) -> MotionStatus:
    """What the votes amount to. Abstentions are no votes; nobody in favour carries nothing."""
    if not is_quorate:
        return MotionStatus.VOID
    yes, no = motion.yes_count, motion.no_count
    carried = (
        yes > 0 and no == 0
        if motion.is_unanimous
        else yes * 10_000 > motion.majority_bps * (yes + no)
    )
    return MotionStatus.CARRIED if carried else MotionStatus.REJECTED


def read_attendance(body: bytes) -> tuple[str, date, list[FileLine]]:
    """An attendance list as a file: one meeting, a line for each member. Pure. Raises Invalid.

    Columns: meeting (an id made up by who writes), held_on, member, attendance, and if known proxy
    and note.
    """
    try:
        text = body.decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"The file cannot be read: {error}.") from None
    if "\x00" in text:
        raise Invalid("The file has characters that cannot be stored.")
    heading = rows[0].keys() if rows else ()
    unknown = {str(name) for name in heading} - set(COLUMNS)
    if not rows or unknown or not {*COLUMNS[:4]} <= set(heading):
        raise Invalid(f"The columns are {', '.join(COLUMNS)}.", unknown=sorted(unknown))
    if len(rows) > LINES_MAX:
        raise Invalid(f"A list has at most {LINES_MAX} lines.")
    lines: list[FileLine] = []
    for number, row in enumerate(rows, 2):
        cells = {name: (value or "").strip() for name, value in row.items() if name is not None}
        kind = cells["attendance"]
        if kind not in set(AttendanceKind):
            raise Invalid(f"Line {number}: attendance is one of {', '.join(AttendanceKind)}.")
        if len(cells.get("note", "")) > 120:
            raise Invalid(f"Line {number}: a note has at most 120 characters.")
        proxy = cells.get("proxy") or None
        lines.append(FileLine(cells["member"], AttendanceKind(kind), proxy, cells.get("note", "")))
    names = {(row["meeting"] or "").strip() for row in rows}
    days = {(row["held_on"] or "").strip() for row in rows}
    if len(names) != 1 or len(days) != 1:
        raise Invalid("A file is one meeting on one day.")
    [name], [day] = names, days
    if not re.fullmatch(CLIENT_ID[1:-1], name):
        raise Invalid("The meeting's id has 1 to 64 letters, digits or . _ ~ -.")
    try:
        return name, date.fromisoformat(day), lines
    except ValueError:
        raise Invalid(f"{day!r} is not a day such as 2026-11-23.") from None


def get_meeting(session: Session, public_id: str) -> Meeting:
    """The meeting of this public id. Raises MeetingNotFound."""
    row = session.scalar(select(Meeting).where(Meeting.public_id == public_id))
    if row is None:
        raise MeetingNotFound()
    return row


def find_meeting(session: Session, *, group_id: int, client_id: str) -> Meeting | None:
    """A group's meeting by the name that whoever wrote it down gave it."""
    return session.scalar(
        select(Meeting).where(Meeting.group_id == group_id, Meeting.client_id == client_id)
    )


def meeting_of_sheet(session: Session, collection_id: int) -> Meeting | None:
    """The meeting at which the money of a sheet came in, if one was written down."""
    return session.scalar(
        select(Meeting)
        .where(Meeting.collection_id == collection_id)
        .order_by(Meeting.id.desc())
        .limit(1)
    )


def attendance_counts(
    session: Session, *, group_id: int, latest: int
) -> dict[int, tuple[int, int]]:
    """By member: at how many of the group's latest closed meetings they were spoken for, and of
    how many they are on the list; one statement."""
    closed = (
        select(Meeting.id)
        .where(Meeting.group_id == group_id, Meeting.status == MeetingStatus.CLOSED)
        .order_by(Meeting.held_on.desc(), Meeting.id.desc())
        .limit(latest)
    )
    was_there = case((Attendance.kind.in_(_SPOKEN_FOR), 1), else_=0)
    rows = session.execute(
        select(Attendance.member_id, func.sum(was_there), func.count())
        .where(Attendance.meeting_id.in_(closed))
        .group_by(Attendance.member_id)
    )
    return {member_id: (int(there), int(of)) for member_id, there, of in rows}


def list_meetings(group_id: int) -> Select[Meeting]:
    """A group's meetings; page by Meeting.id."""
    return select(Meeting).where(Meeting.group_id == group_id)


def get_motion(session: Session, public_id: str) -> Motion:
    """The motion of this public id. Raises MeetingNotFound."""
    row = session.scalar(select(Motion).where(Motion.public_id == public_id))
    if row is None:
        raise MeetingNotFound()
    return row


def attendance_of(session: Session, meeting_id: int) -> Sequence[Attendance]:
    """Who was at a meeting, by member."""
    return session.scalars(
        select(Attendance).where(Attendance.meeting_id == meeting_id).order_by(Attendance.member_id)
    ).all()


def motions_of(session: Session, meeting_id: int) -> Sequence[Motion]:
    """What was put to the vote at a meeting, in order."""
    return session.scalars(
        select(Motion).where(Motion.meeting_id == meeting_id).order_by(Motion.id)
    ).all()


def votes_on(session: Session, motion_id: int) -> Sequence[MotionVote]:
    """The votes of an open ballot, by member; of a secret one there are none."""
    return session.scalars(
        select(MotionVote).where(MotionVote.motion_id == motion_id).order_by(MotionVote.member_id)
    ).all()


_SPOKEN_FOR = (AttendanceKind.PRESENT, AttendanceKind.PROXY)


def _check(
    session: Session, group: Group, lines: Sequence[Present], *, held_on: date, on: date
) -> None:
    if held_on > on:
        raise Invalid("A meeting is written down when it has been held.", field="held_on")
    rules = communities.charter_on(session, group.community_id, held_on).rules
    living = {place.member_id for place in groups.living_members(session, group.id)}
    there = {line.member_id for line in lines if line.kind is AttendanceKind.PRESENT}
    if len({line.member_id for line in lines}) != len(lines):
        raise AttendanceRefused("Somebody stands on the list twice.")
    for line in lines:
        if line.member_id not in living:
            raise AttendanceRefused("Somebody on the list is not in the group.")
        if (line.kind is AttendanceKind.PROXY) != (line.proxy_id is not None):
            raise AttendanceRefused("A proxy is named, and nobody else is.")
        if line.proxy_id is not None and line.proxy_id not in there:
            raise AttendanceRefused("A proxy is held by somebody who was there.")
    held = Counter(line.proxy_id for line in lines if line.proxy_id is not None)
    if held and max(held.values()) > rules.meeting_proxies_max:
        raise AttendanceRefused(
            f"One member holds at most {rules.meeting_proxies_max} proxies by the charter.",
            proxies_max=rules.meeting_proxies_max,
        )


def _write(session: Session, meeting: Meeting, lines: Sequence[Present]) -> None:
    session.add_all(
        Attendance(
            meeting_id=meeting.id,
            member_id=line.member_id,
            kind=line.kind,
            proxy_id=line.proxy_id,
            note=line.note,
        )
        for line in lines
    )
    session.flush()  # constraints on lines are met here


def _same(rows: Sequence[Attendance], lines: Sequence[Present]) -> bool:
    """Whether these are the lines; who was only found absent when it was closed does not count."""
    given = {(line.member_id, line.kind, line.proxy_id, line.note) for line in lines}
    kept = {(row.member_id, row.kind, row.proxy_id, row.note) for row in rows}
    return given <= kept and all(kind is AttendanceKind.ABSENT for _, kind, _, _ in kept - given)


def _open(meeting: Meeting) -> Meeting:
    if meeting.status is MeetingStatus.CLOSED:
        raise MeetingClosed()
    return meeting


def _spoken_for(session: Session, meeting: Meeting, living: int) -> tuple[int, int]:
    """How many were there or had somebody there, and of how many: those who left count still."""
    rows = attendance_of(session, meeting.id)
    spoken = sum(row.kind in _SPOKEN_FOR for row in rows)
    return spoken, max(living, len(rows))


def _is_quorate(spoken: int, members: int, rules: CharterRules) -> bool:
    return spoken * 10_000 >= members * rules.meeting_quorum_bps


def _endorse(session: Session, motion: Motion, on: date, now: datetime) -> None:
    for row in votes_on(session, motion.id):
        if row.choice is not Choice.YES or row.cast_by_id != row.member_id:
            continue
        loan = session.get_one(Loan, motion.loan_id)
        if loan.status is not LoanStatus.SUBMITTED:
            return
        try:
            loans.endorse(
                session,
                loan_id=loan.id,
                endorser_id=row.member_id,
                on=on,
                now=now,
                comment=f"motion {motion.public_id}",
            )
        except (AlreadyEndorsed, EndorserNotEligible):
            continue
