"""One village's lending year: groups, applications, repayments, failures. By the services alone.

Every step is a unit of work of its own, as it would be for a request; what is refused is counted
by its code and changes nothing.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as day_time
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from app.villages import recipe
from app.villages.recipe import ASSUMED, CURRENCY, Confirmed, Due, Payment
from community.communities.queries import charter_on
from community.credit import service as credit
from community.errors import CommunityError
from community.groups import queries as group_queries
from community.groups import service as groups
from community.guarantees import service as guarantees
from community.guarantees.failure import advance_loan, loans_to_advance
from community.guarantees.models import Call, CallGround, CallStatus, GuaranteePayment
from community.loans import service as loans
from community.loans.models import Instalment, Loan, LoanStatus
from community.members.models import Member
from community.money import Money
from community.trust import service as trust
from community.trust.models import Vouch, VouchStatus
from community.vouching.records import figures_of

Answer = TypeVar("Answer")

GROUP_DAY = timedelta(days=1)
APPLY_DAY = timedelta(days=10)
PAY_OUT_DAY = timedelta(days=11)


@dataclass(frozen=True, slots=True)
class District:
    """What all villages share: products by code, the season, who decides."""

    products: Mapping[str, int]
    season_id: int
    officer_id: int


@dataclass(slots=True)
class VillageYear:
    """A village under way, and what came of it."""

    number: str
    community_id: int
    # Borrowers of record: household number to member id, and back to the household.
    members: Mapping[str, int]
    references: Mapping[int, str]
    groups: list[int] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    limits: dict[int, int] = field(default_factory=dict)
    # Units of work by what they did: how many, and seconds of the processor.
    steps: Counter[str] = field(default_factory=Counter)
    step_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def person(self, member_id: int) -> str:
        """What the lots are drawn on: village and household, the same in every database."""
        return f"{self.number}/{self.references[member_id]}"


def instant(on: date) -> datetime:
    """Nine o'clock of a day in the villages' office, in UTC."""
    return datetime.combine(on, day_time(1, 0), UTC)


def tried(
    year: VillageYear, session: Session, work: Callable[..., Answer], /, **facts: Any
) -> Answer | None:
    """Run a step as a unit of work; a refusal is counted and answered by None."""
    before = time.process_time()
    try:
        return run_unit(session, work, **facts)
    except CommunityError as refusal:
        year.refusals[refusal.code] += 1
        return None
    finally:
        step = work.__name__.strip("_")
        year.steps[step] += 1
        year.step_seconds[step] += time.process_time() - before


def borrowers_of_record(session: Session, references: Mapping[str, str]) -> dict[str, int]:
    """Member ids by household, given the members' references by household."""
    households = {reference: household for household, reference in references.items()}
    found: dict[str, int] = {}
    ordered = sorted(households)
    for start in range(0, len(ordered), 5_000):
        part = ordered[start : start + 5_000]
        rows = session.execute(
            select(Member.reference, Member.id).where(Member.reference_index.in_(part))
        )
        found.update((households[str(reference)], member_id) for reference, member_id in rows)
    return found


# Groups


def form_groups(session: Session, year: VillageYear, on: date, *, most: int) -> None:
    """Households with the strongest confirmed ties become groups, through every step."""
    rules = charter_on(session, year.community_id, on).rules
    confirmed = [
        Confirmed(year.references[voucher], year.references[borrower], limit)
        for voucher, borrower, limit in session.execute(
            select(Vouch.voucher_id, Vouch.borrower_id, Vouch.limit_minor)
            .where(Vouch.community_id == year.community_id, Vouch.status == VouchStatus.LIVE)
            .order_by(Vouch.id)
        )
    ]
    session.rollback()
    chosen = recipe.form_groups(
        confirmed, size_min=rules.group_size_min, size_max=rules.group_size_max, most=most
    )
    for number, households in enumerate(chosen, start=1):
        people = [year.members[household] for household in households]
        day = on + GROUP_DAY
        group_id = tried(
            year, session, _gather_and_sign, year=year, number=number, people=people, on=day
        )
        if group_id is None:
            continue
        after = day + timedelta(days=rules.cooling_off_days + 1)
        bound = tried(
            year,
            session,
            trust.activate_group,
            group_id=group_id,
            on=after,
            now=instant(after),
            actor_id=people[0],
            records_of=figures_of,
        )
        if bound is not None:
            year.groups.append(group_id)


