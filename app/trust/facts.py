"""Whom a promise belongs to and concerns, for permissions."""

from sqlalchemy.orm import Session

from app.permissions import Facts
from community.communities import queries as communities
from community.trust.models import Vouch


def vouch_facts(session: Session, vouch: Vouch) -> Facts:
    """Both sides, and the community it is in."""
    community = communities.get_community_by_id(session, vouch.community_id)
    return Facts(
        path=community.path_ids,
        related_ids=frozenset({vouch.voucher_id, vouch.borrower_id}),
    )
