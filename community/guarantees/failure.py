"""What happens to a loan that is not paid, day by day.

`advance_loans` takes loans to a business day: late, called, deadlines passed, further out, across
co-guarantors, reserve fund, written off. It may run any number of times for the same day; what is
done stays done. Who is asked for how much comes from `guarantees.plan`.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, false, or_, select, union_all
from sqlalchemy.orm import Session

from community.communities.charter import CharterRules, LiabilityMode, read_rules
from community.communities.models import Charter
from community.guarantees.cover import (
    PENDING,
    LoanCover,
    lock_cover,
    pay_line,
    release,
    release_line,
    reserve,
    stake_for,
)
from community.guarantees.errors import CallNotOpen
from community.guarantees.models import Call, CallGround, CallLine, CallStatus
from community.guarantees.plan import (
    Demand,
    co_guarantor_shares,
    first_demands,
    outward_demands,
)
from community.guarantees.service import (
    locked_call,
    mark_overdue_standings,
    note_payment,
    pay_on_call,
    payable_minor,
    settle_state,
)
from community.ledger.events import record_event
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.lines import reserves as line_reserves
from community.lines.draws import follow
from community.loans import changes, states
from community.loans import service as loans
from community.loans.models import (
    PART_PAID_OUT,
    Loan,
    LoanPosition,
    LoanStatus,
    RepaymentSource,
)
from community.reasons import because
from community.trust.models import VouchStatus
from community.trust.snapshot import facts_of
from graph.limits import CoverPath


def advance_loans(
    session: Session, *, loan_ids: Collection[int], on: date, now: datetime
) -> dict[int, LoanStatus]:
    """Take disbursed loans to the business day `on`; returns the new status of those that moved.

    All of their cover is locked at once, then one after another is done in the order of ids. Late
    dues mark a loan overdue; past the charter's call day guarantors are called; calls past their
    deadline lapse and move further out; then the reserve fund; past the write-off day what is left
    is written off. A loan on which something of a later day stands is left to that day.
    """
    covers = lock_cover(session, loan_ids)
    charters = _charters(session, {cover.loan.charter_id for cover in covers.values()})
    moved = {}
    for loan_id, cover in sorted(covers.items()):
        before = cover.loan.status
        _advance(session, cover, charters[cover.loan.charter_id], on=on, now=now)
        follow(cover.drawn, cover.loan, on=on)
        after = cover.loan.status
        if after is not before:
            moved[loan_id] = after
    return moved


def advance_loan(session: Session, *, loan_id: int, on: date, now: datetime) -> LoanStatus:
    """The same for one loan; returns its status then."""
    advance_loans(session, loan_ids=[loan_id], on=on, now=now)
    return session.get_one(Loan, loan_id).status


def _advance(
    session: Session, cover: LoanCover, charter: CharterRules, *, on: date, now: datetime
) -> None:
    loan = cover.loan
    if loan.worked_out_on is not None and loan.worked_out_on > on:
        # The day is worked through afterwards, and money that came since would be left out.
        return
    changes.bring_to_day(session, loan=loan, on=on, now=now)
    if loan.status in states.ON_PLAN and loan.undisbursed_minor and not loan.outstanding_minor:
        # Repaid before its last tranche: with the harvest that does not come any more.
        settle_state(session, cover, on=on, now=now, actor_id=None)
    if loan.status in states.ON_PLAN or loan.status is LoanStatus.OVERDUE:
        _age(session, cover, charter, on=on, now=now)
    if loan.status is LoanStatus.CALLED:
        _lapse(session, cover, charter, on=on, now=now)
    if _nobody_asked(cover) and loan.accelerated_on is None:
        # Further arrears of a called loan that runs on by its schedule.
        _ask(session, cover, charter, on=on, now=now)
    if _nobody_asked(cover):
        _last_resorts(session, cover, charter, on=on, now=now)


def loans_to_advance(
    session: Session, *, community_id: int, on: date, after_id: int = 0, limit: int | None = None
) -> list[int]:
    """Disbursed loans of a community on which a day changes something, by id.

    The first `limit` of them after `after_id`. A loan that is late and waits, for its call day or
    for a deadline, is not among them unless its debt grows by the day.
    """
    due = LoanPosition.oldest_due_on
    newly_late = Loan.status.in_(states.ON_PLAN) & (due < on)
    to_call = (Loan.status == LoanStatus.OVERDUE) & _past_call_day(session, community_id, on)
    calls = select(Call.id).where(Call.loan_id == Loan.id)
    ripe = calls.where(Call.status == CallStatus.OPEN)
    pledge_only = Loan.terms["product"]["liability_mode"].as_string() == LiabilityMode.PLEDGE_ONLY
    here = Loan.community_id == community_id
    to_press = (here & (Loan.status == LoanStatus.CALLED)) & (
        ~calls.where(Call.status.in_(PENDING)).exists()
        | ripe.where(Call.deadline_on < on).exists()
        | (pledge_only & ripe.exists())
    )
    # Penalties and recalculated interest grow by the day, as long as something is late.
    product = Loan.terms["product"]
    grows = product["penalty_yearly_rate_ppm"].as_integer().is_not(None) | product[
        "recalculation"
    ].as_string().is_not(None)
    to_grow = Loan.status.in_([LoanStatus.OVERDUE, LoanStatus.CALLED]) & (due < on) & grows
    # Repaid before its last tranche went out: it ends when no tranche is to come any more.
    repaid = here & PART_PAID_OUT & Loan.status.in_(states.ON_PLAN) & (Loan.outstanding_minor == 0)
    # One question each, so that each has an index that leads to its few loans.
    questions = [
        select(LoanPosition.loan_id)
        .join(Loan, Loan.id == LoanPosition.loan_id)
        .where(
            LoanPosition.community_id == community_id,
            LoanPosition.loan_id > after_id,
            condition,
        )
        .order_by(LoanPosition.loan_id)
        .limit(limit)
        .subquery()
        for condition in (newly_late, to_call, to_press, to_grow, repaid)
    ]
    found = session.scalars(union_all(*(select(question.c.loan_id) for question in questions)))
    return sorted(set(found))[:limit]


def _past_call_day(session: Session, community_id: int, on: date) -> ColumnElement[bool]:
    """Whether a loan is late for longer than the charter that it was made under waits."""
    charters = session.execute(
        select(Charter.id, Charter.rules).where(
            Charter.id.in_(
                select(Loan.charter_id).where(
                    Loan.community_id == community_id, Loan.status == LoanStatus.OVERDUE
                )
            )
        )
    )
    return or_(
        false(),
        *(
            (Loan.charter_id == charter_id)
            & (LoanPosition.oldest_due_on < on - timedelta(days=read_rules(document).call_day))
            for charter_id, document in charters
        ),
    )


def _age(
    session: Session, cover: LoanCover, charter: CharterRules, *, on: date, now: datetime
) -> None:
    loan = cover.loan
    owed = loans.owed(session, loan=loan, on=on)
    if owed.overdue_minor == 0:
        return
    if loans.mark_overdue(session, loan=loan, on=on, now=now, debt=owed):
        mark_overdue_standings(session, cover)
    if owed.days_overdue > charter.call_day:
        loans.mark_called(
            session,
            loan=loan,
            accelerate=charter.accelerate_on_call,
            on=on,
            now=now,
            reason=because("call_day", days=owed.days_overdue, call_day=charter.call_day),
        )
        _ask(session, cover, charter, on=on, now=now)


def _ask(
    session: Session, cover: LoanCover, charter: CharterRules, *, on: date, now: datetime
) -> None:
    """Open calls: the borrower's own standing first, then those who promised to them."""
    asked = _demanded(session, cover, on)
    failed = _not_asked_again(cover)
    lines = [cover.as_held(line, line.held_minor) for line in cover.lines.values()]
    own, demands = first_demands(
        [line for line in lines if line.direct_id is None or line.direct_id not in failed], asked
    )
    deadline = on + timedelta(days=charter.call_deadline_days)
    unpaid = _set_off_own(session, cover, own, on=on, now=now)
    if unpaid and cover.loan.borrower_id not in failed:
        # What only their assessment backs is asked by a deadline, like anybody's.
        demand = Demand(cover.loan.borrower_id, None, unpaid)
        _open_call(session, cover, demand, CallGround.OWN, on=on, deadline=deadline, now=now)
    for demand in demands:
        call = _open_call(
            session, cover, demand, CallGround.DIRECT, on=on, deadline=deadline, now=now
        )
        if charter.set_off_stake or cover.mode is LiabilityMode.PLEDGE_ONLY:
            _set_off(session, cover, call, on=on, now=now)
    settle_state(session, cover, on=on, now=now, actor_id=None)


