"""What the guides name exists: every route, page, command, document and rule of a charter."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
from flask import Flask

from app import create_app
from app.openapi import VERBS, complete
from app.pages.words import COMMON, LANGUAGES, catalog, rooms
from community.communities.charter import CharterRules
from config.settings import ROOT, Settings
from tests.pictures.tours import PICTURES, tours

GUIDES = [*sorted((ROOT / "docs" / "guides").glob("*.md"))]
PAGES = [*GUIDES, *(ROOT / "docs" / name for name in ("charters.md", "algorithms.md", "client.md"))]
PREFIX = "/api/v1"
# What the tours name and no page says of itself: a village, a circle.
NAMES = {"南湖村", "Circle 1", "担保圈 1"}


@pytest.fixture(scope="module")
def bare_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application without a database."""
    return create_app(Settings(database_url="sqlite://", var_dir=tmp_path_factory.mktemp("guides")))


# Who uses pages; developers read English.
KINDS = ("member", "leader", "cooperative", "operator", "auditor")


def test_there_is_a_guide_for_everybody_in_both_languages() -> None:
    named = {path.name for path in GUIDES}
    assert named == {f"{kind}{tail}.md" for kind in KINDS for tail in ("", ".zh-CN")} | {
        "developer.md"
    }
    for kind in KINDS:
        english = (ROOT / "docs" / "guides" / f"{kind}.md").read_text()
        chinese = (ROOT / "docs" / "guides" / f"{kind}.zh-CN.md").read_text()
        assert _routes(english) == _routes(chinese), kind


def test_every_route_of_the_guides_exists(bare_app: Flask) -> None:
    document = complete(bare_app)
    known = {
        f"{verb.upper()} {_bare(path.removeprefix(PREFIX))}"
        for path, methods in document["paths"].items()
        for verb in VERBS
        if verb in methods
    }
    found = {route for page in PAGES for route in _routes(page.read_text())}
    assert found - known == set()
    assert len(found) > 80


def _routes(text: str) -> set[str]:
    return {
        f"{verb} {_bare(path)}"
        for verb, path in re.findall("`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)[^`]*`", text)
    }


def _bare(path: str) -> str:
    return re.sub("{[^}]*}", "{}", path)


def test_every_page_and_command_of_the_guides_exists(bare_app: Flask) -> None:
    addresses = {rule.rule for rule in bare_app.url_map.iter_rules()}
    for guide in PAGES:
        text = guide.read_text()
        pages = set(re.findall(r"(?:[Pp]age|页面) `(/[^`]*)`", text))
        assert pages <= addresses, guide.name
        for said in re.findall("flask --app wsgi ([a-z -]+)", text):
            _find(bare_app.cli, said.split())
        targets = re.findall("^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(re.findall("`make ([a-z-]+)`", text)) <= set(targets), guide.name


def _find(group: click.Group, words: list[str]) -> None:
    assert words[0] in group.commands, words
    inner = group.commands[words[0]]
    if isinstance(inner, click.Group):
        _find(inner, words[1:])


def test_every_link_of_the_guides_leads_somewhere() -> None:
    for page in PAGES:
        for target in _links(page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def _links(text: str) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            yield target


def test_every_picture_is_there_is_shown_and_is_small() -> None:
    named = {
        path
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())
        if (path := (page.parent / target).resolve()).parent == PICTURES
    }
    kept = set(PICTURES.iterdir())
    assert sorted(path.name for path in named - kept) == [], "run: make pictures"
    assert sorted(path.name for path in kept - named) == [], "no page shows them"
    sizes = {path.name: path.stat().st_size for path in kept}
    assert [name for name, size in sizes.items() if size >= 120_000] == []
    assert sum(sizes.values()) < 1_500_000
    # Only tours take them: what README shows is shown by a guide too.
    taken = {act.what for tour in tours() for step in tour.steps for act in step}
    assert {path.name for path in kept} <= taken


def test_there_is_a_tour_for_everybody_that_says_what_the_pages_say() -> None:
    found = {(tour.who, tour.language): tour for tour in tours()}
    assert found.keys() == {(kind, language) for kind in KINDS for language in LANGUAGES}
    for (who, language), tour in found.items():
        place = LANGUAGES.index(language)
        said = "\n".join(
            words[place] for room in [*rooms(), COMMON] for words in catalog(room).values()
        )
        quoted = [
            act.what
            for step in tour.steps
            for act in step
            # What people call something, and the number of a circle, is no word of a page.
            if act.kind in ("click", "see", "write") and act.what not in NAMES
        ]
        assert [words for words in quoted if words not in said] == [], (who, language)
        assert len(quoted) > 5, (who, language)


def test_the_rules_that_the_page_about_charters_names_exist() -> None:
    text = Path(ROOT / "docs" / "charters.md").read_text()
    known = {field.name for field in fields(CharterRules)}
    table = text[text.index("| Rules |") : text.index("## Make a version")]
    named = {
        name
        for row in table.splitlines()[2:]
        if row
        for name in re.findall("`([a-z_]+)`", row.split("|")[1])
    }
    assert named - known == set()
    assert len(named) > 20
    assert f"some {len(known)} rules" in text
