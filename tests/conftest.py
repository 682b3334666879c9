"""What every test may ask for. Servers start when the first test asks, once per run."""

from collections.abc import Iterator

import pytest

from tests.servers import fresh_database, postgres_server, valkey_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server, its maintenance database; see `tests.servers`."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real server of the Redis protocol. Shared: use keys of your own."""
    with valkey_server() as url:
        yield url
