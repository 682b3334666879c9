"""What the permission table needs to know of feedback."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.communities.facts import community_facts
from app.feedback.permissions import ComplaintFacts
from app.permissions import Facts
from community.communities import queries as communities
from community.feedback import subjects
from community.feedback.models import Complaint, FeedbackItem, Theme
from community.feedback.subjects import Thing


def thing_facts(session: Session, thing: Thing) -> Facts:
    """Facts about what is rated: of those whom it concerns only the caller matters."""
    me = caller().member_id
    concerned = subjects.concerns(session, thing, me)
    return Facts(
        path=subjects.community_of(session, thing).path_ids,
        member_ids=frozenset({me} if concerned else ()),
    )


def item_facts(session: Session, item: FeedbackItem) -> Facts:
    """Facts about a comment or a suggestion."""
    return Facts(
        path=communities.get_community_by_id(session, item.community_id).path_ids,
        owner_ids=frozenset({item.author_id}),
    )


def complaint_facts(session: Session, complaint: Complaint) -> ComplaintFacts:
    """Facts about a complaint: whose, whose turn it is, whom it is against."""
    owner, against = complaint.owner_id, complaint.against_id
    return ComplaintFacts(
        path=communities.get_community_by_id(session, complaint.community_id).path_ids,
        owner_ids=frozenset({complaint.complainant_id}),
        related_ids=frozenset() if owner is None else frozenset({owner}),
        against_ids=frozenset() if against is None else frozenset({against}),
        is_unowned=owner is None,
    )


def theme_facts(session: Session, theme: Theme) -> Facts:
    """Facts about a theme: those of its community."""
    place = communities.get_community_by_id(session, theme.community_id)
    return community_facts(session, place)
