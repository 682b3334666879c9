"""What the charter's rules find on a day. Reads only, and the same for today and for the past.

Each finding has a name made of what it is about, so that a day worked through again, or replayed,
finds the same and nothing twice. Amounts in facts are minor units.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ScalarSelect, case, func, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from community.campaigns.models import Campaign, CampaignFinding
from community.communities.charter import CharterRules, RiskRule
from community.communities.models import Community
from community.guarantees.models import Call, CallStatus, CoverLine, GuaranteePayment
from community.loans.models import Loan, LoanPosition, Repayment, RepaymentSource
from community.members.models import Member
from community.monitoring.models import (
    Attendance,
    AttendanceKind,
    LoanUse,
    Meeting,
    Promise,
    Visit,
    VisitRound,
)
from community.portfolio.figures import IS_LIVE, DaysAfter, outstanding_at, was_out
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.trust.models import Vouch, VouchStatus


@dataclass(frozen=True, slots=True)
class Signal:
    """One finding of one rule. `worse` is by how many steps it is worse than the rule's own."""

    rule: RiskRule
    on: date
    finding: str
    member_id: int | None = None
    loan_id: int | None = None
    worse: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    # What is about several people, or must not be known to whom it is about, has a name of its own:
    # events of one subject are one case, which nobody sees who is among `people`.
    subject: str | None = None
    people: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Looking:
    """On which day of which community, by which rules; `today` reads balances as they are now."""

    session: Session
    community: Community
    rules: CharterRules
    on: date
    today: bool


def find_signals(
    looking: Looking,
    only: Iterable[RiskRule],
    finders: "Mapping[RiskRule, Finder] | None" = None,
) -> list[Signal]:
    """What these rules find on the day, in one order always. Rooms above bring their finders."""
    finders = FINDERS if finders is None else finders
    found: list[Signal] = []
    for rule in sorted(set(only) & finders.keys()):
        found += finders[rule](looking)
    return sorted(found, key=lambda s: (s.member_id or 0, s.rule, s.loan_id or 0, s.finding))


def _late(at: Looking) -> Iterator[Signal]:
    """A loan unpaid for so many days: one event for each number that the charter lists."""
    steps = at.rules.risk_late_days
    newest = at.on - timedelta(days=steps[0])
    if at.today:
        # The position knows since when; only late loans are read.
        query = (
            select(Loan.id, Loan.public_id, Loan.borrower_id, LoanPosition.oldest_due_on)
            .join(LoanPosition, LoanPosition.loan_id == Loan.id)
            .where(
                LoanPosition.community_id == at.community.id,
                LoanPosition.oldest_due_on <= newest,
                IS_LIVE,
            )
        )
    else:
        then = outstanding_at(at.on, Loan.community_id == at.community.id)
        query = (
            select(Loan.id, Loan.public_id, Loan.borrower_id, then.c.overdue_since_on)
            .join(then, then.c.loan_id == Loan.id)
            .where(then.c.overdue_since_on <= newest)
        )
    for loan_id, public_id, borrower_id, since in at.session.execute(query):
        if since is None:
            continue
        days = (at.on - since).days
        worse = sum(step <= days for step in steps) - 1
        yield Signal(
            RiskRule.LATE,
            at.on,
            f"{public_id}/{since}/{steps[worse]}",
            borrower_id,
            loan_id,
            worse,
            {"days_overdue": days, "since": since.isoformat(), "rule_days": steps[worse]},
        )


