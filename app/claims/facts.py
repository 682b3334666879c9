"""What permissions need to know about claims."""

from sqlalchemy.orm import Session

from app.permissions import Facts
from community.communities import queries as communities
from community.guarantees.models import Claim
from community.loans import queries as loans


def claim_facts(session: Session, claim: Claim) -> Facts:
    """Both sides of the claim; nobody else of the loan's people."""
    loan = loans.get_loan_by_id(session, claim.loan_id)
    community = communities.get_community_by_id(session, loan.community_id)
    return Facts(
        path=community.path_ids,
        owner_ids=frozenset() if claim.claimant_id is None else frozenset({claim.claimant_id}),
        related_ids=frozenset({claim.debtor_id}),
    )
