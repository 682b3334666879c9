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
from community.communities.charter import CharterRules
from community.errors import AmountOutOfRange, CurrencyMismatch
from community.groups import queries
from community.groups.agreement import (
    Signatory,
    agreement_document,
    agreement_hash,
    exposure_minor,
)
from community.groups.elections import elected
from community.groups.errors import (
    AgreementChanged,
    AlreadyInGroup,
    AlreadySigned,
    CapTooHigh,
    CoolingOffOver,
    GroupFull,
    GroupSizeNotMet,
    GroupStepNotAllowed,
    InAnotherGroup,
    NoLeader,
    NotACandidate,
    NotInGroup,
    NotInvited,
    NotUnderstood,
    PromiseTooLong,
    SameHousehold,
    SomebodyInactive,
    SomebodyOverdue,
    StandsInGroup,
    StillCoolingOff,
)
from community.groups.models import (
    Group,
    GroupMember,
    GroupMemberStatus,
    GroupStatus,
    UnderstandingAttempt,
)
from community.groups.understanding import (
    Answer,
    Question,
    Verdict,
    judge,
    passed,
    questions_for,
)
from community.ledger.events import record_event
from community.locks import lock_one
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.money import Money


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement: its hash, its facts (amounts in minor units), its text by language."""

    agreement_hash: str
    facts: dict[str, Any]
    text: dict[str, str]


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions that a member is to answer now, on the agreement of this hash."""

    agreement_hash: str
    attempt: int
    passed: bool
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a try: every verdict and, if it was not passed, the next questions."""

    passed: bool
    verdicts: tuple[Verdict, ...]
    again: Questionnaire | None


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
) -> Group:
    """An active member begins a group, states what each would stand for behind each other, and is
    its first member.

    Raises NotAMember, InAnotherGroup, CapTooHigh, PromiseTooLong, CurrencyMismatch.
    """
    communities.require_active(session, community_id=community_id, member_id=founder_id, hold=True)
    rules = communities.charter_on(session, community_id, on).rules
    _check_terms(session, community_id, rules, pair_cap, vouch_expires_on, on)
    _refuse_second_group(session, community_id, founder_id)
    group = Group(
        community_id=community_id,
        name=name,
        status=GroupStatus.FORMING,
        pair_cap_minor=pair_cap.amount_minor,
        vouch_expires_on=vouch_expires_on,
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
            status=GroupMemberStatus.ACCEPTED,
            invited_by_id=founder_id,
            invited_at=now,
        )
    )
    session.flush()  # a second group at the same time meets the unique index here
    _note(
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
    group = _locked(session, group_id, GroupStatus.FORMING)
    rules = communities.charter_on(session, group.community_id, on).rules
    currency = communities.get_community_by_id(session, group.community_id).currency
    cap = Money(group.pair_cap_minor, currency) if pair_cap is None else pair_cap
    end = vouch_expires_on or group.vouch_expires_on
    _check_terms(session, group.community_id, rules, cap, end, on)
    group.name = name or group.name
    group.pair_cap_minor, group.vouch_expires_on = cap.amount_minor, end
    _note(
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
    group = _locked(session, group_id, GroupStatus.FORMING)
    places = {place.member_id: place for place, _ in queries.members_of(session, group_id)}
    _require_living(places.get(inviter_id))
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
    place.status = GroupMemberStatus.INVITED
    place.invited_by_id, place.invited_at = inviter_id, now
    session.flush()  # a second invitation at the same time meets the unique constraint here
    _note(session, group, "group.invited", now, actor_id, member_id=member_id)
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
    group = _locked(session, group_id, GroupStatus.FORMING)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    if place.status is not GroupMemberStatus.INVITED:
        raise NotInvited(status=place.status.value)
    communities.require_active(
        session, community_id=group.community_id, member_id=member_id, hold=True
    )
    _refuse_second_group(session, group.community_id, member_id)
    living = queries.living_members(session, group_id)
    size_max = communities.charter_on(session, group.community_id, on).rules.group_size_max
    if len(living) >= size_max:
        raise GroupFull(f"The charter admits {size_max} members.", size_max=size_max)
    homes = members.households_of(session, [member_id, *(other.member_id for other in living)])
    home = homes[member_id]
    if home is not None and any(homes[other.member_id] == home for other in living):
        raise SameHousehold()
    place.status, place.household_id = GroupMemberStatus.ACCEPTED, home
    session.flush()  # a place in another group at the same time meets the unique index here
    _count_votes(session, group, on)
    _note(session, group, "group.accepted", now, actor_id, member_id=member_id)
    return place


def decline_invitation(
    session: Session, *, group_id: int, member_id: int, now: datetime, actor_id: int | None
) -> GroupMember:
    """An invited member says no. Locks the group. Raises NotInGroup, NotInvited."""
    group = _locked(session, group_id, GroupStatus.FORMING)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    if place.status is not GroupMemberStatus.INVITED:
        raise NotInvited(status=place.status.value)
    place.status = GroupMemberStatus.DECLINED
    _note(session, group, "group.declined", now, actor_id, member_id=member_id)
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
    an election ends with its result, and the next begins without votes. Locks the group. Raises
    NotInGroup, NotACandidate, GroupStepNotAllowed.
    """
    group = _locked(session, group_id, GroupStatus.FORMING, GroupStatus.ACTIVE)
    living = {place.member_id: place for place in queries.living_members(session, group_id)}
    _require_living(living.get(voter_id))
    if candidate_id not in living:
        raise NotACandidate(field="candidate")
    living[voter_id].vote_for_id = candidate_id
    session.flush()  # the count reads the rows
    if group.status is GroupStatus.FORMING:
        _count_votes(session, group, on)
    else:
        winner = elected({place.member_id: place.vote_for_id for place in living.values()})
        if winner is not None:
            _install_leader(session, group, winner, on)
            _clear_votes(living.values())
    # How somebody voted is nobody else's business: only the outcome is recorded.
    _note(session, group, "group.voted", now, actor_id=None, leader_id=group.leader_id)
    return group


