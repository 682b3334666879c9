"""Rating, and publishing means from which nobody's rating can be worked out.

Locks: the member, so that limits count, then the subject, so that its ratings are numbered in the
order in which they are kept and a published mean is of all of them up to one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.errors import Invalid
from community.feedback import subjects
from community.feedback.errors import FeedbackExhausted
from community.feedback.models import FeedbackSubject, Rating, RatingRelease
from community.feedback.subjects import Thing
from community.feedback.voices import weigh_people
from community.feedback.weighing import half_stars, may_be_shown
from community.locks import lock_one
from community.members.models import Member
from community.monitoring.cases import week_of

STARS = (1, 5)


@dataclass(frozen=True, slots=True)
class Published:
    """One portion of publishing: how many means, and up to which subject (None: all)."""

    means: int = 0
    last_id: int | None = None


def rate(session: Session, *, thing: Thing, member_id: int, stars: int, on: date) -> Rating:
    """A member rates what concerns them, or changes their mind; the same again is answered.

    Locks the member and the subject. Raises SubjectNotFound, NotDecidedYet, FeedbackExhausted.
    """
    if not STARS[0] <= stars <= STARS[1]:
        raise Invalid("A rating has one to five stars.", field="stars")
    lock_one(session, Member, member_id)
    subjects.check_concerned(session, thing, member_id)
    subject = lock_one(session, FeedbackSubject, subjects.subject_for(session, thing).id)
    rules = communities.charter_on(session, subject.community_id, on).rules
    last = current_rating(session, subject.id, member_id)
    if last is not None and last.stars == stars:
        return last
    _check_limit(session, member_id, rules, on)
    rating = Rating(
        subject_id=subject.id,
        member_id=member_id,
        number=1 if last is None else last.number + 1,
        stars=stars,
        rated_on=on,
    )
    session.add(rating)
    session.flush()
    return rating


def publish_means(
    session: Session, *, community_id: int, on: date, after_id: int, limit: int
) -> Published:
    """Publish what may be, once a week for each subject. Repeatable: a week has one mean.

    Locks the subjects.
    """
    week_on = week_of(on)
    last = (
        select(func.coalesce(func.max(RatingRelease.through_id), 0))
        .where(RatingRelease.subject_id == FeedbackSubject.id)
        .correlate(FeedbackSubject)
        .scalar_subquery()
    )
    latest = (
        select(func.max(RatingRelease.week_on))
        .where(RatingRelease.subject_id == FeedbackSubject.id)
        .correlate(FeedbackSubject)
        .scalar_subquery()
    )
    newer = select(Rating.id).where(Rating.subject_id == FeedbackSubject.id, Rating.id > last)
    found = session.scalars(
        select(FeedbackSubject.id)
        .where(
            FeedbackSubject.community_id == community_id,
            FeedbackSubject.id > after_id,
            func.coalesce(latest, date(1900, 1, 1)) < week_on,
            newer.correlate(FeedbackSubject).exists(),
        )
        .order_by(FeedbackSubject.id)
        .limit(limit)
    ).all()
    charter = communities.charter_on(session, community_id, on) if found else None
    means = 0
    for subject_id in found:
        assert charter is not None
        subject = lock_one(session, FeedbackSubject, subject_id)
        means += _publish(session, subject, charter.charter_id, charter.rules, week_on)
    return Published(means, found[-1] if len(found) == limit else None)


def current_rating(session: Session, subject_id: int, member_id: int) -> Rating | None:
    """A member's rating of a subject that counts."""
    return session.scalar(
        select(Rating)
        .where(Rating.subject_id == subject_id, Rating.member_id == member_id)
        .order_by(Rating.number.desc())
        .limit(1)
    )


def ratings_through(session: Session, subject_id: int, through_id: int | None) -> dict[int, Rating]:
    """The rating of each member that counted when this one was the last; None: that counts now."""
    query = select(Rating).where(Rating.subject_id == subject_id).order_by(Rating.id)
    if through_id is not None:
        query = query.where(Rating.id <= through_id)
    return {rating.member_id: rating for rating in session.scalars(query)}


def releases_of(session: Session, subject_id: int) -> Sequence[RatingRelease]:
    """The published means of a subject, oldest first."""
    return session.scalars(
        select(RatingRelease)
        .where(RatingRelease.subject_id == subject_id)
        .order_by(RatingRelease.number)
    ).all()


def _publish(
    session: Session,
    subject: FeedbackSubject,
    charter_id: int,
    rules: CharterRules,
    week_on: date,
) -> int:
    known = releases_of(session, subject.id)
    now = ratings_through(session, subject.id, None)
    before = ratings_through(session, subject.id, known[-1].through_id if known else 0)
    shown = {member: rating.stars for member, rating in before.items()}
    stars = {member: rating.stars for member, rating in now.items()}
    if not may_be_shown(shown, stars, rules.rating_raters_min):
        return 0
    added = {m: r.rated_on for m, r in now.items() if shown.get(m) != r.stars}
    weighed = weigh_people(session, subject.community_id, added, rules)
    session.add(
        RatingRelease(
            subject_id=subject.id,
            number=len(known) + 1,
            week_on=week_on,
            through_id=max(rating.id for rating in now.values()),
            raters=len(stars),
            half_stars=half_stars(stars.values()),
            is_burst=weighed.is_burst,
            charter_id=charter_id,
        )
    )
    session.flush()
    return 1


def _check_limit(session: Session, member_id: int, rules: CharterRules, on: date) -> None:
    today = session.scalar(
        select(func.count())
        .select_from(Rating)
        .where(Rating.member_id == member_id, Rating.rated_on == on)
    )
    if (today or 0) >= rules.rating_per_day_max:
        raise FeedbackExhausted(
            f"The charter admits {rules.rating_per_day_max} ratings of one member in a day.",
            rule="rating_per_day_max",
            most=rules.rating_per_day_max,
        )
