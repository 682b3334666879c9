"""Hosts of our own on one machine: namespaces on a bridge, gone when the block ends."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

NETWORK = "10.77.0.0/24"
HERE = "10.77.0.1"
BRIDGE = "lianbao0"


class NoHosts(Exception):
    """This machine cannot have them; the text says what it lacks."""


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, str]]:
    """Hosts with these names; gives each one's address. This process is at HERE.

    Raises NoHosts where namespaces cannot be made.
    """
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        raise NoHosts("network namespaces need Linux and the program ip (Debian: iproute2)")
    if os.geteuid() != 0:
        raise NoHosts("network namespaces need root")
    with ExitStack() as stack:
        # What a run that was killed has left.
        _ip("link", "del", BRIDGE, check=False)
        for name in names:
            _ip("netns", "del", space_of(name), check=False)
        stack.callback(_ip, "link", "del", BRIDGE, check=False)
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{HERE}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        addresses = {}
        for number, name in enumerate(names, 2):
            space, wire = space_of(name), f"lianbao{number}"
            address = addresses[name] = f"10.77.0.{number}"
            _ip("netns", "add", space)
            stack.callback(_ip, "netns", "del", space, check=False)
            _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", wire, "master", BRIDGE, "up")
            _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield addresses


def space_of(name: str) -> str:
    return f"lianbao-{name}"


def on(name: str) -> list[str]:
    """What starts a command on that host."""
    return ["ip", "netns", "exec", space_of(name)]


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise NoHosts(f"ip {' '.join(words)}: {done.stderr.strip()}")
