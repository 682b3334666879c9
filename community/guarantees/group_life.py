"""What happens in a group that binds: amendments in force, exits, expulsions, its end.

Each is one unit of work. The group is locked first, then the standings of those who go (so that
no loan of theirs is approved meanwhile) and all the group's promises (so that nothing new rests
on one that is about to end); only then it is looked at what binds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.errors import StaleSnapshot
from community.groups import amendments, expulsions, queries, service
from community.groups.departures import depart, end
from community.groups.errors import (
    CapBelowReserved,
    GroupStillBinds,
    TakesOverOther,
)
from community.groups.models import (
    ExpulsionConsent,
    ExpulsionStatus,
    Group,
    GroupAmendment,
    GroupExpulsion,
    GroupMemberStatus,
    GroupStatus,
    Settlement,
)
from community.groups.states import Step
from community.groups.steps import locked, require_living
from community.guarantees.group_bonds import (
    Bond,
    BondKind,
    bonds_of_member,
    bonds_on,
    group_loans_alive,
    sentence,
    told,
)
from community.locks import lock
from community.money import Money, format_minor, say_amount
from community.trust.group_vouches import (
    amend_group_vouches,
    end_group_vouches,
    group_changes,
    hold_group_vouches,
    reserved_for,
    too_low_for,
)
from community.trust.models import Vouch
from community.trust.promise_checks import hold_promisers, require_and_keep
from community.trust.queries import overdue_members
from community.trust.record_bounds import RecordsOf


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is told what binds: one's own business, or all of it for who looks after the group."""

    member_id: int | None = None
    sees_all: bool = False


@dataclass(frozen=True, slots=True)
class Tended:
    """What time did to a group."""

    lapsed: int
    dissolved: bool


def put_into_force(
    session: Session,
    *,
    amendment_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    viewer: Viewer | None = None,
    records_of: RecordsOf | None = None,
) -> GroupAmendment:
    """An amendment that all have signed and thought over begins to bind: promises follow it.

    Who joins leaves the group where they stood, if nothing binds them there. Raises what
    `groups.amendments.mark_in_force` raises, GroupStillBinds (a transfer), CapBelowReserved,
    GuaranteeCapReached (somebody would promise more than the charter admits for one), and
    StaleSnapshot if somebody who joins has moved meanwhile.
    """
    viewer = viewer or Viewer(actor_id)
    seen = queries.get_amendment_by_id(session, amendment_id)
    leaving = _ids(amendments.groups_to_leave(session, seen, on=on))
    lock(session, Group, {seen.group_id, *(i for ids in leaving.values() for i in ids)})
    group, amendment = amendments.require_ripe(session, amendment_id, on=on, now=now)
    places = amendments.groups_to_leave(session, amendment, on=on)
    if _ids(places) != leaving:
        raise StaleSnapshot("Somebody who joins has moved meanwhile.")
    everybody = amendments.signer_ids(session, amendment)
    hold_promisers(session, group.community_id, everybody)
    held = hold_group_vouches(
        session,
        group.community_id,
        {group.id, *(i for ids in leaving.values() for i in ids)},
        leaving,
    )
    for member_id, groups in places.items():
        for other in groups:
            _transfer(session, other, member_id, held, viewer, on=on, now=now, actor_id=actor_id)
    mine = [vouch for vouch in held.values() if vouch.group_id == group.id]
    _refuse_too_low(session, group, mine, everybody, amendment.pair_cap_minor, viewer)
    admitted = amendments.mark_in_force(
        session,
        amendment_id=amendment_id,
        overdue_ids=overdue_members(session, everybody),
        on=on,
        now=now,
        actor_id=actor_id,
    )
    require_and_keep(
        session,
        community_id=group.community_id,
        changes=group_changes(
            group.id,
            admitted.member_ids,
            mine,
            amendment.pair_cap_minor,
            amendment.vouch_expires_on,
        ),
        told_id=viewer.member_id,
        group_id=group.id,
        on=on,
        now=now,
        records_of=records_of,
    )
    amend_group_vouches(
        session, admitted.group, mine, admitted.member_ids, now=now, actor_id=actor_id
    )
    return amendment


def exit_group(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    viewer: Viewer | None = None,
) -> Group:
    """A member leaves an active group: they owe nothing, and nothing rests on a promise of theirs.

    Raises GroupStepNotAllowed, NotInGroup, GroupStillBinds, which names what binds.
    """
    group = locked(session, group_id, Step.EXIT)
    place = require_living(queries.find_place(session, group_id=group_id, member_id=member_id))
    held = hold_group_vouches(session, group.community_id, [group_id], [member_id])
    _refuse_bound(
        session,
        group,
        bonds_of_member(session, group, member_id, held.values()),
        viewer or Viewer(actor_id),
    )
    depart(session, group, place, GroupMemberStatus.LEFT, on=on, now=now, actor_id=actor_id)
    _end_promises(session, group, held, member_id, now=now, actor_id=actor_id)
    return group


