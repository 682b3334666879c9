"""A member's profile in one community: figures, each with the rows, the span and the rule it is of.

Only what the viewer sees is read at all; the number of statements does not grow with the rows.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from community.communities import queries as communities
from community.communities.queries import CharterInForce
from community.errors import Invalid
from community.exposure.register import RuleSource, register_of, rule_sources
from community.groups.models import Group, GroupMember, GroupStatus
from community.groups.queries import LIVING, is_led_by
from community.guarantees.models import CoverLine
from community.loans.models import GroupLoan, Instalment, Loan, Repayment, RepaymentSource
from community.loans.states import DISBURSED
from community.members.queries import Named, names_of
from community.money import Money
from community.monitoring.models import (
    Attendance,
    AttendanceKind,
    Meeting,
    MeetingStatus,
    Promise,
    Visit,
    VisitRound,
    VisitStatus,
)
from community.monitoring.signals import paid_on_promise
from community.profiles.relations import Figure, Relation, Scope, seen_by
from community.profiles.rhythm import Paid, late_bands, meet, rhythm_of
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.savings.queries import balances
from community.trust.models import Vouch, VouchKind, VouchStatus
from community.trust.promise_checks import still_stands
from community.trust.queries import standing_of
from community.vouching.records import records_of


@dataclass(frozen=True, slots=True)
class Seen:
    """One figure as it is shown: its values, and where they are from."""

    figure: Figure
    scopes: frozenset[Scope]
    values: Mapping[str, Any]
    rows: Mapping[str, int]  # tables, and how many rows of each it is worked out from
    from_on: date | None
    until_on: date
    rules: tuple[RuleSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What one viewer sees of a member in a community."""

    member: Named
    community: str
    currency: str
    on: date
    since_on: date
    relations: frozenset[Relation]
    charter_version: int
    figures: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Ties:
    """What binds a viewer to a member in a community: groups that they lead, promises."""

    group_ids: frozenset[int]
    is_voucher: bool
    is_backed: bool

    @property
    def relations(self) -> frozenset[Relation]:
        found = {
            Relation.LEADER: bool(self.group_ids),
            Relation.VOUCHER: self.is_voucher,
            Relation.BACKED: self.is_backed,
        }
        return frozenset(relation for relation, holds in found.items() if holds)


def ties_between(
    session: Session, *, community_id: int, member_id: int, viewer_id: int, on: date
) -> Ties:
    """What binds the two: active groups of the member that the viewer leads, accepted promises."""
    if member_id == viewer_id:
        return Ties(frozenset(), is_voucher=False, is_backed=False)
    groups = session.scalars(
        select(Group)
        .join(GroupMember, GroupMember.group_id == Group.id)
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            GroupMember.member_id == member_id,
            GroupMember.status.in_(LIVING),
        )
    )
    led = frozenset(group.id for group in groups if is_led_by(group, on) == viewer_id)
    pair = {viewer_id, member_id}
    vouchers = set(
        session.scalars(
            select(Vouch.voucher_id).where(
                Vouch.community_id == community_id,
                Vouch.voucher_id.in_(pair),
                Vouch.borrower_id.in_(pair),
                still_stands(),
            )
        )
    )
    return Ties(led, is_voucher=viewer_id in vouchers, is_backed=member_id in vouchers)