def _demanded(session: Session, cover: LoanCover, on: date) -> int:
    """What may be asked of others: everything of an accelerated loan, else what is overdue."""
    owed = loans.owed(session, loan=cover.loan, on=on)
    return owed.overdue_minor if cover.loan.accelerated_on is None else owed.total_minor


def _set_off_own(
    session: Session, cover: LoanCover, parts: dict[int, int], *, on: date, now: datetime
) -> dict[int, int]:
    """Pay from the borrower's own locked savings what they cover; returns what is left by line."""
    loan, paid = cover.loan, 0
    unpaid: dict[int, int] = {}
    for line_id, part in parts.items():
        line = cover.lines[line_id]
        amount = min(part, stake_for(session, cover, cover.standings[line.standing_id]))
        if part > amount:
            unpaid[line_id] = part - amount
        if amount:
            line.called_minor += amount
            pay_line(cover, line, amount, payer_id=loan.borrower_id, from_stake=True)
            paid += amount
    if paid:
        loans.book_repayment(
            session,
            loan=loan,
            amount_minor=paid,
            source=RepaymentSource.STAKE,
            payer_id=loan.borrower_id,
            on=on,
            now=now,
            actor_id=None,
        )
    return unpaid


def _set_off(session: Session, cover: LoanCover, call: Call, *, on: date, now: datetime) -> None:
    """Pay a call from the guarantor's own stake, as far as it backs the called lines."""
    backed = 0
    lines = set()
    for item in _items(cover, call):
        line = cover.lines[item.cover_line_id]
        standing = cover.standings[line.standing_id]
        if standing.member_id == call.guarantor_id:
            left = stake_for(session, cover, standing) - backed
            backed += min(item.open_minor, line.held_minor, left)
            lines.add(line.id)
    if backed:
        pay_on_call(
            session,
            cover,
            call,
            backed,
            source=RepaymentSource.STAKE,
            on=on,
            now=now,
            actor_id=None,
            only_lines=frozenset(lines),
        )


