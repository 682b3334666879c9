"""The audit of libraries says what it found, and never passes for want of an answer in silence."""

import importlib.util
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config.settings import ROOT

_spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
assert _spec is not None
assert _spec.loader is not None
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

Answer = Callable[[list[dict[str, Any]]], Any]


@pytest.fixture
def index() -> Iterator[dict[str, Any]]:
    state: dict[str, Any] = {"answer": lambda queries: {"results": [{}] * len(queries)}}
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            state["asked"] = asked
            if state["answer"] is None:
                closing.wait()
                return
            body = json.dumps(state["answer"](asked)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    state["url"] = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def with_a_fault(queries: list[dict[str, Any]]) -> Any:
    return {
        "results": [
            {"vulns": [{"id": "GHSA-x"}]} if query["package"]["name"] == "flask" else {}
            for query in queries
        ]
    }


def test_all_locked_libraries_are_asked_about(
    index: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--url", index["url"]]) == 0
    assert "no known fault in" in capsys.readouterr().out
    named = {query["package"]["name"]: query["version"] for query in index["asked"]}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if "==" in line:
            name, version = line.split("==")
            assert named[name.partition("[")[0]] == version


def test_a_fault_fails_until_it_is_waived_and_when_that_is_over(
    index: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index["answer"] = with_a_fault
    waived = tmp_path / "waived"
    ask = ["--url", index["url"], "--waived", str(waived)]
    assert audit.main(ask) == 1
    assert "GHSA-x" in capsys.readouterr().out
    waived.write_text("# id day why\nGHSA-x 2999-01-01 not used here\n")
    assert audit.main(ask) == 0
    assert "(1 waived)" in capsys.readouterr().out
    waived.write_text("GHSA-x 2000-01-01 not used here\n")
    assert audit.main(ask) == 1


@pytest.mark.parametrize("answer", [lambda queries: {"results": []}, lambda queries: [], None])
def test_what_is_no_answer_is_said_and_fails_if_it_has_to(
    index: dict[str, Any], answer: Answer | None, capsys: pytest.CaptureFixture[str]
) -> None:
    index["answer"] = answer
    ask = ["--url", index["url"], "--seconds", "0.5"]
    assert audit.main(ask) == 0
    assert "audit: NOT DONE" in capsys.readouterr().out
    assert audit.main([*ask, "--strict"]) == 2


def test_nobody_there_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        assert audit.main(["--url", url]) == 0
    assert "gave no answer" in capsys.readouterr().out
