"""The pages about how it is built say what is there."""

import re
import tomllib

from config.settings import ROOT

DOCS = ROOT / "docs"
PAGE = (DOCS / "architecture.md").read_text()
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
PARTS = ["## Context", "## Decision", "## Consequences", "## Measured"]
# Names what others import, and is no room.
NO_ROOM = {"models", "sealing"}


def layers() -> list[set[str]]:
    """The contract of the rooms, highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rooms = next(one for one in contracts["contracts"] if one.get("containers") == ["community"])
    return [set(re.findall(r"\w+", layer)) for layer in rooms["layers"]]


def told_rooms() -> list[str]:
    table = PAGE.split("## The rooms")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.M)


def test_the_rooms_of_the_page_are_the_layers_of_the_contract_in_their_order() -> None:
    rooms = [name for layer in layers() if len(layer) == 1 for name in layer - NO_ROOM]
    assert told_rooms() == rooms, "docs/architecture.md has a line for each layer, in its order"
    below = re.search(r"^Under all of them: (.+)\.$", PAGE, re.M)
    assert below is not None
    named = [set(re.findall(r"`(\w+)`", part)) for part in below[1].split(";")]
    assert named == layers()[-3:]


def test_every_room_that_there_is_stands_in_it() -> None:
    folders = {
        path.parent.name
        for path in (ROOT / "community").glob("*/__init__.py")
        if path.parent.name != "migrations"
    }
    assert folders == set(told_rooms())


def test_what_it_names_exists() -> None:
    named = set(re.findall(r"`((?:app|community|config|graph|docs|tests)/[\w./]*\w)`", PAGE))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    assert len(named) > 8


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]
        for link in LINK.findall(page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_decision_has_its_parts_and_is_listed() -> None:
    pages = sorted(DOCS.glob("decisions/[0-9]*.md"))
    listed = LINK.findall((DOCS / "decisions" / "README.md").read_text())
    assert [page.name for page in pages] == listed
    for page in pages:
        assert re.findall(r"^## .+$", page.read_text(), re.M) == PARTS, page.name
    assert len(pages) >= 10
