"""Circles that are closed: charters say how much of what is promised and owed may be a few's own."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0028"
branch_labels = None
depends_on = None

# What the templates propose, whatever kind of community they are for; and where that is from.
PROPOSALS: dict[str, tuple[Any, str]] = {
    "self_dealing_promised_bps": (
        8500,
        "Template's proposal: six sevenths of what they are promised is their own word; in simulated villages honest friends of whom as much is true owe little",
    ),
    "self_dealing_owed_bps": (
        5000,
        "Template's proposal: half of what they all have is out on their own word",
    ),
}


def upgrade() -> None:
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)


def _change_charters(change: Any) -> None:
    """Every stored charter gets the numbers that the templates propose."""
    charters = sa.table("charters", sa.column("id"), sa.column("rules"))
    connection = op.get_bind()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    for charter_id, rules in connection.execute(sa.select(charters.c.id, charters.c.rules)).all():
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document))},
        )


def _with_rules(rules: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": source} for name, (value, source) in PROPOSALS.items()
    }
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in PROPOSALS}
