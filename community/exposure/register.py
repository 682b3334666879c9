"""The register of what a member could owe for others: groups, vouches, second hops, shared lines.

Four figures of each promise, from the surest to the widest: what is called, what is reserved, what
would fall on the member if everyone they stand behind failed, and what they signed for at most.
The number of statements is the same whatever the number of promises.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sqlalchemy import Row, Select, and_, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from community.communities import queries as communities
from community.communities.charter import GuaranteeBase, LiabilityMode, RiskClass
from community.exposure.fallout import Backing, fallout
from community.groups.models import Group
from community.guarantees.cover import PENDING
from community.guarantees.models import Call, CallLine, CallStatus, CoverLine, Guarantee
from community.guarantees.plan import HeldLine
from community.lines.models import CreditLine
from community.loans.models import Loan
from community.members.models import Member
from community.members.queries import Named
from community.portfolio.models import LoanClass
from community.trust.models import Standing, Vouch, VouchKind, VouchStatus
from community.trust.promise_checks import bases_of, most_on, still_stands
from community.trust.worth import StandingFacts

_HELD = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor


@dataclass(frozen=True, slots=True)
class GroupNamed:
    """A group by id and name."""

    public_id: str
    name: str


@dataclass(frozen=True, slots=True)
class LoanPart:
    """What of one loan rests on a promise."""

    loan: str
    borrower: Named
    currency: str
    second_hop: bool  # by way of whom the promise is for
    mode: LiabilityMode
    shared_line: str | None  # the credit line that the loan draws on
    reserved_minor: int
    called_minor: int
    if_all_fail_minor: int
    if_at_risk_fail_minor: int
    if_nobody_else_pays_minor: int


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One promise: for whom, how much was signed, what is left of it, what could be asked on it."""

    vouch: str
    kind: VouchKind
    status: VouchStatus
    group: GroupNamed | None
    borrower: Named
    borrower_at_risk: bool
    expires_on: date
    currency: str
    signed_minor: int
    paid_minor: int
    most_minor: int
    reserved_minor: int
    called_minor: int
    if_all_fail_minor: int
    if_at_risk_fail_minor: int
    if_nobody_else_pays_minor: int
    loans: tuple[LoanPart, ...]


@dataclass(frozen=True, slots=True)
class RuleSource:
    """A rule of the charter, as it stands there."""

    rule: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Register:
    """All that a member could owe for others in one community on a day."""

    currency: str
    on: date
    most_minor: int
    reserved_minor: int
    called_minor: int
    if_all_fail_minor: int
    if_at_risk_fail_minor: int
    if_nobody_else_pays_minor: int
    count: int
    base_kind: GuaranteeBase
    base_minor: int
    ratio_bps: int | None
    allowed_minor: int | None
    charter_version: int
    rules: tuple[RuleSource, ...]
    lines: tuple[RegisterLine, ...]


CAP_RULES = (
    "guarantees_count_max",
    "guarantee_ratio_bps_max",
    "guarantee_base",
    "guarantee_warning_bps",
    "voucher_bound_bps",
)
_RISK_RULES = ("at_risk_days", "at_risk_from")


