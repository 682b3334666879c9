"""The extensions that the application is built on. `create_app` connects them.

The API's document and the rate limiter belong to one application each and so are made there:
`app.extensions["api"]`, `app.extensions["rate_limiter"]`.
"""

import logging
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.cache import cache
from community import models as _models  # noqa: F401  every table has to be known
from community.database import Base
from community.engine import make_engine
from community.sealing import Keyring
from config.settings import ROOT, Settings

logger = logging.getLogger(__name__)

__all__ = ["cache", "db", "migrate"]


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with the platform's own engine."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        settings: Settings = app.extensions["settings"]
        return make_engine(
            options["url"],
            pool_size=settings.database_pool_size,
            durable=settings.database_durable,
            lock_timeout_ms=settings.database_lock_timeout_ms,
            statement_timeout_ms=settings.database_statement_timeout_ms,
            keys=Keyring(settings.personal_data_keys, settings.personal_index_key),
        )

    def _teardown_session(self, exc: BaseException | None) -> None:
        """Give the session's connection back once the answer is made, if it is still there.

        The answer is right by then, whatever became of the database after it; and a session that
        cannot be closed must not be found again by another request.
        """
        try:
            super()._teardown_session(exc)
        except SQLAlchemyError as fault:
            logger.warning("the database was gone after the answer: %s", type(fault).__name__)
            session = self.session()
            self.session.registry.clear()
            session.invalidate()


# Rows stay readable after the commit: an answer is written from them without reading again.
db = Database(metadata=Base.metadata, session_options={"expire_on_commit": False})
migrate = Migrate(
    directory=str(ROOT / "community" / "migrations"),
    compare_type=True,
    # SQLite alters a table by making it anew.
    render_as_batch=True,
)
