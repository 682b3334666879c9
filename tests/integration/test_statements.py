"""Trial balance and statements, against the same sums made by hand and by a slow second way."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger import rules, statements
from community.ledger.errors import PeriodInvalid
from community.ledger.models import (
    DEBIT_KINDS,
    Account,
    AccountKind,
    Book,
    JournalEntry,
    Posting,
)
from community.ledger.service import reverse
from community.ledger.statements import Period, Place
from tests.books import DAY, NOW, a_community, a_member, book
from tests.hamlet import Hamlet

A = AccountKind


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def test_a_trial_balance_worked_by_hand(db_session: Session) -> None:
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.capital_received(1_000), on=day(0))
    book(db_session, community.id, rules.savings_deposited(member.id, 300), on=day(1))
    book(db_session, community.id, rules.savings_withdrawn(member.id, 50), on=day(2))
    book(db_session, community.id, rules.savings_deposited(member.id, 7), on=day(9))
    found = statements.trial_balance(
        db_session, community_id=community.id, period=Period(day(1), day(5))
    )
    assert [
        (
            line.line.kind,
            line.opening_minor,
            line.debit_minor,
            line.credit_minor,
            line.closing_minor,
        )
        for line in found.lines
    ] == [
        (A.SAVINGS_CASH, 0, 300, 50, 250),
        (A.LENDING_CASH, 1_000, 0, 0, 1_000),
        (A.MEMBER_SAVINGS, 0, 50, 300, -250),
        (A.LENDER_FUNDS, -1_000, 0, 0, -1_000),
    ]
    [total] = found.totals
    assert (total.opening_debit_minor, total.opening_credit_minor) == (1_000, 1_000)
    assert (total.debit_minor, total.credit_minor) == (350, 350)
    assert (total.closing_debit_minor, total.closing_credit_minor) == (1_250, 1_250)
    assert total.balances


def test_a_period_does_not_end_before_it_begins() -> None:
    assert Period(DAY, DAY).from_on == DAY
    with pytest.raises(PeriodInvalid):
        Period(day(1), DAY)


def test_a_day_before_the_first_has_nothing(db_session: Session) -> None:
    community = a_community(db_session)
    book(db_session, community.id, rules.capital_received(5))
    found = statements.trial_balance(
        db_session, community_id=community.id, period=Period(day(-9), day(-1))
    )
    assert found.lines == found.totals == ()


@pytest.mark.parametrize("seed", range(2))
def test_any_period_agrees_with_a_slow_second_way(db_session: Session, seed: int) -> None:
    """Random entries on days that are not in order; every account; pages of every size."""
    draw = random.Random(seed)
    community, members = a_community(db_session), [a_member(db_session) for _ in range(3)]
    other = a_community(db_session, "v2")
    for _ in range(25):
        _some_entry(db_session, draw, community.id, [member.id for member in members])
    book(db_session, other.id, rules.savings_deposited(members[0].id, 99))
    rows = _rows(db_session, community.id)
    for _ in range(4):
        first = draw.randrange(0, 12)
        period = Period(day(first), day(draw.randrange(first, 12)))
        _check_trial_balance(db_session, community.id, period, rows)
        for kind in (A.SAVINGS_CASH, A.MEMBER_SAVINGS, A.LENDER_FUNDS):
            _check_account(db_session, community.id, kind, period, rows, draw.randrange(1, 9))
        for member in members:
            _check_member(db_session, community.id, member.id, period, rows, draw.randrange(1, 9))


def _some_entry(
    session: Session, draw: random.Random, community_id: int, member_ids: list[int]
) -> None:
    member_id, amount = draw.choice(member_ids), draw.randrange(1, 500)
    on = day(draw.randrange(0, 12))
    entry_id = book(session, community_id, rules.savings_deposited(member_id, amount), on=on)
    part = draw.randrange(1, amount + 1)
    kind = draw.randrange(5)
    if kind == 0:
        book(session, community_id, rules.savings_withdrawn(member_id, part), on=on)
    elif kind == 1:
        book(session, community_id, rules.stake_locked({member_id: part}), on=on)
    elif kind == 2:
        reverse(session, entry_id=entry_id, on=on, now=NOW)
    elif kind == 3:
        both = dict.fromkeys(member_ids, part)
        book(session, community_id, rules.many_savings_deposited(both), on=on)
    else:
        book(session, community_id, rules.capital_received(part), on=on)


_Row = tuple[date, int, int, AccountKind, int | None, int]


def _rows(session: Session, community_id: int) -> list[_Row]:
    """Business day, entry, posting, kind, whose and amount of every leg, in that order."""
    query = (
        select(
            JournalEntry.business_on,
            JournalEntry.id,
            Posting.id,
            Account.kind,
            Account.member_id,
            Posting.amount_minor,
        )
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(Account, Account.id == Posting.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(Book.community_id == community_id)
    )
    return sorted(tuple(row) for row in session.execute(query))  # type: ignore[arg-type]


def _check_trial_balance(
    session: Session, community_id: int, period: Period, rows: list[_Row]
) -> None:
    found = statements.trial_balance(session, community_id=community_id, period=period)
    expected: dict[AccountKind, list[int]] = {}
    for on, _, _, kind, _, amount in rows:
        sums = expected.setdefault(kind, [0, 0, 0])
        if on < period.from_on:
            sums[0] += amount
        elif on <= period.to_on:
            sums[1 if amount > 0 else 2] += abs(amount)
    assert {
        line.line.kind: [line.opening_minor, line.debit_minor, line.credit_minor]
        for line in found.lines
    } == {kind: sums for kind, sums in expected.items() if any(sums)}
    assert all(total.balances for total in found.totals)
    assert sum(line.closing_minor for line in found.lines) == 0


def _check_account(
    session: Session,
    community_id: int,
    kind: AccountKind,
    period: Period,
    rows: list[_Row],
    size: int,
) -> None:
    place: dict[str, Any] = {"community_id": community_id, "kind": kind, "currency": "CNY"}
    sign = 1 if kind in DEBIT_KINDS else -1
    mine = [(on, posting, sign * amount) for on, _, posting, k, _, amount in rows if k is kind]
    opening = sum(amount for on, _, amount in mine if on < period.from_on)
    assert statements.account_opening(session, **place, before=period.from_on) == opening
    within = [row for row in mine if period.from_on <= row[0] <= period.to_on]
    # Within a day by the posting's number.
    within.sort(key=lambda row: (row[0], row[1]))
    expected, balance = [], opening
    for on, posting, amount in within:
        balance += amount
        expected.append((Place(on, posting), amount, balance))
    found: list[statements.AccountLine] = []
    after: Place | None = None
    while True:
        page = statements.account_lines(session, **place, period=period, most=size, after=after)
        found += page
        if len(page) < size:
            break
        after = page[-1].place
    assert [(line.place, line.amount_minor, line.balance_minor) for line in found] == expected


def _check_member(
    session: Session,
    community_id: int,
    member_id: int,
    period: Period,
    rows: list[_Row],
    size: int,
) -> None:
    whose: dict[str, Any] = {
        "community_id": community_id,
        "member_id": member_id,
        "period": period,
    }
    sections = {section.key: section for section in statements.member_sections(session, **whose)}
    found: list[statements.MemberLine] = []
    after: Place | None = None
    while True:
        page, after = statements.member_lines(session, **whose, entries_most=size, after=after)
        found += page
        if after is None:
            break
    for kind in (A.MEMBER_SAVINGS, A.MEMBER_STAKE):
        mine = [row for row in rows if row[3] is kind and row[4] == member_id]
        opening = sum(-row[5] for row in mine if row[0] < period.from_on)
        within = [row for row in mine if period.from_on <= row[0] <= period.to_on]
        section = sections.get(kind.value)
        lines = [line for line in found if line.section == kind.value]
        assert [(line.place.row_id, line.amount_minor) for line in lines] == [
            (row[1], -row[5]) for row in within
        ]
        if section is None:
            assert opening == 0
            assert lines == []
            continue
        assert section.opening_minor == opening
        balance = opening
        for line in lines:
            balance += line.amount_minor
            assert line.balance_minor == balance
        assert section.closing_minor == balance
        assert section.added_minor == sum(max(0, line.amount_minor) for line in lines)
        assert section.taken_minor == sum(max(0, -line.amount_minor) for line in lines)


def test_a_borrowers_statement_worked_by_hand(db_session: Session) -> None:
    """1,200 at 12 % a year in three equal parts: a month later 400 and 12 of interest are due."""
    hamlet = Hamlet(
        db_session,
        terms={
            "rate_method": "declining_balance",
            "amortisation": "equal_principal",
            "yearly_rate_ppm": 120_000,
        },
    )
    hamlet.fund(5_000_00)
    hamlet.person("uma", stake=2_000_00)
    hamlet.person("ben")
    hamlet.save("ben", 30_00)
    hamlet.vouch("uma", "ben", 2_000_00)
    loan = hamlet.lend("ben", 1_200_00, 3)
    start = hamlet.day
    hamlet.wait(31, loan)
    receipt = hamlet.repay(loan, 412_00)
    whose: dict[str, Any] = {
        "community_id": hamlet.community.id,
        "member_id": hamlet.people["ben"].id,
        "period": Period(start, hamlet.day),
    }
    [savings, owed] = statements.member_sections(db_session, **whose)
    assert (savings.key, savings.opening_minor, savings.closing_minor) == (
        "member_savings",
        0,
        30_00,
    )
    assert (owed.key, owed.purpose, owed.is_loan) == (loan.public_id, "seed", True)
    assert (owed.opening_minor, owed.added_minor, owed.taken_minor) == (0, 1_200_00, 400_00)
    assert (owed.beside_minor, owed.closing_minor) == (12_00, 800_00)
    lines, after = statements.member_lines(db_session, **whose, entries_most=50)
    assert after is None
    assert [
        (line.kind, line.section, line.amount_minor, line.beside_minor, line.balance_minor)
        for line in lines
    ] == [
        ("savings.deposit", "member_savings", 30_00, 0, 30_00),
        ("loan.disbursed", loan.public_id, 1_200_00, 0, 1_200_00),
        ("loan.repaid", loan.public_id, -400_00, 12_00, 800_00),
    ]
    assert lines[1].receipt == loan.public_id
    assert lines[2].receipt == receipt.public_id
    assert lines[0].receipt.startswith("rcp_")
    hamlet.check()


def test_fees_stand_on_the_loan_and_accruals_beside_it(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(5_000)
    hamlet.person("ben", stake=1_000)
    loan = hamlet.lend("ben", 500)
    ben, place = hamlet.people["ben"].id, hamlet.community.id
    for kind, legs in (
        ("interest.accrued", rules.interest_accrued(90)),
        ("loan.fee_charged", rules.fee_charged(loan.id, ben, 20)),
        ("loan.penalty_charged", rules.penalty_charged(loan.id, ben, 10)),
        ("loan.penalty_waived", rules.penalty_waived(loan.id, ben, 4)),
        (
            "loan.repaid",
            rules.loan_repaid(
                loan.id, ben, principal=100, interest=3, interest_receivable=50, fee=20, penalty=6
            ),
        ),
    ):
        book(db_session, place, legs, on=hamlet.day, kind=kind)
    lines, _ = statements.member_lines(
        db_session,
        community_id=place,
        member_id=ben,
        period=Period(hamlet.day, hamlet.day),
        entries_most=50,
    )
    assert [
        (line.kind, line.amount_minor, line.beside_minor, line.balance_minor)
        for line in lines
        if line.section == loan.public_id
    ] == [
        ("loan.disbursed", 500, 0, 500),
        ("loan.fee_charged", 20, 0, 520),
        ("loan.penalty_charged", 10, 0, 530),
        ("loan.penalty_waived", -4, 0, 526),
        ("loan.repaid", -126, 53, 400),
    ]
