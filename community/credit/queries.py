"""What is known of borrowers, read for many at once: a fixed number of statements."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from community.communities.charter import CharterRules
from community.credit.limits import BorrowerFacts, Capacity
from community.credit.stagger import Stagger
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.groups.queries import is_led_by
from community.guarantees.models import OPEN_MINOR, Claim, ClaimGround
from community.loans.models import Instalment, Loan, LoanStatus, Repayment, RepaymentSource
from community.loans.states import DISBURSED
from community.trust.models import Standing
from community.trust.queries import capacities_on

_PART = 5_000


@dataclass(slots=True)
class _Gathered:
    owed: dict[int, int] = field(default_factory=dict)
    recourse: dict[int, int] = field(default_factory=dict)
    repaid: dict[int, int] = field(default_factory=dict)
    overdue: dict[int, date] = field(default_factory=dict)
    late_peers: dict[int, int] = field(default_factory=dict)
    staggers: dict[int, Stagger] = field(default_factory=dict)
    short_groups: dict[int, int] = field(default_factory=dict)


def borrower_facts(
    session: Session,
    *,
    community_id: int,
    member_ids: Collection[int] | None,
    on: date,
    rules: CharterRules | None = None,
) -> dict[int, BorrowerFacts]:
    """What members owe, have repaid, are late with and were assessed for in a community.

    With rules that stagger lending also where their groups are.

    Given ids all have an answer; None reads everybody of whom something is known.
    """
    found = _Gathered()
    for part in _parts(member_ids):
        _gather(session, community_id, part, found)
        if rules is not None and rules.stagger_instalments_min:
            _gather_staggers(session, community_id, part, on, rules, found)
    capacities = capacities_on(session, community_id=community_id, member_ids=member_ids, on=on)
    if member_ids is None:
        everybody: set[int] = set().union(
            found.owed,
            found.recourse,
            found.repaid,
            found.overdue,
            found.late_peers,
            found.staggers,
            found.short_groups,
            capacities,
        )
    else:
        everybody = set(member_ids)
    facts = {}
    for member_id in sorted(everybody):
        capacity = capacities.get(member_id)
        recourse = found.recourse.get(member_id, 0)
        facts[member_id] = BorrowerFacts(
            owed_minor=found.owed.get(member_id, 0) + recourse,
            recourse_minor=recourse,
            loans_repaid=found.repaid.get(member_id, 0),
            overdue_since_on=found.overdue.get(member_id),
            late_peers=found.late_peers.get(member_id, 0),
            stagger=found.staggers.get(member_id),
            short_groups=found.short_groups.get(member_id, 0),
            capacity=None
            if capacity is None
            else Capacity(
                capacity.public_id,
                capacity.amount_minor - capacity.used_minor,
                capacity.expires_on,
            ),
        )
    return facts


def _gather(session: Session, community_id: int, ids: list[int] | None, found: _Gathered) -> None:
    principal = case(
        (Loan.status == LoanStatus.APPROVED, Loan.principal_minor),
        else_=Loan.outstanding_minor + Loan.written_off_minor,
    )
    # A loan that the borrower repaid is a step up: nobody was called, and no money on it was
    # somebody else's, which counts for nobody's record.
    others_money = (
        select(Repayment.id)
        .where(
            Repayment.loan_id == Loan.id,
            Repayment.source != RepaymentSource.BORROWER,
            Repayment.reversed_on.is_(None),
            # What went beyond the debt repaid nothing.
            Repayment.principal_minor
            + Repayment.interest_minor
            + Repayment.fee_minor
            + Repayment.penalty_minor
            > 0,
        )
        .exists()
    )
    repaid = case(
        (and_(Loan.status == LoanStatus.CLOSED, Loan.called_on.is_(None), ~others_money), 1),
        else_=0,
    )
    loans = (
        select(Loan.borrower_id, func.sum(principal), func.sum(repaid))
        .where(
            Loan.community_id == community_id,
            Loan.status.in_([LoanStatus.APPROVED, *DISBURSED]),
        )
        .group_by(Loan.borrower_id)
    )
    for member_id, owed, steps in session.execute(_of(loans, Loan.borrower_id, ids)):
        found.owed[member_id] = int(owed)
        found.repaid[member_id] = int(steps)
    recovered = (
        select(Loan.borrower_id, func.sum(Repayment.recovered_minor))
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(Loan.community_id == community_id, Loan.status == LoanStatus.WRITTEN_OFF)
        .group_by(Loan.borrower_id)
    )
    for member_id, back in session.execute(_of(recovered, Loan.borrower_id, ids)):
        found.owed[member_id] -= int(back)
    # To whomever: whoever paid, or whoever has taken the claim over since.
    claims = (
        select(Claim.debtor_id, func.sum(OPEN_MINOR))
        .join(Loan, Loan.id == Claim.loan_id)
        .where(
            Loan.community_id == community_id,
            Claim.ground == ClaimGround.BORROWER,
            OPEN_MINOR > 0,
        )
        .group_by(Claim.debtor_id)
    )
    for member_id, open_minor in session.execute(_of(claims, Claim.debtor_id, ids)):
        found.recourse[member_id] = int(open_minor)
    overdue = (
        select(Standing.member_id, func.min(Standing.overdue_since_on))
        .where(Standing.overdue_since_on.is_not(None))
        .group_by(Standing.member_id)
    )
    for member_id, since_on in session.execute(_of(overdue, Standing.member_id, ids)):
        found.overdue[member_id] = since_on
    _gather_peers(session, community_id, ids, found)


def _gather_peers(
    session: Session, community_id: int, ids: list[int] | None, found: _Gathered
) -> None:
    peer = aliased(GroupMember)
    late = (
        select(GroupMember.member_id, func.count(func.distinct(peer.member_id)))
        .join(Group, Group.id == GroupMember.group_id)
        .join(peer, and_(peer.group_id == Group.id, peer.member_id != GroupMember.member_id))
        .join(Standing, Standing.member_id == peer.member_id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            GroupMember.status == GroupMemberStatus.SIGNED,
            peer.status == GroupMemberStatus.SIGNED,
            Standing.overdue_since_on.is_not(None),
        )
        .group_by(GroupMember.member_id)
    )
    for member_id, count in session.execute(_of(late, GroupMember.member_id, ids)):
        found.late_peers[member_id] = int(count)
    short = (
        select(GroupMember.member_id, func.count())
        .join(Group, Group.id == GroupMember.group_id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            Group.short_since_on.is_not(None),
            GroupMember.status == GroupMemberStatus.SIGNED,
        )
        .group_by(GroupMember.member_id)
    )
    for member_id, count in session.execute(_of(short, GroupMember.member_id, ids)):
        found.short_groups[member_id] = int(count)


def _gather_staggers(
    session: Session,
    community_id: int,
    ids: list[int] | None,
    on: date,
    rules: CharterRules,
    found: _Gathered,
) -> None:
    """Who of each active group has begun to borrow, in which order, and who has shown."""
    signed = (
        select(Group, GroupMember.member_id)
        .join(GroupMember, GroupMember.group_id == Group.id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            GroupMember.status == GroupMemberStatus.SIGNED,
        )
        .order_by(GroupMember.member_id)
    )
    if ids is not None:
        own = select(GroupMember.group_id).where(GroupMember.member_id.in_(ids))
        signed = signed.where(Group.id.in_(own))
    groups: dict[int, Group] = {}
    people: dict[int, list[int]] = {}
    for group, member_id in session.execute(signed):
        groups[group.id] = group
        people.setdefault(group.id, []).append(member_id)
    group_of = {member: group_id for group_id, members in people.items() for member in members}
    paid = (
        select(func.count())
        .where(
            Instalment.loan_id == Loan.id,
            Instalment.due_minor > 0,
            Instalment.paid_minor == Instalment.due_minor,
        )
        .scalar_subquery()
    )
    begun: dict[int, dict[int, bool]] = {}
    for part in _parts(group_of):
        rows = session.execute(
            select(Loan.borrower_id, Loan.approved_at, Loan.status, paid)
            .where(
                Loan.community_id == community_id,
                Loan.borrower_id.in_(part or []),
                Loan.status.in_([LoanStatus.APPROVED, *DISBURSED]),
            )
            .order_by(Loan.approved_at, Loan.id)
        )
        for borrower_id, approved_at, status, count in rows:
            group = groups[group_of[borrower_id]]
            if group.activated_at is not None and approved_at < group.activated_at:
                continue
            shown = status is LoanStatus.CLOSED or (
                status not in (LoanStatus.CALLED, LoanStatus.WRITTEN_OFF)
                and count >= rules.stagger_instalments_min
            )
            theirs = begun.setdefault(group.id, {})
            theirs[borrower_id] = theirs.get(borrower_id, False) or shown
    for group_id, members in people.items():
        theirs = begun.get(group_id, {})
        for member_id in members:
            if ids is None or member_id in ids:
                found.staggers[member_id] = Stagger(
                    size=len(members),
                    leads=is_led_by(groups[group_id], on) == member_id,
                    has_begun=member_id in theirs,
                    shown=tuple(shown for who, shown in theirs.items() if who != member_id),
                )


def _of(statement: Any, column: Any, ids: list[int] | None) -> Any:
    return statement if ids is None else statement.where(column.in_(ids))


def _parts(ids: Collection[int] | None) -> Iterable[list[int] | None]:
    if ids is None:
        yield None
        return
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _PART):
        yield ordered[start : start + _PART]
