"""Rules of the web that a reviewer should not have to look for."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.marks import mark_of, view_of
from app.permissions import PERMISSIONS
from app.problems import all_problems, status_of
from config.settings import ROOT, Settings

CODE = [
    path
    for folder in ("app", "community", "graph", "config")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("architecture")
    app = create_app(Settings(var_dir=folder, log_level="WARNING"))
    yield app
    with app.app_context():
        db.engine.dispose()


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node


def test_only_the_transaction_edge_commits() -> None:
    commits = {
        str(path.relative_to(ROOT))
        for path in CODE
        for call in calls(path)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "commit"
    }
    assert commits == {"app/transaction.py"}


def test_the_environment_is_read_in_the_settings_only() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(r"os\.environ|os\.getenv|getenv\(", path.read_text())
    }
    # The metrics library finds the folder that its processes share in the environment, and in no
    # other way: the server's configuration puts it there.
    assert readers <= {"config/settings.py", "config/gunicorn.py", "app/health.py"}


def test_the_system_clock_is_read_in_one_place() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(r"datetime\.now\(|date\.today\(|utcnow\(|time\.time\(", path.read_text())
    }
    assert readers <= {"app/clock.py"}


def test_every_view_of_the_api_is_public_or_declares_its_permission(app: Flask) -> None:
    silent, unknown = [], []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            view = view_of(app, rule.endpoint, method)
            action = mark_of(view, "_permission")
            if not action and not mark_of(view, "_public", False):
                silent.append(f"{method} {rule.rule}")
            if action and action not in PERMISSIONS:
                unknown.append(f"{method} {rule.rule}: {action}")
    assert silent == []
    assert unknown == []


def test_views_below_the_api_are_documented_with_one_sentence(app: Flask) -> None:
    mute = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not (getattr(view_of(app, rule.endpoint, method), "__doc__", None) or "").strip()
    ]
    assert mute == []


def test_every_refusal_has_a_code_a_title_and_a_status_of_its_own(app: Flask) -> None:
    kinds = all_problems()
    assert len(kinds) > 20
    codes = [kind.code for kind in kinds]
    assert sorted({code for code in codes if codes.count(code) > 1}) == []
    for kind in kinds:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", kind.code), kind
        assert kind.title, kind
        assert not kind.title.endswith("."), kind
        assert 400 <= status_of(kind) <= 599, kind


def test_every_refusal_stands_in_the_problems_page(app: Flask) -> None:
    headings = set(re.findall(r"^## (\S+)$", (ROOT / "docs" / "problems.md").read_text(), re.M))
    codes = {kind.code for kind in all_problems()}
    assert sorted(codes - headings) == [], "run: flask problems > docs/problems.md"
    assert sorted(headings - codes) == [], "run: flask problems > docs/problems.md"


def test_every_setting_stands_in_the_example() -> None:
    shown = dict(
        line.split("=", 1)
        for line in (ROOT / "config" / "example.env").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert sorted(shown) == sorted(item.name.upper() for item in fields(Settings))
    for item in fields(Settings):
        assert item.metadata["doc"].endswith((".", ";")), item.name


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    lines = (ROOT / "config" / "example.env").read_text().splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    read = Settings.from_environ(shown | {"VAR_DIR": str(tmp_path)})
    assert read == Settings.from_environ({"VAR_DIR": str(tmp_path)})
