"""What a refusal by the database means: try again, a conflict, a bad value, or not now."""

import logging
import re

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)

from community.database import Base
from community.errors import CommunityError, Conflict, Invalid, StaleSnapshot, Unavailable

logger = logging.getLogger(__name__)

# Serialisation failure, deadlock, a lock waited for too long.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
_NOT_NULL = "23502"
_UNIQUE = "23505"
_STATEMENT_TIMEOUT = "57014"

# What a constraint says in a member's words, by its name. A service should refuse first, with
# facts; this is what is said when only the database noticed.
RULES: dict[str, str] = {
    "ck_accounts_never_overdrawn": "An account would be overdrawn.",
    "uq_members_reference_index": "A member with this reference exists already.",
    "uq_households_reference_index": "A household with this reference exists already.",
    "uq_role_grants_live": "The member holds this role already.",
}


def is_contention(error: BaseException) -> bool:
    """Whether running the whole unit of work again may well succeed."""
    if isinstance(error, StaleSnapshot):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if getattr(error.orig, "sqlstate", None) in _CONTENTION:
        return True
    name = getattr(error.orig, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_unique_violation(error: BaseException) -> bool:
    """Whether somebody else entered the same thing first."""
    if not isinstance(error, IntegrityError):
        return False
    return getattr(error.orig, "sqlstate", None) == _UNIQUE or getattr(
        error.orig, "sqlite_errorname", ""
    ) in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def as_refusal(error: BaseException) -> CommunityError | None:
    """The refusal that an error of the database amounts to; None if it is our own mistake."""
    if is_contention(error):
        return busy()
    if isinstance(error, IntegrityError):
        return _broken_rule(error)
    if isinstance(error, DataError):
        return Invalid("A value is outside of what can be stored.")
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return Invalid("A number is outside of what can be stored.")
    if isinstance(error, OperationalError | InterfaceError | TimeoutError):
        if getattr(getattr(error, "orig", None), "sqlite_errorname", "") == "SQLITE_ERROR":
            return None  # a statement that is wrong, such as a missing table
        logger.error("the database does not serve", exc_info=error)
        return busy("The database does not answer now.")
    if isinstance(error, DBAPIError) and (
        getattr(error.orig, "sqlstate", None) == _STATEMENT_TIMEOUT
    ):
        return busy("The database needed too long.")
    return None


def busy(detail: str = "Too much is going on at once; nothing was done.") -> Unavailable:
    """A refusal that asks to come back in a moment."""
    return Unavailable(detail, retry_after_seconds=2)


def _broken_rule(error: IntegrityError) -> CommunityError | None:
    state = getattr(error.orig, "sqlstate", None)
    if state == _NOT_NULL or "NOT NULL" in str(error.orig):
        return None
    name = constraint_name(error)
    logger.warning("only the database noticed: %s", name or type(error.orig).__name__)
    members = {"constraint": name} if name else {}
    return Conflict(RULES.get(name, "A rule of the books does not allow this."), **members)


def constraint_name(error: SQLAlchemyError) -> str:
    """The name of the constraint that was broken, '' if it cannot be told."""
    original = getattr(error, "orig", None)
    diagnosis = getattr(original, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name or "")
    text = str(original)
    checked = re.search(r"CHECK constraint failed: (\w+)", text)
    if checked:
        return checked.group(1)
    indexed = re.search(r"UNIQUE constraint failed: index '(\w+)'", text)
    if indexed:
        return indexed.group(1)
    # SQLite names the columns: look up which constraint is on them.
    unique = re.search(r"UNIQUE constraint failed: ([\w., ]+)", text)
    if unique:
        columns = [part.strip().partition(".") for part in unique.group(1).split(",")]
        table = Base.metadata.tables.get(columns[0][0])
        if table is not None:
            return _unique_name(table, {column for _, _, column in columns})
    return ""


def _unique_name(table: Table, columns: set[str]) -> str:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and set(constraint.columns.keys()) == columns:
            return str(constraint.name or "")
    for index in table.indexes:
        if index.unique and set(index.columns.keys()) == columns:
            return str(index.name or "")
    return ""
