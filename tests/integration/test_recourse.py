"""The book of claims, to the cent: who owes whom what after each step, and what the books note."""

import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from community.database import Base
from community.engine import session_factory
from community.errors import CurrencyMismatch, Invalid
from community.guarantees import claims, statements
from community.guarantees import service as guarantees
from community.guarantees.checks import check_guarantees
from community.guarantees.errors import (
    MoreThanClaimed,
    NotAParty,
    NotTheClaimant,
    PaidThroughTheLoan,
    SettlementAnswered,
    SettlementNotReversible,
)
from community.guarantees.models import (
    CallGround,
    Claim,
    ClaimMovement,
    ClaimSettlement,
    GuaranteePayment,
    MovementKind,
    PaidAs,
    SettlementStatus,
)
from community.guarantees.statements import Side
from community.ledger.checks import check_ledger
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.ledger.statements import Period
from community.loans.models import Loan, LoanStatus
from community.money import Money, format_minor
from community.verification import verify
from tests.hamlet import CURRENCY, Hamlet, yuan
from tests.integration.test_credit_races import at_once

# Day 1 of the claims; the borrower's due day and ten more are over.
CALLED = 42


def circle(session: Session, **rules: Any) -> tuple[Hamlet, Loan]:
    """Ben borrows 1,000.00: Uma covers 600.00, 200.00 of which Wei stands for behind her, and Xia
    400.00."""
    hamlet = Hamlet(session, rules=rules)
    hamlet.fund(5_000_00, reserve=100_00)
    hamlet.person("ben")
    hamlet.person("uma", assessed=400_00)
    hamlet.person("wei", assessed=200_00)
    hamlet.person("xia", assessed=400_00)
    hamlet.vouch("uma", "ben", 600_00)
    hamlet.vouch("wei", "uma", 200_00)
    hamlet.vouch("xia", "ben", 400_00)
    return hamlet, hamlet.lend("ben", 1_000_00)


def second_hop(hamlet: Hamlet, loan: Loan) -> None:
    """Uma does not pay; Wei pays 200.00 for her."""
    hamlet.wait(CALLED, loan)
    hamlet.wait(6, loan)
    hamlet.pay(hamlet.calls(loan)["wei"], 200_00)


class Book:
    """The claims by names, and what members do with them."""

    def __init__(self, hamlet: Hamlet) -> None:
        self.hamlet = hamlet
        self.names = {member.id: name for name, member in hamlet.people.items()}

    def rows(self) -> dict[tuple[str, str], list[Claim]]:
        found: dict[tuple[str, str], list[Claim]] = {}
        for claim in self.hamlet.session.scalars(select(Claim).order_by(Claim.id)):
            key = (self.names.get(claim.claimant_id or 0, "reserve"), self.names[claim.debtor_id])
            found.setdefault(key, []).append(claim)
        return found

    def left(self) -> dict[tuple[str, str], int]:
        """What is left, claimant and debtor by name, with booked interest; nothing left out."""
        found = {key: sum(c.open_minor for c in rows) for key, rows in self.rows().items()}
        return {key: left for key, left in found.items() if left}

    def state(self, claimant: str, debtor: str, amount: int, by: str | None = None) -> int:
        """Somebody says that so much was paid; returns the settlement's id."""
        claim = next(c for c in self.rows()[claimant, debtor] if c.open_minor)
        return self.hamlet.do(
            claims.state_settlement,
            claim_id=claim.id,
            member_id=self.hamlet.people[by or debtor].id,
            amount=yuan(amount),
            paid_on=self.hamlet.day,
            **self.hamlet.when,
        ).id

    def confirm(self, settlement_id: int, by: str) -> ClaimSettlement:
        return self.hamlet.do(
            claims.confirm_settlement,
            settlement_id=settlement_id,
            member_id=self.hamlet.people[by].id,
            **self.hamlet.when,
        )

    def settle(self, claimant: str, debtor: str, amount: int) -> int:
        settlement_id = self.state(claimant, debtor, amount)
        self.confirm(settlement_id, claimant)
        return settlement_id

    def reverse(self, settlement_id: int) -> ClaimSettlement:
        return self.hamlet.do(
            claims.reverse_settlement,
            settlement_id=settlement_id,
            actor_id=self.hamlet.officer.id,
            reason="entered for the wrong neighbour",
            **self.hamlet.when,
        )

    def waive(self, claimant: str, debtor: str, amount: int | None) -> Claim:
        claim = next(c for c in self.rows()[claimant, debtor] if c.open_minor)
        return self.hamlet.do(
            claims.waive,
            claim_id=claim.id,
            member_id=self.hamlet.people[claimant].id,
            amount=None if amount is None else yuan(amount),
            reason="a hard year",
            **self.hamlet.when,
        )

    def noted(self) -> int:
        """What the memorandum account holds; claims and books have to agree with it."""
        for check in (check_guarantees, check_ledger):
            assert list(check(self.hamlet.session)) == []
        return balance(
            self.hamlet.session,
            community_id=self.hamlet.community.id,
            kind=AccountKind.RECOURSE_RECEIVABLE,
            currency=CURRENCY,
        )

    def savings(self, name: str) -> int:
        return balance(
            self.hamlet.session,
            community_id=self.hamlet.community.id,
            kind=AccountKind.MEMBER_SAVINGS,
            currency=CURRENCY,
            member_id=self.hamlet.people[name].id,
        )