def fix_agreement(
    session: Session,
    *,
    group_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    overdue_ids: Collection[int] = (),
) -> Group:
    """Close a forming group's membership and write down what everybody is to sign.

    `overdue_ids` are those of the members who are overdue anywhere on the platform, which a
    higher room knows. Open invitations lapse. Locks the group. Raises GroupStepNotAllowed,
    GroupSizeNotMet, NoLeader, SameHousehold, SomebodyOverdue, SomebodyInactive, PromiseTooLong,
    CapTooHigh.
    """
    group = _locked(session, group_id, GroupStatus.FORMING)
    community = communities.get_community_by_id(session, group.community_id)
    charter = communities.charter_on(session, group.community_id, on)
    rules = charter.rules
    cap = Money(group.pair_cap_minor, community.currency)
    _check_terms(session, group.community_id, rules, cap, group.vouch_expires_on, on)
    living = queries.living_members(session, group_id)
    _check_size(rules, len(living))
    if group.leader_id is None or group.leader_until_on is None:
        raise NoLeader()
    _check_members(session, group, living, overdue_ids)
    for place, _ in queries.members_of(session, group_id):
        if place.status is GroupMemberStatus.INVITED:
            place.status = GroupMemberStatus.DECLINED
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
        members=[Signatory(row.public_id, row.name) for row in rows.values()],
    )
    group.agreement_hash = agreement_hash(group.agreement)
    group.charter_version = charter.version
    group.status = GroupStatus.SIGNING
    for place in living:
        place.exposure_minor = exposure_minor(group.pair_cap_minor, len(living))
    _note(
        session,
        group,
        "group.agreement_fixed",
        now,
        actor_id,
        agreement_hash=group.agreement_hash,
        members=[row.public_id for row in rows.values()],
    )
    return group


def agreement_of(group: Group) -> Agreement:
    """The agreement that a group has fixed. Raises GroupStepNotAllowed while there is none."""
    if group.agreement is None or group.agreement_hash is None:
        raise GroupStepNotAllowed(
            "The agreement is not written down yet.", status=group.status.value
        )
    facts = dict(group.agreement)
    text: dict[str, str] = facts.pop("text")
    return Agreement(group.agreement_hash, facts, text)


