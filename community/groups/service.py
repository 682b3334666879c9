"""The way of a joint-liability group: form, invite, elect, understand, sign, think again, bind.

Every step locks the group's row first, so steps of one group follow each other. What happens
outside of this room, overdue loans and the mutual vouches, is passed in or done by higher rooms.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries
from community.groups.agreement import (
    Signatory,
    agreement_document,
    agreement_hash,
    exposure_minor,
)
from community.groups.errors import (
    AgreementChanged,
    AlreadyInGroup,
    AlreadySigned,
    CoolingOffOver,
    GroupFull,
    GroupStepNotAllowed,
    NoLeader,
    NotInvited,
    SameHousehold,
    StandsInGroup,
    StillCoolingOff,
)
from community.groups.leadership import call_election, count_votes, recall_leader, vote_leader
from community.groups.models import (
    AgreementBasis,
    Group,
    GroupMember,
    GroupMemberStatus,
    GroupStatus,
)
from community.groups.proof import (
    Answered,
    Paper,
    Questionnaire,
    ask,
    take_answers,
    take_signature,
)
from community.groups.states import Step
from community.groups.steps import (
    bind,
    check_members,
    check_size,
    check_terms,
    clear_votes,
    living_ids,
    locked,
    move,
    note,
    refuse_second_group,
    require_living,
    take,
)
from community.groups.understanding import Answer
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.money import Money

__all__ = [
    "Agreement",
    "Answered",
    "Questionnaire",
    "accept_invitation",
    "agreement_of",
    "answer_invitation",
    "answer_questions",
    "call_election",
    "change_terms",
    "decline_invitation",
    "dissolve",
    "fix_agreement",
    "form_group",
    "invite",
    "mark_active",
    "paper_of",
    "questionnaire",
    "recall_leader",
    "reopen",
    "require_no_group",
    "sign",
    "step_back",
    "vote_leader",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement: its hash, its facts (amounts in minor units), its text by language."""

    agreement_hash: str
    facts: dict[str, Any]
    text: dict[str, str]


def form_group(
    session: Session,
    *,
    community_id: int,
    founder_id: int,
    name: str,
    pair_cap: Money,
    vouch_expires_on: date,
    on: date,
    now: datetime,
    actor_id: int | None,
    product_id: int | None = None,
    product_name: str | None = None,
) -> Group:
    """An active member begins a group, states what each would stand for behind each other, and is
    its first member.

    A group may be for the loans of one product; the higher room that knows it names it. Raises
    NotAMember, InAnotherGroup, CapTooHigh, PromiseTooLong, CurrencyMismatch.
    """
    communities.require_active(session, community_id=community_id, member_id=founder_id, hold=True)
    rules = communities.charter_on(session, community_id, on).rules
    check_terms(session, community_id, rules, pair_cap, vouch_expires_on, on)
    refuse_second_group(
        session,
        community_id=community_id,
        member_id=founder_id,
        product_id=product_id,
        rules=rules,
    )
    group = Group(
        community_id=community_id,
        name=name,
        status=GroupStatus.FORMING,
        pair_cap_minor=pair_cap.amount_minor,
        vouch_expires_on=vouch_expires_on,
        product_id=product_id,
        product_name=product_name,
        founder_id=founder_id,
        created_at=now,
    )
    session.add(group)
    session.flush()  # the founder's place refers to it
    session.add(
        GroupMember(
            group_id=group.id,
            community_id=community_id,
            member_id=founder_id,
            household_id=members.get_member_by_id(session, founder_id).household_id,
            product_id=product_id,
            status=GroupMemberStatus.ACCEPTED,
            invited_by_id=founder_id,
            invited_at=now,
        )
    )
    session.flush()  # a second group at the same time meets the unique index here
    note(
        session,
        group,
        "group.formed",
        now,
        actor_id,
        pair_cap_minor=group.pair_cap_minor,
        vouch_expires_on=vouch_expires_on.isoformat(),
    )
    return group


def change_terms(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    name: str | None = None,
    pair_cap: Money | None = None,
    vouch_expires_on: date | None = None,
) -> Group:
    """Change a forming group's name, cap or end of promise; nothing is signed yet.

    Locks the group. Raises GroupStepNotAllowed, CapTooHigh, PromiseTooLong, CurrencyMismatch.
    """
    group = locked(session, group_id, Step.CHANGE_TERMS)
    rules = communities.charter_on(session, group.community_id, on).rules
    currency = communities.get_community_by_id(session, group.community_id).currency
    cap = Money(group.pair_cap_minor, currency) if pair_cap is None else pair_cap
    end = vouch_expires_on or group.vouch_expires_on
    check_terms(session, group.community_id, rules, cap, end, on)
    group.name = name or group.name
    group.pair_cap_minor, group.vouch_expires_on = cap.amount_minor, end
    note(
        session,
        group,
        "group.terms_changed",
        now,
        actor_id,
        pair_cap_minor=cap.amount_minor,
        vouch_expires_on=end.isoformat(),
    )
    return group


