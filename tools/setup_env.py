"""Makes .venv hold what the lock files say: `setup_env.py main`, `dev`, `bench` or `lock`.

Standard library only. `main` is what the product needs, `dev` adds what building and testing need,
`bench` the peers that benches measure against; `lock` writes the lock files anew from the lists
that people edit. A second run that finds nothing to do takes a few hundredths of a second. Nothing
is written outside the checkout but temporary files, unless UV_CACHE_DIR or PIP_CACHE_DIR names a
cache to use.
"""

# Kept readable for Python 3.6, so that an old interpreter reaches the message about its age.
import ast
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "lianbao-environment.json")
OLDEST = (3, 11)
LOCKS = {
    "main": os.path.join("requirements", "main.lock.txt"),
    "dev": os.path.join("requirements", "dev.lock.txt"),
    "bench": os.path.join("requirements", "bench.lock.txt"),
    "bootstrap": os.path.join("requirements", "bootstrap.lock.txt"),
}


# Each of these holds all that the one before it holds.
MODES = ("main", "dev", "bench")


class SetupError(Exception):
    """Something the person has to put right; its text says what."""


def main(arguments: "list[str]") -> int:
    """Does what the one argument asks and returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in (*MODES, "lock"):
        sys.stderr.write("usage: setup_env.py main|dev|bench|lock\n")
        return 2
    try:
        check_python()
        # Two `make` at once would install into the same folder: the second waits for the first.
        with open(os.path.abspath(__file__)) as own_file:
            fcntl.flock(own_file, fcntl.LOCK_EX)
            if arguments[0] == "lock":
                write_locks()
            else:
                make_ready(arguments[0])
    except SetupError as error:
        sys.stderr.write("setup: {}\n".format(error))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("setup: stopped; the next run goes on from here\n")
        return 130
    return 0


def check_python() -> None:
    """Refuses an interpreter that is too old, and names a newer one where there is one."""
    if sys.version_info >= OLDEST:
        return
    newer = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    remedy = (
        "run it again as `make PYTHON={}`".format(newer[0])
        if newer
        else "install Python 3.11 or newer and name it: `make PYTHON=/path/to/python3.11`"
    )
    raise SetupError("Lianbao needs Python 3.11 or newer, this is {}; {}".format(version(), remedy))


def make_ready(mode: str) -> None:
    """Brings .venv to what `mode` needs; does nothing when it is there already."""
    stamp = read_stamp()
    # An environment made for more stays one: `make demo` must not take the test tools away.
    if stamp.get("mode") in MODES:
        mode = max(mode, stamp["mode"], key=MODES.index)
    wanted = {
        "mode": mode,
        "lock": digest(LOCKS[mode]),
        "main_lock": digest(LOCKS["main"]),
        "python": version(),
        "place": VENV,
    }
    if stamp == wanted and os.path.exists(VENV_PYTHON):
        return
    started = time.time()
    make_venv(stamp)
    if os.path.exists(STAMP):
        os.remove(STAMP)
    say("setup: installing {} into .venv".format(LOCKS[mode]))
    installer = install(LOCKS[mode])
    with open(STAMP, "w") as file:
        json.dump(wanted, file, indent=1)
    say("setup: ready in {:.0f} s (by {})".format(time.time() - started, installer))


def make_venv(stamp: "dict[str, str]") -> None:
    """Makes .venv, anew when it belongs to another Python or was moved from another place."""
    made_elsewhere = stamp and (stamp["python"] != version() or stamp["place"] != VENV)
    if not made_elsewhere and venv_version() == version():
        return
    say("setup: making .venv with Python {}".format(version()))
    if os.path.islink(VENV) or os.path.isfile(VENV):
        raise SetupError(".venv is not a folder; move it away and run this again")
    made = run([sys.executable, "-m", "venv", "--clear", VENV])
    if made.returncode:
        raise SetupError(
            "could not make a virtual environment. On Debian and Ubuntu the package python3-venv "
            "is needed.\n{}".format(made.stdout.strip())
        )


def install(lock: str) -> str:
    """Installs exactly what the lock names: by uv, or by pip when uv cannot be had or fails."""
    by_uv = uv(["pip", "sync", "--require-hashes", lock])
    if by_uv is not None and by_uv.returncode == 0:
        return "uv"
    by_pip = pip(["install", "--quiet", "--require-hashes", "-r", lock])
    if by_pip.returncode == 0:
        return "pip"
    said = "\n".join(result.stdout.strip() for result in (by_uv, by_pip) if result is not None)
    raise SetupError(
        "could not install the libraries. Is a package index within reach?\n{}".format(said)
    )


def write_locks() -> None:
    """Writes the locks anew: hashes for every supported Python, no address of any index."""
    make_ready("main")
    # Each list includes the one before it, and keeps to the versions just chosen for it.
    for source, lock, constraint in (
        ("requirements/bootstrap.txt", LOCKS["bootstrap"], None),
        ("requirements.txt", LOCKS["main"], None),
        ("requirements/dev.txt", LOCKS["dev"], LOCKS["main"]),
        ("requirements/bench.txt", LOCKS["bench"], LOCKS["dev"]),
    ):
        command = ["pip", "compile", "--universal", "--python-version", "3.11", "--upgrade"]
        command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-annotate"]
        command += ["--constraint", constraint] if constraint else []
        done = uv([*command, "--quiet", source, "--output-file", lock])
        if done is None or done.returncode:
            raise SetupError(
                "uv could not write {}\n{}".format(lock, done.stdout if done else "uv is missing")
            )
        say("setup: wrote {}".format(lock))


def uv(arguments: "list[str]") -> "subprocess.CompletedProcess[str] | None":
    """Runs the pinned uv inside .venv, after fetching it; None when it cannot be had."""
    if run([VENV_PYTHON, "-m", "uv", "--version"]).returncode:
        fetched = pip(["install", "--quiet", "--require-hashes", "-r", LOCKS["bootstrap"]])
        if fetched.returncode:
            return None
    environment = {"VIRTUAL_ENV": VENV, "UV_LINK_MODE": "copy", "UV_NO_CONFIG": "1"}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    if "UV_CACHE_DIR" not in os.environ:
        environment["UV_NO_CACHE"] = "1"
    for name, value in pip_settings().items():
        if name == "index-url" and not os.environ.get("UV_DEFAULT_INDEX"):
            environment["UV_DEFAULT_INDEX"] = value
        if name == "cert" and not os.environ.get("SSL_CERT_FILE"):
            environment["SSL_CERT_FILE"] = value
    return run([VENV_PYTHON, "-m", "uv", *arguments], environment)


def pip(arguments: "list[str]") -> "subprocess.CompletedProcess[str]":
    """Runs the pip of .venv."""
    environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if "PIP_CACHE_DIR" not in os.environ:
        environment["PIP_NO_CACHE_DIR"] = "1"
    return run([VENV_PYTHON, "-m", "pip", *arguments], environment)


def pip_settings() -> "dict[str, str]":
    """The index and certificate that pip is told to use here: uv does not read pip's settings."""
    settings = {}
    for line in pip(["config", "list"]).stdout.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.endswith((".index-url", ".cert")):
            settings[name.rpartition(".")[2]] = ast.literal_eval(value)
    return settings


def run(
    command: "list[str]", environment: "dict[str, str] | None" = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a command in the checkout and keeps what it says, to be shown only if it fails."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=dict(os.environ, **(environment or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )


def read_stamp() -> "dict[str, str]":
    """What the last finished run left in .venv; empty when there was none."""
    try:
        with open(STAMP) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def venv_version() -> "str | None":
    """The Python version of .venv, or None when there is none that starts."""
    if not os.path.exists(VENV_PYTHON):
        return None
    found = run([VENV_PYTHON, "-c", "import sys, pip; print('%d.%d.%d' % sys.version_info[:3])"])
    return found.stdout.strip() if found.returncode == 0 else None


def digest(lock: str) -> str:
    with open(os.path.join(ROOT, lock), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def version() -> str:
    return "{}.{}.{}".format(*sys.version_info[:3])


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