@dataclass(slots=True)
class _Looking:
    """Whose profile, for whom, over which days."""

    session: Session
    community_id: int
    member_id: int
    viewer_id: int
    currency: str
    charter: CharterInForce
    since: date
    on: date
    group_ids: frozenset[int]
    scopes: frozenset[Scope] = field(default_factory=frozenset)

    def money(self, minor: int | None) -> Money:
        return Money(int(minor or 0), self.currency)

    def rules(self, *names: str) -> tuple[RuleSource, ...]:
        return rule_sources(self.session, self.charter.charter_id, names)

    def shown(
        self,
        figure: Figure,
        values: Mapping[str, Any],
        rows: Mapping[str, int],
        *rules: str,
        always: bool = False,
    ) -> Seen:
        """`always`: it is as it is on the day, from whatever was before."""
        first = None if always else self.since
        return Seen(figure, self.scopes, values, rows, first, self.on, self.rules(*rules))

    def loans(self) -> ColumnElement[bool]:
        """The member's loans that are seen."""
        mine = and_(
            Loan.community_id == self.community_id,
            Loan.borrower_id == self.member_id,
            Loan.status.in_(DISBURSED),
            Loan.disbursed_on <= self.on,
        )
        if Scope.ALL in self.scopes:
            return mine
        seen: list[ColumnElement[bool]] = []
        if Scope.GROUP in self.scopes:
            seen.append(
                Loan.group_loan_id.in_(
                    select(GroupLoan.id).where(GroupLoan.group_id.in_(sorted(self.group_ids)))
                )
            )
        if Scope.PROMISE in self.scopes:
            seen.append(
                Loan.id.in_(
                    select(CoverLine.loan_id)
                    .join(Vouch, Vouch.id == CoverLine.inner_vouch_id)
                    .where(Vouch.voucher_id == self.viewer_id, Vouch.borrower_id == self.member_id)
                )
            )
        return and_(mine, or_(*seen))

    def groups(self, group_id: Any) -> ColumnElement[bool]:
        """The groups whose meetings and visits are seen."""
        if Scope.ALL in self.scopes:
            return group_id.is_not(None)  # type: ignore[no-any-return]
        return group_id.in_(sorted(self.group_ids))  # type: ignore[no-any-return]


def profile_of(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    viewer_id: int,
    relations: Collection[Relation],
    ties: Ties,
    on: date,
    since: date | None = None,
) -> Profile:
    """A member's profile in a community as somebody of these relations sees it.

    Raises MembershipNotFound, NoCharter, Invalid for a span that does not begin before it ends.
    """
    community = communities.get_community_by_id(session, community_id)
    membership = communities.get_membership(session, community_id=community_id, member_id=member_id)
    charter = communities.charter_on(session, community_id, on)
    first = since or min(membership.since_on, on)
    if first > on:
        raise Invalid("The first day is after the last one.", field="since")
    sight = seen_by(relations)
    looking = _Looking(
        session,
        community_id,
        member_id,
        viewer_id,
        community.currency,
        charter,
        first,
        on,
        ties.group_ids,
    )
    figures = []
    for figure, scopes in sight.items():
        looking.scopes = scopes
        figures.append(_FIGURES[figure](looking))
    return Profile(
        member=names_of(session, [member_id])[member_id],
        community=community.public_id,
        currency=community.currency,
        on=on,
        since_on=first,
        relations=frozenset(relations),
        charter_version=charter.version,
        figures=tuple(figures),
    )


def _membership(at: _Looking) -> Seen:
    row = communities.get_membership(
        at.session, community_id=at.community_id, member_id=at.member_id
    )
    values = {"status": row.status.value, "since_on": row.since_on.isoformat()}
    return at.shown(Figure.MEMBERSHIP, values, {"memberships": 1}, always=True)


def _activity(at: _Looking) -> Seen:
    """Days on which the member did something here, whatever it was."""
    saved = select(SavingsMovement.on).where(
        SavingsMovement.community_id == at.community_id,
        SavingsMovement.member_id == at.member_id,
    )
    paid = (
        select(Repayment.received_on)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(at.loans(), _own_money())
    )
    met = _attended(at, select(Meeting.held_on)).where(Attendance.kind == AttendanceKind.PRESENT)
    visited = (
        select(Visit.done_on)
        .join(VisitRound, VisitRound.id == Visit.round_id)
        .where(VisitRound.community_id == at.community_id, Visit.visitor_id == at.member_id)
    )
    kinds = {
        "savings_movements": saved,
        "repayments": paid,
        "attendances": met,
        "visits": visited,
    }
    days = {
        name: [day for day in at.session.scalars(query) if day and at.since <= day <= at.on]
        for name, query in kinds.items()
    }
    found = rhythm_of([day for some in days.values() for day in some], at.since, at.on)
    return at.shown(
        Figure.ACTIVITY,
        {
            "months": found.months,
            "months_active": found.months_with,
            "last_on": found.last_on.isoformat() if found.last_on else None,
        },
        {name: len(some) for name, some in days.items()},
    )


