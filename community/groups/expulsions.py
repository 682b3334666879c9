"""Expelling a member: every other member consents, by name, and says what they take over.

What the member owes is repaid before they go, or the others take it over: their promises for
the member, which loans rest on, run on until those loans are repaid. A higher room knows the
amounts and does what follows.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries
from community.groups.errors import (
    ExpelsOneself,
    NotInGroup,
    NotTheProposer,
    NotUnanimous,
    NoVoteOnOneself,
    ProposalLapsed,
    ProposalOpen,
    TakesOverOther,
)
from community.groups.models import (
    ExpulsionConsent,
    ExpulsionStatus,
    Group,
    GroupExpulsion,
    Settlement,
)
from community.groups.states import Step, check_expulsion
from community.groups.steps import living_ids, locked, note, require_living
from community.money import Money, format_minor, say_amount


def propose(
    session: Session,
    *,
    group_id: int,
    proposer_id: int,
    member_id: int,
    settlement: Settlement,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupExpulsion:
    """A member proposes that another one goes. Nothing follows before all others consent.

    Locks the group. Raises GroupStepNotAllowed, NotInGroup, ExpelsOneself, ProposalOpen.
    """
    group = locked(session, group_id, Step.PROPOSE_EXPULSION)
    living = {place.member_id: place for place in queries.living_members(session, group_id)}
    require_living(living.get(proposer_id))
    require_living(living.get(member_id))
    if member_id == proposer_id:
        raise ExpelsOneself(field="member")
    lapse_overdue(session, group, on=on, now=now)
    for found in queries.open_expulsions(session, group_id):
        if found.member_id == member_id:
            raise ProposalOpen(expulsion=found.public_id)
    days = communities.charter_on(session, group.community_id, on).rules.amendment_days_max
    expulsion = GroupExpulsion(
        group_id=group_id,
        member_id=member_id,
        settlement=settlement,
        status=ExpulsionStatus.VOTING,
        reason=reason,
        proposed_by_id=proposer_id,
        proposed_at=now,
        lapses_on=on + timedelta(days=days),
    )
    session.add(expulsion)
    session.flush()  # the same proposal at the same time meets the unique index here
    note(
        session,
        group,
        "group.expulsion_proposed",
        now,
        actor_id,
        member_id=member_id,
        expulsion=expulsion.public_id,
        settlement=settlement.value,
        reason=reason,
    )
    return expulsion


def lock_open(
    session: Session, expulsion_id: int, to: ExpulsionStatus, *, on: date
) -> tuple[Group, GroupExpulsion]:
    """The expulsion and its locked group, if it can still become `to` on this day.

    Raises GroupStepNotAllowed, ProposalClosed, ProposalLapsed.
    """
    expulsion = queries.get_expulsion_by_id(session, expulsion_id)
    group = locked(session, expulsion.group_id, Step.EXPEL)
    # Under the group's lock nobody else changes it; it may have changed while we waited.
    session.refresh(expulsion)
    check_expulsion(expulsion.status, to)
    if on > expulsion.lapses_on:
        raise ProposalLapsed(lapsed_on=expulsion.lapses_on.isoformat(), rule="amendment_days_max")
    return group, expulsion


def consent(
    session: Session,
    group: Group,
    expulsion: GroupExpulsion,
    *,
    member_id: int,
    takes_over: Money | None,
    covers: Money,
    now: datetime,
    actor_id: int | None,
) -> ExpulsionConsent:
    """Another member consents, naming exactly what they take over where that is the settlement.

    `covers` is what loans rest on of their promise for the member, which a higher room knows.
    Said again, it replaces what was said. The group is locked. Raises NotInGroup,
    NoVoteOnOneself, TakesOverOther.
    """
    require_living(queries.find_place(session, group_id=group.id, member_id=member_id))
    if member_id == expulsion.member_id:
        raise NoVoteOnOneself()
    due = covers if expulsion.settlement is Settlement.TAKEN_OVER else Money(0, covers.currency)
    given = Money(0, covers.currency) if takes_over is None else takes_over
    if given != due:
        raise TakesOverOther(
            f"Your promise for the member covers {say_amount(due.amount_minor, due.currency)} of "
            "what they owe; name that amount to go on covering it."
            if expulsion.settlement is Settlement.TAKEN_OVER
            else "What the member owes is repaid before they go: nothing is taken over.",
            field="takes_over",
            takes_over={"amount": format_minor(due.amount_minor, due.currency)}
            | {"currency": due.currency},
        )
    found = next(
        (row for row in queries.consents_to(session, expulsion.id) if row.member_id == member_id),
        None,
    )
    if found is None:
        found = ExpulsionConsent(expulsion_id=expulsion.id, member_id=member_id)
        session.add(found)
    found.takes_over_minor, found.given_at = due.amount_minor, now
    session.flush()  # whether all have consented is read from the rows
    note(
        session,
        group,
        "group.expulsion_consented",
        now,
        actor_id,
        member_id=member_id,
        expulsion=expulsion.public_id,
        takes_over_minor=due.amount_minor,
    )
    return found


def refuse(
    session: Session,
    *,
    expulsion_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupExpulsion:
    """One of the others says no: it needed all of them.

    Locks the group. Raises ProposalClosed, ProposalLapsed, NotInGroup, NoVoteOnOneself.
    """
    group, expulsion = lock_open(session, expulsion_id, ExpulsionStatus.REFUSED, on=on)
    require_living(queries.find_place(session, group_id=group.id, member_id=member_id))
    if member_id == expulsion.member_id:
        raise NoVoteOnOneself()
    _end(session, group, expulsion, ExpulsionStatus.REFUSED, now, actor_id)
    return expulsion


def withdraw(
    session: Session,
    *,
    expulsion_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupExpulsion:
    """Whoever proposed it, or leads the group, takes it back.

    Locks the group. Raises ProposalClosed, ProposalLapsed, NotTheProposer.
    """
    group, expulsion = lock_open(session, expulsion_id, ExpulsionStatus.WITHDRAWN, on=on)
    leader_id = queries.is_led_by(group, on)
    if member_id != expulsion.proposed_by_id and (
        member_id != leader_id or member_id == expulsion.member_id
    ):
        raise NotTheProposer()
    _end(session, group, expulsion, ExpulsionStatus.WITHDRAWN, now, actor_id)
    return expulsion


def require_unanimous(
    session: Session, group: Group, expulsion: GroupExpulsion
) -> Mapping[int, int]:
    """What each of all the others takes over, by member. Raises NotUnanimous, NotInGroup."""
    living = living_ids(queries.living_members(session, group.id))
    if expulsion.member_id not in living:
        raise NotInGroup()
    given = {
        row.member_id: row.takes_over_minor for row in queries.consents_to(session, expulsion.id)
    }
    others = [member_id for member_id in living if member_id != expulsion.member_id]
    absent = [member_id for member_id in others if member_id not in given]
    if absent or not others:
        raise NotUnanimous(missing=len(absent), needed=len(others))
    return {member_id: given[member_id] for member_id in others}


def mark_effected(expulsion: GroupExpulsion, *, now: datetime) -> None:
    """The member goes; before `depart`, which ends what else is proposed about them."""
    expulsion.status = check_expulsion(expulsion.status, ExpulsionStatus.EFFECTED)
    expulsion.ended_at = now


def lapse_overdue(session: Session, group: Group, *, on: date, now: datetime) -> int:
    """End the expulsions of a (locked) group that have run out of time; how many there were."""
    over = [row for row in queries.open_expulsions(session, group.id) if on > row.lapses_on]
    for expulsion in over:
        _end(session, group, expulsion, ExpulsionStatus.LAPSED, now, None)
    return len(over)


def end_expulsions_of(session: Session, group: Group, member_id: int, *, now: datetime) -> None:
    """The member is gone some other way: what was voted on is settled."""
    for expulsion in queries.open_expulsions(session, group.id):
        if expulsion.member_id == member_id:
            _end(session, group, expulsion, ExpulsionStatus.LAPSED, now, None)


def _end(
    session: Session,
    group: Group,
    expulsion: GroupExpulsion,
    status: ExpulsionStatus,
    now: datetime,
    actor_id: int | None,
) -> None:
    expulsion.status = check_expulsion(expulsion.status, status)
    expulsion.ended_at = now
    session.flush()  # a new proposal finds none open
    note(
        session,
        group,
        f"group.expulsion_{status.value}",
        now,
        # Who refused is the group's business: the record says that somebody did.
        None if status is ExpulsionStatus.REFUSED else actor_id,
        member_id=expulsion.member_id,
        expulsion=expulsion.public_id,
    )