def test_every_claim_says_what_was_paid_and_why(db_session: Session) -> None:
    hamlet, loan = circle(db_session)
    hamlet.wait(CALLED, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 250_00)
    hamlet.wait(6, loan)
    hamlet.pay(hamlet.calls(loan)["wei"], 200_00)
    hamlet.wait(1, loan)
    book = Book(hamlet)
    found = {
        key: [(claim.paid_as, claim.rank, claim.amount_minor) for claim in rows]
        for key, rows in book.rows().items()
    }
    assert found == {
        ("xia", "ben"): [(PaidAs.DIRECT, 0, 250_00)],
        ("wei", "ben"): [(PaidAs.SECOND_HOP, 0, 200_00)],
        ("wei", "uma"): [(PaidAs.SECOND_HOP, 1, 200_00)],
        ("reserve", "ben"): [(PaidAs.RESERVE, 0, 100_00)],
    }
    # Each debt once: what Uma answers for is Ben's debt to Wei.
    assert book.noted() == 550_00


def test_what_the_borrower_pays_the_middle_member_does_not_owe_any_more(
    db_session: Session,
) -> None:
    hamlet, loan = circle(db_session)
    second_hop(hamlet, loan)
    hamlet.wait(1, loan)
    book = Book(hamlet)
    owed = loan.outstanding_minor
    assert owed == 700_00  # 1,000 less Wei's 200 and the reserve's 100
    hamlet.repay(loan, owed + 90_00)
    # 90 over 200 and 100: 60 and 30.
    assert book.left() == {
        ("wei", "ben"): 140_00,
        ("wei", "uma"): 140_00,
        ("reserve", "ben"): 70_00,
    }
    assert book.savings("wei") == 60_00
    assert book.noted() == 210_00


def test_who_pays_from_behind_steps_into_the_claim_on_the_borrower(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False)
    second_hop(hamlet, loan)
    book = Book(hamlet)
    settlement_id = book.state("wei", "uma", 50_00)
    assert book.left() == {("wei", "ben"): 200_00, ("wei", "uma"): 200_00}
    assert book.noted() == 200_00
    book.confirm(settlement_id, "wei")
    assert book.left() == {
        ("wei", "ben"): 150_00,
        ("wei", "uma"): 150_00,
        ("uma", "ben"): 50_00,
    }
    [taken] = book.rows()["uma", "ben"]
    assert (taken.paid_as, taken.settlement_id) == (PaidAs.SETTLEMENT, settlement_id)
    # Ben owes what he owed; only to whom has changed.
    assert book.noted() == 200_00
    hamlet.repay(loan, loan.outstanding_minor + 100_00)
    # 100 over 150 and 50.
    assert book.left() == {
        ("wei", "ben"): 75_00,
        ("wei", "uma"): 75_00,
        ("uma", "ben"): 25_00,
    }
    assert (book.savings("wei"), book.savings("uma")) == (75_00, 25_00)
    hamlet.repay(loan, 100_00)
    assert book.left() == {}
    # Wei: 50 from hand to hand, 150 by the loan. Uma: the 50 that she gave.
    assert (book.savings("wei"), book.savings("uma")) == (150_00, 50_00)
    assert book.noted() == 0


