"""Reading groups, their members, and who stands with whom."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from community.bulk import select_by
from community.groups.errors import AgreementNotFound, GroupNotFound, NotInGroup, ProposalNotFound
from community.groups.models import (
    ExpulsionConsent,
    Group,
    GroupAgreement,
    GroupAmendment,
    GroupExpulsion,
    GroupMember,
    GroupMemberStatus,
    GroupSignature,
    GroupStatus,
    UnderstandingAttempt,
)
from community.locks import lock_one
from community.members.models import Member

# Whoever has accepted a place and has not given it up.
LIVING = (GroupMemberStatus.ACCEPTED, GroupMemberStatus.SIGNED)
# Whoever may know the group: the living, and those who are asked to join.
LISTED = (GroupMemberStatus.INVITED, *LIVING)


def get_group(session: Session, public_id: str) -> Group:
    """The group of this public id. Raises GroupNotFound."""
    group = session.scalar(select(Group).where(Group.public_id == public_id))
    if group is None:
        raise GroupNotFound()
    return group


def get_group_for_update(session: Session, public_id: str) -> Group:
    """The group of this public id, locked. Raises GroupNotFound."""
    return lock_one(session, Group, get_group(session, public_id).id)


def get_group_by_id(session: Session, group_id: int) -> Group:
    """The group of this id. Raises GroupNotFound."""
    group = session.get(Group, group_id)
    if group is None:
        raise GroupNotFound()
    return group


def members_of(session: Session, group_id: int) -> Sequence[tuple[GroupMember, Member]]:
    """Everybody who is or was asked into a group, in id order."""
    rows = session.execute(
        select(GroupMember, Member)
        .join(Member, Member.id == GroupMember.member_id)
        .where(GroupMember.group_id == group_id)
        .order_by(GroupMember.id)
    )
    return [(place, member) for place, member in rows]


def living_members(session: Session, group_id: int) -> Sequence[GroupMember]:
    """Those who have accepted or signed, in member id order."""
    return session.scalars(
        select(GroupMember)
        .where(GroupMember.group_id == group_id, GroupMember.status.in_(LIVING))
        .order_by(GroupMember.member_id)
    ).all()


def active_group_ids(
    session: Session, community_id: int, member_ids: Collection[int]
) -> Sequence[int]:
    """The active groups of a community that these members have signed for."""
    return session.scalars(
        select(GroupMember.group_id)
        .join(Group, Group.id == GroupMember.group_id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            GroupMember.member_id.in_(sorted(set(member_ids))),
            GroupMember.status == GroupMemberStatus.SIGNED,
        )
        .distinct()
    ).all()


def concerned_ids(session: Session, group: Group) -> list[int]:
    """Member ids of those in the group, and of those whom an active group is to admit."""
    counted = LISTED if group.status is GroupStatus.ACTIVE else LIVING
    return [
        place.member_id for place, _ in members_of(session, group.id) if place.status in counted
    ]


def find_place(session: Session, *, group_id: int, member_id: int) -> GroupMember | None:
    """A member's place in a group, whatever its state."""
    return session.scalar(
        select(GroupMember).where(
            GroupMember.group_id == group_id, GroupMember.member_id == member_id
        )
    )


def get_place(session: Session, *, group_id: int, member_id: int) -> GroupMember:
    """A member's place in a group, whatever its state. Raises NotInGroup."""
    place = find_place(session, group_id=group_id, member_id=member_id)
    if place is None:
        raise NotInGroup()
    return place


def groups_of(member_id: int) -> Select[Group]:
    """Groups in which the member is, or to which they are invited; page by Group.id."""
    return (
        select(Group)
        .join(GroupMember, GroupMember.group_id == Group.id)
        .where(GroupMember.member_id == member_id, GroupMember.status.in_(LISTED))
    )


def list_groups(community_id: int, status: GroupStatus | None = None) -> Select[Group]:
    """A community's groups; page by Group.id."""
    statement = select(Group).where(Group.community_id == community_id)
    return statement if status is None else statement.where(Group.status == status)