def _savings(at: _Looking) -> Seen:
    rows = at.session.execute(
        select(SavingsMovement.kind, SavingsMovement.on, SavingsMovement.amount_minor).where(
            SavingsMovement.community_id == at.community_id,
            SavingsMovement.member_id == at.member_id,
            SavingsMovement.on >= at.since,
            SavingsMovement.on <= at.on,
        )
    ).all()
    put = [(day, minor) for kind, day, minor in rows if kind == SavingsMovementKind.DEPOSIT]
    out = [minor for kind, _, minor in rows if kind == SavingsMovementKind.WITHDRAWAL]
    found = rhythm_of([day for day, _ in put], at.since, at.on)
    held = balances(at.session, community_id=at.community_id, member_id=at.member_id)
    return at.shown(
        Figure.SAVINGS,
        {
            "deposits": found.count,
            "deposited": at.money(sum(minor for _, minor in put)),
            "withdrawals": len(out),
            "withdrawn": at.money(sum(out)),
            "months": found.months,
            "months_with_deposit": found.months_with,
            "days_between_median": found.gap_days_median,
            "days_between_longest": found.gap_days_longest,
            "last_deposit_on": found.last_on.isoformat() if found.last_on else None,
            # As the books say now, whatever the span.
            "free": at.money(held.free_minor),
            "stake": at.money(held.stake_minor),
        },
        {"savings_movements": len(rows)},
    )


def _own_money() -> ColumnElement[bool]:
    return and_(Repayment.source == RepaymentSource.BORROWER, Repayment.reversed_on.is_(None))


def _repayment(at: _Looking) -> Seen:
    """Dues that fell due in the span, and when the borrower's own money met them."""
    due = (
        Instalment.principal_minor
        + Instalment.interest_minor
        + Instalment.fee_minor
        + Instalment.penalty_minor
    )
    money = Repayment.amount_minor - Repayment.overpaid_minor
    called: dict[int, date | None] = {}
    dues: dict[int, list[tuple[date, int]]] = {}
    for loan_id, accelerated_on, due_on, minor in at.session.execute(
        select(Loan.id, Loan.accelerated_on, Instalment.due_on, due)
        .join(Instalment, Instalment.loan_id == Loan.id)
        .where(at.loans())
        .order_by(Loan.id, Instalment.due_on, Instalment.number)
    ):
        called[loan_id] = accelerated_on
        last = accelerated_on if accelerated_on and accelerated_on <= at.on else due_on
        dues.setdefault(loan_id, []).append((min(due_on, last), int(minor)))
    receipts: dict[int, list[tuple[date, int]]] = {loan_id: [] for loan_id in dues}
    for loan_id, day, minor in at.session.execute(
        select(Loan.id, Repayment.received_on, money)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(at.loans(), _own_money(), Repayment.received_on <= at.on)
        .order_by(Loan.id, Repayment.received_on, Repayment.id)
    ):
        receipts[loan_id].append((day, int(minor)))
    paid: list[Paid] = [
        item
        for loan_id, rows in dues.items()
        for item in meet(rows, receipts[loan_id], at.on)
        if at.since <= item.due_on
    ]
    whole = sum(item.due_minor for item in paid)
    on_time = [item for item in paid if item.own_on is not None and not item.days_late(at.on)]
    # What is due today and unpaid is not late yet, nor paid on time.
    open_ = [item for item in paid if item.own_on is None]
    decided = [item for item in paid if item.own_on is not None or item.due_on < at.on]
    return at.shown(
        Figure.REPAYMENT,
        {
            "loans": len(dues),
            "dues": len(paid),
            "due": at.money(whole),
            "paid_by_themself": at.money(sum(item.own_minor for item in paid)),
            "paid_on_time": len(on_time),
            "on_time_ppm": len(on_time) * 1_000_000 // len(decided) if decided else None,
            "open": len(open_),
            "days_late": [
                {
                    "from": band.from_days,
                    "to": band.to_days,
                    "dues": band.dues,
                    "amount": at.money(band.minor),
                }
                for band in late_bands(paid, at.charter.rules.par_days, at.on)
            ],
        },
        {
            "loans": len(dues),
            "instalments": sum(len(rows) for rows in dues.values()),
            "repayments": sum(len(rows) for rows in receipts.values()),
        },
        "par_days",
    )