def test_the_borrower_may_pay_a_claimant_from_hand_to_hand(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False)
    second_hop(hamlet, loan)
    book = Book(hamlet)
    book.settle("wei", "ben", 199_99)
    assert book.left() == {("wei", "ben"): 1, ("wei", "uma"): 1}
    assert (book.noted(), book.savings("wei")) == (1, 0)
    with pytest.raises(MoreThanClaimed):
        book.state("wei", "ben", 2)
    book.settle("wei", "uma", 1)
    assert book.left() == {("uma", "ben"): 1}
    assert book.noted() == 1


def test_a_chain_of_those_who_left_it_to_the_next(db_session: Session) -> None:
    """Jointly: Uma does not pay, Xia does not pay Uma's part, Yan pays it for both."""
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000_00)
    hamlet.person("ben")
    for name in ("uma", "xia", "yan"):
        hamlet.person(name, assessed=90_00)
        hamlet.vouch(name, "ben", 90_00)
    loan = hamlet.lend("ben", 270_00)
    hamlet.repay(loan, 180_00)
    hamlet.wait(CALLED, loan)
    for name in ("xia", "yan"):
        hamlet.pay(hamlet.calls(loan)[name], 30_00)
    hamlet.wait(6, loan)
    # Uma's 30 are asked from Xia and Yan; Xia leaves hers.
    hamlet.pay(hamlet.calls(loan)["yan"], 15_00)
    hamlet.wait(6, loan)
    more = hamlet.calls(loan)["yan"]
    assert (more.ground, more.amount_minor) == (CallGround.CO_GUARANTOR, 15_00)
    hamlet.pay(more, 15_00)
    assert loan.status is LoanStatus.CLOSED
    book = Book(hamlet)
    behind = [claim for rows in book.rows().values() for claim in rows if claim.rank]
    assert [
        (book.names[c.claimant_id or 0], book.names[c.debtor_id], c.rank, c.paid_as)
        for c in sorted(behind, key=lambda claim: claim.id)
    ] == [
        ("yan", "uma", 1, PaidAs.BEYOND_SHARE),
        ("yan", "uma", 1, PaidAs.BEYOND_SHARE),
        ("yan", "xia", 2, PaidAs.BEYOND_SHARE),
    ]
    assert book.noted() == 90_00
    # Who is last in the row steps into the claims on both before them.
    book.settle("yan", "xia", 10_00)
    assert book.left() == {
        ("xia", "ben"): 40_00,
        ("xia", "uma"): 10_00,
        ("yan", "ben"): 50_00,
        ("yan", "uma"): 20_00,
        ("yan", "xia"): 5_00,
    }
    # Then the first of them pays, and has the borrower alone to claim it from.
    book.settle("xia", "uma", 10_00)
    assert book.left() == {
        ("xia", "ben"): 30_00,
        ("uma", "ben"): 10_00,
        ("yan", "ben"): 50_00,
        ("yan", "uma"): 20_00,
        ("yan", "xia"): 5_00,
    }
    assert book.noted() == 90_00


def test_only_the_claimant_says_that_the_money_came(db_session: Session) -> None:
    hamlet, loan = circle(db_session)
    second_hop(hamlet, loan)
    hamlet.wait(1, loan)
    book = Book(hamlet)
    settlement_id = book.state("wei", "uma", 50_00)
    for name in ("uma", "xia", "ben"):
        with pytest.raises(NotTheClaimant):
            book.confirm(settlement_id, name)
    with pytest.raises(NotAParty):
        book.state("wei", "uma", 1, by="xia")
    with pytest.raises(PaidThroughTheLoan):
        book.state("reserve", "ben", 1)
    claim = book.rows()["wei", "uma"][0]
    said: dict[str, Any] = {
        "claim_id": claim.id,
        "member_id": hamlet.people["uma"].id,
        **hamlet.when,
    }
    with pytest.raises(CurrencyMismatch):
        hamlet.do(claims.state_settlement, amount=Money(5, "USD"), paid_on=hamlet.day, **said)
    with pytest.raises(Invalid):
        hamlet.do(claims.state_settlement, amount=yuan(5), paid_on=date(2026, 3, 2), **said)
    with pytest.raises(Invalid):
        hamlet.do(claims.state_settlement, amount=yuan(0), paid_on=hamlet.day, **said)
    declined = hamlet.do(
        claims.decline_settlement,
        settlement_id=settlement_id,
        member_id=hamlet.people["wei"].id,
        reason="nothing came",
        **hamlet.when,
    )
    assert declined.status is SettlementStatus.DECLINED
    with pytest.raises(SettlementAnswered):
        book.confirm(settlement_id, "wei")
    # The claimant's own word needs nobody else's, and once is once.
    own = book.state("wei", "uma", 20_00, by="wei")
    with pytest.raises(SettlementAnswered):
        book.confirm(own, "wei")
    assert book.left()["wei", "uma"] == 180_00
    assert book.noted() == 300_00


