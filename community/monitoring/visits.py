"""Visits of members to members: drawn, answered, with photos."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import Purpose
from community.errors import Invalid
from community.groups import queries as groups
from community.groups.models import Group, GroupStatus
from community.ledger.events import record_event
from community.locks import lock_one
from community.members.consents import require_consent
from community.members.models import Member
from community.monitoring.errors import (
    PhotoRefused,
    PhotosExhausted,
    VisitDone,
    VisitNotFound,
    VisitsNotPossible,
)
from community.monitoring.models import Visit, VisitPhoto, VisitRound, VisitStatus
from community.monitoring.questions import check_answers
from community.monitoring.rota import draw

SEED_MAX = 2**53


# The purpose of a consent, see `community/members/purposes.json`.
VISIT_PLACE = "visit_place"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visit was, in millionths of a degree."""

    latitude_micro: int
    longitude_micro: int


def draw_round(
    session: Session,
    *,
    group_id: int,
    purpose: Purpose,
    seed: int,
    due_on: date,
    on: date,
    now: datetime,
    actor_id: int,
) -> VisitRound:
    """Draw who visits whom in an active group; the seed and what it was drawn from are kept.

    Locks the group. Raises VisitsNotPossible, Invalid.
    """
    group = lock_one(session, Group, group_id)
    if group.status is not GroupStatus.ACTIVE:
        raise VisitsNotPossible("Members of an active group visit each other.")
    if due_on < on:
        raise Invalid("Visits are due today or later.", field="due_on")
    member_ids = [place.member_id for place in groups.living_members(session, group_id)]
    homes: dict[int, int | None] = dict(
        session.execute(
            select(Member.id, Member.household_id).where(Member.id.in_(member_ids))
        ).all()
    )
    before = session.scalar(
        select(VisitRound)
        .where(VisitRound.group_id == group_id)
        .order_by(VisitRound.number.desc())
        .limit(1)
    )
    last = {} if before is None else _pairs(session, before.id)
    pairs = draw(homes, last, seed)
    if pairs is None:
        raise VisitsNotPossible()
    row = VisitRound(
        community_id=group.community_id,
        group_id=group_id,
        number=1 if before is None else before.number + 1,
        purpose=purpose,
        seed=seed,
        inputs={
            "homes": [[member_id, home] for member_id, home in sorted(homes.items())],
            "last": [[visitor, visited] for visitor, visited in sorted(last.items())],
        },
        drawn_on=on,
        due_on=due_on,
        drawn_by_id=actor_id,
        created_at=now,
    )
    session.add(row)
    session.flush()  # its visits name it
    session.add_all(
        Visit(
            round_id=row.id,
            visitor_id=visitor,
            visited_id=visited,
            status=VisitStatus.ASSIGNED,
            note="",
        )
        for visitor, visited in sorted(pairs.items())
    )
    record_event(
        session,
        community_id=group.community_id,
        kind="visits.drawn",
        subject=row.public_id,
        actor_id=actor_id,
        now=now,
        facts={"seed": str(seed), "visits": len(pairs), "number": row.number},
    )
    session.flush()  # it is answered with its visits
    return row


def drawn_again(row: VisitRound) -> dict[int, int] | None:
    """Visitor → visited as the kept seed and inputs give it."""
    homes: dict[int, int | None] = dict(row.inputs["homes"])
    last: dict[int, int] = dict(row.inputs["last"])
    return draw(homes, last, row.seed)


def answer(
    session: Session,
    *,
    visit_id: int,
    answers: dict[str, bool],
    note: str,
    place: Place | None,
    seen_at: datetime | None,
    on: date,
    now: datetime,
    actor_id: int,
) -> Visit:
    """The visitor says what they saw. Locks the visit.

    Raises VisitDone, Invalid, ConsentMissing.
    """
    visit = lock_one(session, Visit, visit_id)
    if visit.status is VisitStatus.DONE:
        raise VisitDone()
    row = session.get_one(VisitRound, visit.round_id)
    if seen_at is not None and seen_at > now:
        raise Invalid("A visit is answered when it has been made.", field="seen_at")
    if place is not None:
        # Where somebody lives is theirs to tell.
        require_consent(session, member_id=visit.visited_id, purpose=VISIT_PLACE)
    visit.answers = dict(check_answers(row.purpose, answers))
    visit.note, visit.seen_at = note, seen_at
    if place is not None:
        visit.latitude_micro, visit.longitude_micro = place.latitude_micro, place.longitude_micro
    visit.status, visit.done_on = VisitStatus.DONE, on
    visit.version += 1
    record_event(
        session,
        community_id=row.community_id,
        kind="visit.done",
        subject=visit.public_id,
        actor_id=actor_id,
        now=now,
        facts={"answers": dict(visit.answers)},
    )
    return visit


