"""First-loss reserves of shared lines, and lines that stop while something on them is late."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.errors import CurrencyMismatch, InsufficientFunds, Invalid
from community.guarantees.failure import advance_loan
from community.guarantees.models import GuaranteePayment
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.lines import reserves
from community.lines import service as lines
from community.lines.errors import LineInUse, LineStepNotAllowed
from community.lines.models import CreditLine, LineReserveMove
from community.loans import service as loans
from community.loans.models import Loan, LoanStatus
from community.money import Money
from community.verification import verify
from tests.hamlet import Hamlet, yuan
from tests.racing import Act, race

# Nobody covers: what is not paid falls on the reserves.
BARE = {"cover_ratio_bps": 0, "liability_mode": "none"}
WHY = {"reason": "so it was decided", "actor_id": None}


class Shared(Hamlet):
    """A hamlet with a shared line of 1,000.00, everybody's sub-limit 500.00."""

    def open(self, *names: str) -> CreditLine:
        self.fund(2_000_00, 40_00)
        for name in names:
            self.person(name)
        self.line = self.do(
            lines.open_line,
            community_id=self.community.id,
            name="seed",
            limit=yuan(1_000_00),
            sub_limits={self.people[name].id: yuan(500_00) for name in names},
            from_on=self.day,
            until_on=self.day + timedelta(days=900),
            **self.when,
            **WHY,
        )
        return self.line

    def pay_in(self, name: str | None, amount: int) -> LineReserveMove:
        if name is not None:
            self.save(name, amount)
        return self.do(
            reserves.contribute,
            line_id=self.line.id,
            member_id=None if name is None else self.people[name].id,
            amount=yuan(amount),
            actor_id=None,
            **self.when,
        )

    def draw(self, name: str, amount: int) -> Loan:
        loan = self.do(
            lines.apply,
            line_id=self.line.id,
            community_id=self.community.id,
            borrower_id=self.people[name].id,
            product_id=self.product_id,
            principal=yuan(amount),
            purpose="seed",
            instalments=1,
            actor_id=self.people[name].id,
            **self.when,
        )
        self.approve(loan)
        return self.do(loans.disburse, loan_id=loan.id, actor_id=self.officer.id, **self.when)

    def close(self) -> CreditLine:
        return self.do(lines.close, line_id=self.line.id, **self.when, **WHY)

    def held(self, kind: AccountKind, name: str | None = None) -> int:
        self.session.commit()
        return balance(
            self.session,
            community_id=self.community.id,
            kind=kind,
            currency="CNY",
            member_id=None if name is None else self.people[name].id,
        )

    def state(self) -> tuple[int, int, int]:
        """The line's reserve, the reserve fund, and what is in custody."""
        self.session.commit()
        self.session.refresh(self.line)
        assert self.held(AccountKind.LINE_RESERVE) == self.line.reserve_minor
        return (
            self.line.reserve_minor,
            self.held(AccountKind.RESERVE_FUND),
            self.held(AccountKind.SAVINGS_CASH),
        )

    def moves(self) -> list[tuple[str, int]]:
        rows = self.session.scalars(select(LineReserveMove).order_by(LineReserveMove.id))
        return [(row.kind.value, row.amount_minor) for row in rows]


def shared(session: Session, **rules: Any) -> Shared:
    rules = {"write_off_day": 40, "yearly_rate_ppm_max": 1_000_000, **rules}
    return Shared(session, rules=rules, terms=BARE)


