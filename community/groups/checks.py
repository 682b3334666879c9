"""What the rows of groups can prove."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.groups.agreement import (
    agreement_hash,
    exposure_minor,
    follows_by_departure,
    version_of,
)
from community.groups.models import (
    AgreementBasis,
    AmendmentStatus,
    ExpulsionConsent,
    ExpulsionStatus,
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
from community.ledger.checks import Breach
from community.members.queries import names_of

_BOUND = (GroupStatus.COOLING_OFF, GroupStatus.ACTIVE)
_LIVING = (GroupMemberStatus.ACCEPTED, GroupMemberStatus.SIGNED)


def check_groups(session: Session) -> Iterator[Breach]:
    """Law 4, the part that groups show: who is bound has signed, understood, and knows the most
    that they can have to pay; and every agreement is still the one that was signed.
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
        if group.status is not GroupStatus.DISSOLVED:
            yield from _places(session, group)
        if group.status is GroupStatus.ACTIVE:
            yield from _versions(session, group)
    yield from _amendments(session)
    yield from _expulsions(session)


def _places(session: Session, group: Group) -> Iterator[Breach]:
    assert group.agreement is not None
    places = session.scalars(
        select(GroupMember)
        .where(GroupMember.group_id == group.id, GroupMember.status.in_(_LIVING))
        .order_by(GroupMember.id)
    ).all()
    named = names_of(session, (place.member_id for place in places))
    most = exposure_minor(group.pair_cap_minor, len(group.agreement["members"]))
    if {name.public_id for name in named.values()} != {
        member["id"] for member in group.agreement["members"]
    }:
        yield Breach(4, "groups", str(group.id), "has other members than its agreement")
    if group.agreement["pair_cap_minor"] != group.pair_cap_minor:
        yield Breach(4, "groups", str(group.id), "has another cap than its agreement")
    understood = _understood(session, group)
    for place in places:
        row = ("group_members", str(place.id))
        signed = place.status is GroupMemberStatus.SIGNED
        if group.status in _BOUND and not signed:
            yield Breach(4, *row, "is bound without a signature")
        if signed and place.id not in understood:
            yield Breach(4, *row, "has signed without having understood this agreement")
        if place.exposure_minor != most:
            yield Breach(4, *row, f"was shown {place.exposure_minor} instead of {most}")


def _understood(session: Session, group: Group) -> set[int]:
    """Places whose holder passed the questions on, and signed, what they are bound by.

    Where somebody left since, that is the last agreement that everybody signed.
    """
    signed_hash = session.scalar(
        select(GroupAgreement.agreement_hash)
        .where(GroupAgreement.group_id == group.id, GroupAgreement.basis == AgreementBasis.SIGNED)
        .order_by(GroupAgreement.version.desc())
        .limit(1)
    )
    wanted = signed_hash or group.agreement_hash
    return set(
        session.scalars(
            select(GroupSignature.group_member_id)
            .join(
                UnderstandingAttempt,
                (UnderstandingAttempt.group_member_id == GroupSignature.group_member_id)
                & (UnderstandingAttempt.agreement_hash == GroupSignature.agreement_hash),
            )
            .where(GroupSignature.agreement_hash == wanted, UnderstandingAttempt.passed)
        )
    )


def _versions(session: Session, group: Group) -> Iterator[Breach]:
    """Agreements count up, each is what was bound, and only signatures make anybody owe more."""
    rows = session.scalars(
        select(GroupAgreement)
        .where(GroupAgreement.group_id == group.id)
        .order_by(GroupAgreement.version)
    ).all()
    before: GroupAgreement | None = None
    for number, row in enumerate(rows, start=1):
        where = ("group_agreements", str(row.id))
        if row.version != number or version_of(row.document) != number:
            yield Breach(8, *where, f"is version {row.version} in place {number}")
        if agreement_hash(row.document) != row.agreement_hash:
            yield Breach(8, *where, "has another text than was bound")
        if row.basis is AgreementBasis.DEPARTURE:
            if before is None or not follows_by_departure(before.document, row.document):
                yield Breach(4, *where, "is more than the agreement before it less one member")
        elif _signatures(session, row) != len(row.document["members"]):
            yield Breach(4, *where, "was bound without everybody's signature")
        before = row
    if before is None or before.agreement_hash != group.agreement_hash:
        yield Breach(8, "groups", str(group.id), "has an agreement that was not kept")


def _signatures(session: Session, row: GroupAgreement) -> int:
    return int(
        session.scalar(
            select(func.count())
            .select_from(GroupSignature)
            .where(GroupSignature.agreement_hash == row.agreement_hash)
        )
        or 0
    )


def _amendments(session: Session) -> Iterator[Breach]:
    rows = session.scalars(
        select(GroupAmendment).order_by(GroupAmendment.id).execution_options(yield_per=500)
    )
    for row in rows:
        where = ("group_amendments", str(row.id))
        if agreement_hash(row.document) != row.agreement_hash:
            yield Breach(8, *where, "has another text than was proposed")
        bound = session.scalar(
            select(GroupAgreement.id).where(
                GroupAgreement.group_id == row.group_id,
                GroupAgreement.agreement_hash == row.agreement_hash,
            )
        )
        if (bound is not None) != (row.status is AmendmentStatus.IN_FORCE):
            yield Breach(4, *where, f"is {row.status.value}, its agreement says otherwise")


def _expulsions(session: Session) -> Iterator[Breach]:
    """Nobody was expelled without consent, and who takes over has consented to it."""
    rows = session.scalars(
        select(GroupExpulsion)
        .where(GroupExpulsion.status == ExpulsionStatus.EFFECTED)
        .order_by(GroupExpulsion.id)
    )
    for row in rows:
        consents = session.scalar(
            select(func.count())
            .select_from(ExpulsionConsent)
            .where(ExpulsionConsent.expulsion_id == row.id)
        )
        if not consents:
            yield Breach(4, "group_expulsions", str(row.id), "took effect without consent")
