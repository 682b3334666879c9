"""Everything that people can do with promises, groups, lines and loans, in whatever order.

A state machine that Hypothesis drives, and shortens when a law breaks. After each step the laws
are asked of the rows, by the verifier and by plain SQL. Short here; MACHINE times as many examples
and steps if the environment says so (`make properties` does).
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from community.campaigns import granting
from community.campaigns.models import CampaignHousehold, HouseholdStatus
from community.errors import CommunityError
from community.groups import amendments, expulsions, queries
from community.groups.checks import check_groups
from community.groups.models import GroupStatus, Settlement
from community.guarantees import claims, group_life, handover
from community.guarantees import service as guarantees
from community.guarantees.checks import check_guarantees
from community.guarantees.failure import advance_loans, uphold_dispute
from community.guarantees.models import (
    Call,
    CallStatus,
    Claim,
    ClaimSettlement,
    Guarantee,
    SettlementStatus,
)
from community.lines import reserves
from community.lines import service as lines
from community.lines.checks import check_lines
from community.lines.models import CreditLine
from community.loans import service as loans
from community.loans.models import Loan, LoanStatus, Repayment
from community.loans.states import LIVE
from community.products.models import Product
from community.records import service as records
from community.records.signing import load_signer, new_private_pem
from community.records.statement import RecordField, RecordPurpose
from community.servicing import service as servicing
from community.trust import service as trust
from community.trust import standings
from community.trust.checks import check_trust
from community.trust.models import Vouch, VouchSide, VouchStatus
from community.verification import verify
from tests.campaign_life import RULES as REVIEW
from tests.campaign_life import Hamlets
from tests.chaos.books import broken_laws
from tests.circle import RULES, Circle
from tests.hamlet import yuan

TIMES = int(os.environ.get("MACHINE", "1"))
GROUP = ("an", "bo", "chen", "ding")
PEOPLE = (*GROUP, "feng", "gao", "han")
BEHIND = "kong"
SIGNER = load_signer(new_private_pem())
MODES = ("several", "joint_and_several", "pledge_only")

# After each step; all that `verify` knows, hashes too, at the end of each life.
STEP_CHECKS = (check_trust, check_guarantees, check_lines, check_groups)

WHO = st.sampled_from(PEOPLE)
ANYWHERE = st.integers(0, 10**6)
SMALL = st.sampled_from([1, 40, 150, 300])
LARGE = st.sampled_from([60, 250, 500, 900])


def found(session: Session) -> Circle:
    """Two groups, one who stands behind all, a line they share, a village that reviewed itself."""
    circle = Circle(
        session,
        rules={
            **REVIEW,
            **RULES,
            "endorsements_min": 1,
            "call_day": 3,
            "call_deadline_days": 4,
            "write_off_day": 30,
        },
        terms={"period_unit": "week"},
    )
    circle.fund(20_000, reserve=150)
    for name in PEOPLE[4:]:
        circle.person(name, stake=100, assessed=500)
    circle.bind(*PEOPLE[4:], cap=100)
    circle.bind(*GROUP, cap=200, stake=250)
    circle.person(BEHIND, assessed=1_500)
    for name in PEOPLE:
        circle.save(name, 300)
        circle.vouch(BEHIND, name, 400)
    for mode in MODES:
        circle.product(mode, {"liability_mode": mode, "period_unit": "week"})
    circle.do(
        lines.open_line,
        community_id=circle.community.id,
        name="seed",
        limit=yuan(800),
        sub_limits={circle.id(name): yuan(400) for name in PEOPLE[:4]},
        from_on=circle.day,
        until_on=circle.day + timedelta(days=360),
        reason="decided",
        actor_id=None,
        **circle.when,
    )
    _review(circle)
    return circle


def _review(circle: Circle) -> None:
    """Everybody's household is reviewed by neighbours; grants are to be made."""
    village = object.__new__(Hamlets)
    village.session, village.hamlet, village.do, village.homes = (
        circle.session,
        circle,
        circle.do,
        {},
    )
    for name in (*PEOPLE, BEHIND):
        village.settle(f"home of {name}", circle.id(name))
    campaign = village.published(lambda who, home: 300)
    village.after_objections()
    circle.do(granting.begin_granting, campaign_id=campaign.id, actor_id=None, **circle.when)


