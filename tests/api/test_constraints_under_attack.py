"""Every constraint of the database, attacked by raw SQL from two sessions at once.

The lists are read off the database: a new constraint is attacked, or it fails here until somebody
says how it can be. Afterwards no row of the world has changed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import pytest
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table, UniqueConstraint, text

from community.engine import make_engine
from community.models import metadata
from tests import attacks
from tests.api.world import World
from tests.attacks import NOWHERE, Arena, Refusal, Row, copy, fresh_uniques, nothing_in, update

TABLES = sorted(metadata.tables)
Attack = Callable[[dict[str, str]], list[str]]


def one_more(name: str, **changes: str) -> str:
    """Number 777 of a table, like the first that is there."""
    table = metadata.tables[name]
    key = f"id = (SELECT min(id) FROM {name})"
    return copy(table, key, {"id": "777", "public_id": "'x'"} | changes)


# Rows for tables of which the world has none.
MADE = (
    "INSERT INTO day_runs (id, community_id, day_on, state, lease_owner, lease_until, started_at)"
    " SELECT 7, min(id), '2026-01-01', 'working', 'us', '2026-01-02 00:00:00',"
    " '2026-01-01 00:00:00' FROM communities",
    "INSERT INTO day_steps (run_id, name, is_done, after_id, counts)"
    " VALUES (7, 'x', TRUE, 0, '{}')",
    "INSERT INTO expulsion_consents (id, expulsion_id, member_id, takes_over_minor, given_at)"
    " SELECT 7, id, (SELECT min(id) FROM members), 0, '2026-01-01 00:00:00' FROM group_expulsions",
    "INSERT INTO accrual_lines (entry_id, loan_id, amount_minor)"
    " SELECT (SELECT min(id) FROM journal_entries), min(id), 1 FROM loans",
    "INSERT INTO payer_accounts"
    " (id, public_id, community_id, account, account_index, member_id, bank_line_id, noted_at)"
    " SELECT 7, 'x', community_id, 'enc1:x:x', 'x', (SELECT min(id) FROM members), id,"
    " '2026-01-01 00:00:00' FROM bank_lines WHERE id = (SELECT min(id) FROM bank_lines)",
    "INSERT INTO declared_event_loans (id, event_id, loan_id, status, reason, fingerprint,"
    " change_id, before, after, before_minor, after_minor, deferral_days) SELECT 7,"
    " (SELECT min(id) FROM declared_events), min(id), 'applied', '', 'x',"
    " (SELECT min(id) FROM loan_changes), '[]', '[]', 0, 0, 0 FROM loans",
    "INSERT INTO declared_event_loans (id, event_id, loan_id, status, reason, fingerprint,"
    " before, after, before_minor, after_minor, deferral_days) SELECT 8,"
    " (SELECT min(id) FROM declared_events), min(id) + 1, 'planned', '', 'x',"
    " '[]', '[]', 0, 0, 0 FROM loans",
    "INSERT INTO network_builds (community_id) SELECT min(id) FROM communities",
    "INSERT INTO line_reserve_moves"
    " (id, line_id, kind, member_id, amount_minor, moved_on, entry_id, actor_id, recorded_at)"
    " SELECT 7, min(id), 'paid_in', (SELECT min(id) FROM members), 1, '2026-01-01',"
    " (SELECT min(id) FROM journal_entries), (SELECT min(id) FROM members),"
    " '2026-01-01 00:00:00' FROM credit_lines",
    "INSERT INTO line_reserve_moves"
    " (id, line_id, kind, loan_id, amount_minor, moved_on, entry_id, recorded_at)"
    " SELECT 8, min(id), 'used', (SELECT min(id) FROM loans), 1, '2026-01-01',"
    " (SELECT min(id) FROM journal_entries), '2026-01-01 00:00:00' FROM credit_lines",
    "INSERT INTO record_imports (id, community_id, member_id, issuer, record, kid, digest, payload,"
    " issued_on, revocations_on, assessed_there_minor, share_bps, amount_minor, assessment_id,"
    " charter_id, taken_on, actor_id, created_at)"
    " SELECT 7, community_id, member_id, 'x', 'x', 'x', 'x', '{}', '2026-01-01', '2026-01-01', 2,"
    " 5000, 1, id, (SELECT min(id) FROM charters), '2026-01-01', (SELECT min(id) FROM members),"
    " '2026-01-01 00:00:00' FROM assessments WHERE id = (SELECT min(id) FROM assessments)",
    "INSERT INTO record_revocations (id, record_id, revoked_on, reason, actor_id, created_at)"
    " SELECT 7, min(id), '2026-01-01', 'x', (SELECT min(id) FROM members), '2026-01-01 00:00:00'"
    " FROM credit_records",
    "INSERT INTO risk_event_people (event_id, member_id)"
    " SELECT min(id), (SELECT min(id) FROM members) FROM risk_events",
    "INSERT INTO risk_stress_calls (test_id, number, loan_id, guarantor_id, for_guarantor_id,"
    " ground, amount_minor, paid_minor) SELECT min(id), 1, (SELECT min(id) FROM loans),"
    " (SELECT min(id) FROM members), (SELECT max(id) FROM members), 'direct', 2, 1"
    " FROM risk_stress_tests",
    "INSERT INTO risk_stress_draws"
    " (test_id, number, failed, calls, ruined, pool_minor, reserve_minor, members_minor)"
    " SELECT min(id), 1, 0, 0, 0, 0, 0, 0 FROM risk_stress_tests",
    "INSERT INTO risk_stress_members (test_id, member_id, failed_draws, called_draws, ruined_draws,"
    " paid_sum_minor, paid_worst_minor)"
    " SELECT min(id), (SELECT min(id) FROM members), 0, 0, 0, 2, 1 FROM risk_stress_tests",
    "INSERT INTO use_evidence (id, use_id, number, kind, amount_minor, reference, visit_id,"
    " verified_on, verified_by_id, recorded_at) SELECT 7, min(id), 1, 'visit', 1, 'x',"
    " (SELECT min(id) FROM visits), '2026-01-01', (SELECT min(id) FROM members),"
    " '2026-01-01 00:00:00' FROM loan_uses",
    "INSERT INTO payee_payments (id, public_id, disbursement_id, number, use_id,"
    " payee_name, amount_minor, entry_id, paid_on, recorded_at)"
    " SELECT 7, 'x', d.id, 1, u.id, 'x', 1, (SELECT min(id) FROM journal_entries),"
    " '2026-01-01', '2026-01-01 00:00:00' FROM loan_uses u"
    " JOIN disbursements d ON d.loan_id = u.loan_id ORDER BY u.id LIMIT 1",
    "INSERT INTO credentials"
    " (id, member_id, login_name, login_name_index, password_hash, created_at, changed_at)"
    " SELECT 7, min(id), 'enc1:x:x', 'x', '$argon2id$x', '2026-01-01 00:00:00',"
    " '2026-01-01 00:00:00' FROM members",
    "INSERT INTO access_notes (id, member_id, reader_id, role, action, hour_at)"
    " SELECT 999999980, min(id), max(id), 'officer', 'x', '2026-01-01 00:00:00' FROM members",
    "INSERT INTO erasure_requests (id, member_id, state, asked_at, due_on, reason)"
    " SELECT 7, min(id), 'open', '2026-01-01 00:00:00', '2026-01-31', '' FROM members",
    "INSERT INTO erasure_requests"
    " (id, member_id, state, asked_at, due_on, settled_at, settled_by_id, reason)"
    " SELECT 8, min(id), 'refused', '2026-01-01 00:00:00', '2026-01-31',"
    " '2026-01-02 00:00:00', max(id), 'x' FROM members",
    "INSERT INTO retention_runs (id, run_on, rules, counts, kinds_done, started_at, finished_at)"
    " VALUES (7, '2026-01-01', '{}', '{}', '[]', '2026-01-01 00:00:00', '2026-01-02 00:00:00')",
    "INSERT INTO purpose_consents (id, member_id, purpose, text_version, given_at)"
    " SELECT 7, min(id), 'x', 'x', '2026-01-01 00:00:00' FROM members",
    "INSERT INTO enrolment_codes (id, member_id, digest, issued_by_id, created_at, expires_at)"
    " SELECT 7, min(id), 'x', min(id), '2026-01-01 00:00:00', '2026-01-02 00:00:00' FROM members",
    "INSERT INTO page_sessions"
    " (id, member_id, token_id, digest, created_at, last_seen_at, expires_at)"
    " SELECT 7, member_id, id, 'x', '2026-01-01 00:00:00', '2026-01-01 00:00:00',"
    " '2026-01-02 00:00:00' FROM api_tokens WHERE id = (SELECT min(id) FROM api_tokens)",
    "INSERT INTO voucher_bounds (check_id, promised_minor, base_minor, bound_bps, lower_ppm,"
    " allowed_minor, good_cases_micro, bad_cases_micro)"
    " SELECT id, 1, 1, 1, 1, 1, 1, 1 FROM promise_checks ORDER BY id LIMIT 2",
    # Others beside what there is: rows that need not be right to be pointed to, nor complete.
    one_more("households", reference_index="'x'"),
    one_more("campaign_reviewers", member_id="(SELECT min(id) FROM members)"),
    "INSERT INTO campaign_assignments (id, public_id, campaign_id, round, reviewer_id,"
    " reviewer_household_id, household_id, is_closed) SELECT 777, 'x', r.campaign_id, 1,"
    " r.member_id, r.household_id, h.household_id, FALSE FROM campaign_reviewers r"
    " JOIN campaign_households h ON h.campaign_id = r.campaign_id"
    " AND h.household_id <> r.household_id WHERE r.id = 777 ORDER BY h.id LIMIT 1",
    one_more("credit_records"),
    one_more("record_keys", kid="'x'", until_on="'2999-01-01'"),
    one_more("visit_rounds", number="777"),
    one_more("risk_events", finding="'x'"),
    one_more("risk_circle_names", number="777"),
    one_more("feedback_items", fingerprint="'x'"),
    one_more(
        "claims", ground="'co_guarantor'", rank="1", debtor_id="(SELECT max(id) FROM members)"
    ),
    one_more("campaign_objections", status="'rejected'", answer="'x'", answered_on="'2026-01-01'"),
    # And what its rows leave out.
    "UPDATE meetings SET collection_id = (SELECT min(id) FROM collections)"
    " WHERE id = (SELECT max(id) FROM meetings)",
    "UPDATE members SET reference = 'enc1:x:x', reference_index = 'x'"
    " WHERE id = (SELECT max(id) FROM members)",
    "UPDATE groups SET product_id = (SELECT min(id) FROM products), product_name = 'x'"
    " WHERE id = (SELECT min(id) FROM groups)",
    "UPDATE bank_lines SET status = 'saved', settled_at = '2026-01-01 00:00:00',"
    " movement_id = (SELECT min(id) FROM savings_movements),"
    " release_entry_id = (SELECT min(id) FROM journal_entries)"
    " WHERE id = (SELECT min(id) FROM bank_lines WHERE status = 'suspense')",
    "UPDATE collection_lines SET repayment_id = (SELECT min(id) FROM repayments)"
    " WHERE collection_id = (SELECT min(id) FROM collections WHERE status = 'draft')",
    "INSERT INTO collection_lines"
    " (id, collection_id, number, kind, member_id, amount_minor, absent, note, movement_id)"
    " SELECT 7, min(id), 9, 'deposit', min(entered_by_id), 0, FALSE, '',"
    " (SELECT min(id) FROM savings_movements) FROM collections WHERE status = 'draft'",
)
MADE_IN = sorted({str(re.search(r"(?:INTO|UPDATE) (\w+)", made)[1]) for made in MADE})  # type: ignore[index]

# What a record needs before it can be written behind the head of its book.
NEXT = {
    "seq": "(SELECT records + 1 FROM books WHERE books.id = book_id)",
    "prev_hash": "(SELECT head_hash FROM books WHERE books.id = book_id)",
    "hash": "'f'",
}
ENTRY = (
    "INSERT INTO journal_entries (id, book_id, seq, kind, currency, business_on, value_on,"
    " recorded_at, reference, prev_hash, hash) SELECT 999999990, id, records + 1, 'forged', 'CNY',"
    " '2026-05-04', '2026-05-04', '2026-05-04 08:30:00', 'x', head_hash, 'f' FROM books"
    " WHERE id = (SELECT book_id FROM journal_entries WHERE id ="
    " (SELECT min(entry_id) FROM postings))"
)
# Where nothing may be changed, a row is added; what that needs besides.
ADDED: dict[str, dict[str, str]] = {
    "journal_entries": NEXT | {"reverses_id": "NULL"},
    "events": NEXT,
    "postings": {"entry_id": "999999990"},
}
# What no change of a row that is there brings about.
BY_HAND: dict[str, list[str]] = {
    "ck_books_records_count_up": [
        "INSERT INTO communities (id, public_id, kind, name, reference, currency, path,"
        " created_at, version) SELECT 999999991, 'x', kind, name, 'x', currency, path, created_at,"
        " version FROM communities LIMIT 1",
        "INSERT INTO books (id, community_id, records, head_hash)"
        " VALUES (999999992, 999999991, -1, 'x')",
    ],
    "ck_collections_posted_is_money": [
        copy(
            metadata.tables["collections"],
            "status = 'draft'",
            {
                "id": "999999991",
                "public_id": "'x'",
                "client_id": "'x'",
                "total_minor": "0",
                "repaid_minor": "0",
                "deposited_minor": "0",
            },
        ),
        "UPDATE collections SET status = 'posted', posted_at = '2026-01-01 00:00:00'"
        " WHERE id = 999999991",
    ],
}
# Where the tables of the trust network note what was written.
NOTED = [metadata.tables["trust_changes"]]
# What a guard refuses before the constraint itself is asked, and in which words.
GUARDED_BEFORE = {
    "fk_journal_entries_book_id": "a record follows the head",
    "fk_events_book_id": "a record follows the head",
    "uq_journal_entries_book_id_seq": "a record follows the head",
    "uq_journal_entries_reverses_id": "a record follows the head",
    "uq_events_book_id_seq": "a record follows the head",
}
# SQLite's triggers on INSERT ask for keys themselves, as INSERT OR REPLACE would not.
SQLITE_SAYS = (
    "UNIQUE constraint failed",
    "the past is not changed",
    "a record follows the head",
    "a leg belongs to an entry",
    "books and accounts keep their places",
    "a hold ends once",
)
# What a reference needs beside it for the row to be right otherwise.
BESIDE: dict[str, dict[str, str]] = {
    "fk_holds_entry_id": {
        "state": "'posted'",
        "posted_minor": "amount_minor",
        "ended_on": "placed_on",
    },
    "fk_attendances_proxy_id": {"kind": "'proxy'"},
    "fk_guarantee_payments_line_id": {"payer_id": "NULL"},
    "fk_motions_loan_id": {"subject": "'loan'"},
    "fk_warning_trainings_model_id": {"status": "'done'"},
}
# What nothing breaks that does not break others first, and which. So that it is seen to hold of
# itself, the second session, which owns the tables, takes those others away.
IMPLIED = {
    # Either half of it names the statuses that there are.
    "ck_claim_settlements_settlement_status": ["ck_claim_settlements_counts_when_confirmed"],
    # Of one household a member reviews; the wider key is there for assignments to refer to.
    "uq_campaign_reviewers_campaign_id_member_id_household_id": [
        "uq_campaign_reviewers_campaign_id_member_id"
    ],
    # Reviewers and households are of campaigns that are there.
    "fk_campaign_assignments_campaign_id": [
        "fk_campaign_assignments_reviewer",
        "fk_campaign_assignments_household",
    ],
}


@pytest.fixture(scope="module")
def arena(world: World) -> Iterator[Arena]:
    url = world.app.extensions["settings"].database_url
    engine = make_engine(url, durable=False, lock_timeout_ms=10_000)
    arena = Arena(engine)
    try:
        with arena.kept(*(metadata.tables[name] for name in MADE_IN)):
            with arena.past_the_guards() as connection:
                for statement in MADE:
                    connection.execute(text(statement))
            world.changed()
            yield arena
    finally:
        arena.close()
        engine.dispose()
        world.changed()


@pytest.mark.parametrize("name", TABLES)
def test_a_check_holds_in_both_sessions(world: World, arena: Arena, name: str) -> None:
    table = metadata.tables[name]
    with arena.kept(*NOTED):
        unbroken = [
            str(check.name)
            for check in attacks.checks_of(table, arena.engine)
            if not check_is_attacked(arena, table, check)
        ]
    assert unbroken == []
    assert world.changed() == []


def check_is_attacked(arena: Arena, table: Table, check: CheckConstraint) -> bool:
    """Whether an attack was found; that it is refused, by this very check, is asserted."""
    name = str(check.name)
    by_hand = BY_HAND.get(name)
    if by_hand is not None:
        assert_refused(arena.duel([], by_hand), name)
        return True
    names = attacks.columns_in(table, attacks.condition_of(check, arena.engine))
    before = without_what_implies(arena, table, name)
    # What else refused something, and what that was, is learned by the way.
    ways: list[tuple[Row, Attack, dict[str, dict[str, str]]]] = [
        (row, attack, {}) for row in arena.rows(table) for attack in attacks_on(arena, table, row)
    ]
    for effort in (changes_of_one, changes_of_several, changes_with_others):
        for row, attack, others in ways:
            tried = effort(arena, table, names, others)
            found = changes_that_break(arena, name, tried, others, before, attack)
            if found is None and not arena.is_postgresql and effort is changes_of_several:
                # It asks the checks in the order in which they stand, and stops at the first.
                found = next(iter(others.values()), None)
            if found is not None:
                ours = nothing_in(table, arena.key_of(table, row))
                first = [ours] if arena.refused(ours) is None else []
                told = arena.duel(first, [*before, *attack(found)])
                if arena.is_postgresql:
                    assert_refused(told, name)
                return told is not None
    return False


def attacks_on(arena: Arena, table: Table, row: Row, fresh: Iterable[str] = ()) -> Iterator[Attack]:
    """Ways to give a row, or another one like it, some values; new ones to the columns `fresh`."""
    key = arena.key_of(table, row)
    if arena.refused(nothing_in(table, key)) is None:
        yield lambda changes: [update(table, key, changes)]
    first = [ENTRY] if table.name == "postings" else []
    added = ADDED.get(table.name, {})

    def another(changes: dict[str, str]) -> list[str]:
        base = fresh_uniques(table, fresh=fresh)
        base = arena.fresh_key(table, {*base, *fresh}) | base | added
        return [*first, copy(table, key, base | changes)]

    yield another


def changes_of_one(
    arena: Arena, table: Table, names: Sequence[str], others: Iterable[str]
) -> Iterator[dict[str, str]]:
    """Values for one of the columns of a check."""
    return attacks.assignments(table, names, (1,))


def changes_of_several(
    arena: Arena, table: Table, names: Sequence[str], others: Iterable[str]
) -> Iterator[dict[str, str]]:
    """Values for two of its columns, then for three."""
    return islice(attacks.assignments(table, names, (2, 3)), 400)


def changes_with_others(
    arena: Arena, table: Table, names: Sequence[str], others: Iterable[str]
) -> Iterator[dict[str, str]]:
    """Values for its columns, with those of the checks that refused them before."""
    beside = [
        column
        for other in attacks.checks_of(table, arena.engine)
        if other.name in others
        for column in attacks.columns_in(table, attacks.condition_of(other, arena.engine))
    ]
    helpers = [column for column in dict.fromkeys(beside) if column not in names][:6]
    if not helpers:
        return iter(())
    return islice(attacks.assignments(table, names, (2, 3), helpers), 2_500)


def changes_that_break(
    arena: Arena,
    name: str,
    tried: Iterable[dict[str, str]],
    others: dict[str, dict[str, str]],
    before: Sequence[str],
    attack: Attack,
) -> dict[str, str] | None:
    """The first of the changes that this very check refuses."""
    for changes in tried:
        refusal = arena.refused(*before, *attack(changes))
        if refusal is not None and refusal.name == name:
            return changes
        if refusal is not None:
            others.setdefault(refusal.name, changes)
    return None


def without_what_implies(arena: Arena, table: Table, name: str) -> list[str]:
    """What takes away the constraint that stands before this one; SQLite has no words for it."""
    if name not in IMPLIED or not arena.is_postgresql:
        return []
    return [f"ALTER TABLE {table.name} DROP CONSTRAINT {other}" for other in IMPLIED[name]]


def assert_refused(told: Refusal | None, name: str) -> None:
    assert told is not None, f"{name} did not hold"
    assert told.name == name, told


@pytest.mark.parametrize("name", TABLES)
def test_a_reference_leads_to_a_row_in_both_sessions(world: World, arena: Arena, name: str) -> None:
    """Nothing points to a row that is not there, nor to one that the other session takes away."""
    table = metadata.tables[name]
    unbroken = []
    for reference in attacks.references_of(table):
        with arena.kept(table, reference.referred_table, *NOTED):
            told = reference_is_attacked(arena, table, reference)
        if not told:
            unbroken.append(reference.name)
    assert unbroken == []
    assert world.changed() == []


def reference_is_attacked(arena: Arena, table: Table, reference: ForeignKeyConstraint) -> bool:
    name, target = str(reference.name), reference.referred_table
    columns = {item.parent.name: item.column.name for item in reference.elements}
    last = next(reversed(columns))
    beside = BESIDE.get(name, {})
    before = without_what_implies(arena, table, name)
    for row in arena.rows(table, first=[last]):
        for attack in attacks_on(arena, table, row, columns):
            clone = arena.cloned(target)
            ours, wrong = [], {last: str(NOWHERE)}
            if clone is not None:
                # It is there when we look, and the other session takes it away.
                ours = [f"DELETE FROM {target.name} WHERE {arena.key_of(target, clone)}"]
                wrong = {here: repr(clone[there]) for here, there in columns.items()}
            told = arena.duel(ours, [*before, *attack(beside | wrong)])
            assert told is not None, f"{name} did not hold"
            if told.name == name or "FOREIGN KEY" in told.said:
                return True
            if guarded(arena, name, told) and "UNIQUE" not in told.said:
                return True
    return False


@pytest.mark.parametrize("name", TABLES)
def test_a_key_is_there_once_in_both_sessions(world: World, arena: Arena, name: str) -> None:
    """Two sessions write the same key at the same time, a key that was free: one of them has it."""
    table = metadata.tables[name]
    unbroken = []
    for unique in attacks.uniques_of(table):
        with arena.kept(table, *NOTED):
            if not key_is_attacked(arena, table, unique):
                unbroken.append(str(unique.name))
    assert unbroken == []
    assert world.changed() == []


def key_is_attacked(arena: Arena, table: Table, unique: UniqueConstraint | Index) -> bool:
    name, columns = str(unique.name), attacks.columns_of(table, unique)
    before = without_what_implies(arena, table, name)
    for row in arena.rows(table, attacks.predicate_of(unique, arena.engine), columns):
        given = arena.plain(row)
        ours: list[str] = []
        if arena.is_postgresql and arena.may_be_written_anew(table, row):
            # As if it had never been there: both may think it free.
            ours = [arena.insert(table, row)]
        for turn in range(2 ** len(attacks.uniques_of(table))):
            theirs = attacks.other_row(arena, table, row, unique, turn)
            if ours:
                arena.take_away(table, row)
            told = arena.duel(ours, [*before, theirs], given)
            if told is not None and (told.name == name or guarded(arena, name, told)):
                return True
            if told is None and name == "uq_books_community" and not arena.is_postgresql:
                # Whoever opens a second book finds the first: nothing is refused, nothing written.
                return True
    return False


def guarded(arena: Arena, name: str, told: Refusal) -> bool:
    """Whether a guard, or another key, refused it before the constraint itself was asked."""
    if not arena.is_postgresql and any(words in told.said for words in SQLITE_SAYS):
        return True
    return name in GUARDED_BEFORE and GUARDED_BEFORE[name] in told.said


# Triggers that note what was written, and refuse nothing.
NOTING = re.compile(r"(standings|vouches)_noted_(insert|update|delete)")
BOOK_ONE = "SELECT book_id FROM journal_entries WHERE id = (SELECT min(entry_id) FROM postings)"
EVENT = (
    "INSERT INTO events (id, book_id, seq, kind, subject, recorded_at, facts, prev_hash, hash)"
    " SELECT {id}, id, records + {after}, 'forged', 'x', '2026-05-04 08:30:00', '{{}}', head_hash,"
    f" 'f' FROM books WHERE id = ({BOOK_ONE})"
)
MOVE_HEAD = f"UPDATE books SET records = records + 1, head_hash = 'f' WHERE id = ({BOOK_ONE})"
LEG = (
    "INSERT INTO postings (entry_id, account_id, amount_minor)"
    " SELECT 999999990, min(account_id), {amount} FROM postings"
    f" WHERE entry_id IN (SELECT id FROM journal_entries WHERE book_id = ({BOOK_ONE})"
    " AND currency = 'CNY')"
)
DRAFT = "(SELECT min(id) FROM collections WHERE status = 'draft')"
ONE_MORE_LINE = (
    "INSERT INTO collection_lines"
    " (id, collection_id, number, kind, member_id, amount_minor, absent, note)"
    f" SELECT 999999990, id, 99, 'deposit', entered_by_id, 77, FALSE, ''"
    f" FROM collections WHERE id = {DRAFT}"
)
POST_SHEET = (
    "UPDATE collections SET status = 'posted', posted_at = '2026-05-04 08:30:00'"
    f" WHERE id = {DRAFT}"
)


# Either fits into its use, of which 30.00 are stated; both together do not.
ONE_MORE_PAYEE = (
    "INSERT INTO payee_payments (id, public_id, disbursement_id, number, use_id,"
    " payee_name, amount_minor, entry_id, paid_on, recorded_at)"
    " SELECT {id}, 'y{id}', disbursement_id, {id}, use_id, 'x', 2000, entry_id, paid_on,"
    " recorded_at FROM payee_payments WHERE id = 7"
)
OF_THE_BOOKS = {
    *("accounts", "books", "events", "holds", "journal_entries", "postings"),
    *("collections", "collection_lines"),
}


def trigger_attacks(table: str, trigger: str) -> list[tuple[list[str], list[str], str]]:
    """What the first session does and keeps, what the second tries, and the refusal."""
    past = "the past is not changed"
    change, take = f"UPDATE {table} SET {{0}} = {{0}}", f"DELETE FROM {table}"
    column = list(metadata.tables[table].columns)[-1].name
    known: dict[str, list[tuple[list[str], list[str], str]]] = {
        "accounts_keep": [
            ([], ["UPDATE accounts SET currency = 'USD'"], "books and accounts keep their places")
        ],
        "books_keep": [
            # Both move the same head on: the second to a record that the first has not written.
            (
                [EVENT.format(id=999999991, after=1), MOVE_HEAD],
                [MOVE_HEAD],
                "the head of a book is the hash",
            ),
            ([], [ENTRY, LEG.format(amount=5), MOVE_HEAD], "does not balance"),
        ],
        "events_next": [([], [EVENT.format(id=999999992, after=0)], "a record follows the head")],
        "events_sealed": [([], [EVENT.format(id=999999992, after=1)], "is sealed by the head")],
        "journal_entries_next": [
            ([], [ENTRY.replace("records + 1", "records + 2")], "a record follows the head")
        ],
        "journal_entries_sealed": [([], [ENTRY], "is sealed by the head")],
        "postings_next": [
            (
                [],
                [LEG.format(amount=5).replace("999999990", "min(entry_id)")],
                "a leg belongs to an entry",
            )
        ],
        "holds_keep": [
            (
                ["UPDATE holds SET state = 'voided', ended_on = placed_on WHERE state = 'pending'"],
                ["UPDATE holds SET amount_minor = amount_minor + 1"],
                "a hold ends once",
            )
        ],
        "collections_keep": [
            (
                [],
                ["DELETE FROM collections WHERE status = 'posted'"],
                "a posted sheet is not changed",
            ),
            ([ONE_MORE_LINE], [POST_SHEET], "the lines of a posted sheet sum to its total"),
        ],
        "collection_lines_keep": [
            (
                [],
                ["UPDATE collection_lines SET amount_minor = amount_minor + 1"],
                "a posted sheet is not changed",
            ),
            ([POST_SHEET], [ONE_MORE_LINE], "a posted sheet is not changed"),
        ],
        "payee_payments_within": [
            (
                [ONE_MORE_PAYEE.format(id=8)],
                [ONE_MORE_PAYEE.format(id=9)],
                "what goes to payees is within the disbursement",
            )
        ],
    }
    if trigger in known:
        return known[trigger]
    if trigger.endswith("_keep_all"):
        return [([], [f"TRUNCATE {table} CASCADE"], past)]
    if trigger.endswith("_keep_update"):
        return [([], [change.format(column)], past)]
    if trigger.endswith("_keep_delete"):
        return [([], [take], past)]
    if trigger.endswith("_keep"):
        return [([], [change.format(column)], past), ([], [take], past)]
    return []


def test_a_guard_holds_in_both_sessions(world: World, arena: Arena) -> None:
    """The triggers that are in the database, each of them; the ledger's are also in
    `test_ledger_cheats`, and SQLite's in the next test.
    """
    if not arena.is_postgresql:
        assert arena.one_writer
        return
    found = arena.watcher.execute(
        text("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal")
    ).all()
    arena.watcher.rollback()
    unbroken, held = [], 0
    touched = [
        metadata.tables[name]
        for name in (
            "books",
            "events",
            "holds",
            "collections",
            "collection_lines",
            "payee_payments",
        )
    ]
    for table, trigger in found:
        if NOTING.fullmatch(trigger):
            continue
        tried = trigger_attacks(table, trigger)
        for ours, theirs, refusal in tried:
            with arena.kept(*touched):
                told = arena.duel(ours, theirs)
            if told is None or refusal not in told.said:
                unbroken.append((trigger, theirs, told))
        if not tried:
            unbroken.append((trigger, [], None))
        held += 1
    assert unbroken == []
    assert held > 25
    assert world.changed() == []


def test_history_is_not_replaced(world: World, arena: Arena) -> None:
    """On SQLite, where REPLACE takes rows away and asks no trigger on DELETE."""
    if arena.is_postgresql:
        return
    found = arena.watcher.execute(
        text("SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'")
    ).all()
    arena.watcher.rollback()
    # Of the books' own tables `test_ledger_cheats` tells; sheets that are not posted may go.
    ends = "_keep_delete"
    kept = {table for table, name in found if name == f"{table}{ends}"} - OF_THE_BOOKS
    unbroken = []
    for name in sorted(kept):
        table = metadata.tables[name]
        row = arena.rows(table)[0]
        last = list(table.columns)[-1].name
        tried = {
            "update": f"UPDATE OR REPLACE {name} SET {last} = {last}",
            "delete": f"DELETE FROM {name}",
            "its number": arena.insert(table, row),
        }
        for unique in attacks.uniques_of(table):
            tried[str(unique.name)] = attacks.other_row(arena, table, row, unique, 0)
        for how, statement in tried.items():
            statement = statement.replace("INSERT INTO", "INSERT OR REPLACE INTO")
            told = arena.refused(statement, given=arena.plain(row))
            if told is None or "the past is not changed" not in told.said:
                unbroken.append((name, how, told))
    assert unbroken == []
    assert len(kept) > 20
    assert world.changed() == []