def questionnaire(session: Session, *, group_id: int, member_id: int) -> Questionnaire:
    """The questions that a member is to answer on the agreement as it stands.

    Raises NotInGroup, GroupStepNotAllowed while there is no agreement.
    """
    group = queries.get_group_by_id(session, group_id)
    _require_status(group, GroupStatus.SIGNING, GroupStatus.COOLING_OFF, GroupStatus.ACTIVE)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    _require_living(place)
    return _questionnaire(session, group, place)


def answer_questions(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    agreement_hash: str,
    answers: Mapping[str, Answer],
    now: datetime,
    actor_id: int | None,
) -> Answered:
    """A member answers the questions on their own exposure; every try is kept.

    All have to be right, to the cent. Who got one wrong is shown why and asked again. Locks the
    group. Raises GroupStepNotAllowed, NotInGroup, AgreementChanged, AlreadySigned.
    """
    group = _locked(session, group_id, GroupStatus.SIGNING)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    _require_living(place)
    if place.status is GroupMemberStatus.SIGNED:
        raise AlreadySigned()
    _require_same_agreement(group, agreement_hash)
    asked = _questionnaire(session, group, place)
    verdicts = judge(asked.questions, answers)
    understood = passed(verdicts)
    session.add(
        UnderstandingAttempt(
            group_member_id=place.id,
            agreement_hash=asked.agreement_hash,
            questions={
                question.id: {"text": dict(question.text), "expected": _kept(question.expected)}
                for question in asked.questions
            },
            answers={question_id: _kept(given) for question_id, given in answers.items()},
            passed=understood,
            answered_at=now,
        )
    )
    if understood and place.understood_at is None:
        place.understood_at = now
    session.flush()  # the next questions depend on how many tries there were
    _note(
        session,
        group,
        "group.questions_answered",
        now,
        actor_id,
        member_id=member_id,
        attempt=asked.attempt,
        passed=understood,
    )
    again = None if understood else _questionnaire(session, group, place)
    return Answered(understood, verdicts, again)