def test_a_settlement_is_taken_back_as_if_it_had_not_been(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False, recourse_yearly_rate_ppm=73_000)
    second_hop(hamlet, loan)
    book = Book(hamlet)
    hamlet.wait(10)
    settlement_id = book.settle("wei", "uma", 100_40)
    # 200.00 at 7.3 % is 4 cents a day: 0.40 of interest, then 100.00 of principal.
    assert book.left() == {
        ("wei", "ben"): 100_00,
        ("wei", "uma"): 100_00,
        ("uma", "ben"): 100_40,
    }
    hamlet.wait(30)
    book.reverse(settlement_id)
    # As if nothing had happened: forty days at 4 cents.
    assert book.left() == {("wei", "ben"): 201_60, ("wei", "uma"): 201_60}
    assert book.noted() == 201_60
    with pytest.raises(SettlementAnswered):
        book.reverse(settlement_id)
    again = book.settle("wei", "uma", 1_60)
    hamlet.repay(loan, loan.outstanding_minor + 50_00)
    assert book.rows()["uma", "ben"][1].interest_settled_minor > 0
    with pytest.raises(SettlementNotReversible):
        book.reverse(again)
    assert book.noted() == 151_60


def test_a_waiver_frees_those_behind_but_not_those_before(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False)
    second_hop(hamlet, loan)
    book = Book(hamlet)
    book.waive("wei", "uma", 50_00)
    assert book.left() == {("wei", "ben"): 200_00, ("wei", "uma"): 150_00}
    assert book.noted() == 200_00
    # Of what Ben pays, three quarters are of the part for which Uma answers too.
    hamlet.repay(loan, loan.outstanding_minor + 100_00)
    assert book.left() == {("wei", "ben"): 100_00, ("wei", "uma"): 75_00}
    # All of what Uma pays is Ben's debt.
    book.settle("wei", "uma", 15_00)
    assert book.left() == {
        ("wei", "ben"): 85_00,
        ("wei", "uma"): 60_00,
        ("uma", "ben"): 15_00,
    }
    book.waive("wei", "ben", 17_00)
    # 60 of 85 are owed by both: 12 of the 17.
    assert book.left() == {
        ("wei", "ben"): 68_00,
        ("wei", "uma"): 48_00,
        ("uma", "ben"): 15_00,
    }
    assert book.noted() == 83_00
    book.waive("wei", "ben", None)
    assert book.left() == {("uma", "ben"): 15_00}
    with pytest.raises(NotTheClaimant):
        hamlet.do(
            claims.waive,
            claim_id=book.rows()["uma", "ben"][0].id,
            member_id=hamlet.people["ben"].id,
            amount=None,
            reason="please",
            **hamlet.when,
        )
    assert book.noted() == 15_00


@pytest.mark.parametrize(
    ("interest_first", "left"),
    # Wei's 200.00 bear 0.40, Xia's 250.00 bear 0.80 (ten and sixteen days at 7.3 % of 365).
    [
        # 1.20 of interest, then 98.80: 43.91 1/9 and 54.88 8/9.
        (True, {("wei", "ben"): 156_09, ("wei", "uma"): 156_09, ("xia", "ben"): 195_11}),
        # 100.00 of principal: 44.44 4/9 and 55.55 5/9.
        (False, {("wei", "ben"): 155_96, ("wei", "uma"): 155_96, ("xia", "ben"): 195_24}),
    ],
)
def test_interest_and_principal_come_in_the_charters_order(
    db_session: Session, interest_first: bool, left: dict[tuple[str, str], int]
) -> None:
    hamlet, loan = circle(
        db_session,
        reserve_fund_stands_in=False,
        recourse_yearly_rate_ppm=73_000,
        recourse_interest_first=interest_first,
    )
    hamlet.wait(CALLED, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 250_00)
    hamlet.wait(6, loan)
    hamlet.pay(hamlet.calls(loan)["wei"], 200_00)
    book = Book(hamlet)
    hamlet.wait(10)
    hamlet.repay(loan, loan.outstanding_minor + 100_00)
    assert book.left() == left
    assert book.noted() == 351_20


