"""Every word of a page has its Chinese and its English, and none lies about unused."""

import ast
import importlib
import json
import re
import tomllib
from pathlib import Path

import marshmallow as ma
import pytest

from app import fields
from app.pages.office.charters import RULES
from app.pages.office.terms import FEE_VALUES, PARTS, TERMS
from app.pages.words import (
    COMMON,
    LANGUAGES,
    Words,
    catalog,
    event_names,
    problem_titles,
    rooms,
    said_of_field,
    sources,
)
from app.problems import all_problems
from community.businessday.steps import STEPS
from community.webhooks.kinds import KINDS
from config.settings import ROOT
from tests.architecture.event_kinds import recorded_kinds

PAGES = ROOT / "app" / "pages"
TEMPLATES = sorted(PAGES.rglob("*.html"))
CODE = sorted(PAGES.rglob("*.py"))
CHINESE = re.compile(r"[\u3400-\u9fff]")
# t("key"), words("key"), entries of the navigation, and what is said on the next page.
KEYS = re.compile(r"""\b(?:t|words|listed|common)\(\s*["']([\w.-]+)["']""")
CHOSEN = re.compile(r"""["'](\w+)["'] if [^{}]* else ["'](\w+)["']""")
SAID = re.compile(r"""(?:say\(|said=\()\s*["']\w+["'],\s*["']([\w.-]+)["']""")
TABLES = re.compile(r"""\.of\(\s*["']([\w-]+)["']""")


def room_of(path: Path) -> str:
    """Whose words a file speaks."""
    first = path.relative_to(PAGES).parts[0]
    return first if first in {*rooms(), "leader", "cooperative", "operator", "auditor"} else COMMON


def used_in(path: Path) -> set[str]:
    # Examples in docstrings and comments are not uses.
    text = re.sub(r'""".*?"""|\{#.*?#\}', "", path.read_text(), flags=re.S)
    found = set(KEYS.findall(text)) | set(SAID.findall(text))
    for pair in CHOSEN.findall(text):
        # A choice between two keys, where it is a choice of keys.
        found |= {key for key in pair if key in catalog(room_of(path))}
    return found


def files(room: str) -> list[Path]:
    return [path for path in (*TEMPLATES, *CODE) if room_of(path) == room]


@pytest.mark.parametrize("room", [COMMON, *rooms()])
def test_every_word_has_two_languages(room: str) -> None:
    for key, pair in catalog(room).items():
        chinese, english = pair
        assert chinese.strip(), key
        assert english.strip(), key
        fields = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (chinese, english)]
        assert fields[0] == fields[1], f"{key}: not the same facts in both languages"
        if not key.startswith("language."):
            assert not CHINESE.search(english), f"{key}: Chinese where English belongs"


def test_every_key_that_is_used_is_there() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {key}"
        for path in (*TEMPLATES, *CODE)
        for key in used_in(path)
        if key not in catalog(room_of(path)) and key not in catalog(COMMON)
    ]
    assert missing == []


@pytest.mark.parametrize("room", [COMMON, *rooms()])
def test_no_key_is_unused(room: str) -> None:
    # What is common may be used anywhere.
    asked = files(room) if room != COMMON else [*TEMPLATES, *CODE]
    used = {key for path in asked for key in used_in(path)}
    tables = {table for path in asked for table in TABLES.findall(path.read_text())}
    unused = [
        key
        for key in catalog(room)
        if key not in used and key.partition(".")[0] not in tables | {"status"}
    ]
    assert unused == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PAGES)))
def test_a_template_says_nothing_of_its_own(path: Path) -> None:
    text = path.read_text()
    assert not CHINESE.search(re.sub(r"\{#.*?#\}", "", text, flags=re.S))
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.S)
    for attribute in re.findall(r'(?:title|alt|placeholder|aria-label)="([^"]*)"', plain):
        assert not re.search(r"[A-Za-z]{2}", attribute), attribute
    between = re.sub(r"<[^>]*>", " ", plain, flags=re.S)
    assert re.findall(r"[A-Za-z]{2,}", between) == []
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)


def test_the_words_of_a_file_are_sorted_into_no_two_places() -> None:
    for room in rooms():
        twice = sorted(set(catalog(room)) & set(catalog(COMMON)))
        # A room may say a common thing in its own way, but then not in the same words.
        assert [key for key in twice if catalog(room)[key] == catalog(COMMON)[key]] == []


def test_every_rule_and_step_has_its_name() -> None:
    words = catalog("office")
    named = {key for key in words if key.startswith(("rule.", "step.", "choice."))}
    assert {f"rule.{name}" for name in RULES} <= named
    assert {f"choice.{code}" for rule in RULES.values() for code in rule.choices} <= named
    assert {f"step.{step.name.replace(' ', '_')}" for step in STEPS} <= named


def test_every_term_has_its_name_and_its_choices() -> None:
    words = catalog("office")
    assert set(PARTS["charged"]) | set(TERMS) == {
        name for names in PARTS.values() for name in names
    }
    for value in (*TERMS.values(), *FEE_VALUES):
        assert f"term.{value.name}" in words
        for code in value.choices:
            # A choice has its own word, or it is one that charters have too.
            own = f"term_choice.{value.name}.{code}"
            assert own in words or value.name == "liability_mode", own


