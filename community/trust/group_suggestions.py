"""Which groups would people form best: `graph.groups` on the rows of a community.

The trust between two is what each has promised the other, the smaller of the two; a promise that
is not returned counts nothing. Sizes are the charter's, a household stands in a group once. Who
stands in a group already, is not active or has something overdue is left out beforehand.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Membership, MembershipStatus
from community.communities.queries import CharterInForce
from community.groups import queries as groups
from community.members import queries as members
from community.trust.models import Vouch, VouchStatus
from community.trust.queries import overdue_members
from graph.arrays import from_edges
from graph.groups import GroupRules, form_groups


class NotSuited(StrEnum):
    """Why somebody is not put into a group at all."""

    NOT_ACTIVE = "not_active"
    IN_A_GROUP = "in_a_group"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class SuggestedGroup:
    """People who would go together; amounts are what they have promised each other already."""

    member_ids: tuple[int, ...]
    trust_minor: int
    # The pair that knows each other least, and what that is.
    weakest: tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Groups within the charter, who is left over and why, and whether it can be done better."""

    currency: str
    charter: CharterInForce
    groups: tuple[SuggestedGroup, ...]
    left_over: tuple[int, ...]
    because: dict[str, int]
    not_suited: dict[int, NotSuited]
    trust_minor: int
    # No way to place as many has more trust than this.
    bound_minor: int
    is_best: bool


def suggest_groups(
    session: Session, *, community_id: int, candidate_ids: Collection[int], on: date
) -> Suggestion:
    """Groups out of the candidates, as many placed and as much trust inside as the rules allow.

    Nothing is written. The same rows give the same answer. A fixed number of statements. Raises
    NoCharter.
    """
    community = communities.get_community_by_id(session, community_id)
    charter = communities.charter_on(session, community_id, on)
    wanted = sorted(set(candidate_ids))
    not_suited = _not_suited(session, community_id, wanted)
    suited = [member_id for member_id in wanted if member_id not in not_suited]
    homes = members.households_of(session, suited)
    found = form_groups(
        from_edges(_promised(session, community_id, suited, on), nodes=suited),
        GroupRules(
            charter.rules.group_size_min,
            charter.rules.group_size_max,
            per_household=1,
        ),
        members=suited,
        households={member: home for member, home in homes.items() if home is not None},
    )
    return Suggestion(
        currency=community.currency,
        charter=charter,
        groups=tuple(
            SuggestedGroup(
                tuple(map(_id, group.members)),
                int(group.trust),
                None
                if group.weakest is None
                else (_id(group.weakest[0]), _id(group.weakest[1]), int(group.weakest[2])),
            )
            for group in found.groups
        ),
        left_over=tuple(map(_id, found.left_over)),
        because={limit: count for limit, count in found.because.items() if count},
        not_suited=not_suited,
        trust_minor=int(found.trust),
        bound_minor=int(found.bound),
        is_best=found.exact,
    )


def candidates_of(session: Session, *, community_id: int, limit: int) -> list[int]:
    """Active members of a community who stand in no group there, the first by id."""
    return list(
        session.scalars(
            select(Membership.member_id)
            .where(
                Membership.community_id == community_id,
                Membership.status == MembershipStatus.ACTIVE,
                Membership.member_id.not_in(groups.standing_in_groups(community_id)),
            )
            .order_by(Membership.member_id)
            .limit(limit)
        )
    )


def connections_of(session: Session, *, community_id: int, member_id: int) -> frozenset[int]:
    """Whom somebody has promised something in a community, or has been promised or offered it."""
    rows = session.execute(
        select(Vouch.voucher_id, Vouch.borrower_id).where(
            Vouch.community_id == community_id,
            or_(Vouch.voucher_id == member_id, Vouch.borrower_id == member_id),
            Vouch.status.in_([VouchStatus.LIVE, VouchStatus.OFFERED]),
        )
    )
    return frozenset(end for pair in rows for end in pair) - {member_id}


def _not_suited(session: Session, community_id: int, ids: Collection[int]) -> dict[int, NotSuited]:
    away = communities.inactive(session, community_id=community_id, member_ids=ids)
    standing = set(session.scalars(groups.standing_in_groups(community_id)))
    late = overdue_members(session, ids)
    found: dict[int, NotSuited] = {}
    for member_id in ids:
        if member_id in away:
            found[member_id] = NotSuited.NOT_ACTIVE
        elif member_id in standing:
            found[member_id] = NotSuited.IN_A_GROUP
        elif member_id in late:
            found[member_id] = NotSuited.OVERDUE
    return found


def _promised(
    session: Session, community_id: int, ids: Collection[int], on: date
) -> list[tuple[int, int, int]]:
    rows = session.execute(
        select(
            Vouch.voucher_id,
            Vouch.borrower_id,
            func.sum(Vouch.limit_minor - Vouch.spent_minor),
        )
        .where(
            Vouch.community_id == community_id,
            Vouch.status == VouchStatus.LIVE,
            Vouch.expires_on >= on,
            Vouch.voucher_id.in_(ids),
            Vouch.borrower_id.in_(ids),
        )
        .group_by(Vouch.voucher_id, Vouch.borrower_id)
    )
    return [(voucher, borrower, int(minor)) for voucher, borrower, minor in rows]


def _id(node: object) -> int:
    # Ids in our own networks are row ids.
    assert isinstance(node, int)
    return node