def test_interest_is_the_same_in_however_many_steps(db_session: Session) -> None:
    """7.3 % of 3.33 is 0.0666 cents a day: fractions are carried on, never rounded up."""
    hamlet = Hamlet(db_session, rules={"recourse_yearly_rate_ppm": 73_000})
    hamlet.fund(1_000_00)
    hamlet.person("ben")
    hamlet.person("xia", assessed=333)
    hamlet.vouch("xia", "ben", 333)
    loan = hamlet.lend("ben", 333)
    hamlet.wait(CALLED, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 333)
    book = Book(hamlet)
    assert loan.status is LoanStatus.CLOSED
    [claim] = book.rows()["xia", "ben"]
    for _ in range(10):
        hamlet.wait(7)
        today = claims.open_on(claim, [claim], hamlet.day)
        hamlet.do(_bring_to_day, loan=loan, claim=claim, **hamlet.when)
        assert today == (claim.principal_open_minor, claim.interest_open_minor)
    # 70 days x 0.0666 = 4.662
    assert (claim.interest_minor, claim.interest_carry) == (4, 241_630_000)
    assert book.noted() == 337


def _bring_to_day(session: Session, *, loan: Loan, claim: Claim, on: date, now: Any) -> None:
    claims._accrue(session, loan, claims.bundles([claim]), on=on, now=now, actor_id=None)


def test_after_the_write_off_the_lender_comes_first_then_everybody_who_paid(
    db_session: Session,
) -> None:
    hamlet, loan = circle(db_session)
    second_hop(hamlet, loan)
    hamlet.wait(60, loan)
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert loan.written_off_minor == 700_00
    book = Book(hamlet)
    receipt = hamlet.repay(loan, 650_00)
    assert (receipt.recovered_minor, receipt.recourse_minor) == (650_00, 0)
    receipt = hamlet.repay(loan, 80_00)
    # 50 to the lender; 30 over Wei's 200 and the reserve's 100.
    assert (receipt.recovered_minor, receipt.recourse_minor) == (50_00, 30_00)
    assert book.left() == {
        ("wei", "ben"): 180_00,
        ("wei", "uma"): 180_00,
        ("reserve", "ben"): 90_00,
    }
    reserve = balance(
        db_session,
        community_id=hamlet.community.id,
        kind=AccountKind.RESERVE_FUND,
        currency=CURRENCY,
    )
    assert (reserve, book.savings("wei")) == (10_00, 20_00)
    assert book.noted() == 270_00


FORGED: list[tuple[type[Base], int, dict[str, int]]] = [
    (Claim, 0, {"settled_minor": 1}),
    (Claim, 1, {"relieved_minor": 7}),
    (Claim, 0, {"interest_minor": 5}),
    (Claim, 1, {"amount_minor": 200_01}),
    (GuaranteePayment, 0, {"recovered_minor": 1}),
    (ClaimSettlement, 0, {"principal_minor": 49_99, "interest_minor": 1}),
]


def test_a_forged_row_is_named(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False)
    second_hop(hamlet, loan)
    Book(hamlet).settle("wei", "uma", 50_00)
    hamlet.check()
    for model, place, changes in FORGED:
        table: Any = model
        row = db_session.scalars(select(table).order_by(table.id)).all()[place]
        before = {name: getattr(row, name) for name in changes}
        _set(row, changes)
        db_session.commit()
        named = {(breach.table, breach.row) for breach in verify(db_session).breaches}
        assert (table.__tablename__, str(row.id)) in named, changes
        _set(row, before)
        db_session.commit()
    hamlet.check()
    # With a movement made up beside it, it is the linked claim that tells.
    behind = Book(hamlet).rows()["wei", "uma"][0]
    behind.settled_minor -= 10_00
    db_session.add(
        ClaimMovement(
            claim_id=behind.id,
            kind=MovementKind.REVERSED,
            principal_minor=10_00,
            interest_minor=0,
            moved_on=hamlet.day,
            recorded_at=hamlet.now,
        )
    )
    db_session.commit()
    assert ("claims", str(behind.id)) in {(b.table, b.row) for b in verify(db_session).breaches}


