"""What has to be true of a town's database after a load, and what of the load shows in it.

Laws 1, 2 and 3 are asked of the rows by plain SQL too, so that a verifier that has gone blind
would not pass for a kept law.
"""

import json
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from community.idempotency import IdempotencyKey
from community.ledger.models import Account, AccountKind
from community.verification import verify
from tests.chaos.load import Done, Record, minor
from tests.chaos.town import Town

# Statements that give no row as long as the law holds.
LAWS: dict[str, str] = {
    "1: entries balance": """
        SELECT entry_id, sum(amount_minor) FROM postings
        GROUP BY entry_id HAVING sum(amount_minor) <> 0""",
    "1: an entry has legs": """
        SELECT e.id FROM journal_entries e LEFT JOIN postings p ON p.entry_id = e.id
        WHERE p.id IS NULL""",
    "1: a balance is the sum of its postings": """
        SELECT a.id, a.balance_minor, coalesce(sum(p.amount_minor), 0) AS posted
        FROM accounts a LEFT JOIN postings p ON p.account_id = a.id
        GROUP BY a.id, a.balance_minor
        HAVING a.balance_minor <> coalesce(sum(p.amount_minor), 0)""",
    "1: a book counts its records": """
        SELECT b.id FROM books b
        WHERE b.records <> (SELECT count(*) FROM journal_entries e WHERE e.book_id = b.id)
                         + (SELECT count(*) FROM events v WHERE v.book_id = b.id)""",
    "2: a standing reserves what its lines hold": """
        SELECT s.id, s.reserved_minor FROM standings s
        LEFT JOIN cover_lines c ON c.standing_id = s.id
        GROUP BY s.id, s.reserved_minor, s.stake_minor, s.assessed_minor
        HAVING s.reserved_minor
            <> coalesce(sum(c.amount_minor - c.released_minor - c.paid_minor), 0)
            OR s.reserved_minor > s.stake_minor + s.assessed_minor OR s.reserved_minor < 0""",
    "2: a vouch reserves what its lines hold": """
        SELECT v.id, v.reserved_minor FROM vouches v
        LEFT JOIN cover_lines c ON c.inner_vouch_id = v.id OR c.outer_vouch_id = v.id
        GROUP BY v.id, v.reserved_minor, v.spent_minor, v.limit_minor
        HAVING v.reserved_minor
            <> coalesce(sum(c.amount_minor - c.released_minor - c.paid_minor), 0)
            OR v.reserved_minor + v.spent_minor > v.limit_minor OR v.reserved_minor < 0""",
    "2: a stake is what its account holds": """
        SELECT s.id, s.stake_minor, a.balance_minor FROM standings s
        JOIN books b ON b.community_id = s.community_id
        LEFT JOIN accounts a
            ON a.book_id = b.id AND a.member_id = s.member_id AND a.kind = 'member_stake'
        WHERE s.stake_minor <> -coalesce(a.balance_minor, 0)""",
    "2: a line is used by its draws": """
        SELECT k.id, k.used_minor FROM credit_lines k
        LEFT JOIN loans n ON n.line_id = k.id
        GROUP BY k.id, k.used_minor, k.limit_minor, k.raised_minor, k.over_minor
        HAVING k.used_minor <> coalesce(sum(n.line_used_minor), 0)
            OR k.used_minor > k.limit_minor + k.raised_minor + k.over_minor""",
    "2: a sub-limit is used by its member's draws": """
        SELECT h.id, h.used_minor FROM credit_line_shares h
        LEFT JOIN loans n ON n.line_id = h.line_id AND n.borrower_id = h.member_id
        GROUP BY h.id, h.used_minor, h.limit_minor, h.raised_minor, h.over_minor
        HAVING h.used_minor <> coalesce(sum(n.line_used_minor), 0)
            OR h.used_minor > h.limit_minor + h.raised_minor + h.over_minor""",
    "3: live loans are covered": """
        SELECT n.id, n.outstanding_minor, n.cover_short_minor FROM loans n
        LEFT JOIN cover_lines c ON c.loan_id = n.id
        WHERE n.status IN ('approved', 'current', 'restructured', 'overdue')
        GROUP BY n.id, n.outstanding_minor, n.cover_short_minor, n.status, n.principal_minor
        HAVING coalesce(sum(c.amount_minor - c.released_minor - c.paid_minor), 0)
            + n.cover_short_minor
            < CASE WHEN n.status = 'approved' THEN n.principal_minor
                   ELSE n.outstanding_minor END""",
    "3: nothing rests on an ended loan": """
        SELECT n.id FROM loans n JOIN cover_lines c ON c.loan_id = n.id
        WHERE n.status IN ('closed', 'withdrawn', 'rejected', 'expired')
            AND c.amount_minor > c.released_minor + c.paid_minor""",
    "4: nobody paid more than they signed": """
        SELECT g.id FROM guarantees g
        WHERE g.paid_minor > g.cap_minor OR g.paid_minor
            <> (SELECT coalesce(sum(p.amount_minor), 0) FROM guarantee_payments p
                JOIN repayments r ON r.id = p.repayment_id
                WHERE p.loan_id = g.loan_id AND p.payer_id = g.guarantor_id)""",
    "6: a key has its answer": "SELECT id FROM idempotency_keys WHERE status = 0",
}
# A cover ratio of 100 % throughout: the town's product says so.