class Guarantees(RuleBasedStateMachine):
    """Each rule is a unit of work; a refusal has to be one of the domain's and leave nothing."""

    circle: Circle  # set for each example
    products: dict[str, int]
    done: Counter[str]

    def act(self, work: Callable[[], Any], name: str) -> None:
        try:
            work()
        except CommunityError as refusal:
            self.circle.session.rollback()
            name += f" refused: {refusal.code}"
        self.done[name] += 1
        session = self.circle.session
        session.expire_all()
        assert broken_laws(session) == {}, name
        for check in STEP_CHECKS:
            assert list(check(session)) == [], name
        session.rollback()

    def one(self, model: Any, place: int, *where: Any) -> Any:
        """One of the rows, or a refusal of ours where there is none."""
        rows = self.circle.session.scalars(select(model).where(*where).order_by(model.id)).all()
        if not rows:
            raise CommunityError("nobody has that yet")
        return rows[place % len(rows)]

    @property
    def nobody(self) -> dict[str, Any]:
        return {"actor_id": None, **self.circle.when}

    @initialize(names=st.permutations(PEOPLE), amounts=st.tuples(LARGE, LARGE))
    def money_is_out(self, names: list[str], amounts: tuple[int, int]) -> None:
        """A life begins with money out, of which one is soon late."""
        for place, amount in enumerate(amounts):
            self.borrow(names[place], amount, 3, MODES[amount % 2], place == 0, True)
        self.days_go_by(11)

    # Promises and stakes.

    @rule(ends=st.permutations(PEOPLE), limit=LARGE, days=st.sampled_from([9, 300]))
    def vouch(self, ends: list[str], limit: int, days: int) -> None:
        """A promise, or a larger one in the place of what is there."""
        voucher, borrower = (self.circle.id(name) for name in ends[:2])

        def work() -> None:
            offer = self.circle.do(
                trust.offer_vouch,
                community_id=self.circle.community.id,
                voucher_id=voucher,
                borrower_id=borrower,
                side=VouchSide.VOUCHER,
                limit=yuan(limit),
                expires_on=self.circle.day + timedelta(days=days),
                actor_id=voucher,
                **self.circle.when,
            )
            self.circle.do(
                trust.accept_vouch, vouch_id=offer.id, actor_id=borrower, **self.circle.when
            )

        self.act(work, "vouch")

    @rule(place=ANYWHERE, share=st.sampled_from([30, 80, 0]))
    def lower(self, place: int, share: int) -> None:
        """Promise less, or, with nothing left, nothing new."""

        def work() -> None:
            vouch = self.one(Vouch, place, Vouch.status == VouchStatus.LIVE)
            act: dict[str, Any] = {"vouch_id": vouch.id, "now": self.circle.now}
            act["actor_id"] = vouch.voucher_id
            if share:
                less = yuan(max(1, vouch.limit_minor * share // 100))
                self.circle.do(trust.lower_vouch, limit=less, **act)
            else:
                self.circle.do(trust.revoke_vouch, **act)

        self.act(work, "lower" if share else "revoke")

    @rule(name=WHO, amount=SMALL, lock=st.booleans())
    def stake(self, name: str, amount: int, lock: bool) -> None:
        place = {"community_id": self.circle.community.id, "member_id": self.circle.id(name)}
        way = standings.lock_stake if lock else standings.release_stake
        act = {**place, "amount": yuan(amount), **self.nobody}
        self.act(lambda: self.circle.do(way, **act), way.__name__)

    # Loans.

    @rule(
        name=WHO,
        amount=LARGE,
        instalments=st.integers(1, 4),
        mode=st.sampled_from(MODES),
        on_line=st.booleans(),
        pay_out=st.sampled_from([True, True, True, False]),
    )
    def borrow(
        self, name: str, amount: int, instalments: int, mode: str, on_line: bool, pay_out: bool
    ) -> None:
        """Asked for, endorsed, approved, and paid out, or given up."""
        asked: dict[str, Any] = {
            "community_id": self.circle.community.id,
            "borrower_id": self.circle.id(name),
            "product_id": self.products[mode],
            "principal": yuan(amount),
            "purpose": "seed",
            "instalments": instalments,
            **self.nobody,
        }

        def work() -> None:
            if on_line:
                line = self.one(CreditLine, 0)
                loan = self.circle.do(lines.apply, line_id=line.id, **asked)
            else:
                loan = self.circle.do(loans.apply, **asked)
            self.circle.do(
                loans.endorse,
                loan_id=loan.id,
                endorser_id=self.circle.id(BEHIND),
                **self.circle.when,
            )
            self.circle.approve(loan)
            if pay_out:
                self.circle.do(loans.disburse, loan_id=loan.id, **self.nobody)
            else:
                self.circle.do(
                    guarantees.cancel_approved,
                    loan_ids=[loan.id],
                    to=LoanStatus.WITHDRAWN,
                    reason="not needed",
                    **self.nobody,
                )

        self.act(work, "draw" if on_line else "borrow")

    @rule(
        place=ANYWHERE,
        amount=st.sampled_from([1, 70, 200, 3_000]),
        payer=st.none() | WHO,
        bounces=st.booleans(),
    )
    def repay(self, place: int, amount: int, payer: str | None, bounces: bool) -> None:
        """A part, all, too much; also by somebody else, also long after it was written off."""

        def work() -> None:
            loan = self.one(Loan, place, Loan.status.in_([*LIVE, LoanStatus.WRITTEN_OFF]))
            receipt = self.circle.repay(loan, amount, by=payer)
            if bounces:
                self._take_back(receipt)

        self.act(work, "bounced" if bounces else "repay")

    @rule(place=ANYWHERE)
    def take_back(self, place: int) -> None:
        """A receipt of some time ago, after others had what it freed."""

        def work() -> None:
            self._take_back(self.one(Repayment, place, Repayment.reversed_on.is_(None)))

        self.act(work, "take_back")

    def _take_back(self, receipt: Repayment) -> None:
        self.circle.do(
            servicing.reverse_repayment, repayment_id=receipt.id, reason="bounced", **self.nobody
        )

    # Failure.

    @rule(days=st.sampled_from([1, 5, 8, 12]))
    def days_go_by(self, days: int) -> None:
        """Late, called, lapsed, further out, across, from the reserve, written off; expired."""

        def work() -> None:
            self.circle.day += timedelta(days=days)
            live = self.circle.session.scalars(select(Loan.id).where(Loan.status.in_(LIVE))).all()
            self.circle.do(advance_loans, loan_ids=live, **self.circle.when)
            self.circle.do(trust.expire_vouches, **self.circle.when)
            self.circle.do(group_life.tend_group, group_id=self.circle.group.id, **self.circle.when)

        self.act(work, "days")

    @rule(place=ANYWHERE, amount=st.sampled_from([1, 30, 0, 5_000]))
    def pay_call(self, place: int, amount: int) -> None:
        def work() -> None:
            call = self.one(Call, place, Call.status != CallStatus.CANCELLED)
            self.circle.pay(call, amount or call.open_minor or 1)

        self.act(work, "pay_call")

    @rule(place=ANYWHERE, way=st.sampled_from(["promise", "dispute", "resolve", "uphold"]))
    def answer_call(self, place: int, way: str) -> None:
        def work() -> None:
            call = self.one(Call, place, Call.status.in_([CallStatus.OPEN, CallStatus.DISPUTED]))
            act: dict[str, Any] = {"call_id": call.id, "member_id": call.guarantor_id}
            if way == "promise":
                soon = self.circle.day + timedelta(days=2)
                self.circle.do(guarantees.promise_call, pay_on=soon, now=self.circle.now, **act)
            elif way == "dispute":
                self.circle.do(guarantees.dispute_call, reason="why", **self.circle.when, **act)
            else:
                act.pop("member_id")
                answer = uphold_dispute if way == "uphold" else guarantees.resolve_dispute
                self.circle.do(answer, reason="so", **self.nobody, **act)

        self.act(work, way)

    # Recourse.

    @rule(
        place=ANYWHERE,
        way=st.sampled_from(["settle", "settle", "waive", "decline", "reverse"]),
        share=st.sampled_from([30, 100]),
    )
    def recourse(self, place: int, way: str, share: int) -> None:
        """Money between members outside of the loan: said, confirmed, taken back; or let go."""

        def work() -> None:
            when = self.circle.when
            if way == "reverse":
                given = self.one(
                    ClaimSettlement, place, ClaimSettlement.status == SettlementStatus.CONFIRMED
                )
                act: dict[str, Any] = {"settlement_id": given.id, "reason": "never came"}
                self.circle.do(
                    claims.reverse_settlement, actor_id=self.circle.officer.id, **act, **when
                )
                return
            claim = self.one(Claim, place, Claim.claimant_id.is_not(None))
            linked = select(Claim).where(Claim.payment_id == claim.payment_id)
            rows = self.circle.session.scalars(linked).all()
            amount = yuan(max(1, sum(claims.open_on(claim, rows, self.circle.day)) * share // 100))
            if way == "waive":
                act = {"claim_id": claim.id, "member_id": claim.claimant_id, "reason": "kin"}
                self.circle.do(claims.waive, amount=amount, **act, **when)
                return
            said = self.circle.do(
                claims.state_settlement,
                claim_id=claim.id,
                member_id=claim.debtor_id,
                amount=amount,
                paid_on=self.circle.day,
                **when,
            )
            act = {"settlement_id": said.id, "member_id": claim.claimant_id, **when}
            if way == "decline":
                self.circle.do(claims.decline_settlement, reason="nothing came", **act)
            else:
                self.circle.do(claims.confirm_settlement, **act)

        self.act(work, way)

    # Guarantors who go.

    @rule(place=ANYWHERE, coming=st.none() | WHO)
    def hand_over(self, place: int, coming: str | None) -> None:
        """One who covers a loan is let go early, or somebody takes their place."""

        def work() -> None:
            guarantee = self.one(Guarantee, place)
            loan = self.circle.session.get_one(Loan, guarantee.loan_id)
            leaving = guarantee.guarantor_id
            act: dict[str, Any] = {"loan_id": loan.id, "reason": "moves away"}
            if coming is None:
                self.circle.do(
                    handover.release_early,
                    member_id=leaving,
                    actor_id=leaving,
                    **act,
                    **self.circle.when,
                )
                return
            who = self.circle.id(coming)
            change = self.circle.do(
                handover.propose_substitution,
                leaving_id=leaving,
                coming_id=who,
                now=self.circle.now,
                actor_id=leaving,
                **act,
            )
            for member_id in (who, loan.borrower_id):
                consent = {"change_id": change.id, "actor_id": member_id, **self.circle.when}
                self.circle.do(handover.agree, **consent)

        self.act(work, "let go" if coming is None else "replace")

    # What neighbours found, and what is carried elsewhere.

    @rule(place=ANYWHERE, takes_back=st.booleans())
    def grant(self, place: int, takes_back: bool) -> None:
        """A household gets the standing that its review proposed, or it is taken back."""

        def work() -> None:
            wanted = HouseholdStatus.GRANTED if takes_back else HouseholdStatus.PROPOSED
            row = self.one(CampaignHousehold, place, CampaignHousehold.status == wanted)
            act: dict[str, Any] = {"row_id": row.id, "actor_id": self.circle.officer.id}
            if takes_back:
                act["reason"] = "moved away"
            self.circle.do(
                granting.revoke if takes_back else granting.grant, **act, **self.circle.when
            )

        self.act(work, "take a grant back" if takes_back else "grant")

    @rule(name=WHO, ends=st.sampled_from(["", "record", "consent"]))
    def carry(self, name: str, ends: str) -> None:
        """A signed record of somebody; it, or the consent to it, is withdrawn."""

        def work() -> None:
            who = self.circle.id(name)
            act: dict[str, Any] = {"actor_id": who, **self.circle.when}
            consent = self.circle.do(
                records.give_consent,
                community_id=self.circle.community.id,
                member_id=who,
                recipient="a bank",
                purposes=[RecordPurpose.CREDIT_DECISION],
                fields=list(RecordField),
                until_on=self.circle.day + timedelta(days=30),
                **act,
            )
            signed = self.circle.do(
                records.issue_record, consent_id=consent.id, signer=SIGNER, **act
            )
            if ends == "record":
                self.circle.do(records.revoke_record, record_id=signed.id, reason="old", **act)
            elif ends:
                self.circle.do(
                    records.withdraw_consent, consent_id=consent.id, reason="enough", **act
                )

        self.act(work, f"carry a record, end the {ends or 'nothing'}")

    # The line.

    @rule(name=st.none() | WHO, amount=SMALL)
    def reserve_of_the_line(self, name: str | None, amount: int) -> None:
        def work() -> None:
            self.circle.do(
                reserves.contribute,
                line_id=self.one(CreditLine, 0).id,
                member_id=self.circle.id(name) if name else None,
                amount=yuan(amount),
                **self.nobody,
            )

        self.act(work, "line reserve")

    @rule(
        way=st.sampled_from(["limit", "sub_limit", "raise", "suspend", "resume"]),
        name=WHO,
        amount=LARGE,
        soft=st.booleans(),
    )
    def change_line(self, way: str, name: str, amount: int, soft: bool) -> None:
        def work() -> None:
            act: dict[str, Any] = {"line_id": self.one(CreditLine, 0).id, "reason": "decided"}
            act |= self.nobody
            limit = {"limit": yuan(amount), "no_new_draws_until_below": soft}
            if way == "limit":
                self.circle.do(lines.change_limit, **limit, **act)
            elif way == "sub_limit":
                who = self.circle.id(name)
                self.circle.do(lines.change_sub_limit, member_id=who, **limit, **act)
            elif way == "raise":
                until = self.circle.day + timedelta(days=6)
                who = self.circle.id(name) if soft else None
                more = {"by": yuan(amount), "until_on": until, "member_id": who}
                self.circle.do(lines.raise_for_a_while, **more, **act)
            else:
                self.circle.do(lines.suspend if way == "suspend" else lines.resume, **act)

        self.act(work, f"line {way}")

    # The group.

    @rule(by=WHO, cap=st.sampled_from([120, 200, 260]), joining=st.none() | WHO)
    def amend(self, by: str, cap: int, joining: str | None) -> None:
        """Another cap, or somebody more; everybody signs, and it is put into force."""

        def work() -> None:
            session, group = self.circle.session, self.circle.group
            amendment = queries.open_amendment(session, group.id)
            if amendment is None:
                more = [self.circle.id(joining)] if joining else []
                amendment = self.circle.propose(by, pair_cap=yuan(cap), joining=more)
            names = {member.id: name for name, member in self.circle.people.items()}
            for member_id in sorted(amendments.missing(session, amendment)):
                self.circle.agree(amendment, names[member_id])
            self.circle.force(amendment)

        self.act(work, "amend")

    @rule(name=WHO)
    def leave(self, name: str) -> None:
        self.act(lambda: self.circle.exit(name), "leave")

    @rule(by=WHO, name=WHO, settlement=st.sampled_from(list(Settlement)))
    def expel(self, by: str, name: str, settlement: Settlement) -> None:
        """Proposed, consented by all others, who take over or see repaid what is owed."""

        def work() -> None:
            session, group = self.circle.session, self.circle.group
            open_ones = queries.open_expulsions(session, group.id)
            expulsion = (
                open_ones[0]
                if open_ones
                else self.circle.do(
                    expulsions.propose,
                    proposer_id=self.circle.id(by),
                    member_id=self.circle.id(name),
                    settlement=settlement,
                    reason="quarrels",
                    **self.circle.step(),
                )
            )
            takes = expulsion.settlement is Settlement.TAKEN_OVER
            for place in queries.living_members(session, group.id):
                if place.member_id != expulsion.member_id:
                    part = group_life.covers_for(session, expulsion, place.member_id)
                    self.circle.do(
                        group_life.consent_to_expulsion,
                        expulsion_id=expulsion.id,
                        member_id=place.member_id,
                        takes_over=yuan(part) if takes else None,
                        **self.nobody,
                    )
            self.circle.do(group_life.expel, expulsion_id=expulsion.id, **self.nobody)

        self.act(work, "expel")

    @rule(sure=st.integers(0, 3))
    def dissolve_or_bind_again(self, sure: int) -> None:
        """A group ends when nothing is live; the same people form another, sign, and are bound."""

        def work() -> None:
            if self.circle.group.status is GroupStatus.ACTIVE:
                if sure == 0:
                    self.circle.do(group_life.dissolve_group, **self.circle.step())
            else:
                self.circle.bind(*GROUP, cap=200)

        self.act(work, "dissolve or bind")


@contextmanager
def _example(connection: Connection) -> Iterator[Session]:
    """A session of which nothing stays, whatever the code commits."""
    inner = connection.begin_nested()
    with Session(
        connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
    ) as session:
        yield session
    if inner.is_active:
        inner.rollback()


@pytest.fixture
def founded(shared_engine: Engine) -> Iterator[tuple[Connection, Circle]]:
    with shared_engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            circle = found(session)
            session.commit()
        yield connection, circle
        outer.rollback()


def test_the_laws_hold_whatever_people_do(
    founded: tuple[Connection, Circle],
) -> None:
    connection, circle = founded
    done: Counter[str] = Counter()
    day, people, group_id = circle.day, circle.people, circle.group.id
    products = _products(connection)

    class Machine(Guarantees):
        def __init__(self) -> None:
            super().__init__()
            self._open = _example(connection)
            session = self._open.__enter__()
            self.circle = circle
            circle.session, circle.day = session, day
            circle.group = session.get_one(type(circle.group), group_id)
            circle.people = people
            self.done, self.products = done, products

        def teardown(self) -> None:
            try:
                self.circle.session.rollback()
                assert verify(self.circle.session).breaches == ()
            finally:
                self._open.__exit__(None, None, None)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=5 * TIMES,
            stateful_step_count=22 * TIMES,
            deadline=None,
            derandomize=TIMES == 1,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"\n{dict(sorted(done.items()))}")
    # What is never reached proves nothing.
    assert {"borrow", "days"} <= done.keys(), done
    assert sum(done.values()) > 50 * TIMES


def _products(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(Product.code, Product.id).where(Product.code.in_(MODES)))
    return dict(iter(rows))
