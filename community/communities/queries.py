"""Reading communities, the charter in force, and memberships."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities.charter import CharterRules, read_rules
from community.communities.errors import (
    CharterNotFound,
    CommunityNotFound,
    MembershipNotFound,
    NoCharter,
    NotAMember,
)
from community.communities.models import (
    Charter,
    Community,
    Membership,
    MembershipChange,
    MembershipStatus,
)
from community.locks import lock_one
from community.members.models import Member
from community.members.queries import Named


@dataclass(frozen=True, slots=True)
class CharterInForce:
    """The rules that count for a community on a day, and where they are written."""

    charter_id: int
    # Whose charter it is: the community's own or that of the nearest one above it.
    community_id: int
    version: int
    valid_from: date
    rules: CharterRules


def get_community(session: Session, public_id: str) -> Community:
    """The community of this public id. Raises CommunityNotFound."""
    community = session.scalar(select(Community).where(Community.public_id == public_id))
    if community is None:
        raise CommunityNotFound()
    return community


def get_community_for_update(session: Session, public_id: str) -> Community:
    """The community of this public id, locked. Raises CommunityNotFound."""
    return lock_one(session, Community, get_community(session, public_id).id)


def get_community_by_id(session: Session, community_id: int) -> Community:
    """The community of this id. Raises CommunityNotFound."""
    community = session.get(Community, community_id)
    if community is None:
        raise CommunityNotFound()
    return community


def get_communities_by_id(session: Session, ids: Iterable[int | None]) -> dict[int, Community]:
    """Communities by id; ids that do not exist are absent."""
    wanted = {community_id for community_id in ids if community_id is not None}
    if not wanted:
        return {}
    rows = session.scalars(select(Community).where(Community.id.in_(wanted)))
    return {community.id: community for community in rows}


def find_community_by_reference(session: Session, reference: str) -> Community | None:
    """The community that imports know under this reference."""
    return session.scalar(select(Community).where(Community.reference == reference))


def list_communities(
    *, member_id: int, below: Iterable[int] = (), everywhere: bool = False
) -> Select[Community]:
    """Communities that the member is in, and those at or below the given ones; or all."""
    if everywhere:
        return select(Community)
    mine = select(Membership.community_id).where(
        Membership.member_id == member_id, Membership.status != MembershipStatus.LEFT
    )
    nested = (
        Community.path.contains(f"/{community_id}/", autoescape=True)
        for community_id in sorted(set(below))
    )
    return select(Community).where(or_(Community.id.in_(mine), *nested))


def find_charter(session: Session, community_id: int, on: date) -> Charter | None:
    """The charter row in force on a day: the community's own, else the nearest one's above it."""
    path = get_community_by_id(session, community_id).path_ids
    rows = session.scalars(
        select(Charter)
        .where(Charter.community_id.in_(path), Charter.valid_from <= on)
        .order_by(Charter.valid_from)
    ).all()
    # The deepest community wins, whatever the dates; within it the latest version.
    latest = {charter.community_id: charter for charter in rows}
    return next((latest[place] for place in reversed(path) if place in latest), None)


def charter_on(session: Session, community_id: int, on: date) -> CharterInForce:
    """The rules in force on a day: the community's own charter, else the nearest one's above it.

    Raises NoCharter.
    """
    charter = find_charter(session, community_id, on)
    if charter is None:
        raise NoCharter(
            f"No charter is in force on {on}; adopt one for this community or one above it.",
            on=on.isoformat(),
        )
    return CharterInForce(
        charter_id=charter.id,
        community_id=charter.community_id,
        version=charter.version,
        valid_from=charter.valid_from,
        rules=read_rules(charter.rules),
    )


def get_charter_document(session: Session, charter_id: int) -> dict[str, Any]:
    """The rules of a charter as they were adopted, each with its source."""
    return session.get_one(Charter, charter_id).rules


def list_charters(community_id: int) -> Select[Charter]:
    """The versions of a community's own charter."""
    return select(Charter).where(Charter.community_id == community_id)


def get_charter_version(session: Session, *, community_id: int, version: int) -> Charter:
    """One version of a community's own charter. Raises CharterNotFound."""
    charter = session.scalar(
        select(Charter).where(Charter.community_id == community_id, Charter.version == version)
    )
    if charter is None:
        raise CharterNotFound()
    return charter