def _set(row: Any, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(row, name, value)


def test_the_database_keeps_the_past_and_the_bounds(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False)
    second_hop(hamlet, loan)
    movement = db_session.scalars(select(ClaimMovement)).first()
    assert movement is not None
    movement.principal_minor = 1
    with pytest.raises(DatabaseError):
        db_session.commit()
    db_session.rollback()
    for changes in (
        {"settled_minor": 200_01},
        {"interest_settled_minor": 1},
        {"relieved_minor": -1},
        {"claimant_id": hamlet.people["ben"].id},
        {"rank": 2},
    ):
        _set(db_session.scalars(select(Claim).order_by(Claim.id)).first(), changes)
        with pytest.raises(IntegrityError):
            db_session.commit()
        db_session.rollback()
    hamlet.check()


def test_two_settlements_at_once_never_pass_what_is_left(engine: Engine) -> None:
    """Eight confirmations of 60.00 each on a claim of 200.00, and the borrower's repayments too."""
    make = session_factory(engine)
    with make() as session:
        hamlet, loan = circle(session, reserve_fund_stands_in=False)
        second_hop(hamlet, loan)
        book = Book(hamlet)
        debtors = ["uma", "ben"] * 3
        said = [book.state("wei", debtor, 60_00) for debtor in debtors]
        wei, loan_id = hamlet.people["wei"].id, loan.id
        money, when = yuan(loan.outstanding_minor + 10_00), hamlet.when

    def confirm(settlement_id: int) -> Callable[[Session], object]:
        return lambda session: claims.confirm_settlement(
            session, settlement_id=settlement_id, member_id=wei, **when
        )

    def repay(session: Session) -> object:
        return guarantees.record_repayment(session, loan_id=loan_id, amount=money, **when)

    answers = at_once(engine, [*map(confirm, said), *map(confirm, said), repay])
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(answer) for answer in refused} <= {MoreThanClaimed, SettlementAnswered}
    with make() as session:
        hamlet.session = session
        taken = session.scalars(
            select(func.sum(ClaimSettlement.amount_minor)).where(
                ClaimSettlement.status == SettlementStatus.CONFIRMED
            )
        ).one()
        assert taken == 180_00
        left = Book(hamlet).left()
        assert left["wei", "ben"] == left["wei", "uma"] <= 20_00
        hamlet.check()


def test_statements_have_each_debt_once_and_name_the_other_side(db_session: Session) -> None:
    hamlet, loan = circle(db_session, reserve_fund_stands_in=False, recourse_yearly_rate_ppm=73_000)
    second_hop(hamlet, loan)
    paid_on = hamlet.day
    book = Book(hamlet)
    hamlet.wait(10)
    book.settle("wei", "uma", 50_40)
    hamlet.wait(10)

    def lines(name: str, side: Side, period: Period) -> tuple[int, list[Any], int, int | None]:
        found = statements.statement(
            db_session,
            member_id=hamlet.people[name].id,
            community_id=hamlet.community.id,
            currency=CURRENCY,
            side=side,
            period=period,
            today=hamlet.day,
        )
        told = [
            (book.names[line.other_id or 0], line.kind.value, line.amount_minor, line.balance_minor)
            for line in found.lines
        ]
        return found.opening_minor, told, found.closing_minor, found.running_minor

    whole = Period(paid_on, hamlet.day)
    # 150.00 for ten days at 3 cents, of which nothing is booked yet.
    assert lines("wei", Side.CLAIMED, whole) == (
        0,
        [
            ("ben", "arisen", 200_00, 200_00),
            ("ben", "interest", 40, 200_40),
            ("ben", "relieved", -50_40, 150_00),
        ],
        150_00,
        30,
    )
    assert lines("uma", Side.OWED, whole) == (
        0,
        [
            ("wei", "arisen", 200_00, 200_00),
            ("wei", "interest", 40, 200_40),
            ("wei", "settled", -50_40, 150_00),
        ],
        150_00,
        30,
    )
    assert lines("uma", Side.CLAIMED, whole) == (0, [("ben", "arisen", 50_40, 50_40)], 50_40, 10)
    # Ben owes the same to two people, and each once.
    assert lines("ben", Side.OWED, whole)[2:] == (200_40, 40)
    assert lines("wei", Side.OWED, whole) == (0, [], 0, 0)
    later = Period(paid_on + timedelta(days=1), hamlet.day)
    assert lines("wei", Side.CLAIMED, later)[0] == 200_00
    over = Period(paid_on, paid_on)
    assert lines("wei", Side.CLAIMED, over)[2:] == (200_00, None)