def invite(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    inviter_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupMember:
    """Somebody in a forming group asks another active member of the community to join.

    Locks the group. Raises MemberNotFound (also for who is not active in the community: the
    inviter need not know more), AlreadyInGroup, GroupFull, GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.INVITE)
    places = {place.member_id: place for place, _ in queries.members_of(session, group_id)}
    require_living(places.get(inviter_id))
    if communities.inactive(session, community_id=group.community_id, member_ids=[member_id]):
        raise MemberNotFound("There is no such active member in this community.")
    listed = [place for place in places.values() if place.status in queries.LISTED]
    if any(place.member_id == member_id for place in listed):
        raise AlreadyInGroup()
    size_max = communities.charter_on(session, group.community_id, on).rules.group_size_max
    if len(listed) >= size_max:
        raise GroupFull(
            f"The charter admits {size_max} members; {len(listed)} are in or invited.",
            size_max=size_max,
        )
    place = places.get(member_id)
    if place is None:
        place = GroupMember(group_id=group_id, community_id=group.community_id, member_id=member_id)
        session.add(place)
    move(place, GroupMemberStatus.INVITED)
    place.product_id = group.product_id
    place.invited_by_id, place.invited_at = inviter_id, now
    session.flush()  # a second invitation at the same time meets the unique constraint here
    note(session, group, "group.invited", now, actor_id, member_id=member_id)
    return place


def accept_invitation(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupMember:
    """An invited member takes the place; nothing binds before everybody has signed.

    Locks the group. Raises NotInGroup, NotInvited, NotAMember, InAnotherGroup, SameHousehold,
    GroupFull, GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.ANSWER_INVITATION)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    if place.status is not GroupMemberStatus.INVITED:
        raise NotInvited(status=place.status.value)
    communities.require_active(
        session, community_id=group.community_id, member_id=member_id, hold=True
    )
    rules = communities.charter_on(session, group.community_id, on).rules
    refuse_second_group(
        session,
        community_id=group.community_id,
        member_id=member_id,
        product_id=group.product_id,
        rules=rules,
    )
    living = queries.living_members(session, group_id)
    size_max = rules.group_size_max
    if len(living) >= size_max:
        raise GroupFull(f"The charter admits {size_max} members.", size_max=size_max)
    homes = members.households_of(session, [member_id, *(other.member_id for other in living)])
    home = homes[member_id]
    if home is not None and any(homes[other.member_id] == home for other in living):
        raise SameHousehold()
    move(place, GroupMemberStatus.ACCEPTED)
    place.household_id = home
    session.flush()  # a place in another group at the same time meets the unique index here
    count_votes(session, group, on)
    note(session, group, "group.accepted", now, actor_id, member_id=member_id)
    return place


def decline_invitation(
    session: Session, *, group_id: int, member_id: int, now: datetime, actor_id: int | None
) -> GroupMember:
    """An invited member says no. Locks the group. Raises NotInGroup, NotInvited."""
    group = locked(session, group_id, Step.ANSWER_INVITATION)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    if place.status is not GroupMemberStatus.INVITED:
        raise NotInvited(status=place.status.value)
    move(place, GroupMemberStatus.DECLINED)
    note(session, group, "group.declined", now, actor_id, member_id=member_id)
    return place