def add_photo(
    session: Session, *, visit_id: int, content: bytes, media_type: str, on: date, now: datetime
) -> VisitPhoto:
    """Keep a photo of a visit; the same one again is answered, not kept twice.

    What it is, its bytes say, not its name. Locks the visit. Raises PhotoRefused, PhotosExhausted.
    """
    visit = lock_one(session, Visit, visit_id)
    row = session.get_one(VisitRound, visit.round_id)
    rules = communities.charter_on(session, row.community_id, on).rules
    if len(content) > rules.visit_photo_bytes_max:
        raise PhotoRefused(
            f"A photo has at most {rules.visit_photo_bytes_max} bytes by the charter.",
            bytes_max=rules.visit_photo_bytes_max,
        )
    found = sniff(content)
    if found is None or found != media_type:
        raise PhotoRefused(
            "The bytes are " + (found or "no picture that is known here") + f", not {media_type}."
        )
    digest = hashlib.sha256(content).hexdigest()
    photos = photos_of(session, [visit.id])
    same = next((photo for photo in photos if photo.sha256 == digest), None)
    if same is not None:
        return same
    if len(photos) >= rules.visit_photos_max:
        raise PhotosExhausted(photos_max=rules.visit_photos_max)
    elsewhere = session.scalar(
        select(func.count()).select_from(VisitPhoto).where(VisitPhoto.sha256 == digest)
    )
    photo = VisitPhoto(
        visit_id=visit.id,
        number=len(photos) + 1,
        media_type=found,
        size_bytes=len(content),
        sha256=digest,
        content=content,
        seen_before=bool(elsewhere),
        added_at=now,
    )
    session.add(photo)
    visit.version += 1
    session.flush()  # it is answered with its number
    return photo


def sniff(content: bytes) -> str | None:
    """What picture the bytes begin and end as; None: none that is taken here."""
    if content.startswith(b"\xff\xd8\xff") and content.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82"):
        return "image/png"
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if is_webp and int.from_bytes(content[4:8], "little") + 8 == len(content):
        return "image/webp"
    return None


def get_visit(session: Session, public_id: str) -> Visit:
    """The visit of this public id. Raises VisitNotFound."""
    row = session.scalar(select(Visit).where(Visit.public_id == public_id))
    if row is None:
        raise VisitNotFound()
    return row


def get_photo(session: Session, *, visit_id: int, number: int) -> VisitPhoto:
    """One photo of a visit. Raises VisitNotFound."""
    row = session.scalar(
        select(VisitPhoto).where(VisitPhoto.visit_id == visit_id, VisitPhoto.number == number)
    )
    if row is None:
        raise VisitNotFound()
    return row


def round_of(session: Session, visit: Visit) -> VisitRound:
    """The round that a visit was drawn in."""
    return session.get_one(VisitRound, visit.round_id)


def list_rounds(group_id: int) -> Select[VisitRound]:
    """A group's rounds; page by VisitRound.id."""
    return select(VisitRound).where(VisitRound.group_id == group_id)


def list_own_visits(member_id: int) -> Select[Visit]:
    """Whom a member is to visit, or has visited; page by Visit.id."""
    return select(Visit).where(Visit.visitor_id == member_id)


def list_made_to(member_id: int) -> Select[Visit]:
    """The visits that were made to a member, the newest first."""
    made = (Visit.visited_id == member_id, Visit.done_on.is_not(None))
    return select(Visit).where(*made).order_by(Visit.done_on.desc(), Visit.id.desc())


def visits_of(session: Session, round_id: int) -> Sequence[Visit]:
    """The visits of a round, by visitor."""
    return session.scalars(
        select(Visit).where(Visit.round_id == round_id).order_by(Visit.visitor_id)
    ).all()


def photos_of(session: Session, visit_ids: Sequence[int]) -> Sequence[VisitPhoto]:
    """Photos of visits in order, without their bytes."""
    return session.scalars(
        select(VisitPhoto)
        .where(VisitPhoto.visit_id.in_(visit_ids))
        .order_by(VisitPhoto.visit_id, VisitPhoto.number)
    ).all()


def _pairs(session: Session, round_id: int) -> dict[int, int]:
    return {visit.visitor_id: visit.visited_id for visit in visits_of(session, round_id)}
