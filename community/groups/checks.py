"""What the rows of groups can prove."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.groups.agreement import agreement_hash, exposure_minor
from community.groups.models import (
    Group,
    GroupMember,
    GroupMemberStatus,
    GroupStatus,
    UnderstandingAttempt,
)
from community.ledger.checks import Breach

_BOUND = (GroupStatus.COOLING_OFF, GroupStatus.ACTIVE)


def check_groups(session: Session) -> Iterator[Breach]:
    """Law 4, the part that groups show: who is bound has signed, understood, and knows the most
    that they can have to pay; and the agreement is still the one that was signed.
    """
    groups = session.scalars(
        select(Group)
        .where(Group.agreement_hash.is_not(None))
        .order_by(Group.id)
        .execution_options(yield_per=500)
    )
    for group in groups:
        if group.agreement is None or agreement_hash(group.agreement) != group.agreement_hash:
            yield Breach(8, "groups", str(group.id), "has another agreement than was signed")
            continue
        yield from _places(session, group)


def _places(session: Session, group: Group) -> Iterator[Breach]:
    assert group.agreement is not None
    places = session.scalars(
        select(GroupMember)
        .where(
            GroupMember.group_id == group.id,
            GroupMember.status.in_([GroupMemberStatus.ACCEPTED, GroupMemberStatus.SIGNED]),
        )
        .order_by(GroupMember.id)
    ).all()
    understood = set(
        session.scalars(
            select(UnderstandingAttempt.group_member_id)
            .join(GroupMember, GroupMember.id == UnderstandingAttempt.group_member_id)
            .where(
                GroupMember.group_id == group.id,
                UnderstandingAttempt.agreement_hash == group.agreement_hash,
                UnderstandingAttempt.passed,
            )
        )
    )
    most = exposure_minor(group.pair_cap_minor, len(group.agreement["members"]))
    if len(places) != len(group.agreement["members"]):
        yield Breach(4, "groups", str(group.id), "has other members than its agreement")
    for place in places:
        row = ("group_members", str(place.id))
        signed = place.status is GroupMemberStatus.SIGNED
        if group.status in _BOUND and not signed:
            yield Breach(4, *row, "is bound without a signature")
        if signed and place.id not in understood:
            yield Breach(4, *row, "has signed without having understood this agreement")
        if place.exposure_minor != most:
            yield Breach(4, *row, f"was shown {place.exposure_minor} instead of {most}")