def sign(
    session: Session,
    *,
    group_id: int,
    member_id: int,
    agreement_hash: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Group:
    """A member who has shown to understand the agreement signs it, naming its hash.

    The last signature begins the cooling-off period. Locks the group. Raises
    GroupStepNotAllowed, NotInGroup, AgreementChanged, AlreadySigned, NotUnderstood, NotAMember.
    """
    group = _locked(session, group_id, GroupStatus.SIGNING)
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    _require_living(place)
    if place.status is GroupMemberStatus.SIGNED:
        raise AlreadySigned()
    _require_same_agreement(group, agreement_hash)
    tries = queries.tries_so_far(session, group_member_id=place.id, agreement_hash=agreement_hash)
    if not any(tries):
        raise NotUnderstood(tries=len(tries))
    communities.require_active(
        session, community_id=group.community_id, member_id=member_id, hold=True
    )
    place.status, place.signed_at = GroupMemberStatus.SIGNED, now
    session.flush()  # whether all have signed is read from the rows
    _note(
        session,
        group,
        "group.signed",
        now,
        actor_id,
        member_id=member_id,
        agreement_hash=agreement_hash,
        exposure_minor=place.exposure_minor,
    )
    living = queries.living_members(session, group_id)
    if all(other.status is GroupMemberStatus.SIGNED for other in living):
        assert group.agreement is not None
        # The days that the agreement says, not those of a charter adopted since.
        days = int(group.agreement["cooling_off_days"])
        group.status = GroupStatus.COOLING_OFF
        group.cooling_off_until = now + timedelta(days=days)
        _note(session, group, "group.cooling_off", now, actor_id, days=days)
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
    group = _locked(
        session, group_id, GroupStatus.FORMING, GroupStatus.SIGNING, GroupStatus.COOLING_OFF
    )
    place = queries.get_place(session, group_id=group_id, member_id=member_id)
    _require_living(place)
    if group.cooling_off_until is not None and now >= group.cooling_off_until:
        raise CoolingOffOver(cooling_off_until=group.cooling_off_until.isoformat())
    place.status, place.vote_for_id = GroupMemberStatus.LEFT, None
    _form_again(session, group)
    for other in queries.living_members(session, group_id):
        if other.vote_for_id == member_id:
            other.vote_for_id = None
    session.flush()  # the count reads the rows
    _count_votes(session, group, on)
    _note(session, group, "group.stepped_back", now, actor_id, member_id=member_id)
    return group


def reopen(
    session: Session, *, group_id: int, on: date, now: datetime, actor_id: int | None
) -> Group:
    """Return a group that is signing or cooling off to forming, to change who or how much.

    All signatures are void. Locks the group. Raises GroupStepNotAllowed.
    """
    group = _locked(session, group_id, GroupStatus.SIGNING, GroupStatus.COOLING_OFF)
    _form_again(session, group)
    session.flush()  # the count reads the rows
    _count_votes(session, group, on)
    _note(session, group, "group.reopened", now, actor_id)
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
    group = _locked(session, group_id, GroupStatus.COOLING_OFF)
    assert group.cooling_off_until is not None
    if now < group.cooling_off_until:
        raise StillCoolingOff(cooling_off_until=group.cooling_off_until.isoformat())
    community = communities.get_community_by_id(session, group.community_id)
    rules = communities.charter_on(session, group.community_id, on).rules
    cap = Money(group.pair_cap_minor, community.currency)
    _check_terms(session, group.community_id, rules, cap, group.vouch_expires_on, on)
    living = queries.living_members(session, group_id)
    _check_size(rules, len(living))
    _check_members(session, group, living, overdue_ids)
    group.status, group.activated_at = GroupStatus.ACTIVE, now
    _clear_votes(living)
    _note(
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
    group = _locked(
        session, group_id, GroupStatus.FORMING, GroupStatus.SIGNING, GroupStatus.COOLING_OFF
    )
    for place, _ in queries.members_of(session, group_id):
        if place.status in queries.LIVING:
            place.status = GroupMemberStatus.LEFT
        elif place.status is GroupMemberStatus.INVITED:
            place.status = GroupMemberStatus.DECLINED
    group.status = GroupStatus.DISSOLVED
    _note(session, group, "group.dissolved", now, actor_id)
    return group


def require_no_group(session: Session, *, member_id: int) -> None:
    """Go on only if the member has no place in a group, anywhere. Raises StandsInGroup."""
    if queries.stands_in_a_group(session, member_id):
        raise StandsInGroup("Leave the group first, or move when it has ended.")


def _locked(session: Session, group_id: int, *allowed: GroupStatus) -> Group:
    group = lock_one(session, Group, group_id)
    _require_status(group, *allowed)
    return group


def _require_status(group: Group, *allowed: GroupStatus) -> None:
    if group.status not in allowed:
        raise GroupStepNotAllowed(
            f"The group is {group.status.value}.",
            status=group.status.value,
            allowed_in=[status.value for status in allowed],
        )


def _require_living(place: GroupMember | None) -> None:
    if place is None or place.status not in queries.LIVING:
        raise NotInGroup()


def _require_same_agreement(group: Group, given: str) -> None:
    if given != group.agreement_hash:
        raise AgreementChanged(agreement_hash=group.agreement_hash)


def _refuse_second_group(session: Session, community_id: int, member_id: int) -> None:
    other = queries.find_living_group(session, community_id=community_id, member_id=member_id)
    if other is not None:
        raise InAnotherGroup(group=other.public_id)


def _check_terms(
    session: Session,
    community_id: int,
    rules: CharterRules,
    pair_cap: Money,
    vouch_expires_on: date,
    on: date,
) -> None:
    currency = communities.get_community_by_id(session, community_id).currency
    if pair_cap.currency != currency:
        raise CurrencyMismatch(
            f"This community counts in {currency}.",
            expected=currency,
            given=pair_cap.currency,
            field="pair_cap",
        )
    if not pair_cap.is_positive:
        raise AmountOutOfRange("A promise is above zero.", field="pair_cap")
    if pair_cap.amount_minor > rules.vouch_minor_max:
        raise CapTooHigh(
            "The charter admits less for one promise.",
            field="pair_cap",
            maximum_minor=rules.vouch_minor_max,
            currency=currency,
        )
    latest = on + timedelta(days=rules.vouch_days_max)
    if not on < vouch_expires_on <= latest:
        raise PromiseTooLong(
            f"The charter admits promises that end after {on} and by {latest}.",
            field="vouch_expires_on",
            latest=latest.isoformat(),
        )


def _check_size(rules: CharterRules, size: int) -> None:
    if not rules.group_size_min <= size <= rules.group_size_max:
        raise GroupSizeNotMet(
            f"The group has {size} members; the charter asks for {rules.group_size_min} to "
            f"{rules.group_size_max}.",
            size=size,
            size_min=rules.group_size_min,
            size_max=rules.group_size_max,
        )


def _check_members(
    session: Session,
    group: Group,
    living: Sequence[GroupMember],
    overdue_ids: Collection[int],
) -> None:
    ids = [place.member_id for place in living]
    homes = members.households_of(session, ids)
    shared = [home for home in homes.values() if home is not None]
    if len(shared) != len(set(shared)):
        raise SameHousehold()
    away = communities.inactive(session, community_id=group.community_id, member_ids=ids)
    if away:
        names = members.names_of(session, away)
        raise SomebodyInactive(members=[names[member_id].public_id for member_id in away])
    # Who is late is not told to the others: they learn only that somebody is.
    if set(ids) & set(overdue_ids):
        raise SomebodyOverdue()


def _count_votes(session: Session, group: Group, on: date) -> None:
    living = queries.living_members(session, group.id)
    winner = elected({place.member_id: place.vote_for_id for place in living})
    if winner is None:
        group.leader_id = group.leader_until_on = None
    elif winner != group.leader_id:
        _install_leader(session, group, winner, on)


def _install_leader(session: Session, group: Group, leader_id: int, on: date) -> None:
    days = communities.charter_on(session, group.community_id, on).rules.leader_term_days
    group.leader_id = leader_id
    group.leader_until_on = on + timedelta(days=days)


def _clear_votes(places: Collection[GroupMember]) -> None:
    for place in places:
        place.vote_for_id = None


def _form_again(session: Session, group: Group) -> None:
    group.status = GroupStatus.FORMING
    group.agreement = group.agreement_hash = None
    group.charter_version = group.cooling_off_until = None
    for place in queries.living_members(session, group.id):
        place.status = GroupMemberStatus.ACCEPTED
        place.understood_at = place.signed_at = place.exposure_minor = None


def _questionnaire(session: Session, group: Group, place: GroupMember) -> Questionnaire:
    assert group.agreement is not None
    assert group.agreement_hash is not None
    tries = queries.tries_so_far(
        session, group_member_id=place.id, agreement_hash=group.agreement_hash
    )
    public_id = members.get_member_by_id(session, place.member_id).public_id
    return Questionnaire(
        agreement_hash=group.agreement_hash,
        attempt=len(tries),
        passed=any(tries),
        questions=questions_for(
            group.agreement,
            agreement_hash=group.agreement_hash,
            member_id=public_id,
            attempt=len(tries),
        ),
    )


def _kept(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Money):
        return {"amount_minor": answer.amount_minor, "currency": answer.currency}
    return {"choice": answer}


def _note(
    session: Session,
    group: Group,
    kind: str,
    now: datetime,
    actor_id: int | None,
    *,
    member_id: int | None = None,
    leader_id: int | None = None,
    **facts: Any,
) -> None:
    """Record a step of the group. Members stand in the record under their public ids."""
    group.version += 1
    named = {"member": member_id, "leader": leader_id}
    people = members.names_of(session, named.values())
    facts |= {
        role: people[person].public_id for role, person in named.items() if person is not None
    }
    record_event(
        session,
        community_id=group.community_id,
        kind=kind,
        subject=group.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
