"""A plan lived by the platform's own services, day by day, each day closed as an operator would.

Every step is a unit of work, as it would be for a request; what is refused is counted by its code
and changes nothing. Nobody acts on what is found: harm takes its course, so that it can be seen
how long before it something was found.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.businessday.running import PORTION, new_worker
from app.campaigns.work import grant_all
from app.simulation.assumed import ASSUMED, CURRENCY, Assumed
from app.simulation.plan import Act, Plan, Village, What, minor, opinion, payments
from app.transaction import run_unit
from community.businessday.service import Worker, take_turn, work_on
from community.campaigns import deciding
from community.campaigns import service as campaigns
from community.campaigns.models import (
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignStatus,
    Debts,
    Decision,
    VisitResult,
)
from community.communities import service as communities
from community.communities import templates
from community.communities.models import CommunityKind
from community.credit import service as credit
from community.errors import CommunityError
from community.guarantees import service as guarantees
from community.guarantees.models import Call, CallGround, CallStatus
from community.ledger.service import close_through
from community.loans import service as loans
from community.loans.models import Instalment, Loan, LoanStatus
from community.members import service as members
from community.members.models import MemberKind
from community.money import Money
from community.products import service as products
from community.savings import service as savings
from community.trust import service as trust
from community.trust import standings
from community.trust.models import VouchSide
from community.vouching.records import figures_of

Answer = TypeVar("Answer")

# A Monday in January: years of the plan are a farmer's.
START = date(2024, 1, 1)
_TEMPLATE = "village-cooperative"
_SOURCE = "simulated assembly"
_TERMS: dict[str, Any] = {
    "currency": CURRENCY,
    "principal_minor_min": minor(500),
    "principal_minor_max": minor(20_000),
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 84_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 12,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "joint_and_several",
}
# So much a founder, as in many village funds: a few thousand yuan a household.
_POOL_YUAN_EACH, _RESERVE_YUAN = 4_500, 5_000
_PROMISED_DAYS = 1_095
_OBJECTIONS = 8
_ANSWERS_EVERY = 14


@dataclass(frozen=True, slots=True)
class District:
    """What all villages share."""

    community_id: int
    product_id: int
    officer_id: int
    officer_2_id: int


@dataclass(slots=True)
class Life:
    """A village under way: who is who, what is planned, what was refused, where time went."""

    village: Village
    community_id: int
    assumed: Assumed
    ids: dict[str, int] = field(default_factory=dict)
    homes: dict[int, str] = field(default_factory=dict)
    due: dict[int, list[tuple[int, int | None]]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    loans: int = 0
    days_worked: int = 0
    answered: set[int] = field(default_factory=set)
    reviews: int = 0
    granting: dict[int, int] = field(default_factory=dict)

    @property
    def names(self) -> dict[int, str]:
        return {member_id: name for name, member_id in self.ids.items()}


def day_of(number: int) -> date:
    """The date of a day of the plan."""
    return START + timedelta(days=number)


def instant(on: date, hour: int = 1) -> datetime:
    """An hour of a day, in UTC: the office opens at nine in the morning, which is one o'clock."""
    return datetime.combine(on, day_time(hour), UTC)


def found_district(
    session: Session, plan: Plan, reference: str = "district"
) -> tuple[District, list[int]]:
    """The district with its charter and its product, and a community for every village."""
    district, villages = run_unit(session, _found_district, plan=plan, reference=reference)
    for village, community_id in zip(plan.villages, villages, strict=True):
        founders = sum(person.joins <= 2 for person in village.people.values())
        for fund, yuan in (
            (credit.fund_lending_pool, _POOL_YUAN_EACH * founders),
            (credit.fund_reserve, _RESERVE_YUAN),
        ):
            run_unit(
                session,
                fund,
                community_id=community_id,
                amount=Money(minor(yuan), CURRENCY),
                reference=f"{fund.__name__} {community_id}",
                on=START,
                now=instant(START),
                actor_id=district.officer_id,
            )
    return district, villages