def _gather_and_sign(
    session: Session, *, year: VillageYear, number: int, people: Sequence[int], on: date
) -> int:
    """Form, invite, accept, elect, fix, understand, sign."""
    leader, *others = people
    now = instant(on)
    rules = charter_on(session, year.community_id, on).rules
    group = groups.form_group(
        session,
        community_id=year.community_id,
        founder_id=leader,
        name=f"Group {number} of village {year.number}",
        pair_cap=Money(ASSUMED.group_pair_cap_minor, CURRENCY),
        vouch_expires_on=on + timedelta(days=rules.vouch_days_max),
        on=on,
        now=now,
        actor_id=leader,
    )
    step: dict[str, Any] = {"group_id": group.id, "on": on, "now": now}
    for person in others:
        groups.invite(session, member_id=person, inviter_id=leader, actor_id=leader, **step)
        groups.accept_invitation(session, member_id=person, actor_id=person, **step)
    for person in people:
        groups.vote_leader(session, voter_id=person, candidate_id=leader, actor_id=person, **step)
    groups.fix_agreement(session, actor_id=leader, **step)
    for person in people:
        asked = groups.questionnaire(session, group_id=group.id, member_id=person)
        own: dict[str, Any] = {
            "group_id": group.id,
            "member_id": person,
            "agreement_hash": asked.agreement_hash,
            "now": now,
            "actor_id": person,
        }
        right = {question.id: question.expected for question in asked.questions}
        groups.answer_questions(session, answers=right, **own)
        groups.sign(session, on=on, **own)
    return group.id


# Lending


def lend(session: Session, year: VillageYear, district: District, on: date, *, most: int) -> None:
    """Groups apply first, then households alone; approved loans are paid out the next day.

    `most` bounds how many households apply alone: those that somebody stands behind come first.
    """
    grouped = {
        member_id
        for group_id in year.groups
        for member_id in _apply_as_group(session, year, district, group_id, on)
    }
    worthwhile = {
        year.person(member_id): member_id
        for member_id, limit in year.limits.items()
        if limit >= ASSUMED.principal_minor_min and member_id not in grouped
    }
    backed = {
        year.person(member_id)
        for member_id in session.scalars(
            select(Vouch.borrower_id)
            .where(Vouch.community_id == year.community_id, Vouch.status == VouchStatus.LIVE)
            .distinct()
        )
    }
    session.rollback()
    for person in recipe.choose(worthwhile, most, "applies", first=backed):
        _apply_alone(session, year, district, worthwhile[person], on)


def _apply_as_group(
    session: Session, year: VillageYear, district: District, group_id: int, on: date
) -> list[int]:
    """A group loan with a share for those who borrow first; returns all members of the group."""
    group = group_queries.get_group_by_id(session, group_id)
    leader = group.leader_id
    people = [place.member_id for place in group_queries.living_members(session, group_id)]
    session.rollback()
    wanted = {person: recipe.share_minor(year.limits.get(person, 0)) for person in people}
    able = {year.person(person): person for person, share in wanted.items() if share}
    # Staggered lending: the others stand by until their turn comes.
    first = [able[p] for p in recipe.choose(able, ASSUMED.group_borrowers, "borrows first")]
    shares = {person: share for person in first if (share := wanted[person]) is not None}
    endorser = _endorser(year, people)
    for _ in range(2):
        if not shares or endorser is None:
            break
        year.asked["group applications"] += 1
        applied = tried(
            year,
            session,
            _apply_and_endorse_as_group,
            group_id=group_id,
            product_id=district.products["group"],
            shares=shares,
            endorser_id=endorser,
            leader_id=leader,
            on=on + APPLY_DAY,
        )
        if applied is None:
            break
        decided = tried(
            year,
            session,
            credit.approve_group_loan,
            group_loan_id=applied,
            **_decision(district, on + APPLY_DAY),
        )
        if decided is not None:
            tried(
                year,
                session,
                loans.disburse_group_loan,
                group_loan_id=applied,
                **_decision(district, on + PAY_OUT_DAY),
            )
            break
        tried(
            year,
            session,
            loans.end_group_application,
            group_loan_id=applied,
            to=LoanStatus.REJECTED,
            reason="above the limit",
            **_decision(district, on + APPLY_DAY),
        )
        halves = {person: recipe.smaller_principal_minor(share) for person, share in shares.items()}
        shares = {person: half for person, half in halves.items() if half is not None}
    return people


