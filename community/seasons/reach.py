"""Which loans a declared event reaches, and what it would do to each. Reads, writes nothing."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.arithmetic.replay import replay
from community.arithmetic.state import Amounts, State
from community.communities import queries as communities
from community.communities.models import Community
from community.loans.history import read_histories
from community.loans.models import Instalment, Loan, LoanStatus
from community.loans.schedule import read_loan_terms
from community.loans.states import LIVE
from community.products.models import Season
from community.seasons.effects import DuesChange, PlanRow, deferral_days, touches
from community.seasons.models import DeclaredEvent, DeclaredEventLoan
from community.seasons.plans import IN_FORCE, as_happening, change_of

# So many loans are read at once, whatever there is.
PORTION = 500

WRITTEN_OFF = "written-off"
CALLED = "called"
DEFERRED_ENOUGH = "deferred-enough"
NOTHING_LEFT = "nothing-left"


@dataclass(frozen=True, slots=True)
class Reached:
    """A loan that an event reaches: its plan now, and after the event unless that is refused."""

    loan_id: int
    public_id: str
    borrower_id: int
    currency: str
    refusal: str
    before: tuple[PlanRow, ...]
    after: tuple[PlanRow, ...]
    deferral_days: int
    fingerprint: str


@dataclass(slots=True)
class Tally:
    """What an event does in all: counts, refusals by reason, unpaid dues by month."""

    loans: int = 0
    members: set[int] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)
    months: dict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, reached: Reached) -> None:
        """Count one loan more; loans come in the order of their ids."""
        self._hash.update(f"{reached.loan_id}:{reached.fingerprint};".encode())
        if reached.refusal:
            self.refusals[reached.refusal] += 1
            return
        self.loans += 1
        self.members.add(reached.borrower_id)
        for side, rows in enumerate((reached.before, reached.after)):
            for row in rows:
                if row.unpaid_minor:
                    month = (reached.currency, f"{row.due_on:%Y-%m}")
                    self.months[month][side] += row.unpaid_minor

    @property
    def digest(self) -> str:
        """One hash over all loans that were looked at."""
        return str(self._hash.hexdigest())

    def to_document(self) -> dict[str, Any]:
        """The sums as they are stored with the event."""
        return {
            "loans": self.loans,
            "members": len(self.members),
            "refusals": dict(sorted(self.refusals.items())),
            "months": [
                {"currency": currency, "month": month, "before_minor": b, "after_minor": a}
                for (currency, month), (b, a) in sorted(self.months.items())
            ],
        }


def reached_loans(session: Session, event: DeclaredEvent, on: date) -> Iterator[Reached]:
    """Every loan that the event, applied on a day, reaches, by id, in portions of bounded size.

    A loan is reached if it follows the event's crop in its region, is paid out, and has something
    unpaid that falls due in the window. Closed loans have nothing unpaid and are not named.
    """
    community = communities.get_community_by_id(session, event.community_id)
    limits = DeferralLimits(session, event.declared_on)
    last = 0
    while True:
        query = _candidates(event, community).where(Loan.id > last).limit(PORTION)
        loans = session.scalars(query).all()
        if not loans:
            return
        yield from look_at(session, event, loans, limits, on)
        last = loans[-1].id


class DeferralLimits:
    """For how many days the charter of each community puts dues off; each is read once."""

    def __init__(self, session: Session, on: date) -> None:
        self._session = session
        self._on = on
        self._known: dict[int, int] = {}

    def of(self, community_id: int) -> int:
        """The limit that counts for a community's loans."""
        if community_id not in self._known:
            charter = communities.charter_on(self._session, community_id, self._on)
            self._known[community_id] = charter.rules.event_deferral_days_max
        return self._known[community_id]