def _lapse(
    session: Session, cover: LoanCover, charter: CharterRules, *, on: date, now: datetime
) -> None:
    """Close calls whose deadline passed unpaid and ask further out; repeat until none is due."""
    deadline = on + timedelta(days=charter.call_deadline_days)
    for _ in range(len(cover.lines) + len(cover.calls) + 1):
        late = [
            call
            for call in sorted(cover.calls.values(), key=lambda call: call.id)
            if call.status is CallStatus.OPEN
            and (call.deadline_on < on or cover.mode is LiabilityMode.PLEDGE_ONLY)
        ]
        if not late or not _is_called(cover):
            return
        # What comes in on one call may settle the loan before the next one's turn.
        for call in (call for call in late if _is_called(cover)):
            _lapse_one(session, cover, charter, call, on=on, deadline=deadline, now=now)
            settle_state(session, cover, on=on, now=now, actor_id=None)


def _lapse_one(
    session: Session,
    cover: LoanCover,
    charter: CharterRules,
    call: Call,
    *,
    on: date,
    deadline: date,
    now: datetime,
) -> None:
    call.status = CallStatus.LAPSED
    call.version += 1
    _note(session, cover, call, "call.lapsed", now, {"unpaid_minor": call.open_minor})
    unpaid = left = payable_minor(cover, call)
    stake_first = charter.set_off_stake or cover.mode is LiabilityMode.PLEDGE_ONLY
    if call.ground is CallGround.DIRECT:
        lines = [cover.as_held(line, line.held_minor) for line in cover.lines.values()]
        for demand in outward_demands(lines, call.guarantor_id, unpaid):
            left -= demand.amount_minor
            moved = _open_call(
                session,
                cover,
                demand,
                CallGround.SECOND_HOP,
                on=on,
                deadline=deadline,
                now=now,
                after=call,
            )
            if stake_first:
                _set_off(session, cover, moved, on=on, now=now)
    if left and cover.mode is LiabilityMode.JOINT_AND_SEVERAL:
        _call_across(session, cover, call, left, stake_first, on=on, deadline=deadline, now=now)


