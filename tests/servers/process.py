"""What the servers have in common: a private folder, an unprivileged user, a sure end.

Servers refuse to run as root, or should not. When the tests run as root the children become
`nobody`, which then needs to reach its folder and its programs.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = "nobody"
KEEPER = Path(__file__).with_name("keeper.py")


class ServerError(RuntimeError):
    """A server could not be found or started; the text says what to do."""


def server_user() -> str | None:
    """Who the server runs as: `nobody` when we are root, else ourselves (None)."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def private_folder(name: str) -> Iterator[Path]:
    """A temporary folder that only the server's user and we can read, removed afterwards."""
    parents = [Path(tempfile.gettempdir())]
    if server_user():
        parents = [
            place for place in (*parents, Path("/tmp"), Path("/var/tmp")) if _passable(place)
        ]
    if not parents:
        raise ServerError("no temporary folder that an unprivileged user may enter; set TMPDIR")
    folder = Path(tempfile.mkdtemp(prefix=f"lianbao-{name}-", dir=parents[0]))
    try:
        user = server_user()
        if user:
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reachable(program: Path, trees: Sequence[Path], folder: Path) -> Path:
    """The program, or its copy below `folder` when the server's user cannot start it in place.

    `trees` are the folders it needs, side by side as they are: programs find their libraries by
    relative paths. Copying 40 MB takes about a tenth of a second.
    """
    readable = os.stat(program).st_mode & 0o005 == 0o005 and _passable(program.parent)
    if readable or not server_user():
        return program
    base = Path(os.path.commonpath(trees)) if len(trees) > 1 else trees[0].parent
    copies = folder / "programs"
    for tree in trees:
        ignored = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(tree, copies / tree.relative_to(base), ignore=ignored)
    for place in (copies, *copies.rglob("*")):
        place.chmod(place.stat().st_mode | (0o055 if place.is_dir() else 0o044))
    copy = copies / program.relative_to(base)
    for sibling in copy.parent.iterdir():
        sibling.chmod(0o755)
    return copy


def run_once(command: Sequence[str | Path], folder: Path) -> None:
    """Runs a preparing command as the server's user; its output is shown only if it fails."""
    user = server_user()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=_environment(folder),
        user=user,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"{Path(command[0]).name} failed:\n{done.stdout}")


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    folder: Path,
    stop_signal: signal.Signals,
    answers: Callable[[], object],
    seconds: float = 30,
) -> Iterator[None]:
    """Runs a server until the block ends, however it ends; enters it once `answers` does not raise.

    Raises ServerError with the end of the server's log when it stops or stays silent.
    """
    keeper_command = [sys.executable, "-I", "-S", str(KEEPER)]
    keeper_command += [str(folder), server_user() or "", str(int(stop_signal))]
    keeper = subprocess.Popen(
        keeper_command + [str(part) for part in command],
        stdin=subprocess.PIPE,
        env=_environment(folder),
        # An interrupt from the keyboard is for us: the servers end when we say so.
        start_new_session=True,
    )
    assert keeper.stdin is not None
    try:
        _await_answer(keeper, Path(command[0]).name, folder, answers, seconds)
        yield
    finally:
        keeper.stdin.close()
        keeper.wait()


def _await_answer(
    keeper: subprocess.Popen[bytes],
    name: str,
    folder: Path,
    answers: Callable[[], object],
    seconds: float,
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            answers()
        except Exception as error:  # noqa: BLE001  any failure means "not yet", until the deadline
            failure = error
        else:
            return
        if keeper.poll() is not None or time.monotonic() > deadline:
            log = folder / "server.log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise ServerError(f"{name} did not start: {failure}\n{said}")
        time.sleep(0.02)


def _environment(folder: Path) -> dict[str, str]:
    """No setting of the person at the keyboard reaches a server: PGDATA, PGPORT, locale, home."""
    return {
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
        "TZ": "UTC",
    }


def _passable(place: Path) -> bool:
    """Whether everybody may walk down to this folder."""
    return all(
        os.stat(step).st_mode & 0o001 for step in (place.resolve(), *place.resolve().parents)
    )
