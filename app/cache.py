"""A cache that may vanish: with Redis gone the answer is computed, and nobody waits for Redis."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import redis
from flask import current_app
from werkzeug.local import LocalProxy

logger = logging.getLogger(__name__)

# Redis answers within a millisecond or it does not answer.
SOCKET_TIMEOUT_SECONDS = 0.25
# After a failure Redis is left alone this long, so that requests do not queue up behind it.
PAUSE_SECONDS = 5.0


class Cache:
    """Values that could be computed again, by key. Keys name the version of what they hold.

    Values are what JSON can hold. Without a Redis every value is computed: right, but slower.
    """

    def __init__(self, redis_url: str = "", pool_size: int = 5) -> None:
        self._paused_until = 0.0
        self._client: redis.Redis | None = None
        if redis_url:
            pool = redis.BlockingConnectionPool.from_url(
                redis_url,
                max_connections=pool_size,
                timeout=SOCKET_TIMEOUT_SECONDS,
                socket_timeout=SOCKET_TIMEOUT_SECONDS,
                socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
                retry=None,
            )
            self._client = redis.Redis.from_pool(pool)

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get_or_compute(self, key: str, seconds: int, compute: Callable[[], Any]) -> Any:
        """The value kept under `key`, or what `compute` returns, kept for `seconds`."""
        kept = self._ask(lambda client: client.get(f"cache:{key}"))
        if kept is not None:
            try:
                return json.loads(kept)
            except ValueError:
                logger.warning("a value in the cache is damaged; it is computed anew")
        value = compute()
        text = json.dumps(value)
        self._ask(lambda client: client.set(f"cache:{key}", text, ex=seconds))
        return value

    def forget(self, key: str) -> None:
        """Drop a value. Keys that carry a version need no dropping: prefer those."""
        self._ask(lambda client: client.delete(f"cache:{key}"))

    def state(self) -> str:
        """'none' without a Redis, 'ok', or 'down'."""
        if self._client is None:
            return "none"
        try:
            self._client.ping()
        except redis.RedisError:
            self._pause()
            return "down"
        self._paused_until = 0.0
        return "ok"

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        if self._client is None or time.monotonic() < self._paused_until:
            return None
        try:
            return question(self._client)
        except redis.RedisError as fault:
            logger.warning("Redis does not answer: %s", type(fault).__name__)
            self._pause()
            return None

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _of_this_app() -> Cache:
    found: Cache = current_app.extensions["cache"]
    return found


# The cache of the application that answers.
cache: Cache = LocalProxy(_of_this_app)  # type: ignore[assignment]