def uphold_dispute(
    session: Session, *, call_id: int, on: date, now: datetime, reason: str, actor_id: int
) -> Call:
    """The dispute was right: nothing more is asked on the call.

    The cover that it asked for is let go, and rests on that promise no more. Jointly and severally
    the others are asked for it, by what they signed; else it is left to the reserves. What was paid
    on it before stays paid, with its claims. Raises CallNotFound, CallNotOpen.
    """
    call, cover = locked_call(session, call_id)
    if call.status is not CallStatus.DISPUTED:
        raise CallNotOpen("The call is not disputed.", status=call.status.value)
    charter = _charters(session, {cover.loan.charter_id})[cover.loan.charter_id]
    unpaid = payable_minor(cover, call)
    for item in _items(cover, call):
        line = cover.lines[item.cover_line_id]
        part = min(item.open_minor, line.held_minor)
        item.moved_minor += item.open_minor
        if part:
            release_line(session, line, part)
    call.cancelled_minor += call.open_minor
    call.status = CallStatus.CANCELLED
    call.disputed_on, call.upheld_on = None, on
    call.version += 1
    record_event(
        session,
        community_id=cover.loan.community_id,
        kind="call.dispute_upheld",
        subject=call.public_id,
        actor_id=actor_id,
        now=now,
        facts={"reason": reason, "unpaid_minor": unpaid},
    )
    if unpaid and cover.mode is LiabilityMode.JOINT_AND_SEVERAL and _is_called(cover):
        deadline = on + timedelta(days=charter.call_deadline_days)
        stake_first = charter.set_off_stake
        _call_across(session, cover, call, unpaid, stake_first, on=on, deadline=deadline, now=now)
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return call


def _not_asked_again(cover: LoanCover) -> set[int]:
    """Guarantors whose call lapsed, or who were right to dispute it."""
    return {
        call.guarantor_id
        for call in cover.calls.values()
        if call.status is CallStatus.LAPSED or call.upheld_on is not None
    }


def _call_across(
    session: Session,
    cover: LoanCover,
    lapsed: Call,
    shortfall_minor: int,
    stake_first: bool,
    *,
    on: date,
    deadline: date,
    now: datetime,
) -> None:
    """Joint and several: ask the other direct guarantors for an unpaid share.

    Each only within the room of their promise, of their unreserved standing and of the cap they
    signed; what they are asked for is reserved first, so that it cannot back anything else.
    """
    owed = _demanded(session, cover, on)
    asked = sum(call.open_minor for call in cover.calls.values() if call.status in PENDING)
    room: dict[int, int] = {}
    promise: dict[int, int] = {}
    failed = _not_asked_again(cover)
    for vouch in sorted(cover.vouches.values(), key=lambda vouch: vouch.id):
        member = vouch.voucher_id
        if vouch.borrower_id != cover.loan.borrower_id or member in failed or member in room:
            continue
        standing = cover.standing_of(member)
        guarantee = cover.guarantees.get(member)
        if standing is None or guarantee is None or vouch.status is not VouchStatus.LIVE:
            continue
        pending = sum(
            call.open_minor
            for call in cover.calls.values()
            if call.guarantor_id == member and call.status in PENDING
        )
        room[member] = min(
            vouch.limit_minor - vouch.reserved_minor - vouch.spent_minor,
            # As for any new cover: nothing of who is overdue, nor on a grant that has run out.
            facts_of(standing).free_on(on),
            guarantee.cap_minor - guarantee.paid_minor - pending,
        )
        promise[member] = vouch.id
    shares = co_guarantor_shares(room, min(shortfall_minor, max(owed - asked, 0)))
    for member, share in shares.items():
        standing = cover.standing_of(member)
        assert standing is not None  # only members with a standing have room
        path = CoverPath(standing_of=member, promises=(promise[member],), amount=share)
        [line] = reserve(session, loan=cover.loan, paths=[path], standing_ids={member: standing.id})
        cover.lines[line.id] = line
        # For the borrower's own part the claim is against the borrower as it is.
        # Who rightly disputed owes nobody anything.
        alone = lapsed.ground is CallGround.OWN or lapsed.upheld_on is not None
        other = None if alone else lapsed.guarantor_id
        demand = Demand(member, other, {line.id: share})
        call = _open_call(
            session,
            cover,
            demand,
            CallGround.CO_GUARANTOR,
            on=on,
            deadline=deadline,
            now=now,
            after=lapsed,
        )
        if stake_first:
            _set_off(session, cover, call, on=on, now=now)