def _found_district(session: Session, plan: Plan, reference: str) -> tuple[District, list[int]]:
    now = instant(START)
    officer, other = (
        members.register_member(session, kind=MemberKind.PERSON, name=name, now=now)
        for name in ("Officer", "Second officer")
    )
    act: dict[str, Any] = {"now": now, "actor_id": officer.id}
    district = _found(session, reference, None, act)
    communities.adopt_charter(
        session,
        community_id=district,
        rules_document=templates.load(_TEMPLATE)["rules"],
        valid_from=START,
        source=_SOURCE,
        on=START,
        **act,
    )
    product = products.create_product(
        session, community_id=district, code="monthly", name="Monthly loan", **act
    )
    products.publish_version(
        session,
        product_id=product.id,
        terms_document=_TERMS,
        valid_from=START,
        source=_SOURCE,
        on=START,
        **act,
    )
    villages = []
    for village in plan.villages:
        number = f"village-{village.number + 1:02d}"
        community_id = _found(session, number, district, act)
        villages.append(community_id)
    return District(district, product.id, officer.id, other.id), villages


def _found(session: Session, reference: str, parent_id: int | None, act: dict[str, Any]) -> int:
    return communities.create_community(
        session,
        kind=CommunityKind.REGION,
        name=reference,
        reference=reference,
        currency=CURRENCY,
        parent_id=parent_id,
        **act,
    ).id


def live(
    session: Session,
    village: Village,
    community_id: int,
    district: District,
    *,
    days: int,
    assumed: Assumed = ASSUMED,
    close_every: int = 1,
) -> Life:
    """Live one village's plan to the end.

    `close_every`: so many days are closed in one leap, the last of them by the whole day's work.
    """
    life = Life(village, community_id, assumed)
    worker = new_worker()
    acts: dict[int, list[Act]] = defaultdict(list)
    for act in village.acts:
        acts[act.day].append(act)
    for number in range(days):
        on = day_of(number)
        _do_acts(session, life, district, acts.get(number, ()), number)
        _review_steps(session, life, district, number)
        for loan_id, amount in life.due.pop(number, ()):
            _tried(life, session, _repay, loan_id=loan_id, amount=amount, on=on)
        if number % _ANSWERS_EVERY == 0:
            _answer_calls(session, life, on)
        if number % close_every and number != days - 1:
            continue
        with _timed(life, "close"):
            close_day(session, community_id, on, worker, leaps=close_every > 1)
        life.days_worked += 1
    return life


def close_day(
    session: Session, community_id: int, on: date, worker: Worker, *, leaps: bool = False
) -> None:
    """Close a day as `flask day close` does, with the day's own instant.

    `leaps`: the days before it are closed with it, without a run of their own; what they would have
    booked and found comes on this day.
    """
    now = instant(on, 15)
    if leaps:
        run_unit(session, close_through, community_id=community_id, on=on - timedelta(days=1))
    turn = run_unit(session, take_turn, community_id=community_id, on=on, worker=worker, now=now)
    while turn is not None:
        unit = run_unit(session, work_on, turn=turn, worker=worker, now=now, limit=PORTION)
        if unit.is_finished:
            return


class _timed:  # noqa: N801 - read as a word
    """Adds the processor's time of a block to a stage."""

    def __init__(self, life: Life, stage: str) -> None:
        self.life, self.stage, self.began = life, stage, 0.0

    def __enter__(self) -> None:
        self.began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.life.seconds[self.stage] += time.process_time() - self.began


def _tried(
    life: Life, session: Session, work: Callable[..., Answer], /, **facts: Any
) -> Answer | None:
    """Run a step as a unit of work; a refusal is counted and answered by None."""
    with _timed(life, work.__name__.strip("_")):
        try:
            return run_unit(session, work, **facts)
        except CommunityError as refusal:
            life.refusals[f"{work.__name__.strip('_')}: {refusal.code}"] += 1
            return None