def look_at(
    session: Session,
    event: DeclaredEvent,
    loans: Sequence[Loan],
    limits: DeferralLimits,
    on: date,
) -> Iterator[Reached]:
    """What the event, applied on a day, does to each of these loans as they are now.

    The same number of statements, however many loans.
    """
    change = change_of(event)
    ids = [loan.id for loan in loans]
    running = [loan for loan in loans if loan.status in LIVE]
    histories = read_histories(session, running)
    ended = _kept_rows(session, [loan.id for loan in loans if loan.status not in LIVE])
    deferred: dict[int, int] = dict(
        session.execute(
            select(DeclaredEventLoan.loan_id, func.sum(DeclaredEventLoan.deferral_days))
            .where(
                DeclaredEventLoan.loan_id.in_(ids),
                DeclaredEventLoan.event_id != event.id,
                DeclaredEventLoan.status.in_(IN_FORCE),
            )
            .group_by(DeclaredEventLoan.loan_id)
        ).all()
    )
    for loan in loans:
        terms = read_loan_terms(loan.terms).product
        after: tuple[PlanRow, ...] | None = None
        days = 0
        if loan.id in histories:
            contract, happened = histories[loan.id]
            before = _rows(replay(contract, happened, on))
            days = deferral_days(before, change)
            refusal = ""
            if loan.status is LoanStatus.CALLED or loan.accelerated_on is not None:
                refusal = CALLED
            elif not touches(before, change):
                refusal = NOTHING_LEFT
            elif days > limits.of(loan.community_id) - int(deferred.get(loan.id, 0)):
                refusal = DEFERRED_ENOUGH
            else:
                after = _rows(replay(contract, [*happened, as_happening(change, on)], on))
                if [(row.due_on, row.due) for row in after] == [
                    (row.due_on, row.due) for row in before
                ]:
                    refusal = NOTHING_LEFT
        else:
            before = tuple(ended[loan.id])
            refusal = WRITTEN_OFF if loan.status is LoanStatus.WRITTEN_OFF else NOTHING_LEFT
        yield Reached(
            loan_id=loan.id,
            public_id=loan.public_id,
            borrower_id=loan.borrower_id,
            currency=terms.currency,
            refusal=refusal,
            before=before,
            after=before if refusal or after is None else after,
            deferral_days=0 if refusal else days,
            fingerprint=_fingerprint(before, refusal, change, moves_daily=terms.moves_daily),
        )


def _rows(state: State) -> tuple[PlanRow, ...]:
    return tuple(PlanRow(row.due_on, row.due, row.paid) for row in state.rows)


def _kept_rows(session: Session, loan_ids: Sequence[int]) -> dict[int, list[PlanRow]]:
    """The plans of loans that ended, as they ended."""
    plans: dict[int, list[PlanRow]] = {loan_id: [] for loan_id in loan_ids}
    rows = session.scalars(
        select(Instalment)
        .where(Instalment.loan_id.in_(loan_ids))
        .order_by(Instalment.loan_id, Instalment.number)
    )
    for row in rows:
        due = Amounts(row.principal_minor, row.interest_minor, row.fee_minor, row.penalty_minor)
        paid = Amounts(
            row.paid_principal_minor,
            row.paid_interest_minor,
            row.paid_fee_minor,
            row.paid_penalty_minor,
        )
        plans[row.loan_id].append(PlanRow(row.due_on, due, paid))
    return plans


def _fingerprint(
    plan: Sequence[PlanRow], refusal: str, change: DuesChange, *, moves_daily: bool
) -> str:
    """Changes when what the event would do to the loan changes.

    Payments outside of the window do not count, and neither does what days alone add: penalties,
    and interest where it is worked out by the day.
    """
    unpaid = [
        [
            row.due_on.isoformat(),
            row.unpaid.principal_minor,
            0 if moves_daily else row.unpaid.interest_minor,
            row.unpaid.fee_minor,
        ]
        for row in plan
        if row.unpaid_minor and change.reaches(row.due_on)
    ]
    return hashlib.sha256(json.dumps([refusal, unpaid]).encode()).hexdigest()


def _candidates(event: DeclaredEvent, community: Community) -> Select[Loan]:
    inside = select(Community.id).where(Community.path.startswith(community.path, autoescape=True))
    due = (
        select(Instalment.id)
        .where(
            Instalment.loan_id == Loan.id,
            Instalment.due_on >= event.dues_from,
            Instalment.due_on <= event.dues_until,
            Instalment.paid_minor < Instalment.due_minor,
        )
        .exists()
    )
    query = (
        select(Loan)
        .join(Season, Season.id == Loan.season_id)
        .where(
            Loan.community_id.in_(inside),
            Loan.status.in_([*sorted(LIVE), LoanStatus.WRITTEN_OFF]),
            due,
        )
        .order_by(Loan.id)
    )
    return query if event.crop is None else query.where(Season.crop == event.crop)
