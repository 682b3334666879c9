"""What the rows of communities, charters and memberships can prove."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities.charter import CharterInvalid, read_rules
from community.communities.models import Charter, Community, Membership, MembershipChange
from community.ledger.checks import Breach


def check_communities(session: Session) -> Iterator[Breach]:
    """Laws 7 and 8: charters count up and can be read, paths and memberships tell the truth."""
    yield from _charters(session)
    yield from _paths(session)
    yield from _memberships(session)


def _charters(session: Session) -> Iterator[Breach]:
    expected: dict[int, int] = {}
    charters = session.scalars(select(Charter).order_by(Charter.community_id, Charter.version))
    latest: dict[int, date] = {}
    for charter in charters:
        row = ("charters", str(charter.id))
        number = expected.get(charter.community_id, 1)
        if charter.version != number:
            yield Breach(8, *row, f"is version {charter.version} where {number} comes next")
        expected[charter.community_id] = charter.version + 1
        before = latest.get(charter.community_id)
        if before is not None and charter.valid_from <= before:
            yield Breach(8, *row, "begins before the version that it follows")
        latest[charter.community_id] = charter.valid_from
        try:
            read_rules(charter.rules)
        except CharterInvalid as refusal:
            yield Breach(7, *row, refusal.detail)


def _paths(session: Session) -> Iterator[Breach]:
    paths: dict[int, str] = {}
    rows = session.execute(select(Community.id, Community.parent_id, Community.path))
    found = {community_id: (parent_id, path) for community_id, parent_id, path in rows}
    for community_id, (parent_id, path) in sorted(found.items()):
        above = "/" if parent_id is None else found[parent_id][1]
        paths[community_id] = path
        if path != f"{above}{community_id}/":
            yield Breach(9, "communities", str(community_id), f"has the path {path}")


def _memberships(session: Session) -> Iterator[Breach]:
    newest = (
        select(func.max(MembershipChange.id).label("id"))
        .group_by(MembershipChange.membership_id)
        .subquery()
    )
    last = select(MembershipChange).join(newest, newest.c.id == MembershipChange.id).subquery()
    rows = session.execute(
        select(Membership.id, Membership.status, last.c.status)
        .outerjoin(last, last.c.membership_id == Membership.id)
        .where(
            last.c.id.is_(None)
            | (last.c.status != Membership.status)
            | (last.c.changed_on != Membership.since_on)
        )
        .order_by(Membership.id)
    )
    for row_id, status, recorded in rows:
        told = "no step" if recorded is None else f"the last step {recorded.value}"
        yield Breach(8, "memberships", str(row_id), f"is {status.value} but has {told}")