# What people do


def _do_acts(
    session: Session, life: Life, district: District, acts: Sequence[Act], number: int
) -> None:
    on = day_of(number)
    for act in acts:
        if act.what is What.REVIEW:
            _begin_review(session, life, district, number)
        elif act.what is What.BORROW:
            _borrow(session, life, district, act, number)
        else:
            _tried(life, session, _SMALL[act.what], life=life, act=act, on=on)


def _join(session: Session, life: Life, act: Act, on: date) -> None:
    person = life.village.people[act.who]
    now = instant(on)
    home = members.register_household(session, reference=person.home, now=now)
    member = members.register_member(
        session,
        kind=MemberKind.PERSON,
        name=person.name,
        reference=person.name,
        household_id=home.id,
        now=now,
    )
    place: dict[str, Any] = {
        "community_id": life.community_id,
        "member_id": member.id,
        "on": on,
        "now": now,
        "actor_id": None,
    }
    communities.apply_for_membership(session, **place)
    communities.activate_membership(session, **place)
    life.ids[act.who] = member.id
    life.homes[home.id] = person.home


def _move(move: Callable[..., Any]) -> Callable[[Session, Life, Act, date], None]:
    def moved(session: Session, life: Life, act: Act, on: date) -> None:
        move(
            session,
            community_id=life.community_id,
            member_id=life.ids[act.who],
            amount=Money(minor(act.yuan), CURRENCY),
            on=on,
            now=instant(on),
            actor_id=life.ids[act.who],
        )

    moved.__name__ = move.__name__
    return moved


def _promise(session: Session, life: Life, act: Act, on: date) -> None:
    voucher, borrower = life.ids[act.who], life.ids[act.other]
    now = instant(on)
    offer = trust.offer_vouch(
        session,
        community_id=life.community_id,
        voucher_id=voucher,
        borrower_id=borrower,
        side=VouchSide.VOUCHER,
        limit=Money(minor(act.yuan), CURRENCY),
        expires_on=on + timedelta(days=_PROMISED_DAYS),
        on=on,
        now=now,
        actor_id=voucher,
        records_of=figures_of,
    )
    trust.accept_vouch(
        session,
        vouch_id=offer.id,
        on=on,
        now=now,
        actor_id=borrower,
        records_of=figures_of,
    )


_SMALL: dict[What, Callable[[Session, Life, Act, date], None]] = {
    What.JOIN: _join,
    What.DEPOSIT: _move(savings.deposit),
    What.WITHDRAW: _move(savings.withdraw),
    What.STAKE: _move(standings.lock_stake),
    What.PROMISE: _promise,
}