def answer_invitation(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    accept: bool,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> GroupMember:
    """Accept or decline an invitation, as `accept` says."""
    if accept:
        return accept_invitation(
            session, group_id=group_id, member_id=member_id, on=on, now=now, actor_id=actor_id
        )
    return decline_invitation(
        session, group_id=group_id, member_id=member_id, now=now, actor_id=actor_id
    )


def fix_agreement(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    overdue_ids: Collection[int] = (),
    warnings: Sequence[Mapping[str, Any]] = (),
) -> Group:
    """Close a forming group's membership and write down what everybody is to sign.

    `overdue_ids` are those of the members who are overdue anywhere on the platform, which a
    higher room knows; `warnings` what it found worth pointing out, which the record keeps. Open
    invitations lapse. Locks the group. Raises GroupStepNotAllowed,
    GroupSizeNotMet, NoLeader, SameHousehold, SomebodyOverdue, SomebodyInactive, PromiseTooLong,
    CapTooHigh.
    """
    group = locked(session, group_id, Step.FIX_AGREEMENT)
    community = communities.get_community_by_id(session, group.community_id)
    charter = communities.charter_on(session, group.community_id, on)
    rules = charter.rules
    cap = Money(group.pair_cap_minor, community.currency)
    check_terms(session, group.community_id, rules, cap, group.vouch_expires_on, on)
    living = queries.living_members(session, group_id)
    check_size(rules, len(living))
    if group.leader_id is None or group.leader_until_on is None:
        raise NoLeader()
    check_members(session, group, living_ids(living), overdue_ids)
    for place, _ in queries.members_of(session, group_id):
        if place.status is GroupMemberStatus.INVITED:
            move(place, GroupMemberStatus.DECLINED)
    rows = members.get_members_by_id(session, (place.member_id for place in living))
    group.agreement = agreement_document(
        group_id=group.public_id,
        group_name=group.name,
        community_id=community.public_id,
        community_name=community.name,
        currency=community.currency,
        charter_version=charter.version,
        rules=rules,
        pair_cap_minor=group.pair_cap_minor,
        vouch_expires_on=group.vouch_expires_on,
        leader_id=rows[group.leader_id].public_id,
        leader_until_on=group.leader_until_on,
        fixed_on=on,
        draft=group.version,
        product_name=group.product_name,
        members=[Signatory(row.public_id, row.name) for row in rows.values()],
    )
    group.agreement_hash = agreement_hash(group.agreement)
    group.charter_version = charter.version
    take(group, Step.FIX_AGREEMENT)
    for place in living:
        place.exposure_minor = exposure_minor(group.pair_cap_minor, len(living))
    note(
        session,
        group,
        "group.agreement_fixed",
        now,
        actor_id,
        agreement_hash=group.agreement_hash,
        members=[row.public_id for row in rows.values()],
        warnings=[dict(warning) for warning in warnings],
    )
    return group


def agreement_of(group: Group) -> Agreement:
    """The agreement that a group has fixed. Raises GroupStepNotAllowed while there is none."""
    paper = paper_of(group)
    facts = dict(paper.document)
    text: dict[str, str] = facts.pop("text")
    return Agreement(paper.agreement_hash, facts, text)


def paper_of(group: Group) -> Paper:
    """What a group has fixed to sign. Raises GroupStepNotAllowed while there is nothing."""
    if group.agreement is None or group.agreement_hash is None:
        raise GroupStepNotAllowed(
            "The agreement is not written down yet.", status=group.status.value
        )
    return Paper(group.agreement, group.agreement_hash)


def questionnaire(
    session: Session, *, group_id: int, member_id: int, elsewhere_minor: int = 0
) -> Questionnaire:
    """The questions that a member is to answer on the agreement as it stands.

    `elsewhere_minor` is what they stand for besides, which a higher room knows. Raises
    NotInGroup, GroupStepNotAllowed while there is no agreement.
    """
    group = queries.get_group_by_id(session, group_id)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    require_living(place)
    return ask(session, place, paper_of(group), elsewhere_minor=elsewhere_minor)


def answer_questions(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    agreement_hash: str,
    answers: Mapping[str, Answer],
    now: datetime,
    actor_id: int | None,
    elsewhere_minor: int = 0,
) -> Answered:
    """A member answers the questions on their own exposure; every try is kept.

    All have to be right, to the cent. Who got one wrong is shown why and asked again. Locks the
    group. Raises GroupStepNotAllowed, NotInGroup, AgreementChanged, AlreadySigned.
    """
    group = locked(session, group_id, Step.UNDERSTAND)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    require_living(place)
    if place.status is GroupMemberStatus.SIGNED:
        raise AlreadySigned()
    _require_same_agreement(group, agreement_hash)
    answered = take_answers(
        session,
        group,
        place,
        paper_of(group),
        answers,
        elsewhere_minor=elsewhere_minor,
        now=now,
        actor_id=actor_id,
    )
    if answered.passed and place.understood_at is None:
        place.understood_at = now
    return answered


def sign(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    agreement_hash: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    elsewhere_minor: int = 0,
) -> Group:
    """A member who has shown to understand the agreement signs it, naming its hash.

    The signature keeps what they were shown: the most under this agreement, and what they stand
    for besides. The last one begins the cooling-off period. Locks the group. Raises
    GroupStepNotAllowed, NotInGroup, AgreementChanged, AlreadySigned, NotUnderstood, NotAMember.
    """
    group = locked(session, group_id, Step.SIGN)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    require_living(place)
    if place.status is GroupMemberStatus.SIGNED:
        raise AlreadySigned()
    _require_same_agreement(group, agreement_hash)
    take_signature(
        session,
        group,
        place,
        paper_of(group),
        elsewhere_minor=elsewhere_minor,
        now=now,
        actor_id=actor_id,
    )
    move(place, GroupMemberStatus.SIGNED)
    place.signed_at = now
    session.flush()  # whether all have signed is read from the rows
    living = queries.living_members(session, group_id)
    if all(other.status is GroupMemberStatus.SIGNED for other in living):
        assert group.agreement is not None
        # The days that the agreement says, not those of a charter adopted since.
        days = int(group.agreement["cooling_off_days"])
        take(group, Step.ALL_SIGNED)
        group.cooling_off_until = now + timedelta(days=days)
        note(session, group, "group.cooling_off", now, actor_id, days=days)
    return group


def step_back(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Group:
    """A member leaves a group that does not bind yet; nobody may hold them.

    Signatures of the others were given for another agreement: they are void, and the group forms
    again. After the cooling-off period nobody steps back any more. Locks the group. Raises
    NotInGroup, GroupStepNotAllowed, CoolingOffOver.
    """
    group = locked(session, group_id, Step.STEP_BACK)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    require_living(place)
    if group.cooling_off_until is not None and now >= group.cooling_off_until:
        raise CoolingOffOver(cooling_off_until=group.cooling_off_until.isoformat())
    move(place, GroupMemberStatus.LEFT)
    place.vote_for_id = None
    _form_again(session, group, Step.STEP_BACK)
    for other in queries.living_members(session, group_id):
        if other.vote_for_id == member_id:
            other.vote_for_id = None
    session.flush()  # the count reads the rows
    count_votes(session, group, on)
    note(session, group, "group.stepped_back", now, actor_id, member_id=member_id)
    return group


def reopen(
    session: Session, *, group_id: int, on: date, now: datetime, actor_id: int | None
) -> Group:
    """Return a group that is signing or cooling off to forming, to change who or how much.

    All signatures are void. Locks the group. Raises GroupStepNotAllowed.
    """
    group = locked(session, group_id, Step.REOPEN)
    _form_again(session, group, Step.REOPEN)
    session.flush()  # the count reads the rows
    count_votes(session, group, on)
    note(session, group, "group.reopened", now, actor_id)
    return group


def mark_active(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    overdue_ids: Collection[int] = (),
) -> Group:
    """The agreement binds from now on: the cooling-off period is over and all that it needs
    still holds.

    The mutual vouches are written by `trust.service.activate_group`, which calls this first and
    passes in who is overdue. Locks the group. Raises GroupStepNotAllowed, StillCoolingOff,
    GroupSizeNotMet, SameHousehold, SomebodyOverdue, SomebodyInactive, PromiseTooLong, CapTooHigh.
    """
    group = locked(session, group_id, Step.ACTIVATE)
    assert group.cooling_off_until is not None
    if now < group.cooling_off_until:
        raise StillCoolingOff(cooling_off_until=group.cooling_off_until.isoformat())
    community = communities.get_community_by_id(session, group.community_id)
    rules = communities.charter_on(session, group.community_id, on).rules
    cap = Money(group.pair_cap_minor, community.currency)
    check_terms(session, group.community_id, rules, cap, group.vouch_expires_on, on)
    living = queries.living_members(session, group_id)
    check_size(rules, len(living))
    check_members(session, group, living_ids(living), overdue_ids)
    take(group, Step.ACTIVATE)
    group.activated_at = now
    assert group.agreement is not None
    assert group.charter_version is not None
    bind(session, group, group.agreement, AgreementBasis.SIGNED, group.charter_version, now)
    clear_votes(living)
    note(
        session,
        group,
        "group.activated",
        now,
        actor_id,
        agreement_hash=group.agreement_hash,
        members=len(living),
    )
    return group


def dissolve(session: Session, *, group_id: int, now: datetime, actor_id: int | None) -> Group:
    """Give up a group that does not bind yet. Locks the group. Raises GroupStepNotAllowed."""
    group = locked(session, group_id, Step.GIVE_UP)
    for place, _ in queries.members_of(session, group_id):
        if place.status in queries.LIVING:
            move(place, GroupMemberStatus.LEFT)
        elif place.status is GroupMemberStatus.INVITED:
            move(place, GroupMemberStatus.DECLINED)
    take(group, Step.GIVE_UP)
    note(session, group, "group.dissolved", now, actor_id)
    return group


def require_no_group(session: Session, *, member_id: int) -> None:
    """Go on only if the member has no place in a group, anywhere. Raises StandsInGroup."""
    if queries.stands_in_a_group(session, member_id):
        raise StandsInGroup("Leave the group first, or move when it has ended.")


def _require_same_agreement(group: Group, given: str) -> None:
    if given != group.agreement_hash:
        raise AgreementChanged(agreement_hash=group.agreement_hash)


def _form_again(session: Session, group: Group, step: Step) -> None:
    take(group, step)
    group.agreement = group.agreement_hash = None
    group.charter_version = group.cooling_off_until = None
    for place in queries.living_members(session, group.id):
        if place.status is GroupMemberStatus.SIGNED:
            move(place, GroupMemberStatus.ACCEPTED)
        place.understood_at = place.signed_at = place.exposure_minor = None
