"""What every test may ask for. Servers start when the first test asks, once per run."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Workers and the commands that tests start read what one of them compiled: they start in half the
# time. Where the environment says that nothing is kept, all would compile everything anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from tests.by_turns import LONGEST, chosen  # noqa: E402
from tests.servers import fresh_database, postgres_server, valkey_server  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of the whole suite most tests are on one database: see `tests.by_turns`."""
    here = Path(__file__).parent
    if config.option.keyword or here not in [Path(name).resolve() for name in config.args]:
        return
    # What takes longest begins first, so that nobody waits for it at the end.
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    run, left = chosen(items)
    config.hook.pytest_deselected(items=left)
    items[:] = run


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no search for rubbish there, and fewer elsewhere."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


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