def _borrow(session: Session, life: Life, district: District, act: Act, number: int) -> None:
    """Ask for what the limit admits, be approved, paid out; the plan of repayments follows."""
    on = day_of(number)
    member_id = life.ids[act.who]
    with _timed(life, "limit"):
        limit = credit.credit_limits(
            session, community_id=life.community_id, on=on, member_ids=[member_id]
        )[member_id]
        session.rollback()
    asked = min(minor(act.yuan), limit // 10_000 * 10_000)
    if asked < _TERMS["principal_minor_min"]:
        life.refusals["borrow: limit too low"] += 1
        return
    home = life.village.people[act.who].home
    endorser = next(
        life.ids[name]
        for name in life.village.reviewers
        if life.village.people[name].home != home and name in life.ids
    )
    loan_id = _tried(
        life,
        session,
        _lend,
        life=life,
        district=district,
        member_id=member_id,
        endorser_id=endorser,
        asked=asked,
        instalments=act.instalments,
        on=on,
    )
    if loan_id is None:
        return
    life.loans += 1
    dues = [
        ((due_on - START).days, int(amount))
        for due_on, amount in session.execute(
            select(Instalment.due_on, Instalment.principal_minor + Instalment.interest_minor)
            .where(Instalment.loan_id == loan_id)
            .order_by(Instalment.number)
        )
    ]
    session.rollback()
    person = life.village.people[act.who]
    for day, amount in payments(person, str(number), dues, life.assumed):
        life.due.setdefault(max(day, number + 1), []).append((loan_id, amount))


def _lend(
    session: Session,
    life: Life,
    district: District,
    member_id: int,
    endorser_id: int,
    asked: int,
    instalments: int,
    on: date,
) -> int:
    """From the application to the money, in one unit: who decides is not what is looked at."""
    now = instant(on)
    decision: dict[str, Any] = {"on": on, "now": now, "actor_id": district.officer_id}
    loan = loans.apply(
        session,
        community_id=life.community_id,
        borrower_id=member_id,
        product_id=district.product_id,
        principal=Money(asked, CURRENCY),
        instalments=instalments,
        purpose="tools and animals",
        on=on,
        now=now,
        actor_id=member_id,
    )
    loans.endorse(session, loan_id=loan.id, endorser_id=endorser_id, on=on, now=now)
    credit.approve_loan(session, loan_id=loan.id, **decision)
    loans.disburse(session, loan_id=loan.id, **decision)
    return loan.id


def _repay(session: Session, loan_id: int, amount: int | None, on: date) -> None:
    """A borrower brings money, at most what is owed, to guarantors too if all is brought."""
    loan = session.get_one(Loan, loan_id)
    if loan.status not in (LoanStatus.CURRENT, LoanStatus.OVERDUE, LoanStatus.CALLED):
        return
    owed = loans.owed(session, loan=loan, on=on).total_minor
    paid = owed if amount is None else min(amount, owed)
    if paid:
        guarantees.record_repayment(
            session,
            loan_id=loan_id,
            amount=Money(paid, CURRENCY),
            payer_id=loan.borrower_id,
            on=on,
            now=instant(on),
            actor_id=loan.borrower_id,
        )


def _answer_calls(session: Session, life: Life, on: date) -> None:
    """Guarantors who are asked pay at the first opportunity, or not; whoever quit does not."""
    rows = session.execute(
        select(Call.id, Call.guarantor_id)
        .where(
            Call.community_id == life.community_id,
            Call.status == CallStatus.OPEN,
            Call.ground != CallGround.OWN,
            Call.issued_on < on,
        )
        .order_by(Call.id)
    ).all()
    session.rollback()
    names = life.names
    number = (on - START).days
    for call_id, guarantor_id in rows:
        if call_id in life.answered:
            continue
        life.answered.add(call_id)
        person = life.village.people[names[guarantor_id]]
        has_quit = person.quits is not None and person.quits <= number
        # By lot, the same in every run: the count of calls is.
        lot = (len(life.answered) * 7919) % 100
        if not has_quit and lot < life.assumed.answers_call * 100:
            _tried(life, session, _pay_call, call_id=call_id, on=on)


def _pay_call(session: Session, call_id: int, on: date) -> None:
    loan_id = session.get_one(Call, call_id).loan_id
    cover = guarantees.lock_cover(session, [loan_id])[loan_id]
    call = cover.calls[call_id]
    if call.status is not CallStatus.OPEN or cover.loan.status is not LoanStatus.CALLED:
        return
    owed = loans.owed(session, loan=cover.loan, on=on).total_minor
    amount = min(guarantees.payable_minor(cover, call), owed)
    if amount:
        guarantees.pay_call(
            session,
            call_id=call_id,
            amount=Money(amount, CURRENCY),
            on=on,
            now=instant(on),
            actor_id=call.guarantor_id,
        )


# The village reviews itself


def _begin_review(session: Session, life: Life, district: District, number: int) -> None:
    act: dict[str, Any] = {
        "on": day_of(number),
        "now": instant(day_of(number)),
        "actor_id": district.officer_id,
    }
    reviewers = [life.ids[name] for name in life.village.reviewers if name in life.ids]
    opened = _tried(
        life,
        session,
        campaigns.open_campaign,
        community_id=life.community_id,
        name=f"Review {life.reviews + 1}",
        seed=f"{life.village.seed}/{life.reviews}",
        reviewer_ids=reviewers,
        **act,
    )
    if opened is None:
        return
    campaign_id = opened.id
    review, life.reviews = life.reviews, life.reviews + 1
    if _tried(life, session, campaigns.draw_reviewers, campaign_id=campaign_id, **act) is None:
        return
    while True:
        _tried(
            life, session, _answer_review, life=life, campaign_id=campaign_id, review=review, **act
        )
        closed = _tried(life, session, campaigns.close_round, campaign_id=campaign_id, **act)
        if closed is None:
            return
        if closed.status is not CampaignStatus.REVIEWING:
            break
    _tried(life, session, _decide, campaign_id=campaign_id, **act)
    if _tried(life, session, deciding.publish, campaign_id=campaign_id, **act) is not None:
        life.granting[number + _OBJECTIONS] = campaign_id


def _answer_review(
    session: Session,
    life: Life,
    campaign_id: int,
    review: int,
    on: date,
    now: datetime,
    actor_id: int,
) -> None:
    """Everybody of the open round says what they think, within one unit of work."""
    del on, actor_id
    names = life.names
    asked = session.execute(
        select(
            CampaignAssignment.id, CampaignAssignment.reviewer_id, CampaignAssignment.household_id
        )
        .where(CampaignAssignment.campaign_id == campaign_id, ~CampaignAssignment.is_closed)
        .order_by(CampaignAssignment.id)
    ).all()
    for assignment_id, reviewer_id, household_id in asked:
        home = life.homes[household_id]
        yuan = opinion(life.village, review, names[reviewer_id], home, life.assumed)
        said: dict[str, Any] = {"knows": False, "debts": Debts.UNKNOWN}
        if yuan is not None:
            said = {"knows": True, "debts": Debts.NONE, "reputation": 4}
            said["limit"] = Money(minor(yuan), CURRENCY)
        campaigns.answer(
            session, assignment_id=assignment_id, now=now, actor_id=reviewer_id, **said
        )


def _decide(session: Session, campaign_id: int, on: date, now: datetime, actor_id: int) -> None:
    """The officer lets everything stand: what was found is found, and nothing is prevented."""
    act: dict[str, Any] = {"on": on, "now": now, "actor_id": actor_id}
    waiting = session.scalars(
        select(CampaignFinding.id)
        .where(
            CampaignFinding.campaign_id == campaign_id,
            CampaignFinding.needs_decision,
            CampaignFinding.decision.is_(None),
        )
        .order_by(CampaignFinding.id)
    ).all()
    for finding_id in waiting:
        deciding.decide(
            session, finding_id=finding_id, decision=Decision.KEEP, reason="left to itself", **act
        )
    rows = session.scalars(
        select(CampaignHousehold.id)
        .where(CampaignHousehold.campaign_id == campaign_id, CampaignHousehold.is_sampled)
        .order_by(CampaignHousehold.id)
    ).all()
    for row_id in rows:
        # A household that got no proposal is not visited.
        with suppress(CommunityError):
            deciding.visit(
                session, row_id=row_id, result=VisitResult.CONFIRMED, remark="seen", **act
            )


def _review_steps(session: Session, life: Life, district: District, number: int) -> None:
    campaign_id = life.granting.pop(number, None)
    if campaign_id is None:
        return
    on = day_of(number)
    with _timed(life, "grant"), suppress(CommunityError):
        grant_all(
            session,
            campaign_id=campaign_id,
            on=on,
            now=instant(on),
            actor_id=district.officer_id,
        )
