"""What the rows say that a group should think of before it signs; the words are `groups.warnings`.

Kin: names, households now and those under which members stood in earlier groups. A common
livelihood: memberships in communities of one industry, crops of seasonal loans. Promises twice:
live vouches both ways outside of this group.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from community.communities import queries as communities
from community.communities.models import (
    Community,
    CommunityKind,
    Membership,
    MembershipStatus,
)
from community.groups.models import GroupMember
from community.groups.warnings import GroupWarning, Person, warnings_for
from community.loans.models import Loan, LoanStatus
from community.loans.states import LIVE
from community.members import queries as members
from community.products.models import Season
from community.trust.models import Vouch, VouchStatus


def group_warnings(
    session: Session,
    *,
    community_id: int,
    member_ids: Collection[int],
    on: date,
    besides_group: int | None = None,
) -> tuple[GroupWarning, ...]:
    """All warnings on a group of these members; a fixed number of statements."""
    ids = sorted(set(member_ids))
    people = members.get_members_by_id(session, ids)
    homes: dict[int, set[int]] = {member_id: set() for member_id in ids}
    for member_id, member in people.items():
        if member.household_id is not None:
            homes[member_id].add(member.household_id)
    earlier = session.execute(
        select(GroupMember.member_id, GroupMember.household_id).where(
            GroupMember.member_id.in_(ids)
        )
    )
    for member_id, household_id in earlier:
        if household_id is not None:
            homes[member_id].add(household_id)
    return warnings_for(
        [Person(i, people[i].name, frozenset(homes[i])) for i in ids],
        rules=communities.charter_on(session, community_id, on).rules,
        industries=_industries(session, community_id, ids),
        crops=_crops(session, ids),
        mutual=_mutual(session, ids, on, besides_group),
    )


def _industries(session: Session, community_id: int, ids: Collection[int]) -> dict[str, set[int]]:
    """Who belongs to which industry; the group's own community goes without saying."""
    own = communities.get_community_by_id(session, community_id).path_ids
    rows = session.execute(
        select(Community.name, Membership.member_id)
        .join(Membership, Membership.community_id == Community.id)
        .where(
            Community.kind == CommunityKind.INDUSTRY,
            Community.id.not_in(own),
            Membership.status == MembershipStatus.ACTIVE,
            Membership.member_id.in_(ids),
        )
    )
    return _by_label(rows)


def _crops(session: Session, ids: Collection[int]) -> dict[str, set[int]]:
    """Who has, or had, a seasonal loan for which crop."""
    rows = session.execute(
        select(Season.crop, Loan.borrower_id)
        .join(Loan, Loan.season_id == Season.id)
        .where(
            Loan.borrower_id.in_(ids),
            Loan.status.in_([LoanStatus.APPROVED, *LIVE, LoanStatus.CLOSED]),
        )
        .distinct()
    )
    return _by_label(rows)


def _mutual(
    session: Session, ids: Collection[int], on: date, besides_group: int | None
) -> set[tuple[int, int]]:
    there, back = aliased(Vouch), aliased(Vouch)
    rows = session.execute(
        select(there.voucher_id, there.borrower_id)
        .join(
            back,
            (back.voucher_id == there.borrower_id) & (back.borrower_id == there.voucher_id),
        )
        .where(
            there.voucher_id.in_(ids),
            there.borrower_id.in_(ids),
            *(
                condition
                for row in (there, back)
                for condition in (
                    row.status == VouchStatus.LIVE,
                    row.expires_on >= on,
                    or_(row.group_id.is_(None), row.group_id != (besides_group or 0)),
                )
            ),
        )
        .distinct()
    )
    return {(min(one, other), max(one, other)) for one, other in rows}


def _by_label(rows: Iterable[Any]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for label, member_id in rows:
        found.setdefault(label, set()).add(member_id)
    return found
