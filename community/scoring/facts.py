"""Reading the lives of loans and members: a fixed number of statements, whatever there is.

What is read carries the day from which it was known: the later of its own day and the day on which
it was written down (UTC). So one reading serves for every day of a span of the past.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from community.arithmetic.events import Disbursement as PaidOut
from community.arithmetic.events import Event
from community.arithmetic.replay import replay
from community.bulk import select_by
from community.communities.charter import CharterRules
from community.communities.models import Membership, MembershipChange, MembershipStatus
from community.guarantees.models import Call
from community.ledger.models import Event as BookEvent
from community.loans.history import event_of
from community.loans.models import (
    Disbursement,
    Loan,
    LoanChange,
    LoanStatus,
    LoanStep,
    Repayment,
    RepaymentSource,
)
from community.loans.schedule import (
    LoanTerms,
    contract_of,
    fees_by_row,
    fees_of,
    planned_rows,
    read_loan_terms,
)
from community.monitoring.models import Attendance, AttendanceKind, Meeting, Promise
from community.products.schedule import Row as PlanRow
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.scoring.features import (
    NOBODY,
    Around,
    LoanLife,
    MemberLife,
    Plan,
    Policy,
    Receipt,
    Row,
    Tie,
    Word,
    build_row,
    days_late,
    is_in_trouble,
)
from community.trust.models import Vouch, VouchKind, VouchStatus

# Further back than this no feature looks at deposits, meetings and calls.
_BACK = 366
_LOSSES = frozenset(
    {
        RepaymentSource.STAKE,
        RepaymentSource.GUARANTOR,
        RepaymentSource.RESERVE,
        RepaymentSource.WRITE_OFF,
    }
)
_ACCEPTED = (
    VouchStatus.LIVE,
    VouchStatus.REVOKED,
    VouchStatus.EXPIRED,
)
_ENDS = (LoanStatus.CLOSED, LoanStatus.WRITTEN_OFF)
_AGREED = ("vouch.accepted", "vouch.amended")


@dataclass(frozen=True, slots=True)
class Lives:
    """All that features need, of some communities."""

    loans: tuple[LoanLife, ...]
    own: dict[int, tuple[LoanLife, ...]]
    members: dict[int, MemberLife]

    def around(self, day: int) -> Around:
        """How late everybody is at the close of a day."""
        late: dict[int, int] = {}
        for loan in self.loans:
            if loan.is_out(day):
                days = days_late(loan, day)
                if days > late.get(loan.borrower_id, 0):
                    late[loan.borrower_id] = days
        return Around(late)

    def rows(self, day: int, policy: Policy) -> list[tuple[LoanLife, Row]]:
        """The rows of all loans that are out and well at the close of a day, by id."""
        around = self.around(day)
        return [
            (
                loan,
                build_row(
                    loan,
                    day=day,
                    policy=policy,
                    own=self.own[loan.borrower_id],
                    member=self.members.get(loan.borrower_id, NOBODY),
                    others=self.members,
                    around=around,
                ),
            )
            for loan in self.loans
            if loan.is_out(day) and not is_in_trouble(loan, day, policy)
        ]


def policy_of(rules: CharterRules) -> Policy:
    """The charter's numbers that features and outcomes rest on."""
    return Policy(
        rules.warning_days_late,
        rules.warning_horizon_days,
        rules.risk_stake_days,
        rules.risk_cover_days,
    )


def read_lives(
    session: Session,
    *,
    community_ids: Sequence[int],
    from_on: date,
    until_on: date,
    rules: CharterRules,
) -> Lives:
    """Everything that is needed for the days of a span. Some fifteen statements."""
    here = tuple(community_ids)
    loans = _loans(session, here, until_on, rules)
    own: dict[int, list[LoanLife]] = defaultdict(list)
    for loan in loans:
        own[loan.borrower_id].append(loan)
    return Lives(
        tuple(loans),
        {member: tuple(theirs) for member, theirs in own.items()},
        _members(session, here, from_on.toordinal() - _BACK, until_on),
    )


def _known(day: date, written: datetime) -> int:
    return max(day.toordinal(), written.date().toordinal())


