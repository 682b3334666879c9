"""Statements with their currency and the ids of whom and where; and as rows of a sheet."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.ledger.periods import sealed
from app.sheets import Cell
from community.communities.models import Community
from community.ledger import statements
from community.ledger.chart import LINES, Side
from community.ledger.models import AccountKind
from community.ledger.statements import (
    AccountLine,
    MemberLine,
    Period,
    Place,
    Section,
    TrialBalance,
    TrialLine,
)
from community.members.models import Member
from community.money import Money

# What a sheet reads at once.
PORTION = 1_000

TRIAL_HEADER = (
    "code",
    "account",
    "name_en",
    "name_zh",
    "currency",
    "opening_debit",
    "opening_credit",
    "debit",
    "credit",
    "closing_debit",
    "closing_credit",
)
ACCOUNT_HEADER = (
    "entry",
    "date",
    "value_date",
    "kind",
    "reference",
    "member",
    "loan",
    "currency",
    "debit",
    "credit",
    "balance",
)
MEMBER_HEADER = (
    "section",
    "date",
    "value_date",
    "kind",
    "receipt",
    "currency",
    "amount",
    "interest",
    "balance",
)
_COLUMNS = TRIAL_HEADER[5:]


def trial_view(community: Community, found: TrialBalance, closed_through: Any) -> dict[str, Any]:
    """A trial balance."""
    return {
        "community": community.public_id,
        "from_on": found.period.from_on,
        "to_on": found.period.to_on,
        "closed_through": closed_through,
        "lines": [
            {
                "code": line.line.code,
                "account": line.line.kind,
                "name_en": line.line.name_en,
                "name_zh": line.line.name_zh,
                "currency": line.currency,
                **_columns(line),
            }
            for line in found.lines
        ],
        "totals": found.totals,
    }


def trial_rows(found: TrialBalance) -> Iterator[list[Cell]]:
    """Its lines, and a line of totals for each currency."""
    for line in found.lines:
        columns = _columns(line)
        yield [
            line.line.code,
            line.line.kind.value,
            line.line.name_en,
            line.line.name_zh,
            line.currency,
            *(Money(columns[f"{name}_minor"], line.currency) for name in _COLUMNS),
        ]
    for total in found.totals:
        yield [
            "",
            "total",
            "Total",
            "合计",
            total.currency,
            *(Money(getattr(total, f"{name}_minor"), total.currency) for name in _COLUMNS),
        ]


def account_view(
    session: Session,
    community: Community,
    kind: AccountKind,
    period: Period,
    *,
    after: Place | None,
    limit: int,
) -> dict[str, Any]:
    """A page of an account's statement."""
    place: dict[str, Any] = {
        "community_id": community.id,
        "kind": kind,
        "currency": community.currency,
    }
    found = statements.account_lines(session, **place, period=period, most=limit + 1, after=after)
    lines = found[:limit]
    behind = period.to_on + timedelta(days=1)
    return {
        "community": community.public_id,
        "account": kind,
        "from_on": period.from_on,
        "to_on": period.to_on,
        "currency": community.currency,
        "opening_minor": statements.account_opening(session, **place, before=period.from_on),
        "closing_minor": statements.account_opening(session, **place, before=behind),
        "items": [_line(line, community.currency) for line in lines],
        "next_cursor": sealed(lines[-1].place, period) if len(found) > limit else None,
    }


