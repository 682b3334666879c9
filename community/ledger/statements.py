"""Trial balance, account statement, member statement: added up from postings, for any period.

Nothing here reads today's balances, so that a statement of last year says what it said then.
Amounts of accounts are positive on the account's normal side, except where a line says otherwise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.orm import Session

from community.database import Base
from community.ledger.chart import LINES, ChartLine, Side, in_chart_order
from community.ledger.errors import PeriodInvalid
from community.ledger.models import Account, AccountKind, Book, JournalEntry, Posting

# What a loan's borrower owes as the books name it loan by loan. Interest is accrued for whole
# products, so it stands beside the balance, when it is paid.
_OWED = (AccountKind.LOAN_PRINCIPAL, AccountKind.FEE_RECEIVABLE, AccountKind.PENALTY_RECEIVABLE)
_BESIDE = (
    AccountKind.INTEREST_INCOME,
    AccountKind.INTEREST_RECEIVABLE,
    AccountKind.RECOVERY_INCOME,
)
_OWN = (AccountKind.MEMBER_SAVINGS, AccountKind.MEMBER_STAKE, AccountKind.OVERPAYMENT)


@dataclass(frozen=True, slots=True)
class Period:
    """Business days from the first to the last, both included."""

    from_on: date
    to_on: date

    def __post_init__(self) -> None:
        if self.from_on > self.to_on:
            raise PeriodInvalid(
                f"The period ends on {self.to_on}, before it begins on {self.from_on}.",
                field="from",
            )


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One kind of account over a period. What it held is signed: debits positive."""

    line: ChartLine
    currency: str
    opening_minor: int
    debit_minor: int
    credit_minor: int

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + self.debit_minor - self.credit_minor


