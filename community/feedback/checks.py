"""Proving what feedback promises: numbers without gaps, votes that sum, trails that hold."""

from collections import deque
from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities import queries as communities
from community.communities.charter import read_rules
from community.feedback.models import (
    Complaint,
    ComplaintStatus,
    ComplaintStep,
    FeedbackItem,
    ItemKind,
    Message,
    MessageKind,
    Placement,
    Poll,
    PollStatus,
    PollVoter,
    Rating,
    RatingRelease,
    StepKind,
    Theme,
    ThemeStatus,
)
from community.feedback.themes import outcome_of
from community.feedback.weighing import half_stars, may_be_shown
from community.ledger.checks import Breach
from community.products.models import ProductVersion


def check_feedback(session: Session) -> Iterator[Breach]:
    """Every complaint, theme, vote, published mean and message is what its rows say."""
    yield from _complaints_are_numbered(session)
    yield from _complaints_are_their_steps(session)
    yield from _items_are_placed(session)
    yield from _votes_sum(session)
    yield from _decisions_rest_on_votes(session)
    yield from _means_are_of_many(session)
    yield from _askers_were_told(session)
    yield from _messages_reach_whom_they_concern(session)


def _complaints_are_numbered(session: Session) -> Iterator[Breach]:
    """Law 8: a complaint that was taken away leaves a gap."""
    last, count = func.max(Complaint.number), func.count()
    rows = session.execute(
        select(Complaint.community_id, last, count)
        .group_by(Complaint.community_id)
        .having(last != count)
        .order_by(Complaint.community_id)
    )
    for community_id, number, found in rows:
        place = communities.get_community_by_id(session, community_id).public_id
        yield Breach(8, "feedback_complaints", place, f"has {found} complaints up to no. {number}")


def _complaints_are_their_steps(session: Session) -> Iterator[Breach]:
    """Law 7: where a complaint stands is what its last steps say, and it is who filed it's."""
    last = (
        select(func.max(ComplaintStep.number))
        .where(ComplaintStep.complaint_id == Complaint.id)
        .correlate(Complaint)
        .scalar_subquery()
    )
    reopened = (
        select(func.count())
        .select_from(ComplaintStep)
        .where(ComplaintStep.complaint_id == Complaint.id, ComplaintStep.kind == StepKind.REOPENED)
        .correlate(Complaint)
        .scalar_subquery()
    )
    closed = Complaint.status == ComplaintStatus.CLOSED
    rows = session.scalars(
        select(Complaint.public_id)
        .join(FeedbackItem, FeedbackItem.id == Complaint.item_id)
        .outerjoin(
            ComplaintStep,
            and_(ComplaintStep.complaint_id == Complaint.id, ComplaintStep.number == last),
        )
        .where(
            or_(
                ComplaintStep.id.is_(None),
                closed != (ComplaintStep.kind == StepKind.CLOSED),
                func.coalesce(ComplaintStep.owner_id, 0) != func.coalesce(Complaint.owner_id, 0),
                Complaint.reopened_count != reopened,
                FeedbackItem.kind != ItemKind.COMPLAINT,
                FeedbackItem.author_id != Complaint.complainant_id,
                FeedbackItem.community_id != Complaint.community_id,
            )
        )
        .order_by(Complaint.id)
    )
    for public_id in rows:
        yield Breach(7, "feedback_complaints", public_id, "is not what its steps say")


def _items_are_placed(session: Session) -> Iterator[Breach]:
    """Law 7: an item is in the theme that its trail ends in, of its community and not merged."""
    later = aliased(Placement)
    is_last = ~(
        select(later.id)
        .where(later.item_id == Placement.item_id, later.number > Placement.number)
        .correlate(Placement)
        .exists()
    )
    rows = session.scalars(
        select(FeedbackItem.public_id)
        .outerjoin(Placement, and_(Placement.item_id == FeedbackItem.id, is_last))
        .outerjoin(Theme, Theme.id == FeedbackItem.theme_id)
        .where(
            or_(
                func.coalesce(Placement.theme_id, 0) != func.coalesce(FeedbackItem.theme_id, 0),
                Theme.community_id != FeedbackItem.community_id,
                Theme.status == ThemeStatus.MERGED,
            )
        )
        .order_by(FeedbackItem.id)
    )
    for public_id in rows:
        yield Breach(7, "feedback_items", public_id, "is not where its trail ends")


def _votes_sum(session: Session) -> Iterator[Breach]:
    """Law 6: each voter is one vote. Law 7: the outcome follows from the sums."""
    voters = (
        select(func.count())
        .select_from(PollVoter)
        .where(PollVoter.poll_id == Poll.id)
        .correlate(Poll)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Poll, Theme.public_id, voters)
        .join(Theme, Theme.id == Poll.theme_id)
        .order_by(Poll.id)
        .execution_options(yield_per=500)
    )
    for poll, public_id, who in rows:
        name = f"{public_id} vote {poll.number}"
        counted = poll.yes_count + poll.no_count + poll.abstain_count
        if counted != who:
            yield Breach(6, "feedback_polls", name, f"counts {counted} votes of {who} voters")
        if poll.status is not PollStatus.OPEN and poll.status is not outcome_of(poll):
            yield Breach(7, "feedback_polls", name, f"cannot have come out {poll.status.value}")


