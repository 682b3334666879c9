"""The README's session is true: its very lines run against what `make demo` serves."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import ROOT

START_SECONDS = 180


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[Path]:
    """A folder in which `. var/demo.env` names a running demonstration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    var = tmp_path / "var"
    environment = os.environ | {
        "VAR_DIR": str(var),
        "PORT": str(port),
        "DEMO_HOUSEHOLDS": "60",
    }
    server = subprocess.Popen(
        [sys.executable, "tools/demo.py"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    told: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        assert server.stdout is not None
        for line in server.stdout:
            told.append(line)
            if "Ctrl-C stops it" in line:
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        assert ready.wait(START_SECONDS), "".join(told)
        assert server.poll() is None, "".join(told)
        yield tmp_path
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        listener.join(60)
        assert server.stdout is not None
        server.stdout.close()


def test_the_readmes_session_lends_and_repays(demonstration: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _session()],
        cwd=demonstration,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    limit, word, approved, cover, paid_out, receipt = _documents(done.stdout)
    assert limit["constraints"]
    assert limit["paths"]
    assert word["comment"] == "A careful grower"
    assert (approved["status"], paid_out["status"]) == ("approved", "current")
    assert cover["held"] == {"amount": "600.00", "currency": "CNY"}
    assert receipt["amount"] == {"amount": "120.00", "currency": "CNY"}
    assert receipt["loan_status"] == "current"
    # The month's interest comes off the 120.00 first.
    assert "480.00" < receipt["outstanding"]["amount"] < "500.00"
    assert receipt["cover_held"] == receipt["outstanding"]


def _session() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- session -->\n```bash\n(.*?)```", readme, re.S)
    assert block is not None, "README.md has lost its session"
    return block[1]


def _documents(text: str) -> list[dict[str, Any]]:
    """JSON documents that follow each other, each of them no problem."""
    found, place = [], 0
    decoder = json.JSONDecoder()
    while place < len(text.rstrip()):
        document, place = decoder.raw_decode(text, place)
        assert "/problems/" not in document.get("type", ""), document
        found.append(document)
        while place < len(text) and text[place].isspace():
            place += 1
    return found