def _loans(
    session: Session, here: tuple[int, ...], until_on: date, rules: CharterRules
) -> list[LoanLife]:
    wanted = (Loan.community_id.in_(here), Loan.disbursed_on <= until_on)
    rows = session.execute(
        select(
            Loan.id,
            Loan.borrower_id,
            Loan.community_id,
            Loan.disbursed_on,
            Loan.principal_minor,
            Loan.ended_on,
            Loan.restructured_on,
            Loan.terms,
        )
        .where(*wanted)
        .order_by(Loan.id)
    ).all()
    ended = dict(
        session.execute(
            select(LoanStep.loan_id, func.max(LoanStep.recorded_at))
            .join(Loan, Loan.id == LoanStep.loan_id)
            .where(*wanted, Loan.ended_on.is_not(None), LoanStep.to_status.in_(_ENDS))
            .group_by(LoanStep.loan_id)
        ).all()
    )
    changes: dict[int, list[LoanChange]] = defaultdict(list)
    for change in session.scalars(
        select(LoanChange)
        .join(Loan, Loan.id == LoanChange.loan_id)
        .where(*wanted)
        .order_by(LoanChange.id)
    ):
        changes[change.loan_id].append(change)
    paid_out: dict[int, list[Event]] = defaultdict(list)
    for loan_id, number, on, minor in select_by(
        session,
        select(
            Disbursement.loan_id,
            Disbursement.number,
            Disbursement.paid_out_on,
            Disbursement.amount_minor,
        ),
        Disbursement.loan_id,
        changes.keys(),
    ):
        paid_out[loan_id].append(PaidOut(on, minor, str(number)))
    receipts: dict[int, list[Receipt]] = defaultdict(list)
    for loan_id, on, written, minor, source, gone_on, gone_at in session.execute(
        select(
            Repayment.loan_id,
            Repayment.received_on,
            Repayment.recorded_at,
            Repayment.amount_minor,
            Repayment.source,
            Repayment.reversed_on,
            Repayment.reversed_at,
        )
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(*wanted)
        .order_by(Repayment.id)
    ):
        gone = None if gone_on is None else _known(gone_on, gone_at or written)
        receipts[loan_id].append(
            Receipt(
                on.toordinal(),
                _known(on, written),
                minor,
                source == RepaymentSource.BORROWER,
                gone,
                source in _LOSSES,
            )
        )
    words: dict[int, list[Word]] = defaultdict(list)
    grace = rules.risk_promise_grace_days
    for loan_id, made_on, written, promised_on, minor in session.execute(
        select(
            Promise.loan_id,
            Promise.made_on,
            Promise.recorded_at,
            Promise.promised_on,
            Promise.amount_minor,
        )
        .join(Loan, Loan.id == Promise.loan_id)
        .where(*wanted)
        .order_by(Promise.id)
    ):
        words[loan_id].append(
            Word(
                made_on.toordinal(),
                _known(made_on, written),
                promised_on.toordinal() + grace,
                minor,
            )
        )
    return [
        _loan(row, changes[row.id], paid_out[row.id], receipts[row.id], words[row.id], ended)
        for row in rows
    ]


def _loan(
    row: Any,
    changes: Sequence[LoanChange],
    paid_out: Sequence[Event],
    receipts: Sequence[Receipt],
    words: Sequence[Word],
    ended: dict[int, datetime],
) -> LoanLife:
    terms = read_loan_terms(row.terms)
    season = terms.season
    made_anew = [
        _known(change.effective_on, change.recorded_at)
        for change in changes
        if change.is_restructuring and change.undone_on is None
    ]
    restructured = row.restructured_on
    return LoanLife(
        loan_id=row.id,
        borrower_id=row.borrower_id,
        community_id=row.community_id,
        from_day=row.disbursed_on.toordinal(),
        principal_minor=row.principal_minor,
        plans=tuple(_plans(terms, row, changes, paid_out)),
        receipts=tuple(receipts),
        words=tuple(words),
        ended=None
        if row.ended_on is None
        else max(
            row.ended_on.toordinal(),
            ended[row.id].date().toordinal() if row.id in ended else 0,
        ),
        restructured=min(made_anew)
        if made_anew
        else None
        if restructured is None
        else restructured.toordinal(),
        harvest=None if season is None else season.harvest_from.toordinal(),
        selling=None if season is None else season.selling[0].due_on.toordinal(),
    )


def _plans(
    terms: LoanTerms, row: Any, changes: Sequence[LoanChange], paid_out: Sequence[Event]
) -> Iterable[Plan]:
    """What was signed, and what every change of plan made of it, from the day it was known.

    Of the frozen terms, not of the loan's instalments: those are what today's history says, and
    an early payment or a settlement rewrites them.
    """
    start = row.disbursed_on
    rows = planned_rows(terms, row.principal_minor, start)
    yield _plan(0, terms, row, rows)
    knots = sorted(
        {_known(change.effective_on, change.recorded_at) for change in changes}
        | {change.undone_on.toordinal() for change in changes if change.undone_on is not None}
    )
    for knot in knots:
        known = [
            event_of(change.kind, change.effective_on, change.parameters)
            for change in changes
            if _known(change.effective_on, change.recorded_at) <= knot
            and (change.undone_on is None or change.undone_on.toordinal() > knot)
        ]
        state = replay(contract_of(terms, start), [*paid_out, *known], date.fromordinal(knot))
        yield _plan(
            knot,
            terms,
            row,
            [
                PlanRow(at.number, at.due_on, at.due.principal_minor, at.due.interest_minor)
                for at in state.rows
                if not at.charges_only
            ],
        )