def _decisions_rest_on_votes(session: Session) -> Iterator[Breach]:
    """Law 7: what was accepted was carried; what was shipped stands in a version that names it."""
    rows = session.execute(
        select(Theme, Poll.status, ProductVersion.source)
        .outerjoin(Poll, and_(Poll.theme_id == Theme.id, Poll.number == Theme.poll_number))
        .outerjoin(ProductVersion, ProductVersion.id == Theme.shipped_version_id)
        .where(Theme.status.in_([ThemeStatus.ACCEPTED, ThemeStatus.SHIPPED]))
        .order_by(Theme.id)
    )
    for theme, outcome, source in rows:
        if outcome is not PollStatus.CARRIED:
            yield Breach(7, "feedback_themes", theme.public_id, "was accepted without a vote")
        if theme.status is ThemeStatus.SHIPPED and theme.public_id not in (source or ""):
            told = "was shipped in a version that does not name it"
            yield Breach(7, "feedback_themes", theme.public_id, told)


def _means_are_of_many(session: Session) -> Iterator[Breach]:
    """Laws 7 and 9: a published mean is that of its ratings, and nobody's can be worked out."""
    releases = session.scalars(
        select(RatingRelease).order_by(RatingRelease.subject_id, RatingRelease.number)
    ).all()
    least: dict[int, int] = {}
    for subject_id, published in groupby(releases, key=lambda release: release.subject_id):
        # Each rating is read once, however often it was in a mean.
        waiting = deque(
            session.execute(
                select(Rating.id, Rating.member_id, Rating.stars)
                .where(Rating.subject_id == subject_id)
                .order_by(Rating.id)
            )
        )
        shown: dict[int, int] = {}
        for release in published:
            stars = dict(shown)
            while waiting and waiting[0].id <= release.through_id:
                rating = waiting.popleft()
                stars[rating.member_id] = rating.stars
            name = f"subject {subject_id} no. {release.number}"
            mean = half_stars(stars.values()) if stars else 0
            if (len(stars), mean) != (release.raters, release.half_stars):
                yield Breach(7, "feedback_releases", name, "is not the mean of its ratings")
            if release.charter_id not in least:
                document = communities.get_charter_document(session, release.charter_id)
                least[release.charter_id] = read_rules(document).rating_raters_min
            if not may_be_shown(shown, stars, least[release.charter_id]):
                yield Breach(9, "feedback_releases", name, "tells too much of too few")
            shown = stars


def _askers_were_told(session: Session) -> Iterator[Breach]:
    """Law 6: whoever has an item in a theme that was decided or shipped was told so, once."""
    kinds = {
        ThemeStatus.DECLINED: [MessageKind.THEME_DECLINED],
        ThemeStatus.ACCEPTED: [MessageKind.THEME_ACCEPTED],
        ThemeStatus.SHIPPED: [MessageKind.THEME_ACCEPTED, MessageKind.THEME_SHIPPED],
    }
    for status, wanted in kinds.items():
        for kind in wanted:
            told = (
                select(Message.id)
                .where(
                    Message.theme_id == Theme.id,
                    Message.member_id == FeedbackItem.author_id,
                    Message.kind == kind,
                )
                .correlate(Theme, FeedbackItem)
                .exists()
            )
            rows = session.scalars(
                select(FeedbackItem.public_id)
                .join(Theme, Theme.id == FeedbackItem.theme_id)
                .where(Theme.status == status, ~told)
                .order_by(FeedbackItem.id)
            )
            for public_id in rows:
                said = f"its author was not told: {kind.value}"
                yield Breach(6, "feedback_items", public_id, said)


def _messages_reach_whom_they_concern(session: Session) -> Iterator[Breach]:
    """Law 9: a message on a theme is an asker's, on a complaint its complainant's or owner's."""
    asks = (
        select(FeedbackItem.id)
        .where(
            FeedbackItem.theme_id == Message.theme_id, FeedbackItem.author_id == Message.member_id
        )
        .correlate(Message)
        .exists()
    )
    owned = (
        select(ComplaintStep.id)
        .where(
            ComplaintStep.complaint_id == Message.complaint_id,
            ComplaintStep.owner_id == Message.member_id,
        )
        .correlate(Message)
        .exists()
    )
    rows = session.scalars(
        select(Message.public_id)
        .outerjoin(Complaint, Complaint.id == Message.complaint_id)
        .where(
            or_(
                and_(Message.theme_id.is_not(None), ~asks),
                and_(
                    Message.complaint_id.is_not(None),
                    Complaint.complainant_id != Message.member_id,
                    ~owned,
                ),
            )
        )
        .order_by(Message.id)
    )
    for public_id in rows:
        yield Breach(9, "member_messages", public_id, "went to somebody whom it does not concern")