def test_the_story_of_the_docs(db_session: Session) -> None:
    """Ana and Ben pay in 30.00 and 10.00, the community 20.00; Cai fails with 90.00.

    The line's 60.00 go first, then the fund's 20.00; 10.00 are written off. Cai pays 34.00 later:
    10.00 to the lender, 24.00 to those who paid, 18.00 of it to the line. Closed, it gives 9.00,
    3.00 and 6.00 back.
    """
    hamlet = shared(db_session)
    hamlet.open("ana", "ben", "cai")
    assert hamlet.state() == (0, 40_00, 0)
    hamlet.pay_in("ana", 30_00)
    hamlet.pay_in("ben", 10_00)
    hamlet.pay_in(None, 20_00)
    assert hamlet.state() == (60_00, 20_00, 60_00)
    assert hamlet.held(AccountKind.MEMBER_SAVINGS, "ana") == 0
    loan = hamlet.draw("cai", 90_00)
    with pytest.raises(LineInUse):
        hamlet.close()
    hamlet.wait(32, loan)
    assert hamlet.state() == (60_00, 20_00, 60_00)
    hamlet.wait(10, loan)  # called after ten days, and nobody is there to ask
    assert hamlet.state() == (0, 0, 0)
    payments = hamlet.session.scalars(select(GuaranteePayment).order_by(GuaranteePayment.id)).all()
    assert [(row.amount_minor, row.line_id) for row in payments] == [
        (60_00, hamlet.line.id),
        (20_00, None),
    ]
    assert (loan.status, loan.outstanding_minor) == (LoanStatus.CALLED, 10_00)
    hamlet.check()
    hamlet.wait(40, loan)
    assert (loan.status, loan.written_off_minor) == (LoanStatus.WRITTEN_OFF, 10_00)
    # Cai comes back: the lender first, then the line's 60.00 and the fund's 20.00 as three to one.
    hamlet.repay(loan, 34_00)
    assert hamlet.state() == (18_00, 6_00, 18_00)
    hamlet.check()
    hamlet.close()
    assert hamlet.state() == (0, 12_00, 12_00)
    saved = {name: hamlet.held(AccountKind.MEMBER_SAVINGS, name) for name in ("ana", "ben")}
    assert saved == {"ana": 9_00, "ben": 3_00}
    # Of what comes later still, 42.00 are the line's, and go on the same way.
    hamlet.repay(loan, 56_00)
    saved = {name: hamlet.held(AccountKind.MEMBER_SAVINGS, name) for name in ("ana", "ben")}
    assert (saved, hamlet.state()) == ({"ana": 30_00, "ben": 10_00}, (0, 40_00, 40_00))
    assert hamlet.moves() == [
        ("paid_in", 30_00),
        ("paid_in", 10_00),
        ("set_aside", 20_00),
        ("used", 60_00),
        ("refilled", 18_00),
        ("returned", 9_00),
        ("returned", 3_00),
        ("returned", 6_00),
        ("refilled", 42_00),
        ("returned", 21_00),
        ("returned", 7_00),
        ("returned", 14_00),
    ]
    hamlet.check()


def test_a_reserve_pays_for_its_own_line_alone_and_no_more_than_is_owed(
    db_session: Session,
) -> None:
    hamlet = shared(db_session)
    hamlet.open("ana", "cai")
    hamlet.pay_in("ana", 100_00)
    plain = hamlet.lend("cai", 30_00)
    drawn = hamlet.draw("ana", 50_00)
    hamlet.wait(43, plain, drawn)
    # The plain loan fell on the fund, the draw on the line; the fund kept what it had left.
    assert hamlet.state() == (50_00, 10_00, 50_00)
    assert (plain.status, drawn.status) == (LoanStatus.CLOSED, LoanStatus.CLOSED)
    hamlet.check()


def test_a_charter_without_a_reserve_fund_still_has_the_lines(db_session: Session) -> None:
    hamlet = shared(db_session, reserve_fund_stands_in=False)
    hamlet.open("ana")
    hamlet.pay_in("ana", 20_00)
    loan = hamlet.draw("ana", 50_00)
    hamlet.wait(43, loan)
    assert hamlet.state() == (0, 40_00, 0)
    assert loan.outstanding_minor == 30_00
    hamlet.check()


def test_what_cannot_be_paid_in_is_refused(db_session: Session) -> None:
    hamlet = shared(db_session)
    hamlet.open("ana")
    with pytest.raises(InsufficientFunds):
        hamlet.pay_in(None, 40_01)

    def pay(amount: Money) -> None:
        hamlet.do(
            reserves.contribute,
            line_id=hamlet.line.id,
            member_id=hamlet.people["ana"].id,
            amount=amount,
            actor_id=None,
            **hamlet.when,
        )

    with pytest.raises(InsufficientFunds):
        pay(yuan(1))
    with pytest.raises(CurrencyMismatch):
        pay(Money(1, "USD"))
    with pytest.raises(Invalid):
        pay(yuan(0))
    hamlet.close()
    with pytest.raises(LineStepNotAllowed):
        hamlet.pay_in("ana", 1_00)
    assert hamlet.moves() == []
    hamlet.check()


def test_cents_that_cannot_be_split_go_to_who_paid_in_most(db_session: Session) -> None:
    hamlet = shared(db_session)
    hamlet.open("ana", "ben", "cai")
    for name in ("ana", "ben", "cai"):
        hamlet.pay_in(name, 33)
    hamlet.pay_in(None, 34)
    loan = hamlet.draw("cai", 36)
    hamlet.wait(43, loan)
    # 97 of 133: 24.07 each, 24.80 for the community; the cent left over is the community's.
    hamlet.close()
    assert [amount for kind, amount in hamlet.moves() if kind == "returned"] == [24, 24, 24, 25]
    hamlet.check()