def last_charter(session: Session, community_id: int) -> Charter | None:
    """The newest version of a community's own charter, in force or to come."""
    return session.scalar(
        select(Charter)
        .where(Charter.community_id == community_id)
        .order_by(Charter.version.desc())
        .limit(1)
    )


def find_membership(session: Session, *, community_id: int, member_id: int) -> Membership | None:
    """A member's place in a community, whatever its state."""
    return session.scalar(
        select(Membership).where(
            Membership.community_id == community_id, Membership.member_id == member_id
        )
    )


def get_membership(session: Session, *, community_id: int, member_id: int) -> Membership:
    """A member's place in a community, whatever its state. Raises MembershipNotFound."""
    membership = find_membership(session, community_id=community_id, member_id=member_id)
    if membership is None:
        raise MembershipNotFound()
    return membership


def require_active(
    session: Session, *, community_id: int, member_id: int, hold: bool = False
) -> None:
    """Go on only if the member is active in the community. Raises NotAMember.

    `hold` keeps the membership as it is until the unit of work ends: for whatever binds a member,
    so that nobody leaves while it is written. Others may hold it too.
    """
    missing = inactive(session, community_id=community_id, member_ids=[member_id], hold=hold)
    if missing:
        status = missing[member_id]
        raise NotAMember(
            f"The membership is {status.value}." if status else "There is no membership.",
            membership=status.value if status else None,
        )


def inactive(
    session: Session, *, community_id: int, member_ids: Iterable[int], hold: bool = False
) -> dict[int, MembershipStatus | None]:
    """Those of the members who are not active in the community, with the state they are in."""
    wanted = set(member_ids)
    query = (
        select(Membership.member_id, Membership.status)
        .where(Membership.community_id == community_id, Membership.member_id.in_(wanted))
        .order_by(Membership.id)
    )
    rows = session.execute(query.with_for_update(read=True) if hold else query)
    found: dict[int, MembershipStatus] = {row.member_id: row.status for row in rows}
    return {
        member_id: found.get(member_id)
        for member_id in sorted(wanted)
        if found.get(member_id) is not MembershipStatus.ACTIVE
    }


def list_memberships(
    community_id: int, status: MembershipStatus | None = None
) -> Select[Membership, Member]:
    """The members of a community, each with their membership; page by Membership.id."""
    statement = (
        select(Membership, Member)
        .join(Member, Member.id == Membership.member_id)
        .where(Membership.community_id == community_id)
    )
    return statement if status is None else statement.where(Membership.status == status)


def members_called(
    session: Session, *, community_id: int, names: Iterable[str]
) -> dict[str, list[Named]]:
    """Active members of a community by these names; a name that nobody bears is absent."""
    statement = (
        select(Member.id, Member.public_id, Member.name)
        .join(Membership, Membership.member_id == Member.id)
        .where(
            Membership.community_id == community_id,
            Membership.status == MembershipStatus.ACTIVE,
        )
        .order_by(Member.id)
    )
    found: dict[str, list[Named]] = {}
    for member_id, public_id, name in select_by(session, statement, Member.name, set(names)):
        found.setdefault(name, []).append(Named(member_id, public_id, name))
    return found


def memberships_of(session: Session, member_id: int) -> Sequence[tuple[Membership, Community]]:
    """A member's places in communities, each with its community, oldest first."""
    rows = session.execute(
        select(Membership, Community)
        .join(Community, Community.id == Membership.community_id)
        .where(Membership.member_id == member_id)
        .order_by(Membership.id)
    )
    return [(membership, community) for membership, community in rows]


def list_changes(session: Session, membership_id: int) -> Sequence[MembershipChange]:
    """The steps of a membership, oldest first."""
    return session.scalars(
        select(MembershipChange)
        .where(MembershipChange.membership_id == membership_id)
        .order_by(MembershipChange.id)
    ).all()


def paths_of(session: Session, member_ids: Iterable[int]) -> list[tuple[int, ...]]:
    """The path of every community that one of the members is or was in."""
    rows = session.scalars(
        select(Community.path)
        .join(Membership, Membership.community_id == Community.id)
        .where(Membership.member_id.in_(set(member_ids)))
        .distinct()
        .order_by(Community.path)
    )
    return [tuple(int(part) for part in path.split("/") if part) for path in rows]


def reach_of(session: Session, member_ids: Iterable[int]) -> tuple[int, ...]:
    """Ids of all communities, with those above them, whose officers look after the members."""
    return tuple(sorted({place for path in paths_of(session, member_ids) for place in path}))