def what_binds(session: Session, group: Group, member_id: int) -> list[Bond]:
    """What would stop a member's exit today. Nothing is locked: it may change."""
    rows = session.scalars(select(Vouch).where(Vouch.group_id == group.id)).all()
    return bonds_of_member(session, group, member_id, rows)


def consent_to_expulsion(
    session: Session,
    *,
    expulsion_id: int,
    member_id: int,
    takes_over: Money | None,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> ExpulsionConsent:
    """One of the others consents, naming what their promise for the member covers today.

    Raises ProposalClosed, ProposalLapsed, NotInGroup, NoVoteOnOneself, TakesOverOther.
    """
    group, expulsion = expulsions.lock_open(session, expulsion_id, ExpulsionStatus.EFFECTED, on=on)
    currency = communities.get_community_by_id(session, group.community_id).currency
    return expulsions.consent(
        session,
        group,
        expulsion,
        member_id=member_id,
        takes_over=takes_over,
        covers=Money(covers_for(session, expulsion, member_id), currency),
        now=now,
        actor_id=actor_id,
    )


def covers_for(session: Session, expulsion: GroupExpulsion, member_id: int) -> int:
    """What loans rest on today of a member's promise for the one who is to go."""
    rows = session.scalars(
        select(Vouch)
        .where(
            Vouch.group_id == expulsion.group_id,
            Vouch.borrower_id == expulsion.member_id,
            Vouch.voucher_id == member_id,
        )
        .execution_options(populate_existing=True)
    )
    return sum(row.reserved_minor for row in rows)


def expel(
    session: Session,
    *,
    expulsion_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    viewer: Viewer | None = None,
) -> Group:
    """All others have consented: the member goes, with what they owe repaid or taken over.

    Taken over: the others' promises for the member back nothing new, and what rests on them runs
    on, for each up to what they consented to. What the member owes, and what rests on promises of
    theirs, stays theirs. Raises NotUnanimous, GroupStillBinds, TakesOverOther (more rests on a
    promise than its giver consented to), ProposalClosed, ProposalLapsed.
    """
    group, expulsion = expulsions.lock_open(session, expulsion_id, ExpulsionStatus.EFFECTED, on=on)
    consented = expulsions.require_unanimous(session, group, expulsion)
    held = hold_group_vouches(session, group.community_id, [group.id], [expulsion.member_id])
    bonds = bonds_of_member(session, group, expulsion.member_id, held.values())
    taken: dict[int, int] = {}
    if expulsion.settlement is Settlement.TAKEN_OVER:
        covered = reserved_for(held, group.id, expulsion.member_id)
        taken = {m: covered[m] for m in consented if covered.get(m)}
        _refuse_more_than_consented(session, group, taken, consented)
        bonds = [bond for bond in bonds if bond.kind is BondKind.GROUP_APPLICATION]
    _refuse_bound(session, group, bonds, viewer or Viewer(actor_id))
    place = require_living(
        queries.find_place(session, group_id=group.id, member_id=expulsion.member_id)
    )
    expulsions.mark_effected(expulsion, now=now)
    depart(
        session,
        group,
        place,
        GroupMemberStatus.EXPELLED,
        taken_over=taken,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    _end_promises(session, group, held, expulsion.member_id, now=now, actor_id=actor_id)
    return group


def dissolve_group(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    viewer: Viewer | None = None,
) -> Group:
    """An active group ends: no loan of it runs, and nothing rests on its promises.

    Raises GroupStepNotAllowed, GroupStillBinds.
    """
    group = locked(session, group_id, Step.DISSOLVE)
    held = hold_group_vouches(session, group.community_id, [group_id], ())
    bonds = _bonds_of_group(session, group, held.values())
    _refuse_bound(session, group, bonds, viewer or Viewer(actor_id))
    _dissolve(session, group, held, now=now, actor_id=actor_id)
    return group


def groups_to_tend(
    session: Session, *, community_id: int, on: date, after_id: int = 0, limit: int = 1
) -> list[int]:
    """Active groups of a community in which time has run out on something, by id."""
    over = [
        select(model.group_id).where(model.ended_at.is_(None), model.lapses_on < on)
        for model in (GroupAmendment, GroupExpulsion)
    ]
    return list(
        session.scalars(
            select(Group.id)
            .where(
                Group.community_id == community_id,
                Group.id > after_id,
                Group.status == GroupStatus.ACTIVE,
                or_(*(Group.id.in_(statement) for statement in over), Group.whole_by_on < on),
            )
            .order_by(Group.id)
            .limit(limit)
        )
    )


def tend_group(session: Session, *, group_id: int, on: date, now: datetime) -> Tended:
    """Proposals out of time lapse; a group that was not made whole in time ends, if nothing in it
    is live. Done again, nothing changes."""
    found = lock(session, Group, [group_id])
    if group_id not in found or found[group_id].status is not GroupStatus.ACTIVE:
        return Tended(0, False)
    group = locked(session, group_id, Step.DISSOLVE)
    lapsed = int(amendments.lapse_overdue(session, group, on=on, now=now))
    lapsed += expulsions.lapse_overdue(session, group, on=on, now=now)
    if group.whole_by_on is None or on <= group.whole_by_on:
        return Tended(lapsed, False)
    held = hold_group_vouches(session, group.community_id, [group_id], ())
    if _bonds_of_group(session, group, held.values()):
        return Tended(lapsed, False)
    _dissolve(session, group, held, now=now, actor_id=None)
    return Tended(lapsed, True)


def _bonds_of_group(session: Session, group: Group, vouches: Collection[Vouch]) -> list[Bond]:
    return [*group_loans_alive(session, group), *bonds_on(session, vouches)]


def _dissolve(
    session: Session,
    group: Group,
    held: Mapping[int, Vouch],
    *,
    now: datetime,
    actor_id: int | None,
) -> None:
    end(session, group, now=now, actor_id=actor_id)
    end_group_vouches(session, group, held.values(), now=now, actor_id=actor_id)


def _end_promises(
    session: Session,
    group: Group,
    held: Mapping[int, Vouch],
    member_id: int,
    *,
    now: datetime,
    actor_id: int | None,
) -> None:
    end_group_vouches(
        session, group, held.values(), member_id=member_id, now=now, actor_id=actor_id
    )


def _transfer(
    session: Session,
    group: Group,
    member_id: int,
    held: Mapping[int, Vouch],
    viewer: Viewer,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Leave the group where somebody stood, to join another in the same unit of work."""
    if group.status is not GroupStatus.ACTIVE:
        service.step_back(
            session, group_id=group.id, member_id=member_id, on=on, now=now, actor_id=actor_id
        )
        return
    locked(session, group.id, Step.EXIT)
    place = require_living(queries.find_place(session, group_id=group.id, member_id=member_id))
    _refuse_bound(session, group, bonds_of_member(session, group, member_id, held.values()), viewer)
    depart(session, group, place, GroupMemberStatus.LEFT, on=on, now=now, actor_id=actor_id)
    _end_promises(session, group, held, member_id, now=now, actor_id=actor_id)


def _refuse_bound(session: Session, group: Group, bonds: Collection[Bond], viewer: Viewer) -> None:
    if bonds:
        currency = communities.get_community_by_id(session, group.community_id).currency
        raise GroupStillBinds(
            sentence(session, group, bonds),
            group=group.public_id,
            **told(
                session,
                bonds,
                currency=currency,
                viewer_id=viewer.member_id,
                sees_all=viewer.sees_all,
            ),
        )


def _refuse_too_low(
    session: Session,
    group: Group,
    vouches: Collection[Vouch],
    member_ids: Collection[int],
    cap_minor: int,
    viewer: Viewer,
) -> None:
    low = too_low_for(vouches, member_ids, cap_minor)
    if not low:
        return
    currency = communities.get_community_by_id(session, group.community_id).currency
    least = max(vouch.reserved_minor + vouch.spent_minor for vouch in low)
    raise CapBelowReserved(
        f"{len(low)} promises hold more than {say_amount(cap_minor, currency)} "
        f"already; the least that all of them admit is {say_amount(least, currency)}.",
        field="pair_cap",
        least={"amount": format_minor(least, currency), "currency": currency},
        **told(
            session,
            bonds_on(session, low),
            currency=currency,
            viewer_id=viewer.member_id,
            sees_all=viewer.sees_all,
        ),
    )


def _refuse_more_than_consented(
    session: Session, group: Group, taken: Mapping[int, int], consented: Mapping[int, int]
) -> None:
    more = {m: minor for m, minor in taken.items() if minor > consented[m]}
    if more:
        currency = communities.get_community_by_id(session, group.community_id).currency
        raise TakesOverOther(
            f"Since {len(more)} of the others consented, more has come to rest on their promises "
            "for the member; they have to consent anew.",
            missing=len(more),
            currency=currency,
        )


def _ids(leaving: Mapping[int, Collection[Group]]) -> dict[int, list[int]]:
    return {member_id: [group.id for group in groups] for member_id, groups in leaving.items()}