@dataclass(frozen=True, slots=True)
class TrialTotals:
    """The columns of a trial balance in one currency; each pair is equal if the books are right."""

    currency: str
    opening_debit_minor: int
    opening_credit_minor: int
    debit_minor: int
    credit_minor: int
    closing_debit_minor: int
    closing_credit_minor: int

    @property
    def balances(self) -> bool:
        return (
            self.opening_debit_minor == self.opening_credit_minor
            and self.debit_minor == self.credit_minor
            and self.closing_debit_minor == self.closing_credit_minor
        )


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """A community's accounts over a period, in the order of the chart."""

    period: Period
    lines: tuple[TrialLine, ...]

    @property
    def totals(self) -> tuple[TrialTotals, ...]:
        return tuple(
            _totals(currency, [line for line in self.lines if line.currency == currency])
            for currency in sorted({line.currency for line in self.lines})
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement's line stands: its business day, and its entry's or posting's id."""

    on: date
    row_id: int


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One leg on an account; `amount_minor` is positive where the account grows."""

    place: Place
    number: int
    value_on: date
    kind: str
    reference: str
    member: str | None
    loan: str | None
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a member's statement: savings, stake, overpayments, or one loan."""

    # The kind of account, or the loan's public id.
    key: str
    purpose: str
    opening_minor: int
    added_minor: int
    taken_minor: int
    # Interest, and recoveries after a write-off, paid in the period: beside the balance.
    beside_minor: int

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + self.added_minor - self.taken_minor

    @property
    def is_loan(self) -> bool:
        return self.key.startswith("lon_")


_PAID_TO_PAYEES = "loan.paid_to_payees"


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One movement; `amount_minor` is what it added to the section, below zero if it took."""

    place: Place
    section: str
    value_on: date
    kind: str
    receipt: str
    amount_minor: int
    beside_minor: int
    balance_minor: int
    # Of a loan that was paid out: who got which part of it straight.
    payees: tuple[tuple[str, int], ...] = ()


def trial_balance(session: Session, *, community_id: int, period: Period) -> TrialBalance:
    """Opening, debits, credits and closing by kind of account. Cost: the book's postings once."""
    amount = Posting.amount_minor
    within = JournalEntry.business_on >= period.from_on
    rows = session.execute(
        select(
            Account.kind,
            Account.currency,
            _sum(case((within, 0), else_=amount)),
            _sum(case((and_(within, amount > 0), amount), else_=0)),
            _sum(case((and_(within, amount < 0), -amount), else_=0)),
        )
        .join(Posting, Posting.account_id == Account.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(Book, Book.id == Account.book_id)
        .where(Book.community_id == community_id, JournalEntry.business_on <= period.to_on)
        .group_by(Account.kind, Account.currency)
    ).all()
    lines = [
        TrialLine(LINES[kind], currency, int(opening), int(debit), int(credit))
        for kind, currency, opening, debit, credit in rows
        if opening or debit or credit
    ]
    lines.sort(key=lambda line: (line.currency, line.line.code))
    return TrialBalance(period, tuple(lines))


def account_opening(
    session: Session,
    *,
    community_id: int,
    kind: AccountKind,
    currency: str,
    before: date,
    after: Place | None = None,
) -> int:
    """What all accounts of a kind held before a day, or after the line at a place."""
    query = _of_account(select(_sum(Posting.amount_minor)), community_id, kind, currency)
    if after is None:
        query = query.where(JournalEntry.business_on < before)
    else:
        query = query.where(~_behind(after, Posting.id))
    return _on_its_side(kind, int(session.scalar(query) or 0))


def account_lines(
    session: Session,
    *,
    community_id: int,
    kind: AccountKind,
    currency: str,
    period: Period,
    most: int,
    after: Place | None = None,
) -> list[AccountLine]:
    """At most so many legs on the accounts of a kind, by business day, with the running balance."""
    members, loans = _tables("members", "loans")
    query = _of_account(
        select(
            Posting.id,
            Posting.amount_minor,
            JournalEntry.seq,
            JournalEntry.business_on,
            JournalEntry.value_on,
            JournalEntry.kind,
            JournalEntry.reference,
            members.c.public_id,
            loans.c.public_id,
        ),
        community_id,
        kind,
        currency,
    )
    query = (
        query.outerjoin(members, members.c.id == Posting.member_id)
        .outerjoin(loans, loans.c.id == Posting.loan_id)
        .where(_in(period))
        .order_by(JournalEntry.business_on, Posting.id)
        .limit(most)
    )
    if after is not None:
        query = query.where(_behind(after, Posting.id))
    balance = account_opening(
        session,
        community_id=community_id,
        kind=kind,
        currency=currency,
        before=period.from_on,
        after=after,
    )
    lines: list[AccountLine] = []
    for posting_id, minor, number, on, value_on, what, reference, member, loan in session.execute(
        query
    ):
        amount = _on_its_side(kind, minor)
        balance += amount
        place = Place(on, posting_id)
        lines.append(
            AccountLine(place, number, value_on, what, reference, member, loan, amount, balance)
        )
    return lines


def member_sections(
    session: Session, *, community_id: int, member_id: int, period: Period
) -> list[Section]:
    """The parts of a member's statement with what each held before and after, savings first.

    A stake, an overpayment or a loan is there if it held or moved anything. Two statements.
    """
    found: dict[str, Section] = {}
    for legs in _parts(community_id, member_id):
        by_entry = (
            select(
                legs.c.section,
                legs.c.purpose,
                JournalEntry.business_on,
                _sum(legs.c.amount).label("amount"),
                _sum(legs.c.beside).label("beside"),
            )
            .join(JournalEntry, JournalEntry.id == legs.c.entry_id)
            .where(JournalEntry.business_on <= period.to_on)
            .group_by(legs.c.section, legs.c.purpose, JournalEntry.id, JournalEntry.business_on)
            .subquery()
        )
        amount = by_entry.c.amount
        within = by_entry.c.business_on >= period.from_on
        rows = session.execute(
            select(
                by_entry.c.section,
                by_entry.c.purpose,
                _sum(case((within, 0), else_=amount)),
                _sum(case((and_(within, amount > 0), amount), else_=0)),
                _sum(case((and_(within, amount < 0), -amount), else_=0)),
                _sum(case((within, by_entry.c.beside), else_=0)),
            ).group_by(by_entry.c.section, by_entry.c.purpose)
        )
        for key, purpose, *amounts in rows:
            if any(amounts):
                found[key] = Section(key, purpose, *map(int, amounts))
    savings = AccountKind.MEMBER_SAVINGS.value
    found.setdefault(savings, Section(savings, "", 0, 0, 0, 0))
    return [found[key] for key in sorted(found, key=_section_order)]


def member_lines(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    period: Period,
    entries_most: int,
    after: Place | None = None,
) -> tuple[list[MemberLine], Place | None]:
    """The movements of so many entries, by business day, with the running balance of each part.

    A page ends between entries, never within one. Returns where it ended if there are more.
    """
    parts = _parts(community_id, member_id)
    touched = union(*(select(legs.c.entry_id) for legs in parts)).subquery()
    query = (
        select(JournalEntry)
        .where(JournalEntry.id.in_(select(touched.c.entry_id)), _in(period))
        .order_by(JournalEntry.business_on, JournalEntry.id)
        .limit(entries_most + 1)
    )
    if after is not None:
        query = query.where(_behind(after, JournalEntry.id))
    entries = session.scalars(query).all()
    more = len(entries) > entries_most
    entries = entries[:entries_most]
    if not entries:
        return [], None
    balances = _balances_until(session, parts, period, after)
    receipts = _receipts(session, member_id, [entry.id for entry in entries])
    moved = _moved(session, parts, [entry.id for entry in entries])
    paid_to = _payees(session, [entry.id for entry in entries if entry.kind == _PAID_TO_PAYEES])
    lines: list[MemberLine] = []
    for entry in entries:
        for section, amount, beside in moved.get(entry.id, ()):
            balances[section] = balances.get(section, 0) + amount
            lines.append(
                MemberLine(
                    place=Place(entry.business_on, entry.id),
                    section=section,
                    value_on=entry.value_on,
                    kind=entry.kind,
                    receipt=receipts.get((entry.id, section), entry.reference),
                    amount_minor=amount,
                    beside_minor=beside,
                    balance_minor=balances[section],
                    payees=tuple(paid_to.get(entry.id, ())),
                )
            )
    return lines, Place(entries[-1].business_on, entries[-1].id) if more else None


def _parts(community_id: int, member_id: int) -> tuple[Subquery, Subquery]:
    """Legs of a member's own accounts, and of their loans: section, purpose, entry, amounts."""
    (loans,) = _tables("loans")
    own = (
        select(
            Account.kind.label("kind"),
            Posting.entry_id.label("entry_id"),
            (-Posting.amount_minor).label("amount"),
        )
        .join(Account, Account.id == Posting.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id,
            Account.member_id == member_id,
            Account.kind.in_(_OWN),
        )
        .subquery()
    )
    accounts = select(
        _text(own.c.kind).label("section"),
        _text("").label("purpose"),
        own.c.entry_id,
        own.c.amount,
        _whole(0).label("beside"),
    ).subquery()
    lent = (
        select(
            loans.c.public_id.label("section"),
            loans.c.purpose.label("purpose"),
            Posting.entry_id.label("entry_id"),
            case((Account.kind.in_(_OWED), Posting.amount_minor), else_=0).label("amount"),
            case((Account.kind.in_(_BESIDE), -Posting.amount_minor), else_=0).label("beside"),
        )
        .join(loans, loans.c.id == Posting.loan_id)
        .join(Account, Account.id == Posting.account_id)
        .where(
            loans.c.community_id == community_id,
            loans.c.borrower_id == member_id,
            Account.kind.in_((*_OWED, *_BESIDE)),
        )
        .subquery()
    )
    return accounts, lent


def _moved(
    session: Session, parts: Sequence[Subquery], entry_ids: Collection[int]
) -> Mapping[int, list[tuple[str, int, int]]]:
    """What each entry did to each section that it touched."""
    found: dict[int, list[tuple[str, int, int]]] = {}
    for legs in parts:
        rows = session.execute(
            select(legs.c.entry_id, legs.c.section, _sum(legs.c.amount), _sum(legs.c.beside))
            .where(legs.c.entry_id.in_(entry_ids))
            .group_by(legs.c.entry_id, legs.c.section)
        ).all()
        for entry_id, section, amount, beside in sorted(
            rows, key=lambda row: _section_order(row.section)
        ):
            if amount or beside:
                found.setdefault(entry_id, []).append((section, int(amount), int(beside)))
    return found


def _balances_until(
    session: Session, parts: Sequence[Subquery], period: Period, after: Place | None
) -> dict[str, int]:
    until = (
        JournalEntry.business_on < period.from_on
        if after is None
        else ~_behind(after, JournalEntry.id)
    )
    found: dict[str, int] = {}
    for legs in parts:
        rows = session.execute(
            select(legs.c.section, _sum(legs.c.amount))
            .join(JournalEntry, JournalEntry.id == legs.c.entry_id)
            .where(until)
            .group_by(legs.c.section)
        )
        found |= {section: int(amount) for section, amount in rows}
    return found


def _receipts(
    session: Session, member_id: int, entry_ids: Collection[int]
) -> dict[tuple[int, str], str]:
    """Receipts of savings that share an entry, such as those of a sheet, by entry and section."""
    (movements,) = _tables("savings_movements")
    rows = session.execute(
        select(movements.c.entry_id, func.min(movements.c.public_id))
        .where(movements.c.member_id == member_id, movements.c.entry_id.in_(entry_ids))
        .group_by(movements.c.entry_id)
    )
    return {
        (entry_id, kind.value): receipt
        for entry_id, receipt in rows
        for kind in (AccountKind.MEMBER_SAVINGS, AccountKind.MEMBER_STAKE)
    }


def _payees(session: Session, entry_ids: Collection[int]) -> Mapping[int, list[tuple[str, int]]]:
    """Who was paid straight by entries, and how much."""
    found: dict[int, list[tuple[str, int]]] = {}
    if not entry_ids:
        return found
    (payments,) = _tables("payee_payments")
    rows = session.execute(
        select(payments.c.entry_id, payments.c.payee_name, payments.c.amount_minor)
        .where(payments.c.entry_id.in_(entry_ids))
        .order_by(payments.c.entry_id, payments.c.number)
    )
    for entry_id, name, minor in rows:
        found.setdefault(entry_id, []).append((name, minor))
    return found


def _section_order(key: str) -> tuple[str, str]:
    """Own accounts in the order of the chart, then loans."""
    kinds: dict[str, AccountKind] = {kind.value: kind for kind in _OWN}
    return (in_chart_order(kinds[key]), "") if key in kinds else ("~", key)


def _of_account(
    query: Select[*tuple[Any, ...]], community_id: int, kind: AccountKind, currency: str
) -> Select[*tuple[Any, ...]]:
    return (
        query.select_from(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(Account, Account.id == Posting.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id, Account.kind == kind, Account.currency == currency
        )
    )


def _in(period: Period) -> ColumnElement[bool]:
    return JournalEntry.business_on.between(period.from_on, period.to_on)


def _behind(place: Place, key: ColumnElement[int] | Any) -> ColumnElement[bool]:
    return or_(
        JournalEntry.business_on > place.on,
        and_(JournalEntry.business_on == place.on, key > place.row_id),
    )


def _on_its_side(kind: AccountKind, amount_minor: int) -> int:
    return amount_minor if LINES[kind].side is Side.DEBIT else -amount_minor


def _totals(currency: str, lines: Sequence[TrialLine]) -> TrialTotals:
    return TrialTotals(
        currency=currency,
        opening_debit_minor=sum(max(0, line.opening_minor) for line in lines),
        opening_credit_minor=sum(max(0, -line.opening_minor) for line in lines),
        debit_minor=sum(line.debit_minor for line in lines),
        credit_minor=sum(line.credit_minor for line in lines),
        closing_debit_minor=sum(max(0, line.closing_minor) for line in lines),
        closing_credit_minor=sum(max(0, -line.closing_minor) for line in lines),
    )


def _sum(column: Any) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def _text(value: Any) -> ColumnElement[str]:
    return cast(value, String)


def _whole(value: int) -> ColumnElement[int]:
    return cast(value, BigInteger)


def _tables(*names: str) -> tuple[Table, ...]:
    """Tables of higher rooms, which therefore go by name."""
    return tuple(Base.metadata.tables[name] for name in names)
