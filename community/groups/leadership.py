"""Who leads a group: elected for a term, acting on for some days, recalled by more than half.

Ballots are secret: whose vote or wish stood where is in no answer and no event, only what came
of it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries
from community.groups.elections import carried, elected
from community.groups.errors import NoLeaderToRecall, NotACandidate
from community.groups.models import Group, GroupStatus
from community.groups.states import Step
from community.groups.steps import clear_votes, locked, note, require_living


@dataclass(frozen=True, slots=True)
class Election:
    """Where a group stands with its leader on a day; what reminds it to vote."""

    open_since_on: date | None
    # The term is over, or there is no leader: the group has to elect one.
    is_due: bool
    # Whether somebody leads now, and for how many days they act on without being elected again.
    is_led: bool
    acting_days_left: int | None
    votes_needed: int


def election_of(group: Group, members: int, on: date) -> Election:
    """The reminder that goes with a group: is an election due, and how long does the leader act."""
    leader = queries.is_led_by(group, on)
    until = group.leader_acts_until_on or group.leader_until_on
    over = group.leader_until_on is None or on > group.leader_until_on
    acting = group.status is GroupStatus.ACTIVE and leader is not None and over
    return Election(
        open_since_on=group.election_since_on,
        is_due=group.status is GroupStatus.ACTIVE and (over or group.election_since_on is not None),
        is_led=leader is not None,
        acting_days_left=(until - on).days if acting and until is not None else None,
        votes_needed=members // 2 + 1,
    )


def vote_leader(
    session: Session,
    *,
    group_id: int,
    voter_id: int,
    candidate_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Group:
    """A member votes; who has more than half of all members behind them leads for a term.

    In a forming group votes are counted again whenever somebody comes or goes. In an active one
    a vote opens an election if none is open; it ends with its result, and the next begins without
    votes. Locks the group. Raises NotInGroup, NotACandidate, GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.VOTE)
    living = {place.member_id: place for place in queries.living_members(session, group_id)}
    require_living(living.get(voter_id))
    if candidate_id not in living:
        raise NotACandidate(field="candidate")
    living[voter_id].vote_for_id = candidate_id
    session.flush()  # the count reads the rows
    if group.status is GroupStatus.ACTIVE and group.election_since_on is None:
        group.election_since_on = on
    count_votes(session, group, on)
    # How somebody voted is nobody else's business: only the outcome is recorded.
    note(session, group, "group.voted", now, actor_id=None, leader_id=group.leader_id)
    return group


def call_election(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Group:
    """Any member of an active group calls an election; the leader leads on until it is decided.

    Called again while it is open, nothing changes. Locks the group. Raises NotInGroup,
    GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.CALL_ELECTION)
    require_living(queries.find_place(session, group_id=group_id, member_id=member_id))
    if group.election_since_on is None:
        group.election_since_on = on
        note(session, group, "group.election_called", now, actor_id, member_id=member_id)
    return group


def recall_leader(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    recall: bool,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Group:
    """A member wishes the leader to go, or no longer does; with more than half, they go at once.

    The group is then without a leader and an election is open. Locks the group. Raises
    NotInGroup, NoLeaderToRecall, GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.RECALL)
    living = {place.member_id: place for place in queries.living_members(session, group_id)}
    require_living(living.get(member_id)).recalls_leader = recall
    if group.leader_id is None:
        raise NoLeaderToRecall()
    note(session, group, "group.voted", now, actor_id=None, leader_id=group.leader_id)
    count_recall(session, group, on, now)
    return group


def count_recall(session: Session, group: Group, on: date, now: datetime) -> None:
    """The leader goes if more than half of all members wish it."""
    living = queries.living_members(session, group.id)
    if group.leader_id is None or not carried(
        sum(place.recalls_leader for place in living), len(living)
    ):
        return
    note(session, group, "group.leader_recalled", now, actor_id=None, leader_id=group.leader_id)
    clear_votes(living)
    unseat(group, on)


def count_votes(session: Session, group: Group, on: date) -> None:
    """Install whoever has more than half; a forming group is led while somebody has."""
    living = queries.living_members(session, group.id)
    winner = elected({place.member_id: place.vote_for_id for place in living})
    if group.status is GroupStatus.ACTIVE:
        if winner is not None:
            install(session, group, winner, on)
            group.election_since_on = None
            clear_votes(living)
    elif winner is None:
        group.leader_id = group.leader_until_on = group.leader_acts_until_on = None
    elif winner != group.leader_id:
        install(session, group, winner, on)


def install(session: Session, group: Group, leader_id: int, on: date) -> None:
    """Somebody leads for a term, and acts on for some days, both of the charter of this day."""
    rules = communities.charter_on(session, group.community_id, on).rules
    group.leader_id = leader_id
    group.leader_until_on = on + timedelta(days=rules.leader_term_days)
    group.leader_acts_until_on = group.leader_until_on + timedelta(days=rules.leader_acting_days)


def unseat(group: Group, on: date) -> None:
    """An active group is without a leader from now on: an election is open."""
    group.leader_id = group.leader_until_on = group.leader_acts_until_on = None
    if group.election_since_on is None:
        group.election_since_on = on
