"""Comments and suggestions: saying, hiding, finding what is alike.

Locks: the author, so that limits count; of who hides, the item.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.errors import Invalid
from community.feedback import subjects
from community.feedback.errors import (
    FeedbackExhausted,
    FeedbackHidden,
    FeedbackNotFound,
    SaidAlready,
    SubjectNotFound,
)
from community.feedback.models import FeedbackItem, ItemKind
from community.feedback.similarity import fingerprint, most_alike
from community.feedback.subjects import Thing
from community.ledger.events import record_event
from community.locks import lock_one
from community.members.models import Member

# How many of the newest texts one question compares with, and how many it answers with.
COMPARED_MAX = 500
ALIKE_MAX = 20


def say(
    session: Session,
    *,
    community_id: int,
    author_id: int,
    kind: ItemKind,
    text: str,
    thing: Thing | None,
    on: date,
) -> FeedbackItem:
    """A comment on what concerns the member, or a suggestion to their community.

    Locks the author. Raises NotAMember, SubjectNotFound, NotDecidedYet, SaidAlready,
    FeedbackExhausted.
    """
    if kind is ItemKind.COMPLAINT:
        raise Invalid("A complaint is filed as one: it has a number and a deadline.", field="kind")
    if kind is ItemKind.COMMENT and thing is None:
        raise Invalid("Say what the comment is on.", field="subject")
    lock_one(session, Member, author_id)
    communities.require_active(session, community_id=community_id, member_id=author_id)
    if thing is not None:
        place = communities.get_community_by_id(session, community_id)
        if subjects.community_of(session, thing).id not in place.path_ids:
            raise SubjectNotFound()
        subjects.check_concerned(session, thing, author_id)
    rules = communities.charter_on(session, community_id, on).rules
    spoken = (ItemKind.COMMENT, ItemKind.SUGGESTION)
    for days, rule in ((1, "feedback_per_day_max"), (7, "feedback_per_week_max")):
        check_limit(session, community_id, author_id, spoken, days, rule, rules, on)
    return add_item(session, community_id, author_id, kind, text, thing, on)


def add_item(
    session: Session,
    community_id: int,
    author_id: int,
    kind: ItemKind,
    text: str,
    thing: Thing | None,
    on: date,
) -> FeedbackItem:
    """The row of an item (its author is locked). Raises SaidAlready."""
    digest = fingerprint(text)
    said = session.scalar(
        select(FeedbackItem.public_id).where(
            FeedbackItem.community_id == community_id,
            FeedbackItem.author_id == author_id,
            FeedbackItem.fingerprint == digest,
        )
    )
    if said is not None:
        raise SaidAlready("Add what is new, or wait for the answer.", field="text", item=said)
    item = FeedbackItem(
        community_id=community_id,
        author_id=author_id,
        kind=kind,
        subject_id=None if thing is None else subjects.subject_for(session, thing).id,
        text=text,
        fingerprint=digest,
        written_on=on,
    )
    session.add(item)
    session.flush()
    return item


def check_limit(
    session: Session,
    community_id: int,
    author_id: int,
    kinds: tuple[ItemKind, ...],
    days: int,
    rule: str,
    rules: CharterRules,
    on: date,
) -> None:
    """Raises FeedbackExhausted when the member (locked) has said as much as the rule admits."""
    said = session.scalar(
        select(func.count())
        .select_from(FeedbackItem)
        .where(
            FeedbackItem.author_id == author_id,
            FeedbackItem.community_id == community_id,
            FeedbackItem.kind.in_(kinds),
            FeedbackItem.written_on > on - timedelta(days=days),
        )
    )
    most: int = getattr(rules, rule)
    if (said or 0) >= most:
        raise FeedbackExhausted(
            f"The charter admits {most} of one member within {days} days.", rule=rule, most=most
        )


def hide(
    session: Session, *, item_id: int, reason: str, on: date, now: datetime, actor_id: int
) -> FeedbackItem:
    """An officer hides a text; it stays for the auditor. Raises FeedbackHidden, Invalid."""
    item = lock_one(session, FeedbackItem, item_id)
    if item.kind is ItemKind.COMPLAINT:
        raise Invalid("A complaint is answered, not hidden.", field="item")
    if item.hidden_on is not None:
        raise FeedbackHidden()
    item.hidden_on, item.hidden_by_id, item.hidden_reason = on, actor_id, reason
    record_event(
        session,
        community_id=item.community_id,
        kind="feedback.hidden",
        subject=item.public_id,
        actor_id=actor_id,
        now=now,
        facts={"reason": reason},
    )
    return item


def find_alike(session: Session, item: FeedbackItem, on: date) -> list[tuple[FeedbackItem, int]]:
    """Items of the same community that may belong with this one, most alike first.

    Compares with the newest texts that are neither hidden nor complaints, a bounded number.
    """
    rules = communities.charter_on(session, item.community_id, on).rules
    rows = session.scalars(
        list_items(item.community_id)
        .where(FeedbackItem.hidden_on.is_(None), FeedbackItem.id != item.id)
        .order_by(FeedbackItem.id.desc())
        .limit(COMPARED_MAX)
    ).all()
    found = most_alike(
        item.text,
        [(row.id, row.text) for row in rows],
        least_bps=rules.theme_alike_bps,
        most=ALIKE_MAX,
    )
    by_id = {row.id: row for row in rows}
    return [(by_id[key], score) for key, score in found]


def get_item(session: Session, public_id: str) -> FeedbackItem:
    """The comment or suggestion of this public id. Raises FeedbackNotFound, also for complaints."""
    item = session.scalar(select(FeedbackItem).where(FeedbackItem.public_id == public_id))
    if item is None or item.kind is ItemKind.COMPLAINT:
        raise FeedbackNotFound()
    return item


def list_items(
    community_id: int, *, ungrouped: bool = False, theme_id: int | None = None
) -> Select[FeedbackItem]:
    """A community's comments and suggestions; page by FeedbackItem.id.

    `ungrouped`: those in no theme yet; a hidden one goes into none. `theme_id`: those in it.
    """
    query = select(FeedbackItem).where(
        FeedbackItem.community_id == community_id, FeedbackItem.kind != ItemKind.COMPLAINT
    )
    if ungrouped:
        query = query.where(FeedbackItem.theme_id.is_(None), FeedbackItem.hidden_on.is_(None))
    if theme_id is not None:
        query = query.where(FeedbackItem.theme_id == theme_id)
    return query


def list_own_items(author_id: int) -> Select[FeedbackItem]:
    """What a member said; their complaints have a list of their own."""
    return select(FeedbackItem).where(
        FeedbackItem.author_id == author_id, FeedbackItem.kind != ItemKind.COMPLAINT
    )
