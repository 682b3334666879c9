"""Reading members, households, role grants and tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.locks import lock_one
from community.members.errors import (
    HouseholdNotFound,
    MemberNotFound,
    RoleGrantNotFound,
    TokenNotFound,
)
from community.members.models import ApiToken, Household, Member, RoleGrant
from community.members.principal import Role

# Databases take so many values in one IN list without complaint.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Named:
    """What others may see of a member: the id and the name."""

    member_id: int
    public_id: str
    name: str


def get_member(session: Session, public_id: str) -> Member:
    """The member of this public id. Raises MemberNotFound."""
    member = session.scalar(select(Member).where(Member.public_id == public_id))
    if member is None:
        raise MemberNotFound()
    return member


def find_members(session: Session, public_ids: Iterable[str]) -> dict[str, Member]:
    """Members by public id; ids that do not exist are absent."""
    rows = select_by(session, select(Member), Member.public_id, set(public_ids))
    return {member.public_id: member for (member,) in rows}


def get_member_for_update(session: Session, public_id: str) -> Member:
    """The member of this public id, locked. Raises MemberNotFound."""
    return lock_one(session, Member, get_member(session, public_id).id)


def get_member_by_id(session: Session, member_id: int) -> Member:
    """The member of this id. Raises MemberNotFound."""
    member = session.get(Member, member_id)
    if member is None:
        raise MemberNotFound()
    return member


def get_members_by_id(session: Session, ids: Iterable[int]) -> dict[int, Member]:
    """Members by id; ids that do not exist are absent."""
    found: dict[int, Member] = {}
    for part in _parts(ids):
        for member in session.scalars(select(Member).where(Member.id.in_(part))):
            found[member.id] = member
    return found


def find_member_by_reference(session: Session, reference: str) -> Member | None:
    """The member that imports know under this reference."""
    return session.scalar(select(Member).where(Member.reference_index == reference))


def names_of(session: Session, ids: Iterable[int | None]) -> dict[int, Named]:
    """Public id and name by member id, without loading the members. One statement per 500."""
    found: dict[int, Named] = {}
    for part in _parts(member_id for member_id in ids if member_id is not None):
        rows = session.execute(
            select(Member.id, Member.public_id, Member.name).where(Member.id.in_(part))
        )
        for member_id, public_id, name in rows:
            found[member_id] = Named(member_id, public_id, name)
    return found


def get_household(session: Session, public_id: str) -> Household:
    """The household of this public id. Raises HouseholdNotFound."""
    household = session.scalar(select(Household).where(Household.public_id == public_id))
    if household is None:
        raise HouseholdNotFound()
    return household


def get_household_by_id(session: Session, household_id: int) -> Household:
    """The household of this id. Raises HouseholdNotFound."""
    household = session.get(Household, household_id)
    if household is None:
        raise HouseholdNotFound()
    return household


def find_household_by_reference(session: Session, reference: str) -> Household | None:
    """The household that imports know under this reference."""
    return session.scalar(select(Household).where(Household.reference_index == reference))


def household_members(session: Session, household_id: int) -> Sequence[Member]:
    """Who lives in a household, in id order."""
    return session.scalars(
        select(Member).where(Member.household_id == household_id).order_by(Member.id)
    ).all()


def households_of(session: Session, ids: Iterable[int]) -> dict[int, int | None]:
    """Household id by member id."""
    found: dict[int, int | None] = {}
    for part in _parts(ids):
        rows = session.execute(select(Member.id, Member.household_id).where(Member.id.in_(part)))
        found.update((member_id, household_id) for member_id, household_id in rows)
    return found


def live_grants(session: Session, member_id: int) -> Sequence[RoleGrant]:
    """The roles that a member holds, oldest first."""
    return session.scalars(
        select(RoleGrant)
        .where(RoleGrant.member_id == member_id, RoleGrant.revoked_at.is_(None))
        .order_by(RoleGrant.id)
    ).all()


def get_grant(session: Session, *, member_id: int, public_id: str) -> RoleGrant:
    """A role grant of this member. Raises RoleGrantNotFound."""
    grant = session.scalar(
        select(RoleGrant).where(RoleGrant.public_id == public_id, RoleGrant.member_id == member_id)
    )
    if grant is None:
        raise RoleGrantNotFound()
    return grant


def holders_of(session: Session, *, role: Role, community_id: int | None) -> Sequence[int]:
    """Ids of the members who hold a role at exactly this place."""
    place = (
        RoleGrant.community_id.is_(None)
        if community_id is None
        else RoleGrant.community_id == community_id
    )
    return session.scalars(
        select(RoleGrant.member_id)
        .where(RoleGrant.role == role, place, RoleGrant.revoked_at.is_(None))
        .order_by(RoleGrant.member_id)
    ).all()


def list_tokens(member_id: int) -> Select[ApiToken]:
    """A member's tokens, also those that ended; the secret is in none of them."""
    return select(ApiToken).where(ApiToken.member_id == member_id)


def get_token(session: Session, *, member_id: int, public_id: str) -> ApiToken:
    """A token of this member. Raises TokenNotFound."""
    token = session.scalar(
        select(ApiToken).where(ApiToken.public_id == public_id, ApiToken.member_id == member_id)
    )
    if token is None:
        raise TokenNotFound()
    return token


def _parts(ids: Iterable[int]) -> Iterable[list[int]]:
    wanted = sorted(set(ids))
    return (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
