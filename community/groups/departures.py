"""What a departure, by exit or expulsion, does to a group: the others go on, on less.

What still binds is looked at by a higher room before it calls this.
"""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries
from community.groups.agreement import without_member
from community.groups.amendments import lapse_outdated
from community.groups.expulsions import end_expulsions_of
from community.groups.leadership import count_recall, count_votes, unseat
from community.groups.models import AgreementBasis, Group, GroupMember, GroupMemberStatus
from community.groups.states import Step
from community.groups.steps import bind, clear_votes, measure_size, move, note, take
from community.members import queries as members


def depart(
    session: Session,
    group: Group,
    place: GroupMember,
    how: GroupMemberStatus,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    taken_over: Mapping[int, int] | None = None,
) -> None:
    """A member's place ends; the agreement goes on among the others, whose exposure falls.

    The group is locked. A leader leaves it without one; an amendment under way lapses; a group
    below the charter's size is short; with its last member the group itself ends. `taken_over` is
    what each member covers on of what the expelled one owes.
    """
    left_id = place.member_id
    move(place, how)
    clear_votes([place])
    if group.leader_id == left_id:
        unseat(group, on)
    lapse_outdated(session, group, now=now)
    end_expulsions_of(session, group, left_id, now=now)
    session.flush()  # who is left is read from the rows
    living = queries.living_members(session, group.id)
    for other in living:
        if other.vote_for_id == left_id:
            other.vote_for_id = None
    note(
        session,
        group,
        f"group.member_{how.value}",
        now,
        actor_id,
        member_id=left_id,
        taken_over=_named(session, taken_over or {}),
    )
    if not living:
        end(session, group, now=now, actor_id=actor_id)
        return
    _rewrite(session, group, left_id, on=on, now=now, taken_over=taken_over)
    rules = communities.charter_on(session, group.community_id, on).rules
    measure_size(group, len(living), rules, on)
    session.flush()  # fewer members: an election or a recall may be decided now
    count_recall(session, group, on, now)
    count_votes(session, group, on)


def end(session: Session, group: Group, *, now: datetime, actor_id: int | None) -> None:
    """An active group dissolves: every place ends, and what was proposed with it."""
    lapse_outdated(session, group, now=now)
    for place in queries.living_members(session, group.id):
        end_expulsions_of(session, group, place.member_id, now=now)
        move(place, GroupMemberStatus.LEFT)
        clear_votes([place])
    take(group, Step.DISSOLVE)
    group.leader_id = group.leader_until_on = group.leader_acts_until_on = None
    group.election_since_on = group.short_since_on = group.whole_by_on = None
    note(session, group, "group.dissolved", now, actor_id)


def _rewrite(
    session: Session,
    group: Group,
    left_id: int,
    *,
    on: date,
    now: datetime,
    taken_over: Mapping[int, int] | None,
) -> None:
    if group.agreement is None or group.charter_version is None:
        return
    named = {left_id, group.leader_id, *(taken_over or {})}
    people = members.names_of(session, named)
    document = without_member(
        group.agreement,
        people[left_id].public_id,
        on=on,
        leader_id=None if group.leader_id is None else people[group.leader_id].public_id,
        leader_until_on=group.leader_until_on,
        draft=group.version,
        taken_over=_named(session, taken_over or {}),
    )
    bind(session, group, document, AgreementBasis.DEPARTURE, group.charter_version, now)
    most = document["members"][0]["exposure_minor"]
    for place in queries.living_members(session, group.id):
        place.exposure_minor = most


def _named(session: Session, amounts: Mapping[int, int]) -> dict[str, int]:
    people = members.names_of(session, amounts)
    return {people[member_id].public_id: minor for member_id, minor in amounts.items()}
