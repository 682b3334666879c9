"""Migrations give the same schema as the models, constraint by constraint, on both databases."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, func, select, text

from app import create_app
from app.extensions import db
from community.communities import templates
from community.communities.charter import read_rules
from community.communities.models import Charter
from community.engine import make_engine, session_factory
from community.groups.models import GroupAgreement, GroupSignature
from community.guarantees.models import Claim, PaidAs
from community.idempotency import IdempotencyKey
from community.ledger.guards import GUARDED
from community.loans.models import LoanPosition
from community.members.models import Member
from community.portfolio import guards as portfolio_guards
from community.receiving.models import BankLine, PayerAccount
from community.verification import verify
from config.settings import Settings
from tests.circle import FOUR, RULES, Circle
from tests.databases import create_all
from tests.hamlet import Hamlet
from tests.keys import ENVIRON
from tests.servers import fresh_database

POSTGRESQL_SCHEMA = """
SELECT 'column', table_name || '.' || column_name, data_type || ' ' || is_nullable || ' '
       || coalesce(character_maximum_length::text, '')
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""

NEW_RULES = {
    "class_days",
    "class_watch_days",
    "worst_loan_per_member",
    "class_crop_seasons",
    "provision_bps",
    "non_accrual_from",
    "par_days",
    "restructures_max",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def two_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Addresses of two empty databases of one kind."""
    if request.param == "sqlite":
        yield tuple(f"sqlite:///{tmp_path}/{name}.sqlite3" for name in ("a", "b"))
        return
    url = request.getfixturevalue("postgres_url")
    with fresh_database(url) as first, fresh_database(url) as second:
        yield first, second


def test_migrated_schema_is_the_models_schema(two_databases: tuple[str, str]) -> None:
    migrated, made = two_databases
    _upgrade(migrated)
    with _connected(made) as connection:
        create_all(connection)
        expected = _schema(connection)
    with _connected(migrated) as connection:
        found = _schema(connection)
    found = {key: value for key, value in found.items() if "alembic_version" not in key[1]}
    assert {k: found.get(k) for k in found.keys() | expected.keys()} == {
        k: expected.get(k) for k in found.keys() | expected.keys()
    }
    assert len(found) > 100


def test_the_past_is_guarded_after_migrating(two_databases: tuple[str, str]) -> None:
    _upgrade(two_databases[0])
    with _connected(two_databases[0]) as connection:
        names = {key[1].partition(".")[2] for key in _schema(connection) if key[0] == "trigger"}
    for table in (*GUARDED, *portfolio_guards.GUARDED):
        assert any(name.startswith(f"{table}_keep") for name in names)


def test_loans_that_are_out_get_their_positions(two_databases: tuple[str, str]) -> None:
    """Loans made before there were positions: the migration makes what the verifier derives."""
    _upgrade(two_databases[0])
    engine = make_engine(two_databases[0])
    try:
        with session_factory(engine)() as session:
            hamlet = Hamlet(session, terms={"rate_method": "flat", "yearly_rate_ppm": 120_000})
            hamlet.fund(10_000_00)
            hamlet.person("ana", stake=500_00)
            lent = [hamlet.lend("ana", 50_00, count) for count in (1, 6, 12, 3)]
            hamlet.repay(lent[1], 9_00)
            hamlet.repay(lent[3], 1_000_00)
            hamlet.wait(45, lent[0])
            assert lent[0].accelerated_on == hamlet.day
        # Back to before, with the loans as they are, and forth again.
        _migrate(two_databases[0], lambda: downgrade(revision="0002"))
        _upgrade(two_databases[0])
        with session_factory(engine)() as session:
            assert session.scalar(select(func.count()).select_from(LoanPosition)) == 3
            assert verify(session).breaches == ()
    finally:
        engine.dispose()


def test_charters_from_before_classes_of_risk_get_the_rules_that_they_lack(
    two_databases: tuple[str, str],
) -> None:
    url = two_databases[0]
    _upgrade(url)
    rules = templates.load("village-cooperative")["rules"]
    mine = {"value": [1, 31, 61, 91], "source": "the assembly"}
    document = rules | {"class_days": mine}
    with _connected(url) as connection:
        connection.execute(
            text(
                "INSERT INTO communities"
                " (id, public_id, kind, name, reference, currency, path, version, created_at)"
                " VALUES (1, 'com_1', 'region', 'A', 'a', 'CNY', '/1/', 1, '2026-01-01')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO charters"
                " (id, community_id, version, valid_from, rules, source, created_at)"
                " VALUES (1, 1, 1, '2026-01-01', :rules, 'x', '2026-01-01')"
            ),
            {"rules": json.dumps(document)},
        )
    assert _rules(url) == document
    _migrate(url, lambda: downgrade(revision="0006"))
    reached = _rules(url)
    _migrate(url, lambda: downgrade(revision="0005"))
    assert set(reached) - set(_rules(url)) == NEW_RULES
    _upgrade(url)
    after = _rules(url)
    assert {name: rule["value"] for name, rule in after.items()} == {
        name: rule["value"] for name, rule in rules.items()
    }
    assert {name for name, rule in after.items() if "0006" in rule["source"]} == NEW_RULES
    assert read_rules(after)


def test_groups_that_bind_keep_what_they_signed(two_databases: tuple[str, str]) -> None:
    """What was in force before agreements were kept becomes version 1, signatures and all."""
    url = two_databases[0]
    _upgrade(url)
    engine = make_engine(url)
    try:
        with session_factory(engine)() as session:
            circle = Circle(session, rules=RULES)
            bound = circle.bind(*FOUR).agreement_hash
        _migrate(url, lambda: downgrade(revision="0010"))
        _upgrade(url)
        with session_factory(engine)() as session:
            kept = session.scalars(select(GroupAgreement)).one()
            assert (kept.version, kept.basis.value, kept.agreement_hash) == (1, "signed", bound)
            signed = session.scalars(select(GroupSignature)).all()
            assert [row.exposure_minor for row in signed] == [300] * 4
            assert {row.agreement_hash for row in signed} == {bound}
            assert verify(session).breaches == ()
            rules = session.scalars(select(Charter)).one().rules
            assert rules["group_whole_days"]["value"] == 90
            assert "0012" in rules["group_whole_days"]["source"]
            assert read_rules(rules)
    finally:
        engine.dispose()


def test_claims_from_before_the_book_get_their_movements(two_databases: tuple[str, str]) -> None:
    """What the borrower had paid is taken off the claim on the middle member too."""
    url = two_databases[0]
    _upgrade(url)
    engine = make_engine(url)
    try:
        with session_factory(engine)() as session:
            hamlet = Hamlet(session, rules={"reserve_fund_stands_in": False})
            hamlet.fund(1_000)
            for name, assessed in (("ben", 0), ("uma", 40), ("wei", 60)):
                hamlet.person(name, assessed=assessed)
            hamlet.vouch("uma", "ben", 100)
            hamlet.vouch("wei", "uma", 60)
            loan = hamlet.lend("ben", 100)
            hamlet.wait(42, loan)
            hamlet.wait(6, loan)
            hamlet.pay(hamlet.calls(loan)["wei"], 60)
            hamlet.repay(loan, 40 + 25)
        _migrate(url, lambda: downgrade(revision="0013"))
        with _connected(url) as connection:
            before = connection.execute(
                text("SELECT ground, amount_minor, settled_minor FROM claims ORDER BY id")
            ).all()
        assert before == [("borrower", 60, 25), ("covered_member", 60, 0)]
        _upgrade(url)
        with session_factory(engine)() as session:
            claims = session.scalars(select(Claim).order_by(Claim.id)).all()
            assert [(c.rank, c.paid_as, c.open_minor) for c in claims] == [
                (0, PaidAs.SECOND_HOP, 35),
                (1, PaidAs.SECOND_HOP, 35),
            ]
            assert verify(session).breaches == ()
            rules = session.scalars(select(Charter)).one().rules
            assert rules["recourse_yearly_rate_ppm"]["value"] == 0
            assert read_rules(rules)
    finally:
        engine.dispose()


def test_what_identifies_people_is_sealed_by_migrating_and_opened_again(
    two_databases: tuple[str, str],
) -> None:
    url = two_databases[0]
    _migrate(url, lambda: upgrade(revision="0027"))
    plain = "SELECT reference FROM members ORDER BY id"
    with _connected(url) as connection:
        connection.execute(
            text(
                "INSERT INTO members (id, public_id, kind, name, reference, version, created_at)"
                " VALUES (1, 'mem_1', 'person', '李伟', '330106-1', 1, '2026-01-01 00:00:00'),"
                " (2, 'mem_2', 'person', '王芳', NULL, 1, '2026-01-01 00:00:00')"
            )
        )
    _upgrade(url)
    with _connected(url) as connection:
        sealed, none = connection.scalars(text(plain))
        assert sealed.startswith("enc1:test:")
        assert none is None
        found = select(Member.reference).where(Member.reference_index == "330106-1")
        assert connection.scalar(found) == "330106-1"
    _migrate(url, lambda: downgrade(revision="0027"))
    with _connected(url) as connection:
        assert connection.scalars(text(plain)).all() == ["330106-1", None]


def test_accounts_of_payers_are_sealed_by_migrating_and_opened_again(
    two_databases: tuple[str, str],
) -> None:
    url = two_databases[0]
    then, match = "2026-01-01 00:00:00", {"rule": "x", "facts": [["account", "6217009876543210"]]}
    facts = {"match": json.dumps(match), "then": then}
    for revision, rows in (("0002", ROWS), ("0031", ACCOUNTS)):
        _migrate(url, partial(upgrade, revision=revision))
        with _connected(url) as connection:
            for statement in rows.split(";"):
                connection.execute(text(statement), facts)
    _upgrade(url)
    account = "6217009876543210"
    with _connected(url) as connection:
        for table in ("bank_lines", "payer_accounts", "idempotency_keys"):
            found = connection.execute(text(f"SELECT * FROM {table}")).all()
            assert account not in repr(found)
        assert connection.scalar(select(BankLine.payer_account)) == account
        assert connection.scalars(select(BankLine.match)).one()["facts"] == [["account", "…3210"]]
        known = select(PayerAccount.account).where(PayerAccount.account_index == account)
        assert connection.scalar(known) == account
        bodies = select(IdempotencyKey.body).order_by(IdempotencyKey.id)
        assert connection.scalars(bodies).all() == [account, None]
    _migrate(url, lambda: downgrade(revision="0031"))
    with _connected(url) as connection:
        for question in (
            "SELECT payer_account FROM bank_lines",
            "SELECT account FROM payer_accounts",
            "SELECT body FROM idempotency_keys WHERE id = 1",
        ):
            assert connection.scalar(text(question)) == account


def test_downgrading_leaves_nothing(two_databases: tuple[str, str]) -> None:
    _upgrade(two_databases[0])
    _migrate(two_databases[0], lambda: downgrade(revision="base"))
    with _connected(two_databases[0]) as connection:
        left = {key for key in _schema(connection) if "alembic_version" not in key[1]}
    assert left == set()


ROWS = """
INSERT INTO communities (id, public_id, kind, name, reference, currency, path, version, created_at)
  VALUES (1, 'com_1', 'region', 'x', 'x', 'CNY', '/1/', 1, '2026-01-01 00:00:00');
INSERT INTO books (id, community_id, records, head_hash) VALUES (1, 1, 1, 'h1');
INSERT INTO accounts (id, book_id, kind, currency, balance_minor)
  VALUES (1, 1, 'lending_cash', 'CNY', 5), (2, 1, 'lender_funds', 'CNY', -5);
INSERT INTO journal_entries (id, book_id, seq, kind, currency, business_on, value_on, recorded_at,
                             reference, prev_hash, hash)
  VALUES (1, 1, 1, 'capital.received', 'CNY', '2026-01-01', '2026-01-01', '2026-01-01 00:00:00',
          'x', 'h0', 'h1');
INSERT INTO postings (id, entry_id, account_id, amount_minor) VALUES (1, 1, 1, 5), (2, 1, 2, -5)
"""


ACCOUNTS = """
INSERT INTO members (id, public_id, kind, name, version, created_at)
  VALUES (1, 'mem_1', 'person', '李伟', 1, :then);
INSERT INTO bank_lines (id, public_id, community_id, reference, booked_on, amount_minor, currency,
                        payer_name, payer_account, text, statement_hash, status, match,
                        suspense_entry_id, settled_note, recorded_at, version)
  VALUES (1, 'bkl_1', 1, 'r', '2026-01-01', 5, 'CNY', '', '6217009876543210', '', 'x', 'suspense',
          :match, 1, '', :then, 1);
INSERT INTO payer_accounts (id, community_id, account, member_id, bank_line_id, noted_at)
  VALUES (1, 1, '6217009876543210', 1, 1, :then);
INSERT INTO idempotency_keys (id, member_id, key, route, body_hash, status, body, created_at)
  VALUES (1, 1, 'one', 'x', 'x', 201, '6217009876543210', :then),
         (2, 1, 'two', 'x', 'x', 0, '', :then)
"""


def test_books_with_rows_migrate_and_lose_none(two_databases: tuple[str, str]) -> None:
    url = two_databases[0]
    _migrate(url, lambda: upgrade(revision="0002"))
    with _connected(url) as connection:
        for statement in ROWS.split(";"):
            connection.execute(text(statement))
        before = _rows(connection)
    for step in (upgrade, lambda: downgrade(revision="0002"), upgrade):
        _migrate(url, step)
        with _connected(url) as connection:
            assert _rows(connection) == before
            if connection.dialect.name == "sqlite":
                assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def _rows(connection: Connection) -> list[object]:
    return [
        *connection.execute(text("SELECT id, kind, balance_minor FROM accounts ORDER BY id")),
        *connection.execute(text("SELECT id, hash, value_on FROM journal_entries ORDER BY id")),
        *connection.execute(text("SELECT id, account_id, amount_minor FROM postings ORDER BY id")),
    ]


def _upgrade(url: str) -> None:
    _migrate(url, upgrade)


def _rules(url: str) -> dict[str, Any]:
    with _connected(url) as connection:
        stored = connection.execute(text("SELECT rules FROM charters")).scalar_one()
    rules: dict[str, Any] = json.loads(stored) if isinstance(stored, str) else stored
    return rules


def _migrate(url: str, step: Callable[[], None]) -> None:
    app = create_app(Settings.from_environ({"DATABASE_URL": url, "LOG_LEVEL": "ERROR"} | ENVIRON))
    with app.app_context():
        try:
            step()
        finally:
            db.engine.dispose()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _schema(connection: Connection) -> dict[tuple[str, str], str]:
    if connection.dialect.name == "postgresql":
        rows = connection.execute(text(POSTGRESQL_SCHEMA))
        return {(kind, name): " ".join(definition.split()) for kind, name, definition in rows}
    found: dict[tuple[str, str], str] = {}
    rows = connection.execute(
        text("SELECT type, tbl_name, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    )
    for kind, table, name, sql in rows:
        if name.startswith("sqlite_"):
            continue
        if kind != "table":
            found[kind, f"{table}.{name}"] = _plain(sql)
            continue
        body = sql[sql.index("(") + 1 : sql.rindex(")")]
        for part in _parts(body):
            label = re.match(r"CONSTRAINT (\w+)", part)
            what = label[1] if label else part.split()[0]
            found["constraint" if label else "column", f"{table}.{what}"] = _plain(part)
    return found


def _parts(body: str) -> list[str]:
    """The comma-separated parts of a table's definition, commas in brackets left alone."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(body):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(body[start:position].strip())
            start = position + 1
    return [*parts, body[start:].strip()]


def _plain(sql: str) -> str:
    return " ".join(sql.replace('"', "").split())