def _attended(at: _Looking, query: Any) -> Any:
    return (
        query.select_from(Attendance)
        .join(Meeting, Meeting.id == Attendance.meeting_id)
        .where(
            Meeting.community_id == at.community_id,
            Meeting.status == MeetingStatus.CLOSED,
            Meeting.held_on >= at.since,
            Meeting.held_on <= at.on,
            Attendance.member_id == at.member_id,
            at.groups(Meeting.group_id),
        )
    )


def _attendance(at: _Looking) -> Seen:
    query = _attended(at, select(Attendance.kind, func.count())).group_by(Attendance.kind)
    counts = {kind.value: 0 for kind in AttendanceKind} | {
        kind.value: int(count) for kind, count in at.session.execute(query)
    }
    held = sum(counts.values())
    heard = counts[AttendanceKind.PRESENT] + counts[AttendanceKind.PROXY]
    values = {
        "meetings": held,
        **counts,
        "present_or_spoken_for_ppm": heard * 1_000_000 // held if held else None,
    }
    return at.shown(Figure.ATTENDANCE, values, {"attendances": held}, "risk_meetings_missed")


def _standing(at: _Looking) -> Seen:
    view = standing_of(
        at.session,
        community_id=at.community_id,
        member_id=at.member_id,
        currency=at.currency,
        on=at.on,
    )
    values = {
        "stake": at.money(view.stake_minor),
        "assessed": at.money(view.assessed_minor),
        "assessed_until_on": view.assessed_until_on.isoformat() if view.assessed_until_on else None,
        "reserved": at.money(view.reserved_minor),
        "free": at.money(view.free_minor),
        "overdue_since_on": view.overdue_since_on.isoformat() if view.overdue_since_on else None,
    }
    return at.shown(Figure.STANDING, values, {"standings": 1}, "guarantee_base", always=True)


def _exposure(at: _Looking) -> Seen:
    found = register_of(at.session, community_id=at.community_id, member_id=at.member_id, on=at.on)
    values = {
        "stands_behind": found.count,
        "most": at.money(found.most_minor),
        "reserved": at.money(found.reserved_minor),
        "called": at.money(found.called_minor),
        "if_all_fail": at.money(found.if_all_fail_minor),
    }
    rules = ("guarantees_count_max", "guarantee_ratio_bps_max", "guarantee_base")
    return at.shown(Figure.EXPOSURE, values, {"vouches": len(found.lines)}, *rules, always=True)


def _promises(at: _Looking) -> Seen:
    """The borrower's own promises to pay: kept once the money came in time, else broken."""
    grace = at.charter.rules.risk_promise_grace_days
    rows = at.session.execute(
        select(Promise.promised_on, Promise.amount_minor, paid_on_promise(grace))
        .join(Loan, Loan.id == Promise.loan_id)
        .where(
            at.loans(),
            Promise.member_id == at.member_id,
            Promise.made_on >= at.since,
            Promise.made_on <= at.on,
        )
    ).all()
    kept = sum(paid >= minor for _, minor, paid in rows)
    over = sum(
        paid < minor and (at.on - promised_on).days > grace for promised_on, minor, paid in rows
    )
    values = {"made": len(rows), "kept": kept, "broken": over, "open": len(rows) - kept - over}
    return at.shown(Figure.PROMISES, values, {"promises": len(rows)}, "risk_promise_grace_days")


