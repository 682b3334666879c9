"""How good each rule is: how often it was right, and how long before the harm it spoke.

Measured by the outcomes of cases and by what befell the loans: nothing here is an opinion. The same
figures are computed for findings of the past that never became events (`replay`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, RiskRule, Severity, read_rules, severity_of
from community.communities.models import Charter, Community
from community.loans.models import Loan, LoanStatus, LoanStep, Repayment, RepaymentSource
from community.monitoring.errors import BadSpan
from community.monitoring.models import RIGHT, CaseOutcome, RiskCase, RiskEvent, RiskEventPerson
from community.monitoring.signals import FINDERS, Finder, Looking, find_signals

# A request has to be answered while somebody waits: a day is a few statements.
REPLAY_DAYS_MAX = 400
# Money of others than the borrower, or principal given up: what a loss is to somebody.
_LOSSES = (
    RepaymentSource.STAKE,
    RepaymentSource.GUARANTOR,
    RepaymentSource.RESERVE,
    RepaymentSource.WRITE_OFF,
)


@dataclass(frozen=True, slots=True)
class Lead:
    """How many findings were followed by harm, and how many days they were ahead of it."""

    followed: int
    days_median: float | None


@dataclass(frozen=True, slots=True)
class RuleMeasure:
    """One rule: what it found and what that was worth."""

    rule: RiskRule
    severity: Severity | None
    events: int
    open: int
    right: int
    false_alarms: int
    undecided: int
    before_late: Lead
    before_loss: Lead

    @property
    def precision_bps(self) -> int | None:
        """Right of all that was decided, rounded down; None: nothing was decided yet."""
        decided = self.right + self.false_alarms
        return self.right * 10_000 // decided if decided else None


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """What one rule would have found, first found on which day, about whom."""

    rule: RiskRule
    on: date
    member_id: int | None
    loan_id: int | None
    facts: dict[str, Any]
    # Whom it is about, where that is several.
    people: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """A rule on a span of the past: its findings, how far ahead they were, and what it missed."""

    rule: RiskRule
    from_on: date
    until_on: date
    found: tuple[ReplayRow, ...]
    before_late: Lead
    before_loss: Lead
    losses: int
    losses_missed: int


@dataclass(frozen=True, slots=True)
class _Found:
    member_id: int | None
    loan_id: int | None
    on: date
    people: frozenset[int] = frozenset()

    def is_about(self, borrower_id: int) -> bool:
        """Whether it said something of this borrower; of nobody by name: of everybody."""
        if self.people:
            return borrower_id in self.people
        return self.member_id in (None, borrower_id)


def measure_rules(session: Session, *, community_id: int, on: date) -> list[RuleMeasure]:
    """Every rule, as its events in one community turned out so far."""
    charter = communities.find_charter(session, community_id, on)
    rules = None if charter is None else read_rules(charter.rules)
    rows = session.execute(
        select(
            RiskEvent.id,
            RiskEvent.rule,
            RiskEvent.member_id,
            RiskEvent.loan_id,
            RiskEvent.found_on,
            RiskCase.outcome,
        )
        .join(RiskCase, RiskCase.id == RiskEvent.case_id)
        .where(RiskEvent.community_id == community_id)
        .order_by(RiskEvent.id)
    ).all()
    people: dict[int, set[int]] = defaultdict(set)
    for event_id, member_id in session.execute(
        select(RiskEventPerson.event_id, RiskEventPerson.member_id)
        .join(RiskEvent, RiskEvent.id == RiskEventPerson.event_id)
        .where(RiskEvent.community_id == community_id)
    ):
        people[event_id].add(member_id)
    harm = _Harm.read(session, community_id)
    by_rule: dict[RiskRule, list[Any]] = defaultdict(list)
    for row in rows:
        by_rule[row.rule].append(row)
    found = []
    for rule in RiskRule:
        mine = by_rule[rule]
        events = [
            _Found(row.member_id, row.loan_id, row.found_on, frozenset(people[row.id]))
            for row in mine
        ]
        outcomes = [row.outcome for row in mine]
        found.append(
            RuleMeasure(
                rule=rule,
                severity=None if rules is None else severity_of(rules, rule),
                events=len(mine),
                open=outcomes.count(None),
                right=sum(outcome in RIGHT for outcome in outcomes),
                false_alarms=outcomes.count(CaseOutcome.FALSE_ALARM),
                undecided=outcomes.count(CaseOutcome.UNDECIDED),
                before_late=harm.lead(events, harm.late),
                before_loss=harm.lead(events, harm.lost),
            )
        )
    return found


def replay(
    session: Session,
    *,
    community: Community,
    rule: RiskRule,
    from_on: date,
    until_on: date,
    today: date,
    changes: dict[str, Any] | None = None,
    finders: Mapping[RiskRule, Finder] = FINDERS,
) -> Replay:
    """What a rule would have found on every day of a span of the past; writes nothing.

    With the charter of each day, or with other numbers in it (`changes`: rule name → value), so
    that a rule is tried before it is switched on. `finders` may be those of a room above.
    Raises BadSpan, CharterInvalid, NoCharter.
    """
    days = (until_on - from_on).days + 1
    if not 1 <= days <= REPLAY_DAYS_MAX or until_on > today:
        raise BadSpan(
            f"Choose 1 to {REPLAY_DAYS_MAX} days that are not to come.",
            days=days,
            days_max=REPLAY_DAYS_MAX,
        )
    if rule not in finders:
        raise BadSpan(
            f"{rule.value} is reported or found by other rooms; it has no past to be replayed.",
            field="rule",
        )
    known: dict[int, CharterRules] = {}
    first: dict[str, ReplayRow] = {}
    for number in range(days):
        day = from_on + timedelta(days=number)
        charter = communities.find_charter(session, community.id, day)
        if charter is None:
            continue
        if charter.id not in known:
            known[charter.id] = _changed(charter, changes or {})
        looking = Looking(session, community, known[charter.id], day, today=False)
        for signal in find_signals(looking, [rule], finders):
            row = ReplayRow(
                rule, day, signal.member_id, signal.loan_id, signal.facts, signal.people
            )
            first.setdefault(signal.finding, row)
    found = tuple(first.values())
    harm = _Harm.read(session, community.id)
    events = [_Found(row.member_id, row.loan_id, row.on, frozenset(row.people)) for row in found]
    lost = [
        (loan_id, day)
        for loan_id, loss_days in harm.lost.items()
        if from_on <= (day := min(loss_days)) <= until_on
    ]
    missed = sum(
        not any(event.on < day and event.is_about(harm.borrowers[loan_id]) for event in events)
        for loan_id, day in lost
    )
    return Replay(
        rule,
        from_on,
        until_on,
        found,
        harm.lead(events, harm.late),
        harm.lead(events, harm.lost),
        len(lost),
        missed,
    )


def _changed(charter: Charter, changes: dict[str, Any]) -> CharterRules:
    document = dict(charter.rules)
    for name, value in changes.items():
        document[name] = {"value": value, "source": "tried on the past"}
    return read_rules(document)


@dataclass(frozen=True, slots=True)
class _Harm:
    """On which days loans fell late, and on which somebody else lost money on them."""

    late: dict[int, list[date]]
    lost: dict[int, list[date]]
    borrowers: dict[int, int]
    loans_of: dict[int, list[int]]

    @classmethod
    def read(cls, session: Session, community_id: int) -> "_Harm":
        late: dict[int, list[date]] = defaultdict(list)
        lost: dict[int, list[date]] = defaultdict(list)
        steps = select(LoanStep.loan_id, LoanStep.on).join(Loan, Loan.id == LoanStep.loan_id)
        for loan_id, on in session.execute(
            steps.where(Loan.community_id == community_id, LoanStep.to_status == LoanStatus.OVERDUE)
        ):
            late[loan_id].append(on)
        losses = (
            select(Repayment.loan_id, func.min(Repayment.received_on))
            .join(Loan, Loan.id == Repayment.loan_id)
            .where(
                Loan.community_id == community_id,
                Repayment.source.in_(_LOSSES),
                Repayment.reversed_on.is_(None),
            )
            .group_by(Repayment.loan_id)
        )
        for loan_id, on in session.execute(losses):
            lost[loan_id].append(on)
        borrowers = dict(
            session.execute(
                select(Loan.id, Loan.borrower_id).where(Loan.id.in_(late.keys() | lost.keys()))
            ).all()
        )
        loans_of: dict[int, list[int]] = defaultdict(list)
        for loan_id, borrower_id in borrowers.items():
            loans_of[borrower_id].append(loan_id)
        return cls(late, lost, borrowers, loans_of)

    def lead(self, events: Iterable[_Found], harm: dict[int, list[date]]) -> Lead:
        """Days from each finding to the first harm after it: to its loan, else to its member."""
        ahead: list[int] = []
        for event in events:
            about = event.people or {event.member_id or 0}
            loans: Sequence[int] = (
                [event.loan_id]
                if event.loan_id is not None
                else [loan for member_id in about for loan in self.loans_of.get(member_id, [])]
            )
            after = [day for loan in loans for day in harm.get(loan, []) if day > event.on]
            if after:
                ahead.append((min(after) - event.on).days)
        return Lead(len(ahead), median(ahead) if ahead else None)