def _broken_calls(at: Looking) -> Iterator[Signal]:
    """A called guarantor named a day, and by then, and the grace, had not paid."""
    until = at.on - timedelta(days=at.rules.risk_promise_grace_days + 1)
    paid = (
        select(func.coalesce(func.sum(GuaranteePayment.amount_minor), 0))
        .where(GuaranteePayment.call_id == Call.id, GuaranteePayment.paid_on < at.on)
        .correlate(Call)
        .scalar_subquery()
    )
    rows = at.session.execute(
        select(Call.public_id, Call.guarantor_id, Call.loan_id, Call.promised_on, paid).where(
            Call.community_id == at.community.id,
            Call.promised_on <= until,
            Call.status != CallStatus.CANCELLED,
            Call.amount_minor - Call.cancelled_minor > paid,
        )
    )
    for public_id, guarantor_id, loan_id, promised_on, paid_minor in rows:
        yield Signal(
            RiskRule.BROKEN_PROMISE,
            at.on,
            f"{public_id}/{promised_on}",
            guarantor_id,
            loan_id,
            0,
            {"promised_on": promised_on.isoformat(), "paid_minor": int(paid_minor)},
        )


def _broken_promises(at: Looking) -> Iterator[Signal]:
    """Called guarantors and borrowers alike."""
    yield from _broken_calls(at)
    grace = timedelta(days=at.rules.risk_promise_grace_days)
    rows = at.session.execute(
        select(Promise, paid_on_promise(at.rules.risk_promise_grace_days)).where(
            Promise.community_id == at.community.id,
            Promise.made_on <= at.on,
            Promise.promised_on < at.on - grace,
        )
    )
    for promise, paid in rows:
        if paid < promise.amount_minor:
            yield Signal(
                RiskRule.BROKEN_PROMISE,
                at.on,
                promise.public_id,
                promise.member_id,
                promise.loan_id,
                facts={
                    "promised_on": promise.promised_on.isoformat(),
                    "promised_minor": promise.amount_minor,
                    "paid_minor": int(paid),
                },
            )


def paid_on_promise(grace_days: int) -> ScalarSelect[int]:
    """What came on a promise's loan, of the borrower's or others' own will, from the day it was
    made to the promised one and the grace after it."""
    return (
        select(func.coalesce(func.sum(Repayment.amount_minor), 0))
        .where(
            Repayment.loan_id == Promise.loan_id,
            Repayment.source.in_([RepaymentSource.BORROWER, RepaymentSource.THIRD_PARTY]),
            Repayment.reversed_on.is_(None),
            Repayment.received_on >= Promise.made_on,
            Repayment.received_on <= DaysAfter(Promise.promised_on, grace_days),
        )
        .correlate(Promise)
        .scalar_subquery()
    )


def _circular_money(at: Looking) -> Iterator[Signal]:
    """Money that goes to a payee and comes back: by repayments, by loans in a ring, or at home."""
    since = at.on - timedelta(days=at.rules.proceeds_return_days)
    lent = (
        Loan.community_id == at.community.id,
        Loan.disbursed_on > since,
        Loan.disbursed_on <= at.on,
        LoanUse.stated_on <= at.on,
    )
    payee = aliased(Member)
    rows = at.session.execute(
        select(
            LoanUse.public_id,
            LoanUse.payee_id,
            Loan.id,
            Loan.borrower_id,
            Member.household_id,
            payee.household_id,
        )
        .join(Loan, Loan.id == LoanUse.loan_id)
        .join(Member, Member.id == Loan.borrower_id)
        .join(payee, payee.id == LoanUse.payee_id)
        .where(*lent)
        .order_by(LoanUse.id)
    ).all()
    pays: dict[int, set[int]] = {}
    ways: list[tuple[str, str, int, int, dict[str, Any]]] = []
    for _, payee_id, _, borrower_id, *_ in rows:
        pays.setdefault(borrower_id, set()).add(payee_id or 0)
    for use, payee_id, loan_id, borrower_id, home, other in rows:
        if payee_id == borrower_id or (home is not None and home == other):
            ways.append((use, "home", loan_id, borrower_id, {}))
        elif _reaches(pays, payee_id or 0, borrower_id):
            ways.append((use, "ring", loan_id, borrower_id, {}))
    paid_for = aliased(Loan)
    receipts = at.session.execute(
        select(
            LoanUse.public_id,
            Repayment.public_id,
            Loan.id,
            Loan.borrower_id,
            Repayment.amount_minor,
        )
        .join(Loan, Loan.id == LoanUse.loan_id)
        .join(Repayment, Repayment.payer_id == LoanUse.payee_id)
        .join(paid_for, paid_for.id == Repayment.loan_id)
        .where(
            *lent,
            paid_for.borrower_id == Loan.borrower_id,
            Repayment.source == RepaymentSource.THIRD_PARTY,
            Repayment.reversed_on.is_(None),
            Repayment.received_on >= Loan.disbursed_on,
            Repayment.received_on <= at.on,
        )
    )
    ways += [
        (use, receipt, loan_id, borrower_id, {"paid_minor": minor})
        for use, receipt, loan_id, borrower_id, minor in receipts
    ]
    for use, way, loan_id, borrower_id, facts in ways:
        yield Signal(
            RiskRule.CIRCULAR_MONEY,
            at.on,
            f"{use}/{way}",
            borrower_id,
            loan_id,
            facts={"use": use, "way": way, **facts},
        )


