"""Servers of the version before go on serving while the newest migration runs, or it says why not.

The rules stand in docs/operations.md. Looked at is the newest migration: those before it have run.
"""

import ast
import re
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from config.settings import ROOT

SAYS_WHY = "Not additive:"
TAKES_AWAY = {"drop_table", "drop_column", "rename_table"}
# On a table that was there before they refuse what the version before goes on writing.
DEMANDS = {"create_check_constraint", "create_unique_constraint"}
SQL = re.compile(r"\b(DROP\s+(TABLE|COLUMN)|ALTER\s+TABLE\s+\S+\s+RENAME|SET\s+NOT\s+NULL)\b", re.I)


def not_additive(source: str) -> list[str]:
    """What of a migration's upgrade the version before could not live with."""
    tree = ast.parse(source)
    down = {
        id(node)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "downgrade"
        for node in ast.walk(function)
    }
    told = {ast.get_docstring(tree, clean=False)}
    found = []
    for node in ast.walk(tree):
        if id(node) in down:
            continue
        if isinstance(node, ast.Constant) and node.value not in told:
            found += [node.value] if SQL.search(str(node.value)) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, given = node.func.attr, {item.arg: item.value for item in node.keywords}
            if name in TAKES_AWAY | DEMANDS or (name == "add_column" and _demands(node)):
                found.append(name)
            changed = given.keys() & {"type_", "new_column_name"}
            if name == "alter_column" and (changed or _is(given.get("nullable"), False)):
                found.append(name)
    return found


def _demands(call: ast.Call) -> bool:
    """Whether a new column has to be filled by those who do not know it."""
    for node in ast.walk(call):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Column":
            given = {item.arg: item.value for item in node.keywords}
            return _is(given.get("nullable"), False) and "server_default" not in given
    return False


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def newest() -> list[Path]:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "community" / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    return [Path(script.path) for script in map(scripts.get_revision, scripts.get_heads())]


def test_the_newest_migration_is_additive_or_says_why_not() -> None:
    for path in newest():
        source = path.read_text()
        found = not_additive(source)
        said = ast.get_docstring(ast.parse(source)) or ""
        assert not found or SAYS_WHY in said, (
            f"{path.name}: {', '.join(found)}: spread it over two versions (docs/operations.md), "
            f"or say in its docstring, after {SAYS_WHY!r}, why the servers have to stop for it"
        )


@pytest.mark.parametrize(
    "step, found",
    [
        ('op.create_table("x", sa.Column("a", sa.Integer(), nullable=False))', []),
        ('op.add_column("x", sa.Column("a", sa.Integer(), nullable=True))', []),
        ('op.add_column("x", sa.Column("a", sa.Integer(), nullable=False))', ["add_column"]),
        (
            'op.add_column("x", sa.Column("a", sa.Integer(), nullable=False, server_default="0"))',
            [],
        ),
        ('op.drop_column("x", "a")', ["drop_column"]),
        ('batch.drop_column("a")', ["drop_column"]),
        ('op.alter_column("x", "a", nullable=False)', ["alter_column"]),
        ('op.alter_column("x", "a", new_column_name="b")', ["alter_column"]),
        ('op.alter_column("x", "a", nullable=True)', []),
        ('op.create_check_constraint("c", "x", "a > 0")', ["create_check_constraint"]),
        ('op.create_index("i", "x", ["a"])', []),
        ('op.execute("UPDATE x SET a = 1")', []),
        ('op.execute("ALTER TABLE x RENAME TO y")', ["ALTER TABLE x RENAME TO y"]),
    ],
)
def test_what_the_version_before_cannot_live_with_is_seen(step: str, found: list[str]) -> None:
    source = f'"""DROP TABLE is only told of."""\ndef upgrade():\n    {step}\n'
    assert not_additive(source + "def downgrade():\n    op.drop_table('x')\n") == found
