"""Feedback with the names of whom and what it concerns, for dumping."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.permissions import Facts, may
from community.communities.models import Charter
from community.feedback import complaints, queries, ratings, subjects, words
from community.feedback.models import (
    Complaint,
    FeedbackItem,
    FeedbackSubject,
    ItemKind,
    Message,
    Poll,
    PollStatus,
    Rating,
    Theme,
)
from community.feedback.queries import ThemeFile, Trail
from community.feedback.subjects import Thing
from community.loans.models import Loan
from community.members import queries as members
from community.members.principal import Role
from community.monitoring.models import Meeting, Motion
from community.products.models import Product, ProductVersion

Person = dict[str, str]
_NAMED: dict[str, Any] = {
    "meeting_id": Meeting,
    "motion_id": Motion,
    "loan_id": Loan,
    "theme_id": Theme,
}


def people_of(session: Session, ids: Iterable[int | None]) -> dict[int | None, Person]:
    """Public id and name by member id."""
    named = members.names_of(session, ids)
    return {key: {"id": one.public_id, "name": one.name} for key, one in named.items()}


def thing_view(session: Session, thing: Thing) -> dict[str, Any]:
    """What feedback is on."""
    if isinstance(thing, ProductVersion):
        product = session.get_one(Product, thing.product_id)
        name, version = product.public_id, thing.version
    else:
        name, version = thing.public_id, None
    return {"kind": subjects.kind_of(thing), "id": name, "version": version}


def subject_views(session: Session, ids: Iterable[int | None]) -> dict[int, dict[str, Any]]:
    """Subjects by id; a statement a kind, however many."""
    wanted = {subject_id for subject_id in ids if subject_id is not None}
    rows = session.scalars(select(FeedbackSubject).where(FeedbackSubject.id.in_(wanted))).all()
    names: dict[str, dict[int, tuple[str, int | None]]] = {}
    for column, model in _NAMED.items():
        keys = {getattr(row, column) for row in rows} - {None}
        found = session.execute(select(model.id, model.public_id).where(model.id.in_(keys)))
        names[column] = {key: (name, None) for key, name in found} if keys else {}
    keys = {row.product_version_id for row in rows} - {None}
    versions = session.execute(
        select(ProductVersion.id, Product.public_id, ProductVersion.version)
        .join(Product, Product.id == ProductVersion.product_id)
        .where(ProductVersion.id.in_(keys))
    )
    names["product_version_id"] = {row[0]: (row[1], row[2]) for row in versions}
    shown = {}
    for row in rows:
        for column, known in names.items():
            key = getattr(row, column)
            if key is not None:
                shown[row.id] = {"kind": row.kind, "id": known[key][0], "version": known[key][1]}
    return shown


def rating_view(session: Session, rating: Rating) -> dict[str, Any]:
    """One's own rating."""
    subject = subject_views(session, [rating.subject_id])[rating.subject_id]
    return {
        "subject": subject,
        "stars": rating.stars,
        "number": rating.number,
        "rated_on": rating.rated_on,
    }


def means_view(session: Session, thing: Thing) -> dict[str, Any]:
    """What was published of a subject, and what the caller gave."""
    subject = subjects.find_subject(session, thing)
    own = None
    if subject is not None:
        own = ratings.current_rating(session, subject.id, caller().member_id)
    return {
        "subject": thing_view(session, thing),
        "means": [] if subject is None else ratings.releases_of(session, subject.id),
        "own_stars": None if own is None else own.stars,
    }


def item_views(
    session: Session, items: Sequence[FeedbackItem], path: Sequence[int]
) -> list[dict[str, Any]]:
    """Items in a list. A hidden text is shown to its author and to who audits."""
    people = people_of(session, [item.author_id for item in items])
    shown = subject_views(session, [item.subject_id for item in items])
    names = theme_names(session, [item.theme_id for item in items])
    audits = caller_audits(path)
    me = caller().member_id
    return [
        {
            "id": item.public_id,
            "author": people[item.author_id],
            "kind": item.kind,
            "subject": shown.get(item.subject_id or 0),
            "text": item.text if item.hidden_on is None or audits or item.author_id == me else None,
            "theme": names.get(item.theme_id),
            "written_on": item.written_on,
            "hidden_on": item.hidden_on,
            "hidden_reason": item.hidden_reason,
        }
        for item in items
    ]


def caller_audits(path: Sequence[int]) -> bool:
    """Whether the caller audits at one of these places."""
    return caller().holds(Role.AUDITOR, path=tuple(path))


def theme_names(session: Session, ids: Iterable[int | None]) -> dict[int | None, str]:
    """Public ids of themes."""
    wanted = {theme_id for theme_id in ids if theme_id is not None}
    rows = session.execute(select(Theme.id, Theme.public_id).where(Theme.id.in_(wanted)))
    return {row[0]: row[1] for row in rows}