def _reaches(pays: dict[int, set[int]], start: int, end: int) -> bool:
    """Whether money that goes along loans to payees can come from one member to another."""
    seen, left = {start}, [start]
    while left:
        one = left.pop()
        if one == end:
            return True
        fresh = pays.get(one, set()) - seen
        seen |= fresh
        left += fresh
    return False


def _falling_stake(at: Looking) -> Iterator[Signal]:
    """Somebody took back more of their stake, within the days, than the charter's share of it."""
    m = SavingsMovement
    since = at.on - timedelta(days=at.rules.risk_stake_days)
    release = m.kind == SavingsMovementKind.STAKE_RELEASE
    signed = case(
        (m.kind == SavingsMovementKind.STAKE_LOCK, m.amount_minor),
        (release, -m.amount_minor),
        else_=0,
    )
    took_back = select(m.member_id).where(
        m.community_id == at.community.id,
        # Spelled out, as in the index that it is meant to use.
        m.kind == literal_column("'stake_release'"),
        m.on > since,
        m.on <= at.on,
    )
    before = func.sum(case((m.on <= since, signed), else_=0))
    after = func.sum(signed)
    last = func.max(case((release, m.id)))
    rows = at.session.execute(
        select(m.member_id, before, after, last)
        .where(m.community_id == at.community.id, m.member_id.in_(took_back), m.on <= at.on)
        .group_by(m.member_id)
        .having((before - after) * 10_000 > before * at.rules.risk_stake_fall_bps)
    ).all()
    names = dict(
        at.session.execute(
            select(m.id, m.public_id).where(m.id.in_([row[3] for row in rows]))
        ).all()
    )
    for member_id, had, has, release_id in rows:
        if had > 0:
            yield Signal(
                RiskRule.FALLING_STAKE,
                at.on,
                names[release_id],
                member_id,
                facts={"before_minor": int(had), "after_minor": int(has)},
            )


def _expiring_cover(at: Looking) -> Iterator[Signal]:
    """A promise that backs a loan which is out ends soon: nothing new can rest on it then."""
    until = at.on + timedelta(days=at.rules.risk_cover_days)
    rows = at.session.execute(
        select(Vouch.public_id, Vouch.borrower_id, Vouch.expires_on, Loan.id, Loan.public_id)
        .join(
            CoverLine,
            or_(CoverLine.inner_vouch_id == Vouch.id, CoverLine.outer_vouch_id == Vouch.id),
        )
        .join(Loan, Loan.id == CoverLine.loan_id)
        .where(
            Vouch.community_id == at.community.id,
            Vouch.expires_on > at.on,
            Vouch.expires_on <= until,
            Vouch.status.in_([VouchStatus.LIVE, VouchStatus.EXPIRED]),
            was_out(at.on),
            *([CoverLine.amount_minor > CoverLine.released_minor] if at.today else []),
        )
        .distinct()
    )
    for vouch, borrower_id, expires_on, loan_id, loan in rows:
        yield Signal(
            RiskRule.EXPIRING_COVER,
            at.on,
            f"{vouch}/{expires_on}/{loan}",
            borrower_id,
            loan_id,
            facts={"vouch": vouch, "expires_on": expires_on.isoformat()},
        )


