"""Which database a test runs on.

What depends most on the kind of database (races, constraints, the ledger, imports, backup) runs on
both. Every other test runs on one of them, by turns: which one is settled by its name, so that it
is always the same, and half of a file's tests are on either. `BOTH=1 make test` runs all of them on
both; so does whoever names files, or chooses by `-k`.
"""

import os
import zlib
from collections.abc import Sequence

import pytest

from tests.databases import KINDS

BOTH = os.environ.get("BOTH", "") not in ("", "0")
# Files whose subject is what a database does.
ON_BOTH = {
    "test_approval_race",
    "test_backup",
    "test_constraints_under_attack",
    "test_credit_races",
    "test_declared_events_at_once",
    "test_demo",
    "test_engine",
    "test_feedback_at_once",
    "test_foundation_idempotency",
    "test_foundation_transactions",
    "test_group_races",
    "test_import",
    "test_ledger",
    "test_ledger_cheats",
    "test_loans_at_once",
    "test_loans_that_meet",
    "test_migrating_seasons",
    "test_once",
    "test_sealing",
}


# Files with tests of half a minute and more.
LONGEST = {"test_day_killed", "test_demo", "test_readme", "test_approval_race", "test_villages"}


def chosen(items: Sequence[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests to run, and those left out as their twin runs on the other database."""
    names = {item.nodeid for item in items}
    run: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (left if _is_left_out(item, names) else run).append(item)
    return run, left


def _is_left_out(item: pytest.Item, names: set[str]) -> bool:
    called = getattr(item, "callspec", None)
    if BOTH or called is None or item.path.stem in ON_BOTH:
        return False
    given = [value for value in called.params.values() if isinstance(value, str)]
    kind = next((value for value in given if value in KINDS), None)
    if kind is None:
        return False
    twins = [item.nodeid.replace(kind, other) for other in KINDS if other != kind]
    if not all(twin in names for twin in twins):
        return False  # it is asked for on this one alone
    neutral = item.nodeid.replace(kind, "")
    return KINDS[zlib.crc32(neutral.encode()) % len(KINDS)] != kind