def poll_view(poll: Poll) -> dict[str, Any]:
    """A vote; nobody is told how it stands before it is counted."""
    is_told = poll.status is not PollStatus.OPEN
    return {
        "number": poll.number,
        "opens_on": poll.opens_on,
        "closes_on": poll.closes_on,
        "joined_by_on": poll.joined_by_on,
        "may_vote": poll.voters_count,
        "quorum_bps": poll.quorum_bps,
        "majority_bps": poll.majority_bps,
        "status": poll.status,
        "yes": poll.yes_count if is_told else None,
        "no": poll.no_count if is_told else None,
        "abstain": poll.abstain_count if is_told else None,
        "counted_on": poll.counted_on,
    }


def theme_view(known: ThemeFile) -> dict[str, Any]:
    """A theme as every member of the community sees it."""
    theme = known.theme
    shipped = None
    if known.product is not None and known.version is not None:
        shipped = {
            "product": known.product.public_id,
            "name": known.product.name,
            "version": known.version.version,
            "valid_from": known.version.valid_from,
        }
    return {
        "id": theme.public_id,
        "title": theme.title,
        "summary": theme.summary,
        "status": theme.status,
        "created_on": theme.created_on,
        "askers": known.weighed.raw,
        "weighed_hundredths": known.weighed.hundredths,
        "is_burst": known.weighed.is_burst,
        "polls": [poll_view(poll) for poll in known.polls],
        "decided_on": theme.decided_on,
        "reason": theme.reason,
        "shipped": shipped,
        "shipped_on": theme.shipped_on,
        "merged_into": known.merged_into.public_id if known.merged_into else None,
        "merged": [other.public_id for other in known.merged],
    }


def theme_file_view(session: Session, known: ThemeFile, facts: Facts) -> dict[str, Any]:
    """One theme; who asked, by name, for those who may see that. Complaints stay a count."""
    items = queries.items_in(session, known.theme.id)
    told = [item for item in items if item.kind is not ItemKind.COMPLAINT]
    names = may("theme:read_names", facts)
    return theme_view(known) | {
        "items": item_views(session, told, facts.path) if names else None,
        "complaints": len(items) - len(told),
    }


def trail_view(session: Session, trail: Trail, path: Sequence[int]) -> dict[str, Any]:
    """An item and what came of it; what its author was told is shown to the author alone."""
    [shown] = item_views(session, [trail.item], path)
    names = theme_names(session, [row.theme_id for row in trail.placements])
    is_own = trail.item.author_id == caller().member_id
    return shown | {
        "placements": [
            {
                "number": row.number,
                "theme": names.get(row.theme_id),
                "because": row.because,
                "placed_on": row.placed_on,
            }
            for row in trail.placements
        ],
        "asked_for": None if trail.theme is None else theme_view(trail.theme),
        "messages": message_views(session, trail.messages) if is_own else None,
    }


def message_views(session: Session, rows: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages with their words."""
    names = theme_names(session, [row.theme_id for row in rows])
    numbers = _public_ids(session, Complaint, [row.complaint_id for row in rows])
    versions = session.execute(
        select(ProductVersion.id, Product.public_id)
        .join(Product, Product.id == ProductVersion.product_id)
        .where(ProductVersion.id.in_({row.product_version_id for row in rows} - {None}))
    )
    products: dict[int | None, str] = {row[0]: row[1] for row in versions}
    return [
        {
            "id": row.public_id,
            "kind": row.kind,
            "words": words.message_words(row.kind, row.facts),
            "theme": names.get(row.theme_id),
            "complaint": numbers.get(row.complaint_id),
            "product": products.get(row.product_version_id),
            "sent_on": row.sent_on,
            "read_at": row.read_at,
        }
        for row in rows
    ]


def complaint_view(session: Session, complaint: Complaint) -> dict[str, Any]:
    """One complaint with what happened to it."""
    steps = complaints.steps_of(session, complaint.id)
    people = people_of(
        session,
        [complaint.complainant_id, complaint.against_id, complaint.owner_id]
        + [step.actor_id for step in steps],
    )
    item = session.get_one(FeedbackItem, complaint.item_id)
    return complaint_summary(complaint) | {
        "text": item.text,
        "complainant": people[complaint.complainant_id],
        "against": people.get(complaint.against_id),
        "owner": people.get(complaint.owner_id),
        "theme": theme_names(session, [item.theme_id]).get(item.theme_id),
        "charter_version": session.get_one(Charter, complaint.charter_id).version,
        "steps": [
            {
                "number": step.number,
                "kind": step.kind,
                "text": step.text,
                "on": step.acted_on,
                "by": people.get(step.actor_id),
            }
            for step in steps
        ],
    }


def complaint_summary(complaint: Complaint) -> dict[str, Any]:
    """A complaint in a list."""
    return {
        "id": complaint.public_id,
        "number": complaint.number,
        "kind": complaint.kind,
        "title": complaint.title,
        "status": complaint.status,
        "owner_role": complaint.owner_role,
        "opened_on": complaint.opened_on,
        "due_on": complaint.due_on,
        "outcome": complaint.outcome,
        "closed_on": complaint.closed_on,
        "reopened_count": complaint.reopened_count,
    }


def _public_ids(
    session: Session, model: type[Complaint], ids: Iterable[int | None]
) -> dict[int | None, str]:
    rows = session.execute(select(model.id, model.public_id).where(model.id.in_(set(ids) - {None})))
    return {row[0]: row[1] for row in rows}
