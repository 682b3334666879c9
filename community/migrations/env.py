"""Runs migrations on the database that the application is configured for.

Column types of our own are written into migrations as the plain types that they are stored as:
a migration must not change when the code does.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from flask import current_app
from sqlalchemy.types import TypeDecorator

from community.database import BigId, MinorUnits, UtcTime
from community.engine import STATEMENT_TIMEOUT, WRITE_LOCK
from community.models import metadata
from community.sealing import BlindIndex, Sealed


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Spell our own types as what they are stored as."""
    if kind == "type":
        if isinstance(item, MinorUnits):
            return "sa.BigInteger()"
        if isinstance(item, UtcTime):
            return "sa.DateTime(timezone=True)"
        if isinstance(item, Sealed | BlindIndex):
            return f"sa.{item.impl_instance!r}"
        if isinstance(item, TypeDecorator):
            raise TypeError(f"say how {item!r} is written into a migration")
        if item is BigId:
            return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
        if isinstance(item, sa.BigInteger) and item._variant_mapping:
            return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    return False


def run() -> None:
    """Migrate inside one transaction; whatever fails leaves the schema as it was."""
    arguments = dict(current_app.extensions["migrate"].configure_args)
    engine = current_app.extensions["migrate"].db.engine
    options = {WRITE_LOCK: True, STATEMENT_TIMEOUT: 0}
    with (
        engine.connect().execution_options(**options) as connection,
        _tables_may_be_made_anew(connection),
    ):
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_item=render_item,
            transaction_per_migration=False,
            **arguments,
        )
        with context.begin_transaction(), warnings.catch_warnings():
            # Batches on SQLite look at neighbouring tables too. Whoever alters a table that has an
            # index over an expression drops and makes it again; a test compares the schemas.
            warnings.filterwarnings("ignore", message="Skipped unsupported reflection of expr")
            context.run_migrations()
            _check_references(connection)


@contextmanager
def _tables_may_be_made_anew(connection: sa.Connection) -> Iterator[None]:
    """On SQLite a batch drops a table that others point at: foreign keys sleep meanwhile.

    They can only be put to sleep outside of a transaction, so the driver is told before one begins.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: sa.Connection) -> None:
    """What slept is made up for before the commit: every reference leads somewhere."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise RuntimeError(f"the migration broke a reference: {tuple(broken)}")


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database; give DATABASE_URL and leave --sql out.")
run()
