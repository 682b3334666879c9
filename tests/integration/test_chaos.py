"""Eight writers on one town, over HTTP, on real servers that are killed and stopped meanwhile.

So many requests, not so many seconds; CHAOS times as many, if the environment says so.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
import redis

from community.engine import make_engine
from tests.chaos import faults
from tests.chaos.books import (
    assert_answers_are_there_once,
    assert_laws_hold,
    brought_minor,
    cash_minor,
    counted,
)
from tests.chaos.load import Record, clients_at_work, days_work
from tests.chaos.town import Town, found_town
from tests.databases import make_tables
from tests.racing import DEADLOCK
from tests.servers import fresh_database, postgres_server, valkey_server
from tests.serving import Served, gunicorn

TIMES = int(os.environ.get("CHAOS", "1"))
CLIENTS = 8
WORKERS = 3
# What a killed process must not lose; power cuts are not tried here.
KILLABLE = {"synchronous_commit": "on"}
# What every load has to have done at least once: else it proves little.
DONE = {"deposit", "apply", "approve", "repay"}


class Place(NamedTuple):
    """A town that is served, and its Redis, which may be stopped."""

    town: Town
    served: Served
    redis_url: str
    redis: ExitStack

    def stop_redis(self) -> None:
        self.redis.close()

    def start_redis(self) -> None:
        self.redis.enter_context(valkey_server(port=int(self.redis_url.split(":")[2][:-2])))

    def flush_redis(self) -> None:
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server(own=True, settings=KILLABLE))
        url = stack.enter_context(fresh_database(server))
        make_tables(url)
        engine = make_engine(url)
        stack.callback(engine.dispose)
        town = found_town(engine)
        cache = stack.enter_context(ExitStack())
        redis_url = cache.enter_context(valkey_server(own=True))
        served = stack.enter_context(
            gunicorn(
                url,
                tmp_path_factory.mktemp("chaos"),
                workers=WORKERS,
                FIXED_NOW=town.now.isoformat(),
                REDIS_URL=redis_url,
                RATE_LIMITS="on",
                RATE_LIMIT_READ="100000/minute",
                RATE_LIMIT_WRITE="100000/minute",
            )
        )
        yield Place(town, served, redis_url, cache)


def under_load(
    place: Place,
    requests: int,
    meanwhile: list[Callable[[], object]],
    *,
    seed: int,
    patient: bool = False,
) -> Record:
    """A load with the day's work and `meanwhile` spread over it, and what has to hold after it."""
    town, dice = place.town, random.Random(seed)
    cash, rows, before = cash_minor(town), counted(town), repeats(place.served)
    with clients_at_work(
        place.served, town, clients=CLIENTS, requests=requests, patient=patient
    ) as record:
        for work in meanwhile:
            days_work(town, dice, record)
            work()
    assert_laws_hold(town)
    assert_answers_are_there_once(town, record, rows)
    assert cash_minor(town) - cash == brought_minor(record.done)
    assert record.effects() >= DONE, record.acts()
    again = repeats(place.served) - before
    print(f"\n{len(record.done)} answers, run again: {dict(again)}, the day: {dict(record.steps)}")
    print(f"  {dict(sorted(record.acts().items()))}")
    # Nobody waits for each other in a circle: further tries would hide a wrong order of locks.
    assert again[DEADLOCK] == 0
    return record


def assert_only_answers_and_refusals(record: Record) -> None:
    """Nothing but what the rules say: no fault of the server, nothing said vaguely."""
    odd = [done for done in record.done if done.status not in (200, 201, 403, 404, 409, 412, 422)]
    assert odd == []
    # `validation`: the load is malformed. `conflict`: no service foresaw what the database refused.
    vague = [done for done in record.done if done.problem in ("validation", "conflict")]
    assert vague == []


def nothing() -> None:
    """The day's work alone."""


def test_eight_writers_at_once_keep_every_law(place: Place) -> None:
    record = under_load(place, 40 * TIMES, [nothing] * 25 * TIMES, seed=1)
    assert_only_answers_and_refusals(record)


def test_redis_may_vanish_be_emptied_and_come_back(place: Place) -> None:
    """Nothing changes but speed: no fault, and no repayment refused for it."""
    steps = [nothing, place.flush_redis, nothing, place.stop_redis, nothing, nothing, nothing]
    steps += [place.start_redis, nothing, place.flush_redis, nothing]
    record = under_load(place, 20 * TIMES, steps * TIMES, seed=2)
    assert_only_answers_and_refusals(record)
    assert all(done.tries == 1 for done in record.done)
    refused = {done.problem for done in record.done if done.act == "repay" and not done.took_effect}
    assert refused <= {"nothing-owed"}


def test_what_was_acknowledged_survives_killed_workers_and_backends(place: Place) -> None:
    dice = random.Random(3)
    url = place.town.url
    kills: list[Callable[[], object]] = [
        lambda: faults.kill_worker(place.served, dice),
        nothing,
        lambda: faults.kill_backend(url, dice),
        nothing,
    ]
    record = under_load(place, 40 * TIMES, kills * 4 * TIMES, seed=3, patient=True)
    assert_only_answers_and_refusals(record)
    # A lost answer was asked for again, and came from what was kept.
    assert any(done.replayed for done in record.done)


def repeats(served: Served) -> Counter[str]:
    """Units of work that were run again, by reason: of all workers of the server."""
    told = served.call("GET", "/metrics").body
    found = re.findall(r'^lianbao_unit_repeats_total\{reason="(\w+)"\} (\S+)$', told, re.M)
    return Counter({reason: int(float(times)) for reason, times in found})
