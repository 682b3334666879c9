"""Other terms, or more members, for a group that binds already: everybody signs again.

The agreement in force stays as it is until the new one has everybody's signature and the days of
thinking again are over. Whatever ends a proposal before that leaves all as it was. Promises are
raised, lowered, extended and written by a higher room, which calls `mark_in_force`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.groups import queries
from community.groups.agreement import Signatory, agreement_document, agreement_hash
from community.groups.errors import (
    AgreementChanged,
    AlreadyInGroup,
    CoolingOffOver,
    GroupFull,
    GroupStepNotAllowed,
    GroupTimeOver,
    NoLeader,
    NothingProposed,
    NotInGroup,
    NotTheProposer,
    NotYetSigned,
    ProposalLapsed,
    ProposalOpen,
    ProposalOutdated,
    StillCoolingOff,
)
from community.groups.models import (
    AgreementBasis,
    AmendmentStatus,
    Group,
    GroupAmendment,
    GroupMember,
    GroupMemberStatus,
)
from community.groups.proof import (
    Answered,
    Paper,
    Questionnaire,
    ask,
    take_answers,
    take_signature,
)
from community.groups.states import Step, check_amendment
from community.groups.steps import (
    bind,
    check_members,
    check_terms,
    in_the_way,
    living_ids,
    locked,
    measure_size,
    move,
    note,
    require_living,
)
from community.groups.understanding import Answer
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.money import Money


@dataclass(frozen=True, slots=True)
class Admitted:
    """What an amendment in force changes for higher rooms."""

    group: Group
    member_ids: tuple[int, ...]  # everybody in the group from now on
    joined_ids: tuple[int, ...]


def propose(
    session: Session,
    *,
    group_id: int,
    proposer_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    pair_cap: Money | None = None,
    vouch_expires_on: date | None = None,
    joining: Collection[int] = (),
    overdue_ids: Collection[int] = (),
    warnings: Sequence[Mapping[str, Any]] = (),
) -> GroupAmendment:
    """A member of an active group proposes another cap, another end, or members who join.

    What everybody is to sign is written down at once. Who is to join may stand in another group
    of the community: they leave it the moment this comes into force. `overdue_ids` are those of
    all concerned who are overdue anywhere, which a higher room knows; it stops what makes
    anybody promise more. Locks the group. Raises GroupStepNotAllowed, NotInGroup, ProposalOpen,
    NothingProposed, NoLeader, MemberNotFound, AlreadyInGroup, GroupFull, GroupTimeOver,
    SameHousehold, SomebodyOverdue, SomebodyInactive, CapTooHigh, PromiseTooLong.
    """
    group = locked(session, group_id, Step.PROPOSE_AMENDMENT)
    places = {place.member_id: place for place, _ in queries.members_of(session, group_id)}
    require_living(places.get(proposer_id))
    _refuse_while_open(session, group, on=on, now=now)
    if group.agreement is None or group.agreement_hash is None:
        raise GroupStepNotAllowed("There is no agreement to amend.", status=group.status.value)
    if group.leader_id is None or group.leader_until_on is None:
        raise NoLeader("Elect a leader first: the agreement names one.")
    community = communities.get_community_by_id(session, group.community_id)
    charter = communities.charter_on(session, group.community_id, on)
    cap = Money(group.pair_cap_minor, community.currency) if pair_cap is None else pair_cap
    end = vouch_expires_on or group.vouch_expires_on
    new = sorted(set(joining))
    if not new and (cap.amount_minor, end) == (group.pair_cap_minor, group.vouch_expires_on):
        raise NothingProposed("Name another cap, another end of the promises, or who joins.")
    check_terms(session, group.community_id, charter.rules, cap, end, on)
    living = living_ids(queries.living_members(session, group_id))
    if new:
        _check_joining(session, group, living, new, on=on)
        _refuse_full(charter.rules, len(living) + len(new))
    everybody = sorted([*living, *new])
    check_members(
        session,
        group,
        everybody,
        overdue_ids if _promises_more(group, cap.amount_minor, end, new) else (),
    )
    rows = members.get_members_by_id(session, everybody)
    document = agreement_document(
        group_id=group.public_id,
        group_name=group.name,
        community_id=community.public_id,
        community_name=community.name,
        currency=community.currency,
        charter_version=charter.version,
        rules=charter.rules,
        pair_cap_minor=cap.amount_minor,
        vouch_expires_on=end,
        leader_id=rows[group.leader_id].public_id,
        leader_until_on=group.leader_until_on,
        fixed_on=on,
        draft=group.version,
        product_name=group.product_name,
        amends=group.agreement,
        members=[Signatory(row.public_id, row.name) for row in rows.values()],
    )
    amendment = GroupAmendment(
        group_id=group_id,
        status=AmendmentStatus.SIGNING,
        pair_cap_minor=cap.amount_minor,
        vouch_expires_on=end,
        base_hash=group.agreement_hash,
        document=document,
        agreement_hash=agreement_hash(document),
        charter_version=charter.version,
        reason=reason,
        proposed_by_id=proposer_id,
        proposed_at=now,
        lapses_on=on + timedelta(days=charter.rules.amendment_days_max),
    )
    session.add(amendment)
    for member_id in new:
        _invite(session, group, places.get(member_id), member_id, proposer_id, now)
    session.flush()  # a second proposal at the same time meets the unique index here
    note(
        session,
        group,
        "group.amendment_proposed",
        now,
        actor_id,
        member_id=proposer_id,
        amendment=amendment.public_id,
        agreement_hash=amendment.agreement_hash,
        base_hash=amendment.base_hash,
        pair_cap_minor=cap.amount_minor,
        vouch_expires_on=end.isoformat(),
        joining=document["joining"],
        lapses_on=amendment.lapses_on.isoformat(),
        warnings=[dict(warning) for warning in warnings],
    )
    return amendment


def paper_of(amendment: GroupAmendment) -> Paper:
    """What an amendment asks everybody to sign."""
    return Paper(amendment.document, amendment.agreement_hash)


def signer_ids(session: Session, amendment: GroupAmendment) -> tuple[int, ...]:
    """Member ids of all who have to sign, in order."""
    named = [member["id"] for member in amendment.document["members"]]
    return tuple(sorted(row.id for row in members.find_members(session, named).values()))


def joining_ids(session: Session, amendment: GroupAmendment) -> tuple[int, ...]:
    """Member ids of those who would join, in order."""
    found = members.find_members(session, amendment.document["joining"])
    return tuple(sorted(row.id for row in found.values()))


def questionnaire(
    session: Session, *, amendment_id: int, member_id: int, elsewhere_minor: int = 0
) -> Questionnaire:
    """The questions on what a proposed amendment changes. Raises NotInGroup."""
    amendment = queries.get_amendment_by_id(session, amendment_id)
    place = _signer(session, amendment, member_id)
    return ask(session, place, paper_of(amendment), elsewhere_minor=elsewhere_minor)


def answer_questions(
    session: Session,
    *,
    amendment_id: int,
    member_id: int,
    agreement_hash: str,
    answers: Mapping[str, Answer],
    on: date,
    now: datetime,
    actor_id: int | None,
    elsewhere_minor: int = 0,
) -> Answered:
    """A member answers the questions on an amendment; every try is kept.

    Locks the group. Raises ProposalClosed, ProposalLapsed, NotInGroup, AgreementChanged,
    AlreadySigned.
    """
    group, amendment = _open(session, amendment_id, AmendmentStatus.COOLING_OFF, on)
    place = _signer(session, amendment, member_id)
    _require_same(amendment, agreement_hash)
    return take_answers(
        session,
        group,
        place,
        paper_of(amendment),
        answers,
        elsewhere_minor=elsewhere_minor,
        now=now,
        actor_id=actor_id,
    )


def sign(
    session: Session,
    *,
    amendment_id: int,
    member_id: int,
    agreement_hash: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    elsewhere_minor: int = 0,
) -> GroupAmendment:
    """A member, or somebody who is to join, signs an amendment that they have understood.

    The last signature begins the cooling-off period. Locks the group. Raises ProposalClosed,
    ProposalLapsed, ProposalOutdated, NotInGroup, AgreementChanged, AlreadySigned, NotUnderstood,
    NotAMember.
    """
    group, amendment = _open(session, amendment_id, AmendmentStatus.COOLING_OFF, on)
    place = _signer(session, amendment, member_id)
    _require_same(amendment, agreement_hash)
    _require_current(group, amendment)
    take_signature(
        session,
        group,
        place,
        paper_of(amendment),
        elsewhere_minor=elsewhere_minor,
        now=now,
        actor_id=actor_id,
    )
    if not missing(session, amendment):
        days = int(amendment.document["cooling_off_days"])
        rules = communities.charter_on(session, group.community_id, on).rules
        amendment.status = check_amendment(amendment.status, AmendmentStatus.COOLING_OFF)
        amendment.cooling_off_until = now + timedelta(days=days)
        # Time to put it into force, counted from when that becomes possible.
        amendment.lapses_on = on + timedelta(days=days + rules.amendment_days_max)
        note(
            session,
            group,
            "group.amendment_cooling_off",
            now,
            actor_id,
            amendment=amendment.public_id,
            days=days,
        )
    return amendment


def refuse(
    session: Session,
    *,
    amendment_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupAmendment:
    """Whoever would have to sign says no, also after signing while it cools off: it is off.

    Locks the group. Raises ProposalClosed, NotInGroup, CoolingOffOver.
    """
    group, amendment = _locked(session, amendment_id, AmendmentStatus.REFUSED)
    _signer(session, amendment, member_id)
    if amendment.cooling_off_until is not None and now >= amendment.cooling_off_until:
        raise CoolingOffOver(cooling_off_until=amendment.cooling_off_until.isoformat())
    _end(session, group, amendment, AmendmentStatus.REFUSED, now, actor_id, member_id=member_id)
    return amendment


def withdraw(
    session: Session,
    *,
    amendment_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupAmendment:
    """Whoever proposed it, or leads the group, takes an amendment back before it is in force.

    Locks the group. Raises ProposalClosed, NotTheProposer.
    """
    group, amendment = _locked(session, amendment_id, AmendmentStatus.WITHDRAWN)
    if member_id not in (amendment.proposed_by_id, queries.is_led_by(group, on)):
        raise NotTheProposer()
    _end(session, group, amendment, AmendmentStatus.WITHDRAWN, now, actor_id, member_id=member_id)
    return amendment


def lapse_overdue(session: Session, group: Group, *, on: date, now: datetime) -> bool:
    """End what was proposed to the (locked) group and has run out of time; whether it had."""
    amendment = queries.open_amendment(session, group.id)
    if amendment is None or on <= amendment.lapses_on:
        return False
    _end(session, group, amendment, AmendmentStatus.LAPSED, now, None, why="time")
    return True


def lapse_outdated(session: Session, group: Group, *, now: datetime) -> None:
    """Somebody left the (locked) group: what was proposed to it names somebody who is gone."""
    amendment = queries.open_amendment(session, group.id)
    if amendment is not None:
        _end(session, group, amendment, AmendmentStatus.LAPSED, now, None, why="departure")


def require_signer(session: Session, amendment: GroupAmendment, member_id: int) -> None:
    """Go on only for somebody whom the amendment asks to sign. Raises NotInGroup."""
    _signer(session, amendment, member_id)


def missing(session: Session, amendment: GroupAmendment) -> set[int]:
    """Member ids of those who have still to sign."""
    signed = {
        signature.group_member_id
        for signature in queries.signatures_on(session, amendment.agreement_hash)
    }
    wanted = set(signer_ids(session, amendment))
    places = [place for place, _ in queries.members_of(session, amendment.group_id)]
    return wanted - {place.member_id for place in places if place.id in signed}


def mark_in_force(
    session: Session,
    *,
    amendment_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    overdue_ids: Collection[int] = (),
) -> Admitted:
    """All have signed and thought again: the new agreement replaces the one in force.

    The promises are changed by a higher room in the same unit of work; before that it has let
    those who join leave the group where they stood. Locks the group. Raises ProposalClosed,
    ProposalLapsed, ProposalOutdated, NotYetSigned, StillCoolingOff, GroupTimeOver, GroupFull,
    SameHousehold, SomebodyOverdue, SomebodyInactive, CapTooHigh, PromiseTooLong.
    """
    group, amendment = require_ripe(session, amendment_id, on=on, now=now)
    charter = communities.charter_on(session, group.community_id, on)
    currency = communities.get_community_by_id(session, group.community_id).currency
    cap = Money(amendment.pair_cap_minor, currency)
    check_terms(session, group.community_id, charter.rules, cap, amendment.vouch_expires_on, on)
    everybody = signer_ids(session, amendment)
    new = joining_ids(session, amendment)
    more = _promises_more(group, amendment.pair_cap_minor, amendment.vouch_expires_on, new)
    check_members(session, group, everybody, overdue_ids if more else ())
    if new:
        _refuse_after_time(group, on)
        _refuse_full(charter.rules, len(everybody))
    places = {place.member_id: place for place, _ in queries.members_of(session, group.id)}
    homes = members.households_of(session, everybody)
    signed = {
        signature.group_member_id: signature
        for signature in queries.signatures_on(session, amendment.agreement_hash)
    }
    for member_id in everybody:
        place = places[member_id]
        signature = signed[place.id]
        if member_id in new:
            communities.require_active(
                session, community_id=group.community_id, member_id=member_id, hold=True
            )
            move(place, GroupMemberStatus.SIGNED)
            place.household_id, place.product_id = homes[member_id], group.product_id
        place.exposure_minor = signature.exposure_minor
        place.understood_at = place.signed_at = signature.signed_at
    group.pair_cap_minor = amendment.pair_cap_minor
    group.vouch_expires_on = amendment.vouch_expires_on
    bind(
        session,
        group,
        amendment.document,
        AgreementBasis.SIGNED,
        amendment.charter_version,
        now,
    )
    amendment.status = check_amendment(amendment.status, AmendmentStatus.IN_FORCE)
    amendment.ended_at = now
    measure_size(group, len(everybody), charter.rules, on)
    session.flush()  # a place in another group at the same time meets the unique index here
    note(
        session,
        group,
        "group.amended",
        now,
        actor_id,
        amendment=amendment.public_id,
        agreement_hash=amendment.agreement_hash,
        replaces=amendment.base_hash,
        pair_cap_minor=amendment.pair_cap_minor,
        vouch_expires_on=amendment.vouch_expires_on.isoformat(),
        joined=amendment.document["joining"],
    )
    return Admitted(group, everybody, new)


def require_ripe(
    session: Session, amendment_id: int, *, on: date, now: datetime
) -> tuple[Group, GroupAmendment]:
    """The amendment and its locked group, if it can come into force now.

    Raises ProposalClosed, ProposalLapsed, ProposalOutdated, NotYetSigned, StillCoolingOff.
    """
    group = locked(session, queries.get_amendment_by_id(session, amendment_id).group_id, Step.AMEND)
    amendment = queries.get_amendment_by_id(session, amendment_id)
    session.refresh(amendment)
    if amendment.status is AmendmentStatus.SIGNING:
        raise NotYetSigned(missing=len(missing(session, amendment)))
    check_amendment(amendment.status, AmendmentStatus.IN_FORCE)
    _require_in_time(amendment, on)
    _require_current(group, amendment)
    assert amendment.cooling_off_until is not None
    if now < amendment.cooling_off_until:
        raise StillCoolingOff(cooling_off_until=amendment.cooling_off_until.isoformat())
    return group, amendment


def groups_to_leave(
    session: Session, amendment: GroupAmendment, *, on: date
) -> dict[int, list[Group]]:
    """Where those who join stand now, and what they leave when this comes into force."""
    group = queries.get_group_by_id(session, amendment.group_id)
    rules = communities.charter_on(session, group.community_id, on).rules
    found = {
        member_id: in_the_way(
            session,
            community_id=group.community_id,
            member_id=member_id,
            product_id=group.product_id,
            rules=rules,
            besides=group.id,
        )
        for member_id in joining_ids(session, amendment)
    }
    return {member_id: groups for member_id, groups in found.items() if groups}


def _open(
    session: Session, amendment_id: int, to: AmendmentStatus, on: date
) -> tuple[Group, GroupAmendment]:
    group, amendment = _locked(session, amendment_id, to)
    _require_in_time(amendment, on)
    return group, amendment


def _locked(
    session: Session, amendment_id: int, to: AmendmentStatus
) -> tuple[Group, GroupAmendment]:
    amendment = queries.get_amendment_by_id(session, amendment_id)
    group = locked(session, amendment.group_id, Step.AMEND)
    # Under the group's lock nobody else changes it; it may have changed while we waited.
    session.refresh(amendment)
    check_amendment(amendment.status, to)
    return group, amendment


def _end(
    session: Session,
    group: Group,
    amendment: GroupAmendment,
    status: AmendmentStatus,
    now: datetime,
    actor_id: int | None,
    *,
    member_id: int | None = None,
    why: str = "",
) -> None:
    amendment.status = check_amendment(amendment.status, status)
    amendment.ended_at = now
    joining = set(joining_ids(session, amendment))
    for place, _ in queries.members_of(session, group.id):
        if place.member_id in joining and place.status is GroupMemberStatus.INVITED:
            move(place, GroupMemberStatus.DECLINED)
    session.flush()  # a new proposal finds none open
    note(
        session,
        group,
        f"group.amendment_{status.value}",
        now,
        actor_id,
        member_id=member_id,
        amendment=amendment.public_id,
        why=why,
    )


def _refuse_while_open(session: Session, group: Group, *, on: date, now: datetime) -> None:
    lapse_overdue(session, group, on=on, now=now)
    found = queries.open_amendment(session, group.id)
    if found is not None:
        raise ProposalOpen(amendment=found.public_id)


def _check_joining(
    session: Session,
    group: Group,
    living: Sequence[int],
    joining: Sequence[int],
    *,
    on: date,
) -> None:
    _refuse_after_time(group, on)
    if set(joining) & set(living):
        raise AlreadyInGroup(field="joining")
    if communities.inactive(session, community_id=group.community_id, member_ids=joining):
        raise MemberNotFound("There is no such active member in this community.")


def _refuse_after_time(group: Group, on: date) -> None:
    if group.whole_by_on is not None and on > group.whole_by_on:
        raise GroupTimeOver(whole_by_on=group.whole_by_on.isoformat(), rule="group_whole_days")


def _refuse_full(rules: CharterRules, size: int) -> None:
    if size > rules.group_size_max:
        raise GroupFull(
            f"The charter admits {rules.group_size_max} members.", size_max=rules.group_size_max
        )


def _promises_more(group: Group, cap_minor: int, end: date, joining: Collection[int]) -> bool:
    return bool(joining) or cap_minor > group.pair_cap_minor or end > group.vouch_expires_on


def _invite(
    session: Session,
    group: Group,
    place: GroupMember | None,
    member_id: int,
    inviter_id: int,
    now: datetime,
) -> None:
    if place is None:
        place = GroupMember(group_id=group.id, community_id=group.community_id, member_id=member_id)
        session.add(place)
    move(place, GroupMemberStatus.INVITED)
    place.product_id = group.product_id
    place.understood_at = place.signed_at = place.exposure_minor = None
    place.invited_by_id, place.invited_at = inviter_id, now


def _signer(session: Session, amendment: GroupAmendment, member_id: int) -> GroupMember:
    if member_id not in signer_ids(session, amendment):
        raise NotInGroup()
    place = queries.get_place(session, group_id=amendment.group_id, member_id=member_id)
    if place.status not in queries.LISTED:
        raise NotInGroup()
    return place


def _require_same(amendment: GroupAmendment, given: str) -> None:
    if given != amendment.agreement_hash:
        raise AgreementChanged(agreement_hash=amendment.agreement_hash)


def _require_in_time(amendment: GroupAmendment, on: date) -> None:
    if on > amendment.lapses_on:
        raise ProposalLapsed(lapsed_on=amendment.lapses_on.isoformat(), rule="amendment_days_max")


def _require_current(group: Group, amendment: GroupAmendment) -> None:
    if group.agreement_hash != amendment.base_hash:
        raise ProposalOutdated(agreement_hash=group.agreement_hash)