def _concentration(at: Looking) -> Iterator[Signal]:
    """One household owes more than its share of all that the community has out."""
    if at.today:
        rows = at.session.execute(
            select(Loan.id, Loan.public_id, Loan.borrower_id, Loan.outstanding_minor).where(
                Loan.community_id == at.community.id, IS_LIVE, Loan.outstanding_minor > 0
            )
        ).all()
    else:
        then = outstanding_at(at.on, Loan.community_id == at.community.id)
        rows = at.session.execute(
            select(Loan.id, Loan.public_id, Loan.borrower_id, then.c.outstanding_minor).join(
                then, then.c.loan_id == Loan.id
            )
        ).all()
    total = sum(int(row[3]) for row in rows)
    homes = dict(
        at.session.execute(
            select(Member.id, Member.household_id).where(
                Member.id.in_(select(Loan.borrower_id).where(Loan.community_id == at.community.id)),
                Member.household_id.is_not(None),
            )
        ).all()
    )
    owed: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        home = homes.get(row[2])
        owed.setdefault(("home", home) if home else ("member", row[2]), []).append(row)
    for loans in owed.values():
        minor = sum(int(row[3]) for row in loans)
        if minor * 10_000 > total * at.rules.risk_concentration_bps:
            # A further loan is a further event; the days between are not.
            loan_id, public_id, borrower_id, _ = max(loans, key=lambda row: row[0])
            yield Signal(
                RiskRule.CONCENTRATION,
                at.on,
                public_id,
                borrower_id,
                loan_id,
                facts={"owed_minor": minor, "of_minor": total, "loans": len(loans)},
            )


# Meetings written down later than this after they were closed are not looked at any more.
_MEETING_DAYS = 7


def _missed_meetings(at: Looking) -> Iterator[Signal]:
    """Somebody missed so many meetings of their group in a row: at the one that made it so many.

    A meeting counts from the day on which it was closed; being excused neither counts nor ends it.
    """
    times = at.rules.risk_meetings_missed
    recent = at.on - timedelta(days=_MEETING_DAYS)
    groups = select(Meeting.group_id).where(
        Meeting.community_id == at.community.id,
        Meeting.closed_on > recent,
        Meeting.closed_on <= at.on,
    )
    number = func.row_number().over(
        partition_by=(Meeting.group_id, Attendance.member_id),
        order_by=(Meeting.held_on.desc(), Meeting.id.desc()),
    )
    ranked = (
        select(
            Meeting.group_id,
            Meeting.public_id,
            Meeting.closed_on,
            Attendance.member_id,
            Attendance.kind,
            number.label("number"),
        )
        .join(Attendance, Attendance.meeting_id == Meeting.id)
        .where(
            Meeting.group_id.in_(groups),
            Meeting.closed_on <= at.on,
            Attendance.kind != AttendanceKind.EXCUSED,
        )
        .subquery()
    )
    # The meetings of a week, with as many before each as have to be missed, and one more.
    rows = at.session.execute(
        select(ranked)
        .where(ranked.c.number <= times + 1 + _MEETING_DAYS)
        .order_by(ranked.c.group_id, ranked.c.member_id, ranked.c.number.desc())
    ).all()
    missed: dict[tuple[int, int], int] = {}
    for row in rows:
        who = (row.group_id, row.member_id)
        missed[who] = missed.get(who, 0) + 1 if row.kind is AttendanceKind.ABSENT else 0
        if missed[who] == times and row.closed_on > recent:
            yield Signal(
                RiskRule.MISSED_MEETINGS,
                at.on,
                f"{row.public_id}/{row.member_id}",
                row.member_id,
                facts={"missed": times, "meeting": row.public_id},
            )