def find_living_group(session: Session, *, community_id: int, member_id: int) -> Group | None:
    """The living group of a community in which the member stands, the oldest if there are two."""
    found = living_groups(session, community_id=community_id, member_id=member_id)
    return found[0] if found else None


def living_groups(session: Session, *, community_id: int, member_id: int) -> Sequence[Group]:
    """All living groups of a community in which the member stands, oldest first."""
    return session.scalars(
        select(Group)
        .join(GroupMember, GroupMember.group_id == Group.id)
        .where(
            GroupMember.community_id == community_id,
            GroupMember.member_id == member_id,
            GroupMember.status.in_(LIVING),
        )
        .order_by(Group.id)
    ).all()


def standing_in_groups(community_id: int) -> Select[int]:
    """Member ids of those who stand in a living group of a community."""
    return select(GroupMember.member_id).where(
        GroupMember.community_id == community_id, GroupMember.status.in_(LIVING)
    )


def stands_in_a_group(session: Session, member_id: int) -> bool:
    """Whether the member has accepted a place in any group, anywhere."""
    found = session.scalar(
        select(GroupMember.id)
        .where(GroupMember.member_id == member_id, GroupMember.status.in_(LIVING))
        .limit(1)
    )
    return found is not None


def active_peers(session: Session, *, community_id: int, member_id: int) -> list[int]:
    """Ids of those who stand with the member in an active group of the community."""
    own = aliased(GroupMember)
    return list(
        session.scalars(
            select(GroupMember.member_id)
            .join(own, own.group_id == GroupMember.group_id)
            .join(Group, Group.id == GroupMember.group_id)
            .where(
                own.member_id == member_id,
                own.community_id == community_id,
                own.status == GroupMemberStatus.SIGNED,
                GroupMember.status == GroupMemberStatus.SIGNED,
                GroupMember.member_id != member_id,
                Group.status == GroupStatus.ACTIVE,
            )
            .order_by(GroupMember.member_id)
        )
    )


def companions_of(session: Session, member_id: int) -> frozenset[int]:
    """Ids of those who are in, or invited to, a living group with the member."""
    own = aliased(GroupMember)
    return frozenset(
        session.scalars(
            select(GroupMember.member_id)
            .join(own, own.group_id == GroupMember.group_id)
            .where(
                own.member_id == member_id,
                own.status.in_(LISTED),
                GroupMember.status.in_(LISTED),
                GroupMember.member_id != member_id,
            )
        )
    )


def is_led_by(group: Group, on: date) -> int | None:
    """The leader's member id while the term runs, and for the days of acting on after it."""
    until = group.leader_acts_until_on or group.leader_until_on
    if until is None or on > until:
        return None
    return group.leader_id


def leads_some_group(session: Session, member_id: int) -> bool:
    """Whether a member leads a group that is not over."""
    found = select(Group.id).where(
        Group.leader_id == member_id, Group.status != GroupStatus.DISSOLVED
    )
    return session.scalar(found.limit(1)) is not None


def list_attempts(session: Session, group_member_id: int) -> Sequence[UnderstandingAttempt]:
    """A member's tries at the questions, oldest first."""
    return session.scalars(
        select(UnderstandingAttempt)
        .where(UnderstandingAttempt.group_member_id == group_member_id)
        .order_by(UnderstandingAttempt.id)
    ).all()


def tries_so_far(session: Session, *, group_member_id: int, agreement_hash: str) -> list[bool]:
    """For each try at this agreement's questions whether it was passed, oldest first."""
    return list(
        session.scalars(
            select(UnderstandingAttempt.passed)
            .where(
                UnderstandingAttempt.group_member_id == group_member_id,
                UnderstandingAttempt.agreement_hash == agreement_hash,
            )
            .order_by(UnderstandingAttempt.id)
        )
    )


def signature_of(
    session: Session, group_member_id: int, agreement_hash: str
) -> GroupSignature | None:
    """A member's signature on an agreement."""
    return session.scalar(
        select(GroupSignature).where(
            GroupSignature.group_member_id == group_member_id,
            GroupSignature.agreement_hash == agreement_hash,
        )
    )


