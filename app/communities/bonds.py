"""What still binds a member to a community, asked of every room that may know."""

from datetime import date

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community, Membership
from community.groups import queries as groups
from community.loans import queries as loans
from community.loans.models import LoanStatus
from community.loans.states import ENDED
from community.locks import lock_one
from community.savings import queries as savings
from community.trust import queries as trust

# What was written off is still owed.
_BINDING = frozenset(LoanStatus) - ENDED | {LoanStatus.WRITTEN_OFF}


def bonds_of(session: Session, community: Community, member_id: int, on: date) -> list[str]:
    """A short sentence for each thing that has to end before the member can leave.

    Locks the membership first: whatever binds is written under a hold on it, so that what is
    looked for here is there already or is refused.
    """
    membership = communities.get_membership(session, community_id=community.id, member_id=member_id)
    lock_one(session, Membership, membership.id)
    place = {"community_id": community.id, "member_id": member_id}
    found = []
    if groups.find_living_group(session, **place) is not None:
        found.append("They stand in a group.")
    if savings.balances(session, **place).total_minor:
        found.append("They have savings here.")
    exposure = trust.exposure_of(session, **place, currency=community.currency, on=on)
    if exposure.most_minor:
        found.append("They stand behind others.")
    open_loans = loans.list_loans(
        borrower_id=member_id, community_ids=[community.id], statuses=_BINDING
    )
    if session.scalars(open_loans.limit(1)).first() is not None:
        found.append("They have applied for a loan or owe on one.")
    return found