def _apply_and_endorse_as_group(
    session: Session,
    *,
    group_id: int,
    product_id: int,
    shares: Mapping[int, int],
    endorser_id: int,
    leader_id: int,
    on: date,
) -> int:
    now = instant(on)
    group_loan = loans.apply_as_group(
        session,
        group_id=group_id,
        product_id=product_id,
        shares=shares,
        total=Money(sum(shares.values()), CURRENCY),
        instalments=ASSUMED.instalments,
        purpose="seed, tools and animals",
        on=on,
        now=now,
        actor_id=leader_id,
    )
    loans.endorse_group_loan(
        session, group_loan_id=group_loan.id, endorser_id=endorser_id, on=on, now=now
    )
    return group_loan.id


def _apply_alone(
    session: Session, year: VillageYear, district: District, member_id: int, on: date
) -> None:
    person = year.person(member_id)
    asked = recipe.principal_minor(year.limits[member_id], person)
    code = recipe.product_of(person)
    endorser = _endorser(year, [member_id])
    for _ in range(2):
        if asked is None or endorser is None:
            return
        year.asked["single applications"] += 1
        loan_id = tried(
            year,
            session,
            _apply_and_endorse,
            community_id=year.community_id,
            member_id=member_id,
            product_id=district.products[code],
            season_id=district.season_id if code == "seasonal" else None,
            principal_minor=asked,
            endorser_id=endorser,
            on=on + APPLY_DAY,
        )
        if loan_id is None:
            return
        approved = tried(
            year,
            session,
            credit.approve_loan,
            loan_id=loan_id,
            **_decision(district, on + APPLY_DAY),
        )
        if approved is not None:
            tried(
                year,
                session,
                loans.disburse,
                loan_id=loan_id,
                **_decision(district, on + PAY_OUT_DAY),
            )
            return
        tried(
            year,
            session,
            loans.reject,
            loan_id=loan_id,
            reason="above the limit",
            **_decision(district, on + APPLY_DAY),
        )
        asked = recipe.smaller_principal_minor(asked)


def _apply_and_endorse(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    product_id: int,
    season_id: int | None,
    principal_minor: int,
    endorser_id: int,
    on: date,
) -> int:
    now = instant(on)
    loan = loans.apply(
        session,
        community_id=community_id,
        borrower_id=member_id,
        product_id=product_id,
        principal=Money(principal_minor, CURRENCY),
        instalments=None if season_id is not None else ASSUMED.instalments,
        season_id=season_id,
        purpose="paddy" if season_id is not None else "tools and animals",
        on=on,
        now=now,
        actor_id=member_id,
    )
    loans.endorse(session, loan_id=loan.id, endorser_id=endorser_id, on=on, now=now)
    return loan.id


def _endorser(year: VillageYear, borrowers: Sequence[int]) -> int | None:
    """Another household's borrower of record, by lot."""
    others = {year.person(m): m for m in year.members.values() if m not in borrowers}
    lot = recipe.lot("endorses", year.person(borrowers[0]))
    ordered = sorted(others)
    return others[ordered[lot % len(ordered)]] if ordered else None


def _decision(district: District, on: date) -> dict[str, Any]:
    return {"on": on, "now": instant(on), "actor_id": district.officer_id}


# Repaying and failing


def live_through(
    session: Session, year: VillageYear, district: District, on: date, *, until: date
) -> None:
    """Day by day until `until`: what borrowers and guarantors bring, and what happens if not.

    Money is taken on the day it is brought; late loans are looked at every `tick_days` days.
    """
    plan = _plan(session, year)
    step = timedelta(days=ASSUMED.tick_days)
    ticks = []
    day = on + PAY_OUT_DAY + step
    while day <= until:
        ticks.append(day)
        day += step
    answered: set[int] = set()
    for day in sorted({*plan, *ticks}):
        if day > until:
            break
        for loan_id, payment in plan.get(day, ()):
            tried(year, session, _repay, loan_id=loan_id, payment=payment)
        if day in ticks:
            _tick(session, year, day, answered)