def signatures_on(session: Session, agreement_hash: str) -> Sequence[GroupSignature]:
    """All signatures on an agreement, in the order in which they were given."""
    return session.scalars(
        select(GroupSignature)
        .where(GroupSignature.agreement_hash == agreement_hash)
        .order_by(GroupSignature.id)
    ).all()


def list_agreements(group_id: int) -> Select[GroupAgreement]:
    """The agreements that were or are in force in a group; page by GroupAgreement.id."""
    return select(GroupAgreement).where(GroupAgreement.group_id == group_id)


def get_agreement_version(session: Session, *, group_id: int, version: int) -> GroupAgreement:
    """One agreement of a group. Raises AgreementNotFound."""
    found = session.scalar(
        select(GroupAgreement).where(
            GroupAgreement.group_id == group_id, GroupAgreement.version == version
        )
    )
    if found is None:
        raise AgreementNotFound()
    return found


def list_amendments(group_id: int) -> Select[GroupAmendment]:
    """What was proposed to a group; page by GroupAmendment.id."""
    return select(GroupAmendment).where(GroupAmendment.group_id == group_id)


def list_expulsions(group_id: int) -> Select[GroupExpulsion]:
    """Whom members of a group wanted to go; page by GroupExpulsion.id."""
    return select(GroupExpulsion).where(GroupExpulsion.group_id == group_id)


def get_amendment(session: Session, public_id: str) -> GroupAmendment:
    """The amendment of this public id. Raises ProposalNotFound."""
    found = session.scalar(select(GroupAmendment).where(GroupAmendment.public_id == public_id))
    if found is None:
        raise ProposalNotFound()
    return found


def get_amendment_by_id(session: Session, amendment_id: int) -> GroupAmendment:
    """The amendment of this id. Raises ProposalNotFound."""
    found = session.get(GroupAmendment, amendment_id)
    if found is None:
        raise ProposalNotFound()
    return found


def open_amendment(session: Session, group_id: int) -> GroupAmendment | None:
    """What is proposed to a group now, as it is in the database now."""
    return session.scalar(
        select(GroupAmendment)
        .where(GroupAmendment.group_id == group_id, GroupAmendment.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )


def get_expulsion(session: Session, public_id: str) -> GroupExpulsion:
    """The expulsion of this public id. Raises ProposalNotFound."""
    found = session.scalar(select(GroupExpulsion).where(GroupExpulsion.public_id == public_id))
    if found is None:
        raise ProposalNotFound()
    return found


def get_expulsion_by_id(session: Session, expulsion_id: int) -> GroupExpulsion:
    """The expulsion of this id. Raises ProposalNotFound."""
    found = session.get(GroupExpulsion, expulsion_id)
    if found is None:
        raise ProposalNotFound()
    return found


def open_expulsions(session: Session, group_id: int) -> Sequence[GroupExpulsion]:
    """Expulsions that are voted on in a group, as they are in the database now."""
    return session.scalars(
        select(GroupExpulsion)
        .where(GroupExpulsion.group_id == group_id, GroupExpulsion.ended_at.is_(None))
        .order_by(GroupExpulsion.id)
        .execution_options(populate_existing=True)
    ).all()


def consents_to(session: Session, expulsion_id: int) -> Sequence[ExpulsionConsent]:
    """Who has consented to an expulsion, and to what they take over."""
    return session.scalars(
        select(ExpulsionConsent)
        .where(ExpulsionConsent.expulsion_id == expulsion_id)
        .order_by(ExpulsionConsent.id)
    ).all()


def households_counted_in(session: Session, member_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """In which households members were counted when they stood in groups, now or before."""
    rows = select_by(
        session,
        select(GroupMember.member_id, GroupMember.household_id).where(
            GroupMember.household_id.is_not(None)
        ),
        GroupMember.member_id,
        set(member_ids),
    )
    found: dict[int, set[int]] = {}
    for member_id, household_id in rows:
        found.setdefault(member_id, set()).add(household_id)
    return {member_id: frozenset(homes) for member_id, homes in found.items()}
