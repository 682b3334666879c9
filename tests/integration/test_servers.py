"""The servers that the tests stand on are real, and leave nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.servers import (
    ServerError,
    create_database,
    drop_database,
    fresh_database,
    postgres_server,
    valkey_server,
)

CHECKOUT = Path(__file__).parents[2]


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False))


def test_postgres_is_a_real_one(postgres_url):
    with _connect(postgres_url) as connection:
        assert connection.execute("SELECT version()").fetchone()[0].startswith("PostgreSQL ")


def test_two_connections_work_at_once_and_compete_for_a_row(postgres_database):
    engine = create_engine(postgres_database)
    with engine.begin() as setup:
        setup.execute(text("CREATE TABLE pot (id int PRIMARY KEY, amount_minor bigint)"))
        setup.execute(text("INSERT INTO pot VALUES (1, 100)"))
    with engine.connect() as first, engine.connect() as second:
        first.execute(text("SELECT * FROM pot WHERE id = 1 FOR UPDATE"))
        with pytest.raises(OperationalError, match="could not obtain lock"):
            second.execute(text("SELECT * FROM pot WHERE id = 1 FOR UPDATE NOWAIT"))
        first.execute(text("UPDATE pot SET amount_minor = 40"))
        first.commit()
        second.rollback()
        assert second.scalar(text("SELECT amount_minor FROM pot FOR UPDATE NOWAIT")) == 40
    engine.dispose()


def test_a_database_made_from_a_template_has_its_rows_and_is_apart_from_it(postgres_url):
    template = create_database(postgres_url, "template_of_this_test")
    try:
        with _connect(template) as connection:
            connection.execute("CREATE TABLE word AS SELECT 'trust' AS said")
        with fresh_database(postgres_url, template="template_of_this_test") as copy:
            with _connect(copy) as connection:
                connection.execute("INSERT INTO word VALUES ('more')")
                assert connection.execute("SELECT count(*) FROM word").fetchone() == (2,)
            with _connect(template) as connection:
                assert connection.execute("SELECT said FROM word").fetchall() == [("trust",)]
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            _connect(copy)
    finally:
        drop_database(postgres_url, "template_of_this_test")


def test_redis_keeps_what_it_is_given(redis_url):
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("test_servers:word", "trust", ex=60)
        assert client.get("test_servers:word") == "trust"
        client.delete("test_servers:word")


def test_a_durable_server_syncs_what_it_commits():
    with postgres_server(durable=True) as url, _connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_servers_are_gone_after_the_block_even_when_it_fails():
    addresses = []

    def fail_with_servers_running() -> None:
        with postgres_server(own=True) as database, valkey_server(own=True) as cache:
            addresses.extend([database, cache])
            _connect(database).close()
            _ping(cache)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_servers_running()
    _assert_gone(*addresses)


def test_servers_are_gone_when_their_owner_is_killed():
    script = (
        "from tests.servers import postgres_server, valkey_server\n"
        "with postgres_server(own=True) as database, valkey_server(own=True) as cache:\n"
        "    print(database, cache, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        database, cache = owner.stdout.readline().split()
        _connect(database).close()
        owner.send_signal(signal.SIGKILL)
        # The keepers hold this pipe too: it ends when the last of them has ended.
        assert owner.stdout.read() == ""
    _assert_gone(database, cache)


def test_redis_can_come_back_on_the_port_it_had():
    with valkey_server(own=True) as first:
        port = make_url(first).port
    with valkey_server(port=port) as second:
        assert second == first
        _ping(second)


def test_a_server_that_is_named_is_used(monkeypatch):
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://tester:word@db.example/tests")
    monkeypatch.setenv("TEST_REDIS_URL", "redis://cache.example/3")
    with postgres_server() as database, valkey_server() as cache:
        assert database == "postgresql+psycopg://tester:word@db.example/tests"
        assert cache == "redis://cache.example/3"


def test_a_server_that_does_not_start_says_why():
    with (
        pytest.raises(ServerError, match="no_such_setting"),
        postgres_server(settings={"no_such_setting": "1"}),
    ):
        pass


def _ping(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        assert client.ping()


def _assert_gone(database: str, cache: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="refused"):
        _connect(database)
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(cache, retry=None) as client:
        client.ping()
