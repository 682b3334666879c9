"""A hamlet for tests of trust and loans: everything real, amounts small enough to work by hand.

Amounts are plain minor units. `Hamlet` acts on whatever session it is given and takes time from
its `day`, which only moves when a test moves it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities import templates
from community.communities.models import Community, CommunityKind
from community.credit import service as credit
from community.guarantees import service as guarantees
from community.guarantees.failure import advance_loan
from community.guarantees.models import Call, CallStatus
from community.loans import service as loans
from community.loans.models import Loan, LoanStatus, Repayment, RepaymentSource
from community.members import service as members
from community.members.models import Member, MemberKind
from community.money import Money
from community.products import service as products
from community.savings import service as savings
from community.trust import service as trust
from community.trust import standings
from community.trust.models import AssessmentKind, Standing, Vouch, VouchSide
from community.verification import verify
from community.vouching.records import figures_of

Answer = TypeVar("Answer")

CURRENCY = "CNY"
FAR = date(2028, 1, 1)

# What a test does not say: nothing in the way, calls after 10 days, 5 days to pay.
RULES: dict[str, Any] = {
    "cooling_off_days": 0,
    "vouch_minor_max": 10**9,
    "owed_per_member_minor_max": 10**9,
    "loan_cycle_steps_minor": [10**9],
    "endorsements_min": 0,
    "call_day": 10,
    "call_deadline_days": 5,
    "accelerate_on_call": True,
    "set_off_stake": True,
    "reserve_fund_stands_in": True,
    "write_off_day": 60,
    "vouch_days_max": 3000,
    "yearly_rate_ppm_max": 1_000_000,
    "refuse_while_peer_late": False,
    "repayment_capacity_required": False,
    "liability_modes": ["several", "joint_and_several", "pledge_only", "none"],
    "leverage_bps": 10_000,
    "member_age_min": 18,
    "circle_of_trust": 2,
}

TERMS: dict[str, Any] = {
    "currency": CURRENCY,
    "principal_minor_min": 1,
    "principal_minor_max": 10**9,
    "rate_method": "none",
    "amortisation": "equal_principal",
    "yearly_rate_ppm": 0,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 1,
    "instalments_max": 60,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}


@dataclass
class Hamlet:
    """One community, its people by name, and the day."""

    session: Session
    day: date = date(2026, 3, 2)
    rules: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    people: dict[str, Member] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.community = self._community()
        self.officer = self._member("officer")
        self.product_id = self.product("plain", self.terms)

    @property
    def now(self) -> datetime:
        return datetime.combine(self.day, time(9), UTC)

    @property
    def when(self) -> dict[str, Any]:
        return {"on": self.day, "now": self.now}

    def do(self, service: Callable[..., Answer], **given: Any) -> Answer:
        """One service call as a unit of work of its own: committed, or nothing of it stays."""
        try:
            answer = service(self.session, **given)
            self.session.commit()
        except BaseException:
            self.session.rollback()
            raise
        return answer

    def product(self, code: str, terms: dict[str, Any]) -> int:
        """Another product; returns its id."""
        product = self.do(
            products.create_product,
            community_id=self.community.id,
            code=code,
            name=code,
            now=self.now,
            actor_id=None,
        )
        self.do(
            products.publish_version,
            product_id=product.id,
            terms_document={**TERMS, **terms},
            valid_from=self.day,
            source="test",
            actor_id=None,
            **self.when,
        )
        return product.id

    def person(self, name: str, *, stake: int = 0, assessed: int = 0) -> Member:
        """An active member with this much locked and assessed."""
        member = self.people[name] = self._member(name)
        who: dict[str, Any] = {"community_id": self.community.id, "member_id": member.id}
        if stake:
            self.save(name, stake)
            self.do(standings.lock_stake, **who, amount=yuan(stake), actor_id=None, **self.when)
        if assessed:
            self.do(
                standings.grant_assessment,
                **who,
                kind=AssessmentKind.STANDING,
                amount=yuan(assessed),
                evidence="seen",
                expires_on=FAR,
                actor_id=self.officer.id,
                **self.when,
            )
        return member

    def save(self, name: str, amount: int) -> None:
        """Money brought into custody."""
        self.do(
            savings.deposit,
            community_id=self.community.id,
            member_id=self.people[name].id,
            amount=yuan(amount),
            actor_id=None,
            **self.when,
        )

    def lock(self, name: str, amount: int) -> None:
        """Savings made into a stake."""
        who = {"community_id": self.community.id, "member_id": self.people[name].id}
        self.do(standings.lock_stake, **who, amount=yuan(amount), actor_id=None, **self.when)

    def vouch(self, voucher: str, borrower: str, limit: int) -> Vouch:
        """A promise that both sides have accepted."""
        ends = [self.people[voucher].id, self.people[borrower].id]
        offer = self.do(
            trust.offer_vouch,
            community_id=self.community.id,
            voucher_id=ends[0],
            borrower_id=ends[1],
            side=VouchSide.VOUCHER,
            limit=yuan(limit),
            expires_on=FAR,
            actor_id=ends[0],
            records_of=figures_of,
            **self.when,
        )
        return self.do(
            trust.accept_vouch,
            vouch_id=offer.id,
            actor_id=ends[1],
            records_of=figures_of,
            **self.when,
        )

    def fund(self, pool: int, reserve: int = 0) -> None:
        """The lender's money, and what is set aside against losses."""
        place: dict[str, Any] = {"community_id": self.community.id, "actor_id": None, **self.when}
        self.do(credit.fund_lending_pool, amount=yuan(pool), reference="pool", **place)
        if reserve:
            self.do(credit.fund_reserve, amount=yuan(reserve), reference="reserve", **place)

    def apply(self, borrower: str, principal: int, instalments: int = 1) -> Loan:
        """An application, endorsed already where nobody has to endorse."""
        return self.do(
            loans.apply,
            community_id=self.community.id,
            borrower_id=self.people[borrower].id,
            product_id=self.product_id,
            principal=yuan(principal),
            purpose="seed",
            instalments=instalments,
            actor_id=self.people[borrower].id,
            **self.when,
        )

    def approve(self, loan: Loan) -> Loan:
        """Approved, with its cover reserved."""
        return self.do(credit.approve_loan, loan_id=loan.id, actor_id=self.officer.id, **self.when)

    def lend(self, borrower: str, principal: int, instalments: int = 1) -> Loan:
        """A loan paid out today."""
        loan = self.approve(self.apply(borrower, principal, instalments))
        return self.do(loans.disburse, loan_id=loan.id, actor_id=self.officer.id, **self.when)

    def repay(self, loan: Loan, amount: int, *, by: str | None = None) -> Repayment:
        """Money for a loan, by its borrower or a third party."""
        return self.do(
            guarantees.record_repayment,
            loan_id=loan.id,
            amount=yuan(amount),
            payer_id=self.people[by].id if by else None,
            source=RepaymentSource.THIRD_PARTY if by else RepaymentSource.BORROWER,
            actor_id=self.officer.id,
            **self.when,
        )

    def wait(self, days: int, *work: Loan) -> None:
        """Days go by; then the day's work is done on these loans."""
        self.day += timedelta(days=days)
        for loan in work:
            self.do(advance_loan, loan_id=loan.id, **self.when)

    def pay(self, call: Call, amount: int) -> None:
        """A guarantor pays by hand."""
        self.do(
            guarantees.pay_call,
            call_id=call.id,
            amount=yuan(amount),
            actor_id=self.officer.id,
            **self.when,
        )

    def calls(self, loan: Loan, *status: CallStatus) -> dict[str, Call]:
        """Calls on the loan by the guarantor's name, the latest of each; of these states."""
        names = {member.id: name for name, member in self.people.items()}
        rows = self.session.scalars(select(Call).where(Call.loan_id == loan.id).order_by(Call.id))
        return {
            names[call.guarantor_id]: call for call in rows if not status or call.status in status
        }

    def standing(self, name: str) -> Standing:
        return self.session.scalars(
            select(Standing).where(
                Standing.member_id == self.people[name].id,
                Standing.community_id == self.community.id,
            )
        ).one()

    def check(self) -> None:
        """All laws hold on the rows as they are now. Commits, so that events are chained too."""
        self.session.commit()
        self.session.expire_all()
        assert verify(self.session).breaches == ()

    def _member(self, name: str) -> Member:
        member = self.do(
            members.register_member,
            kind=MemberKind.PERSON,
            name=name,
            birth_year=1980,
            now=self.now,
        )
        place: dict[str, Any] = {"community_id": self.community.id, "member_id": member.id}
        self.do(communities.apply_for_membership, **place, actor_id=None, **self.when)
        self.do(communities.activate_membership, **place, actor_id=None, **self.when)
        return member

    def _community(self) -> Community:
        community = self.do(
            communities.create_community,
            kind=CommunityKind.REGION,
            name="Hamlet",
            reference="hamlet",
            currency=CURRENCY,
            now=self.now,
            actor_id=None,
        )
        document = {
            **templates.load("village-cooperative")["rules"],
            **{
                name: {"value": value, "source": "test"}
                for name, value in {**RULES, **self.rules}.items()
            },
        }
        self.do(
            communities.adopt_charter,
            community_id=community.id,
            rules_document=document,
            valid_from=self.day,
            source="test",
            now=self.now,
            actor_id=None,
        )
        return community


def yuan(amount_minor: int) -> Money:
    """Minor units of the hamlet's currency."""
    return Money(amount_minor, CURRENCY)


__all__ = ["FAR", "Hamlet", "LoanStatus", "yuan"]
