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
from tests.api.world import World, make_world
from tests.databases import KINDS, database_like, make_empty, template_database
from tests.keys import KEYS

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
        yield _settings(url, tmp_path)


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
def app(
    request: pytest.FixtureRequest, features: list[str], template_url: str, tmp_path: Path
) -> Iterator[Flask]:
    """The application on SQLite and on PostgreSQL, with empty tables.

    Making one takes longer than most tests: the whole one is made once for each kind of database,
    and lent out with its tables emptied and its clock running. Tests of the foundation, which
    change theirs, get one of their own.
    """
    if features != FEATURES:
        yield request.getfixturevalue("make_app")()
        return
    lasting: Flask = request.getfixturevalue("lasting_app")
    lasting.extensions["clock"].fixed = None
    url = lasting.extensions["settings"].database_url
    yield lasting
    with lasting.app_context():
        db.session.remove()
        db.engine.dispose()
    make_empty(url, template_url)


@pytest.fixture(scope="session")
def lasting_app(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The whole application, on one database for as long as tests want it."""
    folder = tmp_path_factory.mktemp("lasting")
    with database_like(template_url, folder) as url:
        app = create_app(_settings(url, folder))
        app.testing = True
        yield app
        app.extensions["cache"].close()
        with app.app_context():
            db.engine.dispose()


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


@pytest.fixture(scope="session")
def world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A community with something of everything, of either kind, for tests that change nothing."""
    with make_world(template_url, tmp_path_factory.mktemp("world")) as made:
        yield made


def _settings(url: str, folder: Path) -> Settings:
    return Settings(
        database_url=url,
        database_pool_size=10,
        database_durable=False,
        database_lock_timeout_ms=5_000,
        secret_key="of no use outside of this test suite",
        rate_limits=False,
        password_memory_kib=8,
        password_passes=1,
        log_level="WARNING",
        var_dir=folder,
        **KEYS,
    )