PAGE = Path(__file__).parents[2] / "docs" / "recourse.md"
COLUMNS = [("xia", "ben"), ("wei", "ben"), ("wei", "uma"), ("reserve", "ben"), ("uma", "ben")]


def test_the_example_of_the_documentation(db_session: Session) -> None:
    hamlet, loan = circle(db_session, recourse_yearly_rate_ppm=73_000)
    book = Book(hamlet)
    rows = []

    def note() -> None:
        left = book.left()
        figures = [*(left.get(column, 0) for column in COLUMNS), book.noted()]
        cells = [f"{hamlet.day.day} {hamlet.day:%B}", *(format_minor(f, CURRENCY) for f in figures)]
        rows.append(f"| {' | '.join(cells)} |")

    hamlet.wait(CALLED, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 250_00)
    note()
    hamlet.wait(6, loan)
    hamlet.pay(hamlet.calls(loan)["wei"], 200_00)
    note()
    hamlet.wait(1, loan)
    note()
    hamlet.wait(9)
    book.settle("wei", "uma", 80_40)
    note()
    hamlet.wait(40, loan)
    assert (loan.status, loan.written_off_minor) == (LoanStatus.WRITTEN_OFF, 450_00)
    receipt = hamlet.repay(loan, 700_00)
    assert (receipt.recovered_minor, receipt.recourse_minor) == (450_00, 250_00)
    note()
    hamlet.wait(30)
    receipt = hamlet.repay(loan, 307_61)
    assert (receipt.recourse_minor, receipt.overpaid_minor) == (307_60, 1)
    note()
    page = PAGE.read_text(encoding="utf-8")
    assert [row for row in page.splitlines() if re.match(r"\| \d", row)] == rows
    got = {name: book.savings(name) for name in ("xia", "wei", "uma")}
    assert got == {"xia": 253_63, "wei": 201_76 - 80_40, "uma": 81_30}
    assert (
        balance(
            db_session,
            community_id=hamlet.community.id,
            kind=AccountKind.RESERVE_FUND,
            currency=CURRENCY,
        )
        == 101_31
    )


@pytest.mark.parametrize("seed", [1])
def test_whatever_members_do_with_claims_the_books_agree(db_session: Session, seed: int) -> None:
    """Payments, settlements, waivers and corrections in a random order, each proved after."""
    dice = random.Random(seed)
    hamlet, loan = circle(
        db_session,
        recourse_yearly_rate_ppm=dice.choice([0, 73_000, 145_999]),
        recourse_interest_first=dice.random() < 0.5,
    )
    second_hop(hamlet, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 123_45)
    hamlet.wait(1, loan)
    hamlet.repay(loan, loan.outstanding_minor)
    book = Book(hamlet)
    paid = {"wei": 200_00, "xia": 123_45, "reserve": 100_00}
    done: list[int] = []
    acts = ["repay", "settle", "settle", "waive", "reverse"]
    for _ in range(12):
        hamlet.wait(dice.randrange(40))
        left = book.left()
        if not left:
            break
        claimant, debtor = dice.choice(sorted(left))
        amount = dice.randrange(1, 1 + left[claimant, debtor])
        act = dice.choice(acts)
        try:
            if act == "repay":
                hamlet.repay(loan, amount)
            elif act == "settle":
                done.append(book.settle(claimant, debtor, amount))
            elif act == "waive" and claimant != "reserve":
                book.waive(claimant, debtor, dice.choice([1, amount // 4 + 1]))
            elif act == "reverse" and done:
                book.reverse(dice.choice(done))
        except (MoreThanClaimed, SettlementAnswered, SettlementNotReversible, PaidThroughTheLoan):
            pass
        assert book.noted() == sum(
            amount for (_, debtor), amount in book.left().items() if debtor == "ben"
        )
    for payer, amount in paid.items():
        [chief] = book.rows()[payer, "ben"][:1]
        assert chief.amount_minor == amount
        back = chief.settled_minor + chief.relieved_minor + chief.waived_minor
        assert back + chief.principal_open_minor == amount