def register_of(session: Session, *, community_id: int, member_id: int, on: date) -> Register:
    """What a member could owe for others in a community, promise by promise. Raises NoCharter."""
    charter = communities.charter_on(session, community_id, on)
    currency = communities.get_community_by_id(session, community_id).currency
    at_risk = members_at_risk(session, community_id=community_id, on=on)
    promises = session.execute(_promises(community_id, member_id, on)).all()
    parts = _parts_by_vouch(
        session,
        community_id,
        member_id,
        on=on,
        currency=currency,
        behind={row.borrower_id for row in promises},
        at_risk=at_risk,
    )
    lines = tuple(_line(row, parts.get(row.id, ()), currency, at_risk) for row in promises)
    base = bases_of(session, community_id, [member_id], charter, on)[member_id]
    most = sum(line.most_minor for line in lines)
    ratio = charter.rules.guarantee_ratio_bps_max
    return Register(
        currency=currency,
        on=on,
        most_minor=most,
        reserved_minor=sum(line.reserved_minor for line in lines),
        called_minor=sum(line.called_minor for line in lines),
        if_all_fail_minor=sum(line.if_all_fail_minor for line in lines),
        if_at_risk_fail_minor=sum(line.if_at_risk_fail_minor for line in lines),
        if_nobody_else_pays_minor=sum(line.if_nobody_else_pays_minor for line in lines),
        count=len({line.borrower.public_id for line in lines if line.most_minor}),
        base_kind=charter.rules.guarantee_base,
        base_minor=base,
        ratio_bps=-(-most * 10_000 // base) if base else None,
        allowed_minor=base * ratio // 10_000 if ratio else None,
        charter_version=charter.version,
        rules=rule_sources(session, charter.charter_id, (*CAP_RULES, *_RISK_RULES)),
        lines=lines,
    )


def rule_sources(session: Session, charter_id: int, names: Iterable[str]) -> tuple[RuleSource, ...]:
    """These rules as the charter gives them, with their sources."""
    document = communities.get_charter_document(session, charter_id)
    return tuple(
        RuleSource(name, document[name]["value"], document[name]["source"]) for name in names
    )


def members_at_risk(session: Session, *, community_id: int, on: date) -> frozenset[int]:
    """Who is late for longer than the charter's days, or has a loan of its class or a worse one."""
    rules = communities.charter_on(session, community_id, on).rules
    tiers = list(RiskClass)
    bad = tiers[tiers.index(rules.at_risk_from) :]
    late = select(Standing.member_id).where(
        Standing.community_id == community_id,
        Standing.overdue_since_on < on - timedelta(days=rules.at_risk_days),
    )
    classed = (
        select(Loan.borrower_id)
        .join(LoanClass, LoanClass.loan_id == Loan.id)
        .where(
            LoanClass.community_id == community_id,
            LoanClass.left_on.is_(None),
            LoanClass.risk_class.in_(bad),
        )
    )
    return frozenset(session.scalars(union(late, classed)))


def _promises(community_id: int, member_id: int, on: date) -> Select[*tuple[object, ...]]:
    return (
        select(
            Vouch.id,
            Vouch.public_id,
            Vouch.kind,
            Vouch.status,
            Vouch.borrower_id,
            Vouch.limit_minor,
            Vouch.reserved_minor,
            Vouch.spent_minor,
            Vouch.expires_on,
            most_on(on).label("most_minor"),
            Member.public_id.label("who"),
            Member.name,
            Group.public_id.label("group_public_id"),
            Group.name.label("group_name"),
        )
        .join(Member, Member.id == Vouch.borrower_id)
        .outerjoin(Group, Group.id == Vouch.group_id)
        .where(Vouch.community_id == community_id, Vouch.voucher_id == member_id, still_stands())
        .order_by(Vouch.id)
    )


@dataclass(slots=True)
class _Covered:
    """One loan that rests on the member's promises, with all its lines."""

    row: Row[*tuple[object, ...]]
    backing: Backing
    promises: dict[int, int] = field(default_factory=dict)  # direct guarantor → vouch
    lines: list[Row[*tuple[object, ...]]] = field(default_factory=list)


def _parts_by_vouch(
    session: Session,
    community_id: int,
    member_id: int,
    *,
    on: date,
    currency: str,
    behind: set[int],
    at_risk: frozenset[int],
) -> dict[int, list[LoanPart]]:
    """What of which loan rests on each of a member's promises: three statements."""
    concerned = _concerned(community_id, member_id)
    caps = {
        (loan_id, guarantor_id): left
        for loan_id, guarantor_id, left in session.execute(
            select(
                Guarantee.loan_id,
                Guarantee.guarantor_id,
                Guarantee.cap_minor - Guarantee.paid_minor,
            ).where(Guarantee.loan_id.in_(concerned))
        )
    }
    called, lapsed = _calls(session, concerned, member_id)
    covered: dict[int, _Covered] = {}
    for row in session.execute(_lines(community_id, concerned)):
        loan = covered.get(row.loan_id)
        if loan is None:
            mode = LiabilityMode(row.mode)
            loan = covered[row.loan_id] = _Covered(row, Backing(row.borrower_id, mode, ()))
        loan.lines.append(row)
    for loan_id, loan in covered.items():
        _fill(loan, loan_id, caps, lapsed, on)
    behind |= {loan.backing.borrower_id for loan in covered.values()}
    found: dict[int, list[LoanPart]] = {}
    for loan in covered.values():
        for vouch_id, part in _of_loan(
            loan,
            member_id,
            called,
            currency,
            (behind.__contains__, at_risk.__contains__, lambda _: True),
        ):
            found.setdefault(vouch_id, []).append(part)
    return found


def _concerned(community_id: int, member_id: int) -> Select[int]:
    """The loans of which something is held on a promise of the member."""
    mine = and_(
        Vouch.community_id == community_id,
        Vouch.voucher_id == member_id,
        Vouch.reserved_minor > 0,
    )
    return union(
        *(
            select(CoverLine.loan_id).join(Vouch, Vouch.id == side).where(mine, _HELD > 0)
            for side in (CoverLine.inner_vouch_id, CoverLine.outer_vouch_id)
        )
    )  # type: ignore[return-value]


def _lines(community_id: int, concerned: Select[int]) -> Select[*tuple[object, ...]]:
    inner, outer = aliased(Vouch), aliased(Vouch)
    owner, near = aliased(Standing), aliased(Standing)
    return (
        select(
            CoverLine.id,
            CoverLine.loan_id,
            _HELD.label("held_minor"),
            CoverLine.inner_vouch_id,
            CoverLine.outer_vouch_id,
            owner.member_id.label("owner_id"),
            inner.voucher_id.label("direct_id"),
            inner.status.label("inner_status"),
            (inner.limit_minor - inner.reserved_minor - inner.spent_minor).label("inner_room"),
            outer.voucher_id.label("outer_id"),
            near.id.label("near_id"),
            near.stake_minor,
            near.assessed_minor,
            near.assessed_until_on,
            near.reserved_minor.label("near_reserved_minor"),
            near.overdue_since_on,
            Loan.public_id.label("loan"),
            Loan.borrower_id,
            Loan.terms["product"]["liability_mode"].as_string().label("mode"),
            Member.public_id.label("who"),
            Member.name,
            CreditLine.public_id.label("shared_line"),
        )
        .join(Loan, Loan.id == CoverLine.loan_id)
        .join(Member, Member.id == Loan.borrower_id)
        .join(owner, owner.id == CoverLine.standing_id)
        .outerjoin(inner, inner.id == CoverLine.inner_vouch_id)
        .outerjoin(outer, outer.id == CoverLine.outer_vouch_id)
        .outerjoin(
            near, and_(near.community_id == community_id, near.member_id == inner.voucher_id)
        )
        .outerjoin(CreditLine, CreditLine.id == Loan.line_id)
        .where(CoverLine.loan_id.in_(concerned))
        .order_by(CoverLine.loan_id, CoverLine.id)
    )


def _calls(
    session: Session, concerned: Select[int], member_id: int
) -> tuple[dict[int, int], set[tuple[int, int]]]:
    """What is asked of the member by cover line; which guarantor of which loan let a call lapse."""
    rows = session.execute(
        select(
            Call.loan_id,
            Call.guarantor_id,
            Call.status,
            CallLine.cover_line_id,
            func.sum(CallLine.amount_minor - CallLine.paid_minor - CallLine.moved_minor),
        )
        .join(CallLine, CallLine.call_id == Call.id)
        .where(
            Call.loan_id.in_(concerned),
            or_(Call.status == CallStatus.LAPSED, Call.guarantor_id == member_id),
        )
        .group_by(Call.loan_id, Call.guarantor_id, Call.status, CallLine.cover_line_id)
    )
    asked: dict[int, int] = {}
    lapsed = set()
    for loan_id, guarantor_id, status, line_id, left in rows:
        if status is CallStatus.LAPSED:
            lapsed.add((loan_id, guarantor_id))
        elif status in PENDING and left:
            asked[line_id] = asked.get(line_id, 0) + int(left)
    return asked, lapsed


def _fill(
    loan: _Covered,
    loan_id: int,
    caps: dict[tuple[int, int], int],
    lapsed: set[tuple[int, int]],
    on: date,
) -> None:
    """The loan's lines as a plan sees them, and each direct guarantor's room beyond them."""
    held = tuple(
        HeldLine(row.id, row.owner_id, row.direct_id, row.outer_id, row.held_minor)
        for row in loan.lines
        if row.held_minor
    )
    rooms: dict[int, int] = {}
    for row in sorted(loan.lines, key=lambda row: row.inner_vouch_id or 0):
        direct = row.direct_id
        if direct is None or direct in loan.promises:
            continue
        loan.promises[direct] = row.inner_vouch_id
        if row.near_id is None or (loan_id, direct) in lapsed:
            continue
        if row.inner_status is not VouchStatus.LIVE:
            continue
        facts = StandingFacts(
            row.near_id,
            direct,
            row.stake_minor,
            row.assessed_minor,
            row.assessed_until_on,
            row.near_reserved_minor,
            row.overdue_since_on,
        )
        answers = sum(line.held_minor for line in held if line.direct_id == direct)
        answers += sum(line.held_minor for line in held if line.outer_id == direct)
        rooms[direct] = min(
            row.inner_room, facts.free_on(on), caps.get((loan_id, direct), 0) - answers
        )
    loan.backing = replace(loan.backing, lines=held, rooms=rooms)


def _of_loan(
    loan: _Covered,
    member_id: int,
    called: dict[int, int],
    currency: str,
    cases: tuple[Callable[[int], bool], ...],
) -> Iterable[tuple[int, LoanPart]]:
    falls = [fallout(loan.backing, member_id, fails) for fails in cases]
    sides: dict[tuple[int, bool], list[Row[*tuple[object, ...]]]] = {}
    for row in loan.lines:
        if row.direct_id == member_id:
            sides.setdefault((row.inner_vouch_id, False), []).append(row)
        if row.outer_id == member_id:
            sides.setdefault((row.outer_vouch_id, True), []).append(row)
    for (vouch_id, second_hop), rows in sides.items():
        # Others' shares are asked on the member's promise to the borrower.
        takes = not second_hop and loan.promises.get(member_id) == vouch_id
        each = [
            sum(found.lines.get(row.id, 0) for row in rows) + (found.across_minor if takes else 0)
            for found in falls
        ]
        reserved = sum(row.held_minor for row in rows)
        if not reserved and not any(each):
            continue
        yield (
            vouch_id,
            LoanPart(
                loan=loan.row.loan,
                borrower=Named(loan.row.borrower_id, loan.row.who, loan.row.name),
                currency=currency,
                second_hop=second_hop,
                mode=loan.backing.mode,
                shared_line=loan.row.shared_line,
                reserved_minor=reserved,
                called_minor=sum(called.get(row.id, 0) for row in rows),
                if_all_fail_minor=each[0],
                if_at_risk_fail_minor=each[1],
                if_nobody_else_pays_minor=each[2],
            ),
        )


def _line(
    row: Row[*tuple[object, ...]],
    parts: Iterable[LoanPart],
    currency: str,
    at_risk: frozenset[int],
) -> RegisterLine:
    loans = tuple(parts)
    group = None
    if row.group_public_id is not None:
        group = GroupNamed(row.group_public_id, row.group_name)
    return RegisterLine(
        vouch=row.public_id,
        kind=row.kind,
        status=row.status,
        group=group,
        borrower=Named(row.borrower_id, row.who, row.name),
        borrower_at_risk=row.borrower_id in at_risk,
        expires_on=row.expires_on,
        currency=currency,
        signed_minor=row.limit_minor,
        paid_minor=row.spent_minor,
        most_minor=row.most_minor,
        reserved_minor=row.reserved_minor,
        called_minor=sum(part.called_minor for part in loans),
        if_all_fail_minor=sum(part.if_all_fail_minor for part in loans),
        if_at_risk_fail_minor=sum(part.if_at_risk_fail_minor for part in loans),
        if_nobody_else_pays_minor=sum(part.if_nobody_else_pays_minor for part in loans),
        loans=loans,
    )