def _plan(known: int, terms: LoanTerms, row: Any, rows: Sequence[PlanRow]) -> Plan:
    fees = [0] * len(rows)
    if terms.product.fees:
        planned = fees_of(terms.product, rows, row.principal_minor, row.disbursed_on)
        fees = fees_by_row(rows, planned)
    days, due, total = [], [], 0
    for one, fee in zip(rows, fees, strict=True):
        total += one.total_minor + fee
        days.append(one.due_on.toordinal())
        due.append(total)
    return Plan(known, tuple(days), tuple(due))


def _members(
    session: Session, here: tuple[int, ...], since: int, until_on: date
) -> dict[int, MemberLife]:
    since_on = date.fromordinal(max(since, 1))
    joined = dict(
        session.execute(
            select(Membership.member_id, func.min(MembershipChange.changed_on))
            .join(MembershipChange, MembershipChange.membership_id == Membership.id)
            .where(
                Membership.community_id.in_(here),
                MembershipChange.status == MembershipStatus.ACTIVE,
            )
            .group_by(Membership.member_id)
        ).all()
    )
    deposits: dict[int, list[tuple[int, int]]] = defaultdict(list)
    stakes: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    m = SavingsMovement
    for member, kind, on, written, minor in session.execute(
        select(m.member_id, m.kind, m.on, m.recorded_at, m.amount_minor)
        .where(
            m.community_id.in_(here),
            m.on <= until_on,
            m.kind.in_([SavingsMovementKind.STAKE_LOCK, SavingsMovementKind.STAKE_RELEASE])
            | ((m.kind == SavingsMovementKind.DEPOSIT) & (m.on > since_on)),
        )
        .order_by(m.id)
    ):
        known = _known(on, written)
        if kind is SavingsMovementKind.DEPOSIT:
            deposits[member].append((on.toordinal(), known))
        else:
            signed = minor if kind is SavingsMovementKind.STAKE_LOCK else -minor
            stakes[member].append((on.toordinal(), known, signed))
    meetings: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for member, closed_on, how in session.execute(
        select(Attendance.member_id, Meeting.closed_on, Attendance.kind)
        .join(Meeting, Meeting.id == Attendance.meeting_id)
        .where(
            Meeting.community_id.in_(here),
            Meeting.closed_on > since_on,
            Meeting.closed_on <= until_on,
            Attendance.kind != AttendanceKind.EXCUSED,
        )
        .order_by(Attendance.id)
    ):
        if closed_on is not None:
            meetings[member].append((closed_on.toordinal(), how is AttendanceKind.ABSENT))
    calls: dict[int, list[int]] = defaultdict(list)
    for member, issued_on in session.execute(
        select(Call.guarantor_id, Call.issued_on).where(
            Call.community_id.in_(here), Call.issued_on > since_on, Call.issued_on <= until_on
        )
    ):
        calls[member].append(issued_on.toordinal())
    ties = _ties(session, here)
    return {
        member: MemberLife(
            joined=joined[member].toordinal() if member in joined else None,
            deposits=tuple(deposits[member]),
            stakes=tuple(stakes[member]),
            meetings=tuple(meetings[member]),
            calls=tuple(calls[member]),
            ties=tuple(ties[member]),
        )
        for member in {*joined, *deposits, *stakes, *meetings, *calls, *ties}
    }


def _ties(session: Session, here: tuple[int, ...]) -> dict[int, list[Tie]]:
    """Accepted promises by the member for whom they are.

    A promise made longer keeps its row: what was agreed before stands in the book's events.
    """
    agreed: dict[str, list[tuple[int, int]]] = defaultdict(list)
    in_scope: ColumnElement[bool] = Vouch.community_id.in_(here)
    amended = (
        select(BookEvent.subject)
        .join(Vouch, Vouch.public_id == BookEvent.subject)
        .where(in_scope, BookEvent.kind == "vouch.amended")
    )
    for subject, written, facts in session.execute(
        select(BookEvent.subject, BookEvent.recorded_at, BookEvent.facts)
        .where(BookEvent.subject.in_(amended), BookEvent.kind.in_(_AGREED))
        .order_by(BookEvent.id)
    ):
        last = date.fromisoformat(facts["expires_on"]).toordinal()
        agreed[subject].append((written.date().toordinal(), last))
    found: dict[int, list[Tie]] = defaultdict(list)
    columns: list[InstrumentedAttribute[Any]] = [
        Vouch.public_id,
        Vouch.borrower_id,
        Vouch.voucher_id,
        Vouch.kind,
        Vouch.accepted_at,
        Vouch.ended_at,
        Vouch.expires_on,
    ]
    for name, borrower, voucher, kind, accepted, ended, expires_on in session.execute(
        select(*columns)
        .where(in_scope, Vouch.status.in_(_ACCEPTED), Vouch.accepted_at.is_not(None))
        .order_by(Vouch.id)
    ):
        known = accepted.date().toordinal()
        found[borrower].append(
            Tie(
                voucher,
                known,
                None if ended is None else ended.date().toordinal(),
                kind is VouchKind.GROUP,
                tuple(agreed.get(name, ())) or ((known, expires_on.toordinal()),),
            )
        )
    return found
