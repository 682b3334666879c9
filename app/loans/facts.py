"""What permissions need to know about loans, gathered from all rooms that know of them."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from app.auth import caller
from app.permissions import Facts
from community.communities import queries as communities
from community.communities.models import Community
from community.groups import queries as groups
from community.groups.models import Group, GroupMemberStatus
from community.guarantees import queries as guarantees
from community.loans import queries as loans
from community.loans.models import GroupLoan, Loan


def loan_facts(session: Session, loan: Loan) -> Facts:
    """Whose loan it is, who stands behind it or endorsed it, and whose group it belongs to."""
    community = communities.get_community_by_id(session, loan.community_id)
    group = None
    if loan.group_loan_id is not None:
        group_loan = loans.get_group_loan_by_id(session, loan.group_loan_id)
        group = groups.get_group_by_id(session, group_loan.group_id)
    return Facts(
        path=community.path_ids,
        owner_ids=frozenset({loan.borrower_id}),
        related_ids=guarantees.guarantor_ids(session, loan_id=loan.id)
        | loans.endorser_ids(session, [loan.id]),
        leader_ids=_leaders(group),
        member_ids=_signed(session, group),
    )


def group_loan_facts(session: Session, group_loan: GroupLoan) -> Facts:
    """The borrowers of all shares, whoever gave their word for one, and the group."""
    community = communities.get_community_by_id(session, group_loan.community_id)
    group = groups.get_group_by_id(session, group_loan.group_id)
    shares = loans.list_shares(session, group_loan.id)
    return Facts(
        path=community.path_ids,
        owner_ids=frozenset(share.borrower_id for share in shares),
        related_ids=loans.endorser_ids(session, [share.id for share in shares]),
        leader_ids=_leaders(group),
        member_ids=_signed(session, group),
    )


def share_facts(session: Session, of_group: Facts, shares: Sequence[Loan]) -> list[Facts]:
    """`loan_facts` of each share of a group loan, from those of the whole; two statements."""
    ids = [share.id for share in shares]
    endorsers = loans.endorsers_of(session, ids)
    guarantors = guarantees.guarantors_of(session, ids)
    return [
        replace(
            of_group,
            owner_ids=frozenset({share.borrower_id}),
            related_ids=endorsers[share.id] | guarantors[share.id],
        )
        for share in shares
    ]


def group_facts(session: Session, group: Group) -> Facts:
    """A group's leader and its signed members."""
    community = communities.get_community_by_id(session, group.community_id)
    return Facts(
        path=community.path_ids, leader_ids=_leaders(group), member_ids=_signed(session, group)
    )


def community_facts(
    session: Session, community: Community, *, borrower_id: int | None = None
) -> Facts:
    """Whether the caller is an active member here; whose the application is."""
    me = caller().member_id
    inactive = communities.inactive(session, community_id=community.id, member_ids=[me])
    return Facts(
        path=community.path_ids,
        owner_ids=frozenset({borrower_id}) if borrower_id is not None else frozenset(),
        member_ids=frozenset({me}) - inactive.keys(),
    )


def _leaders(group: Group | None) -> frozenset[int]:
    if group is None or group.leader_id is None:
        return frozenset()
    return frozenset({group.leader_id})


def _signed(session: Session, group: Group | None) -> frozenset[int]:
    if group is None:
        return frozenset()
    return frozenset(
        place.member_id
        for place in groups.living_members(session, group.id)
        if place.status is GroupMemberStatus.SIGNED
    )