# Visits that came due longer ago than this, beyond their grace, are not looked at any more.
_VISIT_DAYS = 7


def _missed_visits(at: Looking) -> Iterator[Signal]:
    """Somebody did not go where they were drawn to go, so many times in a row, grace included."""
    times = at.rules.risk_visits_missed
    late = at.on - timedelta(days=at.rules.risk_visit_grace_days)
    over = (VisitRound.community_id == at.community.id, VisitRound.due_on < late)
    missed_lately = (
        select(Visit.visitor_id)
        .join(VisitRound, VisitRound.id == Visit.round_id)
        .where(
            *over,
            VisitRound.due_on >= late - timedelta(days=_VISIT_DAYS),
            or_(Visit.done_on.is_(None), Visit.done_on > VisitRound.due_on),
        )
    )
    rows = at.session.execute(
        select(Visit.visitor_id, Visit.public_id, Visit.done_on, VisitRound.due_on)
        .join(VisitRound, VisitRound.id == Visit.round_id)
        .where(*over, Visit.visitor_id.in_(missed_lately))
        .order_by(Visit.visitor_id, VisitRound.due_on, Visit.id)
    ).all()
    missed: dict[int, int] = {}
    for visitor_id, visit, done_on, due_on in rows:
        until = due_on + timedelta(days=at.rules.risk_visit_grace_days)
        in_time = done_on is not None and done_on <= until
        missed[visitor_id] = 0 if in_time else missed.get(visitor_id, 0) + 1
        recent = due_on >= late - timedelta(days=_VISIT_DAYS)
        if missed[visitor_id] == times and recent:
            yield Signal(
                RiskRule.MISSED_VISITS,
                at.on,
                visit,
                visitor_id,
                facts={"missed": times, "visit": visit, "due_on": due_on.isoformat()},
            )


def _review_conflicts(at: Looking) -> Iterator[Signal]:
    """Reviewers whose answers a review's own tests found odd: who agree too often, or lift each
    other's households; also one alone who is odd, if the charter says so."""
    rows = at.session.execute(
        select(CampaignFinding, Campaign.public_id)
        .join(Campaign, Campaign.id == CampaignFinding.campaign_id)
        .where(
            Campaign.community_id == at.community.id,
            CampaignFinding.needs_decision,
            CampaignFinding.found_on <= at.on,
        )
        .order_by(CampaignFinding.id)
    )
    for finding, campaign in rows:
        if len(finding.reviewers) < at.rules.risk_review_members_min:
            continue
        yield Signal(
            RiskRule.REVIEW_CONFLICT,
            at.on,
            finding.public_id,
            facts={
                "campaign": campaign,
                "finding": finding.public_id,
                "test": finding.kind.value,
                "rule": finding.rule,
                "reviewers": len(finding.reviewers),
            },
            subject=f"review/{finding.public_id}",
            people=tuple(sorted(finding.reviewers)),
        )


Finder = Callable[[Looking], Iterator[Signal]]

FINDERS: dict[RiskRule, Finder] = {
    RiskRule.LATE: _late,
    RiskRule.BROKEN_PROMISE: _broken_promises,
    RiskRule.FALLING_STAKE: _falling_stake,
    RiskRule.EXPIRING_COVER: _expiring_cover,
    RiskRule.CONCENTRATION: _concentration,
    RiskRule.MISSED_MEETINGS: _missed_meetings,
    RiskRule.MISSED_VISITS: _missed_visits,
    RiskRule.REVIEW_CONFLICT: _review_conflicts,
    RiskRule.CIRCULAR_MONEY: _circular_money,
}


def add_finder(rule: RiskRule, finder: Finder) -> None:
    """Have a rule look for what a room above knows, in the day's watch and in replays alike."""
    if FINDERS.get(rule, finder) is not finder:
        raise ValueError(f"the rule {rule.value} looks for something already")
    FINDERS[rule] = finder