def broken_laws(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """The first rows that break each law; nothing while all hold."""
    found = {
        law: [tuple(row) for row in session.execute(text(statement)).fetchmany(5)]
        for law, statement in LAWS.items()
    }
    return {law: rows for law, rows in found.items() if rows}


def assert_laws_hold(town: Town) -> None:
    with town.session() as session:
        assert broken_laws(session) == {}
        assert verify(session).breaches == ()


def cash_minor(town: Town) -> int:
    """All money that lies in the town's tills."""
    tills = (AccountKind.SAVINGS_CASH, AccountKind.LENDING_CASH)
    with town.session() as session:
        return session.scalars(
            select(func.sum(Account.balance_minor)).where(Account.kind.in_(tills))
        ).one()


# What a request that took effect brought over the counter; takes the money in it.
_IN = {"deposit": 1, "repay": 1, "settle": 1, "pay_call": 1, "withdraw": -1, "take_back": -1}


def brought_minor(done: Iterable[Done]) -> int:
    """What came over the counter, less what went out, by the answers alone."""
    total = 0
    for item in done:
        if not item.took_effect:
            continue
        if item.act in _IN:
            total += _IN[item.act] * minor(item.answer["amount"])
        elif item.act == "disburse":
            total -= minor(item.answer["principal"])
        elif item.act == "hold" and item.path.endswith("/posting"):
            total -= minor(item.answer["receipt"]["amount"])
    return total


# The rows that acts under a key leave: each acknowledged act makes one, and nothing else does.
_ROWS: dict[str, tuple[str, frozenset[str]]] = {
    "receipts": (
        "SELECT count(*) FROM repayments WHERE source IN ('borrower', 'third_party', 'guarantor')",
        frozenset({"repay", "settle", "pay_call"}),
    ),
    "receipts taken back": (
        "SELECT count(*) FROM repayments WHERE reversed_on IS NOT NULL",
        frozenset({"take_back"}),
    ),
    "payments on calls": (
        "SELECT count(*) FROM repayments WHERE source = 'guarantor'",
        frozenset({"pay_call"}),
    ),
    "pay-outs": ("SELECT count(*) FROM disbursements", frozenset({"disburse"})),
    "approvals": (
        "SELECT count(*) FROM events WHERE kind = 'loan.approved'",
        frozenset({"approve"}),
    ),
    "charges": ("SELECT count(*) FROM loan_charges", frozenset({"charge"})),
    "deposits": (
        "SELECT count(*) FROM savings_movements WHERE kind = 'deposit'",
        frozenset({"deposit"}),
    ),
    "moves of stake": (
        "SELECT count(*) FROM savings_movements WHERE kind IN ('stake_lock', 'stake_release')",
        frozenset({"move_stake"}),
    ),
    "withdrawals": (
        "SELECT (SELECT count(*) FROM savings_movements WHERE kind = 'withdrawal')"
        " - (SELECT count(*) FROM holds WHERE state = 'posted')",
        frozenset({"withdraw"}),
    ),
    "holds placed and ended": (
        "SELECT count(*) + count(ended_on) FROM holds",
        frozenset({"hold"}),
    ),
    "keys": ("SELECT count(*) FROM idempotency_keys", frozenset()),
}
KEYED = frozenset().union(*(acts for _, acts in _ROWS.values()))


def counted(town: Town) -> dict[str, int]:
    """How many rows of each sort there are."""
    with town.session() as session:
        return {
            name: session.execute(text(statement)).scalar_one()
            for name, (statement, _) in _ROWS.items()
        }


def assert_answers_are_there_once(town: Town, record: Record, before: dict[str, int]) -> None:
    """Whatever moved money and was acknowledged is in the database once; and nothing besides."""
    keyed = [item for item in record.done if item.took_effect and item.act in KEYED]
    after = counted(town)
    told = {name: after[name] - before[name] for name in after}
    acts = Counter(item.act for item in keyed)
    assert told == {
        name: sum(acts[act] for act in makes) if makes else len(keyed)
        for name, (_, makes) in _ROWS.items()
    }
    with town.session() as session:
        kept = {
            key: (status, json.loads(body))
            for key, status, body in session.execute(
                select(IdempotencyKey.key, IdempotencyKey.status, IdempotencyKey.body)
            )
        }
    for item in keyed:
        assert kept[item.key] == (item.status, item.answer), item
