"""The lists of libraries, their locks and the page about them say the same."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LISTS = [
    "requirements.txt",
    "requirements/dev.txt",
    "requirements/bench.txt",
    "requirements/bootstrap.txt",
]
LOCKS = [f"requirements/{name}.lock.txt" for name in ("main", "dev", "bench", "bootstrap")]


def _pins(path: str) -> dict[str, str]:
    """Library → version, of the lines that pin one; a lock may hold several for one library."""
    lines = (CHECKOUT / path).read_text().splitlines()
    return dict(
        found.groups()
        for line in lines
        if (found := re.match(r"([a-z0-9\[\]-]+)==([^\s;]+)", line))
    )


def test_every_direct_library_has_its_line_in_the_docs():
    page = (CHECKOUT / "docs/dependencies.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z][^ |]*) \| ([0-9][^ |]*) \|", page, re.MULTILINE))
    lists = ("requirements.txt", "requirements/dev.txt", "requirements/bench.txt")
    assert rows == {name: version for path in lists for name, version in _pins(path).items()}
    uv = _pins("requirements/bootstrap.txt")["uv"]
    assert f"uv {uv}" in page


@pytest.mark.parametrize("path", LISTS)
def test_direct_libraries_are_pinned_and_locked_as_listed(path):
    lock = {
        "requirements.txt": "requirements/main.lock.txt",
        "requirements/dev.txt": "requirements/dev.lock.txt",
        "requirements/bench.txt": "requirements/bench.lock.txt",
        "requirements/bootstrap.txt": "requirements/bootstrap.lock.txt",
    }[path]
    lines = (CHECKOUT / path).read_text().splitlines()
    named = [line for line in lines if line and not line.startswith(("#", "-r "))]
    pins = _pins(path)
    assert len(named) == len(pins) > 0
    locked = {re.sub(r"\[.*", "", name): version for name, version in _pins(lock).items()}
    assert {name: locked.get(re.sub(r"\[.*", "", name)) for name in pins} == pins


def test_each_lock_holds_the_one_before_it():
    assert _pins(LOCKS[0]).items() <= _pins(LOCKS[1]).items() <= _pins(LOCKS[2]).items()


@pytest.mark.parametrize("path", LOCKS)
def test_a_lock_has_hashes_and_no_address(path):
    text = (CHECKOUT / path).read_text()
    assert "--hash=sha256:" in text
    # An address would tie the lock to one index, a path to one machine.
    assert not re.search(r"://|file:|--(index|extra|find|trusted)|@ |^/", text, re.MULTILINE)
