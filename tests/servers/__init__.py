"""Real servers for tests: a PostgreSQL and a Redis of our own, gone when the block ends."""

from tests.servers.postgres import (
    create_database,
    drop_database,
    fresh_database,
    postgres_programs,
    postgres_server,
)
from tests.servers.process import ServerError
from tests.servers.valkey import valkey_server

__all__ = [
    "ServerError",
    "create_database",
    "drop_database",
    "fresh_database",
    "postgres_programs",
    "postgres_server",
    "valkey_server",
]
