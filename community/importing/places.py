"""What several kinds of files ask of the database: communities, their charters, who is in them."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities.charter import CharterRules
from community.communities.models import Community, Membership, MembershipStatus
from community.communities.queries import charter_on
from community.errors import Conflict
from community.importing.report import Report
from community.members.models import Member


class Place(NamedTuple):
    """A community as a file names it."""

    id: int
    public_id: str
    currency: str


class Belonging(NamedTuple):
    """A member's place in a community."""

    member_id: int
    status: MembershipStatus


def find_places(session: Session, references: Collection[str]) -> dict[str, Place]:
    """Communities by reference; unknown ones are absent."""
    query = select(Community.reference, Community.id, Community.public_id, Community.currency)
    return {
        reference: Place(*rest)
        for reference, *rest in select_by(session, query, Community.reference, references)
    }


def find_rules(session: Session, places: Iterable[Place], on: date) -> dict[int, CharterRules]:
    """The rules in force in each community on a day; without a charter it is absent."""
    found = {}
    for place in places:
        try:
            found[place.id] = charter_on(session, place.id, on).rules
        except Conflict:
            continue
    return found


def find_belongings(
    session: Session, places: Iterable[Place], *, hold: bool
) -> dict[int, dict[str, Belonging]]:
    """Who belongs to each community, by reference. Members without a reference are left out.

    `hold` keeps these memberships as they are until the unit of work ends: nobody is suspended
    between the check and the writing.
    """
    found: dict[int, dict[str, Belonging]] = {}
    for place in sorted(places):
        query = (
            select(Member.reference, Membership.member_id, Membership.status)
            .join(Membership, Membership.member_id == Member.id)
            .where(Membership.community_id == place.id, Member.reference.is_not(None))
            .order_by(Membership.id)
        )
        if hold:
            query = query.with_for_update(read=True, of=Membership)
        found[place.id] = {
            str(reference): Belonging(member_id, status)
            for reference, member_id, status in session.execute(query)
        }
    return found


def unknown_community(report: Report, line: int, reference: str) -> None:
    """The fault of a community that is not there."""
    report.fault(
        line,
        "community",
        reference,
        "There is no community of this reference.",
        "Import communities first, or correct the reference.",
    )