def _plan(session: Session, year: VillageYear) -> dict[date, list[tuple[int, Payment]]]:
    """What borrowers will bring, by day."""
    dues: dict[tuple[int, int], list[Due]] = {}
    for loan_id, borrower_id, due_on, amount in session.execute(
        select(
            Loan.id,
            Loan.borrower_id,
            Instalment.due_on,
            Instalment.principal_minor + Instalment.interest_minor,
        )
        .join(Instalment, Instalment.loan_id == Loan.id)
        .where(Loan.community_id == year.community_id)
        .order_by(Loan.id, Instalment.number)
    ):
        dues.setdefault((loan_id, borrower_id), []).append(Due(due_on, int(amount)))
    session.rollback()
    plan: dict[date, list[tuple[int, Payment]]] = {}
    for (loan_id, borrower_id), rows in dues.items():
        for payment in recipe.payments(year.person(borrower_id), rows):
            plan.setdefault(payment.on, []).append((loan_id, payment))
    return plan


def _repay(session: Session, *, loan_id: int, payment: Payment) -> None:
    """A borrower brings money: a due, or everything that they owe to anybody for this loan."""
    loan = session.get_one(Loan, loan_id)
    amount = payment.amount_minor
    if amount is None:
        amount = loans.owed(session, loan=loan, on=payment.on).total_minor + _claimed(
            session, loan_id
        )
        if not amount:
            return
    guarantees.record_repayment(
        session,
        loan_id=loan_id,
        amount=Money(amount, CURRENCY),
        payer_id=loan.borrower_id,
        on=payment.on,
        now=instant(payment.on),
        actor_id=loan.borrower_id,
    )


def _claimed(session: Session, loan_id: int) -> int:
    still = func.sum(GuaranteePayment.amount_minor - GuaranteePayment.recovered_minor)
    return int(session.scalar(select(still).where(GuaranteePayment.loan_id == loan_id)) or 0)


def _tick(session: Session, year: VillageYear, on: date, answered: set[int]) -> None:
    """Called guarantors who pay by hand do so, then every late loan is taken to the day."""
    open_calls = session.execute(
        select(Call.id, Call.guarantor_id, Loan.borrower_id)
        .join(Loan, Loan.id == Call.loan_id)
        .where(
            Call.community_id == year.community_id,
            Call.status == CallStatus.OPEN,
            # The borrower's own falls with the debt; nobody pays it apart.
            Call.ground != CallGround.OWN,
            Call.issued_on < on,
        )
        .order_by(Call.id)
    ).all()
    late = loans_to_advance(session, community_id=year.community_id, on=on)
    session.rollback()
    for call_id, guarantor_id, borrower_id in open_calls:
        if call_id not in answered:
            answered.add(call_id)
            tried(
                year,
                session,
                _pay_call,
                call_id=call_id,
                lot=(year.person(guarantor_id), year.person(borrower_id)),
                on=on,
            )
    for loan_id in late:
        tried(year, session, advance_loan, loan_id=loan_id, on=on, now=instant(on))


def _pay_call(session: Session, *, call_id: int, lot: tuple[str, str], on: date) -> None:
    call = session.get_one(Call, call_id)
    cover = guarantees.lock_cover(session, [call.loan_id])[call.loan_id]
    call = cover.calls[call_id]
    if call.status is not CallStatus.OPEN or cover.loan.status is not LoanStatus.CALLED:
        return
    owed = loans.owed(session, loan=cover.loan, on=on).total_minor
    asked = min(guarantees.payable_minor(cover, call), owed)
    amount = recipe.paid_by_hand_minor(*lot, asked)
    if amount:
        guarantees.pay_call(
            session,
            call_id=call_id,
            amount=Money(amount, CURRENCY),
            on=on,
            now=instant(on),
            actor_id=call.guarantor_id,
        )
