"""Runs one server for as long as its owner lives: `keeper.py FOLDER USER SIGNAL COMMAND…`.

The owner holds the other end of standard input. Whichever way the owner ends, killed included, that
pipe closes: then the server is stopped and its folder removed. A server that ends by itself ends
the keeper too, and leaves the folder, so that the owner can read the log in it.

Started as a file with `-I -S`: standard library only, ready in a few hundredths of a second.
"""

import os
import select
import shutil
import signal
import subprocess
import sys


def keep(folder: str, user: str, stop_signal: int, command: list[str]) -> int:
    """Runs `command` as `user` (empty: as ourselves) and returns 0 when the owner ended it."""
    # A dying child writes one byte here, so that one wait covers both kinds of end.
    child_ended, on_signal = os.pipe()
    os.set_blocking(on_signal, False)
    signal.set_wakeup_fd(on_signal)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with open(os.path.join(folder, "server.log"), "ab") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            user=user or None,
            extra_groups=[] if user else None,
        )
    owner = sys.stdin.fileno()
    while server.poll() is None:
        ready, _, _ = select.select([owner, child_ended], [], [])
        if owner in ready:
            _stop(server, stop_signal)
            shutil.rmtree(folder, ignore_errors=True)
            return 0
        os.read(child_ended, 64)
    return 1


def _stop(server: subprocess.Popen[bytes], stop_signal: int) -> None:
    server.send_signal(stop_signal)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
