"""Complaints (投诉): a number, an owner, a deadline; escalated when missed, reopened within bounds.

Who complains, who owns it now and the auditors read it. It is owned by neither the complainant nor
whom it is against, nor anybody of their households: an officer of the community, or the nearest one
above, with the fewest open complaints; where there is none, an operator.

Locks: the complainant, then the community, whose complaints are numbered without a gap; else the
complaint.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, ComplaintKind
from community.communities.models import Community
from community.errors import Invalid
from community.feedback.errors import (
    ComplaintClosed,
    ComplaintNotFound,
    ComplaintOpen,
    FeedbackExhausted,
    NotTheComplaintOwner,
    ReopeningOver,
)
from community.feedback.items import add_item, check_limit
from community.feedback.messages import tell
from community.feedback.models import (
    Complaint,
    ComplaintOutcome,
    ComplaintRole,
    ComplaintStatus,
    ComplaintStep,
    ItemKind,
    MessageKind,
    StepKind,
)
from community.ledger.events import record_event
from community.locks import lock, lock_one
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.members.models import Member, RoleGrant
from community.members.principal import Role

_KINDS = tuple(ComplaintKind)


def file(
    session: Session,
    *,
    community_id: int,
    complainant_id: int,
    kind: ComplaintKind,
    title: str,
    text: str,
    against_id: int | None,
    on: date,
    now: datetime,
) -> Complaint:
    """A member complains. Raises NotAMember, MemberNotFound, SaidAlready, FeedbackExhausted.

    What is chained names neither side: the chain has more readers than the complaint.
    """
    if against_id == complainant_id:
        raise Invalid("A complaint is against somebody else, or nobody.", field="against")
    lock_one(session, Member, complainant_id)
    community = lock_one(session, Community, community_id)
    communities.require_active(session, community_id=community_id, member_id=complainant_id)
    if against_id is not None and not _is_known(session, community, against_id):
        raise MemberNotFound()
    charter = communities.charter_on(session, community_id, on)
    check_limit(
        session,
        community_id,
        complainant_id,
        (ItemKind.COMPLAINT,),
        7,
        "complaint_per_week_max",
        charter.rules,
        on,
    )
    item = add_item(session, community_id, complainant_id, ItemKind.COMPLAINT, text, None, on)
    last = session.scalar(
        select(func.max(Complaint.number)).where(Complaint.community_id == community_id)
    )
    complaint = Complaint(
        community_id=community_id,
        number=(last or 0) + 1,
        item_id=item.id,
        complainant_id=complainant_id,
        kind=kind,
        title=title,
        against_id=against_id,
        owner_role=ComplaintRole.OFFICER,
        status=ComplaintStatus.OPEN,
        opened_on=on,
        due_on=on + _days(kind, charter.rules),
        charter_id=charter.charter_id,
        version=1,
        created_at=now,
    )
    _give(session, complaint, community, frozenset())
    session.add(complaint)
    session.flush()
    _step(session, complaint, StepKind.FILED, "", on, now, complainant_id)
    _tell_owner(session, complaint, on, 1)
    _record(session, complaint, "filed", None, now)
    return complaint


def reply(
    session: Session, *, complaint_id: int, text: str, on: date, now: datetime, actor_id: int
) -> Complaint:
    """The owner or the complainant writes; the other one is told.

    The complainant as often in a day as the charter admits items. Raises ComplaintClosed,
    FeedbackExhausted.
    """
    complaint = _locked(session, complaint_id, ComplaintStatus.OPEN)
    by_owner = _is_owners(complaint, actor_id)
    if not by_owner and actor_id != complaint.complainant_id:
        raise NotTheComplaintOwner()
    if not by_owner:
        _check_replies(session, complaint, on)
    number = _step(session, complaint, StepKind.REPLIED, text, on, now, actor_id)
    other = complaint.complainant_id if by_owner else complaint.owner_id
    _tell(session, complaint, MessageKind.COMPLAINT_REPLIED, other, number, on)
    complaint.version += 1
    return complaint


def close(
    session: Session,
    *,
    complaint_id: int,
    outcome: ComplaintOutcome,
    text: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> Complaint:
    """The owner says what it came to; who complained may only withdraw. Raises ComplaintClosed."""
    complaint = _locked(session, complaint_id, ComplaintStatus.OPEN)
    withdrawn = outcome is ComplaintOutcome.WITHDRAWN
    if withdrawn != (actor_id == complaint.complainant_id):
        raise NotTheComplaintOwner("The owner closes it; who complained may withdraw it.")
    if not withdrawn and not _is_owners(complaint, actor_id):
        raise NotTheComplaintOwner()
    complaint.status, complaint.outcome, complaint.closed_on = ComplaintStatus.CLOSED, outcome, on
    complaint.version += 1
    number = _step(session, complaint, StepKind.CLOSED, text, on, now, actor_id)
    rules = communities.charter_on(session, complaint.community_id, on).rules
    tell(
        session,
        community_id=complaint.community_id,
        member_ids=[complaint.complainant_id],
        kind=MessageKind.COMPLAINT_CLOSED,
        about=f"{complaint.public_id}:{number}",
        facts={
            "number": complaint.number,
            "outcome": outcome.value,
            "reopen_until": (on + timedelta(days=rules.complaint_reopen_days)).isoformat(),
        },
        on=on,
        complaint_id=complaint.id,
    )
    _record(session, complaint, "closed", None if withdrawn else actor_id, now)
    return complaint


def reopen(
    session: Session, *, complaint_id: int, text: str, on: date, now: datetime, actor_id: int
) -> Complaint:
    """Who complained is not content: somebody else looks at it, if there is anybody else.

    Raises ComplaintOpen, ReopeningOver.
    """
    complaint = _locked(session, complaint_id, None)
    if actor_id != complaint.complainant_id:
        raise NotTheComplaintOwner("Only who complained reopens it.")
    if complaint.closed_on is None:
        raise ComplaintOpen()
    rules = communities.charter_on(session, complaint.community_id, on).rules
    last_day = complaint.closed_on + timedelta(days=rules.complaint_reopen_days)
    if on > last_day or complaint.reopened_count >= rules.complaint_reopens_max:
        raise ReopeningOver(
            f"A complaint is reopened until {last_day}, and {rules.complaint_reopens_max} times.",
            last_day=last_day.isoformat(),
            reopens_max=rules.complaint_reopens_max,
            reopened=complaint.reopened_count,
        )
    before = complaint.owner_id
    complaint.status, complaint.outcome, complaint.closed_on = ComplaintStatus.OPEN, None, None
    complaint.reopened_count += 1
    complaint.due_on = on + _days(complaint.kind, rules)
    complaint.version += 1
    community = communities.get_community_by_id(session, complaint.community_id)
    role = complaint.owner_role
    _give(session, complaint, community, _only(before))
    if complaint.owner_id is None:
        complaint.owner_role = role
        _give(session, complaint, community, frozenset())
    number = _step(session, complaint, StepKind.REOPENED, text, on, now, actor_id)
    _tell_owner(session, complaint, on, number)
    _record(session, complaint, "reopened", None, now)
    return complaint


def to_move_on(
    session: Session, community_id: int, on: date, *, after_id: int, limit: int
) -> list[int]:
    """Open complaints that missed their day with somebody left to ask, or lost their owner."""
    path = communities.get_community_by_id(session, community_id).path_ids
    in_office = select(RoleGrant.member_id).where(
        RoleGrant.revoked_at.is_(None),
        RoleGrant.role.in_([Role.OFFICER, Role.OPERATOR]),
        or_(RoleGrant.community_id.is_(None), RoleGrant.community_id.in_(path)),
    )
    rows = session.scalars(
        select(Complaint.id)
        .where(
            Complaint.community_id == community_id,
            Complaint.id > after_id,
            Complaint.status == ComplaintStatus.OPEN,
            or_(
                and_(Complaint.due_on < on, Complaint.owner_role == ComplaintRole.OFFICER),
                Complaint.owner_id.is_(None),
                Complaint.owner_id.not_in(in_office),
            ),
        )
        .order_by(Complaint.id)
        .limit(limit)
    )
    return list(rows)


def move_on(
    session: Session, *, complaint_ids: Sequence[int], on: date, now: datetime
) -> tuple[int, int]:
    """Escalate what was not answered in time, hand over what nobody owns; of each how many.

    The step of the business day. Repeatable: a deadline that has moved is not missed again.
    """
    escalated = handed_over = 0
    for complaint in lock(session, Complaint, complaint_ids).values():
        if complaint.status is not ComplaintStatus.OPEN:
            continue
        rules = communities.charter_on(session, complaint.community_id, on).rules
        community = communities.get_community_by_id(session, complaint.community_id)
        before = complaint.owner_id
        is_late = complaint.due_on < on and complaint.owner_role is ComplaintRole.OFFICER
        if is_late:
            complaint.owner_role = ComplaintRole.OPERATOR
            complaint.due_on = on + _days(complaint.kind, rules)
        elif before in _in_office(session, complaint.community_id):
            continue
        _give(session, complaint, community, _only(before) if is_late else frozenset())
        if not is_late and complaint.owner_id == before:
            continue
        complaint.version += 1
        kind = StepKind.ESCALATED if is_late else StepKind.HANDED_OVER
        number = _step(session, complaint, kind, "", on, now, None)
        _tell_owner(session, complaint, on, number)
        if is_late:
            escalated += 1
            told = MessageKind.COMPLAINT_ESCALATED
            _tell(session, complaint, told, complaint.complainant_id, number, on)
        else:
            handed_over += 1
        _record(session, complaint, kind.value, None, now)
    return escalated, handed_over


def get_complaint(session: Session, public_id: str) -> Complaint:
    """The complaint of this public id. Raises ComplaintNotFound."""
    found = session.scalar(select(Complaint).where(Complaint.public_id == public_id))
    if found is None:
        raise ComplaintNotFound()
    return found


def list_complaints(
    community_id: int,
    *,
    reader_id: int,
    audits: bool,
    operates: bool,
    status: ComplaintStatus | None = None,
) -> Select[Complaint]:
    """A community's complaints for one reader: those they own; an auditor reads all.

    Never one that is against the reader. Page by Complaint.id.
    """
    query = select(Complaint).where(
        Complaint.community_id == community_id,
        or_(Complaint.against_id.is_(None), Complaint.against_id != reader_id),
    )
    if status is not None:
        query = query.where(Complaint.status == status)
    if audits:
        return query
    own = Complaint.owner_id == reader_id
    return query.where(or_(own, Complaint.owner_id.is_(None)) if operates else own)


def list_own_complaints(member_id: int) -> Select[Complaint]:
    """What a member complained of."""
    return select(Complaint).where(Complaint.complainant_id == member_id)


def steps_of(session: Session, complaint_id: int) -> Sequence[ComplaintStep]:
    """What happened to a complaint, in order."""
    return session.scalars(
        select(ComplaintStep)
        .where(ComplaintStep.complaint_id == complaint_id)
        .order_by(ComplaintStep.number)
    ).all()


def _give(
    session: Session, complaint: Complaint, community: Community, not_to: frozenset[int]
) -> None:
    """Find its owner; the role that they hold becomes that of the complaint."""
    beside = {complaint.complainant_id} | ({complaint.against_id} - {None})
    kept_out = not_to | _households(session, beside)
    roles = [ComplaintRole.OFFICER, ComplaintRole.OPERATOR]
    for role in roles[roles.index(complaint.owner_role) :]:
        for holders in _holders(session, community, role):
            free = set(holders) - kept_out
            if free:
                complaint.owner_role = role
                complaint.owner_id = _least_busy(session, free)
                return
    complaint.owner_role, complaint.owner_id = ComplaintRole.OPERATOR, None


def _holders(
    session: Session, community: Community, role: ComplaintRole
) -> Iterator[Sequence[int]]:
    """Who holds the role, nearest first."""
    if role is ComplaintRole.OFFICER:
        for place in (*reversed(community.path_ids), None):
            yield members.holders_of(session, role=Role.OFFICER, community_id=place)
    else:
        yield members.holders_of(session, role=Role.OPERATOR, community_id=None)


def _in_office(session: Session, community_id: int) -> set[int]:
    community = communities.get_community_by_id(session, community_id)
    return {
        holder
        for role in ComplaintRole
        for holders in _holders(session, community, role)
        for holder in holders
    }


def _households(session: Session, member_ids: Iterable[int | None]) -> frozenset[int]:
    """The members and whoever lives with them."""
    asked = sorted(member for member in member_ids if member is not None)
    homes = set(members.households_of(session, asked).values()) - {None}
    mates = session.scalars(select(Member.id).where(Member.household_id.in_(homes)))
    return frozenset(asked) | frozenset(mates)


def _least_busy(session: Session, candidates: set[int]) -> int:
    rows = session.execute(
        select(Complaint.owner_id, func.count())
        .where(Complaint.owner_id.in_(candidates), Complaint.status == ComplaintStatus.OPEN)
        .group_by(Complaint.owner_id)
    )
    busy = {row[0]: row[1] for row in rows}
    return min(candidates, key=lambda member: (busy.get(member, 0), member))


def _is_known(session: Session, community: Community, member_id: int) -> bool:
    """Whether a complaint of this community may be against the member: of it, or in its office."""
    own = communities.find_membership(session, community_id=community.id, member_id=member_id)
    return own is not None or member_id in _in_office(session, community.id)


def _is_owners(complaint: Complaint, actor_id: int) -> bool:
    # Without an owner it is for any operator, as the door to it says.
    return complaint.owner_id in (None, actor_id) and actor_id != complaint.complainant_id


def _check_replies(session: Session, complaint: Complaint, on: date) -> None:
    most = communities.charter_on(session, complaint.community_id, on).rules.feedback_per_day_max
    written = session.scalar(
        select(func.count())
        .select_from(ComplaintStep)
        .where(
            ComplaintStep.complaint_id == complaint.id,
            ComplaintStep.kind == StepKind.REPLIED,
            ComplaintStep.actor_id == complaint.complainant_id,
            ComplaintStep.acted_on == on,
        )
    )
    if (written or 0) >= most:
        raise FeedbackExhausted(
            f"The charter admits {most} replies of who complained in a day.",
            rule="feedback_per_day_max",
            most=most,
        )


def _locked(session: Session, complaint_id: int, status: ComplaintStatus | None) -> Complaint:
    complaint = lock_one(session, Complaint, complaint_id)
    if status is not None and complaint.status is not status:
        raise ComplaintClosed(outcome=complaint.outcome.value if complaint.outcome else None)
    return complaint


def _days(kind: ComplaintKind, rules: CharterRules) -> timedelta:
    return timedelta(days=rules.complaint_days[_KINDS.index(kind)])


def _only(member_id: int | None) -> frozenset[int]:
    return frozenset() if member_id is None else frozenset({member_id})


def _step(
    session: Session,
    complaint: Complaint,
    kind: StepKind,
    text: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    last = session.scalar(
        select(func.max(ComplaintStep.number)).where(ComplaintStep.complaint_id == complaint.id)
    )
    number = (last or 0) + 1
    session.add(
        ComplaintStep(
            complaint_id=complaint.id,
            number=number,
            kind=kind,
            text=text,
            owner_id=complaint.owner_id,
            acted_on=on,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    session.flush()
    return number


def _tell_owner(session: Session, complaint: Complaint, on: date, number: int) -> None:
    _tell(session, complaint, MessageKind.COMPLAINT_ASSIGNED, complaint.owner_id, number, on)


def _tell(
    session: Session,
    complaint: Complaint,
    kind: MessageKind,
    member_id: int | None,
    number: int,
    on: date,
) -> None:
    if member_id is None:
        return
    tell(
        session,
        community_id=complaint.community_id,
        member_ids=[member_id],
        kind=kind,
        about=f"{complaint.public_id}:{number}",
        facts={"number": complaint.number, "due_on": complaint.due_on.isoformat()},
        on=on,
        complaint_id=complaint.id,
    )


def _record(
    session: Session, complaint: Complaint, what: str, actor_id: int | None, now: datetime
) -> None:
    record_event(
        session,
        community_id=complaint.community_id,
        kind=f"complaint.{what}",
        subject=complaint.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "number": complaint.number,
            "role": complaint.owner_role.value,
            "due_on": complaint.due_on.isoformat(),
        }
        | ({"outcome": complaint.outcome.value} if complaint.outcome else {}),
    )