def _last_resorts(
    session: Session, cover: LoanCover, charter: CharterRules, *, on: date, now: datetime
) -> None:
    """Nobody is left to ask: the reserves stand in, then what is left is given up.

    First that of the line which the loan draws on, then the community's.
    """
    loan = cover.loan
    demanded = _demanded(session, cover, on)
    line = None if cover.drawn is None else cover.drawn.line
    if line is not None and demanded and line.reserve_minor:
        amount = min(line.reserve_minor, demanded)
        line_reserves.use(session, line=line, loan_id=loan.id, amount_minor=amount, on=on, now=now)
        _stand_in(session, cover, amount, line_id=line.id, on=on, now=now)
        demanded = _demanded(session, cover, on) if _is_called(cover) else 0
    if charter.reserve_fund_stands_in and demanded:
        held = balance(
            session,
            community_id=loan.community_id,
            kind=AccountKind.RESERVE_FUND,
            currency=loans.currency_of(loan),
        )
        amount = min(held, demanded)
        if amount:
            _stand_in(session, cover, amount, line_id=None, on=on, now=now)
    if loan.status is not LoanStatus.CALLED or loan.overdue_since_on is None:
        return
    if (on - loan.overdue_since_on).days > charter.write_off_day:
        loans.write_off(
            session,
            loan=loan,
            on=on,
            now=now,
            reason=because("nobody_left", days=charter.write_off_day),
        )
        release(session, cover, cover.held_minor)
        mark_overdue_standings(session, cover)


def _stand_in(
    session: Session,
    cover: LoanCover,
    amount_minor: int,
    *,
    line_id: int | None,
    on: date,
    now: datetime,
) -> None:
    """A reserve pays for the borrower, and has its claim for it."""
    repayment = loans.book_repayment(
        session,
        loan=cover.loan,
        amount_minor=amount_minor,
        source=RepaymentSource.RESERVE,
        payer_id=None,
        on=on,
        now=now,
        actor_id=None,
    )
    note_payment(
        session, cover, repayment, call=None, payer_id=None, line_id=line_id, on=on, now=now
    )
    settle_state(session, cover, on=on, now=now, actor_id=None)


def _open_call(
    session: Session,
    cover: LoanCover,
    demand: Demand,
    ground: CallGround,
    *,
    on: date,
    deadline: date,
    now: datetime,
    after: Call | None = None,
) -> Call:
    call = Call(
        loan_id=cover.loan.id,
        community_id=cover.loan.community_id,
        guarantor_id=demand.guarantor_id,
        for_guarantor_id=demand.for_guarantor_id,
        after_call_id=None if after is None else after.id,
        ground=ground,
        amount_minor=demand.amount_minor,
        paid_minor=0,
        cancelled_minor=0,
        status=CallStatus.OPEN,
        issued_on=on,
        deadline_on=deadline,
        version=1,
        created_at=now,
    )
    session.add(call)
    session.flush()  # the call's lines name it
    for line_id, amount in demand.lines.items():
        item = CallLine(
            call_id=call.id,
            cover_line_id=line_id,
            amount_minor=amount,
            paid_minor=0,
            moved_minor=0,
        )
        session.add(item)
        cover.call_lines.append(item)
        # Asked again further out, a line is not called twice.
        line = cover.lines[line_id]
        line.called_minor = max(line.called_minor, line.paid_minor + amount)
    session.flush()  # payments go over a call's lines in the order of their ids
    cover.calls[call.id] = call
    _note(session, cover, call, "call.issued", now, {"amount_minor": call.amount_minor})
    return call


def _items(cover: LoanCover, call: Call) -> Iterable[CallLine]:
    return sorted(
        (item for item in cover.call_lines if item.call_id == call.id), key=lambda item: item.id
    )


def _is_called(cover: LoanCover) -> bool:
    return cover.loan.status is LoanStatus.CALLED


def _nobody_asked(cover: LoanCover) -> bool:
    return _is_called(cover) and not any(call.status in PENDING for call in cover.calls.values())


def _charters(session: Session, ids: Collection[int]) -> dict[int, CharterRules]:
    """The rules that loans were made under."""
    rows = session.execute(select(Charter.id, Charter.rules).where(Charter.id.in_(sorted(ids))))
    return {charter_id: read_rules(document) for charter_id, document in rows}


def _note(
    session: Session,
    cover: LoanCover,
    call: Call,
    kind: str,
    now: datetime,
    facts: dict[str, object],
) -> None:
    record_event(
        session,
        community_id=cover.loan.community_id,
        kind=kind,
        subject=call.public_id,
        actor_id=None,
        now=now,
        facts=facts,
    )
