"""The application on real databases, a fresh one for each test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import FEATURES, create_app
from app.extensions import db
from config.settings import Settings
from tests.api.people import Person, register
from tests.databases import KINDS, database_like, template_database

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session", params=KINDS)
def template_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with all tables and no rows, of either kind; see `tests.databases`."""
    with template_database(request, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture
def settings(template_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a database of this test's own."""
    with database_like(template_url, tmp_path) as url:
        yield Settings(
            database_url=url,
            database_pool_size=10,
            database_durable=False,
            database_lock_timeout_ms=5_000,
            secret_key="of no use outside of this test suite",
            rate_limits=False,
            log_level="WARNING",
            var_dir=tmp_path,
        )


@pytest.fixture
def features() -> list[str]:
    """The features that the application has: all, unless a module of tests says otherwise."""
    return FEATURES


@pytest.fixture
def make_app(settings: Settings, features: list[str]) -> Iterator[MakeApp]:
    """Make applications with other settings: `make_app(rate_limits=True)`."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        app = create_app(replace(settings, **changes), features=features)
        app.testing = True
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["cache"].close()
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The application on SQLite and on PostgreSQL, with empty tables."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody without a token."""
    return app.test_client()


@pytest.fixture
def person(app: Flask) -> Callable[..., Person]:
    """Enter people: `person("Li Wei", roles=[(Role.OPERATOR, None)])`; see `tests.api.people`."""

    def enter(name: str = "Wang Fang", **facts: Any) -> Person:
        return register(app, name, **facts)

    return enter


@pytest.fixture
def member(app: Flask) -> Person:
    """A plain member with a token."""
    return register(app)
