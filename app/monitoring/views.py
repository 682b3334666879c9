"""Cases with the names of whom they concern, for dumping."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.monitoring.permissions import CaseFacts
from community.communities.models import Charter
from community.groups.models import Group
from community.loans.models import Loan
from community.loans.service import currency_of
from community.members import queries as members
from community.monitoring import meetings, proceeds, queries, visits
from community.monitoring.measures import Replay
from community.monitoring.models import (
    Ballot,
    LoanUse,
    Meeting,
    Motion,
    MotionStatus,
    RiskCase,
    Visit,
    VisitPhoto,
    VisitRound,
)
from community.monitoring.proceeds import PromiseSeen
from community.monitoring.questions import QUESTIONS
from community.monitoring.reports import Reading
from community.receiving.models import Collection

SHOWN_MAX = 500
Person = dict[str, str]


def people_of(session: Session, ids: Iterable[int | None]) -> dict[int | None, Person]:
    """Public id and name by member id."""
    named = members.names_of(session, ids)
    return {key: {"id": one.public_id, "name": one.name} for key, one in named.items()}


def loans_of(session: Session, ids: Iterable[int | None]) -> dict[int | None, str]:
    """Public ids of loans."""
    wanted = {loan_id for loan_id in ids if loan_id is not None}
    rows = session.execute(select(Loan.id, Loan.public_id).where(Loan.id.in_(wanted)))
    return {row[0]: row[1] for row in rows}


def case_views(session: Session, cases: Sequence[RiskCase]) -> list[dict[str, Any]]:
    """Cases in a list; three statements, however many."""
    people = people_of(session, [x for c in cases for x in (c.member_id, c.owner_id)])
    names = session.execute(
        select(Group.id, Group.public_id).where(Group.id.in_({c.group_id for c in cases} - {None}))
    )
    groups: dict[int | None, str] = {row[0]: row[1] for row in names}
    return [
        {
            "id": case.public_id,
            "member": people.get(case.member_id),
            "subject": case.subject,
            "group": groups.get(case.group_id),
            "is_confidential": case.is_confidential,
            "status": case.status,
            "severity": case.severity,
            "owner_role": case.owner_role,
            "owner": people.get(case.owner_id),
            "opened_on": case.opened_on,
            "due_on": case.due_on,
            "outcome": case.outcome,
            "closed_on": case.closed_on,
        }
        for case in cases
    ]


def case_view(session: Session, case: RiskCase, facts: CaseFacts) -> dict[str, Any]:
    """One case in full; whom it is about sees what rules found, not what others wrote down."""
    [shown] = case_views(session, [case])
    events = queries.events_of(session, [case.id])
    if case.is_confidential:
        events = sorted(events, key=lambda event: event.public_id)
    actions = queries.actions_of(session, [case.id])
    people = people_of(session, [action.actor_id for action in actions])
    loans = loans_of(session, [event.loan_id for event in events])
    charters = dict(
        session.execute(
            select(Charter.id, Charter.version).where(
                Charter.id.in_({event.charter_id for event in events})
            )
        ).all()
    )
    about = sorted(queries.people_in(session, [case.id]).get(case.id, ()))
    named = people_of(session, about[:SHOWN_MAX])
    is_subject = caller().member_id in facts.subject_ids
    return shown | {
        "people": [named[member_id] for member_id in about[:SHOWN_MAX]],
        "people_count": len(about),
        "events": [
            {
                "id": event.public_id,
                "rule": event.rule,
                "severity": event.severity,
                "found_on": event.found_on,
                "loan": loans.get(event.loan_id),
                "facts": event.facts,
                "charter_version": charters[event.charter_id],
            }
            for event in events
        ],
        "actions": [
            {
                "number": action.number,
                "kind": action.kind,
                "on": action.acted_on,
                "text": action.text,
                "by": people.get(action.actor_id),
            }
            for action in actions
            if not is_subject
        ],
    }


def replay_view(session: Session, done: Replay) -> dict[str, Any]:
    """What a rule would have found."""
    rows = done.found[:SHOWN_MAX]
    people = people_of(session, [row.member_id for row in rows])
    loans = loans_of(session, [row.loan_id for row in rows])
    return {
        "rule": done.rule,
        "from_on": done.from_on,
        "until_on": done.until_on,
        "findings": len(done.found),
        "shown": [
            {
                "on": row.on,
                "member": people.get(row.member_id),
                "loan": loans.get(row.loan_id),
                "facts": row.facts,
            }
            for row in rows
        ],
        "before_late": done.before_late,
        "before_loss": done.before_loss,
        "losses": done.losses,
        "losses_missed": done.losses_missed,
    }


def motion_view(session: Session, motion: Motion) -> dict[str, Any]:
    """A motion; of a secret ballot nobody is told how it stands before it is counted."""
    votes = meetings.votes_on(session, motion.id)
    people = people_of(session, [row.member_id for row in votes])
    is_told = motion.ballot is Ballot.OPEN or motion.status is not MotionStatus.OPEN
    meeting = session.get_one(Meeting, motion.meeting_id)
    return {
        "id": motion.public_id,
        "meeting": meeting.public_id,
        "subject": motion.subject,
        "text": motion.text,
        "loan": loans_of(session, [motion.loan_id]).get(motion.loan_id),
        "ballot": motion.ballot,
        "status": motion.status,
        "majority_bps": motion.majority_bps,
        "is_unanimous": motion.is_unanimous,
        "yes": motion.yes_count if is_told else None,
        "no": motion.no_count if is_told else None,
        "abstain": motion.abstain_count if is_told else None,
        "votes": [{"member": people[row.member_id], "choice": row.choice} for row in votes],
        "counted_on": motion.counted_on,
    }


def meeting_view(session: Session, meeting: Meeting) -> dict[str, Any]:
    """A meeting with who came and what was decided."""
    rows = meetings.attendance_of(session, meeting.id)
    people = people_of(session, [x for row in rows for x in (row.member_id, row.proxy_id)])
    group = session.get_one(Group, meeting.group_id)
    sheet = None
    if meeting.collection_id is not None:
        sheet = session.get_one(Collection, meeting.collection_id).public_id
    return {
        "id": meeting.public_id,
        "group": group.public_id,
        "client_id": meeting.client_id,
        "held_on": meeting.held_on,
        "place": meeting.place,
        "minutes": meeting.minutes,
        "status": meeting.status,
        "collection": sheet,
        "members": meeting.members_count,
        "spoken_for": meeting.spoken_for_count,
        "is_quorate": meeting.is_quorate,
        "attendance": [
            {
                "member": people[row.member_id],
                "attendance": row.kind,
                "proxy": people.get(row.proxy_id),
                "note": row.note,
            }
            for row in rows
        ],
        "motions": [motion_view(session, row) for row in meetings.motions_of(session, meeting.id)],
    }


def reading_view(session: Session, reading: Reading) -> dict[str, Any]:
    """Reports with who sent them."""
    people = people_of(session, [heard.report.reporter_id for heard in reading.reports])
    return {
        "believed_bps": reading.believed_bps,
        "reports": [
            {
                "id": heard.report.public_id,
                "reporter": people[heard.report.reporter_id],
                "kind": heard.rule,
                "text": heard.report.text,
                "week_on": heard.report.week_on,
                "right": heard.reliability.right,
                "wrong": heard.reliability.wrong,
                "believed_bps": heard.reliability.believed_bps,
            }
            for heard in reading.reports
        ],
    }


def photo_view(photo: VisitPhoto) -> dict[str, Any]:
    """A photo without its bytes."""
    return {
        "number": photo.number,
        "media_type": photo.media_type,
        "size_bytes": photo.size_bytes,
        "sha256": photo.sha256,
        "seen_before": photo.seen_before,
    }


def visit_views(session: Session, rows: Sequence[Visit]) -> list[dict[str, Any]]:
    """Visits with what they ask and what was seen."""
    people = people_of(session, [x for row in rows for x in (row.visitor_id, row.visited_id)])
    photos = visits.photos_of(session, [row.id for row in rows])
    found = []
    for row in rows:
        drawn = visits.round_of(session, row)
        place = None
        if row.latitude_micro is not None:
            place = {
                "latitude_micro": row.latitude_micro,
                "longitude_micro": row.longitude_micro,
            }
        found.append(
            {
                "id": row.public_id,
                "visitor": people[row.visitor_id],
                "visited": people[row.visited_id],
                "purpose": drawn.purpose,
                "due_on": drawn.due_on,
                "status": row.status,
                "questions": QUESTIONS[drawn.purpose],
                "answers": row.answers,
                "note": row.note,
                "place": place,
                "seen_at": row.seen_at,
                "done_on": row.done_on,
                "photos": [photo_view(photo) for photo in photos if photo.visit_id == row.id],
            }
        )
    return found


def round_view(session: Session, row: VisitRound) -> dict[str, Any]:
    """One drawing."""
    return {
        "id": row.public_id,
        "group": session.get_one(Group, row.group_id).public_id,
        "number": row.number,
        "seed": row.seed,
        "drawn_on": row.drawn_on,
        "visits": visit_views(session, visits.visits_of(session, row.id)),
    }


def use_views(session: Session, rows: Sequence[LoanUse], loan: Loan) -> list[dict[str, Any]]:
    """What a loan is for, with what shows it."""
    shown = proceeds.evidence_of(session, [row.id for row in rows])
    people = people_of(
        session, [row.payee_id for row in rows] + [row.verified_by_id for row in shown]
    )
    currency = currency_of(loan)
    return [
        {
            "id": row.public_id,
            "loan": loan.public_id,
            "purpose": row.purpose,
            "payee_name": row.payee_name,
            "payee": people.get(row.payee_id),
            "currency": currency,
            "amount_minor": row.amount_minor,
            "verified_minor": row.verified_minor,
            "stated_on": row.stated_on,
            "evidence": [
                {
                    "number": one.number,
                    "kind": one.kind,
                    "currency": currency,
                    "amount_minor": one.amount_minor,
                    "reference": one.reference,
                    "verified_on": one.verified_on,
                    "verified_by": people[one.verified_by_id],
                }
                for one in shown
                if one.use_id == row.id
            ],
        }
        for row in rows
    ]


def promise_view(seen: PromiseSeen, loan: Loan) -> dict[str, Any]:
    """A promise to pay."""
    return {
        "id": seen.promise.public_id,
        "currency": currency_of(loan),
        "amount_minor": seen.promise.amount_minor,
        "made_on": seen.promise.made_on,
        "promised_on": seen.promise.promised_on,
        "paid_minor": seen.paid_minor,
        "state": seen.state,
    }