def _vouches(at: _Looking, figure: Figure, mine: Any, theirs: Any, rule: str) -> Seen:
    wanted = [
        Vouch.community_id == at.community_id,
        mine == at.member_id,
        still_stands(),
    ]
    if Scope.ALL not in at.scopes:
        wanted.append(theirs == at.viewer_id)
    live = and_(Vouch.status == VouchStatus.LIVE, Vouch.expires_on >= at.on)
    count, running, groups, limit, reserved, spent = at.session.execute(
        select(
            func.count(),
            func.sum(case((live, 1), else_=0)),
            func.sum(case((Vouch.kind == VouchKind.GROUP, 1), else_=0)),
            func.sum(case((live, Vouch.limit_minor), else_=0)),
            func.sum(Vouch.reserved_minor),
            func.sum(Vouch.spent_minor),
        ).where(*wanted)
    ).one()
    values = {
        "promises": int(count),
        "live": int(running or 0),
        "of_groups": int(groups or 0),
        "limit": at.money(limit),
        "reserved": at.money(reserved),
        "paid": at.money(spent),
    }
    return at.shown(figure, values, {"vouches": int(count)}, rule, always=True)


def _given(at: _Looking) -> Seen:
    return _vouches(
        at, Figure.VOUCHING_GIVEN, Vouch.voucher_id, Vouch.borrower_id, "guarantees_count_max"
    )


def _received(at: _Looking) -> Seen:
    return _vouches(
        at, Figure.VOUCHING_RECEIVED, Vouch.borrower_id, Vouch.voucher_id, "vouch_minor_max"
    )


RECORD_RULES = (
    "voucher_half_life_days",
    "voucher_prior_bps",
    "voucher_prior_cases",
    "voucher_case_minor",
    "voucher_interval_bps",
    "voucher_bound_bps",
)


def _record(at: _Looking) -> Seen:
    found = records_of(at.session, at.community_id, [at.member_id], at.on, at.charter)
    record = found[at.member_id]
    figures = record.figures
    values = {
        "good_cases": round(figures.good_cases, 3),
        "bad_cases": round(figures.bad_cases, 3),
        "mean_ppm": figures.mean_ppm,
        "lower_ppm": figures.lower_ppm,
        "upper_ppm": figures.upper_ppm,
        "borrowers": record.borrowers,
    }
    rows = {"loans": len(record.words)}
    return at.shown(Figure.VOUCHER_RECORD, values, rows, *RECORD_RULES, always=True)


def _visits(at: _Looking) -> Seen:
    """Visits that the member was to make, and those that were made to them."""
    visited = aliased(Visit)
    done = case((Visit.status == VisitStatus.DONE, 1), else_=0)
    late = case((Visit.done_on > VisitRound.due_on, 1), else_=0)
    mine = (
        VisitRound.community_id == at.community_id,
        VisitRound.drawn_on >= at.since,
        VisitRound.drawn_on <= at.on,
        at.groups(VisitRound.group_id),
    )
    assigned, made, made_late = at.session.execute(
        select(func.count(), func.sum(done), func.sum(late))
        .join(VisitRound, VisitRound.id == Visit.round_id)
        .where(Visit.visitor_id == at.member_id, *mine)
    ).one()
    received = at.session.scalar(
        select(func.count())
        .select_from(visited)
        .join(VisitRound, VisitRound.id == visited.round_id)
        .where(visited.visited_id == at.member_id, visited.status == VisitStatus.DONE, *mine)
    )
    values = {
        "assigned": int(assigned),
        "done": int(made or 0),
        "done_late": int(made_late or 0),
        "received": int(received or 0),
    }
    return at.shown(Figure.VISITS, values, {"visits": int(assigned)})


_FIGURES: Mapping[Figure, Callable[[_Looking], Seen]] = {
    Figure.MEMBERSHIP: _membership,
    Figure.ACTIVITY: _activity,
    Figure.SAVINGS: _savings,
    Figure.REPAYMENT: _repayment,
    Figure.ATTENDANCE: _attendance,
    Figure.STANDING: _standing,
    Figure.EXPOSURE: _exposure,
    Figure.PROMISES: _promises,
    Figure.VOUCHING_GIVEN: _given,
    Figure.VOUCHING_RECEIVED: _received,
    Figure.VOUCHER_RECORD: _record,
    Figure.VISITS: _visits,
}