def account_rows(
    session: Session, community: Community, kind: AccountKind, period: Period
) -> Iterator[list[Cell]]:
    """Every line, between its opening and its closing balance."""
    place: dict[str, Any] = {
        "community_id": community.id,
        "kind": kind,
        "currency": community.currency,
    }
    currency = community.currency
    balance = statements.account_opening(session, **place, before=period.from_on)
    yield _edge(ACCOUNT_HEADER, "opening", period.from_on, Money(balance, currency))
    is_debit = LINES[kind].side is Side.DEBIT
    after: Place | None = None
    while True:
        lines: list[AccountLine] = statements.account_lines(
            session, **place, period=period, most=PORTION, after=after
        )
        for line in lines:
            balance = line.balance_minor
            debit = line.amount_minor if is_debit else -line.amount_minor
            yield [
                line.number,
                line.place.on,
                line.value_on,
                line.kind,
                line.reference,
                line.member,
                line.loan,
                currency,
                Money(debit, currency) if debit > 0 else None,
                Money(-debit, currency) if debit < 0 else None,
                Money(balance, currency),
            ]
        if len(lines) < PORTION:
            break
        after = lines[-1].place
    yield _edge(ACCOUNT_HEADER, "closing", period.to_on, Money(balance, currency))


def member_view(
    session: Session,
    community: Community,
    member: Member,
    period: Period,
    *,
    after: Place | None,
    limit: int,
) -> dict[str, Any]:
    """A page of a member's statement."""
    whose: dict[str, Any] = {"community_id": community.id, "member_id": member.id, "period": period}
    lines, end = statements.member_lines(session, **whose, entries_most=limit, after=after)
    sections = statements.member_sections(session, **whose)
    return {
        "community": community.public_id,
        "member": member.public_id,
        "name": member.name,
        "from_on": period.from_on,
        "to_on": period.to_on,
        "sections": [
            {**asdict(section), "closing_minor": section.closing_minor, **_in(community)}
            for section in sections
        ],
        "items": [
            _line(line, community.currency)
            | {
                "payees": [
                    {
                        "payee_name": name,
                        "amount_minor": minor,
                        "currency": community.currency,
                    }
                    for name, minor in line.payees
                ]
            }
            for line in lines
        ],
        "next_cursor": sealed(end, period) if end is not None else None,
    }


def member_rows(
    session: Session, community: Community, member: Member, period: Period
) -> Iterator[list[Cell]]:
    """Every movement, between the opening and the closing balances of all sections."""
    whose: dict[str, Any] = {"community_id": community.id, "member_id": member.id, "period": period}
    currency = community.currency
    sections: list[Section] = statements.member_sections(session, **whose)
    for section in sections:
        opening = Money(section.opening_minor, currency)
        yield [section.key, *_edge(MEMBER_HEADER, "opening", period.from_on, opening)[1:]]
    for line in all_member_lines(session, whose):
        yield [
            line.section,
            line.place.on,
            line.value_on,
            line.kind,
            line.receipt,
            currency,
            Money(line.amount_minor, currency),
            Money(line.beside_minor, currency),
            Money(line.balance_minor, currency),
        ]
    for section in sections:
        closing = Money(section.closing_minor, currency)
        yield [section.key, *_edge(MEMBER_HEADER, "closing", period.to_on, closing)[1:]]


def all_member_lines(session: Session, whose: dict[str, Any]) -> Iterator[MemberLine]:
    """Every movement of a period, read in portions."""
    after: Place | None = None
    while True:
        lines, after = statements.member_lines(session, **whose, entries_most=PORTION, after=after)
        yield from lines
        if after is None:
            return


def _columns(line: TrialLine) -> dict[str, int]:
    return {
        "opening_debit_minor": max(0, line.opening_minor),
        "opening_credit_minor": max(0, -line.opening_minor),
        "debit_minor": line.debit_minor,
        "credit_minor": line.credit_minor,
        "closing_debit_minor": max(0, line.closing_minor),
        "closing_credit_minor": max(0, -line.closing_minor),
    }


def _line(line: AccountLine | MemberLine, currency: str) -> dict[str, Any]:
    return {**asdict(line), "on": line.place.on, "currency": currency}


def _in(community: Community) -> dict[str, str]:
    return {"currency": community.currency}


def _edge(header: tuple[str, ...], what: str, on: Any, balance: Money) -> list[Cell]:
    """The line before the first, or behind the last."""
    values: dict[str, Cell] = {
        "date": on,
        "kind": what,
        "currency": balance.currency,
        "balance": balance,
    }
    return [values.get(name) for name in header]