def test_every_problem_has_its_chinese_title() -> None:
    # A code is known when the room that raises it has been loaded.
    for module in sorted((ROOT / "community").glob("*/errors.py")):
        importlib.import_module(f"community.{module.parent.name}.errors")
    for room in rooms():
        importlib.import_module(f"app.pages.{room}.routes")
    codes = {kind.code for kind in all_problems()}
    text = (PAGES / "problems.toml").read_text()
    assert sorted(set(problem_titles()) - codes) == []
    assert sorted(codes - set(problem_titles())) == [], "say it in app/pages/problems.toml"
    keys = list(tomllib.loads(text))
    assert keys == sorted(keys)
    for code, said in problem_titles().items():
        assert 1 <= len(said) <= 2, code
        assert CHINESE.search(said[0]), code


def test_every_event_that_is_recorded_has_its_name() -> None:
    recorded = recorded_kinds()
    # A choice, an enumeration, a helper's argument, a constant: the source is read all ways.
    assert recorded >= {"group.vouches_written", "complaint.handed_over", "loan.written_off"}
    assert recorded >= {"demo.seeded", "motion.void", "cover.substitution_refused"}
    assert sorted(recorded - set(event_names())) == [], "name it in app/pages/events.toml"
    assert sorted(set(event_names()) - recorded) == [], "nothing records it"
    assert list(event_names()) == sorted(event_names())
    for kind, (chinese, english) in event_names().items():
        assert CHINESE.search(chinese), kind
        assert english.strip(), kind
        assert not CHINESE.search(english), kind
    for place in (0, 1):
        names = [said[place] for said in event_names().values()]
        assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_that_webhooks_tell_of_has_its_name(language: str) -> None:
    words = Words("platform", language)
    assert [kind for kind in KINDS if words.event(kind) == kind] == []
    # A kind of former days is shown by its code.
    assert words.event("loan.of_old") == "loan.of_old"


def test_every_source_of_our_own_rules_has_its_chinese() -> None:
    rooms_of_rules = (ROOT / "community").glob("communities/templates/*.json")
    documents = [json.loads(path.read_text())["rules"] for path in rooms_of_rules]
    documents.append(json.loads((ROOT / "community/personal/retention.json").read_text()))
    ours = {rule["source"] for rules in documents for rule in rules.values()}
    # A rule whose value is a sentence is read like one.
    values = [rule.get("value") for rules in documents for rule in rules.values()]
    ours |= {value for value in values if isinstance(value, str) and " " in value}
    assert len(documents) == 4
    assert sorted(ours - set(sources())) == [], "say it in app/pages/sources.toml"
    assert sorted(set(sources()) - ours) == [], "no rule of ours comes from it"
    assert list(sources()) == sorted(sources())
    for english, chinese in sources().items():
        assert CHINESE.search(chinese), english
        assert Words("office", "zh-CN").source(english) == chinese
        assert Words("office", "en").source(english) == english
    assert Words("office", "zh-CN").source("Assembly of 4 May") == "Assembly of 4 May"


def test_what_a_schema_says_of_a_field_has_its_chinese() -> None:
    ours = {
        text
        for kind in vars(fields).values()
        if isinstance(kind, type) and issubclass(kind, ma.fields.Field)
        for text in kind.default_error_messages.values()
    }
    length = ma.validate.Length
    ours |= {length.message_min, length.message_max, length.message_all}
    ours |= {text for path in (ROOT / "app").rglob("*.py") for text in said_in(path)}
    plain = {re.sub(r"\{\w+\}", "1", text) for text in ours}
    # A text, one with facts in it, one that a constant names.
    assert plain >= {
        "Name what is to change.",
        "It is before 1.",
        "Write one member a line, by name or number.",
    }
    assert [
        text for text in sorted(plain) if not CHINESE.search(said_of_field(text, "zh-CN"))
    ] == []


def said_in(path: Path) -> set[str]:
    """The texts that a file raises as faults of a field, with {x} for what is filled in."""
    text = path.read_text()
    if "ValidationError(" not in text and "error=" not in text:
        return set()
    tree = ast.parse(text)
    named = {
        ast.unparse(node.targets[0]): node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    told: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ValidationError"):
            first = node.args[0]
            chosen = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            told += [named.get(ast.unparse(one), one) for one in chosen]
        elif isinstance(node, ast.keyword) and node.arg == "error":
            told.append(named.get(ast.unparse(node.value), node.value))
    return {
        "".join(
            str(bit.value) if isinstance(bit, ast.Constant) else "{x}"
            for bit in (one.values if isinstance(one, ast.JoinedStr) else [one])
        )
        for one in told
        if isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
    }


def test_every_fact_that_a_case_shows_has_its_name() -> None:
    finders = [
        path
        for path in sorted((ROOT / "community").rglob("*.py"))
        if re.search(r"(?<!class )\b(?:Signal|Alarm)\(", path.read_text())
    ]
    facts = {
        key.value
        for path in finders
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }
    assert facts >= {"worst_minor", "way", "ties_to_known", "score_bps", "crowd_min"}
    known = {key.removeprefix("fact.") for key in catalog("riskdesk") if key.startswith("fact.")}
    # The first two are not shown: the rule's text says it, and names come from elsewhere.
    unsaid = {name.removesuffix("_minor") for name in facts} - {"code", "member_id"} - known
    assert sorted(unsaid) == []