def test_the_tables_and_the_verifier_hold_it(db_session: Session) -> None:
    hamlet = shared(db_session)
    hamlet.open("ana")
    hamlet.pay_in("ana", 20_00)
    loan = hamlet.draw("ana", 50_00)
    hamlet.wait(43, loan)
    session = hamlet.session
    for statement in (
        update(CreditLine).values(reserve_minor=-1),
        update(LineReserveMove).values(amount_minor=1),
        delete(LineReserveMove),
        update(GuaranteePayment).values(payer_id=loan.borrower_id),
        text("UPDATE line_reserve_moves SET loan_id = NULL"),
    ):
        with pytest.raises((IntegrityError, DBAPIError)), session.begin_nested():
            session.execute(statement)

    def found(statement: Any) -> set[tuple[int, str]]:
        with session.begin_nested() as nested:
            session.execute(statement)
            session.expire_all()
            breaches = {(breach.law, breach.table) for breach in verify(session).breaches}
            nested.rollback()
        return breaches

    assert found(update(CreditLine).values(reserve_minor=1)) == {(1, "credit_lines")}
    assert found(update(GuaranteePayment).values(line_id=None)) == {(1, "loans")}
    extra = text(
        "INSERT INTO line_reserve_moves"
        " (line_id, kind, member_id, amount_minor, moved_on, entry_id, recorded_at)"
        " SELECT line_id, kind, member_id, 1, moved_on, entry_id, recorded_at"
        " FROM line_reserve_moves WHERE kind = 'paid_in'"
    )
    assert found(extra) == {(1, "credit_lines"), (1, "journal_entries")}
    hamlet.check()


def test_a_line_stops_while_more_of_it_is_late_than_the_charter_admits(
    db_session: Session,
) -> None:
    """At 2,000 of 10,000: 100.00 late of 500.00 is a fifth and passes, 100.00 of 400.00 is not."""
    hamlet = shared(db_session, line_late_bps_max=2_000, call_day=60, write_off_day=90)
    hamlet.open("ana", "ben", "cai")
    late = hamlet.draw("ana", 100_00)
    hamlet.wait(10)
    hamlet.draw("ben", 300_00)
    hamlet.wait(22)  # ana's was due yesterday, whether or not the day has been worked
    with pytest.raises(CreditLimitExceeded) as refusal:
        hamlet.draw("cai", 100_00)
    assert refusal.value.members["binding"]["name"] == "shared_line"
    assert "line_late_bps_max" in refusal.value.members["binding"]["detail"]["reason"]
    found = credit.credit_limit(
        hamlet.session,
        community_id=hamlet.community.id,
        member_id=hamlet.people["cai"].id,
        line_id=hamlet.line.id,
        on=hamlet.day,
    )
    assert found.amount_minor == 0
    hamlet.repay(late, 20_00)
    # 80.00 of 380.00 is still more than a fifth, 70.00 of 370.00 is less.
    with pytest.raises(CreditLimitExceeded):
        hamlet.draw("cai", 100_00)
    hamlet.repay(late, 10_00)
    hamlet.draw("cai", 100_00)
    hamlet.check()


@pytest.mark.parametrize("bps, stops", [(0, True), (10_000, False)])
def test_no_new_loan_while_a_peer_on_the_line_is_late(
    db_session: Session, bps: int, stops: bool
) -> None:
    hamlet = shared(db_session, line_late_bps_max=bps)
    hamlet.open("ana", "ben")
    late = hamlet.draw("ana", 1_00)
    hamlet.wait(32)
    if stops:
        with pytest.raises(CreditLimitExceeded):
            hamlet.draw("ben", 1_00)
        hamlet.repay(late, 1_00)
    hamlet.draw("ben", 1_00)
    hamlet.check()


def test_a_reserve_is_used_once_by_who_comes_at_once(engine: Engine) -> None:
    """Three draws of 30.00 fail on one day, with 50.00 in the reserve, while money comes in."""
    with session_factory(engine)() as session:
        hamlet = shared(session)
        hamlet.open("ana", "ben", "cai")
        hamlet.pay_in("ana", 50_00)
        hamlet.save("ben", 10_00)
        failing = [hamlet.draw(name, 30_00) for name in ("ana", "ben", "cai")]
        hamlet.wait(32, *failing)
        hamlet.day += timedelta(days=11)
        line_id, payer = hamlet.line.id, hamlet.people["ben"].id
        pay_in = Act(
            "pay in",
            partial(
                reserves.contribute,
                line_id=line_id,
                member_id=payer,
                amount=yuan(5_00),
                actor_id=None,
                **hamlet.when,
            ),
        )
        age = [
            Act(f"age {loan.id}", partial(advance_loan, loan_id=loan.id, **hamlet.when))
            for loan in failing
        ]
    outcomes = race(engine, [[age[0], pay_in], [pay_in, age[1]], [age[2]]])
    assert {outcome.code for outcome in outcomes} == {"done"}
    with session_factory(engine)() as session:
        line = session.get_one(CreditLine, line_id)
        used = session.scalars(
            select(LineReserveMove.amount_minor).where(LineReserveMove.loan_id.is_not(None))
        ).all()
        assert line.reserve_minor == 60_00 - sum(used) >= 0
        assert sum(used) >= 50_00
        assert verify(session).breaches == ()
